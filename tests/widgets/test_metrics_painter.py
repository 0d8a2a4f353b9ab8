"""The kernel's side of the metrics painter."""

from __future__ import annotations

import base64
import io
import json
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets import TraitError

from course_utils.metrics import boundary_f1
from course_utils.widgets import MetricsPainter

CLASSES = ["sky", "road", "car"]
PALETTE = np.array([[120, 181, 242], [66, 66, 72], [244, 116, 8]], np.uint8)
SIZE = (6, 9)


def painter(truth, prediction=None, **options) -> MetricsPainter:
    return MetricsPainter(truth, CLASSES, PALETTE, prediction=prediction, **options)


def labels(numbers: str) -> np.ndarray:
    """An array from its picture: "001 12v", v for void."""
    return np.array([[255 if letter == "v" else int(letter) for letter in row] for row in numbers.split()])


def sent(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)


TRUTH = labels("000000000 000000000 00022000v 11122111v 111111111 1111111vv")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def painted(random) -> MetricsPainter:
    return painter(TRUTH, random.integers(0, 3, SIZE))


def by_hand(prediction, truth, absent) -> dict:
    """The scores as the definitions say them, class by class."""
    scored = truth != 255
    truth, prediction = truth[scored], prediction[scored]
    policy = {"nan": math.nan, "zero": 0.0, "one": 1.0}[absent] if truth.size else math.nan

    def share(part, whole):
        return part / whole if whole else policy

    def mean(values):
        return np.mean([value for value in values if not math.isnan(value)] or [math.nan])

    found = {"iu": [], "dice": [], "precision": [], "recall": [], "weighted": []}
    for label in range(len(CLASSES)):
        tp = np.sum((truth == label) & (prediction == label))
        fp = np.sum((truth != label) & (prediction == label))
        fn = np.sum((truth == label) & (prediction != label))
        found["iu"].append(share(tp, tp + fp + fn))
        found["dice"].append(share(2 * tp, 2 * tp + fp + fn))
        found["precision"].append(share(tp, tp + fp))
        found["recall"].append(share(tp, tp + fn))
        found["weighted"].append((tp + fn) / max(truth.size, 1) * (tp / (tp + fp + fn) if tp + fp + fn else 0))
    return {
        "acc": np.mean(truth == prediction) if truth.size else math.nan,
        "acc_cls": mean(found["recall"]),
        "mean_iu": mean(found["iu"]),
        "fw_iu": sum(found["weighted"]) if truth.size else math.nan,
        **{name: dict(zip(CLASSES, found[name], strict=True)) for name in ("iu", "dice", "precision", "recall")},
    }


@given(
    arrays(np.int64, (3, 4), elements=st.sampled_from([0, 1, 2, 255])),
    arrays(np.int64, (3, 4), elements=st.integers(0, 2)),
    st.sampled_from(["nan", "zero", "one"]),
)
def test_scores_are_those_of_the_definitions(truth, prediction, absent):
    explorer = painter(truth, prediction)
    explorer.absent = absent
    scores = explorer.scores()
    outlines = scores.pop("boundary_f1")
    expected = by_hand(prediction, truth, absent)
    assert scores.keys() == expected.keys()
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, nan_ok=True), name
    reference = boundary_f1(torch.tensor(prediction), torch.tensor(truth), 3, tolerance=2.0)
    np.testing.assert_array_equal(list(outlines.values()), reference)


def test_tolerance_and_ignore_index_reach_the_scores():
    truth = labels("0000000 0001000 0000000")
    prediction = labels("0000000 0100000 0000000")
    assert painter(truth, prediction, tolerance=2).scores()["boundary_f1"]["road"] == 1
    assert painter(truth, prediction, tolerance=1).scores()["boundary_f1"]["road"] == 0
    assert painter(truth, prediction, tolerance=1)._tolerance == 1.0
    marked = np.where(truth == 1, -1, truth)
    assert painter(marked, prediction, ignore_index=-1).confusion_matrix().matrix.tolist() == [
        [19, 1, 0], [0, 0, 0], [0, 0, 0],
    ]  # fmt: skip


def test_without_a_prediction_all_is_of_the_commonest_class():
    explorer = painter(labels("0112v 0112v 111vv"))
    assert (explorer.prediction == 1).all() and explorer.prediction.shape == (3, 5)
    assert explorer.scores()["acc"] == 7 / 11


