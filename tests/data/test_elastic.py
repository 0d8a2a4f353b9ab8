"""Elastic deformation: image, mask, instances and weights stay together, and labels are moved, never mixed."""

import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from course_utils.data import load_dataset
from course_utils.data.dataset import DepthMap, InstanceMap, WeightMap
from course_utils.data.elastic import ElasticDeformation, deform, smooth_displacement

SIZES = st.tuples(st.integers(1, 30), st.integers(1, 30))
SEEDS = st.integers(0, 2**32 - 1)
LABELS = torch.tensor([0, 3, 7, 200, 255])


def sample(size):
    """Image and maps that are all made of the same labels."""
    mask = LABELS[torch.randint(len(LABELS), size)]
    return (
        tv_tensors.Image((mask / 255).expand(2, -1, -1).clone()),
        tv_tensors.Mask(mask),
        InstanceMap(mask * 2**40),
        DepthMap(mask + 0.5),
        WeightMap(mask / 255),
    )


@settings(max_examples=60, deadline=None)
@given(SIZES, SEEDS, st.floats(0, 30))
def test_all_move_together_and_labels_are_not_mixed(size, seed, sigma):
    torch.manual_seed(seed)
    before = sample(size)
    after = ElasticDeformation(sigma)(*before)
    for old, new in zip(before, after, strict=True):
        assert (type(new), new.dtype, new.shape) == (type(old), old.dtype, old.shape)
    image, mask, ids, depth, weights = (tensor.as_subclass(torch.Tensor) for tensor in after)
    assert set(mask.unique().tolist()) <= set(before[1].unique().tolist())
    assert torch.equal(ids, mask * 2**40) and torch.equal(depth, mask + 0.5)  # to the last of 64 bits
    assert torch.equal(image[0], image[1]) and torch.allclose(image[0], weights, atol=1e-6)
    assert before[0].min() - 1e-6 <= image.min() and image.max() <= before[0].max() + 1e-6


@settings(max_examples=30, deadline=None)
@given(SIZES)
def test_without_displacement_nothing_changes(size):
    before = sample(size)
    after = ElasticDeformation(sigma=0)(*before)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(2, 20), st.integers(2, 20)), st.integers(-30, 30), st.integers(-30, 30))
def test_whole_steps_shift_and_mirror(size, down, right):
    before = sample(size)
    displacement = torch.tensor([down, right]).float()[:, None, None].expand(2, *size)
    for tensor in before:
        reach = ((30, 30), (30, 30))
        wide = np.pad(tensor.numpy().reshape(-1, *size), ((0, 0), *reach), mode="reflect")
        expected = wide[:, 30 + down :, 30 + right :][:, : size[0], : size[1]].reshape(tensor.shape)
        found = deform(tensor, displacement)
        assert torch.allclose(found.double(), torch.from_numpy(expected).double(), atol=1e-6)


def test_images_and_weights_are_what_grid_sample_gives():
    torch.manual_seed(0)
    image = torch.rand(3, 17, 26)
    displacement = smooth_displacement((17, 26), 4.0)
    at = torch.stack(torch.meshgrid(torch.arange(17), torch.arange(26), indexing="ij")) + displacement
    unit = 2 * at / torch.tensor([16, 25])[:, None, None] - 1  # corners are -1 and 1
    expected = F.grid_sample(
        image[None], unit.flip(0).permute(1, 2, 0)[None], padding_mode="reflection", align_corners=True
    )[0]
    assert torch.allclose(deform(tv_tensors.Image(image), displacement), expected, atol=1e-5)
    assert torch.allclose(deform(WeightMap(image[0]), displacement), expected[0], atol=1e-5)


# The displacements


def test_nine_normal_displacements_from_corner_to_corner():
    torch.manual_seed(1)
    fields = torch.stack([smooth_displacement((21, 31), 10.0) for _ in range(400)])  # (400, 2, 21, 31)
    nodes = fields[..., ::10, ::15]  # (400, 2, 3, 3)
    torch.manual_seed(1)
    drawn = torch.cat([10 * torch.randn(1, 2, 3, 3) for _ in range(400)])
    assert torch.allclose(nodes, drawn, atol=1e-4)
    assert abs(nodes.std() - 10) < 0.4 and abs(nodes.mean()) < 0.4
    down, right = nodes[:, 0].flatten(), nodes[:, 1].flatten()
    assert abs(torch.corrcoef(torch.stack([down, right]))[0, 1]) < 0.08


def test_between_the_nine_points_it_is_bicubic():
    """The piecewise cubic kernel, by hand, along a row that goes through three nodes."""

    def kernel(t, a=-0.75):
        t = abs(t)
        return (a + 2) * t**3 - (a + 3) * t**2 + 1 if t <= 1 else a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0

    torch.manual_seed(2)
    row = smooth_displacement((5, 41), 10.0)[0, 0].tolist()
    nodes = [row[0], row[20], row[40]]
    for x in range(41):
        expected = sum(kernel(x / 20 - node) * nodes[min(max(node, 0), 2)] for node in range(-2, 5))
        assert abs(row[x] - expected) < 1e-3


def test_it_is_smooth():
    torch.manual_seed(3)
    field = smooth_displacement((200, 300), 10.0)
    for axis in (1, 2):
        second = field.diff(n=2, dim=axis).abs()
        assert second.max() < 0.05 and field.std() > 3


# As a transform


def test_torchs_seed_fixes_it_and_every_call_differs():
    before = sample((20, 24))
    torch.manual_seed(5)
    one, other = ElasticDeformation()(*before), ElasticDeformation()(*before)
    torch.manual_seed(5)
    again = ElasticDeformation()(*before)
    assert torch.equal(one[1], again[1]) and not torch.equal(one[1], other[1])


def test_cells_bend_with_their_numbers():
    plain = load_dataset("cells", "train", length=4, instances=True)
    torch.manual_seed(0)
    bent = load_dataset("cells", "train", length=4, instances=True, transform=ElasticDeformation(sigma=3.0))
    changed = []
    for (_, mask, ids), (image, new_mask, new_ids) in zip(plain, bent, strict=True):
        assert image.shape == (1, 96, 128) and image.min() >= 0 and image.max() <= 1
        assert (new_ids[new_mask == 1] > 0).all()
        assert 0.7 < new_mask.sum() / mask.sum() < 1.4
        changed.append((new_ids != ids).float().mean())
    assert min(changed) > 0.05


def test_the_papers_sigma_is_the_default():
    assert ElasticDeformation() == ElasticDeformation(sigma=10.0)
    assert list(inspect.signature(ElasticDeformation).parameters) == ["sigma"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ElasticDeformation(-1.0), ValueError, "sigma is -1.0; expected a number of pixels, 0 or more"),
        (lambda: ElasticDeformation()(torch.rand(1, 4, 4)), TypeError, "image: expected a tv_tensors.Image"),
        (
            lambda: ElasticDeformation()(tv_tensors.Image(torch.rand(1, 4, 4)), torch.ones(4, 4)),
            TypeError,
            "mask: expected a tv_tensors.Mask",
        ),
        (
            lambda: deform(torch.rand(1, 4, 5), torch.zeros(2, 5, 4)),
            ValueError,
            r"displacement: expected shape \(2, H, W\) = \(2, 4, 5\), got a tensor of shape \(2, 5, 4\)",
        ),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
