"""From a mouse event to the new picture: the explorers beside `interact` with matplotlib, in JupyterLab in Chromium.

A latency runs from the event's own time stamp to the first task after the frame in which the new picture is drawn
(a message sent from `requestAnimationFrame`, so after style, layout and paint of that frame). For `interact` it runs
from the slider's key event to that same moment of the frame after the new image is decoded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import nbformat

from tests.browser.alignment_view import AlignmentView
from tests.browser.atrous_view import AtrousView
from tests.browser.chromium import chromium
from tests.browser.conv_arithmetic_view import ConvArithmeticView
from tests.browser.explorer_view import ExplorerView
from tests.browser.lab import LabServer
from tests.browser.notebook_page import NotebookPage
from tests.browser.painter_view import PainterView
from tests.browser.skip_mixer_view import MixerView
from tests.browser.unpooling_view import UnpoolingView
from tests.browser.weight_map_view import WeightMapView

MOVES = 240
STEPS = 30

SETUP = """
import torch
from ipywidgets import interact
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle
from course_utils.data import load_dataset, load_photo
from course_utils.metrics import ConfusionMatrix
from course_utils.models import load_classifier
from course_utils.widgets import (
    AlignmentExplorer, AtrousExplorer, ConvArithmeticExplorer, MetricsPainter, ReceptiveFieldExplorer, SkipMixer,
    SlidingWindowExplorer, UnpoolingExplorer, WeightMapExplorer,
)
torch.manual_seed(0)
photo = load_photo("chelsea")[:296, :448]
scores = {stride: torch.rand(1, (296 - 224) // stride + 1, (448 - 224) // stride + 1) for stride in (8, 4)}
street = load_dataset("street_scenes", "val")
_, truth = street[0]
"""
WINDOWS_BY_HAND = """
def draw(row=(0, 18), col=(0, 56)):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    left.imshow(photo)
    left.add_patch(Rectangle((col * 4, row * 4), 224, 224, fill=False, edgecolor="orange", linewidth=2))
    heat = right.imshow(scores[4][0])
    right.add_patch(Rectangle((col - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="orange", linewidth=2))
    figure.colorbar(heat, ax=right)
    plt.show()
interact(draw);
"""
PAINTER_BY_HAND = """
painted = torch.full_like(truth, 2)
palette = torch.tensor(street.palette)
def paint(row=(1, 94), col=(1, 126)):
    painted[row - 1 : row + 2, col - 1 : col + 2] = col % 8  # no two pictures are the same
    matrix = ConfusionMatrix(8).update(painted, truth)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 4))
    left.imshow(palette[truth.clamp(max=7)])
    middle.imshow(palette[painted])
    middle.imshow(truth != painted, cmap="Reds", alpha=0.3)
    right.imshow(matrix.matrix)
    for t in range(8):
        for p in range(8):
            right.text(p, t, int(matrix.matrix[t, p]), ha="center", va="center", fontsize=6)
    right.set_title(f"mean_iu {matrix.mean_iu():.3f}, fw_iu {matrix.fw_iu():.3f}\\n{matrix.iu()}", fontsize=6)
    plt.show()
interact(paint);
"""


@dataclass(frozen=True)
class Subject:
    """An explorer to drag over: the cell that shows it, and how to look at it on the page."""

    name: str
    cell: str
    view: type[ExplorerView] = ExplorerView
    prepare: Callable[[Any], object] = lambda view: None


# What a reader would write without explorers; each row is compared with the one above it.
SUBJECTS: list[str | Subject] = [
    WINDOWS_BY_HAND,
    Subject(
        "sliding window explorer",
        """
sliding = SlidingWindowExplorer(photo, scores, ["cat"], window=224)
sliding.stride = 4
sliding
""",
    ),
    Subject(
        "receptive field explorer",
        """
network = load_classifier("resnet18", pretrained=False)
ReceptiveFieldExplorer(photo, {"resnet18": network}, {"resnet18": ["layer2"]})
""",
    ),
    Subject("convolution, 12 × 12", "ConvArithmeticExplorer(12, padding=1)", ConvArithmeticView),
    Subject(
        "transposed convolution, 24 × 24",
        "ConvArithmeticExplorer(12, kernel=4, stride=2, padding=1, transposed=True)",
        ConvArithmeticView,
    ),
    Subject("alignment explorer, FCN-8s", "AlignmentExplorer('fcn8s')", AlignmentView, AlignmentView.show_all),
    Subject(
        "skip mixer, 96 × 128",
        """
strides = {"conv7": 32, "pool4": 16, "pool3": 8}
maps = {name: torch.randn(8, 96 // stride, 128 // stride) for name, stride in strides.items()}
SkipMixer(street[0][0], maps, street.classes, street.palette, truth)
""",
        MixerView,
    ),
    Subject("unpooling explorer, 32 × 32", "UnpoolingExplorer(torch.rand(32, 32))", UnpoolingView),
    Subject("atrous explorer, 33 × 33", "AtrousExplorer()", AtrousView),
    Subject(
        "weight map explorer",
        "WeightMapExplorer(load_dataset('cells', 'val', length=1, instances=True)[0][2])",
        WeightMapView,
    ),
    PAINTER_BY_HAND,
    Subject(
        "metrics painter, 96 × 128",
        "MetricsPainter(truth, street.classes, street.palette)",
        PainterView,
        lambda painter: painter.choose(7),
    ),
]
AFTER_THE_FRAME = """
    const afterTheFrame = act => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = act;
        channel.port2.postMessage(0);
    });
"""


def main() -> None:
    """Print median and 95th percentile of each explorer's latencies, and of what it stands beside."""
    print(f"event to paint in headless Chromium, {MOVES} moves of a drag, {STEPS} steps of a slider; a notebook each")
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        server = LabServer(Path(folder) / "lab")
        try:
            for subject in SUBJECTS:
                with NotebookPage(browser, server, notebook_of(subject)) as opened:
                    opened.run_all()
                    opened.check()
                    if isinstance(subject, str):
                        classic = slider_latencies(opened)
                        report("interact + matplotlib", classic, classic)
                    else:
                        view = subject.view(opened)
                        subject.prepare(view)
                        report(subject.name, drag_latencies(view), classic)
                    opened.check()
        finally:
            server.stop()


def notebook_of(subject: str | Subject) -> nbformat.NotebookNode:
    """A notebook that shows one subject."""
    cells = [SETUP, subject if isinstance(subject, str) else subject.cell]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def report(name: str, latencies: list[float], classic: list[float]) -> None:
    """Print one row of the table."""
    middle, high = percentile(latencies, 50), percentile(latencies, 95)
    ratio = percentile(classic, 50) / middle
    print(f"  {name:30} median {middle:6.1f} ms   p95 {high:6.1f} ms   {ratio:5.1f} times as fast at the median")


def percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def drag_latencies(view: ExplorerView) -> list[float]:
    """Drag over the map, from cell to cell, and return the latency of each move, in milliseconds.

    Raises:
        RuntimeError: after a frame, the explorer did not tell the new cell.
    """
    view.map.evaluate(
        f"""stage => {{
            {AFTER_THE_FRAME}
            const position = stage.closest('.explorer').querySelector('[data-value="position"]');
            window.latencies = [];
            let old = position.textContent;
            stage.addEventListener('pointermove', event => afterTheFrame(() => {{
                const now = performance.now();
                window.latencies.push(position.textContent === old ? -1 : now - event.timeStamp);
                old = position.textContent;
            }}), true);
        }}"""
    )
    mouse, box, place = view.notebook.page.mouse, view.map.bounding_box(), view.way(MOVES)

    def move(step: int) -> None:
        across, down = place(step)
        mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])

    move(0)
    mouse.down()
    view.settle()
    view.notebook.page.evaluate("() => { window.latencies.length = 0; }")
    for step in range(1, MOVES + 1):
        move(step)
    mouse.up()
    view.settle()
    latencies = view.notebook.page.evaluate("() => window.latencies")
    if len(latencies) != MOVES or min(latencies) < 0:
        stale = sum(latency < 0 for latency in latencies)
        raise RuntimeError(f"{len(latencies)} of {MOVES} moves arrived, after {stale} of them the old cell was told")
    return latencies


