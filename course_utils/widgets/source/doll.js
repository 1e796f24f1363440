// A doll to pose: drag a dot and the limb follows, drag the ring and one joint turns, drag beside it and walk around.
// It is the clay figure's skeleton: `anatomy` holds its bones and looks as Python has them, so Python's renderer puts
// every joint where it stands here. What is posed lives in `state`, plain data; without Python all works but the maps.

const { PI, sin, cos, atan2, hypot, abs, min, max } = Math;
const LENS = Math.tan(0.12); // of half its vertical angle: about 100 mm, so a near hand is hardly larger than a far one
const RING = 34; // pixels
const BLUE = "#2f6db3";
const FOG = [150, 160, 172]; // what is far fades into it
const SIDES = ["left", "right"];
const HELP = "Drag a dot: the limb follows. Drag the ring: one joint turns. Drag beside the doll: walk around it.";

const plus = (a, b, k = 1) => a.map((v, i) => v + k * b[i]);
const minus = (a, b) => plus(a, b, -1);
const scaled = (a, k) => a.map((v) => v * k);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = ([a, b, c], [d, e, f]) => [b * f - c * e, c * d - a * f, a * e - b * d];
const unit = (a) => scaled(a, 1 / (hypot(...a) || 1));
const mix = (a, b, k = 0.5) => plus(scaled(a, 1 - k), b, k);
const apply = (m, v) => m.map((row) => dot(row, v));
const flipped = (m) => m.map((_, k) => m.map((row) => row[k]));
const clamp = (v, least, most) => min(most, max(least, v));
const copy = (data) => JSON.parse(JSON.stringify(data));
const short = (data) => JSON.stringify(data, (_, v) => (typeof v === "number" ? Math.round(v * 1e4) / 1e4 : v));
const mirror = (side) => (side === "left" ? -1 : 1);
const other = (name) => name.replace(/left|right/, (side) => SIDES[Number(side === "left")]);

// I + s [v] + k [v][v]: a turn about an axis, and the least turn that carries one direction to another.
function turnBy([x, y, z], s, k) {
  const m = [[0, -z, y], [z, 0, -x], [-y, x, 0]];
  return m.map((row, i) => row.map((v, j) => Number(i === j) + s * v + k * (m[i][0] * m[0][j] + m[i][1] * m[1][j] + m[i][2] * m[2][j])));
}
const about = (axis, angle) => turnBy(axis, sin(angle), 1 - cos(angle));
const swing = (a, b) => turnBy(cross(unit(a), unit(b)), 1, 1 / (1 + max(dot(unit(a), unit(b)), -0.999)));
const tilt = (to) => flipped(swing([0, 1, 0], to)); // as clay/things/poses.py leans trunks, heads and shoes

// The 21 points of a hand of length 1, fingers up, palm to the viewer: clay/things/hands.py.
function handPoints({ curl, spread }, side, { thumb, fingers, phalanges, flexion }) {
  const degrees = PI / 180;
  const points = [[0, 0, 0], thumb.base];
  thumb.bones.forEach((long, k) => {
    const lean = (thumb.lean[k] + thumb.fan * spread) * degrees;
    const folded = unit(mix(thumb.flat[k], thumb.fist[k], max(curl[1], curl[2])));
    points.push(plus(points.at(-1), unit(mix(unit([sin(lean), cos(lean), thumb.ahead[k]]), folded, curl[0])), long));
  });
  fingers.forEach(([[x, y], long, , together, fanned], k) => {
    const lean = (together + (fanned - together) * spread) * (1 - curl[k + 1]) * degrees;
    points.push([x, y, 0]);
    phalanges.forEach((share, n) => {
      const bend = flexion[n] * curl[k + 1] * degrees;
      points.push(plus(points.at(-1), [cos(bend) * sin(lean), cos(bend) * cos(lean), sin(bend)], share * long));
    });
  });
  return points.map(([x, y, z]) => [x * mirror(side), y, z]);
}

// A hand goes on along its forearm, its palm to the front as far as it can, then turned: pose/figures.py.
function along(forearm, palm) {
  const y = unit(forearm);
  const front = abs(y[2]) < 0.95 ? [0, 0, 1] : [0, -1, 0];
  const z = apply(about(y, palm), unit(plus(front, y, -dot(front, y))));
  return flipped([cross(y, z), y, z]);
}

