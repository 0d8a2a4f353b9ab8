// How the metrics painter draws a label map: enlarged pixels, lines where classes touch, void and errors hatched.

const VOID = 255; // the label that Python gives to every void pixel

/** The size of one enlarged pixel in CSS pixels: a whole number of the screen's own, so that all are equally large. */
function pixelSide(column, rows, cols) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.min(column / cols, 460 / rows);
  return Math.max(1, Math.floor(side * ratio)) / ratio;
}

/** A canvas with one pixel for each pixel of a map; `show(wordOf)` colours pixel i by the 32 bits of wordOf(i). */
class PixelCanvas {
  constructor(rows, cols) {
    this.canvas = element("canvas", { width: cols, height: rows });
    this.context = this.canvas.getContext("2d");
    this.picture = this.context.createImageData(cols, rows);
    this.words = new Uint32Array(this.picture.data.buffer);
  }

  show(wordOf) {
    for (let i = 0; i < this.words.length; i++) this.words[i] = wordOf(i);
    this.context.putImageData(this.picture, 0, 0);
    return this.canvas;
  }
}

/** Red, green, blue, alpha as one number, in the order in which a canvas stores them. */
function wordOf(red, green, blue, alpha = 255) {
  return new Uint32Array(new Uint8ClampedArray([red, green, blue, alpha]).buffer)[0];
}

/** The lines between neighbouring pixels of different values; straight runs are one line. */
function outlineOf(values, rows, cols, side) {
  const path = new Path2D();
  for (let row = 1; row < rows; row++) {
    for (let col = 0, start = 0; col <= cols; col++) {
      const here = row * cols + col;
      if (col < cols && values[here] !== values[here - cols]) continue;
      if (col > start) {
        path.moveTo(start * side, row * side);
        path.lineTo(col * side, row * side);
      }
      start = col + 1;
    }
  }
  for (let col = 1; col < cols; col++) {
    for (let row = 0, start = 0; row <= rows; row++) {
      const here = row * cols + col;
      if (row < rows && values[here] !== values[here - 1]) continue;
      if (row > start) {
        path.moveTo(col * side, start * side);
        path.lineTo(col * side, row * side);
      }
      start = row + 1;
    }
  }
  return path;
}

/** One rectangle for each run of void pixels in a row. */
function voidRegion(truth, rows, cols, side) {
  const region = new Path2D();
  for (let row = 0; row < rows; row++) {
    for (let col = 0, start = 0; col <= cols; col++) {
      if (col < cols && truth[row * cols + col] === VOID) continue;
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
    Object.assign(this, { truth, rows, cols });
    this.words = Array.from({ length: colors.length / 3 }, (_, k) => wordOf(...colors.subarray(3 * k, 3 * k + 3)));
    this.words[VOID] = wordOf(230, 230, 230);
    this.pixels = new PixelCanvas(rows, cols);
    this.errors = new PixelCanvas(rows, cols);
    this.wrong = new Uint8Array(truth.length);
    this.layer = element("canvas");
  }

  /** The map, on the photo if there is one. */
  drawLabels(context, width, height, labels, photo) {
    context.imageSmoothingEnabled = false;
    if (photo) context.drawImage(photo, 0, 0, width, height);
    context.globalAlpha = photo ? 0.6 : 1;
    context.drawImage(this.pixels.show((i) => this.words[labels[i]]), 0, 0, width, height);
    context.globalAlpha = 1;
    context.strokeStyle = "#000";
    context.lineWidth = 0.6;
    context.stroke(outlineOf(labels, this.rows, this.cols, width / this.cols));
  }

  /** What is void in the truth: veiled and hatched, since it is never scored. */
  drawVoid(context, width) {
    const region = voidRegion(this.truth, this.rows, this.cols, width / this.cols);
    context.fillStyle = "rgba(230, 230, 230, 0.75)";
    context.fill(region);
    hatch(context, region, "#444", 5);
  }

  /** Hatches and outlines every scored pixel at which the prediction is not the truth. */
  drawErrors(context, stage, prediction) {
    const { canvas, width, height, ratio } = stage;
    this.truth.forEach((label, i) => { this.wrong[i] = label !== VOID && label !== prediction[i]; });
    this.layer.width = canvas.width; // clears it
    this.layer.height = canvas.height;
    const layer = this.layer.getContext("2d");
    layer.imageSmoothingEnabled = false;
    const solid = wordOf(0, 0, 0);
    layer.drawImage(this.errors.show((i) => (this.wrong[i] ? solid : 0)), 0, 0, canvas.width, canvas.height);
    layer.globalCompositeOperation = "source-in";
    layer.fillStyle = layer.createPattern(errorTile(ratio), "repeat");
    layer.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(this.layer, 0, 0, width, height);
    const edge = outlineOf(this.wrong, this.rows, this.cols, width / this.cols);
    const line = clamp(width / this.cols / 4, 0.75, 1.25);
    for (const [style, lineWidth] of [["#fff", 2 * line], ["#000", line]]) {
      context.strokeStyle = style;
      context.lineWidth = lineWidth;
      context.stroke(edge);
    }
  }

  /** The outline of the brush: `offsets` are the [down, across] of its pixels from the cursor. */
  drawBrush(context, width, { row, col }, offsets) {
    const side = width / this.cols;
    const inside = new Set(offsets.map(String));
    const path = new Path2D();
    for (const [down, across] of offsets) {
      const [top, left] = [(row + down) * side, (col + across) * side];
      const line = (beyond, fromX, fromY, toX, toY) => {
        if (inside.has(String(beyond))) return;
        path.moveTo(left + fromX * side, top + fromY * side);
        path.lineTo(left + toX * side, top + toY * side);
      };
      line([down - 1, across], 0, 0, 1, 0);
      line([down + 1, across], 0, 1, 1, 1);
      line([down, across - 1], 0, 0, 0, 1);
      line([down, across + 1], 1, 0, 1, 1);
    }
    context.lineCap = "square";
    strokeOnPicture(context, path);
    context.lineCap = "butt";
  }
}
