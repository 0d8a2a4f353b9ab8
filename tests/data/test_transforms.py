"""Joint transforms: image, mask and distances stay together, and masks are moved, never mixed."""

import inspect
import pickle

import pytest
import torch
from hypothesis import given, register_random, settings
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from course_utils.data import load_dataset
from course_utils.data.dataset import DepthMap
from course_utils.data.transforms import FILL, Fit, RandomScale, eval_transform, resize, train_transform

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
LABELS = [0, 3, 7, 200, 255]  # mixtures of these are other numbers


class _TorchRandom:
    """Torch's random state, for Hypothesis to set: an example that failed must fail again."""

    getstate, setstate = staticmethod(torch.get_rng_state), staticmethod(torch.set_rng_state)

    @staticmethod
    def seed(number):
        torch.manual_seed(number)


TORCH_RANDOM = _TorchRandom()
register_random(TORCH_RANDOM)
RANDOM = st.random_module()


def sample(size, channels=3):
    """An image whose channels are its mask / 255, the mask and distances that are the mask + 0.5."""
    mask = torch.tensor(LABELS)[torch.randint(len(LABELS), size)]
    image = (mask / 255).expand(channels, -1, -1).clone()
    return tv_tensors.Image(image), tv_tensors.Mask(mask), DepthMap(mask + 0.5)


def check_moved_not_mixed(before, after, size):
    image, mask, depth = after
    assert image.shape == (3, *size) and mask.shape == size and depth.shape == size
    assert [type(tensor) for tensor in after] == [tv_tensors.Image, tv_tensors.Mask, DepthMap]
    assert mask.dtype == torch.int64 and depth.dtype == image.dtype == torch.float32
    assert set(mask.unique().tolist()) <= {*before[1].unique().tolist(), 255}
    padded = torch.isinf(depth)
    assert (mask[padded] == 255).all()
    assert torch.equal(depth[~padded], mask[~padded] + 0.5)  # mask and distances move alike


@settings(max_examples=60)
@given(SIZES, SIZES, st.floats(0.2, 3), st.floats(1, 3), RANDOM)
def test_training_gives_the_size_and_no_new_label(size, wanted, low, more, _):
    before = sample(size)
    after = train_transform(wanted, scale=(low, low * more))(*before)
    check_moved_not_mixed(before, after, wanted)
    assert after[0].min() >= 0 and after[0].max() <= 1


@settings(max_examples=60)
@given(SIZES, SIZES)
def test_evaluation_gives_the_size_and_no_new_label(size, wanted):
    before = sample(size)
    after = eval_transform(wanted)(*before)
    check_moved_not_mixed(before, after, wanted)
    again = eval_transform(wanted)(*before)
    assert all(torch.equal(one, other) for one, other in zip(after, again, strict=True))


V2 = {
    "Resize": lambda: v2.Resize((13, 17)),
    "RandomResize": lambda: v2.RandomResize(5, 30),
    "ScaleJitter": lambda: v2.ScaleJitter((20, 20), (0.5, 2)),
    "RandomResizedCrop": lambda: v2.RandomResizedCrop((13, 17)),
    "RandomShortestSize": lambda: v2.RandomShortestSize(9),
    "RandomRotation": lambda: v2.RandomRotation(90, fill=FILL, interpolation=v2.InterpolationMode.BILINEAR),
    "RandomAffine": lambda: v2.RandomAffine(40, (0.3, 0.3), (0.5, 2), 20, v2.InterpolationMode.BILINEAR, FILL),
    "RandomPerspective": lambda: v2.RandomPerspective(p=1, fill=FILL),
    "ElasticTransform": lambda: v2.ElasticTransform(alpha=80.0, sigma=1.0, fill=FILL),
    "RandomZoomOut": lambda: v2.RandomZoomOut(p=1, fill=FILL),
    "RandomCrop": lambda: v2.RandomCrop((30, 40), pad_if_needed=True, fill=FILL),
    "Pad": lambda: v2.Pad(3, fill=FILL),
    "ColorJitter": lambda: v2.ColorJitter(0.9, 0.9, 0.9, 0.4),
    "GaussianBlur": lambda: v2.GaussianBlur(5),
    "RandomPhotometricDistort": lambda: v2.RandomPhotometricDistort(p=1),
    "Normalize": lambda: v2.Normalize([0.5] * 3, [0.2] * 3),
    "ToDtype": lambda: v2.ToDtype(torch.float32, scale=True),
}


