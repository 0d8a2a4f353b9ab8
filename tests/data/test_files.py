"""Image and mask files: read exactly, or refused by name."""

from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from course_utils.data.files import label_table, look_up, open_image, read_image, read_labels
from tests.data.files import colours, greys, write_image

ANY = label_table({value: value for value in range(256)})


def test_colour_image(tmp_path):
    pixels = write_image(tmp_path / "a.png", colours(0))
    image = read_image(tmp_path / "a.png")
    assert image.dtype == torch.float32 and image.shape == (3, 4, 6) and image.is_contiguous()
    assert torch.equal(image, torch.from_numpy(pixels / np.float32(255)).permute(2, 0, 1))


def test_grey_image(tmp_path):
    pixels = write_image(tmp_path / "a.png", greys(0, [0, 7, 255]))
    image = read_image(tmp_path / "a.png", "L")
    assert image.dtype == torch.float32 and image.shape == (1, 4, 6) and image.is_contiguous()
    assert torch.equal(image[0], torch.from_numpy(pixels / np.float32(255)))


def test_jpeg_image(tmp_path):
    pixels = write_image(tmp_path / "a.jpg", np.full((4, 6, 3), (200, 100, 50), np.uint8), quality=95)
    assert (read_image(tmp_path / "a.jpg").permute(1, 2, 0) * 255 - torch.from_numpy(pixels)).abs().max() <= 3


@pytest.mark.parametrize(
    ("mode", "wanted", "message"),
    [
        ("L", "RGB", r"expected a colour image \(mode RGB\), got a PIL image of mode 'L' \(grey\).*convert\('RGB'\)"),
        ("RGBA", "RGB", r"mode 'RGBA' \(colours with transparency\)"),
        ("P", "RGB", r"mode 'P' \(palette indices, not colours\)"),
        ("RGB", "L", r"expected a grey image \(mode L\), got a PIL image of mode 'RGB'.*convert\('L'\)"),
        ("I;16", "L", r"mode 'I;16' \(16-bit grey\)"),
        ("1", "L", r"mode '1' \(black and white\)"),
    ],
)
def test_image_of_another_kind(tmp_path, mode, wanted, message):
    Image.new(mode, (6, 4)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=message) as raised:
        read_image(tmp_path / "a.png", wanted)
    assert str(raised.value).startswith(f"{tmp_path / 'a.png'}: ")


def test_mask_of_grey_values_and_of_palette_indices(tmp_path):
    values = write_image(tmp_path / "grey.png", greys(0, list(range(9))))
    palette = Image.fromarray(values)
    palette.putpalette([(37 * i) % 256 for i in range(768)])
    palette.save(tmp_path / "palette.png")
    assert Image.open(tmp_path / "palette.png").mode == "P"
    for name in ("grey.png", "palette.png"):
        mask = read_labels(tmp_path / name, ANY)
        assert mask.dtype == torch.int64 and np.array_equal(mask.numpy(), values)


@pytest.mark.parametrize("mode", ["RGB", "I;16", "1", "LA"])
def test_mask_of_another_kind(tmp_path, mode):
    Image.new(mode, (6, 4)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: expected a mask with one 8-bit number per pixel .* got a PIL image"):
        read_labels(tmp_path / "a.png", ANY)


@given(
    arrays.arrays(np.uint8, (3, 5), elements=st.integers(0, 5)),
    st.dictionaries(st.integers(0, 5), st.integers(0, 255), min_size=1),
)
def test_look_up_is_the_mapping_or_names_what_is_not_in_it(values, mapping):
    missing = sorted(set(values.ravel().tolist()) - set(mapping))
    if not missing:
        assert look_up(values, label_table(mapping), "mask").tolist() == [
            [mapping[value] for value in row] for row in values.tolist()
        ]
        return
    with pytest.raises(ValueError) as raised:
        look_up(values, label_table(mapping), "mask")
    count = sum(value in missing for value in values.ravel().tolist())
    assert f"in {count} pixels stand for no class" in str(raised.value)
    assert str(missing[0]) in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "known", "words"),
    [
        ([12], range(12), "the values 12 in 24 pixels stand for no class; expected 0 to 11."),
        ([1, 254], [0, 255], "the values 1, 254 in 24 pixels stand for no class; expected 0, 255."),
        ([4, 5, 6, 7, 9, 10], [0, 1, 2, 40], "the values 4 to 7, 9, 10 in 24 pixels stand for no class; expected 0 to"),
        (list(range(20, 40, 2)), [0], "values 20, 22, 24, 26, 28, 30, 32, 34, … in 24 pixels stand"),
    ],
)
def test_values_that_stand_for_no_class(tmp_path, wrong, known, words):
    write_image(tmp_path / "a.png", greys(0, wrong))
    with pytest.raises(ValueError) as raised:
        read_labels(tmp_path / "a.png", label_table({value: 0 for value in known}))
    assert words in str(raised.value) and str(raised.value).startswith(f"{tmp_path / 'a.png'}: ")
    assert "Use the official mask" in str(raised.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.png is missing\. Copy it there"):
        open_image(tmp_path / "a.png")


def test_file_cut_short_anywhere(tmp_path):
    for kind in ("png", "jpg"):
        path = tmp_path / f"a.{kind}"
        write_image(path, colours(0, (20, 30)))
        whole = path.read_bytes()
        for length in [*range(0, 60), *range(60, len(whole) - 20, 97)]:
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match=rf"a\.{kind} is damaged or no image .* Copy it from the download"):
                open_image(path)


def test_file_with_a_changed_bit_is_refused_or_reads_the_same(tmp_path):
    buffer = BytesIO()
    pixels = colours(0, (5, 7))
    Image.fromarray(pixels).save(buffer, "png")
    whole = buffer.getvalue()
    path = tmp_path / "a.png"
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            image = open_image(path)
        except ValueError:
            continue
        assert np.array_equal(np.asarray(image), pixels)
