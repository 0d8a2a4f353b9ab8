"""SegNet-Basic: four large-kernel stages down and up, small enough to compare decoders with."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.layers.unpooling import max_pool, max_unpool
from course_utils.models.vgg_encoder import check_width, he_init


class SegNetBasic(nn.Module):
    """Four times 7×7 convolution and pooling, four times unpooling and 7×7 convolution.

    Paper: Badrinarayanan, Kendall & Cipolla, *SegNet* (PAMI 2017), section 3.1; layers as in the authors' released
    network definition.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W. A unit of the fourth pooling sees 106×106 pixels.

    Parameters: 1,416,587 for 3 channels and 11 classes (1,415,872 + 65 K).

    Differs from paper: the text says that the convolutions have no biases, which makes 1,416,064; the released
    definition has them, and so have we. The paper's table gives 1.425 million, which is neither. The released network's
    first layer, local response normalisation, was made for pixels from 0 to 255; on images in [0, 1] it changes next to
    nothing.

    The decoder has no ReLU: given the indices, logits are an affine function of the lowest map (in evaluation mode).

    width: channels of every stage, 64 in the paper. Raises ValueError if it is below 1.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, width: int = 64):
        super().__init__()
        check_width(width)
        self.normalize = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75)
        self.encoder1 = EncoderStage(in_channels, width)
        self.encoder2 = EncoderStage(width, width)
        self.encoder3 = EncoderStage(width, width)
        self.encoder4 = EncoderStage(width, width)
        self.decoder4 = DecoderStage(width)
        self.decoder3 = DecoderStage(width)
        self.decoder2 = DecoderStage(width)
        self.decoder1 = DecoderStage(width)
        self.score = nn.Conv2d(width, num_classes, 1)
        self.apply(he_init)

    def forward(self, images: Tensor) -> Tensor:
        pool1 = max_pool(self.encoder1(self.normalize(images)))  # (N, 64, H/2, W/2)
        pool2 = max_pool(self.encoder2(pool1.values))  # (N, 64, H/4, W/4)
        pool3 = max_pool(self.encoder3(pool2.values))  # (N, 64, H/8, W/8)
        pool4 = max_pool(self.encoder4(pool3.values))  # (N, 64, H/16, W/16)
        features = self.decoder4(max_unpool(pool4.values, pool4.indices, pool4.size))  # (N, 64, H/8, W/8)
        features = self.decoder3(max_unpool(features, pool3.indices, pool3.size))  # (N, 64, H/4, W/4)
        features = self.decoder2(max_unpool(features, pool2.indices, pool2.size))  # (N, 64, H/2, W/2)
        features = self.decoder1(max_unpool(features, pool1.indices, pool1.size))  # (N, 64, H, W)
        return self.score(features)  # (N, K, H, W)


class EncoderStage(nn.Sequential):
    """Convolution 7×7 that keeps the size, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(nn.Conv2d(in_channels, out_channels, 7, padding=3), nn.BatchNorm2d(out_channels), nn.ReLU())


class DecoderStage(nn.Sequential):
    """Convolution 7×7 that keeps the size, batch normalisation; no ReLU."""

    def __init__(self, channels: int):
        super().__init__(nn.Conv2d(channels, channels, 7, padding=3), nn.BatchNorm2d(channels))
