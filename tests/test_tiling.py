"""Overlap-tile: what comes out is what one pass over the mirrored whole would give."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.models import build_model
from course_utils.tiling import predict_in_tiles

SIDE = st.integers(1, 40)


def mirrored(image, margins):
    """NumPy's mirror, which does not repeat the border pixel: an independent reference."""
    (top, bottom), (left, right) = margins
    return torch.from_numpy(np.pad(image.numpy(), ((0, 0), (top, bottom), (left, right)), mode="reflect"))


def valid_net(seed=0, channels=2):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, (3, 5))
    ).double()  # 4 rows, 6 columns less


def same_net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 5, padding=2)).double()  # radius 3


class PoolingNet(nn.Module):
    """A U-Net in small: valid, pools once, gives 4 rows and 4 columns less of what is even."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.down, self.up = nn.Conv2d(2, 4, 3).double(), nn.ConvTranspose2d(4, 3, 2, stride=2).double()

    def forward(self, images):
        return self.up(self.down(nn.functional.max_pool2d(images, 2)))  # side - 4


@settings(max_examples=80, deadline=None)
@given(st.tuples(SIDE, SIDE), st.tuples(st.integers(5, 17), st.integers(7, 17)), st.integers(0, 1))
def test_valid_convolutions_equal_one_pass_over_the_mirrored_image(size, tile, margin):
    tile = (tile[0] + 2 * margin, tile[1] + 2 * margin)
    net, image = valid_net(), torch.rand(2, *size, dtype=torch.float64)
    whole = net(mirrored(image, ((2, 2), (3, 3)))[None])[0]
    assert torch.allclose(predict_in_tiles(net, image, tile, margin=margin), whole, rtol=0, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.tuples(SIDE, SIDE), st.tuples(st.integers(7, 20), st.integers(7, 20)))
def test_padded_convolutions_do_so_too_if_the_margin_is_the_radius(size, tile):
    net, image = same_net(), torch.rand(2, *size, dtype=torch.float64)
    whole = net(mirrored(image, ((3, 3), (3, 3)))[None])[0, :, 3:-3, 3:-3]
    assert torch.allclose(predict_in_tiles(net, image, tile, margin=3), whole, rtol=0, atol=1e-12)


def test_a_smaller_margin_shows_seams():
    net, image = same_net(), torch.rand(2, 30, 24, dtype=torch.float64)
    whole = net(mirrored(image, ((3, 3), (3, 3)))[None])[0, :, 3:-3, 3:-3]
    wrong = (predict_in_tiles(net, image, (12, 10), margin=2) - whole).abs().amax(0) > 1e-9  # (H, W)
    step = 12 - 4, 10 - 4
    rows = [row for row in range(30) if row % step[0] in (0, step[0] - 1)]
    columns = [column for column in range(24) if column % step[1] in (0, step[1] - 1)]
    assert wrong[rows].all() and wrong[:, columns].all()
    wrong[rows], wrong[:, columns] = False, False
    assert not wrong.any()


@settings(max_examples=40, deadline=None)
@given(st.tuples(SIDE, SIDE), st.tuples(st.integers(3, 9), st.integers(3, 9)))
def test_pooling_at_the_same_phase_leaves_no_seam(size, half_tile):
    net, image = PoolingNet(), torch.rand(2, *size, dtype=torch.float64)
    more = [2 + side % 2 for side in size]  # so that all that is pooled is whole
    whole = net(mirrored(image, ((2, more[0]), (2, more[1])))[None])[0, :, : size[0], : size[1]]
    tiles = predict_in_tiles(net, image, (2 * half_tile[0], 2 * half_tile[1]), output_stride=2)
    assert torch.allclose(tiles, whole, rtol=0, atol=1e-12)


def test_pooling_at_another_phase_gives_something_else():
    """Of tiles of 11 pixels 7 come out: the second row of tiles is pooled one pixel off."""

    class Seven(nn.Module):
        """Takes 11, gives the middle 7 of what PoolingNet gives for 12."""

        def __init__(self):
            super().__init__()
            self.net = PoolingNet()

        def forward(self, images):
            padded = nn.functional.pad(images, (0, 1, 0, 1), mode="replicate")
            return self.net(padded)[..., :7, :7]

    image = torch.rand(2, 28, 28, dtype=torch.float64)
    net = Seven()
    aligned = predict_in_tiles(net, image, (11, 11), output_stride=2)
    assert torch.allclose(aligned, predict_in_tiles(net.net, image, (12, 12), output_stride=2), atol=1e-12)
    assert not torch.allclose(predict_in_tiles(net, image, (11, 11)), aligned, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.floats(-3, 3))
def test_constant_in_constant_out(size, value):
    image = torch.full((2, *size), value, dtype=torch.float64)
    for net, options in ((valid_net(), {}), (same_net(), {"margin": 3})):
        result = predict_in_tiles(net, image, (16, 22), **options)
        assert result.shape == (3, *size)
        assert torch.allclose(result, result[:, :1, :1].expand_as(result), rtol=0, atol=1e-12)


def test_the_unet_in_tiles_is_the_unet():
    torch.manual_seed(0)
    net = build_model("unet", 2, in_channels=1, width=2).eval()
    image = torch.rand(1, 61, 90)
    whole = net(mirrored(image, ((92, 92 + 7), (92, 92 + 10)))[None])[0, :, :61, :90]  # 252 × 284: 12 more than 16 n
    tiles = predict_in_tiles(net, image, (220, 236), output_stride=16)
    assert tiles.shape == (2, 61, 90) and torch.allclose(tiles, whole, atol=1e-5)
    # 220 gives 36 rows: without output_stride the tiles lie 36 apart, no multiple of 16.
    assert (predict_in_tiles(net, image, (220, 236)) - whole).abs().max() > 1e-4


def test_the_model_runs_in_eval_mode_without_gradient_and_gets_its_modes_back():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.9), nn.BatchNorm2d(2).eval())
    image = torch.rand(1, 9, 20)
    result = predict_in_tiles(net, image, (8, 8))
    assert not result.requires_grad and torch.equal(result, predict_in_tiles(net, image, (8, 8)))
    assert net.training and net[1].training and not net[2].training


def test_each_pixel_costs_about_one_tile_of_work():
    calls = []
    net = valid_net()
    net.register_forward_hook(lambda *_: calls.append(1))
    predict_in_tiles(net, torch.rand(2, 40, 60, dtype=torch.float64), (14, 26))  # 10 × 20 come out
    assert len(calls) == 4 * 3 + 1  # and one to see how large the output is


@pytest.mark.parametrize(
    ("model", "image", "tile", "options", "message"),
    [
        (valid_net(), torch.rand(1, 2, 9, 9), (9, 9), {}, r"image: expected shape \(C, H, W\), .* \(1, 2, 9, 9\)"),
        (valid_net(), torch.rand(2, 0, 9), (9, 9), {}, r"image: expected shape \(C, H, W\)"),
        (
            valid_net(),
            torch.rand(2, 9, 9),
            (9, 9),
            {"margin": -1},
            "margin is -1, output_stride 1; expected",
        ),
        (valid_net(), torch.rand(2, 9, 9), (9, 9), {"output_stride": 0}, "output_stride 0; expected at least 0 and 1"),
        (valid_net(), torch.rand(2, 9, 9), (9, 9), {"margin": 2}, r"tile \(9, 9\): \(5, 3\) come out; .* larger tiles"),
        (valid_net(), torch.rand(2, 9, 9), (9, 9), {"output_stride": 4}, "less than output_stride = 4"),
        (
            nn.Conv2d(2, 1, 2).double(),
            torch.rand(2, 9, 9),
            (9, 9),
            {},
            r"model: gives .* \(1, 1, 8, 8\)",
        ),
        (
            nn.Upsample(scale_factor=2),
            torch.rand(2, 9, 9),
            (9, 9),
            {},
            r"\(1, 2, 18, 18\).* as large as the tile",
        ),
        (nn.Flatten(), torch.rand(2, 9, 9), (9, 9), {}, r"shape \(1, 162\).* expected \(1, K, h, w\)"),
    ],
)
def test_bad_arguments(model, image, tile, options, message):
    with pytest.raises(ValueError, match=message):
        predict_in_tiles(model, image.double(), tile, **options)
