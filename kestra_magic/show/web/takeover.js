// The cell's output is plain HTML that is saved as it is. While the kernel lives, the console stands in its place;
// whatever becomes of the console, the static card comes back.
const HIDDEN = "kestra-hidden";

// One observer for all consoles of a page, however many there are.
const pageWatch = (window.kestraMagicWatch ??= (() => {
  const looks = new Set();
  let frame = 0;
  const look = () => ((frame = 0), looks.forEach((one) => one()));
  const ours = ({ target }) => (target.nodeType === 1 ? target : target.parentElement)?.closest(".kestra-console");
  new MutationObserver((changes) => {
    if (!frame && changes.some((change) => !ours(change))) frame = requestAnimationFrame(look);
  }).observe(document.body, { childList: true, subtree: true });
  return (one) => (looks.add(one), one(), () => looks.delete(one));
})());

// *twins*: what the cell says of the same run below the header is hidden meanwhile.
function takeOver(model, mount, { twins = true } = {}) {
  const id = model.get("run_id");
  const mounted = new Map();

  function look() {
    const headers = [...document.querySelectorAll(`[data-kestra-run="${CSS.escape(id)}"]`)];
    for (const header of headers) if (!mounted.has(header)) mounted.set(header, put(header));
    for (const [header, release] of mounted)
      if (header.isConnected) hideTwins(header, true);
      else if (headers.length) release(), mounted.delete(header); // a detached cell comes back as it was; a rendered anew does not
  }
  function put(header) {
    const host = h("div", { "data-lm-suppress-shortcuts": "true" });
    const still = [...header.children];
    still.forEach((child) => child.classList.add(HIDDEN));
    header.append(host);
    const close = mount(host);
    return () => {
      close();
      host.remove();
      still.forEach((child) => child.classList.remove(HIDDEN));
      hideTwins(header, false);
    };
  }
  // The run's streams and its result card lie between this header and that card. What comes behind the card belongs
  // to the rest of the cell. JupyterLab renders tracebacks with the mime type of stderr: they are told by their text.
  function hideTwins(header, hide) {
    if (!twins) return;
    const outputs = [...(header.closest(".jp-OutputArea")?.children || [])];
    const from = outputs.findIndex((output) => output.contains(header));
    if (from < 0) return;
    const card = outputs.findIndex((output) => output.querySelector(`[data-kestra-result="${CSS.escape(id)}"]`));
    const stream = card >= 0 ? streamKind : isStream; // an error comes behind the card: what is before it was said by the run
    const next = outputs.findIndex((output, index) => index > from && output.querySelector("[data-kestra-run]"));
    const to = card >= 0 ? card : next >= 0 ? next - 1 : outputs.length - 1;
    outputs.forEach((output, index) => {
      if (index > from && index <= to && (index === card || stream(output))) output.classList.toggle(HIDDEN, hide);
    });
  }
  const kindOf = (output) => output.querySelector("[data-mime-type]")?.dataset.mimeType || "";
  const streamKind = (output) => /\.std(out|err)$/.test(kindOf(output));
  const isStream = (output) => streamKind(output) && (kindOf(output).endsWith(".stdout") || !ERROR.test(output.textContent));
  const ERROR = /^\s*(-{20,}|Traceback \(most recent call last\)|(\w+\.)*\w*(Error|Exception|Stopped|Interrupt)\b: )/;

  const unwatch = pageWatch(look);
  const release = () => {
    unwatch();
    unhear();
    mounted.forEach((one) => one());
    mounted.clear();
  };
  const unhear = onKernelGone(model, () => release());
  return release;
}

const GONE = ["restarting", "autorestarting", "starting", "terminating", "dead"];

// A restarted kernel knows nothing of this run any more; it may have been restarted while this code was on its way.
function onKernelGone(model, gone) {
  const manager = model.widget_manager;
  const kernel = manager?.kernel;
  const unknown = () => {}; // to a front end that keeps its models otherwise
  manager?.get_model?.(model.get("comm_id")).then(({ comm_live }) => comm_live === false && gone(), unknown);
  const heard = (_, status) => GONE.includes(status) && gone();
  if (GONE.includes(kernel?.status)) queueMicrotask(gone); // it was told of while the kernel already went
  kernel?.statusChanged?.connect(heard);
  kernel?.disposed?.connect(gone);
  return () => {
    kernel?.statusChanged?.disconnect(heard);
    kernel?.disposed?.disconnect(gone);
  };
}

// A new cell below the one that shows this run; false where the front end does not let us.
function insertCell(model, source) {
  const notebook = model.widget_manager?.context?.model?.sharedModel;
  if (!notebook?.insertCell) return false;
  const id = model.get("run_id");
  const at = notebook.cells.findIndex((cell) => JSON.stringify(cell.toJSON().outputs ?? "").includes(id));
  if (at < 0) return false;
  notebook.insertCell(at + 1, { cell_type: "code", source, metadata: {} });
  return true;
}
