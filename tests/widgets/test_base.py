"""What every explorer gives to those who see no browser code, and to Colab."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from course_utils.widgets.base import encode, spotlight

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=["sliding", "fields"])
def explorer(request):
    return request.getfixturevalue(request.param)


def displayed(explorer) -> tuple[dict, dict]:
    """What a notebook's cell would hold."""
    return InteractiveShell.instance().display_formatter.format(explorer)


def test_a_notebook_gets_the_widget_a_picture_and_a_sentence(explorer):
    data, metadata = displayed(explorer)
    assert set(data) == {WIDGET, "image/png", "text/plain"}
    assert data[WIDGET]["model_id"] == explorer.model_id
    assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.describe()


def test_the_sentence_has_no_address_and_does_not_change(explorer):
    text = displayed(explorer)[0]["text/plain"]
    assert text == displayed(explorer)[0]["text/plain"]
    assert not re.search(r"0x[0-9a-f]|object at|model_id", text)
    assert text.endswith(".") and f"row {explorer.row}, column {explorer.col}" in text


def test_the_picture_is_small_sharp_and_the_same_each_time(explorer):
    encoded = displayed(explorer)[0]["image/png"]
    assert encoded == displayed(explorer)[0]["image/png"]
    data = base64.b64decode(encoded)
    picture = Image.open(io.BytesIO(data))
    assert picture.width > 800 and len(data) < 150_000
    assert len(picture.convert("RGB").getcolors(1_000_000)) > 50


def test_the_picture_shows_the_state(explorer):
    before = displayed(explorer)[0]["image/png"]
    explorer.row = 0 if explorer.row else 1
    assert displayed(explorer)[0]["image/png"] != before


def test_everything_for_the_browser_is_json_text(explorer):
    """Bytes do not reach every notebook's widgets, and JSON has no NaN or infinity."""
    state = explorer.get_state()
    json.dumps({key: value for key, value in state.items() if key not in ("layout",)}, allow_nan=False)
    assert state["_esm"].count("export default") == 1
    assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])


def test_the_image_reaches_the_browser_as_it_is(explorer, image):
    header, data = explorer._image.split(",")
    assert header == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(pixels, (image * 255).round().permute(1, 2, 0).numpy())
    assert (explorer._height, explorer._width) == (64, 96)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=20))
def test_encode_keeps_every_number(numbers):
    assert np.frombuffer(base64.b64decode(encode(numbers, "float32")), "<f4").tolist() == numbers


def test_encode_takes_rows_first_whatever_the_memory_looks_like():
    tensor = torch.arange(6).reshape(2, 3)
    assert base64.b64decode(encode(tensor.T, "uint8")) == bytes([0, 3, 1, 4, 2, 5])


def test_spotlight_darkens_outside_only():
    lit = spotlight(np.full((4, 5, 3), 255, np.uint8), (1, 2, 3, 4))
    assert lit[1:3, 2:4].min() == 1.0
    lit[1:3, 2:4] = 0.5
    assert (lit == 0.5).all()
