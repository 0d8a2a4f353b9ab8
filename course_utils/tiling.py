"""Overlap-tile: segment an image of any size by a network that takes tiles, without seams."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.data.checks import describe
from course_utils.models.inspection import evaluating


@torch.no_grad()
def predict_in_tiles(
    model: nn.Module,
    image: Tensor,
    tile: tuple[int, int],
    *,
    margin: int = 0,
    output_stride: int = 1,
) -> Tensor:
    """Cut an image into tiles that overlap, run the model on each in eval mode, and put the middles together.

    Around the image, what the tiles need is mirrored (the border pixel is not repeated). A model that uses valid
    convolutions, such as the U-Net, gives less than it takes: its output is taken to be the middle of the tile, and
    the tiles overlap by what is missing. A model that pads gives as much as it takes, but near the edge of a tile it
    sees its padding: `margin` cuts that off.

    When are seams invisible? If each pixel of the result has seen all that it can see: always with valid convolutions,
    with padding if margin is at least the radius of the receptive field. And if pooling starts at the same pixels in
    every tile: give the network's output stride, or each tile is pooled at its own phase. Then the result equals that
    of one pass over the whole image with its mirrored border.

    Source: Ronneberger, Fischer & Brox, *U-Net* (2015), figure 2. Outputs of 388 pixels side by side, as theirs, are
    pooled at different phases, since 388 is no multiple of 16: with output_stride = 16 tiles lie 384 pixels apart.

    Args:
        model: (1, C, *tile) → (1, K, h, w), h and w as large as the tile or smaller by an even number.
        image: (C, H, W), of any size, also smaller than a tile.
        tile: height and width of what the model takes.
        margin: rows and columns of the output to drop on every side.
        output_stride: tiles start at multiples of this: 16 for the U-Net.

    Returns (K, H, W), the model's output for each pixel.

    Raises ValueError if the image is not (C, H, W), if the output is larger than the tile, smaller by an odd number or
    no map, and if what is left of a tile is smaller than output_stride.

    >>> blur = nn.AvgPool2d(3, stride=1)  # a valid convolution: 10 × 10 gives 8 × 8
    >>> predict_in_tiles(blur, torch.ones(1, 25, 14), (10, 10)).shape
    torch.Size([1, 25, 14])
    """
    if image.ndim != 3 or image.numel() == 0:
        raise ValueError(f"image: expected shape (C, H, W), got {describe(image)}. Give one image at a time.")
    if margin < 0 or output_stride < 1:
        raise ValueError(f"margin is {margin}, output_stride {output_stride}; expected at least 0 and 1.")
    height, width = image.shape[1:]
    with evaluating(model):
        output = model(_mirrored(image, (0, 0), tile)[None])  # only its shape counts
        border = _border(output, tile, margin)
        step = [(side - 2 * cut) // output_stride * output_stride for side, cut in zip(tile, border, strict=True)]
        if min(step) < 1:
            raise ValueError(
                f"tile {tuple(tile)}: {tuple(output.shape[2:])} come out; less the margin of {margin} on every side "
                f"that leaves less than output_stride = {output_stride}. Take larger tiles."
            )
        result = output.new_empty(output.shape[1], height, width)
        for top in range(0, height, step[0]):
            for left in range(0, width, step[1]):
                bottom, right = min(top + step[0], height), min(left + step[1], width)
                part = _mirrored(image, (top - border[0], left - border[1]), tile)  # (C, *tile)
                middle = model(part[None])[0, :, margin:, margin:]
                result[:, top:bottom, left:right] = middle[:, : bottom - top, : right - left]
    return result


def _mirrored(image: Tensor, corner: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The window of an image (C, H, W) that goes on for ever in mirror images; (C, *size)."""
    for axis, (start, length) in enumerate(zip(corner, size, strict=True), start=1):
        last = image.shape[axis] - 1
        at = torch.arange(start, start + length, device=image.device).remainder(max(2 * last, 1))
        image = image.index_select(axis, torch.minimum(at, 2 * last - at) if last else at)
    return image


def _border(output: object, tile: tuple[int, int], margin: int) -> list[int]:
    """How many rows and columns of a tile on each side are not in the part of the output that is used."""
    if isinstance(output, Tensor) and output.ndim == 4:
        missing = [side - out for side, out in zip(tile, output.shape[2:], strict=True)]
        if all(less >= 0 and less % 2 == 0 for less in missing):
            return [less // 2 + margin for less in missing]
    raise ValueError(
        f"model: gives {describe(output)} for a tile of {tuple(tile)}; expected (1, K, h, w), as large as the tile or "
        "smaller by an even number, so that it is the middle of the tile."
    )
