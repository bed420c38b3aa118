// The strip that stays readable when all else is folded: state, name, time, what it uses, Stop.
const BADGES = {
  CREATED: "○", QUEUED: "○", RUNNING: "▶", PAUSED: "❚❚", RETRYING: "↻", RESTARTED: "↻", KILLING: "◌", SUCCESS: "✓",
  WARNING: "!", FAILED: "✕", KILLED: "■", CANCELLED: "■", SKIPPED: "–", RETRIED: "↻",
};

const badgeOf = (state) =>
  h("span", { class: "kc-badge", "data-state": state }, h("span", { "aria-hidden": "true" }, BADGES[state] || "○"), h("span", {}, state));

function headerView({ model, ask, say, fold }) {
  const badge = badgeOf("CREATED");
  const [icon, word] = badge.children;
  const title = h("span", { class: "kc-title" });
  const time = h("span", { class: "kc-quiet kc-elapsed" });
  const code = h("span", { class: "kc-quiet" });
  const usage = h("span", { class: "kc-usage kc-quiet" });
  const stop = button("Stop", () => stopRun(), { class: "kc-button kc-stop" });
  const folder = h("button", {
    type: "button", class: "kc-fold", "aria-expanded": "true", "aria-label": "Details of the run",
    onclick: () => {
      const open = folder.getAttribute("aria-expanded") !== "true";
      folder.setAttribute("aria-expanded", String(open));
      fold(open);
    },
  }, h("span", { "aria-hidden": "true" }, "▾"));
  const done = h("div", { class: "kc-done" });
  const track = h("div", { class: "kc-track", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100" }, done);
  const doing = h("span", { class: "kc-doing" });
  const left = h("span", { class: "kc-quiet" });
  const progress = h("div", { class: "kc-progress", hidden: true }, track, h("div", { class: "kc-progress-text" }, doing, left));
  const fault = h("strong", { class: "kc-fault" });
  const hint = h("p", { class: "kc-hint" });
  const trace = h("pre", { class: "kc-trace", tabindex: "0", "aria-label": "The end of the error output", role: "region" });
  const banner = h("div", { class: "kc-banner", hidden: true, role: "group", "aria-label": "Error" }, fault,
    button("Copy error", () => copyText([state().error, state().hint, state().trace].filter(Boolean).join("\n"), say)), hint, trace);

  // What no process wrote: warnings, log entries, what it waits for. It is announced, and stays.
  const notes = h("div", { class: "kc-notes kc-quiet", hidden: true, role: "region", "aria-live": "polite", tabindex: "0", "aria-label": "Notes" });

  const state = () => model.get("state");
  const drift = { kernel: 0, here: 0 };
  const elapsed = () => {
    const { started, ended_at: end } = state();
    if (!started) return 0;
    return Math.max(0, (end || drift.kernel + (performance.now() - drift.here) / 1000) - started);
  };

  async function stopRun() {
    const { foreground, phase } = state();
    const kernel = model.widget_manager?.kernel;
    stop.disabled = true;
    setText(stop, phase === "KILLING" ? "Killing…" : "Stopping…");
    model.send({ t: "stop" });
    // A kernel without subshells reads this only when the cell has ended: then its interrupt is the way. It must not
    // hear both, or the second would count as «kill».
    if (foreground && kernel?.interrupt)
      setTimeout(() => {
        if (state().ended || state().phase !== phase) return;
        kernel.interrupt().catch((error) => say(`The kernel could not be interrupted: ${error.message}`));
      }, model.get("subshells") ? 1000 : 250);
    setTimeout(() => (stop.disabled = false), 1500);
  }
  const canStop = () => {
    const { ended, foreground } = state();
    return !ended && (!foreground || model.get("subshells") || Boolean(model.widget_manager?.kernel?.interrupt));
  };

  function tick() {
    const { usual, ended } = state();
    const spent = elapsed();
    const often = usual && !ended ? ` · usually ${seconds(usual)}` : "";
    setText(time, spent >= 2 || ended ? `${seconds(spent)}${often}` : often.slice(3));
  }
  function show() {
    const now = state();
    Object.assign(drift, { kernel: now.now, here: performance.now() });
    badge.dataset.state = now.phase;
    setText(icon, BADGES[now.phase] || "○");
    setText(word, now.phase);
    setText(title, now.name);
    title.title = now.name;
    setText(code, now.exit === null || now.exit === undefined ? "" : `exit code ${now.exit}`);
    stop.hidden = !canStop();
    if (!stop.disabled || now.ended) setText(stop, now.phase === "KILLING" ? "Kill" : "Stop");
    stop.title = now.phase === "KILLING" ? "End it now, without waiting" : "End the process and everything it started";
    showBar(now.bar);
    banner.hidden = !(now.ended && now.error);
    setText(fault, now.error || "");
    setText(hint, now.hint || "");
    hint.hidden = !now.hint;
    setText(trace, now.trace || "");
    trace.hidden = !now.trace || now.hint?.includes(now.trace);
    showNotes(now.notes || []);
    showUsage(now);
    tick();
  }
  function showNotes(lines) {
    const text = lines.join("\n");
    if (notes.textContent === text) return;
    notes.hidden = !text;
    setText(notes, text);
    notes.scrollTop = notes.scrollHeight;
  }
  function showBar(bar) {
    progress.hidden = !bar || state().ended;
    if (!bar) return;
    const known = bar.fraction !== null;
    const percent = Math.round((bar.fraction || 0) * 100);
    done.style.width = known ? `${percent}%` : "100%";
    track.classList.toggle("kc-unknown", !known);
    if (known) track.setAttribute("aria-valuenow", percent);
    else track.removeAttribute("aria-valuenow");
    setText(doing, bar.text);
    setText(left, [known && `${percent} %`, bar.remaining !== null && `${seconds(bar.remaining)} left`].filter(Boolean).join(" · "));
  }
  function showUsage({ cpu = [], rss = [], gpu, ended, processes }) {
    usage.hidden = ended || !rss.length;
    if (usage.hidden) return;
    usage.replaceChildren(
      h("span", { class: "kc-gauge" }, "CPU ", spark(cpu) ?? "", ` ${Math.round(cpu.at(-1) || 0)} %`),
      h("span", { class: "kc-gauge" }, "Memory ", spark(rss) ?? "", ` ${bytes(rss.at(-1))}`),
      ...(gpu ? [h("span", { class: "kc-gauge" }, `GPU ${Math.round(gpu.percent)} % · ${bytes(gpu.bytes)}`)] : []),
      ...(processes > 1 ? [h("span", { class: "kc-gauge" }, plural(processes, "process", "processes"))] : []));
  }
  const clock = setInterval(() => !state().ended && tick(), 500);
  model.on("change:state", show);
  show();
  return {
    element: h("div", { class: "kc-header" },
      h("div", { class: "kc-strip" }, folder, badge, title, time, code, usage, stop), progress, banner, notes),
    close: () => (clearInterval(clock), model.off("change:state", show)),
  };
}

function spark(values, width = 72, height = 16) {
  if (values.length < 2) return null;
  const most = Math.max(...values, 1e-9);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`);
  return svg("svg", { class: "kc-spark", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("polyline", { points: points.join(" ") }));
}
