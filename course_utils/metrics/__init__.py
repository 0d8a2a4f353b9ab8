"""Scores of segmentations: the confusion matrix with all that comes out of it, and how well outlines fit.

Counts are added up over the whole data set first and divided last:

    matrix = ConfusionMatrix(num_classes=8)
    for image, mask in dataset:
        matrix.update(model(image[None]).argmax(1), mask[None])
    matrix.mean_iu()
"""

from course_utils.metrics.boundary import boundary_f1
from course_utils.metrics.confusion import BinaryCounts, ConfusionMatrix

__all__ = ["BinaryCounts", "ConfusionMatrix", "boundary_f1"]