// Where all lies in the figure's own frame, the hips' middle at the origin: clay/things/poses.py and people.py.
function place(figure, a) {
  const way = { ...a.rest, ...figure.bones };
  const stretch = {};
  for (const [part, names] of a.parts) for (const name of names) stretch[name] = figure.lengths[part];
  const [at, bone, hands, size] = [{ hip: [0, 0, 0] }, {}, {}, figure.head_size];
  const spine = tilt(way.spine);
  for (const [name, [parent, child, metres]] of a.bones) {
    const [base, offset] = a.anchors[parent] ?? [];
    if (base) at[parent] = plus(at[base], apply(spine, offset), stretch[parent] ?? 1);
    bone[name] = metres * (stretch[name] ?? 1);
    at[child] = plus(at[parent], unit(way[name]), bone[name]);
  }
  const turn = tilt(minus(at.head, at.neck));
  const head = plus(at.head, apply(turn, [0, a.rise * (size - 1), 0]));
  for (const [name, p] of Object.entries(a.face)) at[name] = plus(head, apply(turn, p), size);
  const palm = a.hand * (0.5 + size / 2);
  let low = Infinity; // the ground, below the lower shoe
  for (const side of SIDES) {
    const [ankle, wrist, hand] = [at[`${side}_ankle`], at[`${side}_wrist`], figure[side]];
    const foot = tilt(plus(scaled(unit(minus(at[`${side}_knee`], ankle)), 0.5), [0, 0.5, 0]));
    low = min(low, ankle[1] + dot(foot[1], [0, -0.03, 0.045]) - hypot(...foot[1].map((v, k) => v * a.shoe[k])));
    at[`${side}_heel`] = plus(ankle, apply(foot, [0, -0.03, -0.03]));
    at[`${side}_toe`] = plus(ankle, apply(foot, [0, -0.035, 0.11]));
    at[`${side}_tip`] = plus(wrist, unit(way[`${side}_forearm`]), 0.1);
    const how = hand && along(way[`${side}_forearm`], mirror(side) * hand.palm);
    if (hand) hands[side] = handPoints(hand, side, a).map((p) => plus(wrist, apply(how, p), palm));
  }
  const [yaw, feet] = [about([0, 1, 0], figure.yaw), [figure.x, 0, figure.z]];
  const world = ([x, y, z]) => plus(feet, apply(yaw, [x, y - low, z]), figure.size);
  const own = (p) => plus(scaled(apply(flipped(yaw), minus(p, feet)), 1 / figure.size), [0, low, 0]);
  return { at, hands, palm, bone, world, own, yaw, way };
}

const ARM = (side) => [`${side}_upper_arm`, `${side}_forearm`];
const LEG = (side) => [`${side}_thigh`, `${side}_shin`];
const CHAINS = { arm: ["shoulder", "elbow", "wrist"], leg: ["hip", "knee", "ankle"] };

// The bones that a ring about a joint turns.
function below(name) {
  const [side, joint] = name.split("_");
  const chains = { shoulder: ARM(side), elbow: ARM(side).slice(1), hip: LEG(side), knee: LEG(side).slice(1), wrist: [], ankle: [] };
  return name ? chains[joint] ?? ["head"] : [];
}
function carry(figure, { way }, names, turn) {
  for (const name of names) figure.bones[name] = apply(turn, way[name]);
}

// Lead a wrist or an ankle to a place: two bones, and the joint between them bends as it did and as bodies do.
function lead(figure, { at, way, bone }, side, leg, end) {
  const [root, knee, tip] = CHAINS[leg ? "leg" : "arm"].map((joint) => at[`${side}_${joint}`]);
  const names = leg ? LEG(side) : ARM(side);
  const [upper, lower] = names.map((name) => bone[name]);
  const [was, now] = [unit(minus(tip, root)), minus(end, root)];
  const bend = plus(minus(knee, root), was, -dot(minus(knee, root), was));
  const out = -mirror(side);
  const natural = unit(leg ? [0.15 * out, 0.15, 1] : [0.6 * out, -0.6, now[1] > 0.1 ? 0.1 : -0.45]);
  const pole = hypot(...bend) > 0.03 ? plus(natural, unit(apply(swing(was, now), bend)), 1.4) : natural;
  const far = clamp(hypot(...now), abs(upper - lower) + 0.02, upper + lower - 1e-4);
  const ahead = unit(now);
  const share = (far * far + upper * upper - lower * lower) / (2 * far);
  const joint = plus(scaled(ahead, share), unit(plus(pole, ahead, -dot(pole, ahead))), Math.sqrt(max(upper * upper - share * share, 0)));
  [figure.bones[names[0]], figure.bones[names[1]]] = [unit(joint), unit(minus(scaled(ahead, far), joint))];
}

// Move a joint of a figure, as it stood, to a place in its own frame.
function drag(figure, was, name, end) {
  const [side, joint] = name.split("_");
  const { at } = was;
  const pull = (pivot, names) => carry(figure, was, names, swing(minus(at[name], pivot), minus(end, pivot)));
  if (joint === "wrist" || joint === "ankle") lead(figure, was, side, joint === "ankle", end);
  else if (joint === "elbow") pull(at[`${side}_shoulder`], ARM(side));
  else if (joint === "knee") pull(at[`${side}_hip`], LEG(side));
  else if (joint === "hip") {
    const by = minus(end, at[name]); // the feet stay: the knees give way
    for (const leg of SIDES) lead(figure, was, leg, true, minus(at[`${leg}_ankle`], by));
    [figure.x, , figure.z] = plus([figure.x, 0, figure.z], apply(was.yaw, by), figure.size);
  } else if (joint === "shoulder" || name === "neck") pull(at.hip, ["spine", "head", ...SIDES.flatMap(ARM)]);
  else pull(at.neck, ["head"]);
}

