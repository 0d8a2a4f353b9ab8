"""ISLES 2018: strokes in CT perfusion maps, five channels."""

import re
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np
import torch

from course_utils.data.file_dataset import FileDataset, visible

_FOLDERS = {"train": "TRAINING", "val": "TRAINING", "test": "TESTING"}
_CASES = {"train": range(1, 77), "val": range(77, 95), "test": range(1, 10**6)}


class Channel(NamedTuple):
    """A channel: the part of the file's name that tells it, and the largest value, which becomes 1."""

    sequence: str
    largest: float


CHANNELS = {
    "CBF": Channel("CT_CBF", 100.0),  # cerebral blood flow, ml / 100 g / min
    "MTT": Channel("CT_MTT", 20.0),  # mean transit time, s
    "CBV": Channel("CT_CBV", 10.0),  # cerebral blood volume, ml / 100 g
    "TMAX": Channel("CT_Tmax", 20.0),  # time to the maximum of the residue function, s
    "CTP": Channel("CT_4DPWI", 100.0),  # how much contrast agent brightens the pixel at most, HU
}


class Slice(NamedTuple):
    """Slice z of a case: the volumes of the five channels and of the lesion (None where it is not public)."""

    case: int
    volumes: tuple[Path, ...]
    lesion: Path | None
    z: int


class Isles(FileDataset):
    """The slices of ISLES 2018: images (5, 256, 256) with the channels CBF, MTT, CBV, TMAX, CTP; lesion 1, else 0.

    Read are the files TRAINING/case_N/*.XX.O.SEQUENCE.NUMBER/*.nii (or .nii.gz; test: TESTING), where * is SMIR.Brain
    or VSD.Brain and SEQUENCE is CT_CBF, CT_MTT, CT_CBV, CT_Tmax, CT_4DPWI, and OT for the lesion. Each case has one
    folder of each. Other sequences (CT) are not read. root: the folder with TRAINING and TESTING (or one that has them
    one folder deeper); by default datasets/isles in the cache.

    A sample is one slice: of a volume (X, Y, Z) the pixel in row y, column x of image z is [x, y, z]. CT_4DPWI has
    a time axis too (X, Y, Z, T) or (X, Y, Z, 1, T); the channel CTP is its maximum over time minus its first time
    point. All channels are scaled by fixed numbers, so that equal values mean the same in all patients: 0 becomes 0,
    and 100 ml/100 g/min (CBF), 20 s (MTT), 10 ml/100 g (CBV), 20 s (TMAX), 100 HU (CTP) become 1; what lies outside is
    set to 0 or 1.

    The challenge has no validation split. The one made here is by case: train is case_1 to case_76, val case_77 to
    case_94. Some patients have two cases; blocks of numbers keep them together better than single cases would.

    The labels of test are not public: its masks are void.

    Cereda et al., A benchmarking tool to evaluate computer tomography perfusion infarct core predictions against a DWI
    standard, JCBFM 2016; Hakim et al., Predicting Infarct Core From Computed Tomography Perfusion in Acute Ischemia
    With Machine Learning: Lessons From the ISLES Challenge, Stroke 2021.
    """

    name = "isles"
    classes = ("background", "lesion")
    colours = ((40, 40, 40), (213, 94, 0))
    channels = len(CHANNELS)

    def find(self) -> list[Slice]:
        folder = self.root / _FOLDERS[self.split]
        numbers = {
            int(match[1]): path for path in folder.iterdir() if (match := re.fullmatch(r"case_(\d+)", path.name))
        }
        slices, problems = [], []
        for number in sorted(numbers.keys() & _CASES[self.split]):
            try:
                volumes = tuple(_volume(numbers[number], channel.sequence) for channel in CHANNELS.values())
                lesion = _volume(numbers[number], "OT") if self.labelled else None
                slices += [Slice(number, volumes, lesion, z) for z in range(_depth(volumes[0]))]
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("\n".join(problems))
        return slices

    @property
    def count(self) -> int:
        """The number of cases."""
        return len({sample.case for sample in self.samples})

    def source(self, index: int) -> str:
        sample = self.samples[index]
        return f"slice {sample.z} of {sample.volumes[0].parent.parent}"

    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        _, volumes, lesion, z = self.samples[index]
        maps = [_read_slice(path, z) for path in volumes]
        size = maps[0].shape
        image = np.empty((len(maps), size[1], size[0]), dtype=np.float32)
        for channel, path, values, pixels in zip(CHANNELS.values(), volumes, maps, image, strict=True):
            if values.shape != size:
                raise ValueError(
                    f"{path}: its slices have {values.shape} pixels, those of {volumes[0].name} have {size}. Use the "
                    "volumes of one case as they were downloaded."
                )
            np.clip(values.T / channel.largest, 0, 1, out=pixels)
        image = torch.from_numpy(image)
        if lesion is None:
            return image, self.void(image)
        labels = _read_slice(lesion, z)
        if not np.isin(labels, (0, 1)).all():
            raise ValueError(
                f"{lesion}: expected 0 and 1 in slice {z}, got {np.unique(labels)[:8].tolist()}. Use the official mask."
            )
        return image, torch.from_numpy(labels.T.astype(np.int64, order="C"))


def _volume(case: Path, sequence: str) -> Path:
    found = visible(path for kind in (".nii", ".nii.gz") for path in sorted(case.glob(f"*.XX.O.{sequence}.*/*{kind}")))
    if len(found) != 1:
        raise ValueError(
            f"{case}: expected one volume *.XX.O.{sequence}.*/*.nii, found {[path.name for path in found] or 'none'}. "
            "Unpack the download again."
        )
    return found[0]


def _depth(path: Path) -> int:
    return _load(path).shape[2]


def _read_slice(path: Path, z: int) -> np.ndarray:
    """Slice z of a volume, float32 (X, Y); of a series in time, its maximum over time minus its first time point."""
    volume = _load(path)
    try:
        values = np.asarray(volume.dataobj[:, :, z], dtype=np.float32)
    except Exception as error:  # nibabel raises many kinds for damaged files
        raise _damaged(path, error) from error
    if values.ndim == 2:
        return values
    series = values.reshape(*values.shape[:2], -1)
    return series.max(axis=-1) - series[..., 0]


def _load(path: Path) -> nibabel.spatialimages.SpatialImage:
    try:
        volume = nibabel.load(path)
    except Exception as error:
        raise _damaged(path, error) from error
    if volume.ndim < 3:
        raise ValueError(f"{path}: expected a volume (X, Y, Z), got the shape {volume.shape}. Use the official file.")
    return volume


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path} is damaged or no NIfTI file ({error}). Unpack the download again.")
