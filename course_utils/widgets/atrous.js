// The atrous explorer: a 3 × 3 kernel with holes on a map, the taps that fall into the zeros around it, and what that
// does to a rate, to several rates side by side (ASPP), and to layers stacked on one another.

const BEYOND = 3; // rates beyond the longer side, all of them 1 × 1

const listText = (rates) => rates.join(", ");

/** A row for each rate: its field, its taps here, its shares of the map. */
function shareTable() {
  const heads = ["rate", "field", "taps inside here", ...CURVES.map(([, title]) => title)];
  const head = element("tr", {}, ...heads.map((title) => element("th", { scope: "col" }, title)));
  const label = "Shares of each rate";
  const body = element("tbody");
  const table = element("table", {}, element("thead", {}, head), body);
  const node = element("div", { className: "atrous-scroller", tabIndex: 0, role: "region", "aria-label": label }, table);
  let rows = [];
  return {
    node,
    show(rates, size, row, col) {
      if (rows.length !== rates.length) {
        rows = rates.map(() => [element("th", { scope: "row" }), ...heads.slice(1).map(() => element("td"))]);
        rows.forEach((cells) => CURVES.forEach(([name], i) => { cells[3 + i].dataset.share = name; }));
        body.replaceChildren(...rows.map((cells) => element("tr", {}, ...cells)));
      }
      rates.forEach((rate, branch) => {
        const shares = sharesOf(rate, size);
        const inside = tapsAt(row, col, rate, size).filter((tap) => tap.inside).length;
        const mark = ["■", "●", "◆", "▲"][branch];
        const side = 2 * rate + 1;
        const texts = [`${mark} ${rate}`, `${side} × ${side}`, `${inside} of 9`];
        texts.forEach((text, i) => setText(rows[branch][i], text));
        CURVES.forEach(([name], i) => {
          const cell = rows[branch][3 + i];
          cell.title = String(shares[name]);
          setText(cell, `${(100 * shares[name]).toFixed(1)} %`);
        });
      });
    },
  };
}

/** A line of texts, each with a mark of its own in front of it. */
const key = (...entries) => element("p", { className: "atrous-key" }, ...entries.map(([mark, text]) => element("span", {}, mark, text)));

