// The arithmetic of a 3 × 3 kernel with holes on a map with zeros around it. Rows and columns can be counted apart:
// a tap is inside if its row and its column are.

/** How many of the three taps along one axis are inside, at each of `length` positions. */
function insideAlong(length, rate) {
  return Array.from({ length }, (_, place) => 1 + (place >= rate) + (place + rate < length));
}

/** The nine taps at a position, each with whether it is inside the map. */
function tapsAt(row, col, rate, { rows, cols }) {
  return [-rate, 0, rate].flatMap((down) => [-rate, 0, rate].map((across) => {
    const [y, x] = [row + down, col + across];
    return { row: y, col: x, inside: y >= 0 && y < rows && x >= 0 && x < cols };
  }));
}

/** Shares of a rate: positions with all nine taps inside, weights that meet the map, positions with the centre alone. */
function sharesOf(rate, { rows, cols }) {
  const axes = [insideAlong(rows, rate), insideAlong(cols, rate)];
  const positions = rows * cols;
  const product = (measure) => measure(axes[0]) * measure(axes[1]);
  return {
    allNine: product((axis) => axis.filter((count) => count === 3).length) / positions,
    weights: product((axis) => axis.reduce((sum, count) => sum + count, 0)) / (9 * positions),
    onlyCentre: product((axis) => axis.filter((count) => count === 1).length) / positions,
  };
}

/** In how many ways a stack of layers of these rates, the last one first, leads from `start` to each place of an axis. */
function waysAlong(length, start, rates) {
  let ways = new Float64Array(length);
  ways[start] = 1;
  for (const rate of [...rates].reverse()) {
    ways = ways.map((own, place) => own + (ways[place - rate] ?? 0) + (ways[place + rate] ?? 0));
  }
  return ways;
}

/** What a stack sees from a position: ways on each axis, how many pixels it reaches of those its field covers. */
function seenFrom(row, col, rates, { rows, cols }) {
  const reach = rates.reduce((sum, rate) => sum + rate, 0);
  const down = waysAlong(rows, row, rates);
  const across = waysAlong(cols, col, rates);
  const covered = (place, length) => Math.min(place + reach, length - 1) - Math.max(place - reach, 0) + 1;
  const reached = (ways) => ways.filter((count) => count > 0).length;
  return {
    reach, down, across,
    seen: reached(down) * reached(across),
    covered: covered(row, rows) * covered(col, cols),
  };
}

/** What is left of the kernel, in words. */
function kindOf(rate, { rows, cols }) {
  if (rate >= rows && rate >= cols) return ["a 1 × 1 convolution", "eight of the nine weights meet nothing but zeros, wherever it stands"];
  if (rate >= rows) return ["a 1 × 3 convolution", "the taps above and below are outside everywhere"];
  if (rate >= cols) return ["a 3 × 1 convolution", "the taps to the left and right are outside everywhere"];
  const { allNine, onlyCentre } = sharesOf(rate, { rows, cols });
  if (onlyCentre > 0) return [`a 1 × 1 at ${(100 * onlyCentre).toFixed(1)} % of the positions`, "and nowhere a whole 3 × 3"];
  if (allNine === 0) return ["nowhere a whole 3 × 3", "at every position some taps are outside"];
  return ["a 3 × 3 convolution", "whole in the middle, cut at the border"];
}
