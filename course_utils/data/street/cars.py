"""Cars, painted as boxes in perspective: the near end, the side towards the camera, glass, lights and wheels."""

from course_utils.data.street.canvas import Camera, Canvas
from course_utils.data.street.classes import CAR
from course_utils.data.street.colours import shade
from course_utils.data.street.scene import Car

_TYRE, _GLASS, _PLATE = (30, 30, 32), (54, 64, 76), (226, 222, 196)
_HEADLIGHT, _TAIL_LIGHT = (246, 240, 214), (190, 34, 30)


def paint_car(canvas: Canvas, camera: Camera, car: Car, dark: bool) -> None:
    """Paint a car that is seen from the front, the rear or the side."""
    canvas.new_region()
    if car.view == "side":
        _paint_side_view(canvas, camera, car, dark)
    else:
        _paint_flank(canvas, camera, car)
        _paint_near_end(canvas, camera, car, dark)


def _cabin(car: Car) -> tuple[int, int, int]:
    """Where the cabin starts and ends along the car (mm from the near end), and its floor (mm from the ground)."""
    if car.shape == "van":
        return (0, car.length - 900, car.height * 5 // 9) if car.view == "rear" else (700, car.length, 1150)
    long_hood = 1150 if car.view == "front" else 350 if car.shape == "hatchback" else 900
    behind = 350 if car.shape == "hatchback" else 900
    end = car.length - (behind if car.view == "front" else 1150)
    return long_hood, end, car.height * 5 // 9


def _paint_flank(canvas: Canvas, camera: Camera, car: Car) -> None:
    """The long side that faces the camera, between the near and the far end."""
    x = car.x - car.width // 2 if car.x > 0 else car.x + car.width // 2
    near = car.z
    width = abs(camera.column(x, near) - camera.column(x, near + car.length))
    if width < 2:
        return
    body = canvas.part(CAR, shade(car.colour, 204), near, texture=6)
    glass = canvas.part(CAR, shade(_GLASS, 230), near, texture=8)
    tyre = canvas.part(CAR, _TYRE, near)
    start, end, belt = _cabin(car)

    def face(z0: int, z1: int, y0: int, y1: int, part: int) -> None:
        """Paint the rectangle from (z0, y0) to (z1, y1) on the flank."""
        ends = sorted((camera.column(x, z), camera.row(y1, z), camera.row(y0, z)) for z in (near + z0, near + z1))
        (left, *at_left), (right, *at_right) = ends
        canvas.slab(left, right, (at_left[0], at_left[1]), (at_right[0], at_right[1]), part)

    face(0, car.length, 250, belt, body)
    face(start, end, belt, car.height, body)
    if width < 4:
        return
    face(start + 250, end - 250, belt, car.height - 130, glass)
    for wheel in (car.length // 5, car.length * 4 // 5):
        z = near + wheel
        left, right = sorted((camera.column(x, z - 320), camera.column(x, z + 320)))
        radius = camera.pixels(320, z)
        canvas.ellipse((left + right) // 2, camera.row(320, z), max((right - left) // 2, 1), radius, tyre)


def _paint_near_end(canvas: Canvas, camera: Camera, car: Car, dark: bool) -> None:
    z = car.z
    body = canvas.part(CAR, car.colour, z, texture=6)
    low = canvas.part(CAR, shade(car.colour, 150), z)
    glass = canvas.part(CAR, _GLASS, z, texture=10)
    tyre = canvas.part(CAR, _TYRE, z)
    rear = car.view == "rear"
    light = canvas.part(CAR, _TAIL_LIGHT if rear else _HEADLIGHT, z, glows=dark)
    plate = canvas.part(CAR, _PLATE, z)
    start, _, belt = _cabin(car)
    left, right = camera.column(car.x - car.width // 2, z), camera.column(car.x + car.width // 2, z)
    right = max(right, left + 2)
    width = right - left
    ground, waist = camera.row(0, z), camera.row(belt, z)

    # The cabin stands back from the near end, so it looks a little smaller.
    back = z + start
    roof, foot = camera.row(car.height, back), camera.row(belt, back)
    inner = (camera.column(car.x - car.width // 2, back), camera.column(car.x + car.width // 2, back))
    slope = 0 if car.shape == "van" else (inner[1] - inner[0]) // 8
    canvas.taper(roof, max(foot, waist), (inner[0] + slope, inner[1] - slope), inner, body)
    rim = max(width // 12, 1)
    canvas.taper(
        roof + rim,
        foot,
        (inner[0] + slope + rim, inner[1] - slope - rim),
        (inner[0] + rim, inner[1] - rim),
        glass,
    )
    if start > 500:  # the bonnet or the boot lies in between
        canvas.taper(foot, waist, inner, (left, right), canvas.part(CAR, shade(car.colour, 280), z, texture=6))

    tread, lift = max(width // 7, 1), max((ground - waist) // 4, 1)
    canvas.box(left, ground - 2 * lift, left + tread, ground, tyre)
    canvas.box(right - tread, ground - 2 * lift, right, ground, tyre)
    canvas.box(left, waist, right, ground - lift, body)
    canvas.box(left, ground - 2 * lift, right, ground - lift, low)
    if width < 6:
        return
    lamp_top = waist + max((ground - waist) // 6, 1)
    lamp = (max(width // 6, 1), max((ground - waist) // 6, 1))
    canvas.box(left, lamp_top, left + lamp[0], lamp_top + lamp[1], light)
    canvas.box(right - lamp[0], lamp_top, right, lamp_top + lamp[1], light)
    middle, half = (left + right) // 2, max(width // 8, 1)
    plate_top = ground - 2 * lift - lamp[1] // 2
    canvas.box(middle - half, plate_top, middle + half, plate_top + max(lamp[1] * 2 // 3, 1), plate)
    if not rear:
        canvas.box(left + 2 * lamp[0], lamp_top, right - 2 * lamp[0], lamp_top + max(lamp[1] // 2, 1), tyre)


def _paint_side_view(canvas: Canvas, camera: Camera, car: Car, dark: bool) -> None:
    z = car.z
    body = canvas.part(CAR, car.colour, z, texture=6)
    low = canvas.part(CAR, shade(car.colour, 150), z)
    glass = canvas.part(CAR, _GLASS, z, texture=10)
    tyre = canvas.part(CAR, _TYRE, z)
    hub = canvas.part(CAR, (150, 152, 156), z)
    ahead = -1 if car.heads_left else 1
    tail = camera.column(car.x - ahead * car.length // 2, z)
    nose = camera.column(car.x + ahead * car.length // 2, z)
    length = max(abs(nose - tail), 4)

    def along(share: int) -> int:
        """The column at this share of the length from the tail, in 1/64."""
        return tail + ahead * length * share // 64

    def span(start: int, end: int) -> tuple[int, int]:
        """The columns between two shares, left one first."""
        return min(along(start), along(end)), max(along(start), along(end))

    ground, roof = camera.row(0, z), camera.row(car.height, z)
    waist = camera.row(car.height * 5 // 9, z)
    sill = ground - camera.pixels(260, z)
    van = car.shape == "van"
    top, belt = (span(1, 50), span(0, 60)) if van else (span(16, 42), span(4, 52))
    if car.shape == "hatchback":
        top, belt = span(7, 40), span(1, 52)
    rim = max(length // 40, 1)
    canvas.taper(roof, waist, top, belt, body)
    pane = (span(34, 48), span(34, 56)) if van else ((top[0] + rim, top[1] - rim), (belt[0] + rim, belt[1] - rim))
    canvas.taper(roof + rim, waist, *pane, glass)
    left, right = span(0, 64)
    canvas.box(left, waist, right, sill, body)
    canvas.box(left, (waist + 2 * sill) // 3, right, sill, low)
    if not van:
        post = along(30)
        canvas.box(post, roof, post + rim, waist, body)
    for share, colour in ((1, _TAIL_LIGHT), (63, _HEADLIGHT)):
        lamp = canvas.part(CAR, colour, z, glows=dark)
        x = along(share)
        canvas.box(x - rim // 2, waist + rim, x - rim // 2 + rim, waist + 2 * rim, lamp)
    radius = camera.pixels(330, z)
    for share in (13, 51):
        canvas.ellipse(along(share), ground - radius, radius, radius, tyre)
        canvas.ellipse(along(share), ground - radius, max(radius // 2, 1), max(radius // 2, 1), hub)