function render({ model, el }) {
  const shared = new SharedState(model);
  const colors = decode(model.get("_colormap"), Uint8Array);
  const counts = tapColors(colors);
  const photo = model.get("_has_photo") ? loadImage(model) : null;
  let curves = { key: "" }; // shares at all rates, for one size

  const state = () => {
    const [rows, cols] = shared.get("size");
    const size = { rows, cols };
    const mode = shared.get("mode");
    const most = Math.max(rows, cols) + BEYOND;
    if (curves.key !== (curves.key = `${rows} ${cols}`)) {
      curves.shares = Array.from({ length: most }, (_, i) => sharesOf(i + 1, size));
    }
    const [row, col] = [clamp(shared.get("row"), 0, rows - 1), clamp(shared.get("col"), 0, cols - 1)];
    const rates = { one: [shared.get("rate")], aspp: shared.get("rates"), stack: [] }[mode];
    return { size, mode, most, shares: curves.shares, row, col, rates, rate: shared.get("rate"), stack: shared.get("stack") };
  };
  const moveTo = ({ row, col }) => {
    const now = state();
    if (row !== now.row || col !== now.col) shared.set({ row, col });
  };
  const setRate = (rate) => {
    const wanted = clamp(Math.round(rate), 1, state().most);
    if (wanted !== shared.get("rate")) shared.set({ rate: wanted });
  };
  const setSize = (size) => {
    const { row, col, rate } = state();
    const [rows, cols] = size;
    shared.set({ size, row: Math.min(row, rows - 1), col: Math.min(col, cols - 1), rate: Math.min(rate, Math.max(rows, cols) + BEYOND) });
  };

  const modes = radios("Show", (mode) => shared.set({ mode }));
  modes.fill([
    ["one", "one rate", "a single atrous convolution"],
    ["aspp", "ASPP", "several rates side by side, each on the same map"],
    ["stack", "stacked layers", "one atrous convolution after another: which pixels are seen"],
  ]);
  const slider = element("input", { type: "range", min: 1, step: 1 });
  const output = element("output");
  slider.addEventListener("input", () => setRate(Number(slider.value)));
  const rateControl = element("label", { className: "explorer-control" }, element("span", {}, "Rate"), slider, output);
  const branches = radios("Rates", (text) => shared.set({ rates: text.split(",").map(Number) }));
  const stacks = radios("Rates of the layers", (text) => shared.set({ stack: text.split(",").map(Number) }));
  const sizes = radios("Map", (text) => setSize(text.split(",").map(Number)));
  for (const [control, name] of [[branches, "_rate_choices"], [stacks, "_stack_choices"]]) {
    control.fill(model.get(name).map((rates) => [listText(rates), listText(rates)]));
  }
  sizes.fill(model.get("_size_choices").map((size) => [listText(size), size.join(" × ")]));

  const counted = key(...Object.entries(counts).map(([count, { css, ink }]) => {
    const mark = element("b", {}, count);
    Object.assign(mark.style, { background: css, color: ink });
    return [mark, ""];
  }));
  counted.prepend("Taps inside, if it stood there: ");
  const field = element("div", {
    className: "atrous-field", role: "application", "aria-roledescription": "feature map", tabIndex: 0,
  });
  const about = hint("");
  const map = figure("Feature map", new Stage({}), counted, about);
  map.stage.node.append(field);
  const curveKey = key(...CURVES.map(([, text, color, dash]) => {
    const line = element("i");
    Object.assign(line.style, { borderColor: color, borderTopStyle: ["solid", "dotted", "dashed"][Math.sign(dash.length) * (dash[0] > 4 ? 2 : 1)] });
    return [line, text];
  }));
  const chart = figure("Chart", new Stage({ role: "img" }), curveKey);
  chart.node.classList.add("atrous-chart");
  const numbers = readout({
    position: "Position",
    taps: "Taps",
    kind: "What the kernel is here",
    seen: "Pixels that are seen",
    reach: "Field",
    size: "A map of this size comes from",
  });
  const table = shareTable();

  const pressed = (event) => {
    field.focus({ preventScroll: true });
    if (event.target === field) field.setPointerCapture(event.pointerId); // the drag is the map's, not the zeros'
  };
  map.stage.onPointer((x, y) => {
    const { size: { rows, cols } } = state();
    const margin = marginOf({ rows, cols });
    moveTo({
      row: clamp(Math.floor(y * (rows + 2 * margin) - margin), 0, rows - 1),
      col: clamp(Math.floor(x * (cols + 2 * margin) - margin), 0, cols - 1),
    });
  }, pressed);
  field.addEventListener("keydown", (event) => {
    const { row, col, size, rate, mode } = state();
    const step = { "+": 1, "=": 1, "-": -1 }[event.key];
    const move = moveByKey(event, { row, col, ...size });
    if (event.altKey || event.metaKey || (!move && (!step || event.ctrlKey || mode !== "one"))) return;
    event.preventDefault();
    if (move) moveTo(move);
    else setRate(rate + step);
  });
  let scale = null; // of the chart
  chart.stage.node.addEventListener("pointerdown", (event) => {
    if (event.button === 0) chart.stage.node.setPointerCapture(event.pointerId);
  });
  for (const name of ["pointerdown", "pointermove"]) {
    chart.stage.node.addEventListener(name, (event) => {
      if (!(event.buttons & 1) || state().mode !== "one" || !scale) return;
      const across = event.clientX - chart.stage.canvas.getBoundingClientRect().left;
      setRate(1 + (across - scale.x(1)) / (scale.x(2) - scale.x(1)));
    });
  }

  let column = 0;
  const resize = (width) => { column = width; };
  const draw = () => {
    const now = state();
    const { size, mode, row, col, rates, rate, stack } = now;
    fitStages(map.stage, chart.stage, field, column, size);
    const style = getComputedStyle(field);
    const theme = { text: style.getPropertyValue("--text"), line: style.getPropertyValue("--line") };
    const paper = style.getPropertyValue("--paper");
    const picture = photo?.complete ? photo : null;
    const seen = mode === "stack" ? seenFrom(row, col, stack, size) : null;
    const look = { photo: picture, line: theme.line, paper };
    const same = `${mode} ${size.rows} ${size.cols} ${theme.text} ${Boolean(picture)}`;
    map.stage.draw((context, width, height) => {
      map.stage.copyLayer(context, "ground", `${same} ${mode === "one" ? rate : ""}`, (layer) => {
        const [down, across] = [insideAlong(size.rows, rate), insideAlong(size.cols, rate)];
        const colorOf = mode === "one" ? (y, x) => counts[down[y] * across[x]].css : () => null;
        drawGround(layer, width, height, size, { ...look, colorOf });
      });
      if (seen) drawSeen(context, width, size, seen, colors);
      [...rates.entries()].reverse().forEach(([branch, each]) =>
        drawTaps(context, width, height, size, tapsAt(row, col, each, size), branch));
      drawCursor(context, width, size, row, col);
    });
    chart.stage.draw((context, width, height) => {
      if (seen) return drawWays(context, width, height, seen.across, col, theme);
      chart.stage.copyLayer(context, "curves", same, (layer) => {
        scale = drawCurves(layer, width, height, now.shares, size, theme);
      });
      drawRates(context, scale, now.shares, rates);
    });

    modes.check(mode);
    rateControl.hidden = mode !== "one";
    branches.node.hidden = mode !== "aspp";
    stacks.node.hidden = mode !== "stack";
    if (Number(slider.max) !== now.most) slider.max = now.most;
    if (Number(slider.value) !== rate) slider.value = rate;
    setText(output, String(rate));
    branches.check(listText(shared.get("rates")));
    stacks.check(listText(stack));
    sizes.check(listText([size.rows, size.cols]));
    counted.hidden = mode !== "one";
    curveKey.hidden = table.node.hidden = mode === "stack";
    setText(about, HINTS[mode]);
    map.retitle(`${size.rows} × ${size.cols}, zeros around it`);
    chart.retitle(seen ? "in how many ways each column is seen, along the row" : `shares at every rate; ${mode === "one" ? "drag to change it" : "a mark for each branch"}`);
    table.show(rates, size, row, col);
    const texts = describe(now, seen);
    numbers.show(texts);
    const told = seen ? `${texts.seen[0]} are seen` : `${texts.taps[0]}${texts.kind ? `; ${texts.kind[0]}` : ""}`;
    const sentence = `${texts.position[0]}: ${told}.`;
    field.setAttribute("aria-label", `Feature map, ${size.rows} by ${size.cols}. ${sentence}`);
    chart.stage.node.setAttribute("aria-label", `Chart. ${sentence}`);
    return sentence;
  };

  const { redraw, dispose } = mount({
    shared,
    el,
    name: "Atrous explorer",
    content: [
      element("div", { className: "explorer-controls" }, modes.node, sizes.node, rateControl, branches.node, stacks.node),
      element("div", { className: "explorer-figures" }, map.node, chart.node),
      numbers.node,
      table.node,
    ],
    column: map.node,
    traits: ["mode", "size", "rate", "rates", "stack", "row", "col"],
    resize,
    draw,
  });
  field.closest(".explorer").classList.add("atrous");
  photo?.decode().then(redraw);
  return dispose;
}

