"""What every explorer's page must be, whatever it shows: readable, named, narrow where the cell is narrow."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.browser.explorer_view import ExplorerView

CONTRASTS = """root => {
    const numbers = color => [...color.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
    const over = (top, bottom) => top.slice(0, 3).map((part, i) => part * top[3] + bottom[i] * (1 - top[3]));
    const behind = node => {
        const color = numbers(getComputedStyle(node).backgroundColor);
        return color[3] === 1 ? color.slice(0, 3) : over(color, behind(node.parentElement));
    };
    const luminance = color => {
        const [r, g, b] = color.map(part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const texts = 'span, dt, dd, td, th, small, p, figcaption, button:enabled, select, input, output';
    return [...root.querySelectorAll(texts)]
        .filter(node => (node.textContent.trim() || node.matches('input[type=number]')) && node.checkVisibility())
        .map(node => {
            const paper = behind(node);
            const [a, b] = [over(numbers(getComputedStyle(node).color), paper), paper].map(luminance);
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.textContent];
        });
}"""
NAME = "node => node.ariaLabel || [...node.labels ?? []].map(label => label.textContent).join() || node.textContent"


def check_readable(view: ExplorerView) -> None:
    """Raise AssertionError unless all text has WCAG 2.2's contrast of 4.5 to what lies behind it, in both themes."""
    for dark in (True, False):
        view.notebook.use_theme(dark)
        view.settle()
        contrasts = view.root.evaluate(CONTRASTS)
        assert len(contrasts) > 15
        assert [text for contrast, text in contrasts if contrast < 4.5] == [], f"dark: {dark}"


def check_names(view: ExplorerView) -> None:
    """Raise AssertionError unless everything that can be focused has a name for those who listen."""
    controls = view.root.locator("select, input, button, [tabindex='0']").all()
    assert len(controls) >= 3
    for control in controls:
        assert control.evaluate(NAME).strip(), control.evaluate("node => node.outerHTML")


def check_narrow(view: ExplorerView, stages: list[Locator]) -> None:
    """Raise AssertionError unless in a cell of 440 pixels the stages stand below one another and nothing sticks out."""
    page = view.notebook.page
    view.root.evaluate("root => { root.parentElement.style.width = '440px'; }")
    page.wait_for_timeout(300)
    outer, boxes = view.root.bounding_box(), [stage.bounding_box() for stage in stages]
    assert outer["width"] == 440
    for upper, lower in zip(boxes, boxes[1:], strict=False):
        assert lower["y"] >= upper["y"] + upper["height"]
    assert all(box["x"] + box["width"] < outer["x"] + outer["width"] for box in boxes)
    assert view.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    view.root.evaluate("root => { root.parentElement.style.width = ''; }")
    page.wait_for_timeout(300)
    assert view.root.bounding_box()["width"] > 700
    # JupyterLab's own notebook stumbles when a cell changes its height at once; the explorer is not in the trace.
    view.notebook.problems[:] = [problem for problem in view.notebook.problems if not _stumbled(problem)]


def _stumbled(problem: str) -> bool:
    places = [line for line in problem.splitlines() if line.strip().startswith("at ")]
    return "removeChild" in problem and bool(places) and all("/jlab_core." in place for place in places)


def end_kernel(view: ExplorerView) -> None:
    """Shut the notebook's kernel down, as when a page is read later."""
    view.notebook.page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.shutdown(); }"
    )


def check_only_the_kernel_is_missing(view: ExplorerView) -> None:
    """Raise AssertionError if anything but JupyterLab's complaint about its kernel went wrong; forget that one."""
    problems = view.notebook.problems
    assert all("Could not send widget sync message" in problem for problem in problems), problems
    problems.clear()
