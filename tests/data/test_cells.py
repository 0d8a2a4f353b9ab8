"""Cells: the same everywhere, each of them one piece that can be counted, and no easy prey for a threshold."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from torchvision.transforms import v2

from course_utils.data import load_dataset
from course_utils.data.cells import Cells
from course_utils.data.dataset import InstanceMap
from course_utils.data.microscope.render import keep_whole
from course_utils.data.random_bits import Draws
from course_utils.data.transforms import eval_transform, train_transform

EIGHT = np.ones((3, 3))
SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 30))


def pictures(count, split="train", **options):
    return Cells(split, length=count, **options)


def digest(dataset):
    total = hashlib.sha256()
    for sample in dataset:
        for tensor in sample:
            total.update(tensor.numpy().tobytes())
    return total.hexdigest()


def neighbours(ids):
    """The pairs of different numbers that lie side by side or corner to corner, as two arrays."""
    pairs = [
        (ids[1:], ids[:-1]),
        (ids[:, 1:], ids[:, :-1]),
        (ids[1:, 1:], ids[:-1, :-1]),
        (ids[1:, :-1], ids[:-1, 1:]),
    ]
    one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    return one[one != other], other[one != other]


# The same bytes everywhere


@pytest.mark.parametrize(
    ("split", "seed", "length", "size", "expected"),
    [
        ("train", 0, 60, (96, 128), "3046e31e60d865f9272710e9f03a973b6c5e472fc727e295797e4b0665405dd5"),
        ("val", 0, 12, (96, 128), "72aafb34c313fb5e0c9afdcec5c146ce58d0d2b2cea533c55754667d6295bba9"),
        ("test", 2**64 - 1, 12, (64, 48), "449b60dfb0a1bba198afffba94ab7db01df14604df6f193ef46209c5f8912629"),
        ("train", 1, 12, (32, 150), "3f88749ffaef75c76eeee7d25e5a7787396206d5c3ab8ead8f2fa4250dfbff1d"),
        ("train", 0, 2, (260, 320), "ba84d4ad709b83c95846978925d9cef9c79fd9429ca7e9229defc47974cf2f9f"),
    ],
)
def test_bytes_never_change(split, seed, length, size, expected):
    """On no machine and with no version of NumPy. A change of these hashes changes every result in the lessons."""
    assert digest(Cells(split, seed=seed, length=length, size=size, instances=True)) == expected


def test_a_picture_depends_on_seed_split_and_index_alone():
    def images(split, **options):
        return {image.numpy().tobytes() for image, _ in Cells(split, size=(32, 40), **options)}

    torch.manual_seed(0)
    groups = [
        *(images(split, length=40) for split in ("train", "val", "test")),
        images("train", length=40, seed=1),
        images("train", length=40, seed=2**64 - 1),
    ]
    assert len(set.union(*groups)) == 5 * 40  # all differ: no two splits share a picture
    np.random.seed(7)
    torch.manual_seed(7)
    assert images("train", length=3) < groups[0]


def test_random_state_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    pictures(1)[0]
    assert torch.equal(torch.rand(4), expected)


def test_lengths_and_pickled_copies():
    assert [len(load_dataset("cells", split)) for split in ("train", "val", "test")] == [2000, 200, 200]
    assert len(pictures(7)) == 7 and list(pictures(0)) == []
    dataset = pictures(2, size=(32, 40), instances=True)
    assert digest(pickle.loads(pickle.dumps(dataset))) == digest(dataset)


# What a sample is


@pytest.mark.parametrize("size", [(96, 128), (33, 57), (32, 300), (300, 32), (32, 32)])
def test_shapes_and_ranges(size):
    for image, mask, ids in pictures(4, size=size, instances=True):
        assert (image.shape, image.dtype) == ((1, *size), torch.float32)
        assert (mask.shape, mask.dtype) == (size, torch.int64)
        assert (ids.shape, ids.dtype, type(ids)) == (size, torch.int64, torch.Tensor)
        assert 0 <= image.min() < image.max() <= 1
        assert torch.equal((image * 255).round() / 255, image)  # 8 bits
        assert set(mask.unique().tolist()) <= {0, 1}
        assert ids.unique().tolist() == list(range(int(ids.max()) + 1))  # numbered without gaps, with background


def test_instances_are_a_third_item_only_when_asked_for():
    plain, numbered = pictures(1), pictures(1, instances=True)
    assert len(plain[0]) == 2 and len(numbered[0]) == 3
    assert all(torch.equal(one, other) for one, other in zip(plain[0], numbered[0], strict=False))
    assert Cells.classes == ("background", "cell") and Cells("train").palette.shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"size": (31, 64)}, ValueError, r"size\[0\]: expected a whole number from 32 to 2048, got 31"),
        ({"size": 64}, TypeError, r"size: expected \(height, width\) in whole pixels, got 64"),
        ({"length": -1}, ValueError, "length: expected a whole number from 0 to 4294967296, got -1"),
        ({"seed": 2**64}, ValueError, "seed: expected"),
        ({"depth": True}, TypeError, "Unknown option of cells 'depth'.*Known: size, length, seed, instances"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        load_dataset("cells", "train", **options)


def test_transforms_move_the_instances_with_the_mask():
    mirrored = pictures(1, instances=True, transform=v2.RandomHorizontalFlip(p=1))[0]
    for one, other in zip(pictures(1, instances=True)[0], mirrored, strict=True):
        assert torch.equal(one.flip(-1), other)


@pytest.mark.parametrize("make", [train_transform, eval_transform])
def test_what_a_transform_adds_is_of_no_cell(make):
    kinds = []

    def transform(*sample):
        kinds.append([type(tensor) for tensor in sample])
        return make((160, 100))(*sample)

    for _, mask, ids in pictures(3, instances=True, transform=transform):
        assert ids.shape == mask.shape == (160, 100)
        assert (mask == 255).any() and (ids[mask == 255] == 0).all() and (ids[mask == 1] > 0).all()
    assert all(kind[2] is InstanceMap for kind in kinds)


# Cells


def test_there_are_ten_to_twenty_cells_and_nearly_all_of_them_touch():
    counts, touching = [], []
    for _, _, ids in pictures(60, instances=True):
        one, other = neighbours(ids.numpy())
        counts.append(int(ids.max()))
        touching.append(len(np.unique(one[(one > 0) & (other > 0)])) / counts[-1])
    assert min(counts) >= 10 and max(counts) <= 20
    assert np.mean(touching) > 0.8 and min(touching) > 0.3


def test_a_larger_picture_shows_more_cells_of_the_same_size():
    areas = {}
    for size, count in (((96, 128), 12), ((288, 256), 2)):
        ids = [ids.numpy() for _, _, ids in pictures(count, size=size, instances=True)]
        areas[size] = np.concatenate([np.bincount(one.ravel())[1:] for one in ids])
    small, large = areas.values()
    assert 0.6 < len(large) / len(small) < 1.6  # as many in as many pixels
    assert 0.7 < np.median(large) / np.median(small) < 1.4
    assert np.percentile(small, 90) > 2 * np.percentile(small, 10)  # of different sizes


def test_the_mask_is_the_cells_without_a_thin_line_between_them():
    for _, mask, ids in pictures(40, instances=True):
        mask, ids = mask.numpy(), ids.numpy()
        assert (ids[mask == 1] > 0).all()
        line = (ids > 0) & (mask == 0)
        assert np.array_equal(line, (ids > 0) & (ndimage.maximum_filter(ids, 3) > ids))
        pieces, count = ndimage.label(mask, EIGHT)
        assert count == ids.max()  # counting the pieces counts the cells …
        pairs = np.unique(np.stack([pieces, ids])[:, mask == 1], axis=1)
        assert sorted(pairs[1]) == list(range(1, count + 1))
        assert all(ndimage.label(ids == number, EIGHT)[1] == 1 for number in range(1, count + 1))
        assert ndimage.label(ids > 0, EIGHT)[1] < count  # … while the cells themselves run together


@settings(max_examples=150, deadline=None)
@given(arrays(np.intp, SHAPES, elements=st.integers(0, 3)), st.integers(1, 8))
def test_whatever_the_ids_what_is_kept_can_be_counted(coarse, zoom):
    before = coarse.repeat(zoom, 0).repeat(zoom, 1)
    ids, mask = keep_whole(before)
    assert ((ids == before) | (ids == 0)).all()
    pieces, count = ndimage.label(mask, EIGHT)
    kept = np.unique(ids[ids > 0])
    assert count == len(kept)
    assert (np.bincount(pieces.ravel())[1:] >= 24).all()
    for number in kept:
        assert len(np.unique(pieces[(ids == number) & mask])) == 1
        assert ndimage.label(ids == number, EIGHT)[1] == 1
    again, same = keep_whole(ids)
    assert np.array_equal(again, ids) and np.array_equal(same, mask)


def test_the_larger_piece_is_the_cell():
    ids = np.zeros((12, 20), dtype=np.intp)
    ids[1:7, 1:7], ids[1:11, 12:19], ids[9:11, 1:3] = 1, 1, 2
    kept, mask = keep_whole(ids)
    assert np.array_equal(kept, np.where(np.arange(20) > 10, ids, 0)) and np.array_equal(mask, kept > 0)


# Difficulty


def test_brightness_alone_does_not_tell_the_class():
    def pixels(split, count):
        image, mask = map(torch.stack, zip(*pictures(count, split), strict=True))
        return (image.flatten() * 255).long(), mask.flatten()

    grey, label = pixels("train", 40)
    table = torch.bincount(grey * 2 + label, minlength=512).view(256, 2)
    grey, label = pixels("val", 20)
    guess = table.argmax(1)[grey]
    hits = torch.bincount(label * 2 + guess, minlength=4).view(2, 2).double()
    mean_iu = (hits.diagonal() / (hits.sum(0) + hits.sum(1) - hits.diagonal())).mean()
    assert 0.3 < mean_iu < 0.7


def test_halos_are_bright_and_touching_lines_dark():
    """Both are there to be found: against what is beside them, on average over many pictures."""
    halo, line = [], []
    for image, mask, ids in pictures(30, instances=True):
        image, mask, ids = image[0].numpy(), mask.numpy(), ids.numpy()
        away = ndimage.distance_transform_edt(ids == 0)
        halo.append(image[(away > 0) & (away <= 2)].mean() - image[away > 8].mean())
        between = (ids > 0) & (mask == 0)
        depth = ndimage.distance_transform_edt(~between)
        line.append(image[between].mean() - image[(ids > 0) & (depth > 1) & (depth < 4)].mean())
    assert np.mean(halo) > 0.03 and np.mean(line) < -0.01


def test_light_is_uneven_and_pictures_are_noisy():
    corners, noise = [], []
    for image, _ in pictures(30):
        quarters = [half.quantile(0.8) for rows in image[0].split(48) for half in rows.split(64, dim=1)]
        corners.append(max(quarters) - min(quarters))
        second = image[0, :, 2:] - 2 * image[0, :, 1:-1] + image[0, :, :-2]
        noise.append(second.abs().median())
    assert np.mean(corners) > 0.04 and min(noise) > 0.005


def test_a_picture_is_drawn_from_its_own_stream():
    dataset = Cells("val", seed=5, length=3)
    drawn = dataset.draws(2)
    expected = Draws(5, stream=1 << 48 | 2)
    assert [drawn.below(1000) for _ in range(5)] == [expected.below(1000) for _ in range(5)]
