// The weight map explorer: cells and the weight of every pixel, side by side; w0 and sigma can be moved.

const STEPS = { w0: 0.5, sigma: 0.25 };

/** A labelled slider with its value beside it. */
function slider(label, [low, high], step, unit, choose) {
  const id = `weight-map-${Math.random().toString(36).slice(2)}`;
  const input = element("input", { type: "range", id, min: low, max: high, step });
  const output = element("output", { htmlFor: id });
  input.addEventListener("input", () => choose(Number(input.value)));
  return {
    node: element("div", { className: "weight-map-slider" }, element("label", { htmlFor: id }, label), input, output),
    show(value) {
      if (Number(input.value) !== value) input.value = value;
      setText(output, `${Number(value.toFixed(2))}${unit}`);
    },
  };
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const [rows, cols] = [model.get("_height"), model.get("_width")];
  const colors = decode(model.get("_colormap"), Uint8Array);
  const ids = decode(model.get("_ids"), Uint16Array);
  const near = new NearestCells(ids, model.get("_sites").map((text) => decode(text, Int32Array)), rows, cols);
  const painter = new WeightPainter(rows, cols, colors);
  const outlines = new Outlines(ids, rows, cols);
  const limits = model.get("_limits");
  const photo = loadImage(model);
  let side = 1; // of a pixel on the screen
  let computed = { key: "" };

  const settings = () => {
    const balanced = shared.get("balanced");
    const classWeights = balanced ? model.get("_class_weights") : [1, 1];
    return { w0: shared.get("w0"), sigma: shared.get("sigma"), balanced, classWeights };
  };
  const weightsNow = (now) => {
    const key = `${now.w0} ${now.sigma} ${now.classWeights}`;
    if (computed.key !== key) computed = { key, weights: weightsOf(near, now) };
    return computed.weights;
  };
  const moveTo = ({ row, col }) => {
    if (row !== shared.get("row") || col !== shared.get("col")) shared.set({ row, col });
  };

  const w0 = slider("w₀", limits.w0, STEPS.w0, "", (value) => shared.set({ w0: value }));
  const sigma = slider("σ", limits.sigma, STEPS.sigma, " pixels", (value) => shared.set({ sigma: value }));
  const balancing = checkbox("Balance the classes (w_c)", (on) => shared.set({ balanced: on }));

  const image = figure("Cells", new Stage({ role: "img" }), hint("Orange: the nearest cell. Blue, dashed: the second nearest."));
  const bar = legend(colors);
  const map = figure(
    "Weight of every pixel",
    new Stage({ role: "application", "aria-roledescription": "weight map", tabIndex: 0 }),
    bar.node,
    hint("Point at a pixel, or use the arrow keys."),
  );
  const numbers = readout({
    position: "Pixel",
    d1: "d1, to the nearest cell",
    d2: "d2, to the second nearest",
    border: "Border term",
    weight: "Weight w",
  });

  const cellAt = (x, y) => ({
    row: clamp(Math.floor(y * rows), 0, rows - 1),
    col: clamp(Math.floor(x * cols), 0, cols - 1),
  });
  const focusMap = () => map.stage.node.focus({ preventScroll: true });
  for (const { stage } of [image, map]) stage.onPointer((x, y) => moveTo(cellAt(x, y)), focusMap);
  map.stage.node.addEventListener("keydown", (event) => {
    const move = moveByKey(event, { row: shared.get("row"), col: shared.get("col"), rows, cols });
    if (!move) return;
    event.preventDefault();
    moveTo(move);
  });

  const resize = (column) => {
    side = pixelSide(column, rows, cols);
    for (const { stage } of [image, map]) stage.resize(cols * side, rows * side);
  };
  const draw = () => {
    const [row, col, now] = [shared.get("row"), shared.get("col"), settings()];
    const i = row * cols + col;
    const weights = weightsNow(now);
    const most = Math.max(...now.classWeights) + now.w0;
    const loaded = photo.complete;
    image.stage.draw((context) => {
      image.stage.copyLayer(context, "photo", loaded, (layer, width, height) => {
        layer.imageSmoothingEnabled = false;
        if (loaded) layer.drawImage(photo, 0, 0, width, height);
      });
      drawNearest(context, side, near, outlines, i);
      drawPixel(context, side, cols, i);
    });
    map.stage.draw((context) => {
      map.stage.copyLayer(context, "weights", computed.key, (layer, width, height) =>
        painter.draw(layer, width, height, weights, most));
      drawNearest(context, side, near, outlines, i);
      drawPixel(context, side, cols, i);
    });

    w0.show(now.w0);
    sigma.show(now.sigma);
    balancing.input.checked = now.balanced;
    image.retitle(`${rows} × ${cols} pixels`);
    map.retitle("in the loss");
    bar.show({ from: 0, to: most, at: weights[i], label: "weight", digits: 3 });
    const texts = describe(near, ids, now, i, weights[i]);
    numbers.show({ position: [`row ${row}, column ${col}`, `of ${rows} × ${cols}`], ...texts });
    const sentence = `Row ${row}, column ${col}: weight ${texts.weight[0]}, d1 ${texts.d1[0]}, d2 ${texts.d2[0]}.`;
    map.stage.node.setAttribute("aria-label", `Weight of every pixel. ${sentence}`);
    image.stage.node.setAttribute("aria-label", `Cells, ${rows} by ${cols} pixels. ${sentence}`);
    return sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Weight map explorer",
    content: [
      element("div", { className: "explorer-controls" }, w0.node, sigma.node, balancing.node),
      element("div", { className: "explorer-figures" }, image.node, map.node),
      numbers.node,
    ],
    column: image.node,
    traits: ["w0", "sigma", "balanced", "row", "col"],
    resize,
    draw,
  });
  map.stage.node.closest(".explorer").classList.add("weight-map");
  photo.decode().then(redraw);
  return dispose;
}

/** What the read-out tells of pixel i. */
function describe(near, ids, { w0, sigma, classWeights }, i, weight) {
  const kind = ids[i] > 0 ? 1 : 0;
  const base = `w_c (${kind ? "cell" : "background"}) ${classWeights[kind].toFixed(4)}`;
  if (!near.known) {
    const none = ["none", "there are fewer than two cells"];
    return { d1: none, d2: none, border: ["0.0000", "without two cells there is none"], weight: [weight.toFixed(4), base] };
  }
  const [d1, d2] = [0, 1].map((which) => [near.distance(i, which).toFixed(4), `pixels, cell ${near.cell(i, which)}`]);
  const term = borderTerm(near.apart[i], w0, sigma).toFixed(4);
  const border = [term, `w₀ · exp(−${near.apart[i].toFixed(2)}² / 2σ²)`];
  return { d1, d2, border, weight: [weight.toFixed(4), `${base} + border term`] };
}

export default { render };
