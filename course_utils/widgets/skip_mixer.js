// The skip mixer: a slider for each score map of a trained net; their weighted sum gives the class of every pixel.

const THUMBNAIL = 96; // CSS pixels, the longer side
const MOST = 2; // weight

/** One map's slider, beside what the map alone would say, in its own pixels. */
function mapControl({ name, rows, cols, data }, about, numClasses, words, choose) {
  const cells = new PixelCanvas(rows, cols);
  const thumbnail = cells.show((i) => words[argmax(data, numClasses, i, rows * cols)]);
  const scale = THUMBNAIL / Math.max(rows, cols);
  Object.assign(thumbnail.style, { width: `${cols * scale}px`, height: `${rows * scale}px` });
  thumbnail.setAttribute("aria-hidden", "true");
  const id = `mixer-${Math.random().toString(36).slice(2)}`;
  const input = element("input", { type: "range", id, min: 0, max: MOST, step: 0.05 });
  const output = element("output", { htmlFor: id });
  input.addEventListener("input", () => choose(Number(input.value)));
  const node = element(
    "div",
    { className: "mixer-map" },
    thumbnail,
    element("label", { htmlFor: id }, `Weight of ${name}`),
    element("small", {}, about),
    element("div", {}, input, output),
  );
  return {
    node,
    show(weight) {
      if (Number(input.value) !== weight) input.value = weight;
      setText(output, weight.toFixed(2));
    },
  };
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const [rows, cols] = [model.get("_height"), model.get("_width")];
  const classNames = model.get("_class_names");
  const colors = decode(model.get("_palette"), Uint8Array);
  const css = classNames.map((_, k) => `rgb(${colors.subarray(3 * k, 3 * k + 3).join()})`);
  const maps = model.get("_maps").map(({ data, ...map }) => ({ ...map, data: decode(data, Float32Array) }));
  const names = maps.map(({ name }) => name);
  const presets = model.get("_presets");
  const hasTarget = model.get("_truth") !== "";
  const truth = hasTarget ? decode(model.get("_truth"), Uint8Array) : new Uint8Array(rows * cols).fill(VOID);
  const mixer = new Mixer(maps, classNames.length, rows, cols);
  const span = spanOf(maps);
  const labelPainter = new LabelPainter(truth, rows, cols, colors);
  const photo = loadImage(model);
  let left = "image";
  let hatched = true;

  const scoresNow = (weights) => scoresOf(countPairs(mixer.mix(weights), truth, classNames.length), "nan");
  const weightsNow = () => names.map((name) => shared.get("weights")[name]);
  const setWeights = (weights) => shared.set({ weights: Object.fromEntries(names.map((name, m) => [name, weights[m]])) });
  const moveTo = ({ row, col }) => {
    if (row !== shared.get("row") || col !== shared.get("col")) shared.set({ row, col });
  };

  const presetChoice = radios("Maps as in", (name) => setWeights(presets[name]));
  presetChoice.fill(Object.entries(presets).map(([name, weights]) => [name, name, titleOf(names, weights)]));
  const besides = radios("Beside it", (what) => {
    left = what;
    redraw();
  });
  besides.fill([["image", "the image"], ["truth", "the truth"]]);
  const hatching = checkbox("Hatch what is wrong", (on) => {
    hatched = on;
    redraw();
  });
  besides.node.hidden = hatching.node.hidden = !hasTarget;
  const controls = maps.map((map, m) =>
    mapControl(map, sizeText(map, rows, cols), classNames.length, labelPainter.words, (weight) =>
      setWeights(weightsNow().with(m, weight))));

  const image = figure("Image", new Stage({ role: "img" }), hint("Point at a pixel: what each map says of it stands below."));
  const map = figure(
    "Class of every pixel",
    new Stage({ role: "application", "aria-roledescription": "label map", tabIndex: 0 }),
    hint("Move the sliders above. Keys: arrows move the cursor."),
  );
  const numbers = readout({ position: "Pixel", label: "Highest sum", decides: "Decided by" });
  const scoresHere = scoreTable(names, classNames, css);
  const ious = hasTarget ? iouTable(classNames, css, scoresNow(names.map(() => 1))) : null;

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
    const side = pixelSide(column, rows, cols);
    for (const { stage } of [image, map]) stage.resize(cols * side, rows * side);
  };
  const draw = () => {
    const [row, col, weights] = [shared.get("row"), shared.get("col"), weightsNow()];
    const labels = mixer.mix(weights);
    const here = mixer.judge(row * cols + col, weights);
    const picture = photo.complete ? photo : null;
    image.stage.draw((context, width, height) => {
      image.stage.copyLayer(context, "left", `${left} ${Boolean(picture)}`, (layer) => {
        layer.imageSmoothingEnabled = false;
        if (left === "truth") labelPainter.drawLabels(layer, width, height, truth, picture);
        else if (picture) layer.drawImage(picture, 0, 0, width, height);
        if (left === "truth") labelPainter.drawVoid(layer, width);
      });
      labelPainter.drawBrush(context, width, { row, col }, [[0, 0]]);
    });
    map.stage.draw((context, width, height) => {
      map.stage.copyLayer(context, "labels", `${weights} ${hatched} ${Boolean(picture)}`, (layer) => {
        labelPainter.drawLabels(layer, width, height, labels, picture);
        if (hatched) labelPainter.drawErrors(layer, map.stage, labels, labelPainter.whole);
      });
      labelPainter.drawBrush(context, width, { row, col }, [[0, 0]]);
    });

    controls.forEach((control, m) => control.show(weights[m]));
    presetChoice.check(Object.keys(presets).find((name) => presets[name].every((weight, m) => weight === weights[m])));
    besides.check(left);
    hatching.input.checked = hatched;
    image.retitle(left === "truth" ? "with the truth over it" : `${rows} × ${cols} pixels`);
    const scores = hasTarget ? scoresNow(weights) : null;
    map.retitle(scores ? `mean IoU ${scores.mean_iu.toFixed(3)}` : titleOf(names, weights));
    ious?.show(scores);
    scoresHere.show(here, weights, span);
    const texts = describe(here, names, classNames, truth[row * cols + col]);
    numbers.show({ position: [`row ${row}, column ${col}`, `of ${rows} × ${cols}`], ...texts });
    const sentence = `Row ${row}, column ${col}: ${texts.label[0]}, decided by ${texts.decides[0]}.`;
    const sum = titleOf(names, weights);
    map.stage.node.setAttribute("aria-label", `Class of every pixel, from ${sum}. ${sentence}`);
    image.stage.node.setAttribute("aria-label", `Image of ${rows} by ${cols} pixels. ${sentence}`);
    return scores ? `Mean IoU ${scores.mean_iu.toFixed(3)}. ${sentence}` : sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Skip mixer",
    content: [
      element("div", { className: "explorer-controls" }, presetChoice.node, besides.node, hatching.node),
      element("div", { className: "mixer-maps" }, ...controls.map(({ node }) => node)),
      hint("All maps are of one trained net: to switch one off is not the same as to train a net without it."),
      element("div", { className: "explorer-figures" }, image.node, map.node),
      numbers.node,
      element("div", { className: "explorer-figures" }, scoresHere.node, ...(ious ? [ious.node] : [])),
    ],
    column: image.node,
    traits: ["weights", "row", "col"],
    resize,
    draw,
  });
  map.stage.node.closest(".explorer").classList.add("mixer");
  photo.decode().then(redraw);
  return dispose;
}

