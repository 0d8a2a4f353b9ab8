"""The harness must see what is broken: everything in these notebooks is, each thing in a way of its own."""

from __future__ import annotations

import pytest

from tests.browser.explorer_view import ExplorerView, check_explorer

SETUP = """
import numpy as np
from course_utils.widgets import SlidingWindowExplorer
image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
scores = np.random.default_rng(0).normal(size=(2, 5, 9))
"""
EXPLORER = """
class Tested(SlidingWindowExplorer):
    _esm = SlidingWindowExplorer._esm{change}
explorer = Tested(image, {{8: scores}}, ["cat", "dog"], window=32)
explorer
"""
WIDGET = """
import anywidget
class Broken(anywidget.AnyWidget):
    _esm = {source!r}
Broken()
"""

# Changes to an explorer's browser code, and what the check must say of each.
BREAKS = {
    "deaf to the mouse": (".replace('pointermove', 'never')", "does not follow the mouse"),
    "deaf to keys": (".replace('event.key', 'event.never')", "does not follow the keyboard"),
    "arrow keys stolen": (
        ".replace('event.stopPropagation()', '0').replace('lm-suppress', 'never')",
        "took keys that were meant for the explorer",
    ),
    "blank canvas": (".replace('paint(context, this', '(() => 0)(context, this')", "a canvas is blank"),
    "no mark": (
        ".replace('markCell(context, ...cellBox', '(() => 0)(context, ...cellBox')",
        "a picture did not change",
    ),
    "wrong score": (".replace('format(state.score,', 'format(state.score + 0.1,')", "has the score"),
    "wrong window": (".replace('top + window - 1', 'top + window')", "has the box"),
}


@pytest.fixture(scope="module")
def broken_explorers(open_notebook):
    with open_notebook(SETUP, *(EXPLORER.format(change=change) for change, _ in BREAKS.values())) as opened:
        opened.run_all()
        opened.check()
        yield opened


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_explorer_is_seen(broken_explorers, name):
    with pytest.raises(AssertionError, match=BREAKS[name][1]):
        check_explorer(ExplorerView(broken_explorers, list(BREAKS).index(name)))


def test_a_sound_explorer_passes_and_an_error_in_a_callback_is_seen(open_notebook):
    watch = "explorer.observe(lambda change: 1 / 0 if change['new'] == 16 else None, '_top')"
    with open_notebook(SETUP, EXPLORER.format(change=""), watch) as opened:
        opened.run_all()
        view = ExplorerView(opened)
        check_explorer(view)
        opened.check()
        view.press("Control+Home", "ArrowDown", "ArrowDown")
        opened.wait_until_idle()
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            opened.check()


def test_what_goes_wrong_by_itself_is_seen(open_notebook):
    breaks = {
        "export default { render() { throw new Error('thrown') } }": "thrown",
        "export default {{{": "SyntaxError",
        "import 'https://cdn.example.org/x.js'; export default {}": "off this machine: https://cdn.example.org/x.js",
        "export default { render() { fetch('/no-such-page') } }": "HTTP 404: /no-such-page",
        "export default { render() { setTimeout(() => { null.late }) } }": "page error",
    }
    with open_notebook(*(WIDGET.format(source=source) for source in breaks), "1 / 0", "'not run'") as opened:
        opened.run_all()
        opened.page.wait_for_timeout(500)
        with pytest.raises(AssertionError) as failure:
            opened.check()
    for problem in [*breaks.values(), "ZeroDivisionError", "was not run: 'not run'"]:
        assert problem in str(failure.value)
