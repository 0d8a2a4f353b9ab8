"""DeconvNet: VGG16 down to one vector, and the way back by unpooling and "deconvolution"."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.layers.unpooling import max_unpool
from course_utils.models.vgg_encoder import VGGEncoder, check_width, he_init, load_imagenet

_STRIDE = 32  # of the lowest maps: five poolings


class DeconvNet(nn.Module):
    """Convolution network, two fully connected layers written as convolutions, and its mirror image.

    Paper: Noh, Hong & Han, *Learning Deconvolution Network for Semantic Segmentation* (ICCV 2015), section 3.2 and
    figure 2; layers as in the authors' released network definition.

    Shapes: (N, C, H, W) → logits (N, K, H, W). The paper's H and W are 224; any from 193 on will do: `fc6` reads
    windows of 7×7 of the lowest map, whose sides are ⌈H / 32⌉ and ⌈W / 32⌉, and `fc6_deconv` restores the border that
    it takes.

    Training needs two images or more at 224 pixels: batch normalisation can't tell the spread of one vector.

    Parameters: 251,805,653 for 3 channels and 21 classes (251,804,288 + 65 K). 82 % of them are in fc6 and fc6_deconv,
    102.8 million each.

    Differs from paper: the decoder starts from He's random weights, where the paper draws from a Gaussian of fixed
    width. What surrounds the network there is not here: its two stages of training (crops around each object, then
    object proposals) and, at test time, the maximum over 50 proposals of each image.

    width: channels of the first stage, 64 in the paper; the others have 2, 4, 8 and 8 times as many. fc_width: channels
    of fc6 and fc7, 4096 in the paper. fc_size: side of the window that fc6 reads, 7 in the paper; images must have more
    than 32·(fc_size − 1) pixels a side, so that 2 will do for 33 pixels.
    pretrained: start the encoder, and fc6 and fc7 if they have the paper's size, from ImageNet weights, torchvision's
    `vgg16_bn`; images must then be normalised as for that network.

    Raises ValueError for a width or size below 1, for images that are too small, and for ImageNet weights with other
    channels or another width.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 3, *,
        width: int = 64, fc_width: int = 4096, fc_size: int = 7, pretrained: bool = False,
    ):  # fmt: skip
        super().__init__()
        check_width(width)
        for name, value in (("fc_width", fc_width), ("fc_size", fc_size)):
            if value < 1:
                raise ValueError(f"{name}: expected 1 or more, got {value}.")
        w1, w2, w3, w4 = (width * factor for factor in (1, 2, 4, 8))
        self.encoder = VGGEncoder(in_channels, width)
        self.fc6 = WithBNReLU(nn.Conv2d(w4, fc_width, fc_size))
        self.fc7 = WithBNReLU(nn.Conv2d(fc_width, fc_width, 1))
        self.fc6_deconv = WithBNReLU(nn.ConvTranspose2d(fc_width, w4, fc_size))
        self.deconv5 = deconvolutions(w4, w4, w4, w4)
        self.deconv4 = deconvolutions(w4, w4, w4, w3)
        self.deconv3 = deconvolutions(w3, w3, w3, w2)
        self.deconv2 = deconvolutions(w2, w2, w1)
        self.deconv1 = deconvolutions(w1, w1, w1)
        self.score = nn.Conv2d(w1, num_classes, 1)
        self.apply(he_init)
        if pretrained:
            self._load_imagenet()

    def forward(self, images: Tensor) -> Tensor:
        self._check_size(images)
        pool1, pool2, pool3, pool4, pool5 = self.encoder(images)  # pool5: (N, 512, H/32, W/32), 7×7
        features = self.fc7(self.fc6(pool5.values))  # (N, 4096, H/32 − 6, W/32 − 6), 1×1
        features = self.fc6_deconv(features)  # (N, 512, H/32, W/32), 7×7
        features = self.deconv5(max_unpool(features, pool5.indices, pool5.size))  # (N, 512, H/16, W/16)
        features = self.deconv4(max_unpool(features, pool4.indices, pool4.size))  # (N, 256, H/8, W/8)
        features = self.deconv3(max_unpool(features, pool3.indices, pool3.size))  # (N, 128, H/4, W/4)
        features = self.deconv2(max_unpool(features, pool2.indices, pool2.size))  # (N, 64, H/2, W/2)
        features = self.deconv1(max_unpool(features, pool1.indices, pool1.size))  # (N, 64, H, W)
        return self.score(features)  # (N, K, H, W)

    def _check_size(self, images: Tensor) -> None:
        height, width = images.shape[-2:]
        fc_size = self.fc6[0].kernel_size[0]
        smallest = _STRIDE * (fc_size - 1) + 1
        if height < smallest or width < smallest:
            largest = (min(height, width) - 1) // _STRIDE + 1
            raise ValueError(
                f"images: {height}×{width} pixels; fc6 reads {fc_size}×{fc_size} windows of the map at stride 32, so "
                f"that both sides must have {smallest} pixels or more. Enlarge or pad the images (the paper's have "
                f"224×224), or build the network with fc_size={largest}."
            )

    def _load_imagenet(self) -> None:
        classifier = load_imagenet(self.encoder)
        for ours, theirs in ((self.fc6[0], classifier.classifier[0]), (self.fc7[0], classifier.classifier[3])):
            if ours.weight.numel() == theirs.weight.numel():
                ours.load_state_dict({"weight": theirs.weight.view_as(ours.weight), "bias": theirs.bias})


class WithBNReLU(nn.Sequential):
    """A convolution or transposed convolution, batch normalisation, ReLU."""

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d):
        super().__init__(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


def deconvolutions(*channels: int) -> nn.Sequential:
    """Transposed convolutions of stride 1, from channels to channels, each with batch normalisation and ReLU.

    With kernel 3, stride 1 and padding 1 they keep the size; each is a 3×3 convolution with its kernel turned round.
    """
    steps = zip(channels[:-1], channels[1:], strict=True)
    return nn.Sequential(*(WithBNReLU(nn.ConvTranspose2d(i, o, 3, padding=1)) for i, o in steps))
