"""Masks in colours: the same as looking every colour up in a dictionary."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils.data.colour_map import colours_to_labels, palette_table
from course_utils.data.files import look_up

PATH = Path("mask.png")
channels = st.sampled_from([0, 1, 64, 128, 255])
colours = st.tuples(channels, channels, channels)
maps = st.dictionaries(colours, st.sampled_from([*range(20), 255]), min_size=1, max_size=30)


@given(maps, st.data())
def test_colours_that_are_in_the_map(label_of_colour, data):
    drawn = data.draw(st.lists(st.sampled_from(sorted(label_of_colour)), min_size=6, max_size=6))
    pixels = np.array(drawn, dtype=np.uint8).reshape(2, 3, 3)
    labels = colours_to_labels(pixels, label_of_colour, PATH)
    assert labels.tolist() == [[label_of_colour[colour] for colour in drawn[row : row + 3]] for row in (0, 3)]


@given(maps, st.lists(colours, min_size=6, max_size=6))
def test_colours_that_are_not_in_the_map(label_of_colour, drawn):
    pixels = np.array(drawn, dtype=np.uint8).reshape(2, 3, 3)
    missing = [colour for colour in drawn if colour not in label_of_colour]
    if not missing:
        assert colours_to_labels(pixels, label_of_colour, PATH).shape == (2, 3)
        return
    with pytest.raises(
        ValueError, match=rf"^mask\.png: {len(missing)} pixels have colours that stand for no class"
    ) as e:
        colours_to_labels(pixels, label_of_colour, PATH)
    assert str(min(missing)) in str(e.value)


@given(maps, st.data())
def test_palette_and_colours_agree(label_of_colour, data):
    """A palette image gives the labels of the colours that it shows, however its palette is sorted."""
    palette = data.draw(st.permutations(sorted(label_of_colour)))
    indices = np.array(data.draw(st.lists(st.integers(0, len(palette) - 1), min_size=6, max_size=6)), dtype=np.uint8)
    image = Image.fromarray(indices.reshape(2, 3))
    image.putpalette([value for colour in palette for value in colour])
    labels = look_up(np.asarray(image), palette_table(image, label_of_colour), PATH)
    shown = np.asarray(image.convert("RGB"))
    assert labels.tolist() == colours_to_labels(shown, label_of_colour, PATH).tolist()


def test_index_beyond_the_palette():
    image = Image.fromarray(np.array([[0, 5]], dtype=np.uint8))
    image.putpalette([0, 0, 0, 128, 0, 0])
    with pytest.raises(ValueError, match=r"^mask\.png: the values 5 in 1 pixels stand for no class"):
        look_up(np.asarray(image), palette_table(image, {(0, 0, 0): 0, (128, 0, 0): 1}), PATH)