const HINTS = {
  one: "Point at a position. Crosses: taps that fall into the zeros. Keys: arrows move, + and − change the rate.",
  aspp: "Each branch has its own marks: ■ ● ◆ ▲. Crosses: taps that fall into the zeros; at the edge: farther out.",
  stack: "Coloured: pixels that reach the position through the stack, the brighter the more ways. The rest is never seen.",
};

/** The map's stage takes the column's width; the field lies over the map itself; the chart is about as tall. */
function fitStages(map, chart, field, column, size) {
  const margin = marginOf(size);
  const [rows, cols] = [size.rows + 2 * margin, size.cols + 2 * margin];
  const side = Math.min(column / cols, 430 / rows);
  map.resize(side * cols, side * rows);
  chart.resize(column, clamp(side * rows, 200, 340));
  const places = { left: margin, top: margin, width: size.cols, height: size.rows };
  const wanted = Object.entries(places).map(([name, cells]) => `${name}: ${cells * side}px`).join("; ");
  if (field.dataset.place === wanted) return;
  field.dataset.place = field.style.cssText = wanted;
}

/** Lays a colour over each pixel that a stack sees. */
function drawSeen(context, width, size, { down, across }, colors) {
  const { edge, side } = placeMap(width, size);
  const most = Math.log(Math.max(...down) * Math.max(...across)) || 1;
  down.forEach((vertical, row) => across.forEach((horizontal, col) => {
    if (!vertical || !horizontal) return;
    const shade = Math.round(40 + (215 * Math.log(vertical * horizontal)) / most);
    context.fillStyle = `rgb(${colors.subarray(3 * shade, 3 * shade + 3).join()})`;
    context.fillRect(edge(col), edge(row), side, side);
  }));
}

function describe({ size, mode, row, col, rates, stack }, seen) {
  const { rows, cols } = size;
  const from = (stride) => `${(rows - 1) * stride + 1} × ${(cols - 1) * stride + 1} pixels`;
  const texts = {
    position: [`row ${row}, column ${col}`, `of ${rows} × ${cols}`],
    size: [`${from(16)} at output stride 16`, `${from(8)} at output stride 8`],
  };
  if (seen) {
    const side = 2 * seen.reach + 1;
    const share = ((100 * seen.seen) / seen.covered).toFixed(1);
    const all = seen.seen === seen.covered;
    texts.seen = [`${seen.seen} of ${seen.covered}`, `${share} % of what the field covers of the map${all ? ": no holes" : ": gridding"}`];
    texts.reach = [`${side} × ${side}`, `1 + 2 · (${stack.join(" + ")})`];
    return texts;
  }
  const inside = rates.map((rate) => tapsAt(row, col, rate, size).filter((tap) => tap.inside).length);
  if (mode === "one") {
    const side = 2 * rates[0] + 1;
    texts.taps = [`${inside[0]} of 9 inside`, inside[0] < 9 ? `${9 - inside[0]} meet zeros` : "none meets zeros"];
    texts.kind = kindOf(rates[0], size);
    texts.reach = [`${side} × ${side}`, "1 + 2 · rate"];
  } else {
    const total = inside.reduce((sum, count) => sum + count, 0);
    texts.taps = [`${total} of ${9 * rates.length} inside`, rates.map((rate, i) => `rate ${rate}: ${inside[i]}`).join(", ")];
  }
  return texts;
}

export default { render };
