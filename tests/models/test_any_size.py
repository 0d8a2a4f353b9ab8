"""`AnySize`: nothing changes on multiples of the stride; elsewhere the image is padded and the logits are cut."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from course_utils.models import build_model
from course_utils.models.any_size import AnySize


class Halves(nn.Module):
    """Takes even sizes only, as encoders and decoders do, and remembers what it was given."""

    def forward(self, images):
        assert images.shape[2] % 2 == 0 and images.shape[3] % 2 == 0
        self.seen = images
        return nn.functional.avg_pool2d(images, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([2, 4, 6, 32]))
def test_it_pads_on_the_right_and_below_and_cuts_there(height, width, stride):
    network = Halves()
    images = torch.rand(2, 3, height, width) + 1
    logits = AnySize(network, stride)(images)
    padded = network.seen
    assert padded.shape[2] % stride == 0 and 0 <= padded.shape[2] - height < stride
    assert padded.shape[3] % stride == 0 and 0 <= padded.shape[3] - width < stride
    assert torch.equal(padded[..., :height, :width], images) and padded.sum() == pytest.approx(images.sum().item())
    assert padded.count_nonzero() == images.numel()
    assert torch.equal(logits, network(padded)[..., :height, :width])


@pytest.mark.parametrize("name", ["smp_fpn", "smp_unet"])
def test_on_multiples_of_the_stride_it_is_the_bare_network(name):
    model = build_model(name, num_classes=3).eval()
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(model(images), model.network(images))


@pytest.mark.parametrize("name", ["smp_fpn", "smp_unet"])
def test_elsewhere_it_is_the_network_on_the_padded_image(name):
    model = build_model(name, num_classes=3).eval()
    images = torch.randn(1, 3, 50, 70)
    padded = nn.functional.pad(images, (0, 26, 0, 14))
    with torch.no_grad():
        assert torch.equal(model(images), model.network(padded)[..., :50, :70])
