// How the conv arithmetic explorer draws a map: its units, what surrounds them, and the window that is marked.

const INPUT = "86, 180, 233"; // Okabe & Ito's sky blue
const OUTPUT = "0, 158, 115"; // and bluish green
const LARGEST_CELL = 34;
const SMALLEST_NUMBERED = 15;

/** The rows and columns of a stage: `before` of them stand before unit 0, and `count` units follow; all square. */
const mapLayout = (before, count, after) => ({ before, count, total: before + count + after });

/** The three maps of these settings as they are laid out. */
function layouts(rules) {
  const { padding, transposed, size, outputSize, outputPadding } = rules;
  const cutAfter = Math.max(padding - outputPadding, 0);
  const none = mapLayout(0, size, 0);
  return {
    input: transposed ? none : mapLayout(padding, size, padding),
    zeros: transposed ? mapLayout(-rules.zeroGrid().first, 1, rules.zeroGrid().length - 1 + rules.zeroGrid().first) : none,
    output: rules.problem ? none : transposed ? mapLayout(padding, outputSize, cutAfter) : mapLayout(0, outputSize, 0),
  };
}

/** Left, top, width, height of a cell: (row, col) of a unit, cells `side` wide. */
function boxOf({ before }, side, row, col) {
  const edge = (unit) => Math.round((unit + before) * side * 2) / 2;
  return [edge(col), edge(row), edge(col + 1) - edge(col), edge(row + 1) - edge(row)];
}

function writeIn(context, [left, top, width, height], text, color) {
  context.fillStyle = color;
  context.font = `${Math.round(clamp(height * 0.42, 8, 14))}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, left + width / 2, top + height / 2 + 0.5);
}

/** Everything around the units: a convolution's padding, or what is cut off. */
function drawSurroundings(context, layout, side, theme) {
  const whole = layout.total * side;
  if (layout.total === layout.count) return;
  const around = rectangle(0, 0, whole, whole);
  around.rect(layout.before * side, layout.before * side, layout.count * side, layout.count * side);
  hatch(context, around, theme.line, 6);
  context.strokeStyle = theme.line;
  context.lineWidth = 0.5;
  for (let i = 0; i <= layout.total; i++) {
    context.strokeRect(0, 0, i * side, whole);
    context.strokeRect(0, 0, whole, i * side);
  }
}

/** The units of a map in its colour; `numbers`, if there are any, are the hits along an axis, and shade it. */
function drawUnits(context, layout, side, rgb, theme, numbers) {
  const most = numbers ? Math.max(...numbers) ** 2 : 0;
  for (let row = 0; row < layout.count; row++) {
    for (let col = 0; col < layout.count; col++) {
      const box = boxOf(layout, side, row, col);
      const hits = numbers && numbers[row] * numbers[col];
      context.fillStyle = theme.paper;
      context.fillRect(...box);
      context.fillStyle = `rgba(${rgb}, ${numbers ? 0.75 * (hits / (most || 1)) : 0.3})`;
      context.fillRect(...box);
      context.strokeStyle = theme.line;
      context.lineWidth = 1;
      context.strokeRect(...box);
      if (numbers && side >= SMALLEST_NUMBERED) writeIn(context, box, hits, theme.text);
    }
  }
}

/** The zero-inserted grid: units of the input, hollow inserted zeros, the border, and what is cropped. */
function drawZeroGrid(context, rules, layout, side, theme) {
  const { border, last, end } = rules.zeroGrid();
  const isCut = (z) => z < -border || z > end;
  const isBorder = (z) => z < 0 || z > last;
  for (let row = -layout.before; row < layout.total - layout.before; row++) {
    for (let col = -layout.before; col < layout.total - layout.before; col++) {
      const box = boxOf(layout, side, row, col);
      const isUnit = !isBorder(row) && !isBorder(col) && row % rules.stride === 0 && col % rules.stride === 0;
      if (isUnit) {
        context.fillStyle = `rgba(${INPUT}, 0.3)`;
        context.fillRect(...box);
      } else if (isBorder(row) || isBorder(col)) {
        hatch(context, rectangle(...box), theme.line, 6);
      } else if (side >= SMALLEST_NUMBERED / 1.5) {
        writeIn(context, box, "0", theme.faint);
      }
      context.strokeStyle = theme.line;
      context.lineWidth = 1;
      context.strokeRect(...box);
      if (!isCut(row) && !isCut(col)) continue;
      context.fillStyle = theme.veil;
      context.fillRect(...box);
    }
  }
}

/** One marked cell, filled and framed; its number is the tap, counted row by row from 1. */
function drawMark(context, box, rgb, number, theme, isThere = true) {
  const [left, top, width, height] = box;
  context.fillStyle = theme.paper;
  context.fillRect(...box);
  if (isThere) {
    context.fillStyle = `rgb(${rgb})`;
    context.fillRect(...box);
  }
  context.strokeStyle = ACCENT;
  context.lineWidth = width > 10 ? 2 : 1;
  context.strokeRect(left + 1, top + 1, width - 2, height - 2);
  if (number !== null && width >= SMALLEST_NUMBERED) writeIn(context, box, number, isThere ? "#000" : theme.text);
}

/** Marks the units that meet the chosen one on the other map. */
function drawPartners(context, rules, layout, side, rgb, cursor, theme) {
  const [rows, cols] = [cursor.row, cursor.col].map((unit) => rules.partners(cursor.side, unit));
  const inside = (unit) => unit >= 0 && unit < layout.count;
  for (const down of rows) {
    for (const across of cols) {
      const isThere = inside(down.unit) && inside(across.unit);
      const number = down.tap * rules.kernel + across.tap + 1;
      drawMark(context, boxOf(layout, side, down.unit, across.unit), rgb, number, theme, isThere);
    }
  }
}

/** On the zero-inserted grid: the turned kernel over an output's window, or the cell of an input unit. */
function drawWindow(context, rules, layout, side, cursor, theme) {
  const { border, last } = rules.zeroGrid();
  if (cursor.side === "input") {
    drawMark(context, boxOf(layout, side, cursor.row * rules.stride, cursor.col * rules.stride), INPUT, null, theme);
    return;
  }
  const isUnit = (z) => z >= 0 && z <= last && z % rules.stride === 0;
  const taps = Array.from({ length: rules.kernel }, (_, step) => ({ at: rules.dilation * step, tap: rules.kernel - 1 - step }));
  for (const down of taps) {
    for (const across of taps) {
      const [row, col] = [cursor.row - border + down.at, cursor.col - border + across.at];
      const number = down.tap * rules.kernel + across.tap + 1;
      drawMark(context, boxOf(layout, side, row, col), INPUT, number, theme, isUnit(row) && isUnit(col));
    }
  }
}
