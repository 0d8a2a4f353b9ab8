"""Which check belongs to which explorer: its root element has the class `explorer` and one of its own.

The sliding window and the receptive field explorer have none of their own, and are checked alike.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.browser.alignment_view import AlignmentView, check_alignment
from tests.browser.atrous_view import AtrousView, check_atrous
from tests.browser.conv_arithmetic_view import ConvArithmeticView, check_conv_arithmetic
from tests.browser.explorer_view import ExplorerView, check_explorer
from tests.browser.notebook_page import NotebookPage
from tests.browser.painter_view import PainterView, check_painter
from tests.browser.skip_mixer_view import MixerView, check_mixer
from tests.browser.unpooling_view import UnpoolingView, check_unpooling
from tests.browser.weight_map_view import WeightMapView, check_weight_map

CHECKS: dict[str, tuple[type[ExplorerView], Callable]] = {
    "atrous": (AtrousView, check_atrous),
    "mixer": (MixerView, check_mixer),
    "alignment": (AlignmentView, check_alignment),
    "conv-arithmetic": (ConvArithmeticView, check_conv_arithmetic),
    "painter": (PainterView, check_painter),
    "unpooling": (UnpoolingView, check_unpooling),
    "weight-map": (WeightMapView, check_weight_map),
}


def check_every_explorer(opened: NotebookPage) -> None:
    """Raise AssertionError unless each explorer of a notebook works by mouse and keyboard."""
    roots = opened.page.locator(".explorer").all()
    for index, root in enumerate(roots):
        own = set(root.get_attribute("class").split()) - {"explorer"}
        assert own <= CHECKS.keys() and len(own) <= 1, f"no check for an explorer of class {own}: add it to CHECKS"
        view, check = CHECKS[own.pop()] if own else (ExplorerView, check_explorer)
        check(view(opened, index))
