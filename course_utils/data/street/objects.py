"""Trees, people and poles: flat cards that stand on the ground and face the camera."""

from course_utils.data.street.canvas import Camera, Canvas
from course_utils.data.street.classes import PERSON, POLE, TREE
from course_utils.data.street.colours import shade
from course_utils.data.street.scene import Person, Pole, Tree


def paint_tree(canvas: Canvas, camera: Camera, tree: Tree) -> None:
    """Paint a trunk and a ragged crown of several blobs."""
    canvas.new_region()
    z = tree.z
    bark = canvas.part(TREE, tree.bark, z, texture=40)
    light = canvas.part(TREE, tree.leaf, z, texture=60)
    dark = canvas.part(TREE, shade(tree.leaf, 176), z, texture=60)
    x, ground, top = camera.column(tree.x, z), camera.row(0, z), camera.row(tree.height, z)
    spread, height = camera.pixels(tree.spread, z), max(ground - top, 2)
    trunk = camera.pixels(tree.height // 22, z)
    canvas.box(x - trunk // 2, top + height // 2, x - trunk // 2 + trunk, ground, bark)
    if tree.cone:
        for step in range(4):  # four tiers, each wider and lower than the one above
            middle = top + height * (2 + 2 * step) // 11
            width = spread * (3 + 2 * step) // 9
            canvas.blob(x, middle, max(width, 1), max(height // 6, 1), tree.roughness, light, dark)
        return
    crown = height * 3 // 8
    half = max(crown * 3 // 4, 1)
    if spread < 5:
        canvas.blob(x, top + half, spread, half, tree.roughness, light, dark)
        return
    canvas.blob(x - spread // 2, top + crown, max(spread * 2 // 3, 1), half, tree.roughness, light, dark)
    canvas.blob(x + spread // 2, top + crown, max(spread * 2 // 3, 1), half, tree.roughness, light, dark)
    canvas.blob(x, top + half, max(spread * 4 // 5, 1), half, tree.roughness, light, dark)


def paint_person(canvas: Canvas, camera: Camera, person: Person) -> None:
    """Paint head, hair, trunk, arms, legs or skirt, and a bag."""
    canvas.new_region()
    z = person.z
    x, ground, top = camera.column(person.x, z), camera.row(0, z), camera.row(person.height, z)
    height = max(ground - top, 3)
    top = ground - height

    def at(share: int) -> int:
        """The row at this share of the height from the top, in 1/64."""
        return top + height * share // 64

    half = max(height * 8 // 64, 1)  # half the width of the shoulders
    limb = max(height * 5 // 64, 1)
    clothes = canvas.part(PERSON, person.top, z, texture=14)
    trousers = canvas.part(PERSON, person.bottom, z, texture=14)
    skin = canvas.part(PERSON, person.skin, z, texture=8)
    hair = canvas.part(PERSON, person.hair, z, texture=8)
    if height < 14:
        head = (half + 1) // 2
        canvas.box(x - half, at(12), x + half, at(38), clothes)
        canvas.box(x - half, at(38), x + half, ground, trousers)
        canvas.box(x - head, top, x + head, at(12), skin)
        canvas.box(x - head, top, x + head, at(6), hair)
        return
    sleeve = canvas.part(PERSON, shade(person.top, 200), z, texture=14)
    shoe = canvas.part(PERSON, (40, 36, 36), z)
    # Legs from the hips to feet that stand `stride` apart.
    foot = max(height * person.stride // person.height // 2, limb // 2)
    hip = height * 5 // 64
    knee = at(50) if person.skirt else at(62)
    leg = skin if person.skirt else trousers
    for out in (-1, 1):
        hips, feet = x + out * hip // 2, x + out * foot
        thigh = (hips - limb // 2 - 1, hips + limb // 2 + 1)
        ankle = (feet - limb // 2, feet + (limb + 1) // 2)
        canvas.taper(at(36), at(62), thigh, ankle, leg)
        canvas.box(ankle[0], at(61), ankle[1] + 1, ground, shoe)
    if person.skirt:
        canvas.taper(at(32), knee, (x - hip, x + hip), (x - half, x + half), trousers)
    # Arms hang a little away from the body.
    for out in (-1, 1):
        shoulder, hand = x + out * (half - limb // 2), x + out * (half + limb // 2)
        arm = (limb + 1) // 2
        canvas.taper(at(12), at(34), (shoulder - arm, shoulder + arm), (hand - arm, hand + arm), sleeve)
        canvas.box(hand - arm, at(34), hand + arm, at(37), skin)
    canvas.taper(at(11), at(38), (x - half, x + half), (x - hip - 1, x + hip + 1), clothes)
    if person.bag:
        bag = canvas.part(PERSON, person.bag_colour, z, texture=10)
        side = x + person.bag * (half + limb // 2)
        canvas.box(side - limb, at(28), side + limb, at(42), bag)
    head = max(height * 5 // 64, 1)
    canvas.box(x - max(head // 2, 1), at(8), x + max(head // 2, 1), at(13), skin)
    canvas.ellipse(x, at(5), head, max(at(10) - at(5), 1), skin)
    canvas.ellipse(x, at(3), head, max(at(7) - at(3), 1), hair)
    canvas.box(x - head // 2, at(5), x + head // 2, at(9), skin)


def paint_pole(canvas: Canvas, camera: Camera, pole: Pole, dark: bool) -> None:
    """Paint a post, one or two pixels wide in small pictures, with its lamp, sign or signal."""
    canvas.new_region()
    z = pole.z
    post = canvas.part(POLE, pole.colour, z, texture=6)
    x, ground, top = camera.column(pole.x, z), camera.row(0, z), camera.row(pole.height, z)
    width = camera.pixels(130, z)
    left = x - width // 2
    canvas.box(left, top, left + width, ground, post)
    size = camera.pixels(340, z)
    if pole.kind == "lamp":
        end = camera.column(pole.x + pole.arm, z)
        thin = camera.pixels(70, z)
        canvas.box(min(x, end), top, max(x, end), top + thin, post)
        lamp = canvas.part(POLE, (255, 240, 190) if dark else (206, 206, 198), z, glows=dark)
        reach = max(size // 2, 1)
        canvas.box(end - reach, top, end + reach, top + max(thin, size // 3), lamp)
        return
    sign = canvas.part(POLE, pole.sign_colour, z, texture=6)
    mark = canvas.part(POLE, (232, 232, 228), z, texture=6)
    middle = top + size
    if pole.kind == "disc":
        canvas.ellipse(x, middle, size, size, sign)
        canvas.box(x - size // 2, middle - size // 5, x + size // 2, middle + size // 5, mark)
    elif pole.kind == "triangle":
        canvas.taper(top, top + 2 * size, (x, x + 1), (x - size, x + size + 1), sign)
        canvas.taper(top + size // 2, top + 2 * size - size // 3, (x, x + 1), (x - size // 2, x + size // 2), mark)
    elif pole.kind == "board":
        canvas.box(x - size, top, x + size + 1, top + size * 3 // 2, sign)
        canvas.box(x - size * 2 // 3, top + size // 2, x + size * 2 // 3, top + size * 3 // 4, mark)
    else:
        wide = max(size // 2, 1)
        canvas.box(x - wide, top, x + wide, top + 3 * size, sign)
        for number, colour in enumerate(((214, 60, 50), (96, 84, 50), (50, 84, 62))):
            lamp = canvas.part(POLE, colour, z, glows=number == 0)
            centre = top + size // 2 + number * size
            canvas.ellipse(x, centre, max(wide * 2 // 3, 1), max(wide * 2 // 3, 1), lamp)
