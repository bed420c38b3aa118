// A file of any size goes to the disk of the one who looks, not through anybody's memory: by the server where it
// serves the file, otherwise piece by piece into a blob, which the browser keeps on disk.
const PIECE = 1 << 20;

async function download({ model, ask, say }, what) {
  try {
    const about = await ask("about", what);
    const url = await served(model, about.beside);
    if (url) return fetchByLink(url, about.name);
    await fetchByPieces({ ask, say }, what, about);
  } catch (error) {
    say(error.message);
  }
}

async function served(model, beside) {
  const notebook = model.widget_manager?.context?.path;
  const settings = document.getElementById("jupyter-config-data")?.textContent;
  if (!beside || !notebook || !settings) return null;
  const folder = notebook.includes(":") ? notebook.slice(notebook.indexOf(":") + 1) : notebook;
  const path = [...folder.split("/").slice(0, -1), ...beside.split("/")].map(encodeURIComponent).join("/");
  const url = `${JSON.parse(settings).baseUrl}files/${path}?download=1`;
  const answer = await fetch(url, { method: "HEAD", credentials: "same-origin" }).catch(() => null);
  return answer?.ok ? url : null;
}

function fetchByLink(href, name) {
  const anchor = h("a", { href, download: name, hidden: true });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

async function fetchByPieces({ ask, say }, what, { name, size }) {
  let blob = new Blob([]);
  for (let from = 0; from < size || from === 0; from += PIECE) {
    const answer = await ask("piece", { ...what, from, count: PIECE }, 60000);
    blob = new Blob([blob, answer.buffers[0]]);
    if (size > 8 * PIECE) say(`Downloading ${name}: ${bytes(Math.min(from + PIECE, size))} of ${bytes(size)}`);
    if (answer.end) break;
  }
  const url = URL.createObjectURL(blob);
  fetchByLink(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
