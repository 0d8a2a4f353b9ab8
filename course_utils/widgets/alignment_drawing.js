// How the alignment explorer draws: one strip of units for each map, all over one ruler in pixels of the image.

const STRIP = 22; // CSS pixels from one strip to the next
const RULER = 24;
const LEFT = 104; // for the maps' names
const RIGHT = 86; // for the units over the pixel
const COLORS = { image: "0, 114, 178", conv: "86, 180, 233", pool: "86, 180, 233", deconv: "0, 158, 115", join: "204, 121, 167" };

/** The maps worth a strip: those that lie elsewhere than the one before them; `layers` are all that lie so.
 *
 * The strip of several convolutions has the name of the last; that of a pool or a deconv keeps its name.
 */
function shownMaps(rows, size) {
  const maps = [{ name: IMAGE, kind: IMAGE, grid: new Grid(size), layers: [IMAGE] }];
  for (const row of rows) {
    const { grid, layer } = row;
    const last = maps.at(-1);
    const stays = grid.stride.equals(last.grid.stride) && grid.start.equals(last.grid.start) && layer.kind !== "join";
    if (stays && last.name !== IMAGE) {
      if (last.kind === "conv") Object.assign(last, { grid, name: layer.name });
      last.layers.push(layer.name);
    } else maps.push({ name: layer.name, kind: layer.kind, grid, row, layers: [layer.name] });
  }
  return maps;
}

/** The pixels that a view shows, as [first, last]. */
function rangeOf(view, maps, size, pixel) {
  const starts = maps.flatMap(({ grid, row }) => [grid, row?.before, row?.source].filter(Boolean));
  const low = Math.min(...starts.map((grid) => grid.start.minus(grid.stride.times(HALF)).value));
  if (view === "pixel") return [pixel - 24, pixel + 24];
  const lastStart = Math.max(...maps.map(({ grid }) => grid.start.value));
  const widest = Math.max(...maps.map(({ grid }) => grid.stride.value));
  if (view === "start") return [low - 4, lastStart + widest + 4];
  const ends = starts.map((grid) => grid.position(grid.size - 1).plus(grid.stride.times(HALF)).value);
  return [low - 4, Math.max(size, ...ends) + 4];
}

/** From pixels of the image to CSS pixels and back. */
function scaleOf([first, last], width) {
  const plot = Math.max(width - LEFT - RIGHT, 60);
  const factor = plot / (last - first);
  return { x: (pixel) => LEFT + (pixel - first) * factor, pixel: (x) => first + (x - LEFT) / factor, factor, plot };
}

/** The units of a grid as cells one stride wide, `top` from above: only those that can be seen, and are wide enough. */
function drawStrip(context, grid, top, rgb, scale, theme, isCut = false) {
  const half = grid.stride.times(HALF).value;
  const edge = (unit) => scale.x(grid.start.value + unit * grid.stride.value - half);
  const [left, right] = [edge(0), edge(grid.size)];
  const height = STRIP - 7;
  const cell = right - left;
  for (const color of isCut ? [theme.paper] : [theme.paper, `rgba(${rgb}, 0.3)`]) {
    context.fillStyle = color;
    context.fillRect(left, top, cell, height);
  }
  if (isCut) hatch(context, rectangle(left, top, cell, height), theme.faint, 6);
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.strokeRect(left, top, cell, height);
  const wide = grid.stride.value * scale.factor;
  if (wide < 4) return;
  const first = clamp(Math.floor((LEFT - left) / wide), 0, grid.size);
  const last = clamp(Math.ceil((LEFT + scale.plot - left) / wide), 0, grid.size);
  context.beginPath();
  for (let unit = first; unit <= last; unit++) {
    context.moveTo(edge(unit), top);
    context.lineTo(edge(unit), top + height);
  }
  context.stroke();
}

