"""ASPP equals torchvision's with its weights; image pooling says the same everywhere, and says when it cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.segmentation import deeplabv3 as reference

from course_utils.layers.aspp import ASPP, ImagePooling


@pytest.mark.parametrize("training", [False, True])
def test_equal_to_torchvisions(training):
    ours = ASPP(24, rates=(2, 4, 7), out_channels=10, dropout=0.5).train(training)
    theirs = reference.ASPP(24, [2, 4, 7], out_channels=10).train(training)
    theirs.load_state_dict(ours.state_dict())
    features = torch.randn(3, 24, 9, 13)
    outputs = []
    for module in (ours, theirs):
        torch.manual_seed(0)  # of the dropout
        outputs.append(module(features))
    torch.testing.assert_close(*outputs)
    for key, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, msg=key)


def test_by_default_there_is_no_dropout():
    module, features = ASPP(8, rates=(1,), out_channels=6).train(), torch.randn(2, 8, 5, 7)
    assert torch.equal(module(features), module(features))


def test_the_docstrings_count():
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in ASPP(2048, rates=(6, 12, 18)).parameters())
    assert f"Parameters: {count:,} for 2048 channels and three rates" in ASPP.__doc__


def test_image_pooling_says_the_mean_of_the_image_everywhere():
    pooling, features = ImagePooling(6, 4).eval(), torch.randn(2, 6, 5, 8)
    with torch.no_grad():
        pooled = pooling(features)
        shuffled = pooling(features.flatten(2)[:, :, torch.randperm(40)].view(2, 6, 5, 8))
    assert pooled.shape == (2, 4, 5, 8)
    torch.testing.assert_close(pooled, pooled[:, :, :1, :1].expand(2, 4, 5, 8))
    torch.testing.assert_close(pooled, shuffled)


def test_one_image_cannot_be_normalised_in_training_mode():
    module, one = ASPP(8, rates=(2,), out_channels=6), torch.randn(1, 8, 5, 7)
    with pytest.raises(ValueError, match="images: got a batch of 1 in training mode.*batches of 2 or more"):
        module.train()(one)
    assert module.eval()(one).shape == (1, 6, 5, 7)
    module.train()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    assert module(one).shape == (1, 6, 5, 7)
