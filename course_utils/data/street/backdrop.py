"""Sky, ground and the two rows of houses: what a street is before anything stands in it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from course_utils.data.street.canvas import FAR, SKY_DEPTH, Camera, Canvas
from course_utils.data.street.classes import BUILDING, PAVEMENT, ROAD, SKY, TREE
from course_utils.data.street.colours import shade
from course_utils.data.street.scene import Building, Scene

# Parts of a house that the code table of a wall can name; the numbers follow the wall's own.
WALL, ROOF, DARK_GLASS, BRIGHT_GLASS, LIT_GLASS, SHOP_GLASS, DOOR, TRIM = range(1, 9)
_STEP = 7  # heights on a wall are looked up in steps of 2**7 = 128 mm
_SHOP_ROW, _SIGN_ROW, _WINDOW_ROW = 4, 5, 8  # row codes; WALL and ROOF stand for themselves


@dataclass(frozen=True, slots=True)
class Depths:
    """Distances in mm of what has no single one."""

    rows: np.ndarray  # (H,) of the ground
    columns: np.ndarray  # (W,) of the walls
    ground: range  # part numbers of the ground
    walls: range  # part numbers of the walls


def paint_backdrop(canvas: Canvas, camera: Camera, scene: Scene) -> Depths:
    """Paint sky, ground and houses; give the distances of ground and walls."""
    canvas.part(SKY, (0, 0, 0), SKY_DEPTH)  # part 0: the sky has its own colours
    row_depth, ground = _paint_ground(canvas, camera, scene)
    _paint_far_end(canvas, camera, scene)
    houses = [(side, house) for side in (0, 1) for house in scene.buildings[side]]
    _paint_fronts(canvas, camera, scene, houses)
    column_depth, walls = _paint_walls(canvas, camera, scene, houses)
    return Depths(row_depth, column_depth, ground, walls)


def _paint_ground(canvas: Canvas, camera: Camera, scene: Scene) -> tuple[np.ndarray, range]:
    shadow = scene.light.shadow
    first = len(canvas.parts)

    def surface(label: int, colour: tuple[int, int, int], texture: int) -> int:
        """A part and, right after it, the same part in shadow."""
        part = canvas.part(label, colour, 0, texture=texture)
        canvas.part(label, shade(colour, shadow), 0, texture=texture)
        return part

    canvas.new_region()
    pavement = surface(PAVEMENT, scene.pavement_colour, 14)
    joint = surface(PAVEMENT, shade(scene.pavement_colour, 222), 20)
    kerb = surface(PAVEMENT, scene.kerb_colour, 16)
    canvas.new_region()
    road = surface(ROAD, scene.road_colour, 17)
    paint = surface(ROAD, (222, 222, 214), 20)

    rows = np.arange(canvas.height)
    z = np.minimum(2 * camera.focal * camera.lift // np.maximum(2 * (rows - camera.y) + 1, 1), FAR)
    below = z[camera.y :, None]
    scale = 16 * below // (2 * camera.focal)  # mm per half pixel, in 1/16
    half_pixels = 2 * (np.arange(canvas.width) - camera.x) + 1
    x = (half_pixels * scale) >> 4

    left, right = scene.road
    middle = (left + right) // 2
    thick = np.maximum(70, scale >> 5)  # half the width of a painted line, never under half a pixel
    on_road = (x >= left) & (x < right)
    ids = np.where(on_road, road, pavement)
    # Slabs of about 1 m show near the camera, where they are larger than a pixel.
    slabs = ((x & 1023) < 90) | ((below & 1023) < 90)
    ids[slabs & ~on_road & (below < 14_000)] = joint
    ids[((x >= left - 220) & (x < left)) | ((x >= right) & (x < right + 220))] = kerb
    line = np.abs(x - middle) < thick
    if scene.dashed:
        line &= (below >> 11) % 3 != 0
    ids[line] = paint
    if scene.edge_lines:
        ids[(np.abs(x - left - 300) < thick) | (np.abs(x - right + 300) < thick)] = paint
    if scene.crossing:
        stripes = (below >= scene.crossing) & (below < scene.crossing + 3000) & (x & 1023 < 512)
        ids[stripes & (x >= left + 200) & (x < right - 200)] = paint
    if scene.light.sun < 0:
        ids += x < scene.walls[0] + scene.light.reach
    elif scene.light.sun > 0:
        ids += x > scene.walls[1] - scene.light.reach
    canvas.ids[camera.y :] = ids
    return z, range(first, len(canvas.parts))


def _paint_far_end(canvas: Canvas, camera: Camera, scene: Scene) -> None:
    z = scene.street_end
    ground = camera.row(0, z)
    if scene.treeline is not None:
        canvas.new_region()
        light = canvas.part(TREE, scene.treeline, z, texture=60)
        dark = canvas.part(TREE, shade(scene.treeline, 190), z, texture=60)
        width, height = camera.pixels(9000, z), camera.pixels(8000, z)
        for left in range(camera.column(scene.walls[0], z), camera.column(scene.walls[1], z), width):
            canvas.blob(left + width // 2, ground - height // 2, width, height // 2 + 1, 120, light, dark)
    canvas.new_region()
    for left, right, height, colour in scene.closing:
        wall = canvas.part(BUILDING, shade(colour, scene.light.front), z, texture=12)
        canvas.box(camera.column(left, z), camera.row(height, z), camera.column(right, z), ground + 1, wall)


def _paint_fronts(canvas: Canvas, camera: Camera, scene: Scene, houses: list[tuple[int, Building]]) -> None:
    """Paint the sides of houses that face the camera, from far to near, where no nearer house hides them."""
    front = scene.light.front
    for side in (0, 1):
        row = [house for of, house in houses if of == side]
        for nearer, house in reversed(list(zip([None, *row], row, strict=False))):
            hidden = nearer is not None and nearer.end == house.start and nearer.height >= house.height
            if hidden and not house.gabled or house.start < 1000:
                continue
            z = house.start
            corner, reach = camera.column(scene.walls[side], z), camera.pixels(11_000, z)
            # One column more than the face has lies under the wall, so that no gap shows at the corner.
            left, right = (corner - 1, corner + reach) if side else (corner - reach, corner + 1)
            wall = canvas.part(BUILDING, shade(house.wall_colour, front), z, texture=14)
            top = camera.row(house.height, z)
            canvas.box(left, top, right, camera.row(0, z), wall)
            ridge = top - camera.pixels(house.roof, z)
            if house.gabled:
                middle = (left + right) // 2
                canvas.taper(ridge, top, (middle, middle), (left, right), wall)
            elif house.roof:
                roof = canvas.part(BUILDING, shade(house.roof_colour, front), z, texture=20)
                canvas.box(left, ridge, right, top, roof)
            _front_windows(canvas, camera, scene, house, (left, right))


def _front_windows(canvas: Canvas, camera: Camera, scene: Scene, house: Building, span: tuple[int, int]) -> None:
    z = house.start
    bay = camera.pixels(house.bay, z)
    if bay < 5:
        return
    glass = canvas.part(BUILDING, (58, 66, 78), z, texture=10)
    wide = camera.pixels(house.bay - house.pier, z)
    for floor in range(house.base, house.height - 600, house.floor):
        top, bottom = camera.row(floor + house.head, z), camera.row(floor + house.sill, z)
        for left in range(span[0] + (bay - wide) // 2, span[1] - wide, bay):
            canvas.box(left, top, left + wide, max(bottom, top + 1), glass)


def _paint_walls(
    canvas: Canvas, camera: Camera, scene: Scene, houses: list[tuple[int, Building]]
) -> tuple[np.ndarray, range]:
    """Paint the two rows of walls along the street, all at once: a column sees one point of one wall."""
    first = len(canvas.parts)
    half_pixels = 2 * (np.arange(canvas.width) - camera.x) + 1
    on_right = half_pixels > 0
    wall_x = np.where(on_right, scene.walls[1], scene.walls[0])
    z = np.minimum(2 * camera.focal * wall_x // half_pixels, FAR)

    table = [(side, house.start, house.end, house.bay, house.pier) for side, house in houses]
    of_side, starts, ends, bay, pier = np.array(table).T
    # (houses, W): at most one house is seen in a column, for they stand side by side.
    seen = (z >= starts[:, None]) & (z < ends[:, None]) & (of_side[:, None] == on_right)
    house = seen.argmax(axis=0)

    parts = np.array([_wall_parts(canvas, scene, side, building) for side, building in houses])
    along = z - starts[house]
    number = along // bay[house]
    glazed = along - number * bay[house] >= pier[house]
    column_codes = np.where(glazed, 8 + (number * 3 & 7), 0)

    half_rows = (2 * (np.arange(canvas.height, dtype=np.int32) - camera.y) + 1)[:, None]
    per_half_row = ((z << 8) // (2 * camera.focal)).astype(np.int32)  # mm, in 1/256
    height = camera.lift - (half_rows * per_half_row >> 8)
    level_codes = _level_codes([building for _, building in houses])
    levels = level_codes.shape[1]
    level = np.clip((height >> _STEP) + 1, 0, levels - 1)
    codes = level_codes.take(level + house * levels) * 16 + column_codes
    codes = _part_table(scene.light.dark).take(codes)
    painted = (codes > 0) & seen.any(axis=0)
    np.copyto(canvas.ids, codes + (parts[house] - WALL), where=painted, casting="unsafe")
    return z, range(first, len(canvas.parts))


def _wall_parts(canvas: Canvas, scene: Scene, side: int, house: Building) -> int:
    """Enter the eight parts of a wall, in the order of WALL … TRIM; give the number of the first."""
    light = scene.light
    gain = light.sides[side]
    wall = canvas.part(BUILDING, shade(house.wall_colour, gain), 0, texture=11)
    canvas.part(BUILDING, shade(house.roof_colour, gain), 0, texture=24)
    canvas.part(BUILDING, (52, 60, 72), 0, texture=10)
    canvas.part(BUILDING, shade(light.skyline, 150), 0, texture=10)
    curtain = (250, 214, 140) if light.dark else (214, 208, 196)
    canvas.part(BUILDING, curtain, 0, texture=10, glows=light.dark)
    canvas.part(BUILDING, (232, 208, 160) if light.dark else (72, 82, 92), 0, texture=30, glows=light.dark)
    canvas.part(BUILDING, shade(house.trim_colour, 180), 0, texture=10)
    canvas.part(BUILDING, shade(house.trim_colour, gain), 0, texture=11)
    return wall


def _level_codes(houses: list[Building]) -> np.ndarray:
    """What a wall is at each level of height, (houses, levels): 0 above the roof and, in level 0, below the ground."""
    table = [(h.height, h.roof, h.base, h.floor, h.sill, h.head, h.shop) for h in houses]
    height, roof, base, floor, sill, head, shop = np.array(table).T[:, :, None]
    levels = (int((height + roof).max()) >> _STEP) + 3  # the last one is above every roof
    y = (np.arange(levels) << _STEP) - 64
    above = y - base
    number = above // floor
    within = above - number * floor
    window = (within >= sill) & (within < head) & (above > 0) & (y < height - 400)
    codes = np.where(window, _WINDOW_ROW + (number * 5 & 7), WALL)
    codes[(y >= height) & (y < height + roof)] = ROOF
    codes[(y >= height + roof) | (y < 0)] = 0
    codes[(shop == 1) & (y >= 300) & (y < base - 900)] = _SHOP_ROW
    codes[(shop == 1) & (y >= base - 900) & (y < base - 300)] = _SIGN_ROW
    return codes


@lru_cache(maxsize=2)
def _part_table(dark: bool) -> np.ndarray:
    """Row code * 16 + column code -> part of the wall. Column codes from 8 on are glazed, in 8 varieties."""
    table = np.zeros((16, 16), dtype=np.int64)
    table[WALL:_WINDOW_ROW] = WALL
    table[ROOF] = ROOF
    table[_SHOP_ROW, 8:] = SHOP_GLASS
    table[_SHOP_ROW, 8] = DOOR
    table[_SIGN_ROW] = TRIM
    for row in range(8):
        for column in range(8):
            variety = row ^ column
            lit = variety in ((0, 2, 5) if dark else (0,))
            bright = variety in (3, 6)
            glass = LIT_GLASS if lit else BRIGHT_GLASS if bright else DARK_GLASS
            table[_WINDOW_ROW + row, 8 + column] = glass
            table[_WINDOW_ROW + row, column] = WALL
    return table
