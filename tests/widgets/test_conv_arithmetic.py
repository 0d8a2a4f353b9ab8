"""The kernel's side of the conv arithmetic explorer: sizes, connections and refusals are PyTorch's own."""

from __future__ import annotations

import base64
import json
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from torch import Tensor
from traitlets import TraitError

from course_utils.widgets import ConvArithmeticExplorer
from course_utils.widgets.conv_arithmetic import LIMITS
from course_utils.widgets.conv_settings import ConvSettings


def settings_within(most: dict[str, int]) -> st.SearchStrategy[ConvSettings]:
    numbers = {name: st.integers(least, min(top, most.get(name, top))) for name, (least, top) in LIMITS.items()}
    return st.builds(ConvSettings, **numbers, transposed=st.booleans())


def torch_layer(layer: ConvSettings, x: Tensor, kernel: Tensor) -> Tensor:
    """The layer along the last axis of x (1, 1, n)."""
    sizes = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    if layer.transposed:
        return F.conv_transpose1d(x, kernel, output_padding=layer.output_padding, **sizes)
    return F.conv1d(x, kernel, **sizes)


def runs_in_torch(layer: ConvSettings) -> bool:
    try:
        return torch_layer(layer, torch.ones(1, 1, layer.size), torch.ones(1, 1, layer.kernel)).numel() > 0
    except RuntimeError:
        return False


@settings(max_examples=300)
@given(settings_within({}))
def test_sizes_and_refusals_are_those_of_torch(layer):
    if layer.output_padding and not layer.transposed:
        layer = ConvSettings(**{**vars(layer), "output_padding": 0})
    if layer.problem:
        assert layer.output_size is None
        assert not runs_in_torch(layer)
    else:
        out = torch_layer(layer, torch.ones(1, 1, layer.size), torch.ones(1, 1, layer.kernel))
        assert layer.output_size == out.shape[-1]


def connections(layer: ConvSettings) -> set[tuple[int, int, int]]:
    """(output, input, tap) of every product: the second derivative of an output by its input and its weight."""
    found = set()
    for tap in range(layer.kernel):
        kernel = torch.zeros(1, 1, layer.kernel)
        kernel[..., tap] = 1
        matrix = torch.autograd.functional.jacobian(
            lambda x, kernel=kernel: torch_layer(layer, x, kernel)[0, 0], torch.zeros(1, 1, layer.size)
        )
        found |= {(out, unit, tap) for out, unit in matrix[:, 0, 0].nonzero().tolist()}
    return found


@settings(max_examples=100, deadline=None)
@given(settings_within({"size": 6, "kernel": 4, "padding": 5}))
def test_connections_are_those_of_the_gradient_from_both_sides(layer):
    assume(not layer.problem)
    expected = connections(layer)
    forward = {(out, unit, tap) for out in range(layer.output_size) for unit, tap in layer.present("output", out)}
    backward = {(out, unit, tap) for unit in range(layer.size) for out, tap in layer.present("input", unit)}
    assert forward == backward == expected


@settings(max_examples=100, deadline=None)
@given(settings_within({"size": 8, "kernel": 5}))
def test_hits_count_kernels_of_ones(layer):
    """A transposed convolution of ones counts its stamps; a convolution's padded input is counted by its transpose."""
    assume(not layer.problem)
    if layer.transposed:
        counted = torch_layer(layer, torch.ones(1, 1, layer.size), torch.ones(1, 1, layer.kernel))[0, 0]
    else:
        x = torch.zeros(1, 1, layer.size, requires_grad=True)
        torch_layer(layer, x, torch.ones(1, 1, layer.kernel)).sum().backward()
        counted = x.grad[0, 0]
    assert layer.hits == counted.tolist()


@settings(max_examples=200, deadline=None)
@given(settings_within({}))
def test_the_transpose_is_the_adjoint_and_leads_back(layer):
    """<f(x), y> = <x, g(y)> for the same kernel."""
    assume(not layer.problem and (layer.transposed or not layer.output_padding))
    if layer.output_padding >= layer.stride:
        with pytest.raises(ValueError, match="no convolution goes back"):
            layer.transpose()
        return
    back = layer.transpose()
    assert (back.output_size, back.size) == (layer.size, layer.output_size)
    kernel = torch.rand(1, 1, layer.kernel, dtype=torch.float64)
    x, y = (torch.rand(1, 1, size, dtype=torch.float64) for size in (layer.size, layer.output_size))
    there, here = (torch_layer(layer, x, kernel) * y).sum(), (torch_layer(back, y, kernel) * x).sum()
    assert there.item() == pytest.approx(here.item(), rel=1e-9, abs=1e-12)
    assert back.transpose().output_size == layer.output_size


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (ConvSettings(3, 4), "spans d(k − 1) + 1 = 4 units, but the padded input has only n + 2p = 3: it does not fit"),
        (ConvSettings(4, 3, padding=1, dilation=3), "= 7 units, but the padded input has only n + 2p = 6"),
        (
            ConvSettings(3, 3, 2, output_padding=2, transposed=True),
            "The output padding, 2, must be less than the stride or the dilation, here less than 2",
        ),
        (ConvSettings(3, 3, 1, dilation=2, output_padding=2, transposed=True), "here less than 2"),
        (ConvSettings(2, 2, padding=2, transposed=True), "stamps fill 3 units, and the padding cuts p = 2 off"),
    ],
)
def test_impossible_settings_are_told_in_words(layer, problem):
    assert layer.output_size is None
    assert problem in layer.problem
    explorer = ConvArithmeticExplorer(**vars(layer))
    assert (explorer.output_size, explorer.problem, explorer.present) == (None, layer.problem, [])
    assert layer.problem in explorer.describe()


