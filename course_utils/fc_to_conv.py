"""From classifier to segmenter: fully connected layers as convolutions, and dense class scores.

A fully connected layer that reads a (C, h, w) map *is* a convolution with an h×w kernel: same weights, same
products, same sums. Written as a convolution it accepts larger maps too and gives one answer per position
(Long, Shelhamer & Darrell, 2015, section 3.1; Sermanet et al., 2014, section 3.3).

Letters: K classes, C channels, H×W image, h×w score map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from course_utils.models.inspection import evaluating, input_channels
from course_utils.receptive_field import receptive_field

FLATTENS = (torch.flatten, "flatten", "view", "reshape", nn.Flatten)
POOLS = (F.adaptive_avg_pool2d, nn.AdaptiveAvgPool2d)
ELEMENTWISE = (F.relu, torch.relu, F.dropout, "relu", nn.Dropout, nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU,
               nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Tanh, nn.Sigmoid)  # fmt: skip


def linear_to_conv(linear: nn.Linear, channels: int, height: int, width: int) -> nn.Conv2d:
    """The convolution that computes what `linear` computes on a flattened (channels, height, width) map.

    Its weight is a *view* of the linear layer's: no number is copied. Flattening runs over C, then H, then W,
    so the order of the view is (out, C, h, w).

    >>> fc6 = nn.Linear(512 * 7 * 7, 16)
    >>> linear_to_conv(fc6, 512, 7, 7).weight.shape
    torch.Size([16, 512, 7, 7])
    """
    out_features = linear.out_features
    # Built on the meta device: memory for these weights would be thrown away at once.
    conv = nn.Conv2d(channels, out_features, (height, width), bias=linear.bias is not None, device="meta")
    weight = linear.weight.detach().view(out_features, channels, height, width)
    conv.weight = nn.Parameter(weight, requires_grad=linear.weight.requires_grad)
    if linear.bias is not None:
        conv.bias = nn.Parameter(linear.bias.detach(), requires_grad=linear.bias.requires_grad)
    return conv.train(linear.training)


def convolutionalize(classifier: nn.Module, input_size: tuple[int, int] = (224, 224)) -> fx.GraphModule:
    """Turn an image classifier into a fully convolutional network: one score vector per position.

    Works on every classifier of the form *features → (average pooling) → flatten → linear layers*: VGG,
    AlexNet, GoogLeNet, ResNet, EfficientNet-Lite0 and their like. Layers keep their names. What changes:

    - the first linear layer becomes a convolution of the size of the last map, the others become 1×1;
    - adaptive average pooling to 1×1 becomes an average over a window of the last map's size, at stride 1;
      adaptive pooling that does nothing at `input_size` (VGG, AlexNet) goes away, as does the flattening.

    Args:
        classifier: (N, C, *input_size) → logits (N, K). It is left as it was.
        input_size: (height, width) of the images it was trained on.

    Returns:
        A network (N, C, H, W) → (N, K, h, w), with h = w = 1 at `input_size`, that *shares its weights* with
        the classifier (the reshaped ones are views): train one and the other changes.
        Its attribute `window` is `input_size`.

    Raises:
        ValueError: the classifier has another form; the message names the layer.
    """
    with evaluating(classifier):
        graph = _HeadTracer().trace(classifier)
        fcn = fx.GraphModule(classifier, graph)
        _record_shapes(fcn, next(classifier.parameters()).new_zeros(1, input_channels(classifier), *input_size))

    flatten = _find_flatten(fcn)
    last_map = flatten.args[0]  # (1, C, h, w), or (1, C, 1, 1) after pooling
    _convert_linears(fcn, flatten, last_map.meta["shape"][1:])
    if _kind(fcn, last_map) in POOLS:
        last_map = _convert_pool(fcn, last_map)
    flatten.replace_all_uses_with(last_map)
    graph.eliminate_dead_code()
    fcn.recompile()
    fcn.delete_all_unused_submodules()
    fcn.window = tuple(input_size)
    fcn.training = classifier.training
    return fcn


class _HeadTracer(fx.Tracer):
    """Trace the head of a classifier layer by layer, and leave each block of its features in one piece."""

    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        in_head = any(isinstance(part, (nn.Linear, nn.Flatten, *POOLS[1:])) for part in module.modules())
        return not in_head or super().is_leaf_module(module, qualified_name)


class _ShapeRecorder(fx.Interpreter):
    """Runs a traced network and notes the shape of every tensor on its way."""

    def run_node(self, node: fx.Node) -> object:
        result = super().run_node(node)
        if isinstance(result, Tensor):
            node.meta["shape"] = result.shape
        return result


@torch.no_grad()
def _record_shapes(fcn: fx.GraphModule, image: Tensor) -> None:
    try:
        _ShapeRecorder(fcn).run(image)
    except RuntimeError as error:
        raise ValueError(
            f"the classifier does not take images of input_size {tuple(image.shape[2:])}: "
            f"{str(error).splitlines()[0]}. Give the (height, width) that it was trained on"
        ) from error


def _kind(fcn: fx.GraphModule, node: fx.Node) -> object:
    """What a node does: the class of the module it calls, or the function or method itself."""
    return type(fcn.get_submodule(node.target)) if node.op == "call_module" else node.target


def _find_flatten(fcn: fx.GraphModule) -> fx.Node:
    """The one place where a (N, C, h, w) map becomes a (N, C·h·w) vector."""
    found = []
    for node in fcn.graph.nodes:
        if _kind(fcn, node) in FLATTENS:
            before, after = node.args[0].meta["shape"], node.meta["shape"]
            if len(before) == 4 and tuple(after) == (before[0], before[1:].numel()):
                found.append(node)
    if len(found) != 1:
        places = ", ".join(f"{node.target}" for node in found) or "none"
        raise ValueError(
            f"expected one layer that flattens a (N, C, h, w) map to (N, C·h·w), found {places}: "
            "convolutionalize takes classifiers of the form features → pooling → flatten → linear layers"
        )
    return found[0]


def _convert_linears(fcn: fx.GraphModule, flatten: fx.Node, map_shape: torch.Size) -> None:
    """Replace each linear layer that depends on `flatten` by the convolution that equals it."""
    shapes = {flatten: map_shape}  # (C, h, w) that each vector of the head was, or will be
    for node in fcn.graph.nodes:
        sources = [source for source in node.all_input_nodes if source in shapes]
        if not sources or node.op == "output":
            continue
        shapes[node] = shapes[sources[0]]
        if _kind(fcn, node) is nn.Linear:
            linear = fcn.get_submodule(node.target)
            fcn.add_submodule(node.target, linear_to_conv(linear, *shapes[node]))
            shapes[node] = (linear.out_features, 1, 1)
        elif _kind(fcn, node) not in ELEMENTWISE:
            raise ValueError(
                f"can't convert layer {node.target} ({_name(fcn, node)}): after the flattening, only linear "
                "layers, dropout and element-wise activations keep their meaning at every position of a larger map"
            )


def _convert_pool(fcn: fx.GraphModule, pool: fx.Node) -> fx.Node:
    """Replace adaptive pooling by a window of fixed size; return the node that now gives the last map."""
    features = pool.args[0]
    before, after = features.meta["shape"][2:], pool.meta["shape"][2:]
    if before == after:
        return features
    if tuple(after) != (1, 1):
        raise ValueError(
            f"can't convert layer {pool.target} ({_name(fcn, pool)}): at this input_size it pools "
            f"{before[0]}×{before[1]} to {after[0]}×{after[1]}; give the input_size at which it changes nothing"
        )
    name = pool.target if pool.op == "call_module" else "head_pool"
    fcn.add_submodule(name, nn.AvgPool2d(tuple(before), stride=1))
    with fcn.graph.inserting_after(pool):
        return fcn.graph.call_module(name, (features,))


def _name(fcn: fx.GraphModule, node: fx.Node) -> str:
    kind = _kind(fcn, node)
    return kind if isinstance(kind, str) else kind.__name__


@torch.no_grad()
def sliding_window_scores(
    classifier: nn.Module,
    image: Tensor,
    window: int | tuple[int, int],
    stride: int,
    batch_size: int = 1,
) -> Tensor:
    """Class scores of every window of an image, each cut out and given to the classifier by itself.

    The slow reference that `dense_scores` is measured against.

    Args:
        classifier: (N, C, window, window) → (N, K).
        image: (C, H, W), normalised for the classifier.
        window: side of the square window, or (height, width), in pixels.
        stride: pixels from one window to the next, both ways.
        batch_size: windows per pass.

    Returns:
        (K, h, w) with h = (H − window) // stride + 1, likewise w.

    Raises:
        TypeError, ValueError: the image is not a finite float (C, H, W) tensor, or smaller than the window.
    """
    check_image(image)
    rows, columns = count_windows(image, window, stride)
    height, width = (window, window) if isinstance(window, int) else window
    windows = image.unfold(1, height, stride).unfold(2, width, stride)  # (C, h, w, height, width), a view
    scores = []
    with evaluating(classifier):
        positions = [(row, column) for row in range(rows) for column in range(columns)]
        for first in range(0, len(positions), batch_size):
            crops = [windows[:, row, column] for row, column in positions[first : first + batch_size]]
            scores.append(classifier(torch.stack(crops)))
    return torch.cat(scores).T.unflatten(1, (rows, columns))


@torch.no_grad()
def dense_scores(fcn: nn.Module, image: Tensor) -> Tensor:
    """Class scores at every position of an image, in one pass of a fully convolutional network.

    Args:
        fcn: (N, C, H, W) → (N, K, h, w), for example from `convolutionalize`.
        image: (C, H, W), normalised for the network.

    Returns:
        (K, h, w). Equal to `sliding_window_scores` at the network's stride if no layer pads; with padding the
        two differ, because a crop sees zeros where the whole image has pixels.

    Raises:
        TypeError, ValueError: the image is not a finite float (C, H, W) tensor.
    """
    check_image(image)
    with evaluating(fcn):
        return fcn(image[None])[0]


def shift_and_stitch(
    fcn: nn.Module, image: Tensor, stride: int, window: int | tuple[int, int] | None = None
) -> Tensor:
    """Scores at a finer stride than the network's, by passes over shifted images (Long et al., 2015, sec. 3.2).

    A network of stride S gives the scores of stride s from (S/s)² passes: one for each shift by 0, s, … S − s
    pixels down and across. Their scores interlace.

    Args:
        fcn: (N, C, H, W) → (N, K, h, w), of stride S.
        image: (C, H, W), normalised for the network.
        stride: s, a divisor of S.
        window: side of the window that one score stands for, or (height, width). If not given: the window that
            `convolutionalize` converted for, else the network's receptive field.

    Returns:
        (K, h, w) with h = (H − window) // s + 1, likewise w: only windows that lie inside the image.

    Raises:
        TypeError, ValueError: bad image, one smaller than the window, or a stride that does not divide S.
    """
    check_image(image)
    window = window or getattr(fcn, "window", None) or receptive_field(fcn, "", tuple(image.shape)).size
    rows, columns = count_windows(image, window, stride)
    field = receptive_field(fcn, "", tuple(image.shape))
    if any(coarse % stride for coarse in field.stride):
        raise ValueError(f"stride is {stride}, expected a divisor of the network's stride {field.stride}")
    down, across = field.stride[0] // stride, field.stride[1] // stride
    stitched = None
    for y in range(min(down, rows)):
        for x in range(min(across, columns)):
            scores = dense_scores(fcn, image[:, y * stride :, x * stride :])  # (K, ≥ its rows, ≥ its columns)
            if stitched is None:
                stitched = scores.new_empty(scores.shape[0], rows, columns)
            target = stitched[:, y::down, x::across]
            target.copy_(scores[:, : target.shape[1], : target.shape[2]])
    return stitched


def count_windows(image: Tensor, window: int | tuple[int, int], stride: int) -> tuple[int, int]:
    """(rows, columns) of the windows that fit in an image (C, H, W): (H − window) // stride + 1, likewise across.

    Raises:
        ValueError: the stride is not positive, or not even one window fits.

    >>> count_windows(torch.zeros(3, 384, 512), 224, 32)
    (6, 10)
    """
    if stride < 1:
        raise ValueError(f"stride is {stride}, expected at least 1 pixel")
    height, width = (window, window) if isinstance(window, int) else window
    rows, columns = (image.shape[1] - height) // stride + 1, (image.shape[2] - width) // stride + 1
    if rows < 1 or columns < 1:
        raise ValueError(
            f"image is {image.shape[1]}×{image.shape[2]} px, smaller than the {height}×{width} window: enlarge it"
        )
    return rows, columns


def check_image(image: Tensor) -> None:
    """Raise an error that says what is wrong, unless `image` is a finite float tensor (C, H, W)."""
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise TypeError(f"image is {kind}, expected a float tensor (C, H, W)")
    if image.ndim != 3:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (C, H, W): one image, channels first")
    if not image.isfinite().all():
        bad = image.numel() - int(image.isfinite().sum())
        raise ValueError(f"image holds {bad} NaN or infinite values: look at where it was read or normalised")
