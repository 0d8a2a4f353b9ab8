// The table of layers in the alignment explorer: every number of a layer can be changed; what follows stands beside it.

const NUMBERS = [
  ["kernel", "k", 1],
  ["stride", "s", 1],
  ["padding", "p", 0],
  ["dilation", "d", 1],
];
const HEADS = ["layer", "kind", ...NUMBERS.map(([, head]) => head), "more", "size", "stride", "unit 0 at", "crop"];
const NEW_LAYER = { kernel: 3, stride: 1, padding: 0, dilation: 1, output_padding: 0, ceil_mode: false, source: "" };

/** A new layer of this kind, with a name that no other has. */
function newLayer(kind, layers) {
  const names = new Set(layers.map(({ name }) => name));
  let number = 1;
  while (names.has(`${kind}_${number}`)) number++;
  const sizes = { pool: { kernel: 2, stride: 2 }, deconv: { kernel: 4, stride: 2 }, join: { source: IMAGE } };
  return { ...NEW_LAYER, ...sizes[kind], name: `${kind}_${number}`, kind };
}

function numberInput(layer, name, least, change) {
  const input = element("input", { type: "number", min: least, max: 999, step: 1, value: layer[name] });
  input.ariaLabel = `${name.replace("_", " ")} of ${layer.name}`;
  input.addEventListener("change", () => {
    const value = Math.round(Number(input.value));
    input.value = Number.isFinite(value) && input.value !== "" ? clamp(value, least, 999) : layer[name];
    change({ [name]: Number(input.value) });
  });
  return input;
}

/** What only some kinds of layers have: rounding of a pool, output padding of a deconv, the source of a join. */
function moreInput(layer, sources, change) {
  if (layer.kind === "pool") {
    const { node, input } = checkbox("round up", (on) => change({ ceil_mode: on }));
    input.checked = layer.ceil_mode;
    input.ariaLabel = `round the size of ${layer.name} up`;
    return node;
  }
  if (layer.kind === "deconv") {
    return element("label", {}, "output padding ", numberInput(layer, "output_padding", 0, change));
  }
  if (layer.kind !== "join") return "";
  const { node, select, fill } = menu("with", (source) => change({ source }));
  fill(sources.map((name) => [name, name]));
  select.value = layer.source;
  return node;
}

/** `change(index, values)` is called when the reader changes a layer, `choose(name)` when one is looked at. */
function layerTable(change, choose) {
  const body = element("tbody");
  const head = element("tr", {}, ...HEADS.map((text) => element("th", { scope: "col" }, text)));
  const table = element("table", {}, element("thead", {}, head), body);
  const about = { className: "alignment-scroller", tabIndex: 0, role: "region", "aria-label": "Layers" };
  let [drawn, shown] = ["", ""];
  let results = [];
  const rowOf = (layer, index, sources) => {
    const set = (values) => change(index, values);
    const isJoin = layer.kind === "join";
    const inputs = NUMBERS.map(([name, , least]) =>
      element("td", {}, isJoin || (name === "dilation" && layer.kind === "pool") ? "" : numberInput(layer, name, least, set)),
    );
    const told = ["size", "stride", "start", "crop"].map((name) => element("td", { "data-told": name }));
    const title = element("th", { scope: "row" }, layer.name);
    const more = element("td", {}, moreInput(layer, sources, set));
    const row = element("tr", {}, title, element("td", {}, layer.kind), ...inputs, more, ...told);
    for (const event of ["focusin", "click"]) row.addEventListener(event, () => choose(layer.name));
    return { row, told };
  };
  return {
    node: element("div", about, table),
    /** `key` is another one for other layers, or another size. */
    show(key, layers, rows, chosen) {
      if (shown === (shown = `${key} ${chosen}`)) return;
      // An input that is being typed in would lose its focus if the rows were made anew for the numbers' sake.
      if (drawn !== (drawn = JSON.stringify(layers))) {
        const focused = [...body.querySelectorAll("input, select")].indexOf(document.activeElement);
        results = layers.map((layer, index) => rowOf(layer, index, [IMAGE, ...layers.slice(0, index).map(({ name }) => name)]));
        body.replaceChildren(...results.map(({ row }) => row));
        if (focused >= 0) body.querySelectorAll("input, select")[focused]?.focus();
      }
      results.forEach(({ row, told }, index) => {
        const { grid, offset, crop, miss } = rows[index] ?? {};
        const cropText = offset ? (offset.isWhole ? String(crop) : `${miss.text} pixel off`) : "";
        const texts = grid ? [String(grid.size), grid.stride.text, grid.start.text, cropText] : ["–", "–", "–", ""];
        texts.forEach((text, column) => setText(told[column], text));
        row.classList.toggle("alignment-now", layers[index].name === chosen);
        row.classList.toggle("alignment-broken", !grid);
      });
    },
  };
}
