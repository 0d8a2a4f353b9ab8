"""SegNet: a decoder that mirrors VGG16 and upsamples by the encoder's pooling indices."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.layers.unpooling import max_unpool
from course_utils.models.vgg_encoder import VGGEncoder, check_width, he_init, load_imagenet, stage


class SegNet(nn.Module):
    """Thirteen convolutions down, thirteen up; all that crosses over is where each maximum was.

    Paper: Badrinarayanan, Kendall & Cipolla, *SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image
    Segmentation* (PAMI 2017), section 3 and figure 2; layers as in the authors' released network definition.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W: pooling rounds up, and unpooling is told the size.

    Parameters: 29,449,355 for 3 channels and 11 classes (29,443,008 + 577 K); as 32-bit numbers the paper's 117 MB.

    Differs from paper: the figure shows batch normalisation and ReLU after every convolution; as in the released
    network the last one, which gives the class scores, has neither. Rounding depends on the other images of a batch;
    where two values of a window are all but equal it decides which is the maximum, so logits of 32-bit numbers may
    differ by a percent from batch to batch.

    width: channels of the first stage, 64 in the paper; the others have 2, 4, 8 and 8 times as many. pretrained: start
    the encoder from ImageNet weights, torchvision's `vgg16_bn`; images must then be normalised as for that network. The
    decoder starts from He's random weights in any case.

    Raises ValueError for a width below 1, and for ImageNet weights with other channels or another width.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, width: int = 64, pretrained: bool = False):
        super().__init__()
        check_width(width)
        w1, w2, w3, w4 = (width * factor for factor in (1, 2, 4, 8))
        self.encoder = VGGEncoder(in_channels, width)
        self.decoder5 = stage(w4, w4, w4, w4)
        self.decoder4 = stage(w4, w4, w4, w3)
        self.decoder3 = stage(w3, w3, w3, w2)
        self.decoder2 = stage(w2, w2, w1)
        self.decoder1 = stage(w1, w1)
        self.score = nn.Conv2d(w1, num_classes, 3, padding=1)
        self.apply(he_init)
        if pretrained:
            load_imagenet(self.encoder)

    def forward(self, images: Tensor) -> Tensor:
        pool1, pool2, pool3, pool4, pool5 = self.encoder(images)
        features = pool5.values  # (N, 512, H/32, W/32)
        features = self.decoder5(max_unpool(features, pool5.indices, pool5.size))  # (N, 512, H/16, W/16)
        features = self.decoder4(max_unpool(features, pool4.indices, pool4.size))  # (N, 256, H/8, W/8)
        features = self.decoder3(max_unpool(features, pool3.indices, pool3.size))  # (N, 128, H/4, W/4)
        features = self.decoder2(max_unpool(features, pool2.indices, pool2.size))  # (N, 64, H/2, W/2)
        features = self.decoder1(max_unpool(features, pool1.indices, pool1.size))  # (N, 64, H, W)
        return self.score(features)  # (N, K, H, W)
