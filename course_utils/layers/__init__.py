"""Layers that several networks share, each written so that it can be read, and equal to the library's."""

from course_utils.layers.bilinear import BilinearDeconv, bilinear_kernel
from course_utils.layers.transposed import (
    conv_transpose_by_gradient,
    conv_transpose_by_matrix,
    conv_transpose_by_scatter,
    conv_transpose_by_zero_insertion,
    convolution_matrix,
    insert_zeros,
    transposed_size,
)
from course_utils.layers.unpooling import (
    Pooled,
    indices_of_positions,
    max_pool,
    max_pool_by_hand,
    max_unpool,
    window_positions,
)

__all__ = [
    "BilinearDeconv",
    "Pooled",
    "bilinear_kernel",
    "conv_transpose_by_gradient",
    "conv_transpose_by_matrix",
    "conv_transpose_by_scatter",
    "conv_transpose_by_zero_insertion",
    "convolution_matrix",
    "indices_of_positions",
    "insert_zeros",
    "max_pool",
    "max_pool_by_hand",
    "max_unpool",
    "transposed_size",
    "window_positions",
]
