// What a terminal would show: colours of SGR sequences, links, nothing else.
const ESCAPES =
  /\x1b\[([\d;:]*)m|\x1b\]8;[^;\x07\x1b]*;([^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g;
const LINKS = /\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]/g;
const BLANK = { bold: false, dim: false, italic: false, underline: false, inverse: false, fore: null, back: null, href: null };

const plain = (text) => text.replace(ESCAPES, "");

const cube = (index) => {
  if (index < 16) return index;
  if (index >= 232) return `rgb(${Array(3).fill(8 + 10 * (index - 232))})`;
  const level = (value) => (value ? 55 + 40 * value : 0);
  const rest = index - 16;
  return `rgb(${[Math.floor(rest / 36), Math.floor(rest / 6) % 6, rest % 6].map(level)})`;
};

function restyle(style, codes) {
  const next = { ...style };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) Object.assign(next, BLANK, { href: style.href });
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 27) next.inverse = false;
    else if (code === 39) next.fore = null;
    else if (code === 49) next.back = null;
    else if (code >= 30 && code <= 37) next.fore = code - 30;
    else if (code >= 90 && code <= 97) next.fore = code - 82;
    else if (code >= 40 && code <= 47) next.back = code - 40;
    else if (code >= 100 && code <= 107) next.back = code - 92;
    else if (code === 38 || code === 48) {
      const of = code === 38 ? "fore" : "back";
      if (codes[at + 1] === 5) (next[of] = cube(codes[at + 2] || 0)), (at += 2);
      else if (codes[at + 1] === 2) (next[of] = `rgb(${codes.slice(at + 2, at + 5)})`), (at += 4);
    }
  }
  return next;
}

// [[text, style], …] of one line
function segments(line) {
  const found = [];
  let style = BLANK;
  let at = 0;
  const put = (text) => text && found.push([text, style]);
  for (const match of line.matchAll(ESCAPES)) {
    put(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] !== undefined) style = restyle(style, (match[1] || "0").split(/[;:]/).map(Number));
    else if (match[2] !== undefined) style = { ...style, href: /^https?:\/\//.test(match[2]) ? match[2] : null };
  }
  put(line.slice(at));
  return found;
}

const link = (href, text) => h("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);

function linked(parent, text) {
  let at = 0;
  for (const match of text.matchAll(LINKS)) {
    parent.append(text.slice(at, match.index), link(match[0], match[0]));
    at = match.index + match[0].length;
  }
  parent.append(text.slice(at));
}

const named = (color) => typeof color === "number";

function styled(style) {
  if (style === BLANK) return null;
  const names = ["bold", "dim", "italic", "underline", "inverse"].filter((name) => style[name]).map((name) => `kc-${name}`);
  if (named(style.fore)) names.push(`kc-fore${style.fore}`);
  if (named(style.back)) names.push(`kc-back${style.back}`);
  const span = h("span", { class: names.join(" ") || undefined });
  // Absolute colours are the process's own choice; they are kept off the text where they could not be read.
  if (style.fore !== null && !named(style.fore)) span.style.setProperty("--kc-ink", style.fore), span.classList.add("kc-ink");
  if (style.back !== null && !named(style.back)) span.style.background = style.back;
  return span;
}

function paint(parent, line, searched = "") {
  for (const [text, style] of segments(line)) {
    const target = styled(style) || parent;
    if (style.href) target.append(link(style.href, text));
    else if (searched) marked(target, text, searched);
    else linked(target, text);
    if (target !== parent) parent.append(target);
  }
}

function marked(parent, text, searched) {
  const low = text.toLowerCase();
  let at = 0;
  for (let hit = low.indexOf(searched); hit >= 0; hit = low.indexOf(searched, at)) {
    linked(parent, text.slice(at, hit));
    parent.append(h("mark", {}, text.slice(hit, hit + searched.length)));
    at = hit + searched.length;
  }
  linked(parent, text.slice(at));
}
