// What is in a file, at a glance. Nothing in it is executed: SVG and HTML stand in frames that may do nothing.
const RENDERED = { svg: true, html: true, htm: true };

async function previewFile({ model, ask, say, save }, place, { path, size }) {
  place.replaceChildren(h("p", { class: "kc-empty kc-quiet" }, "…"));
  const turn = (place.turn = {});
  let seen;
  try {
    seen = await ask("preview", { path });
  } catch (error) {
    seen = { kind: "none", said: error.message, size, code: { reference: "", open: "" } };
  }
  if (place.turn !== turn) return;
  const insert = (code, text) => (insertCell(model, code) ? say(`Inserted below: ${code}`) : copyText(code, () => say(`${text}: ${code}`)));
  const { reference, open } = seen.code;
  const actions = h("div", { class: "kc-actions" },
    button("Download", () => save({ path })),
    open && button("Open as DataFrame", () => insert(open, "Copied"), { title: open }),
    reference && button("Copy reference", () => copyText(reference, say), { title: reference }));
  const head = h("div", { class: "kc-preview-head" },
    h("bdi", { class: "kc-preview-name" }, visible(path)),
    h("span", { class: "kc-quiet" }, [bytes(seen.size), seen.kind !== "none" && seen.said].filter(Boolean).join(" · ")), actions);
  place.replaceChildren(head, ...contents(seen, path));
}

function contents(seen, path) {
  const ending = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (seen.kind === "table") return [tableOf(seen.table)];
  if (seen.kind === "image") return [imageOf(seen, path)];
  if (seen.kind === "json") return jsonOf(seen.text);
  if (seen.kind === "none") return [h("p", { class: "kc-empty kc-quiet" }, seen.said || "Nothing to see.")];
  if (RENDERED[ending]) return either("Shown", framed(seen.text), "Source", code(seen.text, seen.language));
  if (ending === "md" || ending === "markdown") return either("Shown", markdown(seen.text), "Source", code(seen.text));
  return [code(seen.text, seen.kind === "hex" ? "" : seen.language)];
}

function either(one, first, other, second) {
  second.hidden = true;
  const both = [[one, first], [other, second]].map(([text, view], at) => button(text, () => {
    first.hidden = at === 1;
    second.hidden = at === 0;
    both.forEach((item, index) => item.setAttribute("aria-pressed", String(index === at)));
  }, { "aria-pressed": String(at === 0) }));
  return [h("div", { class: "kc-bar" }, both), first, second];
}

// No scripts, no network: an opaque origin whose policy allows styles and data only.
function framed(text) {
  const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:">`;
  return h("iframe", { class: "kc-frame", sandbox: "", title: "The file, shown without scripts", srcdoc: policy + text, referrerpolicy: "no-referrer" });
}

function imageOf(seen, path) {
  if (!seen.buffers?.length) return h("p", { class: "kc-empty kc-quiet" }, `${seen.said}; download it to see it.`);
  const image = h("img", { alt: path, src: URL.createObjectURL(new Blob([seen.buffers[0]], { type: seen.mime })) });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  image.addEventListener("error", () => image.replaceWith(h("p", { class: "kc-empty" }, "The browser cannot draw it.")));
  const frame = h("div", { class: "kc-image", tabindex: "0", role: "group", "aria-label": "Image" }, image);
  const zoom = button("Actual size", () => {
    const large = frame.classList.toggle("kc-large");
    zoom.setAttribute("aria-pressed", String(large));
  }, { "aria-pressed": "false" });
  return h("div", {}, h("div", { class: "kc-bar" }, zoom), frame);
}

const PAGE = 50;
function tableOf({ columns, types, rows, numeric, said }) {
  let order = rows.map((_, at) => at);
  let sorted = [-1, 1];
  let page = 0;
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  const body = h("tbody");
  const heads = columns.map((name, at) =>
    h("th", { scope: "col", "aria-sort": "none", class: numeric[at] ? "kc-numeric" : null },
      h("button", { type: "button", class: "kc-sort", onclick: () => sort(at) }, h("span", {}, name || " "), h("span", { class: "kc-quiet" }, types[at] || "empty"))));
  const where = h("span", { class: "kc-quiet" });
  const turn = (to) => ((page = Math.max(0, Math.min(pages - 1, to))), fill());
  const back = button("◀", () => turn(page - 1), { "aria-label": "Previous rows" });
  const on = button("▶", () => turn(page + 1), { "aria-label": "Next rows" });
  function sort(column) {
    sorted = sorted[0] === column ? [column, -sorted[1]] : [column, 1];
    const value = (at) => (numeric[column] ? (rows[at][column] === "" ? NaN : Number(rows[at][column])) : rows[at][column]);
    order.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (numeric[column]) return (Number.isNaN(x) - Number.isNaN(y)) || sorted[1] * (x - y);
      return sorted[1] * (x < y ? -1 : x > y ? 1 : 0);
    });
    heads.forEach((head, at) => head.setAttribute("aria-sort", at !== column ? "none" : sorted[1] > 0 ? "ascending" : "descending"));
    turn(0);
  }
  function fill() {
    const from = page * PAGE;
    body.replaceChildren(...order.slice(from, from + PAGE).map((at) =>
      h("tr", {}, rows[at].map((cell, column) => h("td", { class: numeric[column] ? "kc-numeric" : null }, cell)))));
    setText(where, rows.length ? `rows ${from + 1}–${Math.min(from + PAGE, rows.length)} of the ${rows.length} shown` : "no rows");
    back.disabled = page === 0;
    on.disabled = page >= pages - 1;
  }
  fill();
  return h("div", { class: "kc-table" },
    h("div", { class: "kc-scroll", tabindex: "0", role: "region", "aria-label": "Rows" }, h("table", {}, h("thead", {}, h("tr", {}, heads)), body)),
    pages > 1 && h("div", { class: "kc-bar" }, back, on, where));
}

