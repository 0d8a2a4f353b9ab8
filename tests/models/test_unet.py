"""U-Net: the sizes of its figure, an independent reference, and what "without padding" promises."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.models import build_model
from course_utils.models.unet import center_crop
from course_utils.receptive_field import receptive_field


def small(padding="valid", width=3, num_classes=2, in_channels=1):
    torch.manual_seed(0)
    return build_model("unet", num_classes, in_channels, padding=padding, width=width).eval()


def on_meta(**options):
    with torch.device("meta"):
        return build_model("unet", 2, 1, **options).eval()


# The figure

CONTRACTING = [(64, 570), (64, 568), (128, 282), (128, 280), (256, 138), (256, 136), (512, 66), (512, 64)]
BOTTOM = [(1024, 30), (1024, 28)]
EXPANDING = [(512, 54), (512, 52), (256, 102), (256, 100), (128, 198), (128, 196), (64, 390), (64, 388), (2, 388)]
UP_CONVOLUTIONS = [(512, 56), (256, 104), (128, 200), (64, 392)]


def traced(model, kind, size):
    """(channels, rows, columns) after every layer of a kind, in order."""
    found = []
    for module in model.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda _module, _inputs, output: found.append(tuple(output.shape[1:])))
    model(torch.empty(1, 1, *size, device="meta"))
    return found


def test_every_map_of_figure_1():
    model = on_meta()
    assert traced(model, nn.Conv2d, (572, 572)) == [(c, s, s) for c, s in CONTRACTING + BOTTOM + EXPANDING]
    assert traced(on_meta(), nn.ConvTranspose2d, (572, 572)) == [(c, s, s) for c, s in UP_CONVOLUTIONS]
    assert sum(isinstance(module, nn.Conv2d | nn.ConvTranspose2d) for module in model.modules()) == 23


def test_with_padding_every_level_keeps_its_size():
    levels = [(64, 96, 48), (128, 48, 24), (256, 24, 12), (512, 12, 6), (1024, 6, 3)]
    found = traced(on_meta(padding="same"), nn.Conv2d, (96, 48))
    assert found[:-1] == [level for level in levels + levels[-2::-1] for _ in range(2)] and found[-1] == (2, 96, 48)


@pytest.mark.parametrize(("size", "offsets"), [((572, 572), [4, 16, 40, 88]), ((188, 188), [4, 16, 40, 88])])
def test_offsets_of_the_crops(monkeypatch, size, offsets):
    """Independent of the image's size."""
    seen = []

    def record(tensor, size):
        seen.append(((tensor.shape[-2] - size[0]) // 2, (tensor.shape[-1] - size[1]) // 2))
        return center_crop(tensor, size)

    monkeypatch.setattr("course_utils.models.unet.center_crop", record)
    on_meta(width=1)(torch.empty(1, 1, *size, device="meta"))
    assert seen == [(offset, offset) for offset in offsets]


# An independent reference


def reference(model, images):
    """The network from its weights alone, in order, written out."""
    weights = list(model.state_dict().values())
    pad = 1 if model.padding == "same" else 0

    def conv(x, padding=pad):
        weight, bias = weights.pop(0), weights.pop(0)
        return F.conv2d(x, weight, bias, padding=padding)

    def two(x):
        return conv(conv(x).relu()).relu()

    skips = []
    for _ in range(4):
        skips.append(two(images))
        images = skips[-1].unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
    images = two(images)
    for skip in reversed(skips):
        weight, bias = weights.pop(0), weights.pop(0)
        blocks = torch.einsum("nchw,cdyx->ndhywx", images, weight) + bias.view(1, -1, 1, 1, 1, 1)
        images = blocks.flatten(4, 5).flatten(2, 3)  # each unit writes a block of 2×2
        margin = (skip.shape[2] - images.shape[2]) // 2
        skip = F.pad(skip, (-margin, -margin, -margin, -margin))
        images = two(torch.cat((skip, images), 1))
    scores = conv(images, 0)
    assert not weights
    return scores


@pytest.mark.parametrize(("padding", "size"), [("valid", (188, 220)), ("valid", (236, 204)), ("same", (48, 80))])
def test_it_equals_the_network_written_out(padding, size):
    model = small(padding, num_classes=3, in_channels=2)
    images = torch.randn(2, 2, *size)
    with torch.no_grad():
        torch.testing.assert_close(model(images), reference(model, images), atol=1e-5, rtol=1e-4)


def test_with_padding_any_image_is_extended_by_zeros_to_multiples_of_16():
    model = small("same")
    images = torch.randn(1, 1, 33, 50)
    with torch.no_grad():
        assert torch.equal(model(images), model(F.pad(images, (0, 14, 0, 15)))[..., :33, :50])


# Without padding


def is_valid(side):
    return side % 16 == 12 and side >= 188


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700))
def test_sizes(height, width):
    """A valid size loses 184; the message about any other names the nearest valid sizes."""
    model = MODEL_ON_META
    images = torch.empty(1, 1, height, width, device="meta")
    if is_valid(height) and is_valid(width):
        assert model(images).shape == (1, 2, height - 184, width - 184)
        return
    with pytest.raises(ValueError, match=f"got {height}×{width}") as error:
        model(images)
    rows, columns = re.search(r"nearest are (.*) rows and (.*) columns", str(error.value)).groups()
    for side, told in ((height, rows), (width, columns)):
        below = [n for n in range(1, side + 1) if is_valid(n)][-1:]
        above = next(n for n in range(side, side + 300) if is_valid(n))
        assert told == " or ".join(map(str, sorted({*below, above} if side not in below else {side})))


MODEL_ON_META = on_meta(width=1)


