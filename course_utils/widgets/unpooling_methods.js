// Max pooling 2 × 2 and six ways back to full size. Each value of the result is a weighted sum of pooled values, so
// each way is told by its taps: which pooled values, with which weights.

/** Each window's maximum, and where it stands in the map (counted row by row; of equal ones the first). */
function maxPool(values, rows, cols) {
  const pool = { rows: rows / 2, cols: cols / 2 };
  pool.values = new Float64Array(pool.rows * pool.cols);
  pool.indices = new Int32Array(pool.rows * pool.cols);
  for (let row = 0, i = 0; row < pool.rows; row++) {
    for (let col = 0; col < pool.cols; col++, i++) {
      const corner = 2 * row * cols + 2 * col;
      let best = corner;
      for (const place of [corner + 1, corner + cols, corner + cols + 1]) if (values[place] > values[best]) best = place;
      pool.indices[i] = best;
      pool.values[i] = values[best];
    }
  }
  return pool;
}

/** Taps of a way that treats rows and columns alike: along(place, count) gives [index, weight] pairs on one axis. */
function separable(along) {
  const known = new Map(); // taps depend on the size alone: found once, not at every change of a value
  return ({ rows, cols }) => {
    const size = `${rows} ${cols}`;
    if (!known.has(size)) {
      const [down, across] = [rows, cols].map((count) => Array.from({ length: 2 * count }, (_, place) => along(place, count)));
      known.set(size, down.map((vertical) => across.map((horizontal) =>
        vertical.flatMap(([row, a]) => horizontal.map(([col, b]) => ({ row, col, weight: a * b }))))));
    }
    const taps = known.get(size);
    return (row, col) => taps[row][col];
  };
}

/** Stride 2, padding 1: input i reaches the outputs from 2i − 1 on, as far as the kernel goes. */
const transposed = (kernel) => separable((place, count) => {
  const taps = [];
  for (let i = 0; i < count; i++) {
    const tap = place + 1 - 2 * i;
    if (tap >= 0 && tap < kernel.length) taps.push([i, kernel[tap]]);
  }
  return taps;
});

/** Half-pixel centres, as align_corners=False: beyond the last centre the last value goes on. */
function bilinearTaps(place, count) {
  const source = Math.max((place + 0.5) / 2 - 0.5, 0);
  const first = Math.floor(source);
  const next = Math.min(first + 1, count - 1);
  const share = source - first;
  return next === first || share === 0 ? [[first, 1]] : [[first, 1 - share], [next, share]];
}

const METHODS = {
  max_unpool: {
    name: "max unpooling",
    title: "each maximum goes back to where it stood; zeros elsewhere",
    note: "The zeros are left for the convolutions after it: only the places are exact.",
    missing: "no index points here",
    tapsOf: (pool) => (row, col) => {
      const [y, x] = [row >> 1, col >> 1];
      return pool.indices[y * pool.cols + x] === row * 2 * pool.cols + col ? [{ row: y, col: x, weight: 1 }] : [];
    },
  },
  corner: {
    name: "top-left corner",
    title: "each maximum goes to its window's top-left corner; zeros elsewhere",
    note: "Without indices: a maximum lands up to one cell off each way.",
    missing: "not a top-left corner",
    tapsOf: separable((place) => (place % 2 ? [] : [[place / 2, 1]])),
  },
  nearest: {
    name: "nearest",
    title: "each maximum fills its window",
    note: "Four copies of each maximum: which of them was it?",
    tapsOf: separable((place) => [[place >> 1, 1]]),
  },
  bilinear: {
    name: "bilinear",
    title: "F.interpolate(mode=\"bilinear\", align_corners=False)",
    note: "Smooth between the windows' centres; peaks are flattened.",
    tapsOf: separable(bilinearTaps),
  },
  transposed_4x4: {
    name: "transposed 4 × 4",
    title: "transposed convolution, stride 2, padding 1, with the bilinear kernel ¼ ¾ ¾ ¼ each way",
    note: "¼ ¾ ¾ ¼ each way: bilinear inside; at the border parts are missing.",
    tapsOf: transposed([0.25, 0.75, 0.75, 0.25]),
    weights: 16,
  },
  transposed_3x3: {
    name: "transposed 3 × 3",
    title: "transposed convolution, stride 2, padding 1, output padding 1, with the kernel ½ 1 ½ each way",
    note: "½ 1 ½ each way: maxima at the corners, means between them.",
    tapsOf: transposed([0.5, 1, 0.5]),
    weights: 9,
  },
};

/** A map of twice the pooled one's size, and the taps it is made of. */
function upsample(method, pool) {
  const taps = METHODS[method].tapsOf(pool);
  const values = new Float64Array(4 * pool.rows * pool.cols);
  for (let row = 0, i = 0; row < 2 * pool.rows; row++) {
    for (let col = 0; col < 2 * pool.cols; col++, i++) {
      for (const tap of taps(row, col)) values[i] += tap.weight * pool.values[tap.row * pool.cols + tap.col];
    }
  }
  return { values, taps };
}

/** Root mean square error, and how many values are what they were (but for rounding). */
function compareMaps(original, result) {
  const largest = original.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let [squares, inPlace] = [0, 0];
  original.forEach((value, i) => {
    squares += (result[i] - value) ** 2;
    if (Math.abs(result[i] - value) <= 1e-9 * largest) inPlace++;
  });
  return { rmse: Math.sqrt(squares / original.length), inPlace };
}
