// Sliding windows: a window on the image ↔ a cell of the score map.

// Okabe & Ito's colours.
const HUES = [
  [0, 114, 178], [230, 159, 0], [0, 158, 115], [213, 94, 0],
  [86, 180, 233], [204, 121, 167], [240, 228, 66], [120, 120, 120],
];

/** Colour of a shifted pass: the hue tells the shift down, the lightness the shift across. */
function passColor(row, col, cols) {
  const white = cols > 1 ? (0.72 * col) / (cols - 1) : 0;
  const [r, g, b] = HUES[row % HUES.length].map((part) => Math.round(part + (255 - part) * white));
  return { css: `rgb(${r},${g},${b})`, ink: inkOn(r, g, b) };
}

/** Reads the model's traits: everything that one picture shows. */
function readState(shared, grids, crops) {
  const stride = shared.get("stride");
  const { rows, cols, data } = grids.get(stride);
  const window = shared.get("_window");
  const names = shared.get("_class_names");
  const coarsest = Math.max(...grids.keys());
  const nearest = (start, count) => clamp(Math.floor((2 * start + stride) / (2 * stride)), 0, count - 1);
  const row = nearest(shared.get("_top"), rows);
  const col = nearest(shared.get("_left"), cols);
  const classIndex = names.indexOf(shared.get("class_name"));
  const scores = data.subarray(classIndex * rows * cols, (classIndex + 1) * rows * cols);
  const [top, left] = [row * stride, col * stride];
  let crop = null;
  if (crops && top % coarsest === 0 && left % coarsest === 0) {
    const coarse = grids.get(coarsest);
    crop = crops[(classIndex * coarse.rows + top / coarsest) * coarse.cols + left / coarsest];
  }
  const factor = coarsest / stride;
  const only = shared.get("only_shift");
  return {
    height: shared.get("_height"), width: shared.get("_width"), window, names, stride, coarsest, factor,
    rows, cols, row, col, top, left, classIndex, scores, crop, score: scores[row * cols + col],
    shifts: shared.get("shifts"), only: shared.get("shifts") && only.length ? only : null,
    pass: (r, c) => ({ row: r % factor, col: c % factor, number: (r % factor) * factor + (c % factor) + 1 }),
    shiftOf: (r, c) => [(r % factor) * stride, (c % factor) * stride],
  };
}

const shown = (state, row, col) => {
  if (!state.only) return true;
  const [down, across] = state.shiftOf(row, col);
  return down === state.only[0] && across === state.only[1];
};

function drawImage(context, stage, photo, state, key) {
  const { width, height } = stage;
  const scale = width / state.width;
  stage.copyLayer(context, "photo", photo.complete, (layer) => layer.drawImage(photo, 0, 0, width, height));
  const [top, left, side] = [state.top, state.left, state.window].map((pixels) => pixels * scale);
  const outside = rectangle(0, 0, width, height);
  outside.rect(left, top, side, side);
  context.fillStyle = "rgba(0, 0, 0, 0.5)";
  context.fill(outside, "evenodd");
  if (state.shifts) drawCutOff(context, width, height, scale, state);
  stage.copyLayer(context, "centers", key, (layer) => drawCenters(layer, scale, state));
  const middle = (start) => (start + state.window / 2) * scale;
  dot(context, middle(state.left), middle(state.top), centerRadius(scale, state) + 2.5, ACCENT);
  strokeOnPicture(context, rectangle(left, top, side, side));
}

/** What a shifted pass does not see: the rows above and the columns left of where it starts. */
function drawCutOff(context, width, height, scale, state) {
  const [down, across] = state.only ?? state.shiftOf(state.row, state.col);
  if (!down && !across) return;
  const cut = rectangle(0, 0, width, height);
  cut.rect(across * scale, down * scale, width, height);
  context.fillStyle = "rgba(0, 0, 0, 0.55)";
  context.fill(cut, "evenodd");
  hatch(context, cut, "#fff");
}

/** A dot in the middle of every window: the score map, laid over the image. */
function drawCenters(context, scale, state) {
  const radius = centerRadius(scale, state);
  const middle = (position) => (position * state.stride + state.window / 2) * scale;
  for (let row = 0; row < state.rows; row++) {
    for (let col = 0; col < state.cols; col++) {
      if (!shown(state, row, col)) continue;
      const { row: down, col: across } = state.pass(row, col);
      dot(context, middle(col), middle(row), radius, state.shifts ? passColor(down, across, state.factor).css : "#fff");
    }
  }
}

const centerRadius = (scale, state) => clamp((state.stride * scale) / 7, 1, 3);

function dot(context, x, y, radius, color) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = radius > 2 ? 1.5 : 0.75;
  context.strokeStyle = radius > 4 ? "#fff" : "rgba(0, 0, 0, 0.8)";
  context.fillStyle = color;
  context.fill();
  context.stroke();
}

