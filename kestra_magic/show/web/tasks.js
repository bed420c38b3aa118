// A flow's tasks over time: one row each, its attempts as bars on one clock.
function tasksView({ model }) {
  const rows = h("tbody");
  const scale = h("div", { class: "kc-gantt-scale kc-quiet", "aria-hidden": "true" });
  const place = h("div", { class: "kc-gantt kc-scroll", tabindex: "0", role: "region", "aria-label": "Tasks over time" },
    h("table", {}, h("thead", {}, h("tr", {}, ["Task", "State"].map((text) => h("th", { scope: "col" }, text)), h("th", { scope: "col", class: "kc-numeric" }, "Time"), h("th", { scope: "col", class: "kc-gantt-axis" }, h("span", { class: "kc-unseen" }, "Attempts over time"), scale))), rows));
  let visible = false;
  let clock;
  // Time goes on between what the kernel tells.
  const drift = { kernel: 0, here: 0 };
  const now = () => drift.kernel + (performance.now() - drift.here) / 1000;

  function draw() {
    const { tasks = [], started, ended_at: end, ended } = model.get("state");
    if (!visible || !tasks.length) return;
    const from = started ?? Math.min(...tasks.map((task) => task.started || Infinity));
    const whole = Math.max(0.001, (ended ? end : now()) - from);
    const at = (time) => `${(100 * Math.max(0, Math.min(1, (time - from) / whole))).toFixed(2)}%`;
    rows.replaceChildren(...tasks.map((task) => row(task, at, whole, from)));
    scale.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((part) => h("span", {}, seconds(whole * part))));
  }
  function row(task, at, whole, from) {
    const spent = task.started ? (task.ended || now()) - task.started : 0;
    const bars = task.attempts.map((attempt, index) => {
      const until = attempt.ended || task.ended || now();
      const bar = h("span", { class: "kc-gantt-bar", "data-state": attempt.state, title: `attempt ${index + 1}: ${seconds(Math.max(0, until - attempt.started))}, ${attempt.state.toLowerCase()}` });
      bar.style.left = at(attempt.started);
      bar.style.width = `max(3px, ${(100 * Math.max(0, until - attempt.started) / whole).toFixed(2)}%)`;
      return bar;
    });
    const said = task.started ? `began after ${seconds(Math.max(0, task.started - from))}, ${plural(task.attempts.length, "attempt")}` : "not begun";
    return h("tr", {}, h("th", { scope: "row", title: task.error || task.name }, task.name, h("span", { class: "kc-quiet kc-gantt-type" }, task.type)), h("td", {}, badgeOf(task.state)),
      h("td", { class: "kc-numeric" }, task.attempts.length ? seconds(Math.max(0, spent)) : ""), h("td", { class: "kc-gantt-row" }, h("span", { class: "kc-unseen" }, said), bars));
  }
  function changed() {
    Object.assign(drift, { kernel: model.get("state").now, here: performance.now() });
    draw();
  }
  model.on("change:state", changed);
  changed();
  return {
    element: place,
    shown: () => ((visible = true), draw(), (clock ??= setInterval(() => model.get("state").ended ? clearInterval(clock) : draw(), 500))),
    close: () => (clearInterval(clock), model.off("change:state", changed)),
  };
}
