// The arithmetic of convolution and transposed convolution along one axis: the same as conv_settings.py.

/**
 * Unit a of the coarse side meets the units a·s − p + d·t of the fine side, t = 0 … k−1. The coarse side is a
 * convolution's output, and a transposed convolution's input.
 */
class ConvRules {
  constructor(settings) {
    Object.assign(this, settings);
    const { size, kernel, stride, padding, dilation, outputPadding, transposed } = settings;
    this.reach = dilation * (kernel - 1);
    this.padded = size + 2 * padding;
    this.stamped = (size - 1) * stride + this.reach + 1 + outputPadding;
    this.room = this.padded - this.reach - 1;
    const outputSize = transposed ? this.stamped - 2 * padding : Math.floor(this.room / stride) + 1;
    this.problem = problemOf(this);
    this.outputSize = this.problem ? 0 : outputSize;
    this.coarse = transposed ? size : this.outputSize;
    this.fine = transposed ? this.outputSize : size;
    this.fineSide = transposed ? "output" : "input";
  }

  count(side) {
    return side === this.fineSide ? this.fine : this.coarse;
  }

  /** The units of the other side that a unit meets, and by which tap: on the fine side also those that are not there. */
  partners(side, unit) {
    const taps = Array.from({ length: this.kernel }, (_, tap) => tap);
    if (side !== this.fineSide) {
      return taps.map((tap) => ({ unit: unit * this.stride - this.padding + this.dilation * tap, tap }));
    }
    return taps
      .map((tap) => ({ unit: (unit + this.padding - this.dilation * tap) / this.stride, tap }))
      .filter(({ unit: coarse }) => Number.isInteger(coarse) && coarse >= 0 && coarse < this.coarse)
      .sort((a, b) => a.unit - b.unit);
  }

  present(side, unit) {
    const other = this.count(side === "input" ? "output" : "input");
    return this.partners(side, unit).filter((partner) => partner.unit >= 0 && partner.unit < other);
  }

  /** How often each unit of the fine side is met. */
  hits() {
    return Array.from({ length: this.fine }, (_, unit) => this.partners(this.fineSide, unit).length);
  }

  /** The numbers of hits away from the borders, one for each phase of the stride. */
  innerHits() {
    const phases = Array.from({ length: this.stride }, () => 0);
    for (let tap = 0; tap < this.kernel; tap++) phases[(this.dilation * tap) % this.stride]++;
    return phases;
  }

  /** What a transposed convolution's zero-inserted grid holds, from `first` on, in units of the grid itself. */
  zeroGrid() {
    const last = (this.size - 1) * this.stride; // the last unit of the input
    const border = this.reach - this.padding;
    const end = last + border + this.outputPadding;
    return { border, last, end, first: Math.min(0, -border), length: Math.max(last, end) - Math.min(0, -border) + 1 };
  }

  /** Why the transpose cannot be shown with at most so many units; "" if it can. */
  noWayBack(most) {
    if (this.problem) return "there is no layer, so nothing goes back";
    if (this.transposed && this.outputPadding >= this.stride) {
      return `with an output padding of ${this.outputPadding} at stride ${this.stride} no convolution goes back: it would give more than ${this.size} units`;
    }
    return this.outputSize > most ? `its input would be this output of ${this.outputSize} units; at most ${most} are shown` : "";
  }

  /** The settings of the layer whose matrix is this one's transpose. */
  transpose() {
    return {
      size: this.outputSize,
      output_padding: this.transposed ? 0 : this.room % this.stride,
      transposed: !this.transposed,
    };
  }
}

/** Why there is no such layer; "" if there is. */
function problemOf({ kernel, stride, padding, dilation, outputPadding, transposed, reach, padded, stamped }) {
  if (!transposed) {
    if (reach + 1 <= padded) return "";
    return (
      `The kernel spans d(k − 1) + 1 = ${reach + 1} units, but the padded input has only n + 2p = ${padded}: it does ` +
      `not fit. Less kernel or dilation, or more padding or input, makes it fit.`
    );
  }
  const most = Math.max(stride, dilation);
  if (outputPadding >= most) {
    return (
      `The output padding, ${outputPadding}, must be less than the stride or the dilation, here less than ${most}: it ` +
      `only chooses among the sizes that a convolution of this stride shrinks to the same.`
    );
  }
  if (stamped <= 2 * padding) {
    return (
      `The stamps fill ${stamped} units, and the padding cuts p = ${padding} off at each end: nothing is left. Less ` +
      `padding leaves an output.`
    );
  }
  return "";
}
