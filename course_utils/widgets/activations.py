"""What the layers of a network answer to one image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.models.inspection import evaluating


@torch.no_grad()
def mean_activations(network: nn.Module, layers: Sequence[str], image: Tensor) -> dict[str, Tensor]:
    """Mean over the channels of each layer's output, from one pass.

    Args:
        layers: names in `network.named_modules()`.
        image: (C, H, W), as the network wants it.

    Returns:
        name → (h, w).

    Raises:
        ValueError: the output of a layer is not a map (1, C, h, w), holds NaN, or the layer did not run.

    >>> net = nn.Sequential(nn.Identity(), nn.AvgPool2d(2))
    >>> mean_activations(net, ["1"], torch.arange(8.0).reshape(2, 2, 2))
    {'1': tensor([[3.5000]])}
    """
    maps: dict[str, Tensor] = {}

    def record(layer: str, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(f"layer {layer!r} gives {shape}; expected a map (N, C, h, w): choose a layer before it.")
        maps[layer] = output[0].mean(0)

    modules = dict(network.named_modules())
    handles = [
        modules[layer].register_forward_hook(lambda _module, _inputs, output, layer=layer: record(layer, output))
        for layer in layers
    ]
    try:
        with evaluating(network):
            network(image[None])
    finally:
        for handle in handles:
            handle.remove()
    for layer in layers:
        if layer not in maps:
            raise ValueError(f"layer {layer!r} did not run; choose one that the forward pass uses.")
        if not maps[layer].isfinite().all():
            raise ValueError(f"layer {layer!r} gives NaN or infinite values; look at the weights and at `prepare`.")
    return maps
