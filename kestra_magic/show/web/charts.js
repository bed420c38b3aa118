// Numbers over time and over runs, as lines; each also as words for those who do not see them.
function lineChart(title, points, { said = number, width = 560, height = 110, from = 0, upto = 1e-12, across = "" } = {}) {
  const values = points.map(([, y]) => y);
  const most = Math.max(...values, upto);
  const least = Math.min(...values, from ?? Infinity);
  const [start, end] = [points[0][0], points.at(-1)[0]];
  const x = (value) => 4 + ((value - start) / Math.max(1e-9, end - start)) * (width - 8);
  const y = (value) => height - 6 - ((value - least) / Math.max(1e-12, most - least)) * (height - 16);
  const place = points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`);
  const peak = points.reduce((best, point) => (point[1] > best[1] ? point : best));
  const words = `${title}: last ${said(values.at(-1))}, peak ${said(peak[1])}${across}`;
  return h("figure", { class: "kc-figure" },
    h("figcaption", {}, h("strong", {}, title), h("span", { class: "kc-quiet" }, ` last ${said(values.at(-1))} · peak ${said(peak[1])}${across}`)),
    h("div", { class: "kc-plot" }, h("span", { class: "kc-scale kc-quiet", "aria-hidden": "true" }, h("span", {}, said(most)), h("span", {}, said(least))),
    svg("svg", { class: "kc-chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words, preserveAspectRatio: "none" },
      svg("line", { class: "kc-axis", x1: 4, x2: width - 4, y1: 10, y2: 10 }),
      svg("line", { class: "kc-axis", x1: 4, x2: width - 4, y1: height - 6, y2: height - 6 }),
      svg("polygon", { class: "kc-area", points: `${x(start)},${height - 6} ${place.join(" ")} ${x(end)},${height - 6}` }),
      svg("polyline", { class: "kc-curve", points: place.join(" ") }),
      points.length <= 40 ? points.map(([a, b]) => svg("circle", { class: "kc-point", cx: x(a), cy: y(b), r: 2.5 }, svg("title", {}, said(b)))) : [])));
}

const PERCENT = new Set(["cpu", "gpu_percent"]); // a scale that ends below 10 % would make noise of nothing
function resourcesView({ model }) {
  const place = h("div", { class: "kc-figures" });
  const rate = (value) => `${bytes(value)}/s`;
  const KINDS = [["cpu", "CPU", (value) => `${Math.round(value)} %`], ["rss", "Memory", bytes], ["read", "Read", rate], ["write", "Written", rate],
    ["gpu_percent", "GPU", (value) => `${Math.round(value)} %`], ["gpu_bytes", "GPU memory", bytes]];
  let visible = false;
  function show() {
    if (!visible) return;
    const state = model.get("state");
    const at = state.at || [];
    const charts = KINDS.filter(([key]) => state[key]?.length > 1 && (["cpu", "rss"].includes(key) || state[key].some(Boolean))).map(([key, title, said]) =>
      lineChart(state.gpu_label && key.startsWith("gpu") ? `${title} (${state.gpu_label})` : title,
        state[key].map((value, index) => [at[index] ?? index, value]), { said, upto: PERCENT.has(key) ? 10 : 1, across: ` · ${seconds(at.at(-1) - at[0])}` }));
    const given = state.gpus ? [h("p", { class: "kc-given kc-quiet" }, state.gpus)] : [];
    place.replaceChildren(...given, ...(charts.length ? charts : [h("p", { class: "kc-empty kc-quiet" },
      state.ended ? "It ended before its use of the machine was measured twice." : "Measured from the first second on …")]));
  }
  model.on("change:state", show);
  return { element: place, shown: () => ((visible = true), show()), close: () => model.off("change:state", show) };
}

function metricsView({ model, ask }) {
  const place = h("div", { class: "kc-figures" });
  let seen = -1;
  const tags = (all) => Object.entries(all).map(([key, value]) => h("span", { class: "kc-chip" }, `${key}=${value}`));
  async function load() {
    try {
      const { metrics, earlier } = await ask("metrics");
      if (!metrics.length) return place.replaceChildren(h("p", { class: "kc-empty kc-quiet" }, "The task has sent no metrics: it writes ::{\"metrics\": […]}:: on a line of its own."));
      const names = [...new Set(metrics.map((metric) => metric.name))];
      const rows = names.map((name) => {
        const all = metrics.filter((metric) => metric.name === name);
        const sum = all.reduce((total, metric) => total + metric.value, 0);
        const last = all.at(-1);
        return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, last.type), h("td", { class: "kc-numeric" }, number(last.type === "gauge" ? last.value : sum)),
          h("td", { class: "kc-numeric" }, String(all.length)), h("td", {}, tags(last.tags)));
      });
      const table = h("div", { class: "kc-scroll", tabindex: "0", role: "region", "aria-label": "Metrics" }, h("table", {}, h("thead", {}, h("tr", {},
        ["Metric", "Type", "Value", "Entries", "Tags"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, rows)));
      const charts = names.flatMap((name) => {
        const all = metrics.filter((metric) => metric.name === name);
        const runs = [...earlier.filter(({ last }) => name in last).map(({ last }) => last[name]), all.at(-1).value];
        return [all.length > 1 && lineChart(`${name} in this run`, all.map(({ value }, at) => [at, value]), { from: null }),
          runs.length > 1 && lineChart(`${name} across ${runs.length} runs`, runs.map((value, at) => [at, value]), { from: null })].filter(Boolean);
      });
      place.replaceChildren(table, ...charts);
    } catch (error) {
      place.replaceChildren(h("p", { class: "kc-empty" }, error.message));
    }
  }
  let visible = false;
  const changed = () => {
    const { metrics, ended } = model.get("state");
    if (visible && (metrics !== seen || ended)) (seen = metrics), load();
  };
  model.on("change:state", changed);
  return { element: place, shown: () => ((visible = true), load()), close: () => model.off("change:state", changed) };
}
