// What the skip mixer tells in tables: each map's scores at one pixel, and the IoU of each class.

function colorChip(css) {
  const node = element("i", { className: "mixer-chip", "aria-hidden": "true" });
  node.style.background = css;
  return node;
}

/** A table under a title that can be scrolled where it is too wide. */
function titledGrid(title, heads, rows) {
  const head = element("tr", {}, ...heads.map((cell) => (cell instanceof Node ? cell : element("th", { scope: "col" }, cell))));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const about = { className: "mixer-scroller", tabIndex: 0, role: "region", "aria-label": title };
  return element("figure", { className: "explorer-figure" }, element("figcaption", {}, title), element("div", about, table));
}

/** For each map: its weight, its scores of the two leading classes, and how far it puts the first ahead. */
function scoreTable(names, classNames, css) {
  const leaders = [0, 1].map(() => ({ chip: colorChip("none"), name: element("span") }));
  const heads = leaders.map(({ chip, name }) => element("th", { scope: "col" }, chip, name));
  const cells = () => Array.from({ length: 4 }, () => element("td"));
  const rows = names.map((name) => ({ name, cells: cells() }));
  const sum = { name: "weighted sum", cells: cells() };
  const nodes = [...rows, sum].map(({ name, cells: row }) => element("tr", {}, element("th", { scope: "row" }, name), ...row));
  const node = titledGrid("Scores at the cursor, of the two leading classes", ["map", "weight", ...heads, "first ahead by"], nodes);
  nodes.at(-1).classList.add("mixer-sum");
  const number = (value, span) => format(value, span, 4);
  const signed = (value, span) => {
    const text = number(value, span);
    return value > 0 && Number(text) ? `+${text}` : text;
  };
  return {
    node,
    show({ scores, total, first, second, deciders }, weights, span) {
      [first, second].forEach((k, i) => {
        setText(leaders[i].name, classNames[k]);
        leaders[i].chip.style.background = css[k];
      });
      rows.forEach(({ cells: row }, m) => {
        const [ahead, behind] = [scores[m][first], scores[m][second]];
        const texts = [weights[m].toFixed(2), number(ahead, span), number(behind, span), signed(weights[m] * (ahead - behind), span)];
        texts.forEach((text, i) => setText(row[i], text));
        nodes[m].classList.toggle("mixer-off", weights[m] === 0);
        nodes[m].classList.toggle("mixer-decides", deciders.some(({ map }) => map === m));
      });
      const [ahead, behind] = [total[first], total[second]];
      ["", number(ahead, span), number(behind, span), signed(ahead - behind, span)].forEach((text, i) => setText(sum.cells[i], text));
    },
  };
}

/** IoU of each class, with a bar behind it, beside what it is with every weight at 1. */
function iouTable(classNames, css, reference) {
  const entries = [...classNames.map((name, k) => ({ name, chip: colorChip(css[k]) })), { name: "mean", chip: "" }];
  const text = (value) => (Number.isNaN(value) ? "–" : value.toFixed(3));
  const values = (scores) => [...scores.iu, scores.mean_iu];
  const fixed = values(reference);
  const cells = entries.map(({ name }) => element("td", { className: "mixer-bar", "data-iou": name }));
  const rows = entries.map(({ name, chip }, k) =>
    element("tr", {}, element("th", { scope: "row" }, chip, name), cells[k], element("td", {}, text(fixed[k]))));
  rows.at(-1).classList.add("mixer-sum");
  return {
    node: titledGrid("IoU of each class", ["class", "now", "all weights 1"], rows),
    show(scores) {
      values(scores).forEach((value, k) => {
        setText(cells[k], text(value));
        cells[k].title = String(value);
        cells[k].style.setProperty("--share", Number.isNaN(value) ? 0 : value);
      });
    },
  };
}