// A camera of the clay world; pixels are those of a picture `width` by `height`.
function look({ yaw, pitch, target, distance }, width, height) {
  const away = [sin(yaw) * cos(pitch), sin(pitch), cos(yaw) * cos(pitch)];
  const forward = scaled(away, -1);
  const right = unit(cross(forward, [0, 1, 0]));
  const [up, eye, wide] = [cross(right, forward), plus(target, away, distance), height / 2 / LENS];
  const axes = [right, up, forward];
  const see = (p) => { // x, y, metres ahead, pixels a metre
    const [x, y, z] = apply(axes, minus(p, eye));
    const scale = wide / max(z, 1e-3);
    return [width / 2 + x * scale, height / 2 - y * scale, z, scale];
  };
  const move = (dx, dy, dz, depth) => apply(flipped(axes), [(dx * depth) / wide, (-dy * depth) / wide, dz]);
  const floor = (x, y) => {
    const ray = move(x - width / 2, y - height / 2, 1, 1);
    return ray[1] < -1e-3 ? plus(eye, ray, -eye[1] / ray[1]) : null;
  };
  return { axes, see, move, floor, width, height };
}
function fit(view, placed, aspect) {
  const points = placed.flatMap(({ at, hands, world }) => [...Object.values(at), ...Object.values(hands).flat()].map(world));
  const { axes } = look({ ...view, target: [0, 0, 0], distance: 0 }, aspect, 1);
  const ends = axes.map((axis) => points.map((p) => dot(axis, p))).map((all) => [min(...all) - 0.1, max(...all) + 0.1]);
  const [wide, tall, deep] = ends.map(([least, most]) => (most - least) / 2);
  const target = apply(flipped(axes), ends.map(([least, most]) => (least + most) / 2));
  return { ...view, target, distance: max(tall, wide / aspect) / LENS + deep };
}

// Groups of capsules [from, radius, to, radius], each group drawn over what is farther.
function handGroups(points, long, paint, { thumb, fingers }) {
  const palm = [5, 9, 13, 17, 1].map((k) => [mix(points[0], points[k], 0.2), 0.095 * long, points[k], 0.08 * long]);
  const radii = [thumb.radii, ...fingers.map(([, , r]) => [r, r, r, r])];
  return [palm, ...radii.map((r, finger) => r.slice(1).map((next, n) => [points[1 + 4 * finger + n], r[n] * long, points[2 + 4 * finger + n], next * long]))]
    .map((shapes) => ({ shapes, paint }));
}
function bodyGroups(figure, { at, hands, palm, world }, number, a) {
  const point = (p) => (typeof p === "string" ? at[p] : mix(at[p[0]], at[p[1]], p[2]));
  const paints = [a.paints[number], ...a.paints.slice(2)];
  const groups = a.flesh.filter(([, word]) => !word || word === figure.word)
    .map(([paint, , ...shapes]) => ({ paint: paints[paint], shapes: shapes.map(([p, r, q, s]) => {
      const k = p in a.face ? figure.head_size : 1;
      return [point(p), r * k, point(q), s * k];
    }) }));
  for (const side of SIDES) {
    if (hands[side]) groups.push(...handGroups(hands[side], palm, paints[0], a));
    else groups.push({ paint: paints[0], shapes: [[at[`${side}_wrist`], 0.055, at[`${side}_tip`], 0.05]] });
  }
  return groups.map(({ paint, shapes }) => ({ paint, shapes: shapes.map(([p, r, q, s]) => [world(p), r * figure.size, world(q), s * figure.size]) }));
}
function fill(pen, colour) { pen.fillStyle = colour; pen.fill(); }
function stroke(pen, colour, wide) { [pen.strokeStyle, pen.lineWidth] = [colour, wide]; pen.stroke(); }
function path(pen, points) { pen.beginPath(); for (const [x, y] of points) pen.lineTo(x, y); }
function disc(pen, x, y, r) { pen.beginPath(); pen.arc(x, y, r, 0, 7); }
function capsule(pen, [[ax, ay], r, [bx, by], s], grow) {
  const [long, turn] = [hypot(bx - ax, by - ay), atan2(by - ay, bx - ax)];
  const lean = Math.acos(clamp((r - s) / (long || 1e-9), -1, 1));
  pen.beginPath();
  pen.arc(ax, ay, r + grow, turn + lean, turn - lean + 2 * PI);
  pen.arc(bx, by, s + grow, turn - lean, turn + lean);
}
function paintGroups(pen, groups, { see }) {
  const seen = groups.map(({ paint, shapes }) => {
    const flat = shapes.map(([p, r, q, s]) => { const [u, v] = [see(p), see(q)]; return [u, r * u[3], v, s * v[3]]; });
    return { paint, flat, depth: flat.reduce((sum, [p, , q]) => sum + p[2] + q[2], 0) / flat.length };
  }).sort((one, two) => two.depth - one.depth);
  const [far, near] = [seen[0].depth, seen.at(-1).depth];
  for (const { paint, flat, depth } of seen) {
    const fog = (0.5 * (depth - near)) / max(far - near, 1);
    const tone = (light) => `rgb(${mix(scaled(paint, light), FOG, fog)})`;
    for (const shape of flat) { capsule(pen, shape, 1.1); fill(pen, tone(0.5)); }
    for (const shape of flat) { // light falls from above, on the left
      const [[ax, ay], r, [bx, by], s] = shape;
      const wide = max(r, s);
      let [nx, ny] = hypot(ax - bx, ay - by) < wide ? [-0.6, -0.8] : unit([ay - by, bx - ax]);
      if (nx * 0.6 + ny * 0.8 > 0) [nx, ny] = [-nx, -ny];
      const [x, y] = [(ax + bx) / 2, (ay + by) / 2];
      const shade = pen.createLinearGradient(x + nx * wide, y + ny * wide, x - nx * wide, y - ny * wide);
      for (const [stop, light] of [[0, 1.08], [0.35, 1.02], [0.7, 0.86], [1, 0.68]]) shade.addColorStop(stop, tone(light));
      capsule(pen, shape, 0);
      fill(pen, shade);
    }
  }
}

