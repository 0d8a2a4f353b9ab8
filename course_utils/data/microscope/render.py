"""From a layout to a picture: which cell owns each pixel, which pixels the mask keeps, and how bright they are."""

import numpy as np
from scipy import ndimage

from course_utils.data.microscope.layout import SUBPIXELS, Cell, Slide
from course_utils.data.noise_tile import crop, noise_tile
from course_utils.data.random_bits import Draws

# The level of a cell is 0 in its centre and EDGE on its outline; it grows with the square of the distance.
EDGE = 1024
_MEMBRANE = 3 * EDGE // 4  # where its membrane begins
_HALO = 2 * EDGE  # where its halo ends
_NOWHERE = np.iinfo(np.int32).max
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
_SMALLEST = 24  # pixels of a cell in the mask

Window = tuple[slice, slice]


def render(slide: Slide, height: int, width: int, draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint a slide. draws: gives the camera's noise.

    Returns image (H, W) uint8, mask (H, W) bool, ids (H, W) intp: 0 for the background, 1, 2, … for the cells.
    """
    cells, whole = slide.cells, False
    while not whole:
        owner, level = _claim(cells, height, width)
        ids, mask = keep_whole(owner)
        alive = np.unique(ids[ids > 0]) - 1
        whole = len(alive) == len(cells)
        cells = tuple(cells[i] for i in alive)  # without the others their neighbours have more room
    image = _specimen(slide, cells, ids, mask, level)
    image = _through_lens(image, slide)
    grain = draws.bytes(height, width)
    image += ((grain & 15).astype(np.int32) + (grain >> 4) - 15) * slide.noise >> 4
    return np.clip(image, 0, 255).astype(np.uint8), mask, ids


def _claim(cells: tuple[Cell, ...], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each pixel to the cell whose level is lowest there, if it lies within that cell's outline.

    So two cells that are pressed together meet in a line between their centres, without background.

    Returns owner (H, W) intp, 0 for none, i + 1 for cells[i]; level (H, W) int32, the lowest.
    """
    owner = np.zeros((height, width), dtype=np.intp)
    level = np.full((height, width), _NOWHERE, dtype=np.int32)
    hills = noise_tile(height, width, 9, 2, stretch=1)
    for number, cell in enumerate(cells, start=1):
        window, down, right = _around(cell.y, cell.x, 7 * cell.long >> 2, height, width)
        y, x = cell.along
        along = down * y + right * x >> 8
        across = down * x - right * y >> 8
        own = along * along * EDGE // (cell.long * cell.long) + across * across * EDGE // (cell.short * cell.short)
        ragged = crop(hills, cell.patch, height, width)[: own.shape[0], : own.shape[1]]
        own = own * (192 + (ragged >> 1).astype(np.int64)) >> 8
        nearer = own < level[window]
        level[window][nearer] = own[nearer]
        owner[window][nearer] = number
    owner[level >= EDGE] = 0
    return owner, level


def keep_whole(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the one piece of each cell that counts, and draw the mask: true in cells, false between cells that touch.

    Of two neighbours (among 8) of different cells, the one with the lower number is background in the mask. This line
    is one pixel wide and parts all cells, so that the pieces of the mask are the cells. Where it cuts a cell in two,
    the larger piece is the cell; without 24 pixels it is none.

    Returns ids (H, W) without what was dropped, and mask (H, W) bool.
    """
    while True:
        mask = (ids > 0) & (ndimage.maximum_filter(ids, 3) == ids)
        pieces, count = ndimage.label(mask, _EIGHT_NEIGHBOURS)
        sizes = np.bincount(pieces.reshape(-1), minlength=count + 1)
        cell_of = np.zeros(count + 1, dtype=ids.dtype)
        cell_of[pieces] = np.where(mask, ids, 0)
        largest = np.zeros(int(ids.max()) + 1, dtype=np.intp)
        by_size = np.argsort(sizes, kind="stable")
        largest[cell_of[by_size]] = by_size  # the last one written stays
        kept = (largest[cell_of] == np.arange(count + 1)) & (sizes >= _SMALLEST) & (cell_of > 0)
        core = np.pad(np.where(kept, cell_of, -1).take(pieces), 1, constant_values=-1)
        height, width = ids.shape
        shifted = (core[y : y + height, x : x + width] for y in range(3) for x in range(3))
        beside = np.logical_or.reduce([other == ids for other in shifted])  # the pieces and their side of the line
        if (beside == (ids > 0)).all():
            return ids, mask
        ids = np.where(beside, ids, 0)


def _specimen(
    slide: Slide, cells: tuple[Cell, ...], ids: np.ndarray, mask: np.ndarray, level: np.ndarray
) -> np.ndarray:
    """Brightness before the microscope, (H, W) int32."""
    height, width = ids.shape
    inside = ids > 0
    steps = np.arange((_HALO >> 3) + 1)
    edge, membrane, end = EDGE >> 3, _MEMBRANE >> 3, _HALO >> 3
    cell = slide.body + slide.dome * (edge - steps) // edge
    cell -= slide.membrane * np.maximum(steps - membrane, 0) // (edge - membrane)
    halo = slide.halo * (end - steps) // (end - edge)
    step = np.minimum(level, _HALO) >> 3
    profile = np.where(steps < edge, cell, halo).astype(np.int32)
    image = slide.background + profile.take(np.where(inside, step, np.maximum(step, edge)))
    image += np.array([0, *(cell.shade for cell in cells)], dtype=np.int32).take(ids)
    image -= slide.contact * (inside & ~mask)
    image -= slide.nucleus * (_nuclei(cells, height, width) & inside)
    granules = crop(noise_tile(height, width, 3, 2, stretch=1), slide.patch, height, width).astype(np.int32) - 128
    image += granules * np.where(inside, slide.granules, slide.granules >> 2) >> 7
    return image


def _nuclei(cells: tuple[Cell, ...], height: int, width: int) -> np.ndarray:
    nuclei = np.zeros((height, width), dtype=bool)
    for cell in cells:
        y, x, radius = cell.nucleus
        window, down, right = _around(y, x, radius, height, width)
        nuclei[window] |= down * down + right * right < radius * radius
    return nuclei


def _through_lens(image: np.ndarray, slide: Slide) -> np.ndarray:
    """Blur by a 1-2-1 filter in both directions, then light unevenly."""
    height, width = image.shape
    for _ in range(slide.blur):
        padded = np.pad(image, 1, mode="edge")
        rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        image = rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:] >> 4
    hills = noise_tile(height, width, max(height, width) // 2, 1, stretch=1)
    light = crop(hills, slide.patch, height, width).astype(np.int32) - 128
    return image * (256 + (light * slide.unevenness >> 7)) >> 8


def _around(y: int, x: int, reach: int, height: int, width: int) -> tuple[Window, np.ndarray, np.ndarray]:
    """The window of all pixels within reach of a point, and their way down (h, 1) and right (1, w) from it."""
    top, bottom = max((y - reach) // SUBPIXELS, 0), min((y + reach) // SUBPIXELS + 1, height)
    left, right = max((x - reach) // SUBPIXELS, 0), min((x + reach) // SUBPIXELS + 1, width)
    half = SUBPIXELS // 2  # a pixel's place is its centre
    downs = np.arange(top, bottom, dtype=np.int64)[:, None] * SUBPIXELS + half - y
    rights = np.arange(left, right, dtype=np.int64)[None] * SUBPIXELS + half - x
    return (slice(top, bottom), slice(left, right)), downs, rights
