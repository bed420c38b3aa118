// Outputs as a tree whose every branch has its expression; a box that renders one; the command as it ran.
function outputsView({ model, ask, say }) {
  const tree = h("div", { class: "kc-json kc-values" });
  const field = h("input", { class: "kc-query", type: "text", "aria-label": "Expression to render", placeholder: "{{ outputs.NAME.vars.KEY }}", spellcheck: "false" });
  const answer = h("pre", { class: "kc-answer", tabindex: "0", "aria-label": "The rendered expression" });
  const form = h("form", { class: "kc-ask kc-bar" }, field, h("button", { class: "kc-button", type: "submit" }, "Render"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.classList.remove("kc-wrong");
    try {
      const { text, size } = await ask("render", { expression: field.value });
      setText(answer, size > text.length ? `${text}\n… ${bytes(size)}` : text);
    } catch (error) {
      answer.classList.add("kc-wrong");
      setText(answer, error.message);
    }
  });
  const step = (key) => (/^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);
  function leaf(path, key, value) {
    const expression = `{{ ${path} }}`;
    const copy = button("Copy", () => ((field.value = expression), copyText(expression, say)), { class: "kc-button kc-use", title: expression, "aria-label": `Copy ${expression}` });
    if (value === null || typeof value !== "object") return branch(key, value, false, () => copy);
    const kind = Array.isArray(value) ? `[${plural(value.length, "item")}]` : `{${plural(Object.keys(value).length, "key")}}`;
    const inside = h("div", { class: "kc-inside" }, Object.entries(value).slice(0, 500).map(([name, item]) => leaf(Array.isArray(value) ? `${path}[${name}]` : path + step(name), name, item)));
    const fold = h("button", { type: "button", class: "kc-folder", "aria-expanded": "true", onclick: () => fold.setAttribute("aria-expanded", String(!(inside.hidden = !inside.hidden))) },
      h("span", { class: "kc-key" }, `${key}: `), h("span", { class: "kc-quiet" }, kind));
    return h("div", {}, fold, copy, inside);
  }
  async function load() {
    try {
      const { values, name } = await ask("values");
      const root = `outputs${step(name)}.vars`;
      const rows = Object.entries(values).map(([key, value]) => leaf(root + step(key), key, value));
      tree.replaceChildren(...(rows.length ? rows : [h("p", { class: "kc-empty kc-quiet" }, "The task has said no outputs: it writes ::{\"outputs\": {…}}:: on a line of its own.")]));
      if (!field.value && rows.length) field.value = `{{ ${root}${step(Object.keys(values)[0])} }}`;
    } catch (error) {
      tree.replaceChildren(h("p", { class: "kc-empty" }, error.message));
    }
  }
  return { element: h("div", {}, form, answer, tree), shown: load, close: () => {} };
}

function renderedView({ model, ask, say }) {
  const text = h("div", { class: "kc-rendered" });
  const copy = button("Copy", () => copyText(text.textContent, say));
  async function load() {
    try {
      text.replaceChildren(code((await ask("rendered")).text || "Nothing was rendered.", "shell"));
    } catch (error) {
      text.replaceChildren(h("p", { class: "kc-empty" }, error.message));
    }
  }
  return { element: h("div", {}, h("div", { class: "kc-bar" }, h("span", { class: "kc-quiet" }, "What ran, with every expression replaced."), copy), text), shown: load, close: () => {} };
}
