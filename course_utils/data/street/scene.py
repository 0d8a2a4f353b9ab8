"""What a street is made of, in millimetres.

Coordinates as seen by the camera: X to the right, Y up from the ground, Z into the picture. The camera is at
X = 0, Z = 0.
"""

from dataclasses import dataclass

from course_utils.data.street.colours import RGB
from course_utils.data.street.light import Light


@dataclass(frozen=True, slots=True)
class Building:
    start: int
    end: int
    height: int  # of the wall, above it comes the roof
    roof: int
    gabled: bool
    base: int  # height of the ground floor
    floor: int
    sill: int  # a window spans sill to head above its floor, pier to bay along the wall
    head: int
    bay: int
    pier: int
    shop: bool
    wall_colour: RGB
    roof_colour: RGB
    trim_colour: RGB


@dataclass(frozen=True, slots=True)
class Car:
    x: int  # centre
    z: int  # nearest point
    width: int
    length: int
    height: int
    shape: str  # saloon, hatchback or van
    view: str  # front, rear or side: what the camera sees of it
    heads_left: bool  # for the side view
    colour: RGB


@dataclass(frozen=True, slots=True)
class Person:
    x: int
    z: int
    height: int
    stride: int  # distance between the feet
    skirt: bool
    bag: int  # -1 on the left, 0 none, 1 on the right
    top: RGB
    bottom: RGB
    skin: RGB
    hair: RGB
    bag_colour: RGB


@dataclass(frozen=True, slots=True)
class Tree:
    x: int
    z: int
    height: int
    spread: int  # half the width of the crown
    cone: bool
    roughness: int  # raggedness of the outline, 0 to 255
    patch: tuple[int, int]  # where in the noise tile its leaves come from
    leaf: RGB
    bark: RGB


@dataclass(frozen=True, slots=True)
class Pole:
    x: int
    z: int
    height: int
    kind: str  # lamp, disc, triangle, board or signal
    arm: int  # reach of a lamp's arm, negative to the left
    colour: RGB
    sign_colour: RGB


@dataclass(frozen=True, slots=True)
class Scene:
    camera_height: int
    horizon: int  # in 1/1024 of the picture's height
    vanish: int  # in 1/1024 of the picture's width
    road: tuple[int, int]  # X of its left and right edge
    walls: tuple[int, int]  # X of the two rows of buildings
    street_end: int
    road_colour: RGB
    pavement_colour: RGB
    kerb_colour: RGB
    dashed: bool
    edge_lines: bool
    crossing: int  # Z where the zebra crossing starts, 0 for none
    buildings: tuple[tuple[Building, ...], tuple[Building, ...]]  # left and right, near to far
    closing: tuple[tuple[int, int, int, RGB], ...]  # far end: (X from, X to, height, colour) of each house
    treeline: RGB | None  # or the colour of the park there
    cars: tuple[Car, ...]
    people: tuple[Person, ...]
    trees: tuple[Tree, ...]
    poles: tuple[Pole, ...]
    light: Light
