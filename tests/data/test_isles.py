"""ISLES 2018 as it unpacks: a folder per case, and in it one per volume."""

import nibabel
import numpy as np
import pytest
import torch

from course_utils.data import load_dataset
from course_utils.data.audit import audit
from course_utils.data.isles import CHANNELS

WIDTH, HEIGHT, DEPTH, TIMES = 6, 4, 3, 5
MAPS = ("CT_CBF", "CT_MTT", "CT_CBV", "CT_Tmax")
LARGEST = {"CT_CBF": 100, "CT_MTT": 20, "CT_CBV": 10, "CT_Tmax": 20, "CT_4DPWI": 100}


def volume(case, sequence):
    """Numbers a little below zero up to a little above the largest; the series in time has two more axes."""
    draw = np.random.default_rng([case, len(sequence), ord(sequence[-1])])
    shape = (WIDTH, HEIGHT, DEPTH)
    if sequence == "OT":
        return draw.integers(0, 2, shape).astype(np.uint8)
    shape += {"CT_4DPWI": (TIMES,) if case % 2 else (1, TIMES)}.get(sequence, ())
    return draw.uniform(-0.2, 1.2, shape).astype(np.float32) * LARGEST.get(sequence, 1)


def write(root, folder, case, sequence, values=None, kind=".nii"):
    prefix = "SMIR" if case % 2 else "VSD"
    name = f"{prefix}.Brain.XX.O.{sequence}.{345560 + case}"
    path = root / folder / f"case_{case}" / name / (name + kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = volume(case, sequence) if values is None else values
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    path.with_name(f"._{path.name}").write_text("macOS's notes")
    return path


@pytest.fixture
def root(tmp_path):
    for folder, cases in {"TRAINING": (2, 10, 76, 77, 94), "TESTING": (1,)}.items():
        for case in cases:
            for sequence in ("CT", "CT_4DPWI", *MAPS):
                write(tmp_path, folder, case, sequence, kind=".nii.gz" if case == 77 else ".nii")
            if folder == "TRAINING":
                write(tmp_path, folder, case, "OT")
    return tmp_path


def expected_image(case, z):
    maps = [volume(case, sequence)[:, :, z] / LARGEST[sequence] for sequence in MAPS]
    series = volume(case, "CT_4DPWI")[:, :, z].reshape(WIDTH, HEIGHT, TIMES)
    maps.append((series.max(-1) - series[..., 0]) / 100)
    return np.clip(np.stack([values.T for values in maps]), 0, 1)


def test_channels_are_in_their_order():
    assert list(CHANNELS) == ["CBF", "MTT", "CBV", "TMAX", "CTP"]


@pytest.mark.parametrize(("split", "cases"), [("train", (2, 10, 76)), ("val", (77, 94))])
def test_slices_and_masks_belong_together(root, split, cases):
    dataset = load_dataset("isles", split, root=root)
    assert dataset.labelled and dataset.count == len(cases) and len(dataset) == len(cases) * DEPTH
    for i, (image, mask) in enumerate(dataset):
        case, z = cases[i // DEPTH], i % DEPTH
        assert image.shape == (5, HEIGHT, WIDTH) and image.is_contiguous() and mask.is_contiguous()
        assert torch.allclose(image, torch.from_numpy(expected_image(case, z)), atol=1e-6)
        assert np.array_equal(mask.numpy(), volume(case, "OT")[:, :, z].T)


def test_scaled_integers_are_read_as_what_they_mean(root):
    """NIfTI files may hold whole numbers, a slope and an intercept."""
    path = next((root / "TRAINING" / "case_2").glob("*CT_CBF*/[!.]*"))
    scaled = nibabel.Nifti1Image(np.full((WIDTH, HEIGHT, DEPTH), 30, np.int16), np.eye(4))
    scaled.header.set_slope_inter(0.5, 10)
    nibabel.save(scaled, path)
    stored = nibabel.load(path)
    meant = float(stored.dataobj[0, 0, 0])
    image, _ = load_dataset("isles", "train", root=root)[0]
    assert torch.allclose(image[0], torch.tensor(meant / 100))


def test_test_cases_have_void_masks(root):
    dataset = load_dataset("isles", "test", root=root)
    assert not dataset.labelled and dataset.count == 1 and len(dataset) == DEPTH
    for image, mask in dataset:
        assert image.shape == (5, HEIGHT, WIDTH) and mask.shape == (HEIGHT, WIDTH) and (mask == 255).all()


def test_the_root_may_be_one_folder_out(root, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    root.rename(outer / "ISLES2018_Training")
    assert load_dataset("isles", "val", root=outer).count == 2


@pytest.mark.parametrize("sequence", ["CT_Tmax", "CT_4DPWI", "OT"])
def test_volume_that_is_missing(root, sequence):
    next((root / "TRAINING" / "case_10").glob(f"*.{sequence}.*/[!.]*")).unlink()
    with pytest.raises(
        ValueError, match=rf"case_10: expected one volume \*\.XX\.O\.{sequence}\.\*/\*\.nii, found none"
    ):
        load_dataset("isles", "train", root=root)


def test_every_case_that_lacks_a_volume_is_told(root):
    for case, sequence in ((2, "CT_CBV"), (76, "OT"), (10, "CT_MTT")):
        next((root / "TRAINING" / f"case_{case}").glob(f"*.{sequence}.*/[!.]*")).unlink()
    with pytest.raises(ValueError) as raised:
        load_dataset("isles", "train", root=root)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0].rpartition("case_")[2] for line in lines] == ["2", "10", "76"]
    problems = audit("isles", root, progress=False)[0].problems
    assert problems == lines


def test_volume_that_is_there_twice(root):
    path = next((root / "TRAINING" / "case_10").glob("*.CT_MTT.*/[!.]*"))
    path.with_name("copy.nii").write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"case_10: expected one volume .*CT_MTT.*found \['SMIR|VSD.*'copy\.nii'\]"):
        load_dataset("isles", "train", root=root)


