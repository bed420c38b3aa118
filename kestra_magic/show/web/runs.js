// All runs as a table: it asks again by itself while someone looks at it, and its buttons act.
const RUN_COLUMNS = [["State", "kc-run-state"], ["Run", "kc-run-what"], ["Began", "kc-run-began"], ["Time", "kc-run-time kc-numeric"], ["Files", "kc-run-files kc-numeric"], ["Actions", "kc-run-acts"]];

function runsView({ model, el }) {
  el.classList.add("kestra-console");
  el.setAttribute("role", "region");
  el.setAttribute("aria-label", "Runs");
  const ask = questions(model);
  const { heard, say, close } = speaking();
  const rows = new Map(); // by id: they stay where the focus is
  const body = h("tbody", { role: "rowgroup" });
  const empty = h("p", { class: "kc-empty kc-quiet" }, "No runs yet.");
  const table = h("div", { class: "kc-scroll kc-runs", tabindex: "0", role: "region", "aria-label": "Table of runs" },
    h("table", { role: "table" }, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, RUN_COLUMNS.map(([name, kind]) =>
      h("th", { role: "columnheader", scope: "col", class: kind }, name === "Actions" ? h("span", { class: "kc-unseen" }, name) : name)))), body));
  const act = (verb, given, failed) => ask(verb, { with: given }).then(show).catch((error) => (failed?.(), say(error.message)));
  const offer = (line) => (insertCell(model, line) ? say(`Inserted below: ${line}`) : copyText(line, () => say(`Copied: ${line}`)));
  const kernel = model.widget_manager?.kernel;
  // A kernel without subshells reads nothing while a cell waits for its run: then its interrupt is the way.
  const deaf = () => !model.get("subshells") && kernel?.status === "busy";
  const stop = (row, failed) => (row.waited && deaf() ? kernel.interrupt() : act("stop", { run: row.id }, failed));
  let lives = false;

  function show({ rows: told }) {
    lives = told.some((row) => !row.ended);
    table.hidden = !told.length;
    empty.hidden = Boolean(told.length);
    const known = new Set(told.map((row) => row.id));
    for (const [id, { element }] of rows) if (!known.has(id)) element.remove(), rows.delete(id);
    told.forEach((row, at) => {
      if (!rows.has(row.id)) rows.set(row.id, runRow({ act, offer, stop }));
      const { element, update } = rows.get(row.id);
      if (body.children[at] !== element) body.insertBefore(element, body.children[at] || null);
      update(row);
    });
  }
  let clock, over = false;
  async function again() {
    if (!deaf() && el.offsetParent && !document.hidden)
      await ask("rows", {}, 5000).then(show).catch(() => {}); // a kernel that is busy answers the next time
    if (!over) clock = setTimeout(again, lives ? 1000 : 5000);
  }
  el.append(table, empty, heard);
  show(model.get("state"));
  clock = setTimeout(again, 300);
  return () => ((over = true), clearTimeout(clock), close(), ask.close());
}

function runRow({ act, offer, stop }) {
  let row;
  const cells = RUN_COLUMNS.map(([, kind], at) => h(at === 1 ? "th" : "td", { role: at === 1 ? "rowheader" : "cell", scope: at === 1 ? "row" : null, class: kind }));
  const [state, what, began, time, files, acts] = cells;
  const name = h("span", { class: "kc-run-name" });
  const label = h("span", { class: "kc-chip", hidden: true });
  const pinned = h("span", { class: "kc-chip", hidden: true }, "pinned");
  const more = h("div", { class: "kc-run-more kc-quiet" });
  const field = h("input", { type: "text", hidden: true, maxlength: "60" });
  const small = (text, onclick) => button(text, onclick, { class: "kc-button kc-use" });
  const buttons = {
    stop: small("Stop", () => ((buttons.stop.disabled = true), stop(row, () => (buttons.stop.disabled = false)))),
    open: small("Open", () => offer(`%kestra attach ${row.run}`)),
    rerun: small("Rerun", () => offer(`%kestra rerun ${row.run}`)),
    diff: small("Diff", () => offer(`%kestra diff ${row.run}`)),
    pin: small("Pin", () => act("pin", { run: row.id, pinned: !row.pinned })),
    label: small("Label", () => edit(true)),
  };
  buttons.stop.classList.add("kc-stop");
  function edit(open) {
    if (open === !field.hidden) return;
    field.hidden = !open;
    field.value = row.label;
    (open ? field : buttons.label).focus();
  }
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") act("label", { run: row.id, text: field.value });
    if (event.key !== "Enter" && event.key !== "Escape") return;
    edit(false);
    event.preventDefault(); // else the button that has the focus now hears it too
    event.stopPropagation();
  });
  what.append(name, label, pinned, field, more);
  acts.append(...Object.values(buttons));

  function update(now) {
    if (now.state !== row?.state) state.replaceChildren(badgeOf(now.state));
    row = now;
    setText(name, row.run);
    pinned.hidden = !row.pinned;
    setText(label, row.label);
    label.hidden = !row.label;
    setText(began, row.age === null ? "" : ago(row.age));
    setText(time, seconds(row.seconds));
    setText(files, row.files ? row.files.toLocaleString("en") : "");
    setText(more, [row.exit && `exit code ${row.exit}`, ...row.values.map((pair) => pair.join(" ")), row.last, row.where].filter(Boolean).join(" · "));
    more.title = more.textContent;
    field.setAttribute("aria-label", `Label of ${row.run}`);
    for (const [verb, one] of Object.entries(buttons)) one.setAttribute("aria-label", `${one.textContent} ${row.run}`), (one.title = HINTS[verb]);
    setText(buttons.pin, row.pinned ? "Unpin" : "Pin");
    buttons.stop.hidden = row.ended || !row.stops;
    if (row.state !== "RUNNING") buttons.stop.disabled = false;
    buttons.rerun.hidden = buttons.diff.hidden = !row.ended;
    buttons.open.hidden = !row.ended && !row.stops;
  }
  return { element: h("tr", { role: "row" }, cells), update };
}

const HINTS = {
  stop: "End it with everything it started", open: "Show it in a new cell", rerun: "Run the same again, in a new cell", diff: "Compare it with the run before it, in a new cell",
  pin: "Keep it for ever, or no longer", label: "Say what it was",
};

const ago = (spent) => {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "m"]]) if (spent >= size) return `${Math.floor(spent / size)} ${unit} ago`;
  return spent < 5 ? "now" : `${Math.floor(spent)} s ago`;
};
