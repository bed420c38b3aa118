// A list of any length of which only what is seen exists: the rows lie in a window that sticks to the top of the
// viewport, so that nothing jumps and no browser's limit on an element's height is met (Firefox: 17.8 million px).
const TALLEST = 12_000_000;

function roll(viewport, { height, count, row, stamp = () => "", scrolled = () => {} }) {
  const length = h("div", { class: "kc-roll-length", role: "presentation" });
  const seen = h("div", { class: "kc-roll-seen", role: "presentation" });
  length.append(seen);
  viewport.append(length);
  const rows = new Map();
  let frame = 0;
  let first = 0; // may be a fraction
  let placed = 0; // where the scroll bar was put by us: what differs from it was done by a person

  const fits = () => viewport.clientHeight / height;
  const last = () => Math.max(0, count() - fits());
  const tall = () => Math.min(count() * height, TALLEST);
  const scaled = () => count() * height > TALLEST;
  const room = () => Math.max(1, tall() - viewport.clientHeight);

  function draw() {
    frame = 0;
    if (!viewport.clientHeight) return;
    length.style.height = `${tall()}px`;
    first = Math.max(0, Math.min(first, last()));
    place();
    const from = Math.floor(first);
    const to = Math.min(count(), from + Math.ceil(fits()) + 1);
    seen.style.transform = `translateY(${-Math.round((first - from) * height)}px)`;
    renew(from, to);
  }
  function place() {
    const wanted = Math.round(scaled() ? (first / Math.max(1, last())) * room() : first * height);
    if (Math.abs(viewport.scrollTop - wanted) > 1) viewport.scrollTop = wanted;
    placed = viewport.scrollTop;
  }
  function renew(from, to) {
    for (const [index, [node]] of rows) if (index < from || index >= to) node.remove(), rows.delete(index);
    let at = seen.firstChild;
    for (let index = from; index < to; index++) {
      const mark = stamp(index);
      let [node, drawn] = rows.get(index) || [];
      if (!node || drawn !== mark) {
        const fresh = row(index);
        if (node && at === node) at = node.nextSibling;
        node?.remove();
        node = fresh;
        rows.set(index, [node, mark]);
      }
      if (node === at) at = at.nextSibling;
      else seen.insertBefore(node, at);
    }
  }
  const schedule = () => (frame ||= requestAnimationFrame(draw));
  const to = (index) => ((first = Math.max(0, index)), schedule());
  const clear = () => (rows.clear(), seen.replaceChildren(), schedule());

  viewport.addEventListener("scroll", () => {
    if (Math.abs(viewport.scrollTop - placed) <= 1) return;
    placed = viewport.scrollTop;
    first = scaled() ? (placed / room()) * last() : placed / height;
    schedule();
    scrolled();
  });
  // Where a pixel of the scroll bar is more than a pixel of the list, the wheel still goes line by line.
  viewport.addEventListener("wheel", (event) => {
    if (!scaled() || event.ctrlKey || !event.deltaY) return;
    event.preventDefault();
    to(first + (event.deltaMode ? event.deltaY : event.deltaY / height));
    scrolled();
  }, { passive: false });
  const watch = new ResizeObserver(schedule);
  watch.observe(viewport);
  schedule();
  return {
    schedule, to, clear, fits, last,
    get first() { return first; },
    by: (lines) => to(first + lines),
    show(index) {
      if (index < first) to(index);
      else if (index + 1 > first + fits()) to(index + 1 - fits());
      schedule();
    },
    node: (index) => rows.get(index)?.[0],
    close: () => (watch.disconnect(), cancelAnimationFrame(frame)),
  };
}
