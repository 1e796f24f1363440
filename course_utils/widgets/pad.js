// A canvas to draw on. What is drawn lives in the model as strokes, [ink, width, [x, y, x, y, ...]] in pixels of the
// picture, so a page that comes back draws it anew, and Python draws the same (editing.py).

const TOOLS = { scribble: ["draw", "erase"], over: ["draw", "mark", "erase"] };
const NAMES = { draw: "Draw", mark: "Mark what may change", erase: "Erase", undo: "Undo", clear: "Clear" };
const ICONS = {
  draw: "M3 13l1-4 7-7 3 3-7 7zM9.5 3.5l3 3",
  mark: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11M5.5 8h5M8 5.5v5",
  erase: "M6 13.5L2.5 10 9.5 3 13.5 7 7 13.5zM6 6.5l4 4M7 13.5h7",
  undo: "M6 3L2.5 6.5 6 10M3 6.5h6.5a3.5 3.5 0 010 7H7",
  clear: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.7 9h5.6l.7-9M7 7v4M9 7v4",
};
const MARK = "#ff3d7f";

function make(tag, parent, traits = {}) {
  const element = Object.assign(document.createElement(tag), traits);
  parent?.append(element);
  return element;
}

function iconButton(name, parent, act) {
  const button = make("button", parent, { type: "button", title: NAMES[name], onclick: act });
  button.setAttribute("aria-label", NAMES[name]);
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
  return button;
}

function slider(name, parent, min, max, step, value) {
  const label = make("label", parent, { textContent: name, className: "course-pad-slider" });
  return make("input", label, { type: "range", min, max, step, value, ariaLabel: name });
}

// Leave out points that lie nearer than `slack` to the line between their neighbours (Ramer, Douglas, Peucker).
function thin(points, slack) {
  if (points.length < 3) return points;
  const [first, last] = [points[0], points.at(-1)];
  const [dx, dy] = [last[0] - first[0], last[1] - first[1]];
  const length = Math.hypot(dx, dy);
  let [far, at] = [0, 0];
  points.forEach(([x, y], place) => {
    const away = length
      ? Math.abs(dx * (y - first[1]) - dy * (x - first[0])) / length
      : Math.hypot(x - first[0], y - first[1]);
    if (away > far) [far, at] = [away, place];
  });
  if (far <= slack) return [first, last];
  return [...thin(points.slice(0, at + 1), slack).slice(0, -1), ...thin(points.slice(at), slack)];
}

function trace(pen, [ink, width, points]) {
  pen.globalCompositeOperation = ink === "erase" ? "destination-out" : "source-over";
  pen.strokeStyle = { erase: "#000", mark: MARK }[ink] ?? ink;
  pen.lineWidth = width;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(points[0], points[1]);
  for (let place = 0; place < points.length; place += 2) pen.lineTo(points[place], points[place + 1]);
  pen.stroke();
}

