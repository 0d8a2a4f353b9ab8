"""FCN on AlexNet: the smallest and oldest of the paper's three classifiers."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.layers.bilinear import BilinearDeconv
from course_utils.layers.initialization import he_init

_CROP = 18  # in pixels: where the image begins in the upsampled scores


class FCNAlexNet(nn.Module):
    """AlexNet as convolutions, its scores upsampled 32 times.

    Paper: Long, Shelhamer & Darrell, *Fully Convolutional Networks for Semantic Segmentation* (CVPR 2015), section 4.1,
    on the network of Krizhevsky, Sutskever & Hinton (2012) in Caffe's form.

    Shapes: (N, C, H, W) → logits (N, K, H, W), any H and W from 1 on. conv1 pads the image by 100 pixels; 18 pixels are
    cropped in the end, exactly. The receptive field of a pixel of the logits is 387 pixels wide.

    Parameters: 56,954,261 for 3 channels and 21 classes; the fixed bilinear kernel has 1,750,329 numbers more. Its
    side is 63, not 64: AlexNet's kernels down to pool5 are odd, so units are centred on pixels.

    The scoring layer starts at 0, all other convolutions by He's rule.

    width: channels of conv1; all other widths keep their ratio to it.

    Differs from paper: random weights only. torchvision's pretrained AlexNet has other widths and no groups.

    Raises ValueError unless `width` is a multiple of 6 (two groups, and widths of 8/3 of it).
    """

    def __init__(self, num_classes: int, in_channels: int = 3, *, width: int = 96):
        super().__init__()
        if width < 6 or width % 6:
            raise ValueError(f"width: expected a multiple of 6, got {width}.")
        w2, w3, w6 = width * 8 // 3, width * 4, width * 128 // 3  # 256, 384, 4096
        self.conv1 = nn.Sequential(nn.Conv2d(in_channels, width, 11, stride=4, padding=100), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(width, w2, 5, padding=2, groups=2), nn.ReLU())
        self.conv3 = nn.Sequential(nn.Conv2d(w2, w3, 3, padding=1), nn.ReLU())
        self.conv4 = nn.Sequential(nn.Conv2d(w3, w3, 3, padding=1, groups=2), nn.ReLU())
        self.conv5 = nn.Sequential(nn.Conv2d(w3, w2, 3, padding=1, groups=2), nn.ReLU())
        self.fc6 = nn.Sequential(nn.Conv2d(w2, w6, 6), nn.ReLU(), nn.Dropout(0.5))
        self.fc7 = nn.Sequential(nn.Conv2d(w6, w6, 1), nn.ReLU(), nn.Dropout(0.5))
        self.score = nn.Conv2d(w6, num_classes, 1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        he_init(self)
        nn.init.zeros_(self.score.weight)
        self.upscore = BilinearDeconv(num_classes, 32, kernel_size=63)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = self.norm(self.pool(self.conv1(images)))  # (N, 96, H/8, W/8), and more by the padding
        x = self.norm(self.pool(self.conv2(x)))  # (N, 256, H/16, W/16)
        x = self.pool(self.conv5(self.conv4(self.conv3(x))))  # (N, 256, H/32, W/32)
        scores = self.score(self.fc7(self.fc6(x)))  # (N, K, H/32, W/32)
        return self.upscore(scores)[..., _CROP : _CROP + height, _CROP : _CROP + width]  # (N, K, H, W)
