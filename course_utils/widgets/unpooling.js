// The unpooling explorer: a map, its 2 × 2 maxima, and what comes back of it; every value of the map can be changed.

const KEY_STEPS = 5; // of a hundredth of the range

/** 1, 2 or 5 times a power of ten, about as large as asked for. */
function roundStep(wanted) {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= 0.99 * wanted);
}

function encodeNumbers(values) {
  let text = "";
  for (const byte of new Uint8Array(values.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The values a reader can give, and the colours for them: from 0 or the lowest to somewhat above the highest. */
function rangeOf(values) {
  const low = Math.min(0, ...values);
  const top = Math.max(...values);
  const high = top > low ? top + 0.25 * (top - low) : low + 1;
  return { low, high, step: roundStep((high - low) / 100) };
}

/** All that follows from the map's values; computed anew when they change. */
function analyse(text, rows, cols) {
  const values = decode(text, Float64Array);
  const pool = maxPool(values, rows, cols);
  const results = Object.fromEntries(
    Object.keys(METHODS).map((method) => {
      const result = upsample(method, pool);
      return [method, { ...result, ...compareMaps(values, result.values) }];
    }),
  );
  return { text, values, pool, results };
}

/** A row for each way back: its error, the values at their place, and what has to be kept for it. */
function methodTable(windows) {
  const cell = (method, name) => element("td", { "data-method": method, "data-score": name });
  const heads = ["way back", "RMSE", "values at their place", "kept for it"];
  const kept = (method) =>
    method === "max_unpool" ? `2 bits × ${windows} windows` : METHODS[method].weights ? `${METHODS[method].weights} weights, whatever the size` : "nothing";
  const rows = Object.fromEntries(
    Object.entries(METHODS).map(([method, { name, title }]) => {
      const cells = [cell(method, "rmse"), cell(method, "in_place")];
      const head = element("th", { scope: "row", title }, name);
      return [method, { cells, node: element("tr", {}, head, ...cells, element("td", {}, kept(method))) }];
    }),
  );
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = Object.values(rows).map((row) => row.node);
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  const label = "Error of each way back";
  const node = element("div", { className: "unpooling-scroller", tabIndex: 0, role: "region", "aria-label": label }, table);
  return {
    node,
    show(results, count, span, chosen) {
      for (const [method, { cells, node: row }] of Object.entries(rows)) {
        const { rmse, inPlace } = results[method];
        setText(cells[0], format(rmse, span, 4));
        cells[0].title = String(rmse);
        setText(cells[1], `${inPlace} of ${count}`);
        row.classList.toggle("unpooling-now", method === chosen);
      }
    },
  };
}

function render({ model, el }) {
  const shared = new SharedState(model);
  const [rows, cols] = [model.get("_rows"), model.get("_cols")];
  const colors = decode(model.get("_colormap"), Uint8Array);
  const start = model.get("_start");
  const limits = rangeOf(decode(start, Float64Array));
  let analysis = analyse(start, rows, cols);
  let edit = null; // while a value is dragged: where that began

  const state = () => {
    const text = shared.get("values");
    if (analysis.text !== text) analysis = analyse(text, rows, cols);
    const [row, col, method] = [shared.get("row"), shared.get("col"), shared.get("method")];
    const { values } = analysis;
    const [low, high] = [Math.min(limits.low, ...values), Math.max(limits.high, ...values)];
    const scale = new ValueColors(colors, low, high);
    return { ...analysis, row, col, place: row * cols + col, method, result: analysis.results[method], scale, rows, cols };
  };
  const moveTo = ({ row, col }) => {
    if (row !== shared.get("row") || col !== shared.get("col")) shared.set({ row, col });
  };
  const setValue = (place, value) => {
    const values = state().values.slice();
    values[place] = clamp(value, limits.low, limits.high);
    shared.set({ values: encodeNumbers(values) });
  };
  /** Steps from a value, on the grid of round numbers. */
  const stepped = (value, steps) => Number(((Math.round(value / limits.step) + steps) * limits.step).toPrecision(12));

  const ways = radios("Way back", (method) => shared.set({ method }));
  ways.fill(Object.entries(METHODS).map(([method, { name, title }]) => [method, name, title]));
  const input = element("input", { type: "number", step: KEY_STEPS * limits.step });
  input.addEventListener("input", () => {
    if (input.value !== "" && Number.isFinite(Number(input.value))) setValue(state().place, Number(input.value));
  });
  const again = element("button", { type: "button", title: "the values that were given" }, "Start again");
  again.addEventListener("click", () => shared.set({ values: start }));
  const field = element("label", { className: "explorer-control" }, element("span", {}, "Value at the cursor"), input);

  const stage = (description) =>
    new Stage({ role: "application", "aria-roledescription": description, tabIndex: 0 });
  const map = figure("Map", stage("map"), hint("Drag a value up or down. Keys: arrows move; + and − change the value."));
  map.node.classList.add("unpooling-map");
  const pooled = figure("Max-pooled", new Stage({ role: "img" }), hint("Each window's maximum, and its index in the map."));
  const note = hint("");
  const back = figure("Back at full size", stage("upsampled map"), note);
  const table = methodTable((rows * cols) / 4);
  const numbers = readout({
    position: "Position",
    value: "In the map → after the way back",
    source: "It comes from",
    window: "Maximum of its window",
    error: "Error against the map",
    memory: "To be kept for the way back",
  });

  const cellAt = ({ stage: { canvas } }, event) => {
    const box = canvas.getBoundingClientRect();
    const cell = (fraction, count) => clamp(Math.floor(fraction * count), 0, count - 1);
    return {
      row: cell((event.clientY - box.top) / box.height, rows),
      col: cell((event.clientX - box.left) / box.width, cols),
    };
  };
  const onKey = (event) => {
    const { row, col, place, values } = state();
    const steps = { "+": KEY_STEPS, "=": KEY_STEPS, "-": -KEY_STEPS }[event.key];
    const move = moveByKey(event, { row, col, rows, cols });
    if (event.altKey || event.metaKey || (!move && (!steps || event.ctrlKey))) return;
    event.preventDefault();
    if (move) moveTo(move);
    else setValue(place, stepped(values[place], steps));
  };
  const paper = map.stage.node;
  paper.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    paper.setPointerCapture(event.pointerId);
    paper.focus({ preventScroll: true });
    moveTo(cellAt(map, event));
    const { place, values } = state();
    edit = { y: event.clientY, place, value: values[place] };
  });
  paper.addEventListener("pointermove", (event) => {
    if (!edit) return moveTo(cellAt(map, event));
    const steps = Math.round((edit.y - event.clientY) / 2);
    const value = steps ? stepped(edit.value, steps) : edit.value;
    if (value !== state().values[edit.place]) setValue(edit.place, value);
  });
  for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => { edit = null; });
  const onBack = (x, y) => {
    const cell = (fraction, count) => clamp(Math.floor(fraction * count), 0, count - 1);
    moveTo({ row: cell(y, rows), col: cell(x, cols) });
  };
  back.stage.onPointer(onBack, () => back.stage.node.focus({ preventScroll: true }));
  pooled.stage.onPointer((x, y) => {
    const { pool } = state();
    const cell = (fraction, count) => clamp(Math.floor(fraction * count), 0, count - 1);
    const index = pool.indices[cell(y, pool.rows) * pool.cols + cell(x, pool.cols)];
    moveTo({ row: Math.floor(index / cols), col: index % cols });
  }, () => paper.focus({ preventScroll: true }));
  for (const { stage: { node } } of [map, back]) node.addEventListener("keydown", onKey);

  const resize = (column) => {
    const side = Math.min(column / cols, 420 / rows);
    for (const { stage: each } of [map, pooled, back]) each.resize(side * cols, side * rows);
  };

  const draw = () => {
    const now = state();
    const { pool, values, result, scale, row, col, method } = now;
    const taps = result.taps(row, col);
    const key = `${now.text} ${scale.low} ${scale.high}`;
    map.stage.draw((context, width, height) => {
      map.stage.copyLayer(context, "cells", key, (layer) => {
        drawValues(layer, width, now, scale);
        drawMaxima(layer, width, now, pool.indices, scale);
        drawLines(layer, width, height, cols, 2);
      });
      for (const tap of taps) {
        const index = pool.indices[tap.row * pool.cols + tap.col];
        frameCell(context, width, cols, Math.floor(index / cols), index % cols, SOURCE);
      }
      frameCell(context, width, cols, row, col);
    });
    pooled.stage.draw((context, width, height) => {
      pooled.stage.copyLayer(context, "cells", key, (layer) => {
        drawValues(layer, width, pool, scale, (i) => `index ${pool.indices[i]}`);
        drawLines(layer, width, height, pool.cols, 1);
      });
      for (const tap of taps) frameCell(context, width, pool.cols, tap.row, tap.col, SOURCE);
    });
    back.stage.draw((context, width, height) => {
      back.stage.copyLayer(context, "cells", `${key} ${method}`, (layer) => {
        drawValues(layer, width, { values: result.values, rows, cols }, scale);
        drawLines(layer, width, height, cols, 2);
      });
      frameCell(context, width, cols, row, col);
    });

    ways.check(method);
    setText(note, METHODS[method].note);
    if (Number(input.value) !== values[now.place] || input.value === "") input.value = Number(values[now.place].toPrecision(6));
    map.retitle(`${rows} × ${cols}, maxima ${cols > 17 ? "dotted" : "framed"}`);
    pooled.retitle(`${pool.rows} × ${pool.cols}`);
    back.retitle(METHODS[method].name);
    table.show(analysis.results, values.length, scale.high - scale.low, method);
    const texts = describe(now, taps);
    numbers.show(texts);
    const sentence = `${texts.position[0]}: ${texts.value[0].replace("→", "becomes")} by ${METHODS[method].name}; it comes from ${texts.source[0]}.`;
    map.stage.node.setAttribute("aria-label", `Map of ${rows} by ${cols} values. ${sentence}`);
    pooled.stage.node.setAttribute("aria-label", `Max-pooled map, ${pool.rows} by ${pool.cols}. Maximum of the window: ${texts.window[0]}.`);
    back.stage.node.setAttribute("aria-label", `Back at full size by ${METHODS[method].name}. ${sentence}`);
    return sentence;
  };

  const { dispose } = mount({
    shared,
    el,
    name: "Unpooling explorer",
    content: [
      element("div", { className: "explorer-controls" }, ways.node, field, again),
      element("div", { className: "explorer-figures" }, map.node, pooled.node, back.node),
      numbers.node,
      table.node,
    ],
    column: map.node,
    traits: ["values", "method", "row", "col"],
    resize,
    draw,
  });
  paper.closest(".explorer").classList.add("unpooling");
  return dispose;
}