/** Left, top, width and height of a cell; edges lie on half pixels, so that they are sharp. */
function cellBox(width, { cols }, row, col) {
  const edge = (index) => Math.round((index * width * 2) / cols) / 2;
  return [edge(col), edge(row), edge(col + 1) - edge(col), edge(row + 1) - edge(row)];
}

/** The score map. Each cell is at least coloured by its score; there is more on it where there is room. */
function drawCells(context, width, colors, range, state, line) {
  const side = width / state.cols;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `${Math.round(clamp(side * 0.3, 9, 15))}px system-ui, sans-serif`;
  for (let row = 0; row < state.rows; row++) {
    for (let col = 0; col < state.cols; col++) {
      const box = cellBox(width, state, row, col);
      if (!shown(state, row, col)) {
        context.strokeStyle = line;
        context.lineWidth = 0.5;
        context.strokeRect(...box);
        continue;
      }
      const score = state.scores[row * state.cols + col];
      const shade = clamp(Math.round((255 * (score - range.low)) / (range.high - range.low || 1)), 0, 255);
      const [red, green, blue] = colors.subarray(3 * shade, 3 * shade + 3);
      context.fillStyle = `rgb(${red},${green},${blue})`;
      context.fillRect(...box);
      if (state.shifts) drawPassFrame(context, box, state.pass(row, col), state.factor);
      if (side < (state.shifts ? 17 : 32)) continue;
      const label = state.shifts ? state.pass(row, col).number : format(score, range.high - range.low, side > 48 ? 3 : 2);
      context.fillStyle = inkOn(red, green, blue);
      context.fillText(label, box[0] + box[2] / 2, box[1] + box[3] / 2 + 0.5);
    }
  }
}

function drawPassFrame(context, [left, top, width, height], pass, factor) {
  const inset = Math.max(1.5, width * (width > 30 ? 0.2 : 0.12));
  const frame = rectangle(left, top, width, height);
  frame.rect(left + inset, top + inset, width - 2 * inset, height - 2 * inset);
  context.fillStyle = passColor(pass.row, pass.col, factor).css;
  context.fill(frame, "evenodd");
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const colors = decode(model.get("_colormap"), Uint8Array);
  const grids = new Map(
    model.get("_scores").map(({ stride, data, ...size }) => [stride, { ...size, data: decode(data, Float32Array) }]),
  );
  const crops = model.get("_crops") ? decode(model.get("_crops"), Float32Array) : null;
  const strides = [...grids.keys()].sort((a, b) => b - a);
  const names = model.get("_class_names");
  const photo = loadImage(model);
  const ranges = [];
  const state = () => readState(shared, grids, crops);

  const classes = menu("Class", (name) => shared.set({ class_name: name }));
  classes.fill(names.map((name) => [name, name]));
  const strideChoice = radios("Stride", (stride) => shared.set({ stride: Number(stride), only_shift: [] }));
  strideChoice.fill(strides.map((stride) => [String(stride), String(stride), `a window every ${stride} pixels`]));
  const shifts = checkbox("Shifted passes", (on) => shared.set({ shifts: on, only_shift: [] }));
  const passes = radios("Show", (shift) => shared.set({ only_shift: shift ? shift.split(",").map(Number) : [] }));

  const legendBar = legend(colors);
  const image = figure("Image", new Stage({ role: "img" }), hint("Hover or drag: the window follows."));
  const map = figure(
    "Score map",
    new Stage({ role: "application", "aria-roledescription": "score map", tabIndex: 0 }),
    legendBar.node,
    hint("Hover over a cell, or click one and use the arrow keys."),
  );
  const numbers = readout({
    position: "Position",
    window: "The window covers",
    size: model.get("_height") === model.get("_width") ? "Windows that fit each way" : "Windows that fit",
    score: "Score in one pass",
    crop: "Score of its own crop",
    difference: "Difference",
    pass: "Computed by",
  });

  const moveTo = (row, col) => {
    const { stride, row: oldRow, col: oldCol } = state();
    if (row !== oldRow || col !== oldCol) shared.set({ _top: row * stride, _left: col * stride });
  };
  map.stage.node.addEventListener("keydown", (event) => {
    const move = moveByKey(event, state());
    if (!move) return;
    event.preventDefault();
    moveTo(move.row, move.col);
  });
  const focusMap = () => map.stage.node.focus({ preventScroll: true });
  map.stage.onPointer((x, y) => {
    const { rows, cols } = state();
    moveTo(clamp(Math.floor(y * rows), 0, rows - 1), clamp(Math.floor(x * cols), 0, cols - 1));
  }, focusMap);
  image.stage.onPointer((x, y) => {
    const { rows, cols, stride, window, height, width } = state();
    const nearest = (pixel, count) => clamp(Math.round((pixel - window / 2) / stride), 0, count - 1);
    moveTo(nearest(y * height, rows), nearest(x * width, cols));
  }, focusMap);

  const resize = (column) => {
    const { height, width } = state();
    image.stage.resize(column, (column * height) / width);
  };

  const draw = () => {
    const now = state();
    const range = (ranges[now.classIndex] ??= rangeOf(grids, now.classIndex));
    const name = names[now.classIndex];
    const line = getComputedStyle(map.stage.node).getPropertyValue("--line");
    const key = JSON.stringify([name, now.stride, now.shifts, now.only, line]);
    image.stage.draw((context) => drawImage(context, image.stage, photo, now, key));
    map.stage.fit(image.stage, now.rows, now.cols);
    map.stage.draw((context, width) => {
      map.stage.copyLayer(context, "cells", key, (layer) => drawCells(layer, width, colors, range, now, line));
      markCell(context, ...cellBox(width, now, now.row, now.col));
    });

    classes.select.value = name;
    strideChoice.check(String(now.stride));
    shifts.input.checked = now.shifts;
    showPasses(passes, now);
    image.retitle(`the ${now.window} × ${now.window} window at row ${now.top}, column ${now.left}`);
    map.retitle(`${name}, ${now.rows} × ${now.cols} at stride ${now.stride}`);
    const width = range.high - range.low;
    legendBar.show({ from: range.low, to: range.high, at: now.score, label: `score of “${name}”` });
    const texts = describe(now, width, crops !== null);
    numbers.show(texts);
    const sentence = `Row ${now.row}, column ${now.col} of ${now.rows} by ${now.cols}: ${name} scores ${format(now.score, width)}.`;
    map.stage.node.setAttribute("aria-label", `Score map of ${name}. ${sentence}`);
    image.stage.node.setAttribute("aria-label", `Image with the window over ${texts.window[0]}.`);
    return sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Sliding window explorer",
    content: [
      element("div", { className: "explorer-controls" }, classes.node, strideChoice.node, shifts.node, passes.node),
      element("div", { className: "explorer-figures" }, image.node, map.node),
      numbers.node,
    ],
    column: image.node,
    traits: ["class_name", "stride", "shifts", "only_shift", "_top", "_left"],
    resize,
    draw,
  });
  photo.decode().then(redraw);
  return dispose;
}

