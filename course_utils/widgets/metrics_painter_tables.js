// What the metrics painter tells: the confusion matrix, the scores of each class, and the scores of the whole picture.

/** A score as text; its `title` has every digit, for comparing with Python. Tells whether it has changed. */
function showScore(node, value) {
  if (node.title === String(value)) return false;
  node.title = String(value);
  setText(node, Number.isNaN(value) ? "nan" : value.toFixed(3));
  return true;
}

/** A little square in the colour of a class. */
function swatch(css) {
  const node = element("i", { className: "painter-swatch", "aria-hidden": "true" });
  node.style.background = css;
  return node;
}

const rowHeader = (name, k, css) => element("th", { scope: "row", title: name }, swatch(css[k]), ` ${k} ${name}`);

/** A table under a title: rows and columns have headers, and a wide one can be scrolled. */
function titledTable(title, className, head, rows) {
  const table = element("table", { className }, element("thead", {}, head), element("tbody", {}, ...rows));
  const caption = element("figcaption", {}, title);
  const about = { className: "painter-scroller", tabIndex: 0, role: "region", "aria-label": title };
  const scroller = element("div", about, table);
  return { table, node: element("figure", { className: "explorer-figure" }, caption, scroller) };
}

/** The confusion matrix; each cell is shaded by its share of its row: blue where right, orange where wrong. */
function matrixTable(names, css) {
  const cells = names.map(() => names.map(() => element("td")));
  const rowNames = names.map((name, k) => rowHeader(name, k, css));
  const head = element(
    "tr",
    {},
    element("td", { className: "painter-corner" }, "truth ↓ prediction →"),
    ...names.map((name, k) =>
      element("th", { scope: "col", title: name, "aria-label": `${k} ${name}` }, swatch(css[k]), `${k}`),
    ),
  );
  const { table, node } = titledTable(
    "Confusion matrix, in pixels",
    "painter-matrix",
    head,
    cells.map((row, k) => element("tr", {}, rowNames[k], ...row)),
  );
  table.style.setProperty("--digits", names.length > 12 ? "10px" : names.length > 6 ? "11px" : "12px");
  node.append(hint("Blue: right, orange: wrong, the stronger the larger its share of the row. Framed: the cursor's pixel."));
  const shown = new Int32Array(names.length ** 2).fill(-1);
  let marked = null;
  return {
    node,
    show(matrix, here) {
      for (let row = 0; row < names.length; row++) {
        const counts = matrix.subarray(row * names.length, (row + 1) * names.length);
        if (counts.every((count, col) => count === shown[row * names.length + col])) continue;
        const total = counts.reduce((sum, count) => sum + count, 0);
        counts.forEach((count, col) => {
          shown[row * names.length + col] = count;
          setText(cells[row][col], String(count));
          cells[row][col].classList.toggle("painter-zero", count === 0);
          const shade = count ? 0.08 + 0.5 * Math.sqrt(count / total) : 0;
          const hue = row === col ? "0, 114, 178" : "213, 94, 0";
          cells[row][col].style.background = `rgba(${hue}, ${shade.toFixed(3)})`;
        });
      }
      const mark = here && cells[here.truth][here.prediction];
      if (mark === marked) return;
      marked?.classList.remove("painter-here");
      mark?.classList.add("painter-here");
      marked = mark;
    },
  };
}

const CLASS_SCORES = [
  ["iu", "iu", "intersection over union: TP / (TP + FP + FN)"],
  ["dice", "Dice", "2 TP / (2 TP + FP + FN)"],
  ["precision", "precision", "TP / (TP + FP): how much of what is painted is right"],
  ["recall", "recall", "TP / (TP + FN): how much of the truth is found"],
  ["boundary_f1", "boundary F1", "F1 of the two outlines"],
];

/** A row of scores for each class, each with a bar behind it. */
function classTable(names, css) {
  const cell = (score, k) => element("td", { "data-score": score, "data-class": String(k) });
  const cells = Object.fromEntries(CLASS_SCORES.map(([score]) => [score, names.map((_, k) => cell(score, k))]));
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "class"),
    ...CLASS_SCORES.map(([, text, title]) => element("th", { scope: "col", title }, text)),
  );
  const rows = names.map((name, k) =>
    element(
      "tr",
      {},
      rowHeader(name, k, css),
      ...CLASS_SCORES.map(([score]) => cells[score][k]),
    ),
  );
  const { node } = titledTable("Scores of each class", "painter-classes", head, rows);
  return {
    node,
    show(scores, absent) {
      rows.forEach((row, k) => row.classList.toggle("painter-absent", absent[k]));
      for (const [score] of CLASS_SCORES) {
        scores[score].forEach((value, k) => {
          if (!showScore(cells[score][k], value)) return;
          cells[score][k].style.setProperty("--share", Number.isNaN(value) ? 0 : value.toFixed(3));
        });
      }
    },
  };
}

const PICTURE_SCORES = [
  ["acc", "share of pixels right"],
  ["acc_cls", "mean of the recalls"],
  ["mean_iu", "mean of the ius"],
  ["fw_iu", "mean iu by frequency"],
];

/** The scores of the whole picture, each with what the last stroke did to it. */
function scoreCards() {
  const pair = (score) => ({ value: element("span", { "data-score": score }), change: element("small") });
  const nodes = Object.fromEntries(PICTURE_SCORES.map(([score]) => [score, pair(score)]));
  const cards = PICTURE_SCORES.map(([score, meaning]) =>
    element(
      "div",
      {},
      element("dt", {}, element("code", {}, score), ` ${meaning}`),
      element("dd", {}, nodes[score].value, " ", nodes[score].change),
    ),
  );
  return {
    cards,
    show(scores, before) {
      for (const [score] of PICTURE_SCORES) {
        showScore(nodes[score].value, scores[score]);
        setText(nodes[score].change, before ? changeText(scores[score] - before[score]) : "");
      }
    },
  };
}

/** "▲ 0.012", or nothing where three decimals show no change. */
function changeText(change) {
  if (Number.isNaN(change) || Math.abs(change) < 0.0005) return "";
  return `${change > 0 ? "▲" : "▼"} ${Math.abs(change).toFixed(3)} last stroke`;
}
