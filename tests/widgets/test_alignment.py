"""The kernel's side of the alignment explorer."""

from __future__ import annotations

import base64
import json
import re

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError

from course_utils.alignment import Layer, crops, network, with_padding
from course_utils.widgets import AlignmentExplorer
from course_utils.widgets.alignment import PRESETS

OWN = [Layer("conv", "conv", 3, 2), Layer("up", "deconv", 4, 2), Layer("sum", "join", source="image")]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_crops(name):
    explorer = AlignmentExplorer(name, size=572)
    assert explorer.crops == crops(explorer.layers, 572)
    assert explorer.layers == PRESETS[name]
    assert (explorer.network, explorer.problem) == (name, "")


def test_another_network_brings_its_layers():
    explorer = AlignmentExplorer("fcn8s")
    explorer.network = "fcn_alexnet"
    assert explorer.crops == {"image": 18}
    explorer.layers = OWN
    assert (explorer.network, explorer.crops) == ("own", {"image": None})
    assert explorer.rows[-1].miss == pytest.approx(0.5)
    explorer.network = "fcn_alexnet"
    assert explorer.layers == network("fcn_alexnet")


def test_a_network_of_ones_own():
    explorer = AlignmentExplorer([*OWN[:1], Layer("up", "deconv", 3, 2), OWN[2]], size=20)
    assert (explorer.network, explorer.crops, explorer.smallest) == ("own", {"image": 0}, 3)
    explorer.pixel = 10
    assert explorer.units == {"conv": range(4, 6), "up": range(10, 11), "sum": range(10, 11)}


def test_layers_that_do_not_fit_are_told_and_do_not_break_it():
    explorer = AlignmentExplorer("fcn8s", size=64)
    explorer.layers = with_padding(explorer.layers, 1)
    assert explorer.problem.startswith("layer 'fc6': a window of 7 units does not fit in a map of 2")
    assert explorer.problem in explorer.describe()
    assert explorer.smallest == 193, "seven units at stride 32, rounded up"
    explorer.size = 193
    assert explorer.problem == ""
    assert "image/png" in InteractiveShell.instance().display_formatter.format(AlignmentExplorer("unet", size=8))[0]


def test_a_layer_broken_in_the_browser_is_told():
    explorer = AlignmentExplorer(OWN)
    explorer._layers = [*explorer._layers[:1], explorer._layers[1] | {"output_padding": 2}]
    assert explorer.problem.startswith("layer 'up': output_padding is 2; expected less than")


def test_the_pixel_stays_in_the_image_and_the_layer_in_the_network():
    explorer = AlignmentExplorer("fcn8s")
    explorer.pixel, explorer.layer = 400, "pool3"
    explorer.size = 100
    assert explorer.pixel == 99
    explorer.network = "fcn_googlenet"
    assert explorer.layer == "pool3"
    explorer.network = "fcn_alexnet"
    assert explorer.layer == "image"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("network", "fcn8", "network is 'fcn8'; expected one of 'fcn32s'"),
        ("view", "all", "view is 'all'; expected one of 'start', 'whole', 'pixel'"),
        ("layer", "pool9", "layer is 'pool9'; expected one of 'image', 'conv1_1'"),
        ("size", 0, "size is 0; expected 1 to 1000 pixels"),
        ("size", 1001, "size is 1001"),
        ("pixel", 500, "pixel is 500; expected 0 to 499"),
        ("pixel", -1, "pixel is -1"),
    ],
)
def test_a_bad_state_is_refused(name, value, message):
    explorer = AlignmentExplorer()
    before = explorer.describe(), explorer.pixel, explorer.layer
    with pytest.raises(TraitError, match=message):
        setattr(explorer, name, value)
    assert (explorer.describe(), explorer.pixel, explorer.layer) == before


def test_an_unknown_network_is_refused_at_once():
    with pytest.raises(TraitError, match="network is 'vgg'"):
        AlignmentExplorer("vgg")


@pytest.mark.parametrize("name", ["fcn8s", "fcn_alexnet", "unet"])
def test_a_notebook_gets_a_small_picture_and_a_sentence(name):
    explorer = AlignmentExplorer(name)
    data, metadata = InteractiveShell.instance().display_formatter.format(explorer)
    assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.describe()
    assert all(f"{source} {crop}" in data["text/plain"] for source, crop in explorer.crops.items())
    assert len(base64.b64decode(data["image/png"])) < 150_000


def test_everything_for_the_browser_is_json_text():
    state = AlignmentExplorer().get_state()
    json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
    assert state["_esm"].count("export default") == 1
    assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])
