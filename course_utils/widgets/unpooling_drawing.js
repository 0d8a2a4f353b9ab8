// How the unpooling explorer draws a map: cells coloured by value, numbers where there is room, windows and marks.

const SOURCE = "#0072b2";

const edgeOf = (index, side) => Math.round(index * side * 2) / 2;

/** Left, top, width and height of a cell, on half pixels, so that its edges are sharp. */
function cellRect(row, col, side) {
  const [left, top] = [edgeOf(col, side), edgeOf(row, side)];
  return [left, top, edgeOf(col + 1, side) - left, edgeOf(row + 1, side) - top];
}

/** Colours values from low to high. */
class ValueColors {
  constructor(colors, low, high) {
    Object.assign(this, { colors, low, high, shades: [] });
  }

  of(value) {
    const shade = Math.round(255 * clamp((value - this.low) / (this.high - this.low), 0, 1));
    return (this.shades[shade] ??= this.look(this.colors.subarray(3 * shade, 3 * shade + 3)));
  }

  look(parts) {
    return { css: `rgb(${parts.join()})`, ink: inkOn(...parts) };
  }
}

/** Every cell with its value; `below(place)` is a second line for it, if any. */
function drawValues(context, width, { values, rows, cols }, scale, below = () => "") {
  const side = width / cols;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = 0, i = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, i++) {
      const [left, top, cellWidth, cellHeight] = cellRect(row, col, side);
      const { css, ink } = scale.of(values[i]);
      context.fillStyle = css;
      context.fillRect(left, top, cellWidth, cellHeight);
      if (side < 27) continue;
      const second = side > 48 ? below(i) : "";
      const middle = [left + cellWidth / 2, top + cellHeight / 2];
      context.fillStyle = ink;
      context.font = `${side < 34 ? 10 : 12}px system-ui, sans-serif`;
      context.fillText(format(values[i], scale.high - scale.low, 3), middle[0], middle[1] - (second ? 7 : 0));
      if (!second) continue;
      context.font = "10px system-ui, sans-serif";
      context.fillText(second, middle[0], middle[1] + 9);
    }
  }
}

/** Lines between cells, and strong ones after every `group` of them. */
function drawLines(context, width, height, cols, group) {
  const side = width / cols;
  context.fillStyle = "#fff";
  const thickness = (index) => (index % group ? Math.min(1, side / 16) : Math.min(3, side / 7));
  for (let x = 1; x * side < width - 1; x++) context.fillRect(edgeOf(x, side) - thickness(x) / 2, 0, thickness(x), height);
  for (let y = 1; y * side < height - 1; y++) context.fillRect(0, edgeOf(y, side) - thickness(y) / 2, width, thickness(y));
}

/** Marks the maximum of every window: framed and numbered by its place in the window, or a dot where there is no room. */
function drawMaxima(context, width, { values, cols }, indices, scale) {
  const side = width / cols;
  for (const index of indices) {
    const [row, col] = [Math.floor(index / cols), index % cols];
    const [left, top, cellWidth, cellHeight] = cellRect(row, col, side);
    const { ink } = scale.of(values[index]);
    context.fillStyle = context.strokeStyle = ink;
    if (side < 16) {
      context.beginPath();
      context.arc(left + cellWidth / 2, top + cellHeight / 2, Math.max(1, side / 5), 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    context.lineWidth = 1.5;
    context.strokeRect(left + 2.75, top + 2.75, cellWidth - 5.5, cellHeight - 5.5);
    if (side < 44) continue;
    context.font = "10px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(placeInWindow(index, cols), left + 5, top + 5);
  }
}

/** Two bits: 0 and 1 above, 2 and 3 below. */
const placeInWindow = (index, cols) => 2 * (Math.floor(index / cols) % 2) + ((index % cols) % 2);

/** Frames a cell from inside in a colour that shows on all others. */
function frameCell(context, width, cols, row, col, color) {
  const [left, top, cellWidth, cellHeight] = cellRect(row, col, width / cols);
  const inset = cellWidth > 14 ? 1.5 : 0;
  strokeOnPicture(context, rectangle(left + inset, top + inset, cellWidth - 2 * inset, cellHeight - 2 * inset), color);
}
