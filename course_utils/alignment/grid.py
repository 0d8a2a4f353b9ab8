"""The units of one map, as places on the image."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor


@dataclass(frozen=True)
class Grid:
    """The units of a map along one axis: unit u lies at pixel `start` + u · `stride` of the image.

    >>> image = Grid(500)
    >>> pool1 = image.conv(3, padding=100).conv(2, 2)
    >>> pool1.size, pool1.stride, pool1.start
    (349, Fraction(2, 1), Fraction(-197, 2))
    """

    size: int
    stride: Fraction = Fraction(1)
    start: Fraction = Fraction(0)

    def conv(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil_mode: bool = False) -> Grid:
        """The map that a convolution or a pooling layer makes of this one.

        Unit 0 lies in the middle of the first window, (d(k−1)/2 − p) units from unit 0 here. The size is
        ⌊(n + 2p − d(k−1) − 1) / s⌋ + 1; with `ceil_mode` a last window may hang over, unless it starts in the padding.

        Raises:
            ValueError: the window is wider than the padded map.
        """
        reach = dilation * (kernel - 1)
        room = self.size + 2 * padding - reach - 1
        size = (ceil(Fraction(room, stride)) if ceil_mode else room // stride) + 1
        if size < 1:
            raise ValueError(
                f"a window of {reach + 1} units does not fit in a map of {self.size} with padding {padding}: "
                f"{self.size} + 2·{padding} = {self.size + 2 * padding}. Enlarge the image or the padding."
            )
        if ceil_mode and (size - 1) * stride >= self.size + padding:
            size -= 1
        return Grid(size, self.stride * stride, self.start + (Fraction(reach, 2) - padding) * self.stride)

    def deconv(
        self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
    ) -> Grid:
        """The map that a transposed convolution makes of this one.

        Unit i stamps its kernel on the units i·s − p … i·s − p + d(k−1), so it lies over the middle of the stamp. The
        size is (n − 1)s − 2p + d(k−1) + output padding + 1.

        Raises:
            ValueError: the padding cuts everything away.
        """
        reach = dilation * (kernel - 1)
        size = (self.size - 1) * stride - 2 * padding + reach + output_padding + 1
        if size < 1:
            raise ValueError(f"padding {padding} cuts off all {size + 2 * padding} units; use less padding.")
        spacing = self.stride / stride
        return Grid(size, spacing, self.start - (Fraction(reach, 2) - padding) * spacing)

    def crop(self, offset: int, size: int) -> Grid:
        """Units `offset` … `offset` + `size` − 1 of this map.

        Raises:
            ValueError: not all of them are there.
        """
        if offset < 0 or size < 1 or offset + size > self.size:
            raise ValueError(f"a map of {self.size} units has no {size} units from {offset} on")
        return Grid(size, self.stride, self.position(offset))

    def position(self, unit: int) -> Fraction:
        """The pixel of the image over which a unit lies."""
        return self.start + unit * self.stride

    def offset_of(self, other: Grid) -> Fraction:
        """At which unit of this map unit 0 of another one lies; crop this map there to put it on the other.

        A whole number: the crop is exact. Not negative: it is this map that begins earlier.

        Raises:
            ValueError: the maps have different strides, so no crop aligns them.
        """
        if self.stride != other.stride:
            raise ValueError(f"maps of strides {self.stride} and {other.stride} do not lie on each other")
        return (other.start - self.start) / self.stride

    def units_over(self, pixel: Fraction | int) -> range:
        """The units nearest to a pixel: those at most half a stride, or half a pixel, away; none beyond the map.

        >>> list(Grid(16, Fraction(32), Fraction(25, 2)).units_over(100))
        [3]
        """
        reach = max(self.stride, Fraction(1)) / 2
        first = ceil((pixel - reach - self.start) / self.stride)
        last = floor((pixel + reach - self.start) / self.stride)
        return range(max(first, 0), min(last, self.size - 1) + 1)
