// Elements, numbers and questions to the kernel. Text only ever becomes text: nothing here, or anywhere in the
// console, uses innerHTML on what a process wrote.
const h = (tag, props = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return element;
};

const svg = (tag, props = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) if (value != null) element.setAttribute(name, value);
  element.append(...children.flat());
  return element;
};

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const bytes = (count) => {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; count >= 1000 && unit < units.length - 1; unit++) count /= 1000;
  return `${unit && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
};

const seconds = (value) => {
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 60) return `${Math.floor(value)} s`;
  const whole = Math.floor(value);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
};

const number = (value) => {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4 ? value.toExponential(3) : String(+value.toPrecision(6));
};

const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

const button = (text, onclick, props = {}) => h("button", { type: "button", class: "kc-button", onclick, ...props }, text);

// A group where one of many is reached by Tab and the others by the arrows.
const arrows = (event, items, current) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : current + (step || NaN);
  if (Number.isNaN(to)) return -1;
  event.preventDefault();
  return (to + items.length) % items.length;
};

// ---- questions to the kernel: each has a number and one answer
const questions = (model) => {
  let last = 0;
  const waiting = new Map();
  const heard = (message, buffers) => {
    if (message.t !== "reply") return;
    const settle = waiting.get(message.id);
    waiting.delete(message.id);
    settle?.(message, buffers);
  };
  model.on("msg:custom", heard);
  const ask = (verb, given = {}, patience = 20000) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      const timer = setTimeout(() => {
        waiting.delete(id);
        clearInterval(again);
        reject(new Error(ask.busy() ? BUSY : "The kernel did not answer."));
      }, ask.busy() ? Math.min(patience, 3000) : patience);
      // JupyterLab opens the subshell after the first message: what was sent before waits for the end of the cell.
      const again = setInterval(() => (model.get("state").ended || !waiting.has(id) ? clearInterval(again) : send()), 1500);
      const send = () => model.send({ t: verb, id, ...given });
      waiting.set(id, (message, buffers) => {
        clearTimeout(timer);
        clearInterval(again);
        if (message.error) reject(new Error(message.error));
        else resolve({ ...message, buffers });
      });
      send();
    });
  ask.busy = () => !model.get("subshells") && model.get("state").foreground && !model.get("state").ended;
  ask.close = () => model.off("msg:custom", heard);
  return ask;
};
const BUSY = "The kernel is busy with this cell and answers when it has ended (ipykernel 7 answers at once).";

// A line that says what was done, for a while, also to who only listens.
const speaking = () => {
  const heard = h("div", { class: "kc-said", role: "status" });
  let silence;
  const say = (text, { aloud = false } = {}) => {
    heard.classList.toggle("kc-unseen", aloud); // what the eye sees elsewhere is only spoken
    setText(heard, text);
    clearTimeout(silence);
    silence = setTimeout(() => setText(heard, ""), 6000);
  };
  return { heard, say, close: () => clearTimeout(silence) };
};

const copyText = async (text, said) => {
  try {
    await navigator.clipboard.writeText(text);
    said("Copied.");
  } catch {
    said("The browser does not allow copying here; select the text and use its menu.");
  }
};

const remembered = (name, otherwise) => {
  try {
    return sessionStorage.getItem(`kestra-magic.${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
};
const remember = (name, value) => {
  try {
    sessionStorage.setItem(`kestra-magic.${name}`, value);
  } catch {
    // a browser without storage forgets, and that is all
  }
};

let tabNumber = 0; // makes ids that are one of a kind in the page