def test_all_void_is_no_error():
    explorer = painter(labels("vv vv vv"))
    assert all(math.isnan(explorer.scores()[name]) for name in ("acc", "acc_cls", "mean_iu", "fw_iu"))
    assert "wrong in 0 of 0 scored pixels (6 are void)" in explorer.describe()
    assert explorer.poster()


class TestBetweenKernelAndBrowser:
    def test_the_browser_gets_what_was_given(self, painted, random):
        np.testing.assert_array_equal(sent(painted._truth), TRUTH.ravel())
        np.testing.assert_array_equal(sent(painted._palette), PALETTE.ravel())
        np.testing.assert_array_equal(sent(painted.get_state()["prediction"]), painted.prediction.ravel())
        assert painted._start == painted.get_state()["prediction"]
        assert (painted._height, painted._width, painted._classes) == (*SIZE, CLASSES)

    def test_what_is_painted_comes_back(self, painted, random):
        news = []
        painted.observe(lambda change: news.append(change["new"]), "prediction")
        stroke = random.integers(0, 3, SIZE)
        painted.set_state({"prediction": base64.b64encode(stroke.astype(np.uint8).tobytes()).decode()})
        assert painted.prediction.dtype == np.int64
        np.testing.assert_array_equal(painted.prediction, stroke)
        assert len(news) == 1 and (news[0] == stroke).all()
        assert painted.confusion_matrix().matrix.sum() == (TRUTH != 255).sum()

    @pytest.mark.parametrize("ignore_index", [255, -1, 7, 1])
    def test_void_is_255_on_the_way_whatever_it_is_here(self, ignore_index):
        truth = np.where(TRUTH == 255, ignore_index, np.where(TRUTH == 1, 0, TRUTH))
        explorer = painter(truth, truth, ignore_index=ignore_index)
        np.testing.assert_array_equal(sent(explorer._truth) == 255, (truth == ignore_index).ravel())
        np.testing.assert_array_equal(explorer.prediction, truth)
        explorer.set_state({"prediction": explorer.get_state()["prediction"]})
        np.testing.assert_array_equal(explorer.prediction, truth)
        assert explorer.scores()["acc"] == 1

    def test_tensors_arrays_and_small_integers_will_do(self, random):
        prediction = random.integers(0, 3, SIZE)
        for change in (torch.tensor, np.uint8, np.int16, np.ndarray.tolist):
            explorer = MetricsPainter(change(TRUTH), tuple(CLASSES), change(PALETTE), prediction=change(prediction))
            np.testing.assert_array_equal(explorer.truth, TRUTH)
            np.testing.assert_array_equal(explorer.prediction, prediction)
            assert explorer.prediction.dtype == explorer.truth.dtype == np.int64

    def test_python_sets_the_prediction_as_a_whole(self, painted):
        with pytest.raises(ValueError, match="read-only"):
            painted.prediction[0, 0] = 1
        mine = torch.zeros(SIZE, dtype=torch.int64).numpy()
        painted.prediction = mine
        mine[:] = 2
        assert not painted.prediction.any(), "what was given is copied"
        assert not sent(painted.get_state()["prediction"]).any()
        painted.prediction = torch.ones(SIZE, dtype=torch.int64)
        assert (painted.prediction == 1).all() and isinstance(painted.prediction, np.ndarray)

    def test_an_image_is_sent_as_it_is(self, random):
        image = random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        explorer = painter(TRUTH, image=image)
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(explorer._image.split(",")[1]))))
        np.testing.assert_array_equal(pixels, image)
        assert explorer._has_photo and not painter(TRUTH)._has_photo

    def test_everything_is_json_text(self, painted):
        state = painted.get_state()
        json.dumps({key: value for key, value in state.items() if key != "layout"}, allow_nan=False)
        assert state["_esm"].count("export default") == 1
        assert not re.search(r"https?://|\bimport\b[ ({]", state["_esm"] + state["_css"])