function jsonOf(text) {
  try {
    const value = JSON.parse(text);
    return either("Tree", h("div", { class: "kc-json" }, branch("", value, true)), "Text", code(text, "json"));
  } catch {
    return [code(text, "json")];
  }
}

function branch(name, value, open = false, more = () => null) {
  const label = name !== "" && h("span", { class: "kc-key" }, `${name}: `);
  if (value === null || typeof value !== "object")
    return h("div", { class: "kc-leaf" }, label, h("span", { class: `kc-of-${value === null ? "null" : typeof value}` }, JSON.stringify(value)), more());
  const entries = Object.entries(value);
  const kind = Array.isArray(value) ? `[${plural(entries.length, "item")}]` : `{${plural(entries.length, "key")}}`;
  const inside = h("div", { class: "kc-inside" });
  const fill = () => {
    if (inside.childElementCount) return;
    inside.append(...entries.slice(0, 1000).map(([key, item]) => branch(key, item)));
    if (entries.length > 1000) inside.append(h("div", { class: "kc-quiet" }, `… the first 1,000 of ${entries.length.toLocaleString("en")}`));
  };
  const fold = h("details", { open }, h("summary", {}, label, h("span", { class: "kc-quiet" }, kind), more()), inside);
  fold.addEventListener("toggle", fill);
  if (open) fill();
  return fold;
}

// ---- highlighting: words, strings, numbers and comments; a language's grammar is not worth its weight here
const WORDS = new Set(("and as assert async await break case catch class const continue def del do done elif else end enum esac except export extends false False " +
  "fi finally fn for from func function global if impl import in is lambda let local match mod mut namespace new nil None nonlocal not null or package pass pub " +
  "raise return self select static struct super switch then this throw true True try type use var void while with yield select from where group order by insert update delete create table join on").split(" "));
const TOKENS = {
  hash: /(#.*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(\b\d[\w.]*\b)|(\b[A-Za-z_]\w*\b)/g,
  slashes: /(\/\/.*|\/\*[\s\S]*?\*\/)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(\b\d[\w.]*\b)|(\b[A-Za-z_]\w*\b)/g,
  dashes: /(--.*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(\b\d[\w.]*\b)|(\b[A-Za-z_]\w*\b)/g,
};
const STYLE = { javascript: "slashes", typescript: "slashes", css: "slashes", go: "slashes", rust: "slashes", java: "slashes", c: "slashes", json: "slashes", sql: "dashes" };
function code(text, language = "") {
  const element = h("pre", { class: "kc-code", tabindex: "0" });
  if (!language || ["markdown", "html", "xml"].includes(language) || text.length > 100_000) return element.append(text), element;
  let at = 0;
  for (const match of text.matchAll(TOKENS[STYLE[language] || "hash"])) {
    const kind = match[1] ? "comment" : match[2] ? "string" : match[3] ? "number" : WORDS.has(match[4]) ? "word" : "";
    if (!kind) continue;
    element.append(text.slice(at, match.index), h("span", { class: `kc-${kind}-ink` }, match[0]));
    at = match.index + match[0].length;
  }
  element.append(text.slice(at));
  return element;
}

// ---- Markdown: headings, lists, quotes, code, tables are left as text; emphasis, code and links inside
function markdown(text) {
  const page = h("div", { class: "kc-markdown", tabindex: "0" });
  let block = null;
  for (const line of text.split("\n")) {
    if (block?.tagName === "PRE") {
      if (/^```/.test(line)) block = null;
      else block.append(`${line}\n`);
      continue;
    }
    const heading = line.match(/^(#{1,6})\s+(.*)/);
    const item = line.match(/^\s*(?:[-*+]|\d+[.)])\s+(.*)/);
    if (/^```/.test(line)) page.append((block = h("pre", {})));
    else if (heading) (block = null), page.append(inline(h("p", { role: "heading", "aria-level": heading[1].length + 2, class: `kc-heading kc-heading-${heading[1].length}` }), heading[2]));
    else if (item) {
      if (block?.tagName !== "UL") page.append((block = h("ul")));
      block.append(inline(h("li"), item[1]));
    } else if (!line.trim()) block = null;
    else {
      if (block?.tagName !== "P") page.append((block = h("p")));
      inline(block, `${line.replace(/^>\s?/, "")} `);
    }
  }
  return page;
}
function inline(parent, text) {
  let at = 0;
  for (const match of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\((https?:[^)\s]+)\)/g)) {
    parent.append(text.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1]) parent.append(h("code", {}, match[1]));
    else if (match[2]) parent.append(h("strong", {}, match[2]));
    else if (match[3]) parent.append(h("em", {}, match[3]));
    else parent.append(link(match[5], match[4]));
  }
  parent.append(text.slice(at));
  return parent;
}
