// The alignment explorer: where the units of every map of a network lie over the image, and the crops that follow.

const VIEWS = [["start", "the beginning"], ["whole", "all"], ["pixel", "the pixel's surroundings"]];
const OWN = "own";

/** A labelled slider with its value beside it. */
function slider(label, min, max, choose) {
  const input = element("input", { type: "range", min, max, step: 1 });
  const value = element("output");
  input.addEventListener("input", () => choose(Number(input.value)));
  const node = element("label", { className: "alignment-slider" }, element("span", {}, label), input, value);
  return {
    node,
    show(number) {
      if (input.value !== String(number)) input.value = number;
      setText(value, String(number));
    },
  };
}

function button(label, title, act) {
  const node = element("button", { type: "button", title }, label);
  node.addEventListener("click", act);
  return node;
}

/** All that follows from the layers and the size of the image; computed anew, under a new key, only when they change. */
function analyser(shared, most) {
  let result = { key: 0 };
  return () => {
    const [layers, size] = [shared.get("_layers"), shared.get("size")];
    if (layers !== result.layers || size !== result.size) {
      const { rows, problem } = align(layers, size);
      const maps = shownMaps(rows, size);
      result = { key: result.key + 1, layers, size, rows, problem, maps, smallest: smallestSize(layers, most) };
    }
    return result;
  };
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const presets = model.get("_presets");
  const [mostPixels, mostPadding] = model.get("_limits");
  const analyse = analyser(shared, mostPixels);
  let center = shared.get("pixel"); // of the view around a pixel: it stays while the pointer moves inside

  const edit = (layers) => shared.set({ network: OWN, _layers: layers });
  const changeLayer = (index, values) => {
    edit(shared.get("_layers").map((layer, i) => (i === index ? { ...layer, ...values } : layer)));
  };
  const networks = menu("Network", (name) => {
    if (name !== OWN) shared.set({ network: name, _layers: presets[name] });
  });
  const sizes = slider("Image", 1, mostPixels, (size) => shared.set({ size, pixel: Math.min(shared.get("pixel"), size - 1) }));
  const paddings = slider("First padding", 0, mostPadding, (padding) => changeLayer(0, { padding }));
  const views = radios("Show", (view) => {
    center = shared.get("pixel");
    shared.set({ view });
  });
  views.fill(VIEWS);
  const kinds = menu("New layer", () => {});
  kinds.fill(["conv", "pool", "deconv", "join"].map((kind) => [kind, kind]));
  const chosenIndex = () => shared.get("_layers").findIndex(({ name }) => name === shared.get("layer"));
  const add = button("Add below", "a layer below the chosen one", () => {
    const layers = [...shared.get("_layers")];
    const layer = newLayer(kinds.select.value, layers);
    layers.splice(chosenIndex() + 1, 0, layer);
    shared.set({ network: OWN, _layers: layers, layer: layer.name });
  });
  const remove = button("Remove", "the chosen layer", () => {
    const layers = shared.get("_layers").filter((_, index) => index !== chosenIndex());
    shared.set({ network: OWN, _layers: layers, layer: IMAGE });
  });

  const ruler = figure(
    "Maps over the image",
    new Stage({ role: "application", "aria-roledescription": "maps over the image", tabIndex: 0 }),
    hint("Drag along the image. ← → move by a pixel, Page Up and Page Down by ten, ↑ ↓ choose a map. Dot: unit 0. Hatched: cropped."),
  );
  const { stage } = ruler;
  const numbers = readout({
    position: "Pixel",
    crops: "Crops",
    cover: "Pixels that the last map covers",
    smallest: "Smallest image that gets through",
    derivation: "Chosen layer",
  });
  // The picture shows them; this is for those who listen.
  const units = element("p", { className: "explorer-spoken", "data-value": "units" });
  const entry = (name) => numbers.node.querySelector(`[data-value="${name}"]`).parentNode;
  entry("derivation").classList.add("alignment-wide");
  const problem = element("p", { className: "alignment-problem", role: "status", "data-value": "problem" });
  const table = layerTable(changeLayer, (layer) => {
    if (layer !== shared.get("layer")) shared.set({ layer });
  });

  let scale = null;
  const moveTo = (pixel, map) => {
    const { size, maps } = analyse();
    const values = { pixel: clamp(Math.round(pixel), 0, size - 1) };
    const chosen = maps[clamp(map, 0, maps.length - 1)];
    if (!chosen.layers.includes(shared.get("layer"))) values.layer = chosen.name;
    if (values.pixel !== shared.get("pixel") || values.layer) shared.set(values);
  };
  const chosenMap = (maps) => Math.max(maps.findIndex(({ layers }) => layers.includes(shared.get("layer"))), 0);
  stage.onPointer(
    (x, y) => moveTo(scale.pixel(x * stage.width), Math.floor((y * stage.height) / STRIP)),
    () => stage.node.focus({ preventScroll: true }),
  );
  stage.node.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const { maps, size } = analyse();
    const [pixel, map] = [shared.get("pixel"), chosenMap(maps)];
    const moves = {
      ArrowLeft: [pixel - 1, map], ArrowRight: [pixel + 1, map], ArrowUp: [pixel, map - 1], ArrowDown: [pixel, map + 1],
      PageUp: [pixel - 10, map], PageDown: [pixel + 10, map], Home: [0, map], End: [size - 1, map],
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moveTo(...moves[event.key]);
  });

  let column = 0;
  const resize = (width) => { column = width; };
  const drawPicture = (now, pixel) => {
    const { maps, size, key } = now;
    const view = shared.get("view");
    if (Math.abs(pixel - center) > 23) center = pixel;
    stage.resize(column, maps.length * STRIP + 4 + RULER);
    const range = rangeOf(view, maps, size, center);
    scale = scaleOf(range, stage.width);
    const look = getComputedStyle(stage.node);
    const theme = {};
    for (const name of ["paper", "line", "text", "faint"]) theme[name] = look.getPropertyValue(`--${name}`);
    stage.draw((context, width, height) => {
      const layerKey = JSON.stringify([key, range, theme]);
      stage.copyLayer(context, "maps", layerKey, (layer) => drawMaps(layer, maps, size, scale, height, theme));
      drawPixel(context, maps, pixel, chosenMap(maps), scale, height, theme);
      stage.copyLayer(context, "first units", layerKey, (layer) => drawFirstUnits(layer, maps, scale, theme));
    });
  };

  const draw = () => {
    const now = analyse();
    const { key, layers, rows, maps, size, smallest } = now;
    const pixel = clamp(shared.get("pixel"), 0, size - 1);
    drawPicture(now, pixel);

    const network = shared.get("network");
    networks.fill([...Object.keys(presets), OWN].map((name) => [name, name === OWN ? "your own" : name]));
    networks.select.value = network;
    sizes.show(size);
    paddings.show(layers[0]?.padding ?? 0);
    paddings.node.hidden = !layers.length || layers[0].kind === "join";
    views.check(shared.get("view"));
    const chosen = shared.get("layer");
    remove.disabled = chosenIndex() < 0;
    problem.hidden = !now.problem;
    setText(problem, now.problem);
    table.show(key, layers, rows, chosen);
    ruler.retitle(`${size} pixels along one axis, ${layers.length} layers`);

    const row = rows.find(({ layer }) => layer.name === chosen);
    const [first, then] = row ? derivation(row) : [`${size} pixels`, "stride 1; unit 0 at 0"];
    numbers.show({
      position: [`pixel ${pixel}`, `of ${size}`],
      crops: cropTexts(rows),
      cover: now.problem || !rows.length ? "–" : coverText(rows.at(-1), size),
      smallest: smallest === null ? [`more than ${mostPixels}`] : [`${smallest} pixel${smallest === 1 ? "" : "s"}`],
      derivation: [`${row ? chosen : IMAGE}: ${first}`, then],
    });
    setText(units, unitsTexts(maps, pixel));
    const sentence = `Pixel ${pixel} of ${size}: ${unitsTexts([maps[chosenMap(maps)]], pixel)}. Crops: ${cropTexts(rows)}.`;
    stage.node.setAttribute("aria-label", `Maps of ${network === OWN ? "your own network" : network} over the image. ${sentence}`);
    return now.problem || sentence;
  };

  const { dispose } = mount({
    shared,
    el,
    name: "Alignment explorer",
    content: [
      element("div", { className: "explorer-controls" }, networks.node, sizes.node, paddings.node, views.node),
      problem,
      element("div", { className: "explorer-figures alignment-figure" }, ruler.node),
      numbers.node,
      units,
      element("div", { className: "explorer-controls alignment-edit" }, kinds.node, add, remove),
      table.node,
    ],
    column: ruler.node,
    traits: ["network", "size", "pixel", "layer", "view", "_layers"],
    resize,
    draw,
  });
  stage.node.closest(".explorer").classList.add("alignment");
  return dispose;
}

export default { render };
