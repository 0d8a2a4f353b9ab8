// The numbers of the metrics painter: the same definitions as course_utils.metrics, kept up to date as pixels change.

const SCORE_OF_ABSENT = { nan: NaN, zero: 0, one: 1 };

/** Mean of the numbers that are not NaN. */
function nanMean(values) {
  const numbers = values.filter((value) => !Number.isNaN(value));
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

/** All scores that come out of a confusion matrix, K × K row by row, rows truth, columns prediction. */
function scoresOf(matrix, absent) {
  const K = Math.sqrt(matrix.length);
  const classes = Array.from({ length: K }, (_, k) => k);
  const right = classes.map((k) => matrix[k * K + k]);
  const truth = classes.map((k) => classes.reduce((sum, p) => sum + matrix[k * K + p], 0));
  const predicted = classes.map((k) => classes.reduce((sum, t) => sum + matrix[t * K + k], 0));
  const all = truth.reduce((sum, count) => sum + count, 0);
  const share = (part, whole, policy = absent) => {
    if (whole > 0) return part / whole;
    return all > 0 ? SCORE_OF_ABSENT[policy] : NaN;
  };
  const union = classes.map((k) => truth[k] + predicted[k] - right[k]);
  const iu = classes.map((k) => share(right[k], union[k]));
  const recall = classes.map((k) => share(right[k], truth[k]));
  return {
    acc: right.reduce((sum, count) => sum + count, 0) / all,
    acc_cls: nanMean(recall),
    mean_iu: nanMean(iu),
    fw_iu: classes.reduce((sum, k) => sum + truth[k] * share(right[k], union[k], "zero"), 0) / all,
    iu,
    dice: classes.map((k) => share(2 * right[k], truth[k] + predicted[k])),
    precision: classes.map((k) => share(right[k], predicted[k])),
    recall,
    absent: union.map((count) => count === 0),
  };
}

/** The pixels of each class that have one of their four neighbours in another class: K lists of places. */
function outlinesOf(labels, rows, cols, numClasses) {
  const outlines = Array.from({ length: numClasses }, () => []);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, i++) {
      const label = labels[i];
      if (label === VOID) continue;
      const inside =
        (row === 0 || labels[i - cols] === label) && (row === rows - 1 || labels[i + cols] === label) &&
        (col === 0 || labels[i - 1] === label) && (col === cols - 1 || labels[i + 1] === label);
      if (!inside) outlines[label].push(i);
    }
  }
  return outlines;
}

/** For each pixel, how many rows away the nearest of `points` in its column is. */
function columnDistances(points, rows, cols) {
  const distance = new Float32Array(rows * cols).fill(Infinity);
  for (const point of points) distance[point] = 0;
  for (let i = cols; i < distance.length; i++) distance[i] = Math.min(distance[i], distance[i - cols] + 1);
  for (let i = distance.length - cols - 1; i >= 0; i--) distance[i] = Math.min(distance[i], distance[i + cols] + 1);
  return distance;
}

/** How many of `points` lie within `tolerance` pixels (Euclidean) of those that `down` holds the column distances to. */
function countNear(points, down, cols, tolerance) {
  const reach = Math.floor(tolerance);
  let near = 0;
  for (const point of points) {
    const col = point % cols;
    const row = point - col;
    const last = Math.min(col + reach, cols - 1);
    for (let other = Math.max(col - reach, 0); other <= last; other++) {
      if (Math.sqrt((other - col) ** 2 + down[row + other] ** 2) > tolerance) continue;
      near++;
      break;
    }
  }
  return near;
}

/** A prediction that is painted on, its confusion matrix and boundary F1, and the way back. */
class Painting {
  constructor(truth, prediction, { rows, cols, numClasses, tolerance }) {
    Object.assign(this, { truth, prediction, rows, cols, numClasses, tolerance });
    this.matrix = new Int32Array(numClasses ** 2);
    truth.forEach((label, i) => { if (label !== VOID) this.matrix[label * numClasses + prediction[i]]++; });
    this.labels = prediction.map((label, i) => (truth[i] === VOID ? VOID : label)); // what is scored of the prediction
    this.scored = this.matrix.reduce((sum, count) => sum + count, 0);
    this.trueOutlines = outlinesOf(truth, rows, cols, numClasses).map((points) => ({
      points, down: columnDistances(points, rows, cols),
    }));
    this.boundary = new Float64Array(numClasses);
    this.changed = new Set(this.boundary.keys()); // classes whose boundary F1 is out of date
    this.strokes = []; // of each: place → label before it
    this.stroke = null;
    this.box = null; // of the pixels that changed since it was last asked for
  }

  /** Changes one pixel, and the two cells of the matrix in which it is counted. */
  set(i, label) {
    const old = this.prediction[i];
    if (old === label) return;
    if (!this.stroke.has(i)) this.stroke.set(i, old);
    this.prediction[i] = label;
    this.reach(i);
    const row = this.truth[i] * this.numClasses;
    if (this.truth[i] === VOID) return;
    this.labels[i] = label;
    this.matrix[row + old]--;
    this.matrix[row + label]++;
    this.changed.add(old).add(label);
  }

  /** Makes the box of changed pixels hold this one. */
  reach(i) {
    const [row, col] = [Math.floor(i / this.cols), i % this.cols];
    const box = (this.box ??= { top: row, left: col, bottom: row + 1, right: col + 1 });
    box.top = Math.min(box.top, row);
    box.left = Math.min(box.left, col);
    box.bottom = Math.max(box.bottom, row + 1);
    box.right = Math.max(box.right, col + 1);
  }

  /** The box of the pixels that changed since this was last called; null if none did. */
  takeChanged() {
    const { box } = this;
    this.box = null;
    return box;
  }

  begin() {
    this.stroke = new Map();
  }

  /** Ends a stroke and tells whether it changed anything. */
  end() {
    const { stroke } = this;
    this.stroke = null;
    if (!stroke?.size) return false;
    this.strokes.push(stroke);
    return true;
  }

  /** One stroke that gives every pixel i the label labelOf(i). */
  replace(labelOf) {
    this.begin();
    for (let i = 0; i < this.prediction.length; i++) this.set(i, labelOf(i));
    return this.end();
  }

  /** Takes the last stroke back and tells whether there was one. */
  undo() {
    const last = this.strokes.pop();
    if (!last) return false;
    this.begin();
    for (const [i, label] of last) this.set(i, label);
    this.stroke = null;
    return true;
  }

  scores(absent) {
    return { ...scoresOf(this.matrix, absent), boundary_f1: this.boundaryF1() };
  }

  /** Boundary F1 of each class, computed anew where the class has changed; NaN where it has no outline at all. */
  boundaryF1() {
    const { rows, cols, tolerance } = this;
    if (this.changed.size) {
      const outlines = outlinesOf(this.labels, rows, cols, this.numClasses);
      for (const k of this.changed) {
        const [predicted, { points, down }] = [outlines[k], this.trueOutlines[k]];
        const precision = countNear(predicted, down, cols, tolerance) / Math.max(predicted.length, 1);
        const near = countNear(points, columnDistances(predicted, rows, cols), cols, tolerance);
        const recall = near / Math.max(points.length, 1);
        const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
        this.boundary[k] = predicted.length + points.length ? f1 : NaN;
      }
      this.changed.clear();
    }
    return [...this.boundary];
  }

  countWrong() {
    let right = 0;
    for (let k = 0; k < this.numClasses; k++) right += this.matrix[k * (this.numClasses + 1)];
    return this.scored - right;
  }
}
