"""Bad samples: every one is refused with what came and what to do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.checks import check_sample

IMAGE = torch.rand(3, 4, 6, generator=torch.Generator().manual_seed(0))
MASK = torch.arange(24).reshape(4, 6) % 5


def picture(mode):
    return Image.new(mode, (6, 4))


def changed(tensor, index, value):
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


@given(
    st.integers(1, 5), st.integers(1, 7), st.integers(1, 9), st.integers(1, 300), st.sampled_from([255, 0, 7, -1, 1000])
)
def test_good_samples_pass(channels, height, width, num_classes, ignore_index):
    image = torch.linspace(0, 1, channels * height * width).reshape(channels, height, width)
    mask = torch.arange(height * width).reshape(height, width) % num_classes
    check_sample(image, mask, num_classes, ignore_index, channels=channels)
    check_sample(image, torch.full_like(mask, ignore_index), num_classes, ignore_index, channels=channels)
    check_sample(image, torch.full_like(mask, num_classes - 1), num_classes, ignore_index, channels=channels)


EXPECTED_IMAGE = r"^image: expected a float32 tensor of shape \(3, H, W\) with values in \[0, 1\], got "


@pytest.mark.parametrize(
    ("image", "error", "came", "fix"),
    [
        (picture("P"), TypeError, r"a PIL image of mode 'P' \(palette indices, not colours\)", r"convert\('RGB'\)"),
        (picture("L"), TypeError, r"a PIL image of mode 'L' \(grey\)", r"convert\('RGB'\)"),
        (picture("LA"), TypeError, r"mode 'LA' \(grey with transparency\)", r"convert\('RGB'\)"),
        (picture("RGBA"), TypeError, r"mode 'RGBA' \(colours with transparency\)", r"convert\('RGB'\)"),
        (picture("1"), TypeError, r"mode '1' \(black and white\)", r"convert\('RGB'\)"),
        (picture("I"), TypeError, r"mode 'I' \(whole numbers\)", r"convert\('RGB'\)"),
        (picture("I;16"), TypeError, r"mode 'I;16' \(16-bit grey\)", r"convert\('RGB'\)"),
        (picture("F"), TypeError, r"mode 'F' \(decimal numbers\)", r"convert\('RGB'\)"),
        (picture("CMYK"), TypeError, r"mode 'CMYK' \(printing colours\)", r"convert\('RGB'\)"),
        (picture("RGB"), TypeError, r"mode 'RGB'\. ", r"^((?!convert).)*Then torchvision.*pil_to_tensor"),
        (picture("HSV"), TypeError, r"mode 'HSV'\. ", r"convert\('RGB'\)"),
        (np.zeros((4, 6, 3), np.uint8), TypeError, r"a NumPy array of shape \(4, 6, 3\) and type uint8", "from_numpy"),
        (IMAGE.double(), TypeError, r"a tensor of shape \(3, 4, 6\) and type float64", "image.float"),
        ((IMAGE * 255).byte(), TypeError, r"a tensor of shape \(3, 4, 6\) and type uint8", "by 255"),
        ("cat.png", TypeError, r"str 'cat.png'", "Turn it into a tensor"),
        (None, TypeError, "NoneType None", "Turn it into a tensor"),
        (IMAGE[0], ValueError, r"shape \(4, 6\)", r"grey image becomes RGB with image.expand\(3, -1, -1\)"),
        (IMAGE[:1], ValueError, r"shape \(1, 4, 6\)", r"grey image becomes RGB with image.expand\(3, -1, -1\)"),
        (torch.rand(4, 4, 6), ValueError, r"shape \(4, 4, 6\)", r"Drop it with image\[:3\]"),
        (IMAGE.permute(1, 2, 0), ValueError, r"shape \(4, 6, 3\)", r"permute\(2, 0, 1\)"),
        (IMAGE[None], ValueError, r"shape \(1, 3, 4, 6\)", "not a batch"),
        (torch.rand(5, 4, 6), ValueError, r"shape \(5, 4, 6\)", "has 3 channels"),
        (torch.rand(2), ValueError, r"shape \(2,\)", "has 3 channels"),
        (torch.rand(3, 0, 6), ValueError, r"shape \(3, 0, 6\)", "no pixels"),
        (changed(IMAGE, (0, 1, 2), torch.nan), ValueError, "1 values that are NaN or infinite", "nan_to_num"),
        (changed(IMAGE, (slice(2), 1, 2), torch.inf), ValueError, "2 values that are NaN or infinite", "nan_to_num"),
        (changed(IMAGE, (0, 1, 2), -torch.inf), ValueError, "1 values that are NaN or infinite", "nan_to_num"),
        (changed(IMAGE, (0, 1, 2), 200.0), ValueError, "values from .* to 200", "by 255; normalise in a transform"),
        (changed(IMAGE, (0, 1, 2), -0.5), ValueError, "values from -0.5 to", "by 255; normalise in a transform"),
    ],
)  # fmt: skip
def test_bad_images(image, error, came, fix):
    with pytest.raises(error, match=EXPECTED_IMAGE + ".*" + came) as raised:
        check_sample(image, MASK, 5)
    assert raised.match(fix)
    assert "\n" not in str(raised.value)


EXPECTED_MASK = r"^mask: expected an int64 tensor of shape \(H, W\), got "


@pytest.mark.parametrize(
    ("mask", "error", "came", "fix"),
    [
        (picture("P"), TypeError, "a PIL image of mode 'P'", "numpy.array.*do not convert it to RGB"),
        (picture("L"), TypeError, "a PIL image of mode 'L'", "numpy.array.*do not convert it to RGB"),
        (picture("RGB"), TypeError, "a PIL image of mode 'RGB'", "look the labels of its colours up"),
        (np.zeros((4, 6), np.uint8), TypeError, r"a NumPy array of shape \(4, 6\) and type uint8", "from_numpy.*long"),
        (MASK.byte(), TypeError, r"type uint8", "mask.long"),
        (MASK.float(), TypeError, r"type float32", "mask.long"),
        ([[0, 1]], TypeError, r"list \[\[0, 1\]\]", "Turn it into a tensor"),
        (MASK[None], ValueError, r"shape \(1, 4, 6\)", r"squeeze\(0\)"),
        (MASK[None].expand(3, -1, -1), ValueError, r"shape \(3, 4, 6\)", "one label per pixel"),
        (MASK[0], ValueError, r"shape \(6,\)", "one label per pixel"),
    ],
)  # fmt: skip
def test_bad_masks(mask, error, came, fix):
    with pytest.raises(error, match=EXPECTED_MASK + ".*" + came) as raised:
        check_sample(IMAGE, mask, 5)
    assert raised.match(fix)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("mask", "num_classes", "ignore_index", "message"),
    [
        (changed(MASK, (0, 0), 5), 5, 255, "must be 0 to 4, or 255 for void; got 5 in 1 pixels"),
        (changed(MASK, (0, slice(3)), -1), 5, 255, "got -1 in 3 pixels"),
        (changed(MASK, (0, 0), 255), 5, 0, "must be 0 to 4, or 0 for void; got 255 in 1 pixels"),
        (MASK, 3, 255, "got 3, 4 in 9 pixels"),
        (torch.arange(24).reshape(4, 6), 2, 255, "got 2, 3, 4, 5, 6, 7, 8, 9, … in 22 pixels"),
        (torch.arange(24).reshape(4, 6), 16, 255, "got 16, 17, 18, 19, 20, 21, 22, 23 in 8 pixels"),
    ],
)
def test_labels_out_of_range(mask, num_classes, ignore_index, message):
    with pytest.raises(ValueError) as raised:
        check_sample(IMAGE, mask, num_classes, ignore_index)
    assert message in str(raised.value) and "Map the labels of the files" in str(raised.value)


@pytest.mark.parametrize("size", [(6, 4), (4, 5), (8, 12), (1, 1)])
def test_mask_of_another_size(size):
    message = f"mask: its size {size[0]} x {size[1]} is not that of the image, 4 x 6.*nearest neighbour only"
    with pytest.raises(ValueError, match=message):
        check_sample(IMAGE, torch.zeros(size, dtype=torch.int64), 5)


def test_long_values_are_shortened():
    with pytest.raises(TypeError) as raised:
        check_sample(list(range(1000)), MASK, 5)
    assert len(str(raised.value)) < 250
