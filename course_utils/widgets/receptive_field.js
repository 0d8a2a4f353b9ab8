// Receptive fields: a unit of a feature map ↔ the pixels of the image that it sees.

const MOST_FIELDS = 200; // gradient fields kept in the browser
const SMALL_BOX = 60; // CSS pixels below which a box is also drawn enlarged
const PAUSE = 80; // milliseconds at one unit after which its gradient is asked for

/** Reads the model's traits: everything that one picture shows. */
function readState(shared) {
  const network = shared.get("network");
  const layers = shared.get("_layers")[network];
  const layer = layers.find(({ name }) => name === shared.get("layer")) ?? layers[0];
  const row = clamp(Math.floor(shared.get("_down") * layer.rows), 0, layer.rows - 1);
  const col = clamp(Math.floor(shared.get("_across") * layer.cols), 0, layer.cols - 1);
  const [height, width] = [shared.get("_height"), shared.get("_width")];
  const infinite = layer.size.includes(null);
  const box = infinite
    ? { top: 0, left: 0, bottom: height, right: width }
    : { top: layer.tops[row], left: layer.lefts[col], bottom: layer.bottoms[row], right: layer.rights[col] };
  return { network, layers, layer, row, col, height, width, infinite, box, unit: [network, layer.name, row, col] };
}

/** Pixels left free around the image, for boxes that reach into the padding. */
function marginOf(networks, height, width) {
  let most = 0;
  for (const { tops, lefts, bottoms, rights } of Object.values(networks).flat()) {
    const sides = [-tops[0], -lefts[0], bottoms.at(-1) - height, rights.at(-1) - width];
    most = Math.max(most, ...sides.filter(Number.isFinite));
  }
  const side = Math.max(height, width);
  return clamp(most, 0.04 * side, 0.15 * side);
}

