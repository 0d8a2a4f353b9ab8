// How the atrous explorer draws: the map with its margin of zeros, taps and ways, and the chart over all rates.

const BRANCHES = ["#d55e00", "#0072b2", "#009e73", "#cc79a7"];
const CURVES = [
  ["allNine", "all nine taps inside", "#0072b2", []],
  ["weights", "weights that meet the map", "#009e73", [7, 4]],
  ["onlyCentre", "only the centre inside", "#e69f00", [2, 3]],
];

/** Where the map stands in its stage: `margin` cells of zeros all around it. */
function placeMap(width, { rows, cols }) {
  const margin = marginOf({ rows, cols });
  const side = width / (cols + 2 * margin);
  const edge = (index) => (margin + index) * side;
  return { margin, side, edge, middle: (index) => (margin + index + 0.5) * side };
}

const marginOf = ({ rows, cols }) => Math.max(2, Math.ceil(0.3 * Math.max(rows, cols)));

/** Colours for 1, 2, 3, 4, 6 and 9 taps inside. */
function tapColors(colors) {
  return Object.fromEntries([1, 2, 3, 4, 6, 9].map((count, i) => {
    const parts = colors.subarray(3 * 51 * i, 3 * 51 * i + 3);
    return [count, { css: `rgb(${parts.join()})`, ink: inkOn(...parts) }];
  }));
}

/** The zeros, hatched; the map, on its image if it has one; `colorOf(row, col)` gives a colour to lay over a cell. */
function drawGround(context, width, height, size, { photo, line, paper, colorOf }) {
  const { edge, side } = placeMap(width, size);
  const [left, right, bottom] = [edge(0), edge(size.cols), edge(size.rows)];
  const zeros = rectangle(0, 0, width, height);
  zeros.rect(left, left, right - left, bottom - left);
  hatch(context, zeros, line, 6);
  context.fillStyle = paper;
  context.fillRect(left, left, right - left, bottom - left);
  if (photo) context.drawImage(photo, left, left, right - left, bottom - left);
  for (let row = 0; row < size.rows; row++) {
    for (let col = 0; col < size.cols; col++) {
      const color = colorOf(row, col);
      if (!color) continue;
      context.globalAlpha = photo ? 0.6 : 1;
      context.fillStyle = color;
      // A little larger than the cell: no seams between neighbours.
      context.fillRect(edge(col), edge(row), side + 0.5, side + 0.5);
    }
  }
  context.globalAlpha = 1;
  context.strokeStyle = line;
  context.lineWidth = 1;
  context.strokeRect(left, left, right - left, bottom - left);
  if (side < 6) return;
  context.lineWidth = 0.5;
  context.beginPath();
  for (let col = 1; col < size.cols; col++) { context.moveTo(edge(col), left); context.lineTo(edge(col), bottom); }
  for (let row = 1; row < size.rows; row++) { context.moveTo(left, edge(row)); context.lineTo(right, edge(row)); }
  context.stroke();
}

/** A square, a circle, a diamond or a triangle: branches differ in more than their colour. */
function markPath(shape, x, y, radius) {
  const path = new Path2D();
  if (shape === 1) path.arc(x, y, radius, 0, 2 * Math.PI);
  else {
    const corners = [[[-1, -1], [1, -1], [1, 1], [-1, 1]], null, [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]], [[0, -1.2], [1.2, 1], [-1.2, 1]]][shape];
    corners.forEach(([dx, dy], i) => path[i ? "lineTo" : "moveTo"](x + dx * radius, y + dy * radius));
    path.closePath();
  }
  return path;
}

/** The nine taps of one branch: filled where they meet the map, crossed out in the zeros. */
function drawTaps(context, width, height, size, taps, branch) {
  const { middle, side } = placeMap(width, size);
  const radius = clamp(side * 0.42, 3, 7);
  const keepIn = (place, length) => clamp(place, radius + 3, length - radius - 3);
  for (const tap of taps) {
    // Far outside: at the edge of the picture.
    const [x, y] = [keepIn(middle(tap.col), width), keepIn(middle(tap.row), height)];
    if (tap.inside) {
      const path = markPath(branch, x, y, radius);
      context.fillStyle = BRANCHES[branch];
      for (const [style, lineWidth] of [["#000", 3.5], ["#fff", 1.75]]) {
        context.strokeStyle = style;
        context.lineWidth = lineWidth;
        context.stroke(path);
      }
      context.fill(path);
      continue;
    }
    const cross = new Path2D();
    cross.moveTo(x - radius, y - radius);
    cross.lineTo(x + radius, y + radius);
    cross.moveTo(x + radius, y - radius);
    cross.lineTo(x - radius, y + radius);
    strokeOnPicture(context, cross, BRANCHES[branch]);
  }
}

