"""What stands where in a street: all random choices of a scene, before any pixel is painted.

So the same layout can be painted at every size.
"""

from course_utils.data.random_bits import Draws
from course_utils.data.street import colours
from course_utils.data.street.colours import RGB
from course_utils.data.street.light import draw_light
from course_utils.data.street.scene import Building, Car, Person, Pole, Scene, Tree

# A layout is drawn for a camera with a picture of 128 x 96 pixels and a focal length of 100 pixels.
VIEW_WIDTH, VIEW_HEIGHT, VIEW_FOCAL = 128, 96, 100


class _Street:
    """The frame that everything else is placed in: camera, road, pavements."""

    def __init__(self, draws: Draws):
        self.draws = draws
        self.camera_height = draws.between(1450, 2500)
        self.horizon = draws.between(400, 560)
        self.vanish = draws.between(370, 654)
        width = draws.pick((6400, 7200, 8400, 9600))
        from_left = draws.between(-900, width + 900)
        self.road = (-from_left, width - from_left)
        beside = (draws.between(2200, 4800), draws.between(2200, 4800))
        # Keep the camera at least 2 m away from a wall.
        self.walls = (
            min(self.road[0] - beside[0], -2000),
            max(self.road[1] + beside[1], 2000),
        )
        self.end = draws.between(55_000, 110_000)
        self.crossing = draws.between(7000, 22_000) if draws.one_in(3) else 0

    def first_visible(self, x: int) -> int:
        """The distance from which X = x is in the picture, 5 pixels from its edge."""
        vanish = self.vanish * VIEW_WIDTH // 1024
        room = (vanish if x < 0 else VIEW_WIDTH - vanish) - 5
        return VIEW_FOCAL * abs(x) // room + 1

    def depth(self, x: int, near: int, far: int) -> int:
        """A distance at which X = x is in the picture, evenly spread over picture rows (so mostly near)."""
        near = max(near, self.first_visible(x))
        far = max(far, near + 1)
        return near * far // (near + self.draws.below(far - near))

    def beside_road(self, side: int, kerb: int, wall: int) -> int:
        """An X on the pavement, at least `kerb` from the road and `wall` from the houses."""
        if side:
            return self.draws.between(self.road[1] + kerb, max(self.road[1] + kerb, self.walls[1] - wall))
        return self.draws.between(min(self.road[0] - kerb, self.walls[0] + wall), self.road[0] - kerb)


def draw_scene(draws: Draws) -> Scene:
    """Draw a whole street."""
    street = _Street(draws)
    light = draw_light(draws)
    cars = _cars(street)
    closing, treeline = _far_end(street)
    return Scene(
        camera_height=street.camera_height,
        horizon=street.horizon,
        vanish=street.vanish,
        road=street.road,
        walls=street.walls,
        street_end=street.end,
        road_colour=colours.vary(draws, draws.pick(colours.ROADS), 10),
        pavement_colour=colours.vary(draws, draws.pick(colours.PAVEMENTS), 10),
        kerb_colour=colours.vary(draws, draws.pick(colours.KERBS), 10),
        dashed=not draws.one_in(4),
        edge_lines=draws.one_in(2),
        crossing=street.crossing,
        buildings=(_buildings(street), _buildings(street)),
        closing=closing,
        treeline=treeline,
        cars=cars,
        people=_people(street, cars),
        trees=_trees(street),
        poles=_poles(street),
        light=light,
    )


def _buildings(street: _Street) -> tuple[Building, ...]:
    draws = street.draws
    low, high = draws.pick(((1, 2), (1, 3), (2, 4), (3, 5), (3, 7)))
    found = []
    z = draws.between(0, 3000)
    while z < street.end:
        length = draws.between(6000, 17_000)
        if not found or not draws.one_in(7):  # else a gap between two houses
            found.append(_building(draws, z, min(z + length, street.end), draws.between(low, high)))
        z += length
    return tuple(found)


def _building(draws: Draws, start: int, end: int, floors: int) -> Building:
    floor = draws.between(2800, 3500)
    shop = draws.one_in(2)
    base = draws.between(3300, 4200) if shop else draws.between(300, 900)
    bay = draws.between(1900, 3600)
    pitched = floors <= 4 and not draws.one_in(3)
    glazing = draws.pick((45, 55, 70))  # per cent of the width of a bay
    return Building(
        start=start,
        end=end,
        height=base + floors * floor,
        roof=draws.between(1500, 3500) if pitched else draws.pick((0, 300, 500)),
        gabled=pitched and draws.one_in(2),
        base=base,
        floor=floor,
        sill=draws.between(700, 1100),
        head=draws.between(2200, 2600),
        bay=bay,
        pier=bay * (100 - glazing) // 100,
        shop=shop,
        wall_colour=colours.vary(draws, draws.pick(colours.WALLS), 14),
        roof_colour=colours.vary(draws, draws.pick(colours.ROOFS), 12),
        trim_colour=colours.vary(draws, draws.pick(colours.PAINTS), 12),
    )


def _far_end(street: _Street) -> tuple[tuple[tuple[int, int, int, RGB], ...], RGB | None]:
    draws = street.draws
    kind = draws.below(4)
    if kind == 0:
        return (), None  # open to the horizon
    if kind == 1:
        return (), colours.vary(draws, draws.pick(colours.LEAVES), 15)
    houses, x = [], street.walls[0] - 3000
    while x < street.walls[1] + 3000:
        width = draws.between(5000, 12_000)
        colour = colours.vary(draws, draws.pick(colours.WALLS), 14)
        houses.append((x, x + width, draws.between(5000, 16_000), colour))
        x += width
    return tuple(houses), None


