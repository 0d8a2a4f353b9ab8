"""The kernel's side of the receptive field explorer."""

from __future__ import annotations

import base64
import math
import threading

import numpy as np
import pytest
import torch
from torch import nn
from traitlets import TraitError

from course_utils.receptive_field import effective_area, effective_receptive_field, receptive_field
from course_utils.widgets import ReceptiveFieldExplorer
from course_utils.widgets.activations import mean_activations
from course_utils.widgets.gradient_field import clip_box, summarize


def ask(explorer, *unit) -> dict:
    """What a browser does to get a gradient field."""
    explorer.set_state({"_request": list(unit)})
    return explorer._field


def test_it_starts_in_the_middle_of_the_first_layer(fields):
    assert (fields.network, fields.layer) == ("padded", "0")
    assert (fields.row, fields.col) == (16, 24)


@pytest.mark.parametrize(("network", "layer"), [("padded", "0"), ("padded", "3"), ("dense", "0")])
def test_the_browser_gets_the_box_of_every_unit(fields, networks, network, layer):
    field = receptive_field(networks[network], layer, (64, 96))
    sent = next(sent for sent in fields._layers[network] if sent["name"] == layer)
    assert (sent["rows"], sent["cols"]) == field.output_size
    for row in range(sent["rows"]):
        for col in range(sent["cols"]):
            box = sent["tops"][row], sent["lefts"][col], sent["bottoms"][row], sent["rights"][col]
            assert box == field.box(row, col)
    assert [tuple(sent[name]) for name in ("size", "stride", "start", "center")] == [
        field.size, field.stride, field.start, field.center,
    ]  # fmt: skip


def test_infinite_fields_are_sent_as_null(fields):
    sent = fields._layers["dense"][1]
    assert (sent["rows"], sent["cols"]) == (1, 1)
    assert sent["tops"] == sent["rights"] == [None] and sent["size"] == [None, None]


def test_activations_are_the_mean_over_the_channels(fields, networks, image):
    with torch.no_grad():
        expected = networks["padded"].eval()[:1](image[None])[0].mean(0)
    sent = fields._layers["padded"][0]
    shades = np.frombuffer(base64.b64decode(sent["activation"]), np.uint8).reshape(sent["rows"], sent["cols"])
    values = sent["low"] + shades / 255 * (sent["high"] - sent["low"])
    # The image reaches the network in 8 bits.
    assert np.abs(values - expected.numpy()).max() < 0.51 / 255 * (sent["high"] - sent["low"]) + 0.01


@pytest.mark.parametrize("unit", [("padded", "3", 0, 0), ("padded", "3", 20, 47), ("dense", "1", 0, 0)])
def test_the_answer_is_the_gradient_inside_the_box(fields, networks, unit):
    network, layer, row, col = unit
    answer = ask(fields, *unit)
    top, left, bottom, right = answer["box"]
    assert (top, left, bottom, right) == clip_box(
        receptive_field(networks[network], layer, (64, 96)).box(row, col), 64, 96
    )
    pixels = torch.tensor(fields.image).permute(2, 0, 1) / 255
    gradient = effective_receptive_field(networks[network], layer, pixels, (row, col))
    assert answer["share"] == effective_area(gradient) / ((bottom - top) * (right - left))
    shades = np.frombuffer(base64.b64decode(answer["data"]), np.uint8).reshape(answer["rows"], answer["cols"])
    expected = (gradient / gradient.max()).sqrt()[top:bottom, left:right].numpy()
    assert np.abs(shades / 255 - expected).max() < 0.51 / 255
    assert answer["request"] == list(unit)


def test_the_same_question_is_computed_once(fields):
    first = ask(fields, "padded", "3", 5, 7)
    ask(fields, "padded", "3", 5, 8)
    assert ask(fields, "padded", "3", 5, 7) == first
    assert (fields.gradient.cache_info().misses, fields.gradient.cache_info().hits) == (2, 1)


def test_an_error_is_told_and_raised(fields):
    with pytest.raises(IndexError, match="lies outside"):
        ask(fields, "padded", "3", 99, 0)
    assert fields._field["error"].startswith("IndexError: ")
    assert fields._field["request"] == ["padded", "3", 99, 0]


def test_a_network_in_training_is_left_alone(fields, networks):
    """Requests come in another thread while a cell trains the network: no hook, no change of mode, same weights."""
    network = networks["padded"].train()
    statistics = network[1].running_mean.clone()
    during = []
    fields.networks["padded"][3].register_forward_hook(
        lambda *_: during.append((network.training, len(network[3]._forward_hooks), threading.current_thread()))
    )
    ask(fields, "padded", "3", 1, 2)
    assert during[0][:2] == (True, 0)
    assert torch.equal(network[1].running_mean, statistics)
    assert all(a is b for a, b in zip(network.parameters(), fields.networks["padded"].parameters(), strict=True))


