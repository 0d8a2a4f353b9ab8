"""A metrics painter on a page: paint by mouse and keys, and compare every number with the kernel's."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator

from tests.browser.explorer_view import ExplorerView

PICTURE_SCORES = ("acc", "acc_cls", "mean_iu", "fw_iu")
CLASS_SCORES = ("iu", "dice", "precision", "recall", "boundary_f1")

# Every painter that lives in the kernel, with what its page must tell.
STATE = """
import json, gc
from course_utils.widgets import MetricsPainter
print(json.dumps([
    {"matrix": p.confusion_matrix().matrix.tolist(), "scores": p.scores(), "prediction": p.prediction.tolist()}
    for p in gc.get_objects() if issubclass(type(p), MetricsPainter)
]))
"""
# All digits of a score stand in its title.
SCORES = """root => {
    const read = (score, index) => Number(
        root.querySelector(`[data-score="${score}"]${index === null ? ":not(td)" : `[data-class="${index}"]`}`).title);
    const matrix = [...root.querySelectorAll('.painter-matrix tbody tr')]
        .map(row => [...row.querySelectorAll('td')].map(cell => Number(cell.textContent)));
    return {
        matrix,
        picture: PICTURE.map(score => read(score, null)),
        classes: CLASSES.map(score => matrix.map((_, index) => read(score, index))),
    };
}""".replace("PICTURE", json.dumps(PICTURE_SCORES)).replace("CLASSES", json.dumps(CLASS_SCORES))


class PainterView(ExplorerView):
    """`image` is the truth, `map` the prediction."""

    def size(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        rows, cols = self.says("position").split(" of ")[1].split(" × ")
        return int(rows), int(cols)

    def choose(self, label: int) -> None:
        """Paint with this class from now on."""
        self.root.get_by_role("radiogroup", name="Paint with").get_by_role("radio").nth(label).check()

    def radio(self, group: str, name: str) -> Locator:
        """One radio button of a group."""
        return self.root.get_by_role("radiogroup", name=group).get_by_role("radio", name=name, exact=True)

    def choose_policy(self, name: str) -> None:
        """Let absent classes count as "nan", "0" or "1"."""
        self.radio("An absent class counts as", name).check()
        self.settle()

    def brush(self, across: int) -> None:
        """Paint with a brush so many pixels wide from now on."""
        self.radio("Brush", str(across)).check()

    def drag(self, *cells: tuple[int, int]) -> None:
        """Paint a stroke with the mouse, from (row, col) to (row, col)."""
        (rows, cols), mouse = self.size(), self.notebook.page.mouse
        box = self.map.bounding_box()
        places = [
            (box["x"] + (col + 0.5) / cols * box["width"], box["y"] + (row + 0.5) / rows * box["height"])
            for row, col in cells
        ]
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place)
        mouse.up()
        self.settle()

    def click(self, name: str) -> None:
        """Press one of the painter's buttons."""
        self.root.get_by_role("button", name=name).click()
        self.settle()

    def numbers(self) -> dict:
        """The confusion matrix, the picture's scores, and each score of each class; all digits."""
        return self.root.evaluate(SCORES)

    def check_numbers(self) -> dict:
        """Raise AssertionError unless a painter in the kernel has the numbers that the page tells; return its state."""
        self.notebook.wait_until_idle()
        told = self.numbers()
        painters = json.loads(self.notebook.python(STATE))
        here = [painter for painter in painters if painter["matrix"] == told["matrix"]]
        assert here, f"no painter in the kernel has the matrix {told['matrix']}: {[p['matrix'] for p in painters]}"
        for name, value in zip(PICTURE_SCORES, told["picture"], strict=True):
            assert value == pytest.approx(here[0]["scores"][name], rel=1e-12, abs=1e-12, nan_ok=True), name
        for name, values in zip(CLASS_SCORES, told["classes"], strict=True):
            expected = list(here[0]["scores"][name].values())
            assert values == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), name
        return here[0]


def check_painter(view: PainterView) -> None:
    """Raise AssertionError unless the painter is drawn, paints by mouse and keyboard, and tells the truth."""
    assert min(view.count_colors()) > 2, "a canvas is blank"
    view.check_numbers()
    rows, cols = view.size()
    last = view.root.get_by_role("radiogroup", name="Paint with").get_by_role("radio").count() - 1
    view.point(view.map, 0.5, 0.01)
    before = view.pictures()
    for label in (0, last):
        matrix = view.numbers()["matrix"]
        view.choose(label)
        view.drag((0, 0), (rows - 1, cols - 1))
        assert view.position() == (rows - 1, cols - 1), "the painter does not follow the mouse"
    assert view.numbers()["matrix"] != matrix, "a stroke does not change the matrix"
    assert all(old != new for old, new in zip(before, view.pictures(), strict=True)), "a picture did not change"
    prediction = view.check_numbers()["prediction"]
    assert prediction[0][0] == prediction[rows - 1][cols - 1] == last, "the kernel does not get what is painted"

    cells = view.notebook.cell_states()
    view.press("Control+Home", "0", " ", "ArrowRight", "b")
    assert view.position() == (0, 1), "the painter does not follow the keyboard"
    assert view.notebook.cell_states() == cells, "the notebook took keys that were meant for the painter"
    assert view.check_numbers()["prediction"][0][0] == 0, "Space does not paint"
    view.press("z")
    assert view.check_numbers()["prediction"] == prediction, "Z does not take the last stroke back"