function make(tag, parent, traits = {}) {
  const element = Object.assign(document.createElement(tag), traits);
  parent?.append(element);
  return element;
}
function button(parent, text, act, title = text) {
  return make("button", parent, { type: "button", textContent: text, title, ariaLabel: title, onclick: act });
}
function sheet(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}
const at = (event) => { const box = event.target.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
const whole = (figure) => ({
  word: "man", x: 0, z: 0, yaw: 0, size: 1, left: null, right: null, ...figure, head_size: figure.head_size ?? 1,
  bones: { ...figure.bones }, lengths: { ...figure.lengths }, hidden: [...(figure.hidden ?? [])],
});
const PALM = look({ yaw: 0, pitch: 0, target: [0.05, 0.48, 0], distance: 5.8 }, 170, 170);
const TIPS = [4, 8, 12, 16, 20];

function render({ model, el }) {
  const [a, gestures, width, height] = ["anatomy", "gestures", "width", "height"].map((name) => model.get(name));
  const aspect = width / height;
  const root = make("div", el, { className: "course-doll" });
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's: or an arrow key would leave the cell
  const row = (parent, role) => make("div", parent, { className: "course-doll-row", role });
  const tools = row(root, "toolbar");
  const canvas = make("canvas", root, { tabIndex: 0, className: "course-doll-stage", role: "application",
    ariaLabel: "A doll. Tab chooses a joint, arrows move it, page keys move it nearer or farther, [ and ] turn it, H hides it, Home frames all." });
  canvas.style.aspectRatio = aspect;
  const line = make("output", root, { className: "course-doll-line" });
  const problem = make("output", root, { className: "course-doll-problem", role: "alert" });
  const tabs = row(root, "tablist");
  let [figures, view, placed, camera, people] = [[], {}, [], null, []];
  let [sent, past, future, truth] = ["", [], [], []]; // truth: what Python's renderer saw, where it has looked already
  let [who, chosen, hover, grip, side, page, waiting] = [0, "", null, null, "right", "Poses", false];
  const figure = () => figures[who];

  // What is posed
  const hips = () => [0, placed[0].world(mix(placed[0].at.left_hip, placed[0].at.right_hip))[1], 0];
  function settle() { // a face is not seen behind its head; Python knows the rest
    placed = figures.map((one) => place(one, a));
    const wide = canvas.clientWidth || 400;
    if (!view.target) frame();
    camera = look({ ...view, target: plus(view.target, hips()) }, wide, wide / aspect);
    people = figures.map(({ hidden, head_size, size }, n) => {
      const { at: own, hands, world } = placed[n];
      const skull = camera.see(world(own.skull));
      const seen = (part, k, p, name, hand) => {
        const [x, y, depth] = camera.see(world(p));
        const inside = x >= 0 && y >= 0 && x < wide && y < wide / aspect;
        const behind = name in a.face && depth > skull[2] + 0.03 && hypot(x - skull[0], y - skull[1]) < 0.155 * head_size * size * skull[3];
        return [x, y, Number(!hidden.includes(hand ?? name) && (truth[n]?.[part]?.[k] ?? (inside && !behind)))];
      };
      const points = { body: a.joints.map((name, k) => seen("body", k, own[name], name)) };
      for (const one of SIDES) points[one] = hands[one]?.map((p, k) => seen(one, k, p, "", `${one}_hand`)) ?? null;
      return points;
    });
  }
  function frame() {
    view = fit(view, placed, aspect);
    view.target = minus(view.target, hips()); // above the hips: a doll that crouches does not sink out of the picture
  }
  function take(given) {
    const [was, old] = [figures, view];
    try {
      if (![1, 2].includes(given.figures.length)) throw Error();
      [figures, view, who, chosen] = [given.figures.map(whole), { yaw: 0.3, pitch: 0.12, ...given.view }, 0, ""];
      settle();
      if (!isFinite(people.flatMap(({ body }) => body).flat().reduce((sum, v) => sum + v))) throw Error();
    } catch (wrong) {
      [figures, view] = [was, old];
      throw wrong;
    }
  }
  function keep() { // Undo brings back what stood here; what had been undone belongs to no pose any more
    const before = sent && short(JSON.parse(sent).figures);
    if (before && before !== short(figures)) [past, future] = [[...past, before], []];
  }
  function commit(remember = true) {
    const now = short({ figures, view });
    if (remember) keep();
    if (now === sent) return refresh();
    [sent, truth] = [now, []];
    model.set("state", JSON.parse(now));
    refresh();
    model.save_changes(); // raises where there is no Python
  }
  function back(from, to) {
    if (!from.length) return;
    to.push(short(figures));
    [figures, who, chosen] = [JSON.parse(from.pop()), 0, ""];
    commit(false);
  }
  const change = (act, again) => () => { act(figure()); if (again) { settle(); frame(); } commit(); };

  // The stage
  const pixel = (n, name) => camera.see(placed[n].world(placed[n].at[name]));
  function floor(pen, { x, z, yaw, size }, n) {
    const turn = about([0, 1, 0], yaw);
    const on = (points) => path(pen, points.map(([u, v]) => camera.see(plus([x, 0, z], apply(turn, [u, 0, v]), size))));
    const circle = (r) => on(Array.from({ length: 41 }, (_, k) => [r * sin((k * PI) / 20), r * cos((k * PI) / 20)]));
    for (const r of [0.36, 0.29, 0.22]) { circle(r); fill(pen, "rgba(40,46,54,.06)"); }
    const colour = n === who ? BLUE : "#9aa3ad";
    circle(0.43);
    stroke(pen, colour, 1.5);
    on([[0.1, 0.42], [0, 0.56], [-0.1, 0.42]]); // where the front is
    fill(pen, colour);
  }
  function dots(pen, { body, left, right }, n) {
    const { hidden } = figures[n];
    const bone = (p, q, colour, wide) => { if (p[2] && q[2]) { path(pen, [p, q]); stroke(pen, colour, wide); } };
    pen.globalAlpha = 0.6;
    a.limbs.forEach(([i, j], k) => bone(body[i], body[j], a.colours[k], 2.5));
    for (const hand of [left, right]) hand?.forEach((p, k) => k && bone(hand[k % 4 === 1 ? 0 : k - 1], p, `hsl(${18 * k - 18},90%,50%)`, 1));
    a.joints.forEach((name, k) => {
      const [x, y, seen] = body[k];
      const gone = hidden.includes(name);
      const over = (n === who && name === chosen) || (hover?.n === n && hover.name === name);
      pen.globalAlpha = gone || seen ? 1 : 0.35;
      disc(pen, x, y, (name in a.face ? 2.8 : 4.6) + (over ? 2 : 0));
      fill(pen, gone ? "#fff" : a.colours[k]);
      stroke(pen, gone ? "#b3261e" : "#fff", 1.5);
      if (n !== who || name !== chosen) return;
      disc(pen, x, y, below(name).length ? RING : 10);
      stroke(pen, "rgba(255,255,255,.75)", 6);
      stroke(pen, BLUE, 2.5);
    });
    pen.globalAlpha = 1;
  }
  function paint() {
    waiting = false;
    const wide = canvas.clientWidth;
    if (!wide) return; // not on the screen
    settle();
    const pen = sheet(canvas, wide, wide / aspect);
    const air = pen.createLinearGradient(0, 0, 0, wide / aspect);
    air.addColorStop(0, "#eef2f5");
    air.addColorStop(1, "#cfd6dd");
    pen.fillStyle = air;
    pen.fillRect(0, 0, wide, wide / aspect);
    figures.forEach((one, n) => floor(pen, one, n));
    paintGroups(pen, figures.flatMap((one, n) => bodyGroups(one, placed[n], n, a)), camera);
    people.forEach((one, n) => dots(pen, one, n));
  }
  function repaint() {
    if (!waiting) requestAnimationFrame(paint);
    waiting = true;
  }

  // Moving
  function nearest([x, y], within) {
    const all = figures.flatMap((_, n) => a.joints.map((name) => {
      const [u, v] = pixel(n, name);
      return { n, name, far: hypot(u - x, v - y) + (name in a.face ? 3 : 0) }; // a neck is wanted more often than an ear
    }));
    return all.filter(({ far }) => far < within).sort((one, two) => one.far - two.far)[0];
  }
  const hold = (kind, from) => { grip = { kind, from, one: copy(figure()), old: view, was: placed[who], lens: camera }; };
  function pull([x, y], deep) {
    const { kind, from, one, old, was, lens } = grip;
    const now = (figures[who] = copy(one));
    const [dx, dy] = [x - from[0], y - from[1]];
    const start = was.world(was.at[chosen || "hip"]);
    const [cx, cy, depth, scale] = lens.see(start);
    const angle = (u, v) => atan2(v - cy, u - cx);
    const [p, q] = [lens.floor(...from), lens.floor(x, y)];
    const facing = (r) => atan2(r[0] - one.x, r[2] - one.z);
    if (kind === "orbit") view = { ...old, yaw: old.yaw - dx * 0.011, pitch: clamp(old.pitch + dy * 0.008, -0.1, 1.4) };
    else if (kind === "dot") drag(now, was, chosen, was.own(plus(start, deep ? lens.move(dx, 0, -dy / scale, depth) : lens.move(dx, dy, 0, depth))));
    else if (kind === "ring") twist(now, was, angle(x, y) - angle(...from));
    else if (kind === "yaw" && p && q) now.yaw += facing(q) - facing(p);
    else if (p && q) [now.x, , now.z] = plus([now.x, 0, now.z], minus(q, p));
    repaint();
  }
  const twist = (now, was, angle) => carry(now, was, below(chosen), about(apply(flipped(was.yaw), camera.axes[2]), angle));
  function drop() {
    grip = null;
    settle();
    const out = people.some(({ body }) => body.some(([x, y]) => x < 0 || y < 0 || x > camera.width || y > camera.height));
    if (out) frame();
    commit();
  }
  function choose(n, name) {
    [who, chosen] = [n, name];
    if (name.endsWith("_wrist")) [side, page] = [name.split("_")[0], "Hand"];
    refresh();
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (grip || event.button) return; // one finger at a time
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    const [from, near] = [at(event), nearest(at(event), event.pointerType === "touch" ? 26 : 14)];
    const [cx, cy] = below(chosen).length ? pixel(who, chosen) : [-1e3, 0];
    if (abs(hypot(from[0] - cx, from[1] - cy) - RING) < 8 && !(near?.far < 6)) return hold("ring", from);
    if (near) { choose(near.n, near.name); return hold("dot", from); }
    const p = camera.floor(...from);
    const away = figures.map(({ x, z, size }) => (p ? hypot(p[0] - x, p[2] - z) / size : 9));
    const n = away.findIndex((far) => far < 0.56);
    choose(max(n, 0) === n ? n : who, "");
    hold(n < 0 ? "orbit" : away[n] > 0.34 ? "yaw" : "move", from);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (grip) return pull(at(event), event.shiftKey);
    hover = nearest(at(event), 14);
    canvas.style.cursor = hover ? "grab" : "default";
    repaint();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => grip && drop());
  const ARROWS = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6], PageUp: [0, -6, true], PageDown: [0, 6, true] };
  function pressed(key, shift) { // tells whether the key was the doll's
    if (key === "Tab") {
      const all = figures.flatMap((_, n) => a.joints.map((name) => [n, name]));
      const now = all.findIndex(([n, name]) => n === who && name === chosen);
      const next = all[now < 0 && shift ? -1 : now + (shift ? -1 : 1)];
      choose(...(next ?? [who, ""]));
      return Boolean(next); // else on to what comes after the doll
    }
    if (ARROWS[key]) {
      hold(chosen ? "dot" : "orbit", [0, 0]);
      pull(ARROWS[key], ARROWS[key][2] || shift);
      drop();
    } else if (key === "[" || key === "]") { twist(figure(), placed[who], key === "]" ? 0.09 : -0.09); commit(); }
    else if (key === "h" || key === "Delete") hide();
    else if (key === "Home") { frame(); commit(); }
    else if (key === "Escape") choose(who, "");
    else return false;
    return true;
  }
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const again = key === "y" || event.shiftKey;
    if ((event.ctrlKey || event.metaKey) && "zy".includes(key)) again ? back(future, past) : back(past, future);
    else if (event.target !== canvas || !pressed(key, event.shiftKey)) return;
    event.preventDefault();
  });

  // Buttons
  function hide() {
    const names = chosen.endsWith("_wrist") ? [chosen, `${chosen.split("_")[0]}_hand`] : [chosen];
    const rest = figure().hidden.filter((name) => !names.includes(name));
    if (chosen) figure().hidden = rest.length < figure().hidden.length ? rest : [...rest, ...names];
    commit();
  }
  function flip(one) {
    const bones = Object.entries({ ...a.rest, ...one.bones }).map(([name, [x, y, z]]) => [other(name), [-x, y, z]]);
    Object.assign(one, { bones: Object.fromEntries(bones), left: one.right, right: one.left, hidden: one.hidden.map(other) });
  }
  function crowd(one) {
    if (figures[1]) figures.splice(who, 1);
    else figures.push(whole({ word: "woman", head_size: one.head_size, x: one.x + 0.95, z: one.z }));
    [who, chosen] = [figures.length - 1, ""];
  }
  function save() {
    const flat = (points) => points && points.flatMap(([x, y, seen]) => [(x * width) / camera.width, (y * width) / camera.width, 1].map((v) => seen && Math.round(v * 100) / 100));
    const text = JSON.stringify({
      people: people.map(({ body, left, right }) => ({
        pose_keypoints_2d: flat(body), face_keypoints_2d: null, hand_left_keypoints_2d: flat(left), hand_right_keypoints_2d: flat(right),
      })),
      canvas_width: width, canvas_height: height, doll: { figures, view },
    });
    make("a", null, { href: URL.createObjectURL(new Blob([text])), download: "pose.json" }).click();
  }
  const undo = button(tools, "↶", () => back(past, future), "Undo");
  const redo = button(tools, "↷", () => back(future, past), "Redo");
  const hider = button(tools, "", hide, "Hide joint");
  button(tools, "Mirror", change(flip));
  button(tools, "Turn", change((one) => { one.yaw += one.yaw > 0 ? -PI : PI; }), "Turn round");
  button(tools, "Frame", change(() => {}, true), "Frame all");
  const second = button(tools, "", change(crowd, true), "Second person");
  const opener = make("input", root, { type: "file", accept: ".json", hidden: true });
  button(tools, "Open", () => opener.click(), "Open JSON");
  button(tools, "Save", save, "Save JSON");
  opener.addEventListener("change", async () => {
    const [file] = opener.files;
    const text = await file.text();
    opener.value = ""; // or the same file could not be chosen again
    try {
      take(JSON.parse(text).doll);
    } catch { // no doll's: Python reads it, or says what is wrong
      model.set("problem", `${file.name} holds no doll; Python may know how to read it.`);
      model.set("file", { name: file.name, text, number: (model.get("file").number ?? 0) + 1 });
      model.save_changes();
      return;
    }
    commit();
  });

  // Below the stage: poses, the hand close up, the body
  const pages = ["Poses", "Hand", "Body"].map((name) => {
    const tab = button(tabs, name, () => { page = name; refresh(); });
    tab.role = "tab";
    return { name, tab, box: make("div", root, { className: "course-doll-page" }) };
  });
  const [poses, hand, body] = pages.map(({ box }) => box);
  function card(parent, name, groups, lens, act) {
    const one = button(parent, "", act, name);
    paintGroups(sheet(make("canvas", one), 54, 60), groups, lens);
    make("span", one, { textContent: name });
  }
  for (const [name, pose] of model.get("library")) {
    const [one, lying] = [whole(pose), place(whole(pose), a)];
    const lens = look(fit({ yaw: 0.35, pitch: 0.1 }, [lying], 0.9), 54, 60);
    card(poses, name, bodyGroups(one, lying, 0, a), lens, change((now) => Object.assign(now, copy({ bones: one.bones, left: one.left, right: one.right })), true));
  }
  const knobs = [];
  function slider(parent, name, least, most, get, set) {
    const label = make("label", parent, { textContent: name });
    const knob = make("input", label, { type: "range", min: least, max: most, step: 0.01, ariaLabel: name });
    knob.addEventListener("input", () => { set(figure(), Number(knob.value)); closeUp(); repaint(); });
    knob.addEventListener("change", () => commit());
    knobs.push(() => { knob.value = get(figure()); });
  }
  const held = (one) => (one[side] ??= { ...copy(Object.fromEntries(gestures).open), palm: 0 });
  const close = make("canvas", hand, { className: "course-doll-hand", title: "Drag a fingertip, or beside it to turn the hand" });
  const grid = make("div", hand, { className: "course-doll-knobs" });
  const which = SIDES.map((name) => button(row(grid), `${name} hand`, () => { side = name; refresh(); }));
  which[0].after(which[1]);
  slider(grid, "Spread", 0, 1, (one) => one[side]?.spread ?? 0.5, (one, v) => { held(one).spread = v; });
  slider(grid, "Palm", -3.14, 3.14, (one) => one[side]?.palm ?? 0, (one, v) => { held(one).palm = v; });
  button(grid, "The other hand alike", change((one) => { one[other(side)] = copy(held(one)); }));
  button(grid, "No fingers", change((one) => { one[side] = null; }));
  const shows = make("div", hand, { className: "course-doll-page" });
  const small = look({ yaw: 0, pitch: 0, target: [0, 0.48, 0], distance: 5.6 }, 54, 60);
  for (const [name, held] of gestures) {
    card(shows, name, handGroups(handPoints(held, "right", a), 1, a.paints[0], a), small, change((one) => { one[side] = { palm: 0, ...one[side], ...copy(held) }; }));
  }
  function fingers(one) {
    const spin = about([0, 1, 0], mirror(side) * one.palm);
    return handPoints(one, side, a).map((p) => apply(spin, p));
  }
  function closeUp() {
    if (page !== "Hand") return;
    const [pen, points] = [sheet(close, 170, 170), fingers(figure()[side] ?? held({}))];
    paintGroups(pen, handGroups(points, 1, a.paints[who], a), PALM);
    TIPS.forEach((k, n) => {
      const [x, y] = PALM.see(points[k]);
      disc(pen, x, y, 5);
      fill(pen, `hsl(${72 * n},90%,55%)`);
      stroke(pen, "#fff", 1.5);
    });
  }
  let pinch = null;
  const apart = (p, [x, y]) => { const [u, v] = PALM.see(p); return hypot(u - x, v - y); };
  close.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    close.setPointerCapture(event.pointerId);
    const one = held(figure());
    const far = TIPS.map((k) => apart(fingers(one)[k], at(event)));
    pinch = { one: copy(one), x: event.clientX, finger: min(...far) < 18 ? far.indexOf(min(...far)) : -1 };
  });
  close.addEventListener("pointermove", (event) => {
    if (!pinch) return;
    const { one, x, finger } = pinch;
    if (finger < 0) held(figure()).palm = ((one.palm + mirror(side) * (event.clientX - x) * 0.02 + 9 * PI) % (2 * PI)) - PI;
    else { // of all ways to fold the finger, the one whose tip lies nearest
      const ways = Array.from({ length: 41 }, (_, n) => ({ ...one, curl: one.curl.map((v, k) => (k === finger ? n / 40 : v)) }));
      const far = ways.map((way) => apart(fingers(way)[TIPS[finger]], at(event)));
      figure()[side] = ways[far.indexOf(min(...far))];
    }
    closeUp();
    repaint();
  });
  for (const name of ["pointerup", "pointercancel"]) close.addEventListener(name, () => { pinch = null; commit(); });
  const parts = make("div", body, { className: "course-doll-knobs" });
  const dress = button(parts, "", change((one) => { one.word = one.word === "man" ? "woman" : "man"; }));
  slider(parts, "Head", 0.8, 2, (one) => one.head_size, (one, v) => { one.head_size = v; });
  slider(parts, "Size", 0.5, 1.3, (one) => one.size, (one, v) => { one.size = v; });
  for (const [part] of a.parts) slider(parts, part, 0.5, 2, (one) => one.lengths[part] ?? 1, (one, v) => { one.lengths[part] = v; });
  button(parts, "Usual proportions", change((one) => Object.assign(one, { lengths: {}, size: 1, head_size: 1 }), true));

  function refresh() {
    const { word, hidden } = figure();
    for (const { name, tab, box } of pages) { tab.ariaSelected = String(name === page); box.hidden = name !== page; }
    SIDES.forEach((name, k) => { which[k].ariaPressed = String(name === side); });
    for (const set of knobs) set();
    const gone = hidden.includes(chosen);
    [undo.disabled, redo.disabled, hider.disabled] = [!past.length, !future.length, !chosen];
    [hider.textContent, second.textContent] = [gone ? "Show" : "Hide", figures[1] ? "− Person" : "+ Person"];
    dress.textContent = `Make it a ${word === "man" ? "woman" : "man"}`;
    line.textContent = chosen ? `${word}: ${chosen.replace("_", " ")}${gone ? ", hidden" : ""}` : HELP;
    problem.textContent = model.get("problem");
    closeUp();
    repaint();
  }
  function listen() {
    const state = model.get("state");
    if (short(state) === sent) return; // what came from here
    take(state);
    keep();
    [sent, truth] = [short({ figures, view }), model.get("seen").people ?? []];
    refresh();
  }
  model.on("change:state", listen);
  model.on("change:problem", refresh);
  model.on("change:seen", () => { truth = model.get("seen").people ?? []; repaint(); });
  listen();
  const watch = new ResizeObserver(repaint);
  watch.observe(canvas);
  return () => watch.disconnect();
}

export default { render };
