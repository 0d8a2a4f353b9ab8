// How the metrics painter draws a label map: enlarged pixels, lines where classes touch, void and errors hatched.

const VOID = 255; // the label that Python gives to every void pixel

/** The size of one enlarged pixel in CSS pixels: a whole number of the screen's own, so that all are equally large. */
function pixelSide(column, rows, cols) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.min(column / cols, 460 / rows);
  return Math.max(1, Math.floor(side * ratio)) / ratio;
}

/** A canvas with one pixel for each pixel of a map; `show(wordOf, box)` colours pixel i of a box by the bits of wordOf(i). */
class PixelCanvas {
  constructor(rows, cols) {
    Object.assign(this, { rows, cols });
    this.canvas = element("canvas", { width: cols, height: rows });
    this.context = this.canvas.getContext("2d");
    this.picture = this.context.createImageData(cols, rows);
    this.words = new Uint32Array(this.picture.data.buffer);
  }

  show(wordOf, { top, left, bottom, right } = wholeBox(this.rows, this.cols)) {
    for (let row = top; row < bottom; row++) {
      for (let i = row * this.cols + left; i < row * this.cols + right; i++) this.words[i] = wordOf(i);
    }
    this.context.putImageData(this.picture, 0, 0, left, top, right - left, bottom - top);
    return this.canvas;
  }
}

/** All of a map; boxes end before their bottom and right. */
const wholeBox = (rows, cols) => ({ top: 0, left: 0, bottom: rows, right: cols });

/** A box with so many pixels more on each side, as far as there are any. */
function grow({ top, left, bottom, right }, rows, cols, by) {
  const [up, before] = [Math.max(top - by, 0), Math.max(left - by, 0)];
  return { top: up, left: before, bottom: Math.min(bottom + by, rows), right: Math.min(right + by, cols) };
}

/** Red, green, blue, alpha as one number, in the order in which a canvas stores them. */
function wordOf(red, green, blue, alpha = 255) {
  return new Uint32Array(new Uint8ClampedArray([red, green, blue, alpha]).buffer)[0];
}

/** The lines between neighbouring pixels of different values, inside a box; straight runs are one line. */
function outlineOf(values, cols, side, { top, left, bottom, right }) {
  const path = new Path2D();
  for (let row = top + 1; row < bottom; row++) {
    for (let col = left, start = left; col <= right; col++) {
      const here = row * cols + col;
      if (col < right && values[here] !== values[here - cols]) continue;
      if (col > start) {
        path.moveTo(start * side, row * side);
        path.lineTo(col * side, row * side);
      }
      start = col + 1;
    }
  }
  for (let col = left + 1; col < right; col++) {
    for (let row = top, start = top; row <= bottom; row++) {
      const here = row * cols + col;
      if (row < bottom && values[here] !== values[here - 1]) continue;
      if (row > start) {
        path.moveTo(col * side, start * side);
        path.lineTo(col * side, row * side);
      }
      start = row + 1;
    }
  }
  return path;
}

/** One rectangle for each run of pixels of a box in a row for which isIn(i). */
function regionOf(isIn, cols, side, { top, left, bottom, right }) {
  const region = new Path2D();
  for (let row = top; row < bottom; row++) {
    for (let col = left, start = left; col <= right; col++) {
      if (col < right && isIn(row * cols + col)) continue;
      if (col > start) region.rect(start * side, row * side, (col - start) * side, side);
      start = col + 1;
    }
  }
  return region;
}

/** A tile of black and white diagonals, running down to the right: it shows on any colour, and in grey. */
function errorTile(ratio) {
  const [line, size] = [Math.max(1, Math.round(ratio)), Math.round(7 * ratio)];
  const tile = new PixelCanvas(size, size);
  const [black, white] = [wordOf(0, 0, 0), wordOf(255, 255, 255)];
  return tile.show((i) => {
    const across = (size + (i % size) - Math.floor(i / size)) % size;
    return across < line ? black : across < 2 * line ? white : 0;
  });
}

/** Draws label maps of one size; `colors` holds red, green and blue of each class. */
class LabelPainter {
  constructor(truth, rows, cols, colors) {
    Object.assign(this, { truth, rows, cols, whole: wholeBox(rows, cols) });
    this.words = Array.from({ length: colors.length / 3 }, (_, k) => wordOf(...colors.subarray(3 * k, 3 * k + 3)));
    this.words[VOID] = wordOf(230, 230, 230);
    this.pixels = new PixelCanvas(rows, cols);
    this.wrong = new Uint8Array(truth.length);
    this.kept = { key: "", canvas: null };
    this.brush = { offsets: null, side: 0, path: null };
  }

