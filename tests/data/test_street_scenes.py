"""Street scenes: the same everywhere, correct to the pixel, and no easy prey for a classifier of colours."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from course_utils.data import load_dataset
from course_utils.data.random_bits import Draws
from course_utils.data.street.canvas import FAR, SKY_DEPTH, Camera
from course_utils.data.street.layout import draw_scene
from course_utils.data.street.render import render
from course_utils.data.street.scene import Person, Pole
from course_utils.data.street_scenes import StreetScenes

VOID = 255
NAMES = ("sky", "building", "road", "pavement", "tree", "car", "person", "pole")
SKY, BUILDING, ROAD, PAVEMENT, TREE, CAR, PERSON, POLE = range(8)


def scenes(count, **options):
    return StreetScenes("train", length=count, **options)


def digest(dataset):
    total = hashlib.sha256()
    for sample in dataset:
        for tensor in sample:
            total.update(tensor.numpy().tobytes())
    return total.hexdigest()


# The same bytes everywhere


@pytest.mark.parametrize(
    ("split", "seed", "length", "size", "expected"),
    [
        ("train", 0, 120, (96, 128), "f9386c4f83419810e05cdbcfa966cbb6fe1343eadc4aba0f2d29fd06d68a19cf"),
        ("val", 0, 12, (96, 128), "51aeec7bce736fe6315e7988db2542c1feb5fbfb8e8b2347c9ac7fd4f9e80e0f"),
        ("test", 2**64 - 1, 12, (64, 48), "c53252d4470f8ee70d20fcdd5b0c802b05305582fbc23ef9dc8ce9dd6a4a6316"),
        ("train", 1, 12, (32, 150), "97fb5fe16a436df7d5f4fe4104d513c33cac66d204f3d9834b9e41983d646d7b"),
        ("train", 0, 6, (240, 320), "b73c3f5f918702543ac4b80d6ffe0596e36c64bfb494be3858b49d57aef9ac6b"),
    ],
)
def test_bytes_never_change(split, seed, length, size, expected):
    """On no machine and with no version of NumPy. A change of these hashes changes every result in the lessons."""
    assert digest(StreetScenes(split, seed=seed, length=length, size=size, depth=True)) == expected


def test_scene_depends_on_seed_split_and_index_alone():
    def pictures(split, **options):
        return {image.numpy().tobytes() for image, _ in StreetScenes(split, size=(32, 40), **options)}

    groups = [
        *(pictures(split, length=40) for split in ("train", "val", "test")),
        pictures("train", length=40, seed=1),
        pictures("train", length=40, seed=2**64 - 1),
    ]
    assert len(set.union(*groups)) == 5 * 40  # all differ: no two splits share a scene
    assert pictures("train", length=3) < groups[0]


def test_lengths():
    assert [len(load_dataset("street_scenes", split)) for split in ("train", "val", "test")] == [2000, 200, 200]
    assert len(scenes(7)) == 7 and len(scenes(0)) == 0 and list(scenes(0)) == []
    assert scenes(2**32)[-1][1].shape == (96, 128)


def test_pickled_copy_gives_the_same():
    dataset = scenes(2, size=(32, 40), depth=True)
    assert digest(pickle.loads(pickle.dumps(dataset))) == digest(dataset)


# What a sample is


@pytest.mark.parametrize("size", [(96, 128), (33, 57), (32, 300), (300, 32), (144, 60)])
def test_shapes_and_ranges(size):
    for image, mask, depth in scenes(4, size=size, depth=True):
        assert (image.shape, image.dtype) == ((3, *size), torch.float32)
        assert (mask.shape, mask.dtype) == (size, torch.int64)
        assert (depth.shape, depth.dtype) == (size, torch.float32)
        assert 0 <= image.min() < 0.35 and 0.5 < image.max() <= 1
        assert torch.equal((image * 255).round() / 255, image)  # 8 bits
        assert set(mask.unique().tolist()) <= {*range(8), VOID}
        assert (depth > 0).all()


def test_classes():
    assert StreetScenes.classes == NAMES
    assert StreetScenes("train").palette.shape == (8, 3)


def test_every_class_is_in_nearly_every_scene():
    counts = torch.stack([torch.bincount(mask[mask != VOID], minlength=8) for _, mask in scenes(100)])
    assert ((counts > 0).float().mean(dim=0) >= 0.98).all()
    assert ((counts >= 20).all(dim=1)).float().mean() >= 0.9
    share = counts.sum(dim=0) / counts.sum()
    assert share.max() < 0.4 and share.min() > 0.01


def test_depth_is_a_third_item_only_when_asked_for():
    plain, deep = scenes(1), scenes(1, depth=True)
    assert len(plain[0]) == 2 and len(deep[0]) == 3
    assert all(torch.equal(one, other) for one, other in zip(plain[0], deep[0], strict=False))


def test_transform_takes_depth_along():
    mirrored = scenes(1, depth=True, transform=v2.RandomHorizontalFlip(p=1))[0]
    assert all(torch.equal(one.flip(-1), other) for one, other in zip(scenes(1, depth=True)[0], mirrored, strict=True))


def test_a_larger_picture_shows_the_same_street():
    for small, large in zip(scenes(20), scenes(20, size=(192, 256)), strict=True):
        fine, coarse = large[1][::2, ::2], small[1]
        seen = (fine != VOID) & (coarse != VOID)
        assert (fine == coarse)[seen].float().mean() > 0.9


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": (31, 64)}, ValueError, r"size\[0\]: expected a whole number from 32 to 2048, got 31"),
        ({"size": (64, 2049)}, ValueError, r"size\[1\]: expected a whole number from 32 to 2048, got 2049"),
        ({"size": (64,)}, ValueError, r"size: expected two numbers, \(height, width\), got \(64,\)"),
        ({"size": (3, 64, 64)}, ValueError, r"size: expected two numbers"),
        ({"size": 64}, TypeError, r"size: expected \(height, width\) in whole pixels, got 64"),
        ({"size": (64.0, 64)}, TypeError, r"size: expected \(height, width\) in whole pixels"),
        ({"length": -1}, ValueError, "length: expected a whole number from 0 to 4294967296, got -1"),
        ({"length": 2**32 + 1}, ValueError, "length: expected"),
        ({"length": 1.5}, TypeError, "length: expected a whole number, got 1.5"),
        ({"seed": -1}, ValueError, "seed: expected a whole number from 0 to 18446744073709551615, got -1"),
        ({"seed": 2**64}, ValueError, "seed: expected"),
        ({"seed": "a"}, TypeError, "seed: expected a whole number, got 'a'"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        load_dataset("street_scenes", "train", **options)


def test_numbers_may_be_numpys_or_torchs():
    dataset = StreetScenes("train", size=np.array([40, 50]), length=torch.tensor(3), seed=np.uint64(5))
    assert dataset[0][1].shape == (40, 50) and len(dataset) == 3


# Void


def test_void_separates_all_classes_and_little_else():
    for _, mask in scenes(40):
        for one, other in ((mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1])):
            assert ((one == other) | (one == VOID) | (other == VOID)).all()
        assert 0.03 < (mask == VOID).float().mean() < 0.16


def alone(index, size=(96, 128), **things):
    """The scene with this index, with no other things in it than those named; and how to paint it."""
    scene = replace(draw_scene(Draws(0, index)), cars=(), people=(), trees=(), poles=())
    scene = replace(scene, **things)
    image, mask, depth = render(scene, *size, Draws(0, 0))
    return scene, image.astype(int), mask, depth


@pytest.mark.parametrize("z", [20_000, 40_000, 60_000])
def test_thin_poles_keep_their_pixels(z):
    empty, *_ = alone(3)
    x = (empty.road[0] + empty.road[1]) // 2
    pole = Pole(x=x, z=z, height=4000, kind="lamp", arm=0, colour=(90, 90, 90), sign_colour=(90, 90, 90))
    scene, _, mask, _ = alone(3, poles=(pole,))
    camera = Camera.of(scene, 96, 128)
    column, top, foot = camera.column(x, z), camera.row(4000, z), camera.row(0, z)
    assert foot - top >= 6
    assert (mask[top + 1 : foot, column] == POLE).all()  # one pixel wide …
    assert (mask[top + 1 : foot, [column - 1, column + 1]] == VOID).all()  # … with void on what is behind


def test_border_pixels_mix_what_is_in_front_and_behind():
    empty, behind, _, _ = alone(3)
    pole = Pole(x=0, z=9000, height=2500, kind="board", arm=0, colour=(0, 0, 0), sign_colour=(0, 0, 0))
    scene, image, mask, depth = alone(3, poles=(pole,))
    assert not empty.light.sun  # so that no shadow falls on what is compared
    camera = Camera.of(scene, 96, 128)
    row, left = camera.row(2300, 9000), camera.column(0, 9000) - camera.pixels(340, 9000)
    assert mask[row, left - 1] == VOID and mask[row, left] == POLE and mask[row, left - 2] != VOID
    noise = 2 * scene.light.noise + 2
    mixed = (behind[:, row, left - 1] + image[:, row, left]) / 2
    assert abs(image[:, row, left - 1] - mixed).max() <= noise
    assert abs(behind[:, row, left - 1] - image[:, row, left]).min() > 2 * noise  # a mixture is something else


# Geometry


@pytest.mark.parametrize("index", range(12))
def test_nearer_things_hide_farther_ones(index):
    full_scene = draw_scene(Draws(0, index))
    *_, full = render(full_scene, 96, 128, Draws(0, 0))
    for kind in ("cars", "people", "trees", "poles"):
        for thing in getattr(full_scene, kind):
            *_, depth = alone(index, **{kind: (thing,)})[1:]
            covered = depth == thing.z
            assert (full[covered] <= thing.z).all()  # a thing is seen unless something else is in front of it


@pytest.mark.parametrize("index", range(12))
def test_ground_is_a_plane_and_walls_stand_on_it(index):
    size = (120, 180)
    scene, _, mask, depth = alone(index, size)
    camera = Camera.of(scene, *size)
    rows = np.arange(size[0])[:, None] + 0.5 - camera.y
    columns = np.arange(size[1])[None] + 0.5 - camera.x
    drop = camera.lift - depth * rows / camera.focal  # height above the ground of what is seen
    across = depth * columns / camera.focal
    ground = ((mask == ROAD) | (mask == PAVEMENT)) & (depth < FAR)
    assert abs(drop[ground]).max() < 5  # mm
    on_road = (across >= scene.road[0]) & (across < scene.road[1])
    tolerance = depth / camera.focal
    at_kerb = (abs(across - scene.road[0]) < tolerance) | (abs(across - scene.road[1]) < tolerance)
    assert (on_road == (mask == ROAD))[ground & ~at_kerb].all()
    starts = {house.start for side in scene.buildings for house in side} | {scene.street_end}
    facing = np.isin(depth, list(starts))
    walls = (mask == BUILDING) & ~facing
    nearest = np.minimum(abs(across - scene.walls[0]), abs(across - scene.walls[1]))
    assert walls.any() and nearest[walls].max() < 60
    assert drop[walls].min() > -130
    tallest = max(house.height + house.roof for side in scene.buildings for house in side)
    assert drop[walls].max() < tallest + 260


def test_sky_alone_is_infinitely_far():
    for _, mask, depth in scenes(30, depth=True):
        assert torch.isinf(depth[mask == SKY]).all()
        assert torch.isfinite(depth[(mask != SKY) & (mask != VOID)]).all()
        assert depth[torch.isfinite(depth)].max() <= FAR / 1000
        # Void lies on what is behind, so it can be sky as well.
        assert torch.isinf(depth[mask == VOID]).any()


def test_things_shrink_with_distance():
    def area(z):
        person = Person(0, z, 1750, 300, False, 0, *[(200, 30, 30)] * 5)
        return int((alone(3, (240, 320), people=(person,))[2] == PERSON).sum())

    areas = [area(z) for z in (6000, 12_000, 24_000, 48_000)]
    for near, far in zip(areas, areas[1:], strict=False):
        assert 3 < near / far < 7  # a quarter at twice the distance, but for the border
    assert areas[-1] > 10


def test_depth_is_in_metres():
    scene = draw_scene(Draws(0, 4))
    *_, in_mm = render(scene, 96, 128, Draws(0, 0))
    _, _, in_m = scenes(5, depth=True)[4]
    known = in_mm != SKY_DEPTH
    assert np.array_equal(in_m.numpy()[known], in_mm[known].astype(np.float32) / 1000)


# Difficulty


def mean_iu(prediction, target):
    matrix = np.bincount(target * 8 + prediction, minlength=64).reshape(8, 8)
    return (np.diag(matrix) / (matrix.sum(0) + matrix.sum(1) - np.diag(matrix))).mean()


def test_colour_alone_does_not_tell_the_class():
    def pixels(split, count):
        image, mask = map(torch.stack, zip(*StreetScenes(split, length=count), strict=True))
        colour, label = image.permute(0, 2, 3, 1).numpy(), mask.numpy()
        return colour[label != VOID], label[label != VOID]

    colour, label = pixels("train", 60)
    unseen, truth = pixels("val", 30)
    means = np.stack([colour[label == k].mean(axis=0) for k in range(8)])
    nearest = ((unseen[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.15 < mean_iu(nearest, truth) < 0.35

    def cell(values):  # one of 16 x 16 x 16 colours
        return (values * 15.99).astype(int) @ [256, 16, 1]

    table = np.bincount(cell(colour) * 8 + label, minlength=8 * 4096).reshape(4096, 8)
    best = mean_iu(table.argmax(axis=1)[cell(unseen)], truth)
    assert 0.3 < best < 0.5
    # People wear the colours of cars, cars those of houses: seen by colour, half of them are something else.
    share = table / table.sum(axis=0)
    for one, other in ((CAR, BUILDING), (PERSON, BUILDING), (ROAD, BUILDING), (POLE, PAVEMENT), (PERSON, CAR)):
        assert np.minimum(share[:, one], share[:, other]).sum() > 0.25, (NAMES[one], NAMES[other])