/** Frames one cell from outside. */
function drawCursor(context, width, size, row, col, color) {
  const { edge, side } = placeMap(width, size);
  strokeOnPicture(context, rectangle(edge(col) - 1, edge(row) - 1, side + 2, side + 2), color);
}

/** Axes of a chart from (1, 0) to (last, top); gives back where a point of it lies. */
function drawAxes(context, width, height, { last, first = 1, top, text, line, xLabel, yTick }) {
  const [left, right, up, down] = [38, 10, 10, 34];
  const x = (value) => left + ((value - first) / Math.max(last - first, 1)) * (width - left - right);
  const y = (value) => height - down - (value / top) * (height - up - down);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = text;
  context.strokeStyle = line;
  context.lineWidth = 0.75;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const at = Math.round(y(part * top)) + 0.5;
    context.beginPath();
    context.moveTo(left, at);
    context.lineTo(width - right, at);
    context.stroke();
    if (yTick(part)) context.fillText(yTick(part), left - 5, at);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  const step = [1, 2, 3, 6, 12, 24].find((size) => (last - first) / size <= 12) ?? 24;
  for (let value = first === 0 ? 0 : step; value <= last; value += step) context.fillText(String(value), x(value), height - down + 6);
  context.fillText(xLabel, (left + width - right) / 2, height - 14);
  return { x, y };
}

/** Shares over all rates, from 1 to a little more than the map's longer side. */
function drawCurves(context, width, height, shares, size, theme) {
  const last = shares.length;
  const { x, y } = drawAxes(context, width, height, { last, top: 1, ...theme, xLabel: "rate", yTick: (part) => `${100 * part} %` });
  const side = Math.max(size.rows, size.cols);
  context.setLineDash([1, 3]);
  context.strokeStyle = theme.text;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x(side), y(0));
  context.lineTo(x(side), y(1));
  context.stroke();
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(`1 × 1 from ${side} on`, x(side) - 4, y(0.05));
  for (const [name, , color, dash] of CURVES) {
    context.setLineDash(dash);
    context.strokeStyle = color;
    context.lineWidth = 2.5;
    context.beginPath();
    shares.forEach((share, i) => context[i ? "lineTo" : "moveTo"](x(i + 1), y(share[name])));
    context.stroke();
  }
  context.setLineDash([]);
  return { x, y };
}

/** The rates that are chosen: a line each, and the three shares on it. */
function drawRates(context, { x, y }, shares, rates) {
  rates.forEach((rate, branch) => {
    const share = shares[rate - 1];
    if (!share) return;
    const line = new Path2D();
    line.moveTo(x(rate), y(0));
    line.lineTo(x(rate), y(1));
    context.strokeStyle = BRANCHES[branch];
    context.lineWidth = 1.5;
    context.stroke(line);
    for (const [name] of CURVES) {
      const path = markPath(branch, x(rate), y(share[name]), 4);
      context.fillStyle = BRANCHES[branch];
      context.fill(path);
      context.strokeStyle = "#fff";
      context.lineWidth = 1.25;
      context.stroke(path);
    }
  });
}

/** A bar for each column: in how many ways a stack reaches it along the row. */
function drawWays(context, width, height, ways, col, theme) {
  const top = Math.max(...ways);
  const last = ways.length - 1;
  const { x, y } = drawAxes(context, width, height, {
    last, first: 0, top, ...theme, xLabel: "column", yTick: (part) => (Number.isInteger(part * top) ? String(part * top) : ""),
  });
  const bar = Math.max(1, (0.8 * (x(last) - x(0))) / Math.max(last, 1));
  ways.forEach((count, place) => {
    context.fillStyle = place === col ? ACCENT : "#0072b2";
    context.fillRect(x(place) - bar / 2, y(count), bar, y(0) - y(count));
  });
}
