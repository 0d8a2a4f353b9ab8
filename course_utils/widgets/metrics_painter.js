// The metrics painter: paint a prediction over a truth; the confusion matrix and all scores follow the brush.

const BRUSHES = [1, 3, 5, 9, 15]; // pixels across

const KEYS =
  " Keys: arrows move, Space paints, Shift + arrows paint on the way, 0–9 choose the class, + − the brush, " +
  "F fills, Z undoes.";

/** The pixels under a round brush, as [down, across] from its middle. */
function brushOffsets(across) {
  const reach = (across - 1) / 2;
  const offsets = [];
  for (let down = -reach; down <= reach; down++) {
    for (let right = -reach; right <= reach; right++) {
      if (down ** 2 + right ** 2 <= (across / 2) ** 2) offsets.push([down, right]);
    }
  }
  return offsets;
}

/** The cells on a straight way from one to another, both of them with it. */
function cellsBetween(from, to) {
  const steps = Math.max(Math.abs(to.row - from.row), Math.abs(to.col - from.col), 1);
  return Array.from({ length: steps + 1 }, (_, step) => ({
    row: Math.round(from.row + ((to.row - from.row) * step) / steps),
    col: Math.round(from.col + ((to.col - from.col) * step) / steps),
  }));
}

function encode(labels) {
  let text = "";
  for (const label of labels) text += String.fromCharCode(label);
  return btoa(text);
}