def test_the_unit_stays_in_its_place_when_the_layer_changes(fields):
    fields.row, fields.col = 31, 0
    fields.network = "dense"
    assert fields.layer == "0"
    assert (fields.row, fields.col) == (fields.field.output_size[0] - 1, 0)
    fields.layer = "1"
    assert (fields.row, fields.col) == (0, 0)
    fields.network, fields.layer = "padded", "0"
    assert (fields.row, fields.col) == (31, 0)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 14, 55, 111, 500])
def test_every_row_can_be_chosen(count):
    explorer = ReceptiveFieldExplorer(torch.rand(3, count, 1), {"net": nn.Conv2d(3, 1, 1)}, {"net": [""]})
    for row in range(count):
        explorer.row = row
        assert explorer.row == row


def test_prepare_is_what_the_network_sees(image, networks):
    seen = []

    def prepare(name, pixels):
        seen.append((name, pixels.shape, pixels.min() >= 0, pixels.max() <= 1))
        return pixels * 0

    explorer = ReceptiveFieldExplorer(image, networks, {"padded": ["2"], "dense": ["0"]}, prepare=prepare)
    assert seen == [("padded", (3, 64, 96), True, True), ("dense", (3, 64, 96), True, True)]
    bias = explorer._layers["dense"][0]
    assert bias["low"] == pytest.approx(networks["dense"][0].bias.mean().item())


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("row", 32, IndexError, "row is 32; expected 0 to 31"),
        ("col", -1, IndexError, "col is -1; expected 0 to 47"),
        ("network", "vgg", TraitError, "network is 'vgg'; expected one of 'padded', 'dense'"),
        ("layer", "2", TraitError, "layer is '2'; expected one of '0', '3'"),
    ],
)
def test_a_bad_state_is_refused(fields, name, value, error, message):
    before = fields.describe()
    with pytest.raises(error, match=message):
        setattr(fields, name, value)
    assert fields.describe() == before


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"padded": ["0"]}, r"networks has \['dense', 'padded'\], layers has \['padded'\]"),
        ({"padded": ["7"], "dense": ["0"]}, r"layers\['padded'\] has '7', which padded has not; did you mean 0, 1"),
        ({"padded": [], "dense": ["0"]}, r"layers\['padded'\] is \[\]; expected a list of names"),
        ({"padded": "0", "dense": ["0"]}, r"layers\['padded'\] is '0'; expected a list of names"),
        ({"padded": ["0"], "dense": ["3"]}, r"layer '3' gives \(1, 2\); expected a map"),
    ],
)
def test_bad_layers_get_an_error_that_says_what_to_do(image, networks, layers, message):
    with pytest.raises(ValueError, match=message):
        ReceptiveFieldExplorer(image, networks, layers)


def test_no_networks_is_an_error(image):
    with pytest.raises(ValueError, match="networks is empty"):
        ReceptiveFieldExplorer(image, {}, {})


def test_weights_that_are_nan_are_told(image, networks):
    nn.init.constant_(networks["dense"][0].weight, math.nan)
    with pytest.raises(ValueError, match="layer '0' gives NaN"):
        ReceptiveFieldExplorer(image, networks, {"padded": ["0"], "dense": ["0"]})


def test_mean_activations_leaves_no_hooks_even_when_it_fails(networks):
    mean_activations(networks["dense"], ["0"], torch.rand(3, 64, 96))
    assert not any(module._forward_hooks for module in networks["dense"].modules())
    with pytest.raises(ValueError, match="layer '3'"):
        mean_activations(networks["dense"], ["0", "3"], torch.rand(3, 64, 96))
    assert not any(module._forward_hooks for module in networks["dense"].modules())


def test_a_layer_that_does_not_run_is_told():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="layer 'unused' did not run"):
        mean_activations(Lazy(), ["unused"], torch.rand(3, 4, 4))


class TestSummary:
    def test_large_fields_are_averaged_over_patches(self):
        gradient = torch.rand(320, 640)
        field = summarize(gradient, (-math.inf, -math.inf, math.inf, math.inf))
        assert field.box == (0, 0, 320, 640) and field.strength.shape == (80, 160)
        means = gradient.unflatten(0, (80, 4)).unflatten(2, (160, 4)).mean((1, 3))
        torch.testing.assert_close(field.strength, means / means.max())

    def test_a_unit_that_is_switched_off(self):
        field = summarize(torch.zeros(20, 30), (5, 5, 10, 10))
        assert field.share == 0 and field.strength.shape == (5, 5) and not field.strength.any()

    @pytest.mark.parametrize("box", [(-9, -9, 0, 3), (50, 0, 60, 10), (0, -5, 10, -2)])
    def test_a_unit_that_sees_padding_only(self, box):
        field = summarize(torch.rand(20, 30), box)
        assert field.share == 0 and field.strength.numel() == 0
        assert field.to_browser()["data"] == ""
