"""FCN on VGG16: class scores at several strides, doubled, cropped and summed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.data.names import unknown
from course_utils.layers.bilinear import BilinearDeconv
from course_utils.layers.initialization import he_init
from course_utils.models.classifiers import load_classifier

# In units of that map: where the doubled scores begin in it, if the image is padded by 100 pixels.
CROPS = {"pool4": 5, "pool3": 9, "pool2": 17, "pool1": 33}
# In pixels, by the stride of the scores that are upsampled last: where the image begins in the result.
FINAL_CROPS = {32: 19, 16: 27, 8: 31, 4: 33, 2: 34}
# In stages of 64 channels and so on: how many convolutions, how many times the width.
_STAGES = {"conv1": (2, 1), "conv2": (2, 2), "conv3": (3, 4), "conv4": (3, 8), "conv5": (3, 8)}
_CHANNELS = {"pool4": 8, "pool3": 4, "pool2": 2, "pool1": 1}  # times the width


class FCNVGG16(nn.Module):
    """What FCN-32s, 16s, 8s (and 4s, 2s) share; they differ in `skips`, the poolings whose scores are added."""

    skips: Sequence[str] = ()

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        *,
        padding: str = "paper",
        width: int = 64,
        fc_width: int | None = None,
        batch_norm: bool = False,
        learned_deconv: bool = False,
        pretrained: bool = False,
    ):
        super().__init__()
        if padding not in ("paper", "same"):
            raise unknown("padding", padding, ("paper", "same"))
        fc_width = 64 * width if fc_width is None else fc_width
        for name, value in (("width", width), ("fc_width", fc_width)):
            if value < 1:
                raise ValueError(f"{name}: expected 1 or more, got {value}.")
        self.padding = padding
        self.vgg16 = VGG16(in_channels, padding=padding, width=width, fc_width=fc_width, batch_norm=batch_norm)
        channels = {"conv7": fc_width} | {name: _CHANNELS[name] * width for name in self.skips}
        self.score = nn.ModuleDict({name: nn.Conv2d(count, num_classes, 1) for name, count in channels.items()})
        for score in self.score.values():
            nn.init.zeros_(score.weight)
            nn.init.zeros_(score.bias)
        self.upscore2 = nn.ModuleDict({name: self._deconv(num_classes, 2, learned_deconv) for name in self.skips})
        self.stride = 32 >> len(self.skips)
        self.upscore = self._deconv(num_classes, self.stride, learned=False)
        if pretrained:
            if (in_channels, width, fc_width, batch_norm) != (3, 64, 4096, False):
                raise ValueError(
                    "pretrained: the ImageNet weights are for in_channels=3, width=64, fc_width=4096 and "
                    f"batch_norm=False; got {in_channels}, {width}, {fc_width}, {batch_norm}. Use pretrained=False."
                )
            self.vgg16.load(load_classifier("vgg16"))

    def forward(self, images: Tensor) -> Tensor:
        return self.fuse(self.score_maps(images), images.shape[-2:])

    def score_maps(self, images: Tensor) -> dict[str, Tensor]:
        """Class scores of conv7 (stride 32) and of each skip: pool4 (16), pool3 (8) … Each (N, K, h, w)."""
        maps = self.vgg16(images)
        return {name: score(maps[name]) for name, score in self.score.items()}

    def fuse(self, scores: dict[str, Tensor], size: Sequence[int]) -> Tensor:
        """Double, crop, sum, for each skip in turn; then upsample to `size` (H, W). Linear in the scores."""
        paper = self.padding == "paper"
        fused = scores["conv7"]  # (N, K, h, w), stride 32
        for name in self.skips:
            skip = scores[name][..., CROPS[name] :, CROPS[name] :] if paper else scores[name]
            fused = _sum(self.upscore2[name](fused), skip)  # twice as large: stride 16, then 8 …
        first = FINAL_CROPS[self.stride] if paper else 0
        return self.upscore(fused)[..., first : first + size[0], first : first + size[1]]  # (N, K, H, W)

    def start_from(self, coarser: FCNVGG16) -> None:
        """Copy a trained network with fewer skips, all but its upsampling: the next stage of staged training.

        The scores of the new skip stay 0, so training goes on from nearly what the coarser network says.

        Raises ValueError if `coarser` has skips that this network lacks.
        """
        if extra := [name for name in coarser.skips if name not in self.skips]:
            raise ValueError(f"coarser: it has the skips {extra}, which {type(self).__name__} lacks; go the other way")
        self.vgg16.load_state_dict(coarser.vgg16.state_dict())
        for part, theirs in ((self.score, coarser.score), (self.upscore2, coarser.upscore2)):
            for name, module in theirs.items():
                part[name].load_state_dict(module.state_dict())

    def _deconv(self, channels: int, stride: int, learned: bool) -> BilinearDeconv:
        return BilinearDeconv(channels, stride, padding=stride // 2 if self.padding == "same" else 0, learned=learned)


class FCN32s(FCNVGG16):
    """FCN-32s: VGG16 as convolutions, its scores upsampled 32 times.

    Paper: Long, Shelhamer & Darrell, *Fully Convolutional Networks for Semantic Segmentation* (CVPR 2015), section 4.1.
    VGG16 is Simonyan & Zisserman's (2015).

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W from 1 on. The image gets 100 pixels of zeros on each side,
    so that fc6, a 7×7 convolution without padding, finds room even in the smallest; what the padding brought is cropped
    in the end: 19 pixels, exactly. The receptive field of a pixel of the logits is 436 pixels wide.

    Parameters: 134,346,581 for 3 channels and 21 classes; the fixed bilinear kernel has 1,806,336 numbers more.

    Scoring layers start at 0, all other convolutions by He's rule, the deconvolutions as bilinear interpolation.

    padding: "same" pads each convolution by half its kernel instead (conv1_1 by 1, fc6 by 3) and upsamples to exact
        multiples: nothing is cropped but what ceil-mode pooling adds to odd sizes, and small images cost far less.
    width: channels of conv1; all other widths keep their ratio to it. fc_width: channels of fc6 and fc7, by default 64
        times `width`. batch_norm: after each convolution up to conv5.
    learned_deconv: train the deconvolutions that double (there are some from FCN-16s on), as the paper says; in the
        networks that its authors released they are fixed, which they found as good. The last one is fixed in both.
    pretrained: torchvision's ImageNet weights, for images normalised by `normalize("vgg16", image)`.

    Differs from paper: torchvision's weights expect RGB in torchvision's normalisation, the paper's expected BGR from 0
    to 255 less the mean of each channel.

    Raises ValueError for another padding, a width below 1, and pretrained weights for another architecture.
    """


class FCN16s(FCNVGG16):
    """FCN-16s: the scores of conv7, doubled, plus those of pool4; the sum upsampled 16 times.

    Paper, options, errors: see `FCN32s`. Crops: 5 units of pool4, 27 pixels in the end. The receptive field is 468
    wide.

    Shapes: (N, C, H, W) → logits (N, K, H, W). Parameters: 134,357,354 for 3 channels and 21 classes; the
    fixed bilinear kernels have 458,640 numbers more. Differs from paper as `FCN32s` does.
    """

    skips = ("pool4",)


class FCN8s(FCNVGG16):
    """FCN-8s: the scores of conv7, doubled, plus pool4's, doubled, plus pool3's; the sum upsampled 8 times.

    Paper, options, errors: see `FCN32s`. Crops: 5 units of pool4, 9 of pool3, 31 pixels in the end. The receptive field
    is 468 wide.

    Shapes: (N, C, H, W) → logits (N, K, H, W). Parameters: 134,362,751 for 3 channels and 21 classes; the
    fixed bilinear kernels have 127,008 numbers more. Differs from paper as `FCN32s` does; and in the authors' form for
    training at once, not in stages, pool4 is multiplied by 0.01 and pool3 by 0.0001 before it is scored, here not.
    """

    skips = ("pool4", "pool3")


class FCN4s(FCNVGG16):
    """FCN-4s: one skip more than in the paper, from pool2, which is cropped by 17 units; 33 pixels in the end.

    Shapes: (N, C, H, W) → logits (N, K, H, W). Parameters: 134,365,460 for 3 channels and 21 classes; the
    fixed bilinear kernels have 49,392 numbers more. Differs from paper: an experiment; options as in `FCN32s`.
    """

    skips = ("pool4", "pool3", "pool2")


class FCN2s(FCNVGG16):
    """FCN-2s: two skips more than in the paper, from pool2 (crop 17) and pool1 (crop 33); 34 pixels in the end.

    Shapes: (N, C, H, W) → logits (N, K, H, W). Parameters: 134,366,825 for 3 channels and 21 classes; the
    fixed bilinear kernels have 35,280 numbers more. Differs from paper: an experiment; options as in `FCN32s`.
    """

    skips = ("pool4", "pool3", "pool2", "pool1")


class VGG16(nn.Module):
    """VGG16 as convolutions: (N, C, H, W) → the maps "pool1" to "pool4" and "conv7", by name."""

    def __init__(self, in_channels: int, *, padding: str, width: int, fc_width: int, batch_norm: bool):
        super().__init__()
        paper = padding == "paper"
        self.stages = nn.ModuleDict()
        for name, (number, times) in _STAGES.items():
            first_padding = 100 if paper and name == "conv1" else 1
            self.stages[name] = _convs(number, in_channels, times * width, first_padding, batch_norm)
            in_channels = times * width
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.fc6 = nn.Sequential(
            nn.Conv2d(in_channels, fc_width, 7, padding=0 if paper else 3), nn.ReLU(), nn.Dropout(0.5)
        )
        self.fc7 = nn.Sequential(nn.Conv2d(fc_width, fc_width, 1), nn.ReLU(), nn.Dropout(0.5))
        he_init(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        pool1 = self.pool(self.stages["conv1"](images))  # (N, 64, H/2, W/2), and more by the padding of 100
        pool2 = self.pool(self.stages["conv2"](pool1))  # (N, 128, H/4, W/4)
        pool3 = self.pool(self.stages["conv3"](pool2))  # (N, 256, H/8, W/8)
        pool4 = self.pool(self.stages["conv4"](pool3))  # (N, 512, H/16, W/16)
        pool5 = self.pool(self.stages["conv5"](pool4))  # (N, 512, H/32, W/32)
        conv7 = self.fc7(self.fc6(pool5))  # (N, 4096, H/32, W/32)
        return {"pool1": pool1, "pool2": pool2, "pool3": pool3, "pool4": pool4, "conv7": conv7}

    @torch.no_grad()
    def load(self, classifier: nn.Module) -> None:
        """Copy the weights of torchvision's VGG16: fc6 and fc7 as kernels, (4096, 512, 7, 7) and (4096, 4096, 1, 1)."""
        ours = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]
        theirs = [layer for layer in classifier.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        for layer, source in zip(ours, theirs[:-1], strict=True):  # all but the thousand scores
            layer.weight.copy_(source.weight.view_as(layer.weight))
            layer.bias.copy_(source.bias)


def _convs(number: int, inputs: int, outputs: int, first_padding: int, batch_norm: bool) -> nn.Sequential:
    """`number` 3×3 convolutions, each followed by ReLU."""
    layers: list[nn.Module] = []
    for padding in (first_padding, *(1,) * (number - 1)):
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=padding))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()] if batch_norm else [nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers)


def _sum(doubled: Tensor, skip: Tensor) -> Tensor:
    """Both maps begin at the same place; add them where they overlap."""
    height, width = (min(sides) for sides in zip(doubled.shape[-2:], skip.shape[-2:], strict=True))
    return doubled[..., :height, :width] + skip[..., :height, :width]
