// A picture, the words of its prompt below it, and who looks at whom: a word is clicked and its map glows, a place is
// pointed at and the words show what it pays to each. The maps of all words are here, [word, row, column] in float32,
// so pointing asks nobody; another word, layer, head or step is told to Python, which answers with new ones.

function make(tag, parent, traits = {}) {
  const element = Object.assign(document.createElement(tag), traits);
  parent?.append(element);
  return element;
}

function field(name, parent, tag, traits = {}) {
  const label = make("label", parent, { textContent: name });
  return make(tag, label, { ariaLabel: name, ...traits });
}

function render({ model, el }) {
  const root = make("div", el, { className: "course-explorer" });
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's: or an arrow key would leave the cell
  const frame = make("div", root, { className: "course-explorer-picture" });
  const image = make("img", frame, { alt: "The picture", draggable: false });
  const cell = make("div", frame, { className: "course-explorer-cell", hidden: true });
  const line = make("div", root, { className: "course-explorer-line" });
  const list = make("div", root, { className: "course-explorer-words", role: "group", ariaLabel: "Words" });
  const knobs = make("div", root, { className: "course-explorer-knobs" });
  const layer = field("Layer", knobs, "select");
  const head = field("Head", knobs, "select");
  const step = field("Step", knobs, "input", { type: "range", min: -1 });
  const stepName = make("output", step.parentElement);
  let words = []; // their buttons
  let heat = new Float32Array();
  let place = null; // [row, column] that is pointed at

  const tell = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };

  function picture() {
    URL.revokeObjectURL(image.src);
    const glow = model.get("glow");
    const [data, format] = glow?.byteLength ? [glow, "jpeg"] : [model.get("value"), model.get("format")];
    image.src = URL.createObjectURL(new Blob([data], { type: `image/${format}` }));
  }

  function rebuild() {
    words = model.get("words").map((text, number) => {
      const button = make("button", null, { type: "button" });
      button.onclick = () => tell("word", model.get("word") === number ? -1 : number);
      make("span", button, { textContent: `${text} ` }); // read aloud with the share after it
      return { button, share: make("small", button), bar: make("i", button) };
    });
    list.replaceChildren(...words.map(({ button }) => button));
    listen();
  }

  function listen() {
    const data = model.get("heat");
    heat = new Float32Array(data?.byteLength ? new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength).slice().buffer : 0);
    shares();
  }

  // What the place that is pointed at pays to each word, or the most that any place pays.
  function shares() {
    const [rows, columns] = model.get("grid");
    const size = rows * columns;
    const known = size > 0 && heat.length === words.length * size;
    if (!known) place = null;
    const at = place && place[0] * columns + place[1];
    const paid = words.map((_, number) => {
      const map = heat.subarray(number * size, (number + 1) * size);
      return known ? (place ? map[at] : map.reduce((most, value) => Math.max(most, value), 0)) : 0;
    });
    words.forEach(({ button, share, bar }, number) => {
      button.setAttribute("aria-pressed", String(model.get("word") === number));
      share.textContent = known ? `${Math.round(100 * paid[number])} %` : "";
      bar.style.width = `${100 * paid[number]}%`;
    });
    line.textContent = !known
      ? "Generate a picture, then click a word."
      : place
        ? `What the place in row ${place[0] + 1}, column ${place[1] + 1} looks at:`
        : "The largest share that any place gives each word. Point at the picture to ask one place.";
    cell.hidden = !place;
    if (!place) return;
    Object.assign(cell.style, {
      left: `${(100 * place[1]) / columns}%`,
      top: `${(100 * place[0]) / rows}%`,
      width: `${100 / columns}%`,
      height: `${100 / rows}%`,
    });
  }

  function point(event) {
    const box = image.getBoundingClientRect();
    const [rows, columns] = model.get("grid");
    const within = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
    place = [
      within((event.clientY - box.top) / box.height, rows),
      within((event.clientX - box.left) / box.width, columns),
    ];
    shares();
  }

  function options() {
    const fill = (select, names, first) => select.replaceChildren(
      ...names.map((text, number) => make("option", null, { value: number + first, textContent: text })),
    );
    fill(layer, model.get("layers"), 0);
    fill(head, ["all", ...Array(model.get("heads")).keys()], -1);
    step.max = model.get("steps").length - 1;
    chosen();
  }

  function chosen() {
    const steps = model.get("steps");
    layer.value = model.get("layer");
    head.value = model.get("head");
    step.value = model.get("step");
    const number = model.get("step");
    stepName.textContent = number < 0 ? "all" : `${number + 1} of ${steps.length} (t = ${steps[number]})`;
    for (const knob of [layer, head, step]) knob.disabled = !steps.length;
    shares();
  }

  layer.addEventListener("change", () => tell("layer", Number(layer.value)));
  head.addEventListener("change", () => tell("head", Number(head.value)));
  step.addEventListener("input", () => tell("step", Number(step.value)));
  frame.addEventListener("pointermove", point);
  frame.addEventListener("pointerdown", point);
  frame.addEventListener("pointerleave", () => { place = null; shares(); });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  for (const name of ["value", "glow"]) model.on(`change:${name}`, picture);
  for (const name of ["layers", "heads", "steps"]) model.on(`change:${name}`, options);
  for (const name of ["word", "layer", "head", "step"]) model.on(`change:${name}`, chosen);
  for (const name of ["heat", "grid"]) model.on(`change:${name}`, listen);
  model.on("change:words", rebuild);
  picture();
  rebuild();
  options();
  return () => URL.revokeObjectURL(image.src);
}

export default { render };
