"""The arithmetic of convolution and transposed convolution (转置卷积) along one axis: sizes, and who meets whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConvSettings:
    """A convolution, or a transposed one, on `size` units along one axis.

    Both connect a coarse side with a fine one in the same way: unit a of the coarse side meets the units
    a·s − p + d·t of the fine side, t = 0 … k−1. The coarse side is the output of a convolution, and the input of a
    transposed convolution.

    >>> ConvSettings(5, kernel=3, stride=2, padding=1).output_size
    3
    >>> ConvSettings(3, kernel=3, stride=2, padding=1, transposed=True).output_size
    5
    """

    size: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0
    transposed: bool = False

    @property
    def problem(self) -> str:
        """Why there is no such layer, in words; "" if there is."""
        span = self.dilation * (self.kernel - 1) + 1
        if not self.transposed:
            padded = self.size + 2 * self.padding
            if span <= padded:
                return ""
            return (
                f"The kernel spans d(k − 1) + 1 = {span} units, but the padded input has only n + 2p = {padded}: it "
                f"does not fit. Less kernel or dilation, or more padding or input, makes it fit."
            )
        most = max(self.stride, self.dilation)
        if self.output_padding >= most:
            return (
                f"The output padding, {self.output_padding}, must be less than the stride or the dilation, here less "
                f"than {most}: it only chooses among the sizes that a convolution of this stride shrinks to the same."
            )
        stamped = (self.size - 1) * self.stride + span + self.output_padding
        if stamped <= 2 * self.padding:
            return (
                f"The stamps fill {stamped} units, and the padding cuts p = {self.padding} off at each end: nothing is "
                f"left. Less padding leaves an output."
            )
        return ""

    @property
    def output_size(self) -> int | None:
        """Units of the output; None if there is no such layer."""
        if self.problem:
            return None
        reach = self.dilation * (self.kernel - 1)
        if self.transposed:
            return (self.size - 1) * self.stride - 2 * self.padding + reach + self.output_padding + 1
        return (self.size + 2 * self.padding - reach - 1) // self.stride + 1

    def partners(self, side: str, unit: int) -> list[tuple[int, int]]:
        """The units of the other side that a unit of this side ("input" or "output") meets, and the tap each time.

        Of the fine side also those that are not there: in a convolution's padding, or cut off by a transposed one's.

        >>> ConvSettings(5, kernel=3, padding=1).partners("output", 0)
        [(-1, 0), (0, 1), (1, 2)]
        """
        if self._is_coarse(side):
            return [(unit * self.stride - self.padding + self.dilation * tap, tap) for tap in range(self.kernel)]
        found = []
        for tap in range(self.kernel):
            coarse, rest = divmod(unit + self.padding - self.dilation * tap, self.stride)
            if rest == 0 and 0 <= coarse < self._coarse_size:
                found.append((coarse, tap))
        return sorted(found)

    def present(self, side: str, unit: int) -> list[tuple[int, int]]:
        """Those of `partners` that are there."""
        other = self.output_size if side == "input" else self.size
        return [(partner, tap) for partner, tap in self.partners(side, unit) if 0 <= partner < other]

    @property
    def hits(self) -> list[int]:
        """How often each unit of the fine side is met: read by a convolution, or hit by a transposed one's stamps."""
        side, count = ("output", self.output_size) if self.transposed else ("input", self.size)
        return [len(self.partners(side, unit)) for unit in range(count)]

    def transpose(self) -> ConvSettings:
        """The layer that goes back: its matrix is the transpose (the adjoint) of this one's.

        Raises:
            ValueError: there is no such layer, or nothing goes back from it.

        >>> ConvSettings(6, kernel=3, stride=2).transpose()
        ConvSettings(size=2, kernel=3, stride=2, padding=0, dilation=1, output_padding=1, transposed=True)
        """
        if self.problem:
            raise ValueError(self.problem)
        if self.transposed and self.output_padding >= self.stride:
            raise ValueError(
                f"With an output padding of {self.output_padding} at stride {self.stride} no convolution goes back: it "
                f"would give more than {self.size} units."
            )
        rest = (self.size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) % self.stride
        return ConvSettings(
            self.output_size,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            0 if self.transposed else rest,
            not self.transposed,
        )

    def _is_coarse(self, side: str) -> bool:
        return (side == "input") == self.transposed

    @property
    def _coarse_size(self) -> int:
        return self.size if self.transposed else self.output_size
