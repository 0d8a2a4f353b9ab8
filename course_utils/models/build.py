"""The segmentation networks of the course by name. A new one is a file and a line here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import nn

from course_utils.data.names import unknown

# name -> (module, class or function); a module is imported when its network is asked for
_MODELS = {
    "deconvnet": ("course_utils.models.deconvnet", "DeconvNet"),
    "fcn16s": ("course_utils.models.fcn_vgg", "FCN16s"),
    "fcn2s": ("course_utils.models.fcn_vgg", "FCN2s"),
    "fcn32s": ("course_utils.models.fcn_vgg", "FCN32s"),
    "fcn4s": ("course_utils.models.fcn_vgg", "FCN4s"),
    "fcn8s": ("course_utils.models.fcn_vgg", "FCN8s"),
    "fcn_alexnet": ("course_utils.models.fcn_alexnet", "FCNAlexNet"),
    "fcn_family": ("course_utils.models.fcn_family", "FCNFamily"),
    "fcn_googlenet": ("course_utils.models.fcn_googlenet", "FCNGoogLeNet"),
    "segnet": ("course_utils.models.segnet", "SegNet"),
    "segnet_basic": ("course_utils.models.segnet_basic", "SegNetBasic"),
    "deeplabv3": ("course_utils.models.deeplabv3", "DeepLabV3"),
    "small_fcn": ("course_utils.models.small_fcn", "SmallFCN"),
    "small_unets": ("course_utils.models.small_unets", "SmallUNets"),
    "smp_fpn": ("course_utils.models.library", "smp_fpn"),
    "smp_unet": ("course_utils.models.library", "smp_unet"),
    "unet": ("course_utils.models.unet", "UNet"),
    "ways_up": ("course_utils.models.ways_up", "WaysUp"),
}


def list_models() -> list[str]:
    """Names that `build_model` knows."""
    return sorted(_MODELS)


def build_model(name: str, num_classes: int, in_channels: int = 3, **options: Any) -> nn.Module:
    """Build a segmentation network with random weights: (N, in_channels, H, W) → logits (N, num_classes, H, W).

    Options differ by network, see its docstring; `pretrained=True` asks for ImageNet weights where there are some.

    Raises ValueError for an unknown name or numbers below 1, TypeError for an option that the network lacks.

    >>> sum(parameter.numel() for parameter in build_model("small_fcn", num_classes=8).parameters())
    295952
    """
    known = _options(name)
    for argument, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value < 1:
            raise ValueError(f"{argument}: expected 1 or more, got {value}.")
    for option in options:
        if option not in known:
            raise TypeError(str(unknown(f"option of {name}", option, known)))
    return builder(name)(num_classes, in_channels, **options)


def takes_option(name: str, option: str) -> bool:
    """Whether a network has an option such as "pretrained". Raises ValueError for an unknown name."""
    return option in _options(name)


def _options(name: str) -> list[str]:
    parameters = inspect.signature(builder(name)).parameters
    return [option for option in parameters if option not in ("num_classes", "in_channels")]


def builder(name: str) -> Callable[..., nn.Module]:
    """The class or function behind a name, whose docstring describes the network. Raises ValueError if unknown."""
    if name not in _MODELS:
        raise unknown("model", name, list_models())
    module, builder = _MODELS[name]
    return getattr(import_module(module), builder)