/** A dot on the middle of each map's unit 0, with its place in pixels beside it. */
function drawFirstUnits(context, maps, scale, theme) {
  maps.forEach(({ grid }, number) => {
    const x = scale.x(grid.start.value);
    if (x < LEFT || x > LEFT + scale.plot) return;
    const middle = number * STRIP + 4 + (STRIP - 7) / 2;
    context.beginPath();
    context.arc(x, middle, 3.5, 0, 2 * Math.PI);
    context.fillStyle = theme.text;
    context.fill();
    write(context, grid.start.text, x + 6, middle, theme.text, "left", theme.paper);
  });
}

function write(context, text, x, y, color, align, halo) {
  context.font = "11px system-ui, sans-serif";
  context.textAlign = align;
  context.textBaseline = "middle";
  if (halo) {
    context.strokeStyle = halo;
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeText(text, x, y + 0.5);
  }
  context.fillStyle = color;
  context.fillText(text, x, y + 0.5);
}

/** Pixels along the lower edge, at 1, 2 or 5 times a power of ten. */
function drawRuler(context, scale, top, theme) {
  const wanted = 55 / scale.factor;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = Math.max(1, [1, 2, 5, 10].map((times) => times * power).find((value) => value >= wanted));
  const last = scale.pixel(LEFT + scale.plot);
  for (let pixel = Math.ceil(scale.pixel(LEFT) / step) * step; pixel <= last; pixel += step) {
    context.strokeStyle = theme.line;
    context.strokeRect(scale.x(pixel), top, 0, 5);
    write(context, signed(pixel), scale.x(pixel), top + 13, theme.faint, "center");
  }
  write(context, "pixels", LEFT + scale.plot + 8, top + 13, theme.faint, "left");
}

/** All that stays while the pointer moves. */
function drawMaps(context, maps, size, scale, height, theme) {
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, scale.plot, height);
  context.clip();
  context.fillStyle = `rgba(${COLORS.image}, 0.1)`;
  context.fillRect(scale.x(-0.5), 0, size * scale.factor, height - RULER);
  maps.forEach(({ kind, grid, row }, number) => {
    const top = number * STRIP + 4;
    const whole = row?.offset && (row.offset.numerator > 0 ? row.source : row.before);
    if (whole) drawStrip(context, whole, top, COLORS[kind], scale, theme, true);
    drawStrip(context, grid, top, COLORS[kind], scale, theme);
  });
  context.restore();
  maps.forEach(({ name }, number) => {
    write(context, name, LEFT - 8, number * STRIP + 4 + (STRIP - 7) / 2, theme.text, "right");
  });
  drawRuler(context, scale, height - RULER + 2, theme);
}

/** The pixel, the units over it in every map, and the chosen map. */
function drawPixel(context, maps, pixel, chosen, scale, height, theme) {
  context.save();
  context.beginPath();
  context.rect(LEFT, 0, scale.plot, height);
  context.clip();
  context.lineWidth = 2;
  maps.forEach(({ kind, grid }, number) => {
    const [first, last] = grid.unitsOver(pixel);
    if (last < first) return;
    const half = grid.stride.value / 2;
    const left = scale.x(grid.start.value + first * grid.stride.value - half);
    const right = scale.x(grid.start.value + last * grid.stride.value + half);
    context.fillStyle = `rgb(${COLORS[kind]})`;
    context.fillRect(left, number * STRIP + 4, Math.max(right - left, 2), STRIP - 7);
    context.strokeStyle = ACCENT;
    context.strokeRect(left, number * STRIP + 4, Math.max(right - left, 2), STRIP - 7);
  });
  context.strokeStyle = ACCENT;
  context.lineWidth = 1.5;
  context.strokeRect(scale.x(pixel), 0, 0, height - RULER + 4);
  context.restore();
  maps.forEach(({ grid }, number) => {
    const middle = number * STRIP + 4 + (STRIP - 7) / 2;
    write(context, unitText(grid.unitsOver(pixel)), LEFT + scale.plot + 8, middle, theme.text, "left");
  });
  context.strokeStyle = theme.text;
  context.lineWidth = 1;
  context.strokeRect(0.5, chosen * STRIP + 0.5, LEFT + scale.plot + RIGHT - 1, STRIP);
}