  /** A box and all pixels that an outline of its own pixels reaches. */
  around(box, width) {
    return grow(box, this.rows, this.cols, Math.ceil((1.5 * this.cols) / width));
  }

  /** The pixels of a box of a map, on the photo if there is one; outlines reach into it from around. */
  drawLabels(context, width, height, labels, photo, box = this.whole) {
    context.imageSmoothingEnabled = false;
    if (photo) context.drawImage(photo, 0, 0, width, height);
    context.globalAlpha = photo ? 0.6 : 1;
    context.drawImage(this.pixels.show((i) => this.words[labels[i]], box), 0, 0, width, height);
    context.globalAlpha = 1;
    context.strokeStyle = "#000";
    context.lineWidth = 0.6;
    context.stroke(outlineOf(labels, this.cols, width / this.cols, this.around(box, width)));
  }

  /** What is void in the truth: veiled and hatched, since it is never scored. */
  drawVoid(context, width) {
    const region = regionOf((i) => this.truth[i] === VOID, this.cols, width / this.cols, this.whole);
    context.fillStyle = "rgba(230, 230, 230, 0.75)";
    context.fill(region);
    hatch(context, region, "#444", 5);
  }

  /** Hatches and outlines every scored pixel of a box at which the prediction is not the truth. */
  drawErrors(context, stage, prediction, box) {
    const around = this.around(box, stage.width);
    for (let row = around.top; row < around.bottom; row++) {
      for (let i = row * this.cols + around.left; i < row * this.cols + around.right; i++) {
        this.wrong[i] = this.truth[i] !== VOID && this.truth[i] !== prediction[i];
      }
    }
    const side = stage.width / this.cols;
    const pattern = context.createPattern(errorTile(stage.ratio), "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / stage.ratio));
    context.fillStyle = pattern;
    context.fill(regionOf((i) => this.wrong[i], this.cols, side, box));
    const edge = outlineOf(this.wrong, this.cols, side, around);
    const line = clamp(side / 4, 0.75, 1.25);
    for (const [style, lineWidth] of [["#fff", 2 * line], ["#000", line]]) {
      context.strokeStyle = style;
      context.lineWidth = lineWidth;
      context.stroke(edge);
    }
  }

  /**
   * The prediction with its errors. What is drawn is kept, so that a stroke draws only the box of pixels that it has
   * `changed` (null: none), and those around them, anew.
   */
  drawPrediction(context, stage, prediction, photo, changed) {
    const { width, height, ratio } = stage;
    const key = `${stage.asked} ${Boolean(photo)}`;
    const isNew = this.kept.key !== key;
    if (isNew) this.kept = { key, canvas: element("canvas", { width: stage.canvas.width, height: stage.canvas.height }) };
    const box = isNew ? this.whole : changed && this.around(changed, width);
    if (box) {
      const layer = this.kept.canvas.getContext("2d");
      const side = width / this.cols;
      layer.setTransform(ratio, 0, 0, ratio, 0, 0);
      layer.save();
      const area = [box.left, box.top, box.right - box.left, box.bottom - box.top].map((pixels) => pixels * side);
      layer.clip(rectangle(...area));
      layer.clearRect(...area);
      this.drawLabels(layer, width, height, prediction, photo, box);
      stage.copyLayer(layer, "void", "", (empty) => this.drawVoid(empty, width));
      this.drawErrors(layer, stage, prediction, box);
      layer.restore();
    }
    context.drawImage(this.kept.canvas, 0, 0, width, height);
  }

  /** The outline of the brush: `offsets` are the [down, across] of its pixels from the cursor. */
  drawBrush(context, width, { row, col }, offsets) {
    const side = width / this.cols;
    if (this.brush.offsets !== offsets || this.brush.side !== side) {
      this.brush = { offsets, side, path: brushOutline(offsets, side) };
    }
    context.save();
    context.translate(col * side, row * side);
    context.lineCap = "square";
    strokeOnPicture(context, this.brush.path);
    context.restore();
  }
}

/** The lines around the pixels of a brush, its middle pixel at 0, 0. */
function brushOutline(offsets, side) {
  const inside = new Set(offsets.map(String));
  const path = new Path2D();
  for (const [down, across] of offsets) {
    const line = (beyond, fromX, fromY, toX, toY) => {
      if (inside.has(String(beyond))) return;
      path.moveTo((across + fromX) * side, (down + fromY) * side);
      path.lineTo((across + toX) * side, (down + toY) * side);
    };
    line([down - 1, across], 0, 0, 1, 0);
    line([down + 1, across], 0, 1, 1, 1);
    line([down, across - 1], 0, 0, 0, 1);
    line([down, across + 1], 1, 0, 1, 1);
  }
  return path;
}
