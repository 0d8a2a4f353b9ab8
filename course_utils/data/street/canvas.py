"""A picture of part numbers, painted from far to near, and the camera that says where things fall in it.

Painting only writes which *part* (a car's wheel, a road, a lit window) covers a pixel. Class, colour, distance and
region of each part stand in tables and are looked up once, at the end: that is what makes a scene fast.
"""

from dataclasses import dataclass

import numpy as np

from course_utils.data.street.colours import RGB
from course_utils.data.street.layout import VIEW_FOCAL, VIEW_HEIGHT, VIEW_WIDTH
from course_utils.data.street.scene import Scene

FAR = 200_000  # mm: ground beyond counts as this far
SKY_DEPTH = FAR + 1  # stands for infinity


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera that looks along Z, in whole pixels and millimetres.

    x, y: the vanishing point, as the edge between two pixels. focal: in pixels. lift: its height above the ground.
    """

    x: int
    y: int
    focal: int
    lift: int

    @classmethod
    def of(cls, scene: Scene, height: int, width: int) -> "Camera":
        """The scene's camera for a picture of this size: a larger picture shows the same street."""
        return cls(
            x=scene.vanish * width // 1024,
            y=scene.horizon * height // 1024,
            focal=VIEW_FOCAL * (height + width) // (VIEW_HEIGHT + VIEW_WIDTH),
            lift=scene.camera_height,
        )

    def column(self, x: int, z: int) -> int:
        return self.x + self.focal * x // z

    def row(self, y: int, z: int) -> int:
        return self.y + self.focal * (self.lift - y) // z

    def pixels(self, length: int, z: int) -> int:
        """How many pixels a length covers at distance z; at least one."""
        return max(self.focal * length // z, 1)


# class, region, depth in mm (ground and walls have one per pixel instead), texture, glows, red, green, blue
Part = tuple[int, int, int, int, bool, int, int, int]


class Canvas:
    """The part of every pixel, and the tables of the parts."""

    def __init__(self, height: int, width: int, noise: np.ndarray):
        self.height, self.width = height, width
        self.ids = np.zeros((height, width), dtype=np.uint16)
        self.noise = noise  # (height, width) uint8: smooth random hills for ragged outlines
        self.parts: list[Part] = []
        self._rows = np.arange(height, dtype=np.int64)[:, None]
        self._columns = np.arange(width, dtype=np.int64)
        # Centres of pixels in half pixels: whole numbers.
        self._odd_rows, self._odd_columns = 2 * self._rows + 1, 2 * self._columns + 1
        self._region = 0

    def new_region(self) -> None:
        """Start an object: void is drawn where two regions touch, on the one that was started first."""
        self._region += 1

    def part(self, label: int, colour: RGB, depth: int, *, texture: int = 0, glows: bool = False) -> int:
        """Enter a part of the current object into the tables and give its number.

        texture: how rough it looks, 0 to 127. glows: it gives its own light.
        """
        self.parts.append((label, self._region, depth, texture, glows, *colour))
        return len(self.parts) - 1

    def box(self, left: int, top: int, right: int, bottom: int, part: int) -> None:
        """Paint rows top to bottom, columns left to right (the ends are excluded, as in a slice)."""
        if right > 0 and bottom > 0:
            self.ids[top if top > 0 else 0 : bottom, left if left > 0 else 0 : right] = part

    def ellipse(self, x: int, y: int, rx: int, ry: int, part: int) -> None:
        """Paint the ellipse with its centre on the corner (x, y) and these half axes, in pixels."""
        window = self._window(x - rx, y - ry, x + rx, y + ry)
        if window is not None:
            rows, columns = window
            distance, limit = self._distance(rows, columns, x, y, rx, ry)
            self.ids[rows, columns][distance < limit] = part

    def blob(self, x: int, y: int, rx: int, ry: int, roughness: int, light: int, dark: int) -> None:
        """Paint an ellipse with a ragged outline and mottled in two parts: foliage."""
        window = self._window(x - rx, y - ry, x + rx, y + ry)
        if window is None:
            return
        rows, columns = window
        noise = self.noise[rows, columns].astype(np.int64)
        distance, limit = self._distance(rows, columns, x, y, rx, ry)
        inside = distance + noise * (limit * roughness >> 16) < limit
        # Light comes from above: the lower half is dark more often.
        slope = (self._rows[rows] - y) * 64 // ry
        mottled = np.where(noise + slope < 128, light, dark)
        np.copyto(self.ids[rows, columns], mottled, where=inside, casting="unsafe")

    def shadow(self, x: int, y: int, rx: int, ry: int, ground: range) -> None:
        """Turn the ground within an ellipse into its part in shadow: the second of each pair in `ground`."""
        window = self._window(x - rx, y - ry, x + rx, y + ry)
        if window is not None:
            rows, columns = window
            ids = self.ids[rows, columns]
            offset = ids - np.uint16(ground.start)  # what comes before the ground wraps around to large numbers
            distance, limit = self._distance(rows, columns, x, y, rx, ry)
            hit = (offset < len(ground)) & (distance < limit)
            np.copyto(ids, (offset | 1) + np.uint16(ground.start), where=hit)

    def taper(self, top: int, bottom: int, at_top: tuple[int, int], at_bottom: tuple[int, int], part: int) -> None:
        """Paint a shape with level top and bottom whose (left, right) columns change evenly from row to row."""
        left, right = min(at_top[0], at_bottom[0]), max(at_top[1], at_bottom[1])
        window = self._window(left, top, right, bottom)
        if window is not None:
            rows, columns = window
            lefts, rights = _between(self._odd_rows[rows], top, bottom, at_top, at_bottom)
            across = self._columns[columns]
            self.ids[rows, columns][(across >= lefts) & (across < rights)] = part

    def slab(self, left: int, right: int, at_left: tuple[int, int], at_right: tuple[int, int], part: int) -> None:
        """Paint a shape with upright sides whose (top, bottom) rows change evenly from column to column."""
        top, bottom = min(at_left[0], at_right[0]), max(at_left[1], at_right[1])
        window = self._window(left, top, right, bottom)
        if window is not None:
            rows, columns = window
            tops, bottoms = _between(self._odd_columns[columns], left, right, at_left, at_right)
            down = self._rows[rows]
            self.ids[rows, columns][(down >= tops) & (down < bottoms)] = part

    def _window(self, left: int, top: int, right: int, bottom: int) -> tuple[slice, slice] | None:
        """The part of a rectangle that lies in the picture, as (rows, columns), or None."""
        left, top = max(left, 0), max(top, 0)  # a slice may end outside, but not start there
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)

    def _distance(self, rows: slice, columns: slice, x: int, y: int, rx: int, ry: int) -> tuple[np.ndarray, int]:
        """Squared distances of the pixels' centres from (x, y) in half axes, and what stands for 1 in them."""
        dx = (self._odd_columns[columns] - 2 * x) * ry
        dy = (self._odd_rows[rows] - 2 * y) * rx
        return dx * dx + dy * dy, (2 * rx * ry) ** 2


def _between(
    centres: np.ndarray, start: int, end: int, first: tuple[int, int], last: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Two edges that run evenly from their `first` values at start to their `last` at end.

    centres: of the pixels, in half pixels.
    """
    step, steps = centres - 2 * start, 2 * (end - start)
    return (
        first[0] + (last[0] - first[0]) * step // steps,
        first[1] + (last[1] - first[1]) * step // steps,
    )