class TestExplorer:
    def test_it_follows_its_settings(self):
        explorer = ConvArithmeticExplorer()
        assert (explorer.output_size, explorer.side) == (3, "output")
        explorer.transposed = True
        assert explorer.output_size == 7
        explorer.stride, explorer.padding, explorer.output_padding = 2, 1, 1
        assert explorer.output_size == 10

    def test_connections_are_those_of_rows_and_columns(self):
        explorer = ConvArithmeticExplorer(4, 3, 2, 1, transposed=True)
        explorer.row, explorer.col = 0, 3
        x = torch.zeros(1, 1, 4, 4, requires_grad=True)
        F.conv_transpose2d(x, torch.arange(1.0, 10).reshape(1, 1, 3, 3), stride=2, padding=1)[0, 0, 0, 3].backward()
        numbers = {(row, col): down * 3 + across + 1 for row, col, down, across in explorer.present}
        grad = x.grad[0, 0]
        assert numbers == {(row, col): grad[row, col].item() for row, col in grad.nonzero().tolist()}
        explorer.side = "input"
        explorer.row, explorer.col = 1, 3
        stamped = F.conv_transpose2d(
            torch.eye(16).reshape(16, 1, 4, 4)[7:8], torch.arange(1.0, 10).reshape(1, 1, 3, 3), stride=2, padding=1
        )[0, 0]
        numbers = {(row, col): down * 3 + across + 1 for row, col, down, across in explorer.present}
        assert numbers == {(row, col): stamped[row, col].item() for row, col in stamped.nonzero().tolist()}

    def test_the_unit_stays_in_its_place_when_the_size_changes(self):
        explorer = ConvArithmeticExplorer(12, 1)
        explorer.row, explorer.col = 11, 0
        explorer.size = 5
        assert (explorer.row, explorer.col) == (4, 0)

    def test_the_transpose_of_the_transpose_is_where_it_began(self):
        explorer = ConvArithmeticExplorer(6, 3, 2)
        explorer.transpose()
        assert (explorer.size, explorer.transposed, explorer.output_padding, explorer.output_size) == (2, True, 1, 6)
        explorer.transpose()
        assert (explorer.size, explorer.transposed, explorer.output_padding, explorer.output_size) == (6, False, 0, 2)

    def test_a_way_back_that_is_too_large_is_refused(self):
        explorer = ConvArithmeticExplorer(12, 3, 2, transposed=True)
        with pytest.raises(ValueError, match="an input of 25 units; at most 12"):
            explorer.transpose()
        assert explorer.transposed and explorer.size == 12

    @pytest.mark.parametrize(
        ("name", "value", "error", "message"),
        [
            ("size", 0, TraitError, "size is 0; expected 1 to 12"),
            ("kernel", 9, TraitError, "kernel is 9; expected 1 to 8"),
            ("padding", -1, TraitError, "padding is -1; expected 0 to 8"),
            ("stride", 0, TraitError, "stride is 0; expected 1 to 4"),
            ("side", "both", TraitError, "side is 'both'; expected one of 'input', 'output'"),
            ("row", 3, IndexError, "row is 3; expected 0 to 2"),
            ("col", -1, IndexError, "col is -1; expected 0 to 2"),
        ],
    )
    def test_a_bad_state_is_refused(self, name, value, error, message):
        explorer = ConvArithmeticExplorer()
        before = explorer.describe()
        with pytest.raises(error, match=message):
            setattr(explorer, name, value)
        assert explorer.describe() == before

    @pytest.mark.parametrize("transposed", [False, True])
    @pytest.mark.parametrize("padding", [0, 1, 4])
    def test_a_notebook_gets_a_small_picture_and_a_sentence(self, transposed, padding):
        explorer = ConvArithmeticExplorer(6, 3, 2, padding, transposed=transposed)
        data, metadata = InteractiveShell.instance().display_formatter.format(explorer)
        assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.describe()
        assert len(base64.b64decode(data["image/png"])) < 150_000
        explorer.row, explorer.col = explorer.count - 1, 0
        assert InteractiveShell.instance().display_formatter.format(explorer)[0]["image/png"] != data["image/png"]

    def test_a_layer_that_is_impossible_has_a_picture_too(self):
        explorer = ConvArithmeticExplorer(3, 5)
        assert (
            "Impossible: The kernel spans"
            in InteractiveShell.instance().display_formatter.format(explorer)[0]["text/plain"]
        )

    def test_everything_for_the_browser_is_json_text(self):
        state = ConvArithmeticExplorer().get_state()
        json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
        assert state["_esm"].count("export default") == 1
        assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])
