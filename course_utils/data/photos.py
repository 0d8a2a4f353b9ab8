"""Real photos to try a network on: those that come inside scikit-image's package, so no network is needed."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from course_utils.data.names import unknown

if TYPE_CHECKING:
    import numpy as np

_FILES = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}


def list_photos() -> list[str]:
    """Names that `load_photo` knows."""
    return sorted(_FILES)


def load_photo(name: str) -> np.ndarray:
    """The photo as uint8 (H, W, 3), red, green and blue.

    >>> load_photo("chelsea").shape  # a cat
    (300, 451, 3)
    """
    import numpy as np
    from PIL import Image

    if name not in _FILES:
        raise unknown("photo", name, list_photos())
    with (resources.files("skimage.data") / _FILES[name]).open("rb") as file, Image.open(file) as photo:
        return np.array(photo.convert("RGB"))
