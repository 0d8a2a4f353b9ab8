"""The trained networks that come with the course: each file is what the table says, small, and has a recipe."""

from __future__ import annotations

import json

import pytest
import torch

from course_utils.models import build_model, trained
from course_utils.models.trained import FOLDER, list_trained, load_trained, save_trained, trained_facts
from tools.train_weights import LARGEST, names, recipe


def test_every_file_has_a_row_and_a_recipe():
    assert sorted(path.stem for path in FOLDER.glob("*.safetensors")) == list_trained() == names()


@pytest.mark.parametrize("name", list_trained())
def test_a_trained_network_is_small_and_the_one_of_its_recipe(name):
    model, facts, made = load_trained(name), trained_facts(name), recipe(name)
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= LARGEST
    assert not any(module.training for module in model.modules())
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert (made.model, made.num_classes, made.in_channels) == (
        facts["model"], facts["num_classes"], facts["in_channels"],
    )  # fmt: skip
    assert (made.options, made.about) == (facts["options"], facts["about"])
    assert facts["scores"]


@pytest.fixture
def one(tmp_path, monkeypatch):
    """A folder with one trained network, `tiny`."""
    monkeypatch.setattr(trained, "FOLDER", tmp_path)
    model = build_model("small_fcn", 3, 2, width=4)
    save_trained(model, tmp_path / "tiny.safetensors")
    row = {
        "model": "small_fcn", "num_classes": 3, "in_channels": 2, "options": {"width": 4}, "about": "", "scores": {},
        "sha256": trained.file_sha256(tmp_path / "tiny.safetensors"),
    }  # fmt: skip
    (tmp_path / "weights.json").write_text(json.dumps({"tiny": row}))
    return model


def test_weights_come_back_in_32_bits_rounded_to_16(one):
    loaded = load_trained("tiny")
    for name, tensor in one.state_dict().items():
        back = loaded.state_dict()[name]
        assert back.dtype == tensor.dtype
        assert torch.equal(back, tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor)
    assert not loaded.training and loaded(torch.rand(1, 2, 17, 23)).shape == (1, 3, 17, 23)


def test_another_file_is_refused(one, tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="tiny.safetensors has the sha256 .*train_weights tiny"):
        load_trained("tiny")


def test_unknown_name(one):
    with pytest.raises(ValueError, match="Unknown trained network 'tinny'. Did you mean 'tiny'"):
        load_trained("tinny")
