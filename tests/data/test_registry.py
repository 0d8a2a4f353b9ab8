"""Data sets by name."""

import subprocess
import sys

import pytest

from course_utils.data import list_datasets, load_dataset
from course_utils.data.registry import _DATASETS
from course_utils.data.street_scenes import StreetScenes


def test_every_name_in_the_list_loads():
    assert list_datasets() == sorted(_DATASETS) and "street_scenes" in list_datasets()
    for name in list_datasets():
        for split in ("train", "val", "test"):
            dataset = load_dataset(name, split)
            assert dataset.split == split and len(dataset) > 0
            assert len(dataset.classes) == len(dataset.palette) and dataset.ignore_index == 255


def test_options_reach_the_data_set():
    dataset = load_dataset("street_scenes", "val", size=(40, 56), length=3, seed=5)
    assert isinstance(dataset, StreetScenes)
    assert (dataset.size, len(dataset), dataset.seed) == ((40, 56), 3, 5)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("street_scene", "train"), {}, ValueError, "data set 'street_scene'. Did you mean 'street_scenes'? Known: "),
        (("xyz", "train"), {}, ValueError, "Unknown data set 'xyz'. Known: street_scenes"),
        (("street_scenes", "trian"), {}, ValueError, "'trian'. Did you mean 'train'? Known: train, val, test."),
        (("street_scenes", None), {}, ValueError, "Unknown split of street_scenes None. Known: train, val, test."),
        (("street_scenes", "val"), {"sise": 1}, TypeError, "'sise'. Did you mean 'size'? Known: size, length, seed"),
        (("street_scenes", "val"), {"self": 1}, TypeError, "Unknown option of street_scenes 'self'"),
    ],
)  # fmt: skip
def test_unknown_names_are_named_with_the_known_ones(arguments, options, error, message):
    with pytest.raises(error) as raised:
        load_dataset(*arguments, **options)
    assert message in str(raised.value)


def test_names_are_known_without_torch():
    """Listing must be quick: a data set's own module is imported when it is loaded."""
    code = "import sys; from course_utils.data import list_datasets; list_datasets(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
