// One run, alive: the strip, and tabs below it.
function render({ model, el }) {
  el.classList.add("kestra-console");
  el.setAttribute("role", "region");
  const ask = questions(model);
  const { heard, say, close } = speaking();
  const parts = { model, ask, say, save: (what) => download({ model, ask, say }, what) };
  const body = h("div", { class: "kc-body" });
  const header = headerView({ ...parts, fold: (open) => (body.hidden = !open) });
  const views = [
    ["Log", logView(parts), ({ lines }) => lines],
    ...(model.get("state").flow ? [["Tasks", tasksView(parts), ({ tasks }) => tasks?.length]] : []),
    ["Outputs", outputsView(parts), ({ outputs }) => outputs],
    ["Files", filesView(parts), ({ files }) => files],
    ["Metrics", metricsView(parts), ({ metrics }) => metrics],
    ["Resources", resourcesView(parts)],
    ["Rendered", renderedView(parts)],
  ];
  const tabs = tabbed(body, views, model);
  el.append(header.element, body, heard);

  let phase = model.get("state").phase;
  const changed = () => {
    const now = model.get("state");
    el.setAttribute("aria-label", `Run ${now.name}`);
    tabs.count(now);
    if (now.phase !== phase && now.ended) say(`${now.name}: ${now.phase.toLowerCase()}${now.exit ? `, exit code ${now.exit}` : ""}`, { aloud: true });
    phase = now.phase;
  };
  model.on("change:state", changed);
  changed();
  return () => {
    close();
    model.off("change:state", changed);
    header.close();
    views.forEach(([, view]) => view.close());
    ask.close();
  };
}

function tabbed(body, views, model) {
  const name = `kc-${++tabNumber}`;
  const panels = views.map(([, view], index) =>
    h("div", { class: "kc-panel", role: "tabpanel", id: `${name}-panel-${index}-${model.get("run_id")}`, hidden: true }, view.element));
  const tabs = views.map(([title], index) =>
    h("button", { type: "button", class: "kc-tab", role: "tab", id: `${panels[index].id}-tab`, "aria-controls": panels[index].id, onclick: () => show(index) },
      title, h("span", { class: "kc-tab-count" })));
  panels.forEach((panel, index) => panel.setAttribute("aria-labelledby", tabs[index].id));
  let current = -1;
  function show(index) {
    if (index === current) return;
    current = index;
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === index));
      tab.tabIndex = at === index ? 0 : -1;
      panels[at].hidden = at !== index;
    });
    views[index][1].shown?.();
  }
  const list = h("div", { class: "kc-tabs", role: "tablist", "aria-label": "What to see of the run" }, tabs);
  list.addEventListener("keydown", (event) => {
    const to = arrows(event, tabs, current);
    if (to >= 0) show(to), tabs[to].focus();
  });
  body.append(list, ...panels);
  show(0);
  return {
    show,
    count(state) {
      views.forEach(([, , count], index) => {
        const amount = count?.(state);
        setText(tabs[index].lastChild, amount ? amount.toLocaleString("en") : "");
      });
    },
  };
}

// The files alone, as `run.files` gives them.
function filesAlone({ model, el }) {
  el.classList.add("kestra-console");
  el.setAttribute("role", "region");
  el.setAttribute("aria-label", `Files of ${model.get("state").name || "a run"}`);
  const ask = questions(model);
  const { heard, say, close } = speaking();
  const files = filesView({ model, ask, say, save: (what) => download({ model, ask, say }, what) });
  el.append(files.element, ...model.get("state").misses.map((miss) => h("p", { class: "kc-quiet" }, visible(miss))), heard);
  files.shown();
  return () => (files.close(), close(), ask.close());
}

// A form of other widgets.
function formView({ model, el }) {
  const manager = model.widget_manager;
  let view, closed;
  manager.get_model(model.get("state").form).then((form) => manager.create_view(form)).then((made) => {
    if (closed) return made.remove();
    view = made;
    view.luminoWidget.constructor.attach(view.luminoWidget, el);
  });
  return () => {
    closed = true;
    if (!el.isConnected) document.body.append(el); // Lumino takes away only what is in the page
    view?.remove();
  };
}

const ALONE = { runs: runsView, files: filesAlone, form: formView };
const initialize = ({ model }) => {
  const alone = ALONE[model.get("state").kind];
  return takeOver(model, (el) => (alone || render)({ model, el }), { twins: !alone });
};

export default { initialize, render };