@pytest.mark.parametrize("sequence", ["CT_Tmax", "CT_4DPWI"])
def test_volume_of_another_size(root, sequence):
    shape = (WIDTH, HEIGHT + 1, DEPTH) + ((TIMES,) if sequence == "CT_4DPWI" else ())
    write(root, "TRAINING", 2, sequence, np.zeros(shape, np.float32))
    with pytest.raises(
        ValueError, match=rf"{sequence}.*\.nii: its slices have \(6, 5\) pixels, those of .*CT_CBF.* \(6, 4\)"
    ):
        load_dataset("isles", "train", root=root)[0]


def test_lesion_of_another_size(root):
    write(root, "TRAINING", 2, "OT", np.zeros((WIDTH, HEIGHT + 1, DEPTH), np.uint8))
    with pytest.raises(ValueError, match=r"^slice 0 of .*case_2: mask: its size 5 x 6 is not that of the image, 4 x 6"):
        load_dataset("isles", "train", root=root)[0]


def test_lesion_with_other_labels(root):
    path = write(root, "TRAINING", 2, "OT", np.full((WIDTH, HEIGHT, DEPTH), 2, np.uint8))
    with pytest.raises(ValueError) as raised:
        load_dataset("isles", "train", root=root)[1]
    assert str(raised.value).startswith(f"{path}: expected 0 and 1 in slice 1, got [2.0].")


def test_not_a_number(root):
    values = volume(2, "CT_CBV")
    values[1, 2, 1] = np.nan
    write(root, "TRAINING", 2, "CT_CBV", values)
    dataset = load_dataset("isles", "train", root=root)
    assert dataset[0][0].isfinite().all()
    with pytest.raises(ValueError, match=r"^slice 1 of .*case_2: image: .* got 1 values that are NaN or infinite"):
        dataset[1]


def test_flat_image(root):
    write(root, "TRAINING", 2, "CT_CBF", np.zeros((WIDTH, HEIGHT), np.float32))
    with pytest.raises(ValueError, match=r"CT_CBF.*\.nii: expected a volume \(X, Y, Z\), got the shape \(6, 4\)"):
        load_dataset("isles", "train", root=root)


@pytest.mark.parametrize("case", [76, 77])
def test_damaged_volume(root, case):
    path = next((root / "TRAINING" / f"case_{case}").glob("*.CT_MTT.*/[!.]*"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 40])
    with pytest.raises(ValueError, match=r"CT_MTT.* is damaged or no NIfTI file .* Unpack the download again"):
        list(load_dataset("isles", "train" if case == 76 else "val", root=root))
    path.write_bytes(b"not a volume")
    with pytest.raises(ValueError, match=r"CT_MTT.* is damaged or no NIfTI file"):
        list(load_dataset("isles", "train" if case == 76 else "val", root=root))


def test_no_cases(root):
    for case in (77, 94):
        (root / "TRAINING" / f"case_{case}").rename(root / "TRAINING" / f"patient_{case}")
    with pytest.raises(ValueError, match="isles: the split 'val' is empty"):
        load_dataset("isles", "val", root=root)
