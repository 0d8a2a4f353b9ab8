"""Colours of things in a street. They overlap between classes on purpose: colour alone must not tell a class.

A grey can be road, pavement, house, car, pole, coat or cloud; a red can be brick, car, coat, sign or autumn leaf.
"""

from course_utils.data.random_bits import Draws

RGB = tuple[int, int, int]

ROADS = ((78, 80, 86), (92, 92, 96), (104, 102, 100), (88, 82, 78), (68, 74, 84))
PAVEMENTS = ((168, 162, 154), (188, 178, 160), (146, 144, 142), (176, 146, 126), (160, 166, 162))
KERBS = ((188, 186, 180), (168, 168, 168), (150, 146, 140))
WALLS = (
    (152, 84, 66), (176, 108, 82), (128, 70, 60),      # brick
    (222, 206, 172), (214, 180, 124), (226, 222, 214),  # plaster
    (196, 160, 150), (168, 186, 200), (176, 192, 160),
    (146, 146, 148), (112, 116, 122), (178, 174, 168),  # concrete, stone
    (92, 108, 126), (120, 134, 146),                    # steel and glass
    (124, 98, 78), (88, 72, 66),                        # wood
)  # fmt: skip
ROOFS = ((142, 74, 58), (108, 62, 54), (84, 84, 92), (66, 68, 74), (116, 100, 88), (92, 112, 108))
PAINTS = (
    (224, 224, 226), (186, 188, 192), (132, 134, 138), (70, 72, 78), (36, 38, 44),
    (176, 40, 40), (206, 92, 44), (226, 186, 62), (44, 78, 142), (74, 126, 178),
    (46, 104, 82), (134, 152, 110), (214, 200, 168), (112, 62, 54), (150, 170, 186),
)  # fmt: skip
CLOTHES = (
    (232, 230, 226), (150, 150, 152), (84, 86, 92), (34, 36, 44), (40, 54, 98),
    (72, 112, 168), (120, 164, 196), (184, 48, 52), (222, 110, 60), (236, 196, 74),
    (92, 138, 82), (54, 92, 76), (146, 96, 150), (214, 150, 168), (150, 116, 82), (206, 186, 150),
)  # fmt: skip
SKINS = ((246, 214, 190), (228, 184, 150), (196, 146, 108), (150, 104, 74), (104, 70, 52), (76, 52, 42))
HAIRS = ((34, 28, 26), (62, 44, 34), (112, 78, 48), (190, 152, 96), (150, 72, 44), (176, 174, 172))
LEAVES = (
    (66, 124, 52), (88, 146, 56), (52, 108, 58), (116, 152, 62), (78, 132, 78), (58, 100, 44),
    (74, 138, 62), (96, 130, 48), (60, 118, 70), (196, 150, 58), (190, 104, 52), (216, 164, 176),
)  # fmt: skip
BARKS = ((96, 76, 60), (116, 100, 86), (78, 66, 58), (140, 132, 122))
POSTS = ((96, 100, 104), (148, 150, 152), (58, 66, 66), (60, 84, 74), (112, 88, 70), (188, 186, 180))
SIGNS = ((190, 44, 44), (46, 86, 158), (226, 188, 60), (222, 222, 222), (52, 116, 84))


def vary(draws: Draws, colour: RGB, amount: int) -> RGB:
    """The colour, lighter or darker by at most `amount`, and warmer or colder by half of that."""
    light, warmth = draws.between(-amount, amount), draws.between(-amount // 2, amount // 2)
    red, green, blue = colour[0] + light + warmth, colour[1] + light, colour[2] + light - warmth
    return min(max(red, 0), 255), min(max(green, 0), 255), min(max(blue, 0), 255)


def shade(colour: RGB, gain: int) -> RGB:
    """The colour times gain / 256, at most white.

    >>> shade((100, 200, 0), 384)
    (150, 255, 0)
    """
    return min(colour[0] * gain >> 8, 255), min(colour[1] * gain >> 8, 255), min(colour[2] * gain >> 8, 255)