function grayCopy(photo) {
  const canvas = element("canvas", { width: photo.naturalWidth, height: photo.naturalHeight });
  const context = canvas.getContext("2d");
  context.drawImage(photo, 0, 0);
  const picture = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < picture.data.length; i += 4) {
    const [red, green, blue] = picture.data.subarray(i, i + 3);
    picture.data.fill(0.75 * (0.299 * red + 0.587 * green + 0.114 * blue), i, i + 3);
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

/** A canvas with one pixel per number: its colour from the map, its opacity from `alpha(shade)`. */
function paintShades(data, rows, cols, colors, alpha) {
  const canvas = element("canvas", { width: cols, height: rows });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(cols, rows);
  data.forEach((shade, i) => {
    picture.data.set(colors.subarray(3 * shade, 3 * shade + 3), 4 * i);
    picture.data[4 * i + 3] = alpha(shade);
  });
  context.putImageData(picture, 0, 0);
  return canvas;
}

/**
 * The image with the box of the unit; inside it, the gradient. `place` says where pixel (0, 0) is drawn.
 * `still(name, paint)` paints what does not depend on the box.
 */
function drawScene(context, { scale, left, top }, { photo, gray, field, state }, still) {
  const box = state.box;
  const sides = [
    left + box.left * scale, top + box.top * scale, (box.right - box.left) * scale, (box.bottom - box.top) * scale,
  ];
  const inside = rectangle(...sides);
  const ground = [left, top, state.width * scale, state.height * scale];
  const image = rectangle(...ground);
  still("dimmed", (layer) => {
    layer.drawImage(photo, ...ground);
    layer.fillStyle = "rgba(0, 0, 0, 0.45)";
    layer.fill(image);
  });
  context.save();
  context.clip(image);
  context.clip(inside);
  still("gray", (layer) => layer.drawImage(gray, ...ground));
  if (field?.canvas) {
    const [fieldTop, fieldLeft, fieldBottom, fieldRight] = field.box.map((pixels) => pixels * scale);
    // Single pixels stay squares, where they are large enough to be seen.
    context.imageSmoothingEnabled = scale < 4;
    context.drawImage(field.canvas, left + fieldLeft, top + fieldTop, fieldRight - fieldLeft, fieldBottom - fieldTop);
    context.imageSmoothingEnabled = true;
  }
  context.restore();
  // What the box covers beyond the image is padding: hatched.
  if (box.top < 0 || box.left < 0 || box.bottom > state.height || box.right > state.width) {
    const around = rectangle(-1, -1, context.canvas.width + 2, context.canvas.height + 2);
    around.addPath(image);
    context.save();
    context.clip(around, "evenodd");
    hatch(context, inside, ACCENT);
    context.restore();
  }
  frameAround(context, ...sides);
}

/** The image with a margin around it; a box that is too small to be seen is drawn a second time, enlarged. */
function drawImage(stage, context, width, height, margin, scene) {
  const { state } = scene;
  const scale = width / (state.width + 2 * margin);
  const still = (name, paint) => stage.copyLayer(context, name, scene.gray === scene.photo, paint);
  drawScene(context, { scale, left: margin * scale, top: margin * scale }, scene, still);
  const box = state.box;
  const side = Math.max(box.bottom - box.top, box.right - box.left);
  if (side * scale > SMALL_BOX) return;

  const lens = Math.round(0.36 * Math.min(width, height));
  const lensScale = lens / (side * 1.8);
  // In the corner that is farthest from the box.
  const [middleX, middleY] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
  const lensLeft = middleX > state.width / 2 ? 6 : width - lens - 6;
  const lensTop = middleY > state.height / 2 ? 6 : height - lens - 6;
  context.save();
  const frame = rectangle(lensLeft, lensTop, lens, lens);
  context.fillStyle = getComputedStyle(stage.node).getPropertyValue("--paper");
  context.fill(frame);
  context.clip(frame);
  drawScene(
    context,
    { scale: lensScale, left: lensLeft + lens / 2 - middleX * lensScale, top: lensTop + lens / 2 - middleY * lensScale },
    scene,
    (_name, paint) => paint(context),
  );
  context.restore();
  strokeOnPicture(context, frame, "#000");
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const colors = decode(model.get("_colormap"), Uint8Array);
  const networks = model.get("_layers");
  const margin = marginOf(networks, model.get("_height"), model.get("_width"));
  const photo = loadImage(model);
  let gray = null;
  const state = () => readState(shared);

  const networkMenu = menu("Network", (network) => {
    // The layer at the same depth of the list, so that networks can be compared.
    const depth = state().layers.indexOf(state().layer);
    const layers = networks[network];
    shared.set({ network, layer: layers[Math.min(depth, layers.length - 1)].name });
  });
  networkMenu.fill(Object.keys(networks).map((name) => [name, name]));
  const layerMenu = menu("Layer", (layer) => shared.set({ layer }));

  const strengths = legend(colors);
  const activations = legend(colors);
  const image = figure("Image", new Stage({ role: "img" }), strengths.node, hint("Hover or drag: the nearest unit is chosen. A small box is also shown enlarged."));
  const map = figure(
    "Feature map",
    new Stage({ role: "application", "aria-roledescription": "feature map", tabIndex: 0 }),
    activations.node,
    hint("Hover over a unit, or click one and use the arrow keys."),
  );
  const numbers = readout({
    position: "Unit",
    size: "Theoretical field",
    box: "The box covers",
    outside: "Beyond the image (padding)",
    start: "Field of unit (0, 0)",
    share: "Gradient over 4.55 % of its peak",
  });

  const moveTo = (row, col) => {
    const now = state();
    if (row === now.row && col === now.col) return;
    shared.set({ _down: (row + 0.5) / now.layer.rows, _across: (col + 0.5) / now.layer.cols });
  };
  map.stage.node.addEventListener("keydown", (event) => {
    const { row, col, layer } = state();
    const move = moveByKey(event, { row, col, rows: layer.rows, cols: layer.cols });
    if (!move) return;
    event.preventDefault();
    moveTo(move.row, move.col);
  });
  const focusMap = () => map.stage.node.focus({ preventScroll: true });
  map.stage.onPointer((x, y) => {
    const { rows, cols } = state().layer;
    moveTo(clamp(Math.floor(y * rows), 0, rows - 1), clamp(Math.floor(x * cols), 0, cols - 1));
  }, focusMap);
  image.stage.onPointer((x, y) => {
    const { layer, height, width, infinite } = state();
    if (infinite) return;
    moveTo(
      nearest(layer.tops, layer.bottoms, y * (height + 2 * margin) - margin),
      nearest(layer.lefts, layer.rights, x * (width + 2 * margin) - margin),
    );
  }, focusMap);

  const fields = new Map();
  const keep = () => {
    const answer = model.get("_field");
    if (!answer.request) return;
    fields.delete(String(answer.request));
    fields.set(String(answer.request), answer.error ? answer : readField(answer, colors));
    if (fields.size > MOST_FIELDS) fields.delete(fields.keys().next().value);
  };
  keep();
  // Only where the reader pauses: a gradient keeps the processor busy, and a drag would stutter. ipywidgets sends no
  // message while one is being answered, and then only the newest values: so at most one gradient is being computed.
  let asking = 0;
  const ask = ({ unit }) => {
    clearTimeout(asking);
    const known = fields.get(String(unit));
    // What failed is asked for again when the reader comes back to it.
    if (known && !known.error) return;
    asking = setTimeout(() => {
      if (String(shared.get("_request")) !== String(unit)) shared.ask({ _request: unit });
    }, PAUSE);
  };

  const maps = new Map();
  const pictureOf = ({ network, layer }) => {
    const key = `${network} ${layer.name}`;
    if (!maps.has(key)) {
      const shades = decode(layer.activation, Uint8Array);
      maps.set(key, { shades, canvas: paintShades(shades, layer.rows, layer.cols, colors, () => 255) });
    }
    return maps.get(key);
  };

  const resize = (column) => {
    const { height, width } = state();
    image.stage.resize(column, (column * (height + 2 * margin)) / (width + 2 * margin));
  };
  const draw = () => {
    const now = state();
    const { layer } = now;
    const field = fields.get(String(now.unit));
    const scene = { photo, gray: gray ?? photo, field, state: now };
    image.stage.draw((context, width, height) => drawImage(image.stage, context, width, height, margin, scene));
    const { shades, canvas } = pictureOf(now);
    map.stage.fit(image.stage, layer.rows, layer.cols);
    map.stage.draw((context, width, height) => {
      const [cellWidth, cellHeight] = [width / layer.cols, height / layer.rows];
      map.stage.copyLayer(context, "units", `${now.network} ${layer.name}`, (still) => {
        still.imageSmoothingEnabled = false;
        still.drawImage(canvas, 0, 0, width, height);
        drawGrid(still, width, height, layer);
      });
      markCell(context, now.col * cellWidth, now.row * cellHeight, cellWidth, cellHeight);
    });

    networkMenu.select.value = now.network;
    layerMenu.fill(now.layers.map(({ name, kind, rows, cols }) => [name, `${name} · ${kind} · ${rows} × ${cols}`]));
    layerMenu.select.value = layer.name;
    image.retitle("what the unit can see, and what it reacts to");
    map.retitle(`${now.network} ${layer.name}, ${layer.rows} × ${layer.cols}`);
    const activation = layer.low + ((layer.high - layer.low) * shades[now.row * layer.cols + now.col]) / 255;
    activations.show({ from: layer.low, to: layer.high, at: activation, label: "mean activation of the channels" });
    strengths.show({ from: 0, to: 1, at: null, label: "gradient, relative to the strongest", digits: 0 });
    const texts = describe(now, field);
    numbers.show(texts);
    const seen = [texts.box].flat().join(" ").replace("\n", " ");
    const sentence = `Row ${now.row}, column ${now.col} of ${layer.rows} by ${layer.cols}: it sees ${seen}.`;
    map.stage.node.setAttribute("aria-label", `Feature map of ${now.network}, layer ${layer.name}. ${sentence}`);
    image.stage.node.setAttribute("aria-label", `Image with the receptive field over ${seen}.`);
    ask(now);
    return sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Receptive field explorer",
    content: [
      element("div", { className: "explorer-controls" }, networkMenu.node, layerMenu.node),
      element("div", { className: "explorer-figures" }, image.node, map.node),
      numbers.node,
    ],
    column: image.node,
    traits: ["network", "layer", "_down", "_across"],
    resize,
    draw,
  });
  const onField = () => { keep(); redraw(); };
  model.on("change:_field", onField);
  photo.decode().then(() => { gray = grayCopy(photo); redraw(); });
  return () => { clearTimeout(asking); model.off("change:_field", onField); dispose(); };
}

