"""From a layout to a picture: paint from far to near, then look up class, distance and colour of every pixel."""

import numpy as np

from course_utils.data.noise_tile import crop, noise_tile
from course_utils.data.random_bits import Draws
from course_utils.data.street.backdrop import Depths, paint_backdrop
from course_utils.data.street.canvas import FAR, Camera, Canvas
from course_utils.data.street.cars import paint_car
from course_utils.data.street.light import Light
from course_utils.data.street.objects import paint_person, paint_pole, paint_tree
from course_utils.data.street.scene import Car, Person, Pole, Scene, Tree

VOID = 255


def render(scene: Scene, height: int, width: int, draws: Draws) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint a scene. draws: gives the camera's noise.

    Returns image (3, H, W) uint8, mask (H, W) uint8 with void = 255, depth (H, W) int32 in mm, SKY_DEPTH in
    the sky.
    """
    camera = Camera.of(scene, height, width)
    leaves = noise_tile(height, width, max(camera.focal // 40, 1), 2, stretch=1)
    canvas = Canvas(height, width, crop(leaves, scene.light.patch, height, width))
    depths = paint_backdrop(canvas, camera, scene)
    things = sorted((*scene.cars, *scene.people, *scene.trees, *scene.poles), key=lambda thing: -thing.z)
    for thing in things:
        # Under a covered sky only cars darken the ground; farther away a shadow is thinner than a pixel.
        if thing.z < 20_000 and (scene.light.sun or isinstance(thing, Car)):
            _paint_shadow(canvas, camera, thing, scene.light.sun, depths.ground)
    for thing in things:
        if isinstance(thing, Car):
            paint_car(canvas, camera, thing, scene.light.dark)
        elif isinstance(thing, Person):
            paint_person(canvas, camera, thing)
        elif isinstance(thing, Tree):
            canvas.noise = crop(leaves, thing.patch, height, width)
            paint_tree(canvas, camera, thing)
        else:
            paint_pole(canvas, camera, thing, scene.light.dark)
    ids = canvas.ids.astype(np.intp)
    label, region, distance, texture, glows, *colour = np.array(canvas.parts, dtype=np.int32).T
    depth = _depth(ids, distance, depths)
    image = _colour(ids, depth, texture, glows, np.stack(colour), scene.light, camera)
    mask = label.astype(np.uint8).take(ids)
    behind, front = _borders(region.astype(np.uint8).take(ids))
    # A border pixel shows what is behind and what is in front, half and half, as a camera's does.
    flat = image.reshape(3, -1)
    flat[:, behind] = (flat.take(behind, axis=1) + flat.take(front, axis=1)) >> 1
    mask.reshape(-1)[behind] = VOID
    _add_noise(image, scene.light.noise, draws)
    return np.clip(image, 0, 255).astype(np.uint8), mask, depth


def _paint_shadow(canvas: Canvas, camera: Camera, thing: Car | Person | Tree | Pole, sun: int, ground: range) -> None:
    """Darken the ground under a thing and, when the sun shines, beside it."""
    if isinstance(thing, Car):
        across = thing.view == "side"
        wide, long = (thing.length, thing.width) if across else (thing.width, thing.length)
        near = thing.z
    else:
        wide = long = 2 * thing.spread if isinstance(thing, Tree) else 400
        near = thing.z - long // 2
    reach = -sun * thing.height * 5 // 8
    left = camera.column(thing.x - wide // 2 + min(reach, 0), thing.z)
    right = camera.column(thing.x + wide // 2 + max(reach, 0), thing.z)
    top, bottom = camera.row(0, near + long), camera.row(0, near)
    rx, ry = max((right - left) // 2, 1), max((bottom - top + 1) // 2, 1)
    canvas.shadow((left + right) // 2, (top + bottom + 1) // 2, rx, ry, ground)


def _depth(ids: np.ndarray, distance: np.ndarray, depths: Depths) -> np.ndarray:
    """The distance of every pixel, (H, W) int32 in mm."""
    depth = distance.take(ids)
    for parts, own in ((depths.ground, depths.rows[:, None]), (depths.walls, depths.columns)):
        np.copyto(depth, own, where=(ids >= parts.start) & (ids < parts.stop), casting="unsafe")
    return depth


def _borders(region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels beside a region that lies in front of their own: their flat indices, and that neighbour's.

    The border is one pixel wide and takes nothing from what is in front: a pole one pixel wide keeps its pixels.
    """
    height, width = region.shape
    offset = np.zeros((height, width), dtype=np.int64)
    np.copyto(offset[1:], -width, where=region[1:] < region[:-1])  # the pixel above is in front
    np.copyto(offset[:-1], width, where=region[:-1] < region[1:])
    np.copyto(offset[:, 1:], -1, where=region[:, 1:] < region[:, :-1])
    np.copyto(offset[:, :-1], 1, where=region[:, :-1] < region[:, 1:])
    behind = np.flatnonzero(offset)
    return behind, behind + offset.reshape(-1)[behind]


def _colour(
    ids: np.ndarray,
    depth: np.ndarray,
    texture: np.ndarray,
    glows: np.ndarray,
    colour: np.ndarray,
    light: Light,
    camera: Camera,
) -> np.ndarray:
    """The colour of every pixel before noise, (3, H, W) int16."""
    height, width = ids.shape
    gain = np.where(glows, 256, np.array(light.gain)[:, None])
    image = (colour * gain >> 8).astype(np.int16).take(ids, axis=1)  # (3, H, W)

    grit = noise_tile(height, width, max(camera.focal // 60, 1), 1, stretch=2)
    grit = crop(grit, light.patch, height, width).astype(np.int16) - 128
    image += texture.astype(np.int16).take(ids) * grit >> 7

    # Haze: half of the colour at haze_distance, in 1/128, and never all of it.
    z = np.arange((FAR >> 9) + 1) << 9
    thickness = np.minimum(128 * z // (z + light.haze_distance), 100).astype(np.int16)
    haze = thickness.take(depth >> 9)
    image += (np.array(light.skyline, dtype=np.int16)[:, None, None] - image) * haze >> 7

    np.copyto(image[:, : camera.y], _sky(light, camera, width), where=ids[: camera.y] == 0)
    return image


def _sky(light: Light, camera: Camera, width: int) -> np.ndarray:
    """Sky and clouds above the horizon, (3, y, W) int16."""
    height = camera.y
    down = (np.arange(height) * 128 // height)[:, None].astype(np.int16)
    hills = noise_tile(height, width, max(camera.focal // 8, 1), 3, stretch=2)
    hills = crop(hills, light.patch, height, width).astype(np.int16)
    cloudy = np.clip((hills + (light.cover - 255)) * 2, 0, 115)  # in 1/128
    zenith, skyline, cloud = (
        np.array(colour, dtype=np.int16)[:, None, None] for colour in (light.zenith, light.skyline, light.cloud)
    )
    clear = zenith + ((skyline - zenith) * down >> 7)  # (3, y, 1)
    return clear + ((cloud - clear) * cloudy >> 7)


def _add_noise(image: np.ndarray, strength: int, draws: Draws) -> None:
    """Add the camera's noise in place: a triangular spread of up to 15 * strength / 16 grey levels."""
    grain = draws.bytes(*image.shape)
    image += ((grain & 15).astype(np.int16) + (grain >> 4) - 15) * np.int16(strength) >> 4
