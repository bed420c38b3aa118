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
    const known = new Map(tasks.map((task) => [task.id, task]));
    rows.replaceChildren(...tasks.map((task) => row(task, spanOf(task, tasks), deep(task, known), at, whole, from)));
    scale.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((part) => h("span", {}, seconds(whole * part))));
  }
  // What holds other tasks takes as long as these.
  const spanOf = (task, tasks) => {
    if (task.attempts.length) return [task.started, task.ended || now()];
    const inside = tasks.filter((other) => other.parent === task.id).map((other) => spanOf(other, tasks)).filter(Boolean);
    return inside.length ? [Math.min(...inside.map(([from]) => from)), Math.max(...inside.map(([, to]) => to))] : null;
  };
  const deep = (task, known) => (known.has(task.parent) ? 1 + deep(known.get(task.parent), known) : 0);

  function row(task, span, level, at, whole, from) {
    const bar = (kind, state, begun, until, title) => {
      const drawn = h("span", { class: `kc-gantt-bar ${kind}`, "data-state": state, title: `${title}: ${seconds(Math.max(0, until - begun))}, ${state.toLowerCase()}` });
      drawn.style.left = `min(${at(begun)}, 100% - 3px)`;
      drawn.style.width = `${(100 * Math.max(0, until - begun) / whole).toFixed(2)}%`;
      return drawn;
    };
    const bars = task.attempts.map((attempt, index) => bar("", attempt.state, attempt.started, attempt.ended || task.ended || now(), `attempt ${index + 1}`));
    if (span && !bars.length) bars.push(bar("kc-gantt-whole", task.state, ...span, "all in it"));
    const said = span ? `began after ${seconds(Math.max(0, span[0] - from))}, ${plural(task.attempts.length, "attempt")}` : "not begun";
    const name = h("th", { scope: "row", title: task.error || task.name }, task.name, h("span", { class: "kc-quiet kc-gantt-type" }, task.type));
    name.style.paddingLeft = `${10 + 14 * level}px`;
    return h("tr", {}, name, h("td", {}, badgeOf(task.state)),
      h("td", { class: "kc-numeric" }, span ? seconds(Math.max(0, span[1] - span[0])) : ""), h("td", { class: "kc-gantt-row" }, h("span", { class: "kc-unseen" }, said), bars));
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
