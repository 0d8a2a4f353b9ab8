"""The kernel's side of the skip mixer."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets import TraitError

from course_utils.metrics import ConfusionMatrix
from course_utils.widgets import SkipMixer

CLASSES = ["sky", "road", "car"]
COLORS = np.array([[120, 181, 242], [66, 66, 72], [244, 116, 8]])
SIZE = (12, 20)


@pytest.fixture
def scores() -> dict[str, torch.Tensor]:
    """Strides 4 and 2, and a map of odd size."""
    torch.manual_seed(0)
    return {"deep": torch.randn(3, 3, 5), "middle": torch.randn(3, 6, 10), "odd": torch.randn(3, 7, 1)}


@pytest.fixture
def target() -> torch.Tensor:
    labels = torch.randint(0, 3, SIZE, generator=torch.Generator().manual_seed(1))
    labels[2:4, 5:9] = 255
    return labels


@pytest.fixture
def mixer(scores, target) -> SkipMixer:
    return SkipMixer(torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(2)), scores, CLASSES, COLORS, target)


@given(st.lists(st.sampled_from([0, 0.05, 0.5, 1, 1.7, 2]), min_size=3, max_size=3))
def test_the_class_of_every_pixel_is_that_of_the_weighted_sum(weights):
    torch.manual_seed(0)
    scores = {"deep": torch.randn(3, 3, 5), "middle": torch.randn(3, 6, 10), "odd": torch.randn(3, 7, 1)}
    mixer = SkipMixer(torch.zeros(3, *SIZE), scores, CLASSES, COLORS)
    mixer.weights = dict(zip(scores, weights, strict=True))
    large = [F.interpolate(map_[None].double(), size=SIZE, mode="bilinear")[0] for map_ in scores.values()]
    total = sum(weight * map_ for weight, map_ in zip(weights, large, strict=True))
    np.testing.assert_allclose(mixer.mixed, total, atol=1e-12)
    np.testing.assert_array_equal(mixer.prediction, total.argmax(0))


def test_upsampling_is_bilinear_between_half_pixel_centres():
    """By hand: a ramp of two values over eight pixels has its ends flat and eighths of steps between."""
    ramp = torch.tensor([[[0.0, 8.0]], [[0.0, 0.0]]])
    mixer = SkipMixer(torch.zeros(3, 1, 8), {"ramp": ramp}, ["a", "b"], COLORS[:2])
    assert mixer.mixed[0, 0].tolist() == [0, 0, 1, 3, 5, 7, 8, 8]


def test_confusion_matrix_and_iou_are_those_of_the_metrics(mixer, target):
    expected = ConfusionMatrix(3).update(torch.tensor(mixer.prediction), target)
    assert (mixer.confusion_matrix().matrix == expected.matrix).all()
    assert mixer.confusion_matrix().matrix.sum() == 12 * 20 - 8
    mixer.weights = dict.fromkeys(mixer.weights, 0)
    assert mixer.confusion_matrix().iu()[1:].tolist() == [0, 0], "without any score every pixel is of class 0"


def test_without_a_target_there_is_no_confusion_matrix(scores):
    mixer = SkipMixer(torch.zeros(3, *SIZE), scores, CLASSES, COLORS)
    with pytest.raises(ValueError, match=r"no target to compare with; give it one: SkipMixer\(…, target=mask\)"):
        mixer.confusion_matrix()
    assert "IoU" not in mixer.describe() and mixer._truth == ""


class TestDeciders:
    @staticmethod
    def of(first, second, third, **weights):
        values = {"a": first, "b": second, "c": third}
        scores = {name: torch.tensor(value, dtype=torch.float32).view(3, 1, 1) for name, value in values.items()}
        mixer = SkipMixer(torch.zeros(3, 1, 1), scores, CLASSES, COLORS)
        mixer.weights = mixer.weights | weights
        return mixer.deciders

    def test_a_map_decides_if_the_class_changes_without_it(self):
        assert self.of([3, 0, 0], [0, 2, 0], [0, 2, 0]) == {"b": "sky", "c": "sky"}
        assert self.of([9, 0, 0], [0, 2, 0], [0, 2, 0]) == {"a": "road"}
        assert self.of([3, 0, 0], [3, 0, 0], [0, 2, 0]) == {}

    def test_only_maps_with_a_weight_can(self):
        assert self.of([3, 0, 0], [0, 2, 0], [0, 2, 0], c=0) == {"a": "road"}
        assert self.of([3, 0, 0], [0, 2, 0], [0, 2, 0], b=0, c=0) == {}
        assert self.of([3, 0, 0], [0, 2, 0], [0, 2, 0], a=0, b=0, c=0) == {}

    def test_it_is_about_the_cursors_pixel(self, mixer):
        found = set()
        for mixer.row in range(12):
            for mixer.col in range(20):
                found.add(tuple(mixer.deciders))
        assert () in found and len(found) > 3


@pytest.mark.parametrize(
    ("sizes", "titles"),
    [
        ([(3, 5), (6, 10)], ["FCN-4s", "FCN-2s"]),
        ([(1, 1), (12, 20)], ["m0", "m0 + m1"]),
        ([(3, 5), (6, 5)], ["m0", "m0 + m1"]),
        ([(3, 5), (3, 5)], ["m0", "m0 + m1"]),
        ([(12, 20)], ["FCN-1s"]),
    ],
)
def test_presets_are_named_by_strides_where_there_are_strides(sizes, titles):
    scores = {f"m{i}": torch.zeros(3, *size) for i, size in enumerate(sizes)}
    mixer = SkipMixer(torch.zeros(3, *SIZE), scores, CLASSES, COLORS)
    assert list(mixer._presets) == titles
    assert list(mixer._presets.values()) == [[1.0] * (i + 1) + [0.0] * (len(sizes) - i - 1) for i in range(len(sizes))]


class TestBetweenKernelAndBrowser:
    def test_the_browser_gets_what_was_given(self, mixer, scores, target):
        for sent, (name, values) in zip(mixer._maps, scores.items(), strict=True):
            data = np.frombuffer(base64.b64decode(sent["data"]), "<f4").reshape(3, sent["rows"], sent["cols"])
            assert sent["name"] == name
            np.testing.assert_array_equal(data, values)
        assert (np.frombuffer(base64.b64decode(mixer._truth), np.uint8) == target.numpy().ravel()).all()
        assert (np.frombuffer(base64.b64decode(mixer._palette), np.uint8) == COLORS.ravel()).all()
        assert (mixer._height, mixer._width) == SIZE

    def test_weights_come_back(self, mixer):
        mixer.set_state({"weights": {"odd": 2, "deep": 0.25, "middle": 0}})
        assert mixer.weights == {"deep": 0.25, "middle": 0, "odd": 2}
        assert list(mixer.weights) == ["deep", "middle", "odd"], "in the order of the maps"

    def test_everything_is_json_text(self, mixer):
        state = mixer.get_state()
        json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
        assert state["_esm"].count("export default") == 1
        assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])

    def test_arrays_and_tensors_with_gradient_will_do(self, scores, target):
        graded = {name: values.requires_grad_() for name, values in scores.items()}
        image = np.zeros((*SIZE, 3), np.uint8)
        mixer = SkipMixer(image, graded, tuple(CLASSES), COLORS.astype(np.uint8), target.numpy().astype(np.uint8))
        assert mixer.confusion_matrix().matrix.sum() == 232


class TestWithoutABrowser:
    def test_a_notebook_gets_a_picture_and_a_sentence(self, mixer):
        data, metadata = InteractiveShell.instance().display_formatter.format(mixer)
        assert metadata["image/png"]["alt"] == data["text/plain"] == mixer.describe()
        picture = base64.b64decode(data["image/png"])
        assert Image.open(io.BytesIO(picture)).width > 800 and len(picture) < 150_000

    def test_picture_and_sentence_follow_the_weights(self, mixer):
        before = InteractiveShell.instance().display_formatter.format(mixer)[0]
        mixer.weights = {"deep": 1, "middle": 0.5, "odd": 0}
        after = InteractiveShell.instance().display_formatter.format(mixer)[0]
        assert after["image/png"] != before["image/png"]
        score, label = mixer.confusion_matrix().mean_iu(), CLASSES[mixer.prediction[6, 10]]
        assert after["text/plain"] == (
            "Skip mixer: 3 score maps of one trained net on an image of 12 × 20 pixels, mixed as deep + 0.50 · middle. "
            f"Mean IoU with the target: {score:.3f}. Row 6, column 10 is '{label}'."
        )


def maps(**changed):
    return {"scores": {"deep": torch.zeros(3, 3, 5)} | changed}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": torch.zeros(3, 3, 5)}, "scores is Tensor; expected a dict of 1 to 6 maps"),
        ({"scores": {}}, "scores is a dict of 0"),
        (maps(pool4=torch.zeros(1, 3, 6, 10)), r"scores\['pool4'\] has shape \(1, 3, 6, 10\); .* Of a batch take one"),
        (maps(pool4=torch.zeros(2, 6, 10)), r"\['pool4'\] has shape \(2, 6, 10\); 3 class_names need .*\(3, h, w\)"),
        (maps(pool4=torch.zeros(3, 0, 10)), r"shape \(3, 0, 10\)"),
        (maps(pool4=torch.full((3, 1, 2), torch.nan)), r"scores\['pool4'\] holds 6 NaN or infinite values of 6"),
        ({"class_names": ["only"]}, r"class_names is \['only'\]; expected a list of 2 to 40 different names"),
        ({"class_names": "abc"}, "class_names is 'abc'"),
        ({"colors": COLORS[:2]}, r"colors is int64 of shape \(2, 3\); expected whole numbers in 0…255, \(3, 3\)"),
        ({"colors": COLORS / 255}, "colors is float64"),
        ({"colors": COLORS * 2}, "colors is int64"),
        ({"image": torch.zeros(3, 12, 300)}, "image is 12 × 300 pixels; expected 1 to 256 on each side"),
        ({"target": torch.zeros(20, 12).long()}, r"target is int64 of shape \(20, 12\); expected .* \(12, 20\)"),
        ({"target": torch.zeros(SIZE)}, "target is float32"),
        ({"target": torch.full(SIZE, 3)}, r"target has labels \[3\]; expected 0…2, or 255 for void"),
    ],
)  # fmt: skip
def test_bad_arguments_get_an_error_that_says_what_to_do(change, message):
    arguments = {"image": torch.zeros(3, *SIZE), "class_names": CLASSES, "colors": COLORS, **maps()} | change
    with pytest.raises(ValueError, match=message):
        SkipMixer(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("weights", {"deep": 1}, TraitError, "weights has the maps 'deep'; expected 'deep', 'middle', 'odd'"),
        ("weights", {"deep": 1, "middle": 3, "odd": 0}, TraitError, "the weight of 'middle' is 3; expected .* 0 to 2"),
        ("weights", {"deep": 1, "middle": -1, "odd": 0}, TraitError, "is -1"),
        ("weights", {"deep": 1, "middle": float("nan"), "odd": 0}, TraitError, "is nan"),
        ("weights", {"deep": "1", "middle": 1, "odd": 0}, TraitError, "the weight of 'deep' is '1'"),
        ("row", 12, IndexError, "row is 12; expected 0 to 11"),
        ("col", -1, IndexError, "col is -1; expected 0 to 19"),
    ],
)
def test_a_bad_state_is_refused(mixer, name, value, error, message):
    before = mixer.describe()
    with pytest.raises(error, match=message):
        setattr(mixer, name, value)
    assert mixer.describe() == before