@pytest.mark.parametrize("name", V2)
@settings(max_examples=10)
@given(size=st.tuples(st.integers(8, 40), st.integers(8, 40)), random=RANDOM)
def test_torchvisions_own_transforms_do_not_mix_masks_either(name, size, random):
    before = sample(size)
    image, mask, depth = V2[name]()(*before)
    assert image.shape[1:] == mask.shape == depth.shape
    assert set(mask.unique().tolist()) <= {*before[1].unique().tolist(), 255}
    padded = torch.isinf(depth)
    assert (mask[padded] == 255).all() and torch.equal(depth[~padded], mask[~padded] + 0.5)


@given(SIZES, st.integers(1, 6), st.integers(1, 6))
def test_enlarging_repeats_every_pixel(size, down, right):
    _, mask, depth = sample(size)
    size = (size[0] * down, size[1] * right)
    expected = mask.repeat_interleave(down, 0).repeat_interleave(right, 1)
    assert torch.equal(resize(mask, size), expected)
    assert torch.equal(resize(depth, size), expected + 0.5)


@given(SIZES, st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5]))
def test_shrinking_takes_the_pixel_in_the_middle(size, down, right):
    _, mask, _ = sample((size[0] * down, size[1] * right))
    assert torch.equal(resize(mask, size), mask[down // 2 :: down, right // 2 :: right])


@given(st.integers(8, 30), st.integers(8, 30), st.integers(4, 60), st.integers(4, 60))
def test_resized_mask_lies_on_the_resized_image(height, width, new_height, new_width):
    """The edge of a white half plane is at the same place in both, to less than a pixel."""
    edge = width // 2
    mask = tv_tensors.Mask((torch.arange(width) >= edge).long().expand(height, -1).clone())
    image = tv_tensors.Image(mask[None].expand(3, -1, -1).float())
    area = resize(image, (new_height, new_width))[0, 0].sum()
    assert abs(area - resize(mask, (new_height, new_width))[0].sum()) <= 0.5 + 1e-3


def test_image_is_resized_without_aliasing():
    stripes = tv_tensors.Image((torch.arange(64) % 2).float().expand(3, 64, -1).clone())
    assert abs(resize(stripes, (16, 16))[:, :, 2:-2] - 0.5).max() < 0.05


@given(SIZES, SIZES)
def test_fitting_keeps_the_aspect_ratio_and_pads_below_and_right(size, wanted):
    image, mask, depth = Fit(wanted)(*sample(size))
    inside = ~torch.isinf(depth)
    height, width = int(inside[:, 0].sum()), int(inside[0].sum())
    assert inside[:height, :width].all() and inside.sum() == height * width
    assert height == wanted[0] or width == wanted[1]
    ratio = min(wanted[0] / size[0], wanted[1] / size[1])
    assert abs(height - max(size[0] * ratio, 1)) <= 0.5 + 1e-6 and abs(width - max(size[1] * ratio, 1)) <= 0.5 + 1e-6
    assert (image[:, ~inside] == 0).all() and (mask[~inside] == 255).all()


def test_fitting_the_same_size_changes_nothing():
    before = sample((7, 9))
    assert all(torch.equal(one, other) for one, other in zip(before, Fit((7, 9))(*before), strict=True))


def test_random_scale_covers_its_range():
    heights = {RandomScale((40, 40), (0.5, 2.0))(*sample((20, 10)))[1].shape for _ in range(400)}
    rows = {height for height, _ in heights}
    assert min(rows) in (20, 21) and max(rows) in (79, 80) and len(rows) > 55
    assert all(abs(height - 2 * width) <= 1 for height, width in heights)
    assert RandomScale((40, 60), (1.5, 1.5))(*sample((20, 10)))[0].shape == (3, 60, 30)


def test_training_varies_place_side_and_colours():
    ramp = torch.linspace(0.3, 0.7, 30).expand(3, 20, -1).clone()
    before = (tv_tensors.Image(ramp), tv_tensors.Mask(torch.arange(600).reshape(20, 30) % 256))
    results = [train_transform((10, 15), scale=(1.5, 2))(*before) for _ in range(60)]
    rising = [bool(image[0, 5, -1] > image[0, 5, 0]) for image, _ in results]
    assert 15 < sum(rising) < 45  # mirrored half of the time
    assert len({int(mask[0, 0]) for _, mask in results}) > 30
    means = torch.stack([image.mean(dim=(1, 2)) for image, _ in results])
    assert means.mean(dim=1).std() > 0.03 and (means - means.mean(dim=1, keepdim=True)).abs().max() > 0


def jittered(jitter):
    image = torch.tensor([0.8, 0.5, 0.2]).reshape(3, 1, 1).expand(-1, 8, 8).clone()
    image[:, :4] /= 2
    before = (tv_tensors.Image(image), tv_tensors.Mask(torch.zeros(8, 8, dtype=torch.int64)))
    return image, torch.stack([train_transform((8, 8), scale=(1, 1), jitter=jitter)(*before)[0] for _ in range(80)])


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_of_other_than_three_channels(channels):
    before = tv_tensors.Image(torch.rand(channels, 5, 7)), tv_tensors.Mask(torch.zeros(5, 7, dtype=torch.int64))
    for transform in (train_transform((8, 9), jitter=0), eval_transform((8, 9))):
        image, mask = transform(*before)
        assert image.shape == (channels, 8, 9) and mask.shape == (8, 9)
    if channels == 1:
        assert train_transform((8, 9))(*before)[0].shape == (1, 8, 9)
    else:
        with pytest.raises(ValueError, match=f"it has {channels} channels, not 1 or 3. Give train_transform jitter=0"):
            train_transform((8, 9))(*before)


def test_jitter_sets_how_much_colours_vary():
    image, same = jittered(0)
    assert abs(same - image).max() < 1e-6
    _, some = jittered(0.1)
    _, many = jittered(0.3)
    assert 1.5 * some.std(dim=0).mean() < many.std(dim=0).mean()
    brightness = many.mean(dim=(1, 2, 3))
    contrast = (many[:, :, 4:] - many[:, :, :4]).mean(dim=(1, 2, 3)) / brightness
    saturation = (many[:, 0] - many[:, 2]).mean(dim=(1, 2)) / brightness
    hue = (many[:, 1] - many[:, 2]).mean(dim=(1, 2)) / (many[:, 0] - many[:, 2]).mean(dim=(1, 2))
    assert brightness.std() > 0.03 and contrast.std() > 0.03 and saturation.std() > 0.1 and 0.02 < hue.std() < 0.3


def test_normalising_comes_last_and_leaves_the_mask_alone():
    before = sample((6, 8))
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 0.2]
    for make in (eval_transform, lambda size, **options: train_transform(size, scale=(1, 1), jitter=0, **options)):
        torch.manual_seed(0)
        plain = make((9, 9))(*before)
        torch.manual_seed(0)
        normal = make((9, 9), mean=mean, std=std)(*before)
        expected = (plain[0] - torch.tensor(mean).reshape(3, 1, 1)) / torch.tensor(std).reshape(3, 1, 1)
        assert torch.allclose(normal[0], expected, atol=1e-6)
        assert torch.equal(normal[1], plain[1]) and torch.equal(normal[2], plain[2])


@pytest.mark.parametrize("make", [train_transform, eval_transform])
def test_street_scenes_through_both(make):
    dataset = load_dataset("street_scenes", "train", length=3, depth=True, transform=make((48, 80)))
    for image, mask, depth in pickle.loads(pickle.dumps(dataset)):
        assert image.shape == (3, 48, 80) and mask.shape == depth.shape == (48, 80)
        assert len(mask.unique()) > 4


@pytest.mark.parametrize(
    "step", [Fit((4, 4)), RandomScale((4, 4), (1, 2)), train_transform((4, 4)), eval_transform((4, 4))]
)
def test_plain_tensors_are_refused(step):
    """They would pass for images, and the labels be mixed."""
    image, mask, _ = sample((6, 8))
    with pytest.raises(TypeError, match=r"image: expected a tv_tensors.Image, got a tensor of shape .*Image\(image\)"):
        step(torch.rand(3, 6, 8), mask)
    with pytest.raises(TypeError, match=r"mask: expected a tv_tensors.Mask, got a tensor of shape .*Mask\(mask\)"):
        step(image, torch.zeros(6, 8, dtype=torch.int64))
    with pytest.raises(TypeError, match="mask: expected"):
        step(image, mask, torch.zeros(6, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 5)}, r"size: expected \(height, width\), both at least 1, got \(0, 5\)"),
        ({"size": (5,)}, "size: expected"),
        ({"size": (5, 5, 5)}, "size: expected"),
        ({"size": (5, 5), "mean": [0.5]}, "mean, std: expected both or neither"),
        ({"size": (5, 5), "std": [0.5]}, "mean, std: expected both or neither"),
        ({"size": (5, 5), "scale": (0, 1)}, "scale: expected 0 < smallest <= largest"),
        ({"size": (5, 5), "scale": (2, 1)}, "scale: expected 0 < smallest <= largest"),
    ],
)
def test_bad_options(options, message):
    makers = [
        make for make in (train_transform, eval_transform) if set(options) <= set(inspect.signature(make).parameters)
    ]
    assert makers
    for make in makers:
        with pytest.raises(ValueError, match=message):
            make(**options)


def test_what_is_added_is_void_black_and_infinitely_far():
    image, mask, depth = (F.pad(tensor, [1, 2, 3, 4], fill=FILL[type(tensor)]) for tensor in sample((3, 4)))
    assert (mask[:2] == 255).all() and (mask[:, :1] == 255).all() and (image[:, -4:] == 0).all()
    assert torch.isinf(depth[:, -3:]).all()
