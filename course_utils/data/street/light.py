"""Weather and time of day: what changes every colour in the picture."""

from dataclasses import dataclass

from course_utils.data.random_bits import Draws
from course_utils.data.street.colours import RGB


@dataclass(frozen=True, slots=True)
class Light:
    zenith: RGB  # colours of the sky, from the top …
    skyline: RGB  # … to the horizon
    cloud: RGB
    cover: int  # how much of the sky is cloud, 0 to 255
    gain: RGB  # colour of the light in 1/256: a white wall shows as (gain * 255) >> 8
    sides: tuple[int, int]  # brightness of the left and the right row of houses in 1/256
    front: int  # … and of what faces the camera
    shadow: int  # brightness of ground in shadow in 1/256
    sun: int  # -1 from the left, 1 from the right, 0 hidden
    reach: int  # how far the shadow of the houses reaches, in mm
    haze_distance: int  # in mm: there, half of a colour is the haze's
    dark: bool  # lamps are on
    noise: int  # of the camera, in 1/16 grey levels per unit
    patch: tuple[int, int]  # where in the noise tile the clouds come from


# zenith, skyline, cloud, cover (from, to), gain, shadow, haze in m (from, to)
_WEATHER = {
    "clear": ((86, 142, 214), (186, 212, 236), (246, 248, 250), (0, 110), (262, 258, 248), 150, (400, 900)),
    "cloudy": ((112, 152, 204), (206, 216, 226), (228, 230, 234), (110, 190), (244, 244, 246), 185, (250, 600)),
    "overcast": ((158, 164, 172), (202, 204, 206), (176, 180, 186), (150, 255), (216, 220, 226), 226, (140, 400)),
    "sunset": ((104, 116, 170), (246, 184, 128), (236, 158, 138), (60, 180), (262, 212, 172), 150, (200, 500)),
    "fog": ((190, 194, 198), (204, 206, 208), (210, 212, 214), (0, 255), (222, 224, 228), 236, (28, 70)),
    "dusk": ((34, 44, 84), (116, 104, 136), (72, 70, 104), (40, 170), (122, 124, 156), 200, (150, 400)),
}  # fmt: skip

_SHARES = ("clear",) * 7 + ("cloudy",) * 5 + ("overcast",) * 4 + ("sunset", "fog", "dusk") * 2


def draw_light(draws: Draws) -> Light:
    """Draw the weather and the place of the sun."""
    weather = draws.pick(_SHARES)
    zenith, skyline, cloud, cover, gain, shadow, haze = _WEATHER[weather]
    sun = draws.pick((-1, 1)) if weather in ("clear", "cloudy", "sunset") else 0
    bright = draws.between(232, 272)
    red, green, blue = (g * bright >> 8 for g in gain)
    contrast = draws.between(30, 60) if sun else 0
    return Light(
        zenith=zenith,
        skyline=skyline,
        cloud=cloud,
        cover=draws.between(*cover),
        gain=(red, green, blue),
        # The sun from the left lights the wall on the right.
        sides=(236 + sun * contrast, 236 - sun * contrast),
        front=draws.between(205, 245),
        shadow=shadow,
        sun=sun,
        reach=draws.between(0, 4500),
        haze_distance=1000 * draws.between(*haze),
        dark=weather == "dusk",
        noise=draws.between(2, 9) + (6 if weather == "dusk" else 0),
        patch=(draws.below(4096), draws.below(4096)),
    )
