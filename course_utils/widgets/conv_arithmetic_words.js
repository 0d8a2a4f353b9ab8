// What the conv arithmetic explorer says: formulas with their numbers, what a unit is made of, and what is odd about it.

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The size formula, and the same with its numbers. */
function sizeTexts({ size, kernel, stride, padding, dilation, outputPadding, transposed, room, outputSize, problem }) {
  if (transposed) {
    const numbers = `(${size} − 1)·${stride} − 2·${padding} + ${dilation}·(${kernel} − 1) + ${outputPadding} + 1`;
    return ["(n − 1)s − 2p + d(k − 1) + output padding + 1", problem ? numbers : `${numbers} = ${outputSize}`];
  }
  const numbers = `⌊(${size} + 2·${padding} − ${dilation}·(${kernel} − 1) − 1) / ${stride}⌋ + 1`;
  const result = ` = ⌊${room} / ${stride}⌋ + 1 = ${outputSize}`;
  return ["⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1", problem ? numbers : numbers + result];
}

/** What the chosen unit is made of, or what it goes into. */
function unitTexts(rules, { side, row, col }) {
  const [rows, cols] = [row, col].map((unit) => rules.present(side, unit).length);
  const other = side === "input" ? "output" : "input";
  const units = plural(rows * cols, "unit");
  const count = `${rows} × ${cols} = ${units} of the ${other}`;
  const missing = rules.kernel ** 2 - rows * cols;
  if (side === rules.fineSide) {
    const verb = rules.transposed ? "sum of" : "read by";
    return rows * cols ? [`${verb} ${count}`] : [rules.transposed ? "0: no stamp reaches it" : "read by no output"];
  }
  const rest = missing ? `${plural(missing, "tap")} ${rules.transposed ? "cut off" : "in the padding"}` : "";
  return [`${rules.transposed ? "stamps" : "reads"} ${count}`, rest];
}

/** What a transposed convolution's padding cuts off; output padding gives some of it back. */
function cutText({ padding, outputPadding }) {
  if (!outputPadding) return `${padding} on each side cut off`;
  const after = Math.max(padding - outputPadding, 0);
  return `cut off: ${padding} above and left${after ? `, ${after} below and right` : ""}`;
}

/** How often the units of the fine side are met: this one, and those in the middle of a large map. */
function hitTexts(rules) {
  const inner = rules.innerHits();
  const numbers = [...new Set(inner.flatMap((a) => inner.map((b) => a * b)))].sort((a, b) => a - b);
  const verb = rules.transposed ? "hit" : "read";
  if (numbers.length === 1) return [`each ${verb} ${numbers[0]} times`, `inside; s = ${rules.stride} and k = ${rules.kernel}: even`];
  const listed = `${numbers.slice(0, -1).join(", ")} or ${numbers.at(-1)} times`;
  return [`${verb} ${listed}`, rules.transposed ? "inside: a checkerboard" : "inside: unevenly"];
}

/** The zero-inserted grid in numbers. */
function gridTexts(rules) {
  const { border, last } = rules.zeroGrid();
  const side = border < 0 ? `crop ${-border}` : `border ${border}`;
  const more = rules.outputPadding ? `, and ${rules.outputPadding} more below and right` : "";
  const formula = `n + (n − 1)(s − 1) = ${last + 1}`;
  return [`${formula}, ${side}${more}`, `d(k − 1) − p = ${rules.reach} − ${rules.padding}; kernel turned by 180°, stride 1`];
}

/** What a reader might stumble over, a sentence each. */
function remarks(rules) {
  const { stride, kernel, padding, dilation, outputPadding, transposed, reach, room } = rules;
  const said = [];
  if (kernel === 1 && dilation > 1) said.push("A kernel of one tap has no gaps, so the dilation changes nothing.");
  if (!transposed && room % stride) {
    const left = room % stride;
    said.push(`The last step does not fit: ${plural(left, "row")} and ${plural(left, "column")} of the padded input are never read.`);
  }
  if (!transposed && padding > reach) said.push("More padding than the kernel reaches, p > d(k − 1): the outermost outputs see only padding.");
  if (transposed && padding > reach) {
    said.push(`p > d(k − 1): the border would be negative, so the zero-inserted grid is cropped by ${padding - reach} instead.`);
  }
  if (Math.min(...rules.innerHits()) === 0) {
    const share = transposed ? "outputs that no stamp reaches: they are 0 (or the bias)" : "inputs that are never read";
    said.push(`The kernel leaves gaps at this stride: there are ${share}.`);
  }
  if (outputPadding) said.push("Output padding adds units below and right only; nothing else moves.");
  return said.join(" ");
}

/** All read-outs of the chosen unit. */
function describe(rules, cursor) {
  if (rules.problem) return { size: sizeTexts(rules).reverse(), remarks: "" };
  const { side, row, col } = cursor;
  const count = rules.count(side);
  return {
    position: [`row ${row}, column ${col}`, `of ${count} × ${count}`],
    unit: unitTexts(rules, cursor),
    size: sizeTexts(rules).reverse(),
    grid: rules.transposed ? gridTexts(rules) : "",
    hits: hitTexts(rules),
    remarks: remarks(rules),
  };
}
