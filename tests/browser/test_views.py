"""Explorers as parts of a notebook: two views, themes, narrow windows, cleaning up, and no kernel at all."""

from __future__ import annotations

import pytest

from tests.browser.explorer_view import ExplorerView
from tests.browser.test_explorers import FIELDS, SETUP, SLIDING


@pytest.fixture(scope="module")
def opened(open_notebook):
    with open_notebook(SETUP, SLIDING, FIELDS, "sliding") as notebook:
        notebook.run_all()
        notebook.check()
        yield notebook
        assert notebook.problems == []


def test_two_views_of_one_explorer_stay_in_step(opened):
    first, second = ExplorerView(opened, 0), ExplorerView(opened, 2)
    second.press("Control+Home", "ArrowDown", "ArrowRight")
    opened.wait_until_idle()
    for _ in range(200):  # the other view follows at a frame of its own, which a busy machine may delay
        if first.position() == second.position():
            break
        opened.page.wait_for_timeout(50)
    assert first.position() == second.position() == (1, 1)
    first.root.get_by_role("radio", name="4", exact=True).check()
    opened.wait_until_idle()
    assert second.root.get_by_role("radio", name="4", exact=True).is_checked()
    assert second.root.get_by_role("radio", name="4", exact=True).get_attribute("name") != (
        first.root.get_by_role("radio", name="4", exact=True).get_attribute("name")
    ), "the radio buttons of two views must be two groups"


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_in_both_themes(opened, index, dark):
    """WCAG 2.2 asks for a contrast of 4.5 between text and what lies behind it."""
    opened.use_theme(dark)
    view = ExplorerView(opened, index)
    view.settle()
    contrasts = view.root.evaluate(
        """root => {
            const luminance = color => {
                const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(Number).map(c => (c /= 255) <= 0.04045
                    ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = node => {
                const color = getComputedStyle(node).backgroundColor;
                return color.startsWith('rgba(0, 0, 0, 0)') ? behind(node.parentElement) : color;
            };
            return [...root.querySelectorAll('span, dt, dd, small, p, figcaption, select')]
                .filter(node => node.textContent.trim() && node.checkVisibility())
                .map(node => {
                    const [a, b] = [getComputedStyle(node).color, behind(node)].map(luminance);
                    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.textContent];
                });
        }"""
    )
    assert len(contrasts) > 15
    assert [text for contrast, text in contrasts if contrast < 4.5] == []


def test_explorers_fit_a_narrow_window(opened):
    opened.page.set_viewport_size({"width": 520, "height": 1000})
    opened.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    for index in (0, 1):
        view = ExplorerView(opened, index)
        opened.page.wait_for_timeout(300)
        inner, outer = view.map.bounding_box(), view.root.bounding_box()
        assert outer["width"] < 480
        assert inner["y"] > view.image.bounding_box()["y"] + 100, "the map goes below the image"
        assert inner["x"] + inner["width"] < outer["x"] + outer["width"]
        assert view.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    opened.page.set_viewport_size({"width": 1400, "height": 1000})
    opened.page.wait_for_timeout(300)
    assert ExplorerView(opened, 0).root.bounding_box()["width"] > 700


def test_every_control_has_a_name(opened):
    """Screen readers say the names of what can be focused."""
    for index in (0, 1):
        root = ExplorerView(opened, index).root
        controls = root.locator("select, input, [tabindex='0']")
        assert controls.count() >= 3
        for control in controls.all():
            name = control.evaluate(
                "node => node.ariaLabel || [...node.labels ?? []].map(l => l.textContent).join(' ')"
            )
            assert name.strip(), control.evaluate("node => node.outerHTML")


def test_a_closed_view_leaves_nothing_behind(opened):
    """What one view did must not be done again, and fail, once it is off the page."""
    assert opened.page.locator(".explorer").count() == 3
    opened.page.evaluate(
        """() => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.widgets[3].model.clearExecution();
        }"""
    )
    assert opened.page.locator(".explorer").count() == 2
    opened.python("sliding.row = 0; sliding.col = 0")
    opened.wait_until_idle()
    first = ExplorerView(opened, 0)
    first.press("ArrowDown")
    assert first.position() == (1, 0)
    assert opened.problems == []


def test_explorers_live_on_without_a_kernel(opened):
    """The kernel ends: the window and the box go on following; only new gradients cannot come."""
    opened.page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.shutdown(); }"
    )
    sliding, fields = ExplorerView(opened, 0), ExplorerView(opened, 1)
    sliding.press("Control+End")
    rows, cols = map(int, sliding.says("position").split(" of ")[1].split(" × "))
    assert sliding.position() == (rows - 1, cols - 1)
    fields.root.get_by_role("combobox", name="Layer").select_option("2")
    fields.press("Control+Home", "ArrowRight")
    assert fields.says("box") == "rows -10…10, columns -8…12"
    assert fields.says("share").startswith("…")
    # JupyterLab says that it has nobody to send to; nothing else may be wrong.
    assert all("Could not send widget sync message" in problem for problem in opened.problems), opened.problems
    opened.problems.clear()