function readField({ box, rows, cols, data, share }, colors) {
  if (!rows || !cols) return { box, share, canvas: null };
  return { box, share, canvas: paintShades(decode(data, Uint8Array), rows, cols, colors, (shade) => shade) };
}

/** Index of the field whose middle is nearest to a pixel. */
function nearest(starts, ends, pixel) {
  const distances = starts.map((start, i) => Math.abs((start + ends[i]) / 2 - pixel));
  return distances.indexOf(Math.min(...distances));
}

/** Thin lines between the units, where these are large enough. */
function drawGrid(context, width, height, { rows, cols }) {
  if (width / cols < 8) return;
  context.strokeStyle = "rgba(255, 255, 255, 0.35)";
  context.lineWidth = 0.5;
  context.beginPath();
  for (let row = 1; row < rows; row++) { context.moveTo(0, (row * height) / rows); context.lineTo(width, (row * height) / rows); }
  for (let col = 1; col < cols; col++) { context.moveTo((col * width) / cols, 0); context.lineTo((col * width) / cols, height); }
  context.stroke();
}

function describe({ layer, row, col, height, width, infinite, box }, field) {
  const texts = {
    position: [`row ${row}, column ${col}`, `of ${layer.rows} × ${layer.cols}`],
    share: field ? shareText(field) : ["…", "asked of the kernel"],
  };
  if (infinite) return { ...texts, size: "∞", box: ["the whole image", "whatever its size"], outside: "–", start: "–" };
  const beyond = Object.entries({
    above: -box.top, left: -box.left, below: box.bottom - height, right: box.right - width,
  }).filter(([, pixels]) => pixels > 0);
  return {
    ...texts,
    size: [`${number(layer.size[0])} × ${number(layer.size[1])} pixels`, `stride ${pair(layer.stride)}`],
    box: `${span("rows", box.top, box.bottom)},\n${span("columns", box.left, box.right)}`,
    outside: beyond.length ? beyond.map(([side, pixels]) => `${pixels} ${side}`).join(", ") : "nothing",
    start: `starts at ${pair(layer.start)}, centre ${pair(layer.center)}`,
  };
}

const span = (what, first, end) => `${what} ${number(first)}…${number(end - 1)}`;

/** One number where rows and columns agree. */
const pair = ([down, across]) => (down === across ? number(down) : `(${number(down)}, ${number(across)})`);

function shareText({ error, share, canvas }) {
  if (error) return ["failed", error];
  if (!canvas) return ["none", "the unit sees padding only"];
  if (share === 0) return ["zero", "the unit is switched off here"];
  const percent = 100 * share;
  return [`${percent.toFixed(percent < 10 ? 1 : 0)} % of the box`];
}

const number = (value) => String(Number(value.toFixed(2))).replace("-", "−");

export default { render };
