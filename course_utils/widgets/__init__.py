"""Explorers: pictures that answer to the mouse and the keyboard, drawn in the browser.

A lesson makes one from tensors and ends its cell with it:

    SlidingWindowExplorer(image, {32: scores}, ["tabby", "lynx"], window=224)
"""

from course_utils.widgets.alignment import AlignmentExplorer
from course_utils.widgets.atrous import AtrousExplorer
from course_utils.widgets.conv_arithmetic import ConvArithmeticExplorer
from course_utils.widgets.metrics_painter import MetricsPainter
from course_utils.widgets.receptive_field import ReceptiveFieldExplorer
from course_utils.widgets.skip_mixer import SkipMixer
from course_utils.widgets.sliding_window import SlidingWindowExplorer
from course_utils.widgets.unpooling import UnpoolingExplorer
from course_utils.widgets.weight_map import WeightMapExplorer

__all__ = [
    "AlignmentExplorer",
    "AtrousExplorer",
    "ConvArithmeticExplorer",
    "MetricsPainter",
    "ReceptiveFieldExplorer",
    "SkipMixer",
    "SlidingWindowExplorer",
    "UnpoolingExplorer",
    "WeightMapExplorer",
]
