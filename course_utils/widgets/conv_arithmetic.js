// The conv arithmetic explorer: a unit of the output ↔ the units of the input that make it, for any setting.

const SETTINGS = [
  ["size", "input n"],
  ["kernel", "kernel k"],
  ["stride", "stride s"],
  ["padding", "padding p"],
  ["dilation", "dilation d"],
  ["output_padding", "output padding"],
];
const PLAY_MILLISECONDS = 500;

/** A labelled slider with its value beside it. */
function slider(label, [min, max], choose) {
  const input = element("input", { type: "range", min, max, step: 1 });
  const value = element("output");
  input.addEventListener("input", () => choose(Number(input.value)));
  const node = element("label", {}, element("span", {}, label), input, value);
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

/** The rules of the settings that the model holds now; computed anew only when one has changed. */
function rulesReader(shared) {
  let [key, rules] = ["", null];
  return () => {
    const [size, kernel, stride, padding, dilation, output_padding] = SETTINGS.map(([name]) => shared.get(name));
    const transposed = shared.get("transposed");
    const settings = { size, kernel, stride, padding, dilation, outputPadding: transposed ? output_padding : 0, transposed };
    if (key !== (key = JSON.stringify(settings))) rules = Object.assign(new ConvRules(settings), { key });
    return rules;
  };
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const limits = model.get("_limits");
  const readRules = rulesReader(shared);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  let column = 0;
  let playing = 0;

  /** The chosen unit: (row, col) in the map that `side` names. */
  const readCursor = (rules) => {
    const side = shared.get("side");
    const count = Math.max(rules.count(side), 1);
    const [row, col] = ["_down", "_across"].map((name) => clamp(Math.floor(shared.get(name) * count), 0, count - 1));
    return { side, row, col, rows: count, cols: count };
  };
  const moveTo = (side, row, col) => {
    const rules = readRules();
    if (rules.problem) return;
    const count = rules.count(side);
    const now = readCursor(rules);
    const [down, across] = [row, col].map((unit) => clamp(unit, 0, count - 1));
    if (side === now.side && down === now.row && across === now.col) return;
    shared.set({ side, _down: (down + 0.5) / count, _across: (across + 0.5) / count });
  };

  const kind = radios("Layer", (value) => {
    stop();
    shared.set({ transposed: value === "transposed" });
  });
  kind.fill([["convolution", "convolution"], ["transposed", "transposed convolution"]]);
  const sliders = SETTINGS.map(([name, label]) => slider(label, limits[name], (value) => shared.set({ [name]: value })));
  const transpose = button("Show as its transpose", "", () => {
    stop();
    shared.set(readRules().transpose());
  });
  const hits = checkbox("Count the hits", (on) => shared.set({ hits: on }));
  const play = button("", "through all units of the output, row by row", () => {
    if (playing) stop();
    else if (still.matches) step();
    else {
      step();
      playing = setInterval(step, PLAY_MILLISECONDS);
      redraw();
    }
  });
  const stop = () => {
    clearInterval(playing);
    playing = 0;
    redraw();
  };
  const step = () => {
    const rules = readRules();
    const { side, row, col, cols } = readCursor(rules);
    const next = side === "output" ? (row * cols + col + 1) % cols ** 2 : 0;
    moveTo("output", Math.floor(next / rules.outputSize), next % rules.outputSize);
  };

  const stageOf = (name, label) =>
    new Stage({ role: "application", "aria-roledescription": label, tabIndex: 0, "data-map": name });
  const hints = {
    input: "Hover over a unit: the outputs that it goes into.",
    zeros: "Here an ordinary convolution slides, stride 1. Hover: it follows.",
    output: "Hover or drag, or use the arrow keys: what makes a unit.",
  };
  const figures = {
    input: figure("Input", stageOf("input", "map of the input"), hint(hints.input)),
    zeros: figure("Zeros inserted", new Stage({ role: "img", "data-map": "zeros" }), hint(hints.zeros)),
    output: figure("Output", stageOf("output", "map of the output"), hint(hints.output)),
  };
  const stages = Object.fromEntries(Object.entries(figures).map(([name, { stage }]) => [name, stage]));
  const numbers = readout({
    position: "Chosen unit",
    unit: "Connections",
    hits: "How often a unit is met",
    size: "Size of the output",
    grid: "Zero-inserted grid",
    remarks: "Note",
  });
  const rowOf = (name) => numbers.node.querySelector(`[data-value="${name}"]`).parentNode;
  for (const name of ["size", "grid", "remarks"]) rowOf(name).classList.add("conv-wide");
  const label = rowOf("position").querySelector("dt");
  const problem = element("p", { className: "conv-problem", role: "status", "data-value": "problem" });

  for (const side of ["input", "output"]) {
    const stage = stages[side];
    const focus = () => {
      stop();
      stage.node.focus({ preventScroll: true });
    };
    stage.onPointer((x, y) => {
      if (playing) return;
      const { before, total } = layouts(readRules())[side];
      moveTo(side, Math.floor(y * total) - before, Math.floor(x * total) - before);
    }, focus);
    stage.node.addEventListener("keydown", (event) => {
      const rules = readRules();
      const cursor = readCursor(rules);
      const here = cursor.side === side ? cursor : { row: 0, col: 0, rows: rules.count(side), cols: rules.count(side) };
      const move = moveByKey(event, here);
      if (!move) return;
      event.preventDefault();
      stop();
      moveTo(side, move.row, move.col);
    });
  }
  stages.zeros.onPointer((x, y) => {
    if (playing) return;
    const rules = readRules();
    const { border, first, length } = rules.zeroGrid();
    const unitAt = (fraction) => Math.round(fraction * length - 0.5 + first + border - rules.reach / 2);
    moveTo("output", unitAt(y), unitAt(x));
  }, stop);

  const resize = (width) => { column = width; };

  /** Paints the three maps with cells of one size. */
  const drawMaps = (rules, cursor, showHits) => {
    const maps = layouts(rules);
    const shown = ["input", ...(rules.transposed ? ["zeros"] : []), "output"];
    const side = Math.min(LARGEST_CELL, column / Math.max(...shown.map((name) => maps[name].total)));
    const look = getComputedStyle(stages.input.node);
    const theme = { veil: "rgba(128, 128, 128, 0.55)" };
    for (const name of ["paper", "line", "text", "faint"]) theme[name] = look.getPropertyValue(`--${name}`);
    const counts = showHits && !rules.problem ? rules.hits() : null;
    const key = JSON.stringify([rules.key, showHits, theme]);
    for (const name of shown) {
      const layout = maps[name];
      const cell = Math.floor(side * 2) / 2;
      stages[name].resize(layout.total * cell, layout.total * cell);
      stages[name].draw((context) => {
        const rgb = name === "input" ? INPUT : OUTPUT;
        stages[name].copyLayer(context, "map", key, (layer) => {
          if (name === "zeros") return drawZeroGrid(layer, rules, layout, cell, theme);
          drawSurroundings(layer, layout, cell, theme);
          drawUnits(layer, layout, cell, rgb, theme, name === rules.fineSide ? counts : null);
        });
        if (rules.problem) return;
        if (name === "zeros") drawWindow(context, rules, layout, cell, cursor, theme);
        else if (name !== cursor.side) drawPartners(context, rules, layout, cell, rgb, cursor, theme);
        else markCell(context, ...boxOf(layout, cell, cursor.row, cursor.col));
      });
    }
  };

  const draw = () => {
    const rules = readRules();
    const cursor = readCursor(rules);
    const { transposed, outputSize, size, padding } = rules;
    figures.zeros.node.hidden = !transposed || Boolean(rules.problem);
    figures.output.node.hidden = Boolean(rules.problem);
    drawMaps(rules, cursor, shared.get("hits"));

    kind.check(transposed ? "transposed" : "convolution");
    sliders.forEach((control, index) => control.show(shared.get(SETTINGS[index][0])));
    sliders.at(-1).node.hidden = !transposed;
    const noWayBack = rules.noWayBack(limits.size[1]);
    transpose.disabled = Boolean(noWayBack);
    transpose.title = noWayBack || "the layer that goes back, connecting the same units";
    hits.input.checked = shared.get("hits");
    play.disabled = Boolean(rules.problem);
    setText(play, playing ? "Stop" : still.matches ? "Next unit" : "Play");

    const around = padding && (transposed ? cutText(rules) : `${padding} of padding on each side`);
    const sized = (count, more) => `${count} × ${count}${more ? `, ${more}` : ""}`;
    figures.input.retitle(sized(size, transposed ? "" : around));
    figures.output.retitle(sized(outputSize, transposed ? around : ""));
    if (transposed && !rules.problem) figures.zeros.retitle(sized(rules.zeroGrid().length, ""));
    problem.hidden = !rules.problem;
    setText(problem, rules.problem);
    const texts = describe(rules, cursor);
    numbers.show(texts);
    setText(label, `Chosen unit of the ${cursor.side}`);
    if (rules.problem) return rules.problem;
    const sentence = `${cursor.side}, ${texts.position.join(" ")}: ${texts.unit.filter(Boolean).join(", ")}.`;
    for (const side of ["input", "output"]) stages[side].node.setAttribute("aria-label", `Map of the ${side}. ${sentence}`);
    stages.zeros.node.setAttribute("aria-label", `The input with zeros inserted. ${sentence}`);
    return sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Conv arithmetic explorer",
    content: [
      element("div", { className: "explorer-controls" }, kind.node, transpose, play, hits.node),
      element("div", { className: "conv-settings" }, ...sliders.map((control) => control.node)),
      problem,
      element("div", { className: "explorer-figures" }, ...Object.values(figures).map((part) => part.node)),
      numbers.node,
    ],
    column: figures.input.node,
    traits: [...SETTINGS.map(([name]) => name), "transposed", "side", "hits", "_down", "_across"],
    resize,
    draw,
  });
  stages.input.node.closest(".explorer").classList.add("conv-arithmetic");
  still.addEventListener("change", stop);
  return () => {
    clearInterval(playing);
    still.removeEventListener("change", stop);
    dispose();
  };
}

export default { render };
