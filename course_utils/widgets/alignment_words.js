// What the alignment explorer says: each layer's derivation with its numbers, the crops, and the units over a pixel.

const signed = (number) => String(number).replace("-", "−");

/** How size, stride and place of a layer's map come about, each with its numbers. */
function derivation({ layer, before, source, offset, crop, miss, grid }) {
  const { kernel, stride, padding, dilation, output_padding, ceil_mode } = layer;
  const reach = dilation * (kernel - 1);
  const [n, old, s] = [before.size, before.start.text, before.stride.text];
  if (layer.kind === "join") {
    const difference = `(${old} − ${source.start.text}) / ${s} = ${offset.text}`.replaceAll("− −", "+ ");
    if (!offset.isWhole) return [`offset ${difference}`, `no crop of whole units aligns them: ${miss.text} pixel off`];
    const cut = offset.numerator >= 0 ? layer.source : "this map";
    return [`offset ${difference}`, crop ? `so crop ${crop} from the start of ${cut}` : "so nothing is cropped"];
  }
  const size =
    layer.kind === "deconv"
      ? `(${n} − 1)·${stride} − 2·${padding} + ${reach} + ${output_padding} + 1 = ${grid.size}`
      : `${ceil_mode ? "⌈" : "⌊"}(${n} + 2·${padding} − ${reach} − 1) / ${stride}${ceil_mode ? "⌉" : "⌋"} + 1 = ${grid.size}`;
  const jump = `${s} ${layer.kind === "deconv" ? "/" : "·"} ${stride} = ${grid.stride.text}`;
  const sign = layer.kind === "deconv" ? "−" : "+";
  const unit = layer.kind === "deconv" ? grid.stride.text : s;
  return [`size ${size}`, `stride ${jump}; unit 0 at ${old} ${sign} (${reach}/2 − ${padding})·${unit} = ${grid.start.text}`];
}

/** The crops of all joins: "pool4 5, pool3 9, image 31". */
function cropTexts(rows) {
  const joins = rows.filter((row) => row.offset);
  if (!joins.length) return "no map meets another";
  const one = ({ layer, offset, crop, miss }) => `${layer.source} ${offset.isWhole ? crop : `none (${miss.text} pixel off)`}`;
  return joins.map(one).join(", ");
}

/** Which pixels of the image the last map covers, from the middle of its first unit to that of its last. */
function coverText({ grid }, size) {
  const [first, last] = [grid.start, grid.position(grid.size - 1)];
  const all = first.value <= 0 && last.value >= size - 1;
  return [`${first.text} to ${last.text}`, all ? `all of the image's, 0 to ${size - 1}` : `of the image's 0 to ${size - 1}`];
}

const unitText = ([first, last]) => (last < first ? "–" : first === last ? String(first) : `${first}–${last}`);

/** The units over a pixel, map by map. */
function unitsTexts(maps, pixel) {
  return maps.map(({ name, grid }) => `${name} ${unitText(grid.unitsOver(pixel))}`).join(", ");
}
