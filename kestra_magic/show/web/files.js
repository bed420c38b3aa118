// The files of a run: a tree that is fetched folder by folder and drawn as far as it is seen.
const NODE = 24;

function filesView({ model, ask, say, save }) {
  const query = h("input", { class: "kc-query", type: "search", placeholder: "Search the files", "aria-label": "Search the files" });
  const renew = button("Refresh", () => load(), { title: "Look again" });
  const counted = h("span", { class: "kc-count kc-quiet" });
  const tree = h("div", { class: "kc-tree", role: "tree", tabindex: "0", "aria-label": "Files of the run" });
  const shown = h("div", { class: "kc-preview", role: "region", "aria-label": `Preview of ${model.get("state").name || "a run"}'s files` });
  const open = new Map(); // path of an open folder → its rows
  let rows = [];
  let chosen = -1;
  let loaded = false;
  let turn = 0;

  const rolled = roll(tree, { height: NODE, count: () => rows.length, row: draw, stamp: (at) => `${rows[at].path}|${open.has(rows[at].path)}|${at === chosen}` });
  const listed = ({ names, sizes, marks }, level) =>
    names.map((path, at) => ({ path, size: sizes[at], mark: marks[at], level, folder: sizes[at] < 0 }));

  function draw(at) {
    const { path, size, mark, level, folder } = rows[at];
    const name = query.value ? path : path.slice(path.lastIndexOf("/") + 1);
    const node = h("div", {
      class: "kc-node", role: "treeitem", id: idOf(at), "aria-level": level + 1, "aria-selected": String(at === chosen),
      "aria-expanded": folder ? String(open.has(path)) : null,
      onclick: () => (choose(at), folder && toggle(at)),
    },
      h("span", { class: "kc-twist", "aria-hidden": "true" }, folder ? (open.has(path) ? "▾" : "▸") : ""),
      h("bdi", { class: "kc-name", title: path }, visible(name)),
      mark && h("span", { class: `kc-mark kc-mark-${mark}` }, mark),
      !folder && h("span", { class: "kc-size kc-quiet" }, bytes(size)));
    node.style.paddingLeft = `${6 + 16 * level}px`;
    return node;
  }
  const base = `kc-file-${++tabNumber}`;
  const idOf = (at) => `${base}-${at}`;

  function choose(at) {
    if (!rows.length) return;
    chosen = Math.max(0, Math.min(at, rows.length - 1));
    tree.setAttribute("aria-activedescendant", idOf(chosen));
    rolled.show(chosen);
    if (!rows[chosen].folder) previewFile({ model, ask, say, save }, shown, rows[chosen]);
  }
  // What comes after the first screenful is fetched behind it, and stands where its folder ends.
  async function rest(path, level, { names, total = 0 }) {
    const mine = turn;
    for (let have = names.length; have < total; ) {
      const answer = await ask("folder", { path, from: have }, 60000);
      const above = rows.findIndex((row) => row.path === path);
      if (mine !== turn || !answer.names.length || (path && !open.has(path))) return;
      let end = above + 1;
      while (path && end < rows.length && rows[end].level >= level) end++;
      if (!path) end = rows.length;
      rows = [...rows.slice(0, end), ...listed(answer, level), ...rows.slice(end)];
      have += answer.names.length;
      rolled.schedule();
    }
  }
  async function toggle(at) {
    const { path, level } = rows[at];
    if (open.has(path)) {
      let end = at + 1;
      while (end < rows.length && rows[end].level > level) open.delete(rows[end++].path);
      rows = [...rows.slice(0, at + 1), ...rows.slice(end)];
      open.delete(path);
    } else {
      try {
        const answer = await ask("folder", { path });
        const inside = listed(answer, level + 1);
        const now = rows.findIndex((row) => row.path === path);
        if (now < 0 || open.has(path)) return;
        open.set(path, inside.length);
        rows = [...rows.slice(0, now + 1), ...inside, ...rows.slice(now + 1)];
        rest(path, level + 1, answer).catch((error) => say(error.message));
      } catch (error) {
        return say(error.message);
      }
    }
    rolled.clear();
  }
  async function load() {
    const mine = ++turn;
    const text = query.value;
    try {
      const answer = text ? await ask("find", { text }) : await ask("folder", { path: "" });
      if (mine !== turn) return;
      open.clear();
      const before = rows[chosen]?.path;
      rows = listed(answer, 0);
      rest("", 0, answer).catch((error) => say(error.message));
      chosen = rows.findIndex((row) => row.path === before);
      loaded = true;
      setText(counted, answer.more ? `the first ${rows.length} found` : text ? `${plural(rows.length, "file")} found` : plural(answer.total, "entry", "entries"));
      if (!rows.length && !text) shown.replaceChildren(h("p", { class: "kc-empty kc-quiet" }, "No files here yet."));
      else if (chosen < 0) shown.replaceChildren(h("p", { class: "kc-empty kc-quiet" }, "Choose a file to see what is in it."));
    } catch (error) {
      shown.replaceChildren(h("p", { class: "kc-empty" }, error.message));
    }
    rolled.clear();
  }
  function parent(at) {
    for (let up = at - 1; up >= 0; up--) if (rows[up].level < rows[at].level) return up;
    return at;
  }
  tree.addEventListener("keydown", (event) => {
    const row = rows[chosen];
    const page = Math.max(1, Math.floor(rolled.fits()) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) choose(chosen + step);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(rows.length - 1);
    else if (event.key === "ArrowRight" && row?.folder) open.has(row.path) ? choose(chosen + 1) : toggle(chosen);
    else if (event.key === "ArrowLeft" && row) row.folder && open.has(row.path) ? toggle(chosen) : choose(parent(chosen));
    else if ((event.key === "Enter" || event.key === " ") && row) row.folder ? toggle(chosen) : choose(chosen);
    else return;
    event.preventDefault();
  });
  let pause;
  query.addEventListener("input", () => (clearTimeout(pause), (pause = setTimeout(load, 200))));
  const ended = () => loaded && model.get("state").ended && model.off("change:state", ended) === undefined && load();
  if (!model.get("state").ended) model.on("change:state", ended);
  return {
    element: h("div", { class: "kc-files" },
      h("div", { class: "kc-bar", role: "toolbar", "aria-label": "Files" }, query, renew, counted),
      h("div", { class: "kc-two" }, tree, shown)),
    shown: () => (loaded ? rolled.schedule() : load()),
    close: () => (model.off("change:state", ended), rolled.close()),
  };
}

// Names are a process's own: what would not be seen, or turn the line around, is written out.
const visible = (name) =>
  name.replace(/[\u0000-\u001f\u007f\u200b-\u200f\u2028-\u202e\u2066-\u2069\uf780-\uf7ff\ufeff]/g, (char) =>
    char >= "\uf780" && char <= "\uf7ff" ? `\\x${(char.charCodeAt(0) & 255).toString(16)}` : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
