// Where the units of each map lie over the image: the same as course_utils.alignment, in exact fractions.

const IMAGE = "image";

/** An exact fraction in lowest terms, its denominator positive. */
class Fraction {
  constructor(numerator, denominator = 1) {
    let [a, b] = [Math.abs(numerator), Math.abs(denominator)];
    while (b) [a, b] = [b, a % b];
    const sign = Math.sign(denominator);
    this.numerator = (sign * numerator) / a || 0; // never −0
    this.denominator = (sign * denominator) / a;
  }

  static of(value) {
    return value instanceof Fraction ? value : new Fraction(value);
  }

  plus(other) {
    const { numerator, denominator } = Fraction.of(other);
    return new Fraction(this.numerator * denominator + numerator * this.denominator, this.denominator * denominator);
  }

  times(other) {
    const { numerator, denominator } = Fraction.of(other);
    return new Fraction(this.numerator * numerator, this.denominator * denominator);
  }

  over(other) {
    const { numerator, denominator } = Fraction.of(other);
    return this.times(new Fraction(denominator, numerator));
  }

  minus(other) {
    return this.plus(Fraction.of(other).times(-1));
  }

  get value() {
    return this.numerator / this.denominator;
  }

  get isWhole() {
    return this.denominator === 1;
  }

  equals(other) {
    return this.numerator === other.numerator && this.denominator === other.denominator;
  }

  /** As Python writes it: "-37/2". */
  toString() {
    return this.isWhole ? String(this.numerator) : `${this.numerator}/${this.denominator}`;
  }

  /** For readers: "−18.5", and "1/3" where decimals would not end soon. */
  get text() {
    const short = 16 % this.denominator === 0;
    return (short ? String(this.value) : this.toString()).replace("-", "−");
  }
}

const HALF = new Fraction(1, 2);

/** The units of a map: unit u lies at pixel start + u · stride. */
class Grid {
  constructor(size, stride = new Fraction(1), start = new Fraction(0)) {
    Object.assign(this, { size, stride, start });
  }

  conv({ kernel, stride, padding, dilation, ceil_mode }) {
    const reach = dilation * (kernel - 1);
    const room = this.size + 2 * padding - reach - 1;
    let size = (ceil_mode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    if (size < 1) {
      throw new RangeError(
        `a window of ${reach + 1} units does not fit in a map of ${this.size} with padding ${padding}: ` +
        `${this.size} + 2·${padding} = ${this.size + 2 * padding}. Enlarge the image or the padding.`,
      );
    }
    if (ceil_mode && (size - 1) * stride >= this.size + padding) size--;
    const shift = new Fraction(reach, 2).minus(padding);
    return new Grid(size, this.stride.times(stride), this.start.plus(shift.times(this.stride)));
  }

  deconv({ kernel, stride, padding, dilation, output_padding }) {
    const reach = dilation * (kernel - 1);
    const size = (this.size - 1) * stride - 2 * padding + reach + output_padding + 1;
    if (size < 1) throw new RangeError(`padding ${padding} cuts off all ${size + 2 * padding} units; use less padding.`);
    const spacing = this.stride.over(stride);
    return new Grid(size, spacing, this.start.minus(new Fraction(reach, 2).minus(padding).times(spacing)));
  }

  crop(offset, size) {
    return new Grid(size, this.stride, this.position(offset));
  }

  position(unit) {
    return this.start.plus(this.stride.times(unit));
  }

  offsetOf(other) {
    if (!this.stride.equals(other.stride)) {
      throw new RangeError(`maps of strides ${this.stride} and ${other.stride} do not lie on each other`);
    }
    return other.start.minus(this.start).over(this.stride);
  }

  /** First and last unit nearest to a pixel; last < first if there is none. */
  unitsOver(pixel) {
    const reach = this.stride.value > 1 ? this.stride.times(HALF) : HALF;
    const unitAt = (place) => place.minus(this.start).over(this.stride).value;
    const [low, high] = [new Fraction(pixel).minus(reach), new Fraction(pixel).plus(reach)];
    return [Math.max(Math.ceil(unitAt(low)), 0), Math.min(Math.floor(unitAt(high)), this.size - 1)];
  }
}

/** What a layer makes of the map before it; at a join also the maps that meet and the crop. */
function nextRow(layer, before, known) {
  if (layer.kind === "deconv") {
    const most = Math.max(layer.stride, layer.dilation);
    if (layer.output_padding >= most) {
      throw new RangeError(
        `output_padding is ${layer.output_padding}; expected less than stride or dilation, ${most}, since it only ` +
        `chooses among the sizes that the stride leaves open`,
      );
    }
    return { layer, before, grid: before.deconv(layer) };
  }
  if (layer.kind !== "join") return { layer, before, grid: before.conv(layer) };
  if (!known.has(layer.source)) {
    throw new RangeError(`no layer '${layer.source}' before it; there are ${[...known.keys()].join(", ")}`);
  }
  const source = known.get(layer.source);
  const offset = source.offsetOf(before);
  const whole = Math.trunc(offset.value);
  const [here, there] = [Math.max(-whole, 0), Math.max(whole, 0)];
  const common = Math.min(before.size - here, source.size - there);
  if (common < 1) {
    throw new RangeError(`'${layer.source}' has ${source.size} units and this map ${before.size}; they do not overlap`);
  }
  const part = offset.minus(Math.floor(offset.value));
  const miss = part.value > 0.5 ? new Fraction(1).minus(part) : part;
  return { layer, before, source, offset, crop: Math.abs(whole), miss: miss.times(before.stride), grid: before.crop(here, common) };
}

/** All rows for an image of `size` pixels, as far as the layers fit; `problem` says what stopped them, "" if nothing. */
function align(layers, size) {
  let grid = new Grid(size);
  const known = new Map([[IMAGE, grid]]);
  const rows = [];
  for (const layer of layers) {
    try {
      rows.push(nextRow(layer, grid, known));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { rows, problem: `layer '${layer.name}': ${error.message}` };
    }
    grid = rows.at(-1).grid;
    known.set(layer.name, grid);
  }
  return { rows, problem: "" };
}

/** The smallest image, up to `most` pixels, on which every layer fits; null if there is none. */
function smallestSize(layers, most) {
  for (let size = 1; size <= most; size++) if (!align(layers, size).problem) return size;
  return null;
}