/** Weights are sixteenths: "9/16". */
function fraction(weight) {
  for (const whole of [1, 2, 4, 16]) if (Number.isInteger(weight * whole)) return whole === 1 ? String(weight) : `${weight * whole}/${whole}`;
  return String(weight);
}

/** The read-outs of one position. */
function describe({ values, pool, result, method, row, col, rows, cols, place, scale }, taps) {
  const span = scale.high - scale.low;
  const number = (value) => format(value, span, 4);
  const windows = pool.values.length;
  const inWindow = (row >> 1) * pool.cols + (col >> 1);
  const index = pool.indices[inWindow];
  const code = placeInWindow(index, cols);
  const difference = result.values[place] - values[place];
  const sum = taps.reduce((total, { weight }) => total + weight, 0);
  const pooledText = (tap) => `pooled row ${tap.row}, column ${tap.col}`;
  const product = (tap) => `${fraction(tap.weight)} · ${number(pool.values[tap.row * pool.cols + tap.col])}`;
  const { weights, missing } = METHODS[method];
  let source = ["nothing", missing];
  if (taps.length === 1 && sum === 1) source = [pooledText(taps[0]), `its maximum, ${number(pool.values[taps[0].row * pool.cols + taps[0].col])}`];
  else if (taps.length) source = [taps.map(product).join(" + "), sum < 1 ? `the weights add up to ${fraction(sum)}: the rest lies outside` : ""];
  const memory = {
    max_unpool: [`2 bits × ${windows} windows = ${2 * windows} bits`, `64 times less than the map itself: 32 bits × ${4 * windows} values`],
  };
  return {
    position: [`row ${row}, column ${col}`, `of ${rows} × ${cols}`],
    value: [`${number(values[place])} → ${number(result.values[place])}`, `difference ${difference > 0 ? "+" : ""}${number(difference)}`],
    source,
    window: [
      `${number(pool.values[inWindow])} at row ${Math.floor(index / cols)}, column ${index % cols}`,
      `index ${index}; in its window ${code}, in bits ${code.toString(2).padStart(2, "0")}`,
    ],
    error: [`RMSE ${number(result.rmse)}`, `${result.inPlace} of ${values.length} values at their place`],
    memory: memory[method] ?? (weights ? [`${weights} weights`, "whatever the size of the map"] : "nothing"),
  };
}

export default { render };