/** Lowest and highest score of a class at any stride, so that colours can be compared between strides. */
function rangeOf(grids, classIndex) {
  let [low, high] = [Infinity, -Infinity];
  for (const { rows, cols, data } of grids.values()) {
    for (const score of data.subarray(classIndex * rows * cols, (classIndex + 1) * rows * cols)) {
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
  }
  return { low, high };
}

function showPasses(passes, state) {
  passes.node.hidden = !state.shifts;
  if (!state.shifts) return;
  const { factor, stride } = state;
  const values = [["", "all", "every pass"]];
  for (let row = 0; row < factor; row++) {
    for (let col = 0; col < factor; col++) {
      const shift = `${row * stride},${col * stride}`;
      values.push([shift, String(row * factor + col + 1), `image from row ${row * stride}, column ${col * stride}`]);
    }
  }
  passes.fill(values, (span, shift) => {
    if (!shift) return;
    const [row, col] = shift.split(",").map((pixels) => pixels / stride);
    const { css, ink } = passColor(row, col, factor);
    Object.assign(span.style, { background: css, color: ink });
  });
  passes.check(state.only ? state.only.join() : "");
}

function describe(state, range, hasCrops) {
  const { height, width, window, stride, rows, cols, row, col, top, left, factor, crop } = state;
  const fit = (length, count) => {
    const exact = (length - window) % stride === 0;
    const ratio = `(${length} − ${window}) / ${stride}`;
    return `${exact ? ratio : `⌊${ratio}⌋`} + 1 = ${count}`;
  };
  const [down, across] = state.shiftOf(row, col);
  const number = state.pass(row, col).number;
  return {
    position: [`row ${row}, column ${col}`, `of ${rows} × ${cols}`],
    window: [`rows ${top}–${top + window - 1}, columns ${left}–${left + window - 1}`],
    size: height === width ? fit(height, rows) : `${fit(height, rows)} down,\n${fit(width, cols)} across`,
    score: format(state.score, range),
    crop: hasCrops ? (crop === null ? ["–", `only at stride ${state.coarsest}`] : format(crop, range)) : "",
    difference: hasCrops ? (crop === null ? "–" : signed(state.score - crop, range)) : "",
    pass: !state.shifts ? "" : factor === 1
      ? "the one pass"
      : [`pass ${number} of ${factor * factor}`, `image from row ${down}, column ${across}`],
  };
}

const signed = (value, range) => (value > 0 ? "+" : "") + format(value, range);

export default { render };