class TestWithoutABrowser:
    def test_a_notebook_gets_a_picture_and_a_sentence(self, painted):
        data, metadata = InteractiveShell.instance().display_formatter.format(painted)
        assert metadata["image/png"]["alt"] == data["text/plain"] == painted.describe()
        picture = base64.b64decode(data["image/png"])
        assert Image.open(io.BytesIO(picture)).width > 800 and len(picture) < 150_000

    def test_picture_and_sentence_follow_the_prediction(self, painted):
        before = InteractiveShell.instance().display_formatter.format(painted)[0]
        wrong = np.where(TRUTH == 255, 0, TRUTH)
        wrong[0, :4] = 1
        painted.prediction = wrong
        after = InteractiveShell.instance().display_formatter.format(painted)[0]
        assert after["image/png"] != before["image/png"]
        assert after["text/plain"] == (
            "Metrics painter: a truth of 6 × 9 pixels with 3 classes, and a prediction of it that is wrong in 4 of 50 "
            "scored pixels (4 are void). acc 0.920, acc_cls 0.944, mean_iu 0.893, fw_iu 0.852."
        )

    def test_many_classes_make_a_picture_too(self):
        count = 21
        truth = np.arange(20 * 30).reshape(20, 30) % count
        colors = np.arange(3 * count).reshape(count, 3)
        assert MetricsPainter(truth, [f"class {k}" for k in range(count)], colors).poster()

    def test_wrong_pixels(self):
        explorer = painter(labels("01v 222"), labels("00v 221"))
        assert explorer.wrong.tolist() == [[False, True, False], [False, False, True]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truth": TRUTH[None]}, r"truth is int64 of shape \(1, 6, 9\); expected integers \(H, W\)"),
        ({"truth": TRUTH / 2}, r"truth is float64 of shape \(6, 9\); expected integers"),
        ({"truth": np.zeros((0, 9), int)}, "truth is 0 × 9 pixels; expected 1 to 256"),
        ({"truth": np.zeros((100, 600), int)}, r"truth is 100 × 600 pixels; .* truth\[::3, ::3\]"),
        ({"truth": np.where(TRUTH == 2, 3, TRUTH)}, r"truth has labels \[3\] in 4 pixels; expected 0…2, .*or 255"),
        ({"truth": -TRUTH}, r"truth has labels \[-255, -2, -1\]"),
        ({"ignore_index": 0}, r"truth has labels \[255\] in 4 pixels; .* or 0 \(ignore_index\)"),
        ({"classes": CLASSES[:2]}, r"palette has shape \(3, 3\) for 2 classes; expected \(2, 3\)"),
        ({"classes": ["a", "b", "a"]}, "classes is .*different names"),
        ({"classes": []}, r"classes is \[\]; expected a list of 1 to 40 different names"),
        ({"classes": "abc"}, "classes is 'abc'; expected a list"),
        ({"palette": PALETTE.T[:2]}, r"palette has shape \(2, 3\) for 3 classes; expected \(3, 3\)"),
        ({"palette": PALETTE / 255}, r"palette is float64 from .*; expected whole numbers in 0…255"),
        ({"palette": PALETTE.astype(int) * 2}, "palette is int64 from .* to 488; expected"),
        ({"palette": PALETTE.astype(int) - 9}, "palette is int64 from -1 to 235; expected"),
        ({"prediction": TRUTH[:, :8]}, r"prediction is int64 of shape \(6, 8\); expected .* \(6, 9\)"),
        ({"prediction": np.zeros((3, *SIZE))}, r"prediction is float64 of shape \(3, 6, 9\); .* by argmax"),
        ({"prediction": np.zeros(SIZE)}, r"prediction is float64 of shape \(6, 9\)"),
        ({"prediction": np.full(SIZE, 3)}, r"prediction has labels \[3\] in 54 pixels; expected 0…2"),
        ({"prediction": np.full(SIZE, 255)}, r"prediction has labels \[255\] in 50 pixels; expected 0…2"),
        ({"image": np.zeros((9, 6, 3), np.uint8)}, "image is 9 × 6 pixels but truth is 6 × 9"),
        ({"image": np.zeros((2, *SIZE))}, "image is an array of shape"),
        ({"tolerance": -1}, "tolerance is -1; expected a number of pixels, 0 or more"),
        ({"tolerance": math.nan}, "tolerance is nan"),
        ({"tolerance": math.inf}, "tolerance is inf"),
    ],
)
def test_bad_arguments_get_an_error_that_says_what_to_do(change, message):
    arguments = {"truth": TRUTH, "classes": CLASSES, "palette": PALETTE} | change
    with pytest.raises(ValueError, match=message):
        MetricsPainter(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("absent", "skip", "absent is 'skip'; expected one of 'nan', 'zero', 'one'"),
        ("prediction", np.zeros((9, 6), int), r"prediction is int64 of shape \(9, 6\)"),
        ("prediction", np.full(SIZE, 9), r"prediction has labels \[9\] in 54 pixels"),
        ("prediction", None, r"prediction is object of shape \(\)"),
    ],
)
def test_a_bad_state_is_refused(painted, name, value, message):
    before = painted.describe()
    with pytest.raises(TraitError, match=message):
        setattr(painted, name, value)
    assert painted.describe() == before
