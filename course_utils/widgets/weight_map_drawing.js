// The weight map explorer's arithmetic and its pictures: weights in colours, two outlined cells, lines to their borders.

const NEAREST = "#d55e00";
const SECOND = "#56b4e9";

/** The two nearest cells of every pixel, from the border pixels that the kernel found; distances in pixels. */
class NearestCells {
  constructor(ids, [site1, site2], rows, cols) {
    Object.assign(this, { ids, sites: [site1, site2], rows, cols });
    this.known = site1[0] >= 0; // there are two cells at least
    this.apart = Float64Array.from(ids, (_, i) => this.distance(i, 0) + this.distance(i, 1));
  }

  /** From pixel i to the border of the nearest cell (which = 0) or of the second nearest (1); infinite if there is none. */
  distance(i, which) {
    const site = this.sites[which][i];
    if (site < 0) return Infinity;
    const down = Math.floor(site / this.cols) - Math.floor(i / this.cols);
    return Math.sqrt(down * down + (site % this.cols - i % this.cols) ** 2);
  }

  /** The number of that cell. */
  cell(i, which) {
    return this.ids[this.sites[which][i]];
  }
}

/** w0 · exp(−(d1 + d2)² / (2 sigma²)) */
const borderTerm = (apart, w0, sigma) => w0 * Math.exp(-(apart ** 2) / (2 * sigma ** 2));

/** All weights, (rows · cols). */
function weightsOf({ ids, apart }, { w0, sigma, classWeights }) {
  return Float64Array.from(ids, (id, i) => classWeights[id > 0 ? 1 : 0] + borderTerm(apart[i], w0, sigma));
}

/** Draws weights in the colours of a map, from 0 to `most`. */
class WeightPainter {
  constructor(rows, cols, colors) {
    this.pixels = new PixelCanvas(rows, cols);
    this.words = Array.from({ length: 256 }, (_, k) => wordOf(...colors.subarray(3 * k, 3 * k + 3)));
  }

  draw(context, width, height, weights, most) {
    const canvas = this.pixels.show((i) => this.words[clamp(Math.round((255 * weights[i]) / most), 0, 255)]);
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, width, height);
  }
}

/** Outlines of single cells, each computed once for a size of the pixels. */
class Outlines {
  constructor(ids, rows, cols) {
    Object.assign(this, { ids, rows, cols, side: 0, paths: new Map() });
  }

  of(cell, side) {
    if (side !== this.side) this.paths.clear();
    this.side = side;
    if (!this.paths.has(cell)) {
      // A frame of background around, so that a cell at the picture's edge is closed there too.
      const [rows, cols] = [this.rows + 2, this.cols + 2];
      const inside = new Uint8Array(rows * cols);
      for (let i = 0; i < this.ids.length; i++) {
        const place = (Math.floor(i / this.cols) + 1) * cols + (i % this.cols) + 1;
        inside[place] = this.ids[i] === cell ? 1 : 0;
      }
      const path = new Path2D();
      path.addPath(outlineOf(inside, rows, cols, side), new DOMMatrix().translate(-side, -side));
      this.paths.set(cell, path);
    }
    return this.paths.get(cell);
  }
}

/** The two nearest cells of pixel i, and the way from it to the nearest point of each border; second first, below. */
function drawNearest(context, side, near, outlines, i) {
  if (!near.known) return;
  const centre = (place) => [((place % near.cols) + 0.5) * side, (Math.floor(place / near.cols) + 0.5) * side];
  for (const [which, color, dashes] of [[1, SECOND, [7, 5]], [0, NEAREST, []]]) {
    strokeOnPicture(context, outlines.of(near.cell(i, which), side), color);
    const way = new Path2D();
    way.moveTo(...centre(i));
    way.lineTo(...centre(near.sites[which][i]));
    context.strokeStyle = "#fff";
    context.lineWidth = 5;
    context.stroke(way);
    context.setLineDash(dashes);
    context.strokeStyle = color;
    context.lineWidth = 2.5;
    context.stroke(way);
    context.setLineDash([]);
  }
}

/** A frame around pixel i, however small it is. */
function drawPixel(context, side, cols, i) {
  frameAround(context, (i % cols) * side, Math.floor(i / cols) * side, side, side);
}