@pytest.mark.parametrize("size", [(188, 204), (572, 188), (1004, 220)])
def test_valid_sizes_need_not_be_square(size):
    assert MODEL_ON_META(torch.empty(2, 1, *size, device="meta")).shape == (2, 2, size[0] - 184, size[1] - 184)


@pytest.mark.parametrize("size", [(187, 188), (188, 189), (172, 188), (256, 256), (571, 573), (12, 12)])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"images: .* got {size[0]}×{size[1]}"):
        MODEL_ON_META(torch.empty(1, 1, *size, device="meta"))


def test_a_window_of_the_image_gives_that_window_of_the_logits():
    """What overlap-tile prediction rests on: exact for shifts by 16, the stride of the lowest maps."""
    model = small()
    image = torch.randn(1, 1, 252, 284)
    with torch.no_grad():
        whole = model(image)
        for top, left in ((0, 0), (16, 0), (48, 64), (32, 80)):
            window = model(image[..., top : top + 204, left : left + 204])
            torch.testing.assert_close(window, whole[..., top : top + 20, left : left + 20], atol=1e-5, rtol=1e-4)
        shifted = model(image[..., 8:212, :204])
    assert (shifted - whole[..., 8:28, :20]).abs().max() > 0.01  # half a stride: other pooling windows


def test_it_is_the_padded_network_where_that_sees_no_padding():
    """The poolings of the padded network see the same squares if the image is moved by two pixels."""
    valid, same = small(), small("same")
    same.load_state_dict(valid.state_dict())
    image = torch.randn(1, 1, 220, 204)
    with torch.no_grad():
        inside = same(F.pad(image, (2, 0, 2, 0)))[..., 94 : 94 + 36, 94 : 94 + 20]
        torch.testing.assert_close(inside, valid(image), atol=1e-5, rtol=1e-4)
        whole = same(F.pad(image, (2, 0, 2, 0)))
    assert (whole[..., 2:94, 94:114] - same(F.pad(image, (2, 0, 18, 0)))[..., 18:110, 94:114]).abs().max() > 1e-3


def test_receptive_fields():
    """The bottom sees 140 pixels every 16; a logit 188 to 203, by its place among 16: nothing outside the image."""
    bottom = receptive_field(MODEL_ON_META, "bottom", (572, 572))
    assert (bottom.size, bottom.stride, bottom.start) == ((140, 140), (16, 16), (0, 0))
    logits = receptive_field(MODEL_ON_META, "", (572, 572))
    fields = [logits.axes[0](row) for row in range(388)]
    assert {last - first + 1 for first, last in fields} <= set(range(188, 205))
    assert min(first for first, _ in fields) == 0 and max(last for _, last in fields) == 571
    assert all(first <= row + 92 <= last for row, (first, last) in enumerate(fields))


# Weights and dropout


def test_he_initialisation():
    """Standard deviation √(2 / N), N the inputs of an output: 9·C of a 3×3 convolution, C of the others."""
    torch.manual_seed(0)
    model = build_model("unet", 7, 3, width=16)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            inputs = module.in_channels * (9 if module.kernel_size == (3, 3) else 1)
            spread = module.weight.numel() ** -0.5
            assert module.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=4 * spread), name
            assert abs(module.weight.mean().item()) < 4 * spread * (2 / inputs) ** 0.5, name
            assert not module.bias.any(), name


def test_the_scale_of_features_stays_through_the_contracting_path():
    """What He's initialisation is for: the mean square of the features neither vanishes nor explodes."""
    torch.manual_seed(0)
    model = build_model("unet", 2, 1, padding="same", width=16).eval()
    squares = []
    model.bottom.register_forward_hook(lambda _module, _inputs, output: squares.append(output.square().mean().item()))
    with torch.no_grad():
        model(torch.randn(1, 1, 96, 112))
    assert 0.1 < squares[0] < 100


def test_dropout_is_after_the_bottom_and_only_there():
    model = build_model("unet", 2, 1, padding="same", width=4).train()
    image, seen = torch.randn(1, 1, 64, 48), []
    model.up4.up.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    model.bottom.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    torch.manual_seed(0)
    model(image)
    before, after = seen
    alive = before > 0
    assert torch.equal(after[after > 0], 2 * before[after > 0])
    assert 0.2 < (after[alive] == 0).float().mean() < 0.8
    model.dropout.eval()
    assert torch.equal(model(image), model(image))


@pytest.mark.parametrize(("options", "message"), [
    ({"padding": "full"}, "Unknown padding 'full'"), ({"padding": "Same"}, "Did you mean 'same'"),
    ({"width": 0}, "width: expected 1 or more, got 0"),
])  # fmt: skip
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        build_model("unet", 2, **options)


# Cropping


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_center_crop_is_torchvisions_and_a_view(rows, columns, top, left):
    maps = torch.arange(2 * (rows + 2 * top) * (columns + 2 * left)).view(2, rows + 2 * top, columns + 2 * left)
    cropped = center_crop(maps, (rows, columns))
    assert torch.equal(cropped, TF.center_crop(maps, [rows, columns]))
    assert cropped.untyped_storage().data_ptr() == maps.untyped_storage().data_ptr()


@pytest.mark.parametrize(("size", "message"), [
    ((5, 6), "expected 1 to 4 rows and 1 to 6 columns, got 5×6"), ((4, 8), "got 4×8"), ((0, 2), "got 0×2"),
    ((3, 6), "3×6 has no place in the middle of 4×6"), ((4, 5), "4×5 has no place in the middle"),
])  # fmt: skip
def test_center_crop_refuses_what_it_cannot_centre(size, message):
    with pytest.raises(ValueError, match=f"size: .*{message}|size: {message}"):
        center_crop(torch.zeros(3, 4, 6), size)
