// The sum of weighted score maps: each upsampled to the image once, mixed anew for every set of weights.

/** Where the pixels of one axis look in a map of `count` values: first neighbour, second, share of the second. */
function lookups(length, count) {
  return Array.from({ length }, (_, pixel) => {
    const source = Math.max((pixel + 0.5) * (count / length) - 0.5, 0);
    const first = Math.min(Math.floor(source), count - 1);
    return [first, Math.min(first + 1, count - 1), source - first];
  });
}

/** A (K, h, w) map at the size of the image, by bilinear interpolation as with align_corners=False. */
function upsampleMap({ data, rows, cols }, numClasses, height, width) {
  const [down, across] = [lookups(height, rows), lookups(width, cols)];
  const large = new Float64Array(numClasses * height * width);
  for (let k = 0, i = 0; k < numClasses; k++) {
    for (const [upper, lower, shareDown] of down) {
      const [above, below] = [(k * rows + upper) * cols, (k * rows + lower) * cols];
      for (const [left, right, shareAcross] of across) {
        const top = data[above + left] * (1 - shareAcross) + data[above + right] * shareAcross;
        const bottom = data[below + left] * (1 - shareAcross) + data[below + right] * shareAcross;
        large[i++] = top * (1 - shareDown) + bottom * shareDown;
      }
    }
  }
  return large;
}

/** The class with the highest of K scores that lie `stride` apart; of equal ones the first. */
function argmax(scores, numClasses, start = 0, stride = 1) {
  let best = 0;
  for (let k = 1; k < numClasses; k++) if (scores[start + k * stride] > scores[start + best * stride]) best = k;
  return best;
}

/** Score maps of one net, at the size of the image; `maps` are { name, rows, cols, data }. */
class Mixer {
  constructor(maps, numClasses, height, width) {
    Object.assign(this, { numClasses, pixels: height * width });
    this.names = maps.map(({ name }) => name);
    this.large = maps.map((map) => upsampleMap(map, numClasses, height, width));
    this.total = new Float64Array(numClasses * this.pixels);
    this.labels = new Uint8Array(this.pixels);
    this.best = new Float64Array(this.pixels);
    this.key = null;
  }

  /** The class of every pixel under these weights; the same array each time. */
  mix(weights) {
    if (this.key === (this.key = weights.join())) return this.labels;
    const { total, labels, best, pixels } = this;
    total.fill(0);
    this.large.forEach((scores, m) => {
      const weight = weights[m];
      if (weight) for (let i = 0; i < total.length; i++) total[i] += weight * scores[i];
    });
    labels.fill(0);
    best.set(total.subarray(0, pixels));
    for (let k = 1, i = pixels; k < this.numClasses; k++) {
      for (let place = 0; place < pixels; place++, i++) {
        if (total[i] <= best[place]) continue;
        best[place] = total[i];
        labels[place] = k;
      }
    }
    return labels;
  }

  /** Each map's K scores at one pixel. */
  scoresAt(place) {
    const classes = Array.from({ length: this.numClasses }, (_, k) => k);
    return this.large.map((scores) => classes.map((k) => scores[k * this.pixels + place]));
  }

  /** What decides at one pixel: the two leading classes, and for each map that is on, the winner without it. */
  judge(place, weights) {
    const scores = this.scoresAt(place);
    const sumOf = (used) => scores[0].map((_, k) =>
      used.reduce((sum, weight, m) => (weight ? sum + weight * scores[m][k] : sum), 0));
    const total = sumOf(weights);
    const first = argmax(total, this.numClasses);
    const rest = total.map((score, k) => (k === first ? -Infinity : score));
    const second = argmax(rest, this.numClasses);
    const on = weights.flatMap((weight, m) => (weight ? [m] : []));
    const without = on.map((m) => argmax(sumOf(weights.with(m, 0)), this.numClasses));
    const deciders = on.length > 1 ? on.flatMap((m, i) => (without[i] === first ? [] : [{ map: m, winner: without[i] }])) : [];
    return { scores, total, first, second, on, deciders };
  }
}

/** Confusion matrix of a prediction, row by row: truth × prediction; void is left out. */
function countPairs(labels, truth, numClasses) {
  const matrix = new Int32Array(numClasses ** 2);
  for (let i = 0; i < labels.length; i++) if (truth[i] !== VOID) matrix[truth[i] * numClasses + labels[i]]++;
  return matrix;
}