def _cars(street: _Street) -> tuple[Car, ...]:
    draws = street.draws
    left, right = street.road
    middle = (left + right) // 2
    # Lanes run at a quarter and three quarters of the road; parked cars stand along the kerbs.
    lanes = [((left + middle) // 2, "front"), ((right + middle) // 2, "rear")]
    if right - left >= 8400:
        lanes += [(left + 1100, "front"), (right - 1100, "rear")]
    found: list[Car] = []
    if draws.one_in(4):  # one crosses the street
        x = draws.between(left + 1500, right - 1500)
        found.append(_car(draws, x, street.depth(x, 9000, 30_000), "side"))
    for number in range(draws.between(3, 6)):
        x, view = draws.pick(lanes)
        x += draws.between(-300, 300)
        z = street.depth(x, 6500, 16_000 if number == 0 else 60_000)
        if all(abs(z - other.z) > 6500 or abs(x - other.x) > 2300 and other.view != "side" for other in found):
            found.append(_car(draws, x, z, view))
    return tuple(found)


def _car(draws: Draws, x: int, z: int, view: str) -> Car:
    shape = draws.pick(("saloon", "hatchback", "hatchback", "van"))
    size = {"saloon": (1780, 4500, 1430), "hatchback": (1750, 3900, 1520), "van": (1950, 5000, 2150)}[shape]
    return Car(
        x=x,
        z=z,
        width=size[0] + draws.between(-60, 60),
        length=size[1] + draws.between(-250, 250),
        height=size[2] + draws.between(-60, 60),
        shape=shape,
        view=view,
        heads_left=draws.one_in(2),
        colour=colours.vary(draws, draws.pick(colours.PAINTS), 14),
    )


def _people(street: _Street, cars: tuple[Car, ...]) -> tuple[Person, ...]:
    draws = street.draws
    found: list[Person] = []
    for number in range(draws.between(4, 8)):
        x = street.beside_road(draws.below(2), 1300, 500)
        far = 14_000 if number == 0 else 45_000
        z = street.depth(x, 5500, far)
        if number > 0 and street.crossing and draws.one_in(2):  # somebody crosses the road
            x = draws.between(street.road[0], street.road[1])
            z = max(street.crossing + draws.between(300, 2700), street.first_visible(x))
            if any(abs(x - car.x) < 4000 and car.z - 800 < z < car.z + car.length + 800 for car in cars):
                continue
        found.append(_person(draws, x, z))
        if draws.one_in(4):  # and not alone
            found.append(_person(draws, x + draws.pick((-650, 650)), z + draws.between(-300, 300)))
    return tuple(found)


def _person(draws: Draws, x: int, z: int) -> Person:
    return Person(
        x=x,
        z=z,
        height=draws.between(1000, 1350) if draws.one_in(7) else draws.between(1560, 1930),
        stride=draws.between(120, 520),
        skirt=draws.one_in(4),
        bag=draws.pick((-1, 0, 0, 1)),
        top=colours.vary(draws, draws.pick(colours.CLOTHES), 15),
        bottom=colours.vary(draws, draws.pick(colours.CLOTHES), 15),
        skin=draws.pick(colours.SKINS),
        hair=draws.pick(colours.HAIRS),
        bag_colour=draws.pick(colours.PAINTS),
    )


def _trees(street: _Street) -> tuple[Tree, ...]:
    draws = street.draws
    leaf = draws.pick(colours.LEAVES)
    found = []
    for number in range(draws.between(2, 6)):
        x = street.beside_road(draws.below(2), 900, 900)
        z = street.depth(x, 9000, 20_000 if number == 0 else 60_000)
        found.append(_tree(draws, x, z, leaf))
    return tuple(found)


def _tree(draws: Draws, x: int, z: int, leaf: RGB) -> Tree:
    height = draws.between(3600, 8000)
    if draws.one_in(4):
        leaf = draws.pick(colours.LEAVES)
    return Tree(
        x=x,
        z=z,
        height=height,
        spread=height * draws.between(20, 36) // 100,
        cone=draws.one_in(5),
        roughness=draws.between(110, 230),
        patch=(draws.below(4096), draws.below(4096)),
        leaf=colours.vary(draws, leaf, 18),
        bark=colours.vary(draws, draws.pick(colours.BARKS), 12),
    )


def _poles(street: _Street) -> tuple[Pole, ...]:
    draws = street.draws
    found = []
    steel = draws.pick(colours.POSTS)
    # Lamp posts: one row, at even distances.
    side = draws.below(2)
    x = street.road[1] + 500 if side else street.road[0] - 500
    height, arm = draws.between(5000, 7500), draws.between(900, 1700) * (-1 if side else 1)
    z = street.depth(x, 6000, 13_000)
    for _ in range(draws.between(2, 4)):
        found.append(Pole(x, z, height, "lamp", arm, steel, steel))
        z += draws.between(13_000, 17_000)
    for _ in range(draws.between(1, 4)):  # signs
        x = street.road[1] + 450 if draws.below(2) else street.road[0] - 450
        kind = draws.pick(("disc", "triangle", "board"))
        colour = draws.pick(colours.SIGNS)
        found.append(Pole(x, street.depth(x, 6000, 30_000), draws.between(2300, 3000), kind, 0, steel, colour))
    if street.crossing:
        for x in (street.road[0] - 450, street.road[1] + 450):
            z = max(street.crossing - 300, street.first_visible(x))
            found.append(Pole(x, z, 3200, "signal", 0, steel, (28, 30, 30)))
    return tuple(found)