function render({ model, el }) {
  const [height, width, mode] = ["height", "width", "mode"].map((name) => model.get(name));
  const root = make("div", el, { className: "course-pad" });
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's: or a D, D would delete the cell
  const tools = make("div", root, { className: "course-pad-tools", role: "toolbar", ariaLabel: "Drawing tools" });
  const canvas = make("canvas", root, { role: "img", ariaLabel: `Drawing pad, ${height} by ${width} pixels` });
  const [inks, marks] = [make("canvas"), make("canvas")];
  const below = new Image();
  const past = [];
  let tool = TOOLS[mode][0];
  let current = null; // the stroke under way
  let hover = null;
  let waiting = false;

  canvas.style.aspectRatio = `${width} / ${height}`;

  const choose = (name) => {
    tool = name;
    brush.value = widths[name];
    for (const [other, button] of choices) button.setAttribute("aria-pressed", String(other === name));
  };
  const choices = TOOLS[mode].map((name) => [name, iconButton(name, tools, () => choose(name))]);
  const colour = make("input", mode === "over" ? tools : null, { type: "color", title: "Colour", ariaLabel: "Colour" });
  colour.value = model.get("ink");
  colour.addEventListener("input", () => choose("draw"));
  const most = Math.round(Math.max(height, width) / 5);
  const brush = slider("Width", tools, 1, most, 1, model.get("brush"));
  const line = model.get("brush");
  const widths = { draw: line, mark: 3 * line, erase: 3 * line }; // what is marked or erased is an area
  const undo = iconButton("undo", tools, () => keep(past.pop() ?? model.get("strokes").slice(0, -1), false));
  const clear = iconButton("clear", tools, () => keep([]));
  const dim = slider("Picture", root, 0, 1, 0.05, model.get("opacity"));
  choose(tool);

  function keep(strokes, remember = true) {
    if (remember) past.push(model.get("strokes"));
    model.set("strokes", strokes);
    model.save_changes();
  }

  function layer(sheet, strokes) {
    [sheet.width, sheet.height] = [canvas.width, canvas.height];
    const pen = sheet.getContext("2d");
    pen.scale(canvas.width / width, canvas.height / height);
    strokes.forEach((stroke) => trace(pen, stroke));
    return sheet;
  }

  function paint() {
    waiting = false;
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.round(canvas.clientWidth * ratio);
    if (!wide) return; // not on the screen
    if (canvas.width !== wide) [canvas.width, canvas.height] = [wide, Math.round((wide * height) / width)];
    const strokes = current ? [...model.get("strokes"), current] : model.get("strokes");
    const pen = canvas.getContext("2d");
    const sheet = (image, opacity) => {
      pen.globalAlpha = opacity;
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      pen.globalAlpha = 1;
    };
    pen.fillStyle = mode === "over" ? "#fff" : "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (below.naturalWidth) sheet(below, Number(dim.value));
    sheet(layer(inks, strokes.filter(([ink]) => ink !== "mark")), 1);
    sheet(layer(marks, strokes.filter(([ink]) => ink === "mark" || ink === "erase")), 0.6);
    if (hover) ring(pen, ratio);
    dim.parentElement.hidden = !below.naturalWidth;
    undo.disabled = !past.length && !strokes.length;
    clear.disabled = !strokes.length;
  }

  function ring(pen, ratio) {
    const scale = canvas.width / width;
    for (const [ink, line] of [["#000", 3], ["#fff", 1]]) {
      pen.beginPath();
      pen.arc(hover[0] * scale, hover[1] * scale, Math.max((brush.value / 2) * scale, 2 * ratio), 0, 2 * Math.PI);
      pen.strokeStyle = ink;
      pen.lineWidth = line * ratio;
      pen.globalAlpha = 0.6;
      pen.stroke();
      pen.globalAlpha = 1;
    }
  }

  function repaint() {
    if (!waiting) requestAnimationFrame(paint);
    waiting = true;
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (current || event.button !== 0) return; // one pen at a time, a second finger draws nothing
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    const ink = tool === "draw" ? (mode === "over" ? colour.value : model.get("ink")) : tool;
    current = [ink, Number(brush.value), at(event)];
    current.pointer = event.pointerId;
    repaint();
  });
  canvas.addEventListener("pointermove", (event) => {
    hover = at(event);
    if (current?.pointer === event.pointerId) {
      const passed = event.getCoalescedEvents?.() ?? [];
      (passed.length ? passed : [event]).forEach((one) => current[2].push(...at(one)));
    }
    repaint();
  });
  const finish = (event) => {
    if (current?.pointer !== event.pointerId) return;
    const [ink, size, flat] = current;
    current = null;
    const points = [];
    for (let place = 0; place < flat.length; place += 2) points.push([flat[place], flat[place + 1]]);
    const half = (value) => Math.round(value * 2) / 2; // short numbers: they stand in the shown call
    keep([...model.get("strokes"), [ink, size, thin(points, 0.5).flat().map(half)]]);
  };
  canvas.addEventListener("pointerup", finish);
  canvas.addEventListener("pointercancel", finish);
  canvas.addEventListener("pointerleave", () => { hover = null; repaint(); });
  root.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z") {
      event.preventDefault();
      undo.click();
    }
    event.stopPropagation();
  });

  brush.addEventListener("input", () => { widths[tool] = brush.value; repaint(); });
  dim.addEventListener("input", repaint);
  dim.addEventListener("change", () => {
    model.set("opacity", Number(dim.value));
    model.save_changes();
  });
  const load = () => {
    URL.revokeObjectURL(below.src);
    const data = model.get("underlay");
    below.src = data?.byteLength ? URL.createObjectURL(new Blob([data])) : "";
    if (!data?.byteLength) below.removeAttribute("src");
    repaint();
  };
  below.addEventListener("load", repaint);
  model.on("change:strokes", repaint);
  model.on("change:underlay", load);
  model.on("change:opacity", () => { dim.value = model.get("opacity"); repaint(); });
  const watch = new ResizeObserver(repaint);
  watch.observe(canvas);
  load();
  return () => {
    watch.disconnect();
    URL.revokeObjectURL(below.src);
  };
}

export default { render };
