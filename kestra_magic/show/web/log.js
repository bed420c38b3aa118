// The log: a window on a file in the kernel. Lines are fetched when they are looked at; what arrives meanwhile is
// only counted.
const LINE = 18;
const BLOCK = 500;
const BLOCKS = 60;
const LEVELS = ["", "TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

function lineStore(model, ask) {
  const blocks = new Map();
  const asked = new Set();
  const listeners = new Set();
  const store = {
    total: model.get("state").lines || 0,
    open: "",
    stamp: 0,
    get(index) {
      const number = Math.floor(index / BLOCK);
      return blocks.get(number)?.[index % BLOCK];
    },
    put(first, lines) {
      lines.forEach((line, offset) => {
        const number = Math.floor((first + offset) / BLOCK);
        if (!blocks.has(number)) blocks.set(number, []);
        blocks.get(number)[(first + offset) % BLOCK] = line;
      });
      while (blocks.size > BLOCKS) blocks.delete(blocks.keys().next().value);
      store.stamp++;
    },
    async want(index) {
      const number = Math.floor(index / BLOCK);
      if (asked.has(number)) return;
      asked.add(number);
      try {
        const answer = await ask("range", { first: number * BLOCK, count: BLOCK });
        store.put(answer.first, answer.lines);
        store.changed();
      } catch {
        setTimeout(store.changed, 1000); // the row says «…» and asks again when it is drawn again
      } finally {
        asked.delete(number);
      }
    },
    *known() {
      for (const [number, block] of [...blocks].sort(([a], [b]) => a - b))
        for (const [offset, line] of block.entries()) if (line) yield [number * BLOCK + offset, line];
    },
    on: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    changed: () => listeners.forEach((listener) => listener()),
  };
  const heard = (message) => {
    if (message.t !== "lines") return;
    if (message.lines.length) store.put(message.first, message.lines);
    store.total = Math.max(store.total, message.total);
    store.open = message.open || "";
    store.changed();
  };
  model.on("msg:custom", heard);
  model.on("change:state", () => {
    store.total = Math.max(store.total, model.get("state").lines || 0);
    if (model.get("state").ended) store.open = "";
    store.changed();
  });
  store.close = () => model.off("msg:custom", heard);
  return store;
}

// ---- what is looked for: a text, a level, and where they stand
function search(store, ask, changed) {
  let turn = 0;
  const found = { text: "", level: "", hits: null, at: -1, partial: false };
  const least = { ERROR: 5, WARN: 4, INFO: 3 };
  const fits = ([flags, , text]) => {
    const level = flags & 7;
    if (found.level === "settled") return !(flags & 16) && plain(text).toLowerCase().includes(found.text);
    if (found.level === "stderr" ? !(flags & 8) : found.level && level < least[found.level]) return false;
    return plain(text).toLowerCase().includes(found.text);
  };
  async function run() {
    const mine = ++turn;
    Object.assign(found, { hits: null, at: -1, partial: false });
    if (!found.text && !found.level) return changed();
    const known = () => [...store.known()].filter(([, line]) => fits(line)).map(([index]) => index);
    found.hits = known(); // until the kernel answers
    changed();
    for (let from = 0; mine === turn; ) {
      let answer;
      try {
        answer = await ask("search", { text: found.text, level: found.level, from });
      } catch {
        if (mine !== turn) return;
        Object.assign(found, { partial: true, hits: known() });
        return changed();
      }
      if (mine !== turn) return;
      if (!from) found.hits = [];
      for (const hit of whole(answer.buffers[0])) found.hits.push(hit);
      from = answer.next;
      changed();
      if (answer.full) return;
      if (from >= answer.total) await new Promise((resolve) => setTimeout(resolve, 500));
      if (from >= answer.total && answer.ended) return;
    }
  }
  const whole = (view) => new Uint32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  return {
    found,
    set: (given) => (Object.assign(found, given), run()),
    stop: () => turn++,
    // hits are sorted: is this line one of them?
    has(index) {
      let [low, high] = [0, found.hits.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (found.hits[middle] < index) low = middle + 1;
        else high = middle;
      }
      return found.hits[low] === index;
    },
  };
}

function logView({ model, ask, say, save }) {
  const store = lineStore(model, ask);
  const finder = search(store, ask, () => refresh());
  const { found } = finder;
  let follow = true;
  let context = false;
  let chosenByHand = false; // earlier states of bars are left out until someone asks for them
  let wished = false; // to see the first hit as soon as there is one
  let clock = remembered("time", "none");

  const viewport = h("div", {
    class: "kc-lines", tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Output of the process",
  });
  const query = h("input", { class: "kc-query", type: "search", placeholder: "Search the log", "aria-label": "Search the log", "aria-keyshortcuts": "/" });
  const levels = h("select", { "aria-label": "Lines to show" });
  const errors = button("", () => toErrors(), { class: "kc-button kc-errors", hidden: true, title: "Show the next error among its neighbours" });
  const previous = button("▲", () => jump(-1), { "aria-label": "Previous match", title: "Previous match (Shift+N)" });
  const next = button("▼", () => jump(1), { "aria-label": "Next match", title: "Next match (N)" });
  const around = button("In context", () => setContext(!context), { "aria-pressed": "false", title: "Show the other lines too" });
  const jumps = h("span", { class: "kc-group", hidden: true }, previous, next, around);
  const times = h("select", { "aria-label": "Time of a line", title: "Time of a line" },
    [["none", "No times"], ["relative", "Since start"], ["absolute", "Clock"]].map(([value, text]) => h("option", { value }, text)));
  const following = button("Follow", () => setFollow(!follow), { "aria-pressed": "true", title: "Stay at the end (End)" });
  const copy = button("Copy", () => copyLines(), { title: "Copy the selection, or the lines shown" });
  const download = button("Download", () => save({ log: true }), { title: "Download the whole log" });
  const counted = h("span", { class: "kc-count kc-quiet" });
  const bar = h("div", { class: "kc-bar", role: "toolbar", "aria-label": "Log" },
    query, levels, errors, jumps, times, following, copy, download, counted);
  const detail = h("div", { class: "kc-detail", hidden: true, role: "region", "aria-label": "The whole line" });

  const filtered = () => found.hits !== null && !context;
  const count = () => (filtered() ? found.hits.length : store.total + (store.open ? 1 : 0));
  const lineAt = (row) => (filtered() ? found.hits[row] : row);
  const rolled = roll(viewport, {
    height: LINE,
    count,
    row: (row) => drawLine(lineAt(row)),
    stamp(row) {
      const index = lineAt(row);
      const line = index === store.total ? store.open : store.get(index);
      return `${index}|${line ? (typeof line === "string" ? line : "1") : "0"}|${clock}|${found.text}|${here() === index}|${context && found.hits && finder.has(index)}`;
    },
    scrolled: () => setFollow(rolled.first >= rolled.last() - 1),
  });
  const here = () => (found.at >= 0 ? found.hits?.[found.at] : -1);

  function drawLine(index) {
    const line = index === store.total ? [0, 0, store.open] : store.get(index);
    if (!line) store.want(index);
    const [flags, at, text, size] = line || [0, 0, "…"];
    const names = ["kc-line", (flags & 7) > 0 && `kc-${LEVELS[flags & 7].toLowerCase()}`, flags & 8 && "kc-stderr",
      index === store.total && "kc-open", here() === index && "kc-here",
      context && found.hits && !finder.has(index) && "kc-aside"];
    const said = h("span", { class: "kc-text" });
    paint(said, text, found.text);
    if (size) said.append(button(`… ${bytes(size)}`, () => showWhole(index), { class: "kc-button kc-more", title: "Show the whole line" }));
    return h("div", { class: names.filter(Boolean).join(" ") },
      h("span", { class: "kc-number" }, index === store.total ? "" : String(index + 1)),
      clock !== "none" && h("span", { class: "kc-time" }, at ? time(at) : ""), said);
  }
  function time(at) {
    if (clock === "relative") return `+${seconds(Math.max(0, at - (model.get("state").started || at)))}`;
    const when = new Date(at * 1000);
    return `${when.toTimeString().slice(0, 8)}.${String(when.getMilliseconds()).padStart(3, "0")}`;
  }

  // As high as its lines until somebody pulls at it: a short log leaves no hole in the notebook.
  let high = 0;
  function grow() {
    const wanted = Math.max(high, Math.min(300, LINE * Math.max(3, count())) + 2);
    if (wanted === high || (high && viewport.offsetHeight && viewport.offsetHeight !== high)) return;
    viewport.style.height = `${(high = wanted)}px`;
  }
  function refresh() {
    grow();
    if (wished && found.hits?.length) return (wished = false), jump(1);
    if (follow && !found.hits) rolled.to(rolled.last());
    else if (follow && filtered()) rolled.to(rolled.last());
    else rolled.schedule();
    const matches = found.hits?.length ?? 0;
    jumps.hidden = found.hits === null || (found.level === "settled" && !found.text);
    previous.disabled = next.disabled = matches === 0;
    const place = found.at >= 0 ? `${(found.at + 1).toLocaleString("en")}/` : "";
    setText(counted, found.hits === null ? plural(store.total, "line")
      : `${place}${matches.toLocaleString("en")} of ${plural(store.total, "line")}${found.partial ? " received so far" : ""}`);
    showCounts();
  }
  function showCounts() {
    const { levels: counts = {}, stderr = 0 } = model.get("state");
    const sum = (...names) => names.reduce((total, name) => total + (counts[name] || 0), 0);
    const over = model.get("state").drawn_over || 0;
    if (over && !chosenByHand && found.level === "" && !found.text) chosenByHand = true, finder.set({ level: "settled" });
    const options = [["", "All lines", store.total], ...(over ? [["settled", "Without old progress bars", store.total - over]] : []), ["INFO", "Info and above", sum("INFO", "WARN", "ERROR")],
      ["WARN", "Warnings and errors", sum("WARN", "ERROR")], ["ERROR", "Errors", sum("ERROR")], ["stderr", "Standard error", stderr]];
    if (levels.children.length !== options.length)
      levels.replaceChildren(...options.map(([value]) => h("option", { value }))), (levels.value = found.level);
    options.forEach(([, text, amount], index) => setText(levels.children[index], `${text} (${amount.toLocaleString("en")})`));
    errors.hidden = !sum("ERROR");
    setText(errors, plural(sum("ERROR"), "error"));
  }

  function setFollow(value) {
    if (follow === value) return;
    follow = value;
    following.setAttribute("aria-pressed", String(value));
    refresh();
  }
  function setContext(value) {
    context = value;
    around.setAttribute("aria-pressed", String(value));
    rolled.clear();
    if (found.hits) jump(0);
  }
  function jump(step) {
    if (!found.hits?.length) return;
    const among = found.hits.length;
    found.at = found.at < 0 ? (step < 0 ? among - 1 : 0) : (found.at + step + among) % among;
    setFollow(false);
    const row = filtered() ? found.at : found.hits[found.at];
    if (filtered()) rolled.show(row);
    else rolled.to(Math.max(0, row - Math.floor(rolled.fits() / 2)));
    refresh();
  }
  function toErrors() {
    if (found.level === "ERROR" && context) return jump(1);
    levels.value = "ERROR";
    query.value = "";
    setContext(true);
    wished = true;
    finder.set({ level: "ERROR", text: "" });
  }
  const selected = () => {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && viewport.contains(selection.anchorNode) ? selection.toString() : "";
  };
  let held = ""; // JupyterLab takes a press as a choice of the cell, and the selection goes
  copy.addEventListener("pointerdown", () => (held = selected()));
  async function copyLines() {
    const chosen = held || selected();
    held = "";
    if (chosen) return copyText(chosen, say);
    try {
      const answer = await ask("copy", { text: found.text, level: found.level });
      await copyText(answer.text, say);
      if (answer.lines < answer.of) say(`Copied the last ${plural(answer.lines, "line")} of ${answer.of.toLocaleString("en")}; Download has all.`);
    } catch (error) {
      say(error.message);
    }
  }
  async function showWhole(index) {
    const close = button("Close", () => ((detail.hidden = true), viewport.focus()));
    const text = h("pre", { tabindex: "0" });
    detail.replaceChildren(h("div", { class: "kc-bar" }, h("strong", {}, `Line ${(index + 1).toLocaleString("en")}`), close), text);
    detail.hidden = false;
    try {
      const answer = await ask("line", { index });
      paint(text, answer.text);
      if (answer.size > answer.shown) text.append(`\n… the first ${bytes(answer.shown)} of ${bytes(answer.size)}`);
    } catch (error) {
      text.textContent = error.message;
    }
    close.focus();
  }

  let pause;
  query.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => finder.set({ text: query.value.toLowerCase() }), 150);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key === "Enter") jump(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && query.value) (query.value = ""), finder.set({ text: "" }), event.stopPropagation();
  });
  levels.addEventListener("change", () => ((chosenByHand = true), finder.set({ level: levels.value })));
  times.value = clock;
  times.addEventListener("change", () => (remember("time", (clock = times.value)), rolled.clear()));
  viewport.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: rolled.fits() - 1, PageUp: 1 - rolled.fits() }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) setFollow(false), rolled.by(step), setFollow(step > 0 && rolled.first >= rolled.last() - 1);
    else if (event.key === "End") setFollow(true), refresh();
    else if (event.key === "Home") setFollow(false), rolled.to(0);
    else if (event.key === "/") query.focus();
    else if (event.key === "n" || event.key === "N") jump(event.key === "N" ? -1 : 1);
    else return;
    event.preventDefault();
  });
  const chosen = () => selected() && setFollow(false);
  document.addEventListener("selectionchange", chosen);
  const off = store.on(refresh);
  refresh();
  return {
    element: h("div", { class: "kc-log" }, bar, viewport, detail),
    shown: refresh,
    close: () => (off(), finder.stop(), rolled.close(), store.close(), document.removeEventListener("selectionchange", chosen)),
  };
}
