"""Pictures for the lessons: one look, alt text on every figure, colours that colour-blind readers tell apart.

A lesson draws on axes and ends with `show`:

    fig, (left, right) = subplots(1, 2)
    draw_image(left, image, "Photo")
    draw_mask(right, mask, dataset.palette, dataset.classes)
    show(fig, alt="A street, and the same street with every pixel coloured by its class.")
"""

from course_utils.plotting.display import show
from course_utils.plotting.heatmaps import draw_heatmap
from course_utils.plotting.images import as_rgb, draw_box, draw_image, show_images
from course_utils.plotting.live_curve import LiveCurve, draw_history
from course_utils.plotting.masks import draw_mask, draw_overlay, label_regions
from course_utils.plotting.style import OKABE_ITO, style, subplots

__all__ = [
    "OKABE_ITO",
    "LiveCurve",
    "as_rgb",
    "draw_box",
    "draw_heatmap",
    "draw_history",
    "draw_image",
    "draw_mask",
    "draw_overlay",
    "label_regions",
    "show",
    "show_images",
    "style",
    "subplots",
]