function button(label, title, act) {
  const node = element("button", { type: "button", title }, label);
  node.addEventListener("click", act);
  return node;
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const [rows, cols] = [model.get("_height"), model.get("_width")];
  const names = model.get("_classes");
  const colors = decode(model.get("_palette"), Uint8Array);
  const css = names.map((_, k) => `rgb(${colors.subarray(3 * k, 3 * k + 3).join()})`);
  const truth = decode(model.get("_truth"), Uint8Array);
  const start = decode(model.get("_start"), Uint8Array);
  let known = model.get("prediction"); // what the model held when this view last looked at it, or wrote it
  const painting = new Painting(truth, decode(known, Uint8Array), {
    rows, cols, numClasses: names.length, tolerance: model.get("_tolerance"),
  });
  const labelPainter = new LabelPainter(truth, rows, cols, colors);
  const photo = model.get("_has_photo") ? loadImage(model) : null;
  const cursor = { row: rows >> 1, col: cols >> 1 };
  let offsets = brushOffsets(3);
  let brush = { label: 0, across: 3 };
  let before = null; // the scores before the last stroke

  const scores = () => painting.scores(shared.get("absent"));
  const begin = () => {
    before = scores();
    painting.begin();
  };
  const finish = (changed) => {
    if (changed) {
      known = encode(painting.prediction);
      shared.ask({ prediction: known });
    }
    redraw();
  };
  const stamp = ({ row, col }) => {
    for (const [down, across] of offsets) {
      const [y, x] = [row + down, col + across];
      if (y >= 0 && y < rows && x >= 0 && x < cols) painting.set(y * cols + x, brush.label);
    }
  };
  const whole = (labelOf) => {
    before = scores();
    finish(painting.replace(labelOf));
  };
  const undo = () => {
    before = scores();
    finish(painting.undo());
  };
  const fill = () => whole(() => brush.label);
  const copyTruth = () => whole((i) => (truth[i] === VOID ? painting.prediction[i] : truth[i]));
  const moveTo = (cell) => {
    if (cell.row === cursor.row && cell.col === cursor.col) return;
    Object.assign(cursor, cell);
    redraw();
  };
  const choose = (label) => {
    brush.label = clamp(label, 0, names.length - 1);
    redraw();
  };
  const resizeBrush = (across) => {
    brush.across = across;
    offsets = brushOffsets(across);
    redraw();
  };

  const classes = radios("Paint with", (label) => choose(Number(label)));
  classes.node.classList.add("painter-classes-choice");
  classes.fill(names.map((name, k) => [String(k), `${k} ${name}`, k < 10 ? `key ${k}` : ""]), (span, label) => {
    const [red, green, blue] = colors.subarray(3 * label, 3 * label + 3);
    Object.assign(span.style, { background: css[label], color: inkOn(red, green, blue) });
  });
  const sizes = radios("Brush", (across) => resizeBrush(Number(across)));
  sizes.fill(BRUSHES.map((across) => [String(across), String(across), `${across} pixels across; keys + and −`]));
  const fillButton = button("", "the brush's class everywhere; key F", fill);
  const undoButton = button("Undo", "take the last stroke back; key Z", undo);
  const buttons = element(
    "div",
    { className: "painter-buttons" },
    undoButton,
    fillButton,
    button("Start again", "back to the prediction that was given", () => whole((i) => start[i])),
    button("Copy the truth", "make every scored pixel right", copyTruth),
  );

  const truthFigure = figure(
    "Truth",
    new Stage({ role: "img" }),
    hint("Click a pixel: the brush takes its class."),
  );
  const canvas = figure(
    "Your prediction",
    new Stage({ role: "application", "aria-roledescription": "painting", tabIndex: 0 }),
    element("p", { className: "explorer-hint" }, element("strong", {}, "Drag to paint."), KEYS),
  );
  const cards = scoreCards();
  const position = element("dd", { "data-value": "position" });
  const labels = element("dd", { "data-value": "labels" });
  const pixel = element("div", { className: "painter-pixel" }, element("dt", {}, "Pixel"), position, labels);
  const matrix = matrixTable(names, css);
  const classScores = classTable(names, css);
  const absent = radios("An absent class counts as", (policy) => {
    before = null;
    shared.set({ absent: policy });
  });
  absent.fill([
    ["nan", "nan", "left out of the means"],
    ["zero", "0", "as if it were all wrong"],
    ["one", "1", "as if it were all right"],
  ]);
  const absentNow = element("span", { className: "painter-absent-now" });
  classScores.node.append(element("div", { className: "painter-policy" }, absent.node, absentNow));

  const cellAt = ({ stage }, event) => {
    const box = stage.canvas.getBoundingClientRect();
    return {
      row: clamp(Math.floor(((event.clientY - box.top) / box.height) * rows), 0, rows - 1),
      col: clamp(Math.floor(((event.clientX - box.left) / box.width) * cols), 0, cols - 1),
    };
  };
  truthFigure.stage.node.addEventListener("pointermove", (event) => moveTo(cellAt(truthFigure, event)));
  truthFigure.stage.node.addEventListener("click", (event) => {
    const { row, col } = cellAt(truthFigure, event);
    const label = truth[row * cols + col];
    if (label !== VOID) choose(label);
  });
  const paper = canvas.stage.node;
  paper.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    paper.setPointerCapture(event.pointerId);
    paper.focus({ preventScroll: true });
    Object.assign(cursor, cellAt(canvas, event));
    begin();
    stamp(cursor);
    redraw();
  });
  paper.addEventListener("pointermove", (event) => {
    const cell = cellAt(canvas, event);
    if (painting.stroke) cellsBetween(cursor, cell).forEach(stamp);
    moveTo(cell);
  });
  const lift = () => { if (painting.stroke) finish(painting.end()); };
  paper.addEventListener("pointerup", lift);
  paper.addEventListener("pointercancel", lift);

  const paintHere = () => {
    begin();
    stamp(cursor);
    finish(painting.end());
  };
  paper.addEventListener("keydown", (event) => {
    const move = moveByKey(event, { ...cursor, rows, cols });
    if (painting.stroke || (!move && event.key !== " ")) return;
    event.preventDefault();
    if (move) moveTo(move);
    if (!move || (event.shiftKey && event.key.startsWith("Arrow"))) paintHere();
  });
  const nextBrush = (step) => {
    resizeBrush(BRUSHES[clamp(BRUSHES.indexOf(brush.across) + step, 0, BRUSHES.length - 1)]);
  };
  const shortcuts = { f: fill, z: undo, "+": () => nextBrush(1), "=": () => nextBrush(1), "-": () => nextBrush(-1) };
  const onShortcut = (event) => {
    const isUndo = event.key.toLowerCase() === "z";
    if (painting.stroke || event.altKey || ((event.ctrlKey || event.metaKey) && !isUndo)) return;
    const digit = /^\d$/.test(event.key) && Number(event.key) < names.length;
    const act = digit ? () => choose(Number(event.key)) : shortcuts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  };

  const resize = (column) => {
    const side = pixelSide(column, rows, cols);
    truthFigure.stage.resize(cols * side, rows * side);
    canvas.stage.resize(cols * side, rows * side);
  };
  const draw = () => {
    const picture = photo?.complete ? photo : null;
    truthFigure.stage.draw((context, width, height) => {
      truthFigure.stage.copyLayer(context, "truth", Boolean(picture), (layer) => {
        labelPainter.drawLabels(layer, width, height, truth, picture);
        labelPainter.drawVoid(layer, width);
      });
      labelPainter.drawBrush(context, width, cursor, offsets);
    });
    canvas.stage.draw((context, width) => {
      labelPainter.drawPrediction(context, canvas.stage, painting.prediction, picture, painting.takeChanged());
      labelPainter.drawBrush(context, width, cursor, offsets);
    });

    const now = scores();
    cards.show(now, before);
    classScores.show(now, now.absent);
    const here = pixelAt(painting, cursor);
    matrix.show(painting.matrix, here.scored ? here : null);
    const absentNames = names.filter((_, k) => now.absent[k]);
    setText(absentNow, absentNames.length ? `absent now: ${absentNames.join(", ")}` : "none is absent now");
    classes.check(String(brush.label));
    sizes.check(String(brush.across));
    absent.check(shared.get("absent"));
    setText(fillButton, `Fill with ${names[brush.label]}`);
    undoButton.disabled = !painting.strokes.length;

    const wrong = painting.countWrong();
    const unscored = truth.length - painting.scored;
    canvas.retitle(wrong ? `hatched where wrong: ${wrong} of ${painting.scored} pixels` : "every scored pixel is right");
    truthFigure.retitle(unscored ? `${unscored} void pixels are not scored` : "");
    const about = describe(here, names);
    setText(position, `row ${cursor.row}, column ${cursor.col} of ${rows} × ${cols}`);
    setText(labels, about);
    const [acc, meanIu] = [now.acc, now.mean_iu].map((score) => score.toFixed(3));
    const sentence = `Row ${cursor.row}, column ${cursor.col}: ${about}. acc ${acc}, mean_iu ${meanIu}.`;
    setLabel(canvas, `Prediction, ${rows} by ${cols} pixels, ${wrong} wrong. Brush: ${names[brush.label]}. ${sentence}`);
    setLabel(truthFigure, `Truth, ${rows} by ${cols} pixels. At the cursor: ${about}.`);
    return sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Metrics painter",
    content: [
      element("div", { className: "explorer-controls" }, classes.node, sizes.node, buttons),
      element("div", { className: "explorer-figures" }, truthFigure.node, canvas.node),
      element("dl", { className: "explorer-readout painter-cards" }, pixel, ...cards.cards),
      element("div", { className: `explorer-figures ${names.length > 9 ? "painter-wide" : ""}` }, matrix.node, classScores.node),
    ],
    column: truthFigure.node,
    traits: ["absent"],
    resize,
    draw,
  });
  const root = paper.closest(".explorer");
  root.classList.add("painter");
  root.addEventListener("keydown", onShortcut);
  // Another view, or Python, has painted.
  const onPrediction = () => {
    if (model.get("prediction") === known) return;
    known = model.get("prediction");
    const labels = decode(known, Uint8Array);
    before = scores();
    painting.replace((i) => labels[i]);
    redraw();
  };
  model.on("change:prediction", onPrediction);
  photo?.decode().then(redraw);
  return () => {
    model.off("change:prediction", onPrediction);
    dispose();
  };
}

const setLabel = ({ stage }, text) => stage.node.setAttribute("aria-label", text);

/** The two classes of a pixel in words. */
function describe({ truth, prediction, scored }, names) {
  const [truly, painted] = [truth, prediction].map((k) => names[k] ?? "void");
  return `truth ${truly}, prediction ${painted}${scored ? "" : ", not scored"}`;
}

/** What stands at a pixel: its two labels, and whether it is scored. */
function pixelAt({ truth, prediction, cols }, { row, col }) {
  const i = row * cols + col;
  return { truth: truth[i], prediction: prediction[i], scored: truth[i] !== VOID };
}

export default { render };
