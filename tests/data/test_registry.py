"""Data sets by name."""

import subprocess
import sys
from importlib import import_module

import pytest

from course_utils.data import list_datasets, load_dataset
from course_utils.data.catalogue import CATALOGUE
from course_utils.data.registry import _DATASETS
from course_utils.data.street_scenes import StreetScenes

GENERATED = ("cells", "street_scenes")


@pytest.mark.parametrize("name", GENERATED)
def test_generated_sets_load_without_files(name):
    for split in ("train", "val", "test"):
        dataset = load_dataset(name, split)
        assert dataset.split == split and len(dataset) > 0
        assert len(dataset.classes) == len(dataset.palette) and dataset.ignore_index == 255 and dataset.labelled


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_sets_without_their_files_say_how_to_get_them(name, split, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as raised:
        load_dataset(name, split, root=tmp_path)
    message = str(raised.value)
    assert message.startswith(f"{name}: nothing of the split '{split}' in {tmp_path}: expected ")
    assert CATALOGUE[name].page in message and CATALOGUE[name].layout in message and CATALOGUE[name].licence in message
    assert f"`course data check {name} --root {tmp_path}`" in message
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError) as raised:
        load_dataset(name, split)
    assert f" in {tmp_path / 'cache' / 'datasets' / name}: " in str(raised.value)


def test_the_catalogue_and_the_classes_agree():
    assert list_datasets() == sorted(_DATASETS) == sorted([*CATALOGUE, *GENERATED])
    for name, description in CATALOGUE.items():
        module, class_name = _DATASETS[name]
        kind = getattr(import_module(module), class_name)
        assert kind.name == name and len(kind.classes) == len(kind.colours) == description.num_classes
        assert len(set(kind.classes)) == len(set(kind.colours)) == description.num_classes
        assert kind.splits == tuple(description.needs) == tuple(description.counts) == ("train", "val", "test")
        assert set(description.unlabelled) <= set(kind.splits) and kind.ignore_index == 255


def test_options_reach_the_data_set():
    dataset = load_dataset("street_scenes", "val", size=(40, 56), length=3, seed=5)
    assert isinstance(dataset, StreetScenes)
    assert (dataset.size, len(dataset), dataset.seed) == ((40, 56), 3, 5)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("street_scene", "train"), {}, ValueError, "data set 'street_scene'. Did you mean 'street_scenes'? Known: "),
        (("xyz", "train"), {}, ValueError, "Unknown data set 'xyz'. Known: camvid, "),
        (("street_scenes", "trian"), {}, ValueError, "'trian'. Did you mean 'train'? Known: train, val, test."),
        (("street_scenes", None), {}, ValueError, "Unknown split of street_scenes None. Known: train, val, test."),
        (("street_scenes", "val"), {"sise": 1}, TypeError, "'sise'. Did you mean 'size'? Known: size, length, seed"),
        (("street_scenes", "val"), {"root": "."}, TypeError, "Unknown option of street_scenes 'root'"),
        (("camvid", "val"), {"rot": "."}, TypeError, "'rot'. Did you mean 'root'? Known: root, transform"),
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