/** Difference between the highest and the lowest score of all maps: how many decimals are worth showing. */
function spanOf(maps) {
  let [low, high] = [Infinity, -Infinity];
  for (const { data } of maps) {
    for (const score of data) {
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
  }
  return high - low || 1;
}

function sizeText(map, rows, cols) {
  const [down, across] = [rows / map.rows, cols / map.cols];
  const stride = Number.isInteger(down) && down === across ? `, stride ${down}` : "";
  return `${map.rows} × ${map.cols}${stride}`;
}

/** "conv7 + 0.50 · pool4". */
function titleOf(names, weights) {
  const terms = names.flatMap((name, m) => (weights[m] ? [weights[m] === 1 ? name : `${weights[m].toFixed(2)} · ${name}`] : []));
  return terms.join(" + ") || "nothing";
}

function describe({ first, second, on, deciders }, names, classNames, truth) {
  const label = [classNames[first], `then ${classNames[second]}`];
  if (truth !== VOID) label[1] += `; truth: ${classNames[truth]}`;
  if (on.length === 0) return { label, decides: ["nothing", "every weight is 0, so every sum is 0"] };
  if (on.length === 1) return { label, decides: [`${names[on[0]]} alone`, "the others have weight 0"] };
  if (deciders.length === 0) return { label, decides: ["no single map", "without any one of them the class stays the same"] };
  const all = deciders.map(({ map }) => names[map]).join(" and ");
  const without = deciders.map(({ map, winner }) => `without ${names[map]}: ${classNames[winner]}`).join("; ");
  return { label, decides: [all, without] };
}

export default { render };
