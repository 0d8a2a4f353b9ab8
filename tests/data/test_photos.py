"""Photos from scikit-image's package."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from course_utils.data import list_photos, load_photo

SHAPES = {
    "astronaut": (512, 512, 3),
    "chelsea": (300, 451, 3),
    "coffee": (400, 600, 3),
    "hubble_deep_field": (872, 1000, 3),
    "motorcycle": (500, 741, 3),
    "retina": (1411, 1411, 3),
    "rocket": (427, 640, 3),
}


def test_every_photo_is_there_without_a_network():
    assert list_photos() == sorted(SHAPES)
    for name, shape in SHAPES.items():
        photo = load_photo(name)
        assert photo.shape == shape and photo.dtype == np.uint8
        assert photo.max() > 200 and photo.min() < 50


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_same_as_scikit_images_own(name):
    assert np.array_equal(load_photo(name), getattr(skimage.data, name)())


def test_colours_are_in_the_order_red_green_blue():
    """The launching rocket's sky is blue at dusk, the coffee's table is brown."""
    assert load_photo("coffee")[..., 0].mean() > load_photo("coffee")[..., 2].mean() + 50


def test_photo_is_writable():
    load_photo("chelsea")[:] = 0
    assert load_photo("chelsea").any()


def test_photo_of_another_mode_becomes_rgb(monkeypatch):
    opened = Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened(file).convert("LA"))
    assert load_photo("chelsea").shape == SHAPES["chelsea"]


def test_unknown_photo():
    with pytest.raises(
        ValueError, match="Unknown photo 'chelsey'. Did you mean 'chelsea'\\? Known: astronaut, chelsea"
    ):
        load_photo("chelsey")