def slider_latencies(opened: NotebookPage) -> list[float]:
    """Move the second slider of an `interact`; return each new picture's latency in ms."""
    page = opened.page
    page.evaluate(
        f"""() => {{
            {AFTER_THE_FRAME}
            window.nextPicture = () => new Promise(done => {{
                const area = document.querySelector(".widget-interact .jp-OutputArea");
                let pressed = null;
                window.addEventListener('keydown', event => {{ pressed ??= event.timeStamp; }}, {{capture: true}});
                const old = area.querySelector('img').src;
                const look = async () => {{
                    const image = area.querySelector('img');
                    if (!image || image.src === old) return;
                    watcher.disconnect();
                    await image.decode();
                    afterTheFrame(() => done(performance.now() - pressed));
                }};
                const watcher = new MutationObserver(look);
                watcher.observe(area, {{childList: true, subtree: true, attributes: true}});
            }});
        }}"""
    )
    slider = page.locator(".widget-interact .noUi-handle").nth(1)
    slider.scroll_into_view_if_needed()
    latencies = []
    for step in range(STEPS):
        slider.focus()
        page.evaluate("() => { window.picture = window.nextPicture(); }")
        page.keyboard.press("ArrowRight" if step < STEPS / 2 else "ArrowLeft")
        latencies.append(page.evaluate("() => window.picture"))
        opened.wait_until_idle()
    return latencies


if __name__ == "__main__":
    main()
