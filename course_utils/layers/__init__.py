"""Layers that several networks share, each written so that it can be read, and equal to the library's."""

from course_utils.layers.aspp import ASPP
from course_utils.layers.atrous import (
    atrous_conv_by_interleaving,
    atrous_conv_by_zero_stuffing,
    valid_weights,
    zero_stuffed_kernel,
)
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
    "ASPP",
    "BilinearDeconv",
    "Pooled",
    "atrous_conv_by_interleaving",
    "atrous_conv_by_zero_stuffing",
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
    "valid_weights",
    "window_positions",
    "zero_stuffed_kernel",
]
