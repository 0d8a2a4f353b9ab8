"""Where the cells of a picture lie and how the microscope is set: all that is random but the noise.

Lengths are in 1/16 pixel, directions are whole-number vectors of length 256: no rounding differs between machines.
"""

from dataclasses import dataclass
from math import isqrt

from course_utils.data.random_bits import Draws

SUBPIXELS = 16  # to a pixel
_DEFAULT_AREA = 96 * 128
_TRIES = 40  # for each cell that is wanted


@dataclass(frozen=True, slots=True)
class Cell:
    y: int  # centre
    x: int
    radius: int  # of the circle with the same area
    along: tuple[int, int]  # direction (y, x) of the long axis
    long: int  # half axes
    short: int
    patch: tuple[int, int]  # where in the noise tile its ragged outline comes from, in 1/4096
    shade: int  # grey levels that it is brighter than its neighbours
    nucleus: tuple[int, int, int]  # y and x of its centre, its radius


@dataclass(frozen=True, slots=True)
class Slide:
    """A field of view; brightness in grey levels of 255."""

    cells: tuple[Cell, ...]
    background: int
    body: int  # brightness of cells against the background
    dome: int  # how much brighter the middle of a cell is than its edge
    membrane: int  # how much darker the edge of a cell is
    contact: int  # how much darker the line is where two cells touch
    halo: int  # how much brighter the background is just outside a cell
    nucleus: int  # how much darker nuclei are
    granules: int  # texture inside cells, 0 to 127
    unevenness: int  # of the light, 0 to 127
    blur: int  # passes of a 1-2-1 filter
    noise: int  # of the camera, in 1/16 grey levels per unit
    patch: tuple[int, int]  # where in the noise tiles light and granules come from, in 1/4096


def draw_slide(draws: Draws, height: int, width: int) -> Slide:
    """Draw the cells of a picture and the setting of the microscope.

    A larger picture shows more cells, not larger ones: about 15 to 96 × 128 pixels.
    """
    return Slide(
        cells=_draw_cells(draws, height, width),
        background=draws.between(120, 150),
        body=-draws.between(6, 26),
        dome=draws.between(0, 24),
        membrane=draws.between(6, 24),
        contact=draws.between(14, 34),
        halo=draws.between(14, 44),
        nucleus=draws.between(6, 26),
        granules=draws.between(14, 34),
        unevenness=draws.between(40, 100),
        blur=draws.between(1, 2),
        noise=draws.between(6, 18),
        patch=(draws.below(4096), draws.below(4096)),
    )


def _draw_cells(draws: Draws, height: int, width: int) -> tuple[Cell, ...]:
    """Let clumps grow: a new cell is pressed against one that is there, or starts a clump of its own."""
    wanted = max(draws.between(13, 20) * height * width // _DEFAULT_AREA, 1)
    cells: list[Cell] = []
    clump: list[Cell] = []
    to_come = 0  # cells that the present clump still lacks
    for _ in range(_TRIES * wanted):
        if to_come == 0:
            clump, to_come = [], draws.between(1, 9)
        cell = _draw_cell(draws, clump, height, width)
        inside = 0 <= cell.y < SUBPIXELS * height and 0 <= cell.x < SUBPIXELS * width
        if not inside or any(_too_close(cell, other) for other in cells):
            to_come -= draws.one_in(8)  # where there is no room a clump stops growing
            continue
        cells.append(cell)
        clump.append(cell)
        to_come -= 1
        if len(cells) == wanted:
            break
    return tuple(cells)


def _draw_cell(draws: Draws, clump: list[Cell], height: int, width: int) -> Cell:
    """A cell that touches one of the clump, or lies anywhere if the clump is empty."""
    radius = SUBPIXELS * 6 + draws.below(SUBPIXELS * 5) + draws.below(SUBPIXELS * 5)
    if clump:
        neighbour, (down, right) = draws.pick(clump), _direction(draws)
        distance = (neighbour.radius + radius) * draws.between(200, 240) >> 8
        y, x = neighbour.y + (down * distance >> 8), neighbour.x + (right * distance >> 8)
    else:
        y, x = draws.below(SUBPIXELS * height), draws.below(SUBPIXELS * width)
    long = radius * draws.between(256, 350) >> 8
    offset = radius // 4
    return Cell(
        y=y,
        x=x,
        radius=radius,
        along=_direction(draws),
        long=long,
        short=radius * radius // long,
        patch=(draws.below(4096), draws.below(4096)),
        shade=draws.between(-9, 9),
        nucleus=(
            y + draws.between(-offset, offset),
            x + draws.between(-offset, offset),
            radius * draws.between(70, 110) >> 8,
        ),
    )


def _direction(draws: Draws) -> tuple[int, int]:
    """A vector (y, x) of length 256, to one part in 100, every direction equally likely."""
    while True:
        y, x = draws.between(-256, 256), draws.between(-256, 256)
        length = isqrt(y * y + x * x)
        if 128 <= length <= 256:
            return 256 * y // length, 256 * x // length


def _too_close(one: Cell, other: Cell) -> bool:
    reach = one.radius + other.radius
    return 16 * ((one.y - other.y) ** 2 + (one.x - other.x) ** 2) < 9 * reach * reach
