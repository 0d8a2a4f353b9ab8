"""FCN on VGG16: sizes, alignment to the pixel, upsampling equal to interpolation, weights of torchvision's VGG16."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.alignment import crops, network
from course_utils.models import build_model, fcn_vgg, load_classifier
from course_utils.models.fcn_vgg import VGG16
from course_utils.receptive_field import receptive_field
from tests.models.centroid import centroid, made_even

TRAINABLE = {"fcn32s": 134_346_581, "fcn16s": 134_357_354, "fcn8s": 134_362_751,
             "fcn4s": 134_365_460, "fcn2s": 134_366_825}  # fmt: skip
EACH = pytest.mark.parametrize("name", TRAINABLE)
PADDINGS = pytest.mark.parametrize("padding", ["paper", "same"])


def small(name: str, num_classes: int = 2, width: int = 2, **options) -> nn.Module:
    return build_model(name, num_classes, width=width, **options)


def trainable(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def random_scores(model: nn.Module, size: tuple[int, int]) -> dict[str, Tensor]:
    shapes = {name: map_.shape for name, map_ in model.score_maps(torch.zeros(1, 3, *size)).items()}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


@EACH
def test_which_parameters_are_trained(name):
    """All but the deconvolutions; if those are to be learned, all but the last one, as in the paper's text."""
    with torch.device("meta"):
        fixed, learned = build_model(name, 21), build_model(name, 21, learned_deconv=True)
    assert trainable(fixed) == TRAINABLE[name]
    assert trainable(learned) == TRAINABLE[name] + 21 * 21 * 4 * 4 * len(learned.skips)
    assert not learned.upscore.weight.requires_grad
    constants = {"fcn32s": 1_806_336, "fcn16s": 458_640, "fcn8s": 127_008, "fcn4s": 49_392, "fcn2s": 35_280}
    assert sum(buffer.numel() for buffer in fixed.buffers()) == constants[name]


# Sizes


@EACH
@PADDINGS
def test_any_size(name, padding):
    """From one pixel on: every height modulo 64, as many widths, not square."""
    with torch.device("meta"):
        model = small(name, padding=padding).eval()
        for height in range(1, 66):
            width = 1 + 37 * height % 71
            assert model(torch.zeros(1, 3, height, width)).shape == (1, 2, height, width)


def test_sizes_of_the_score_maps():
    """For 500×375 with 100 pixels of padding, by hand: 698 → 349 → 175 → 88 → 44 → 22 → 16."""
    with torch.device("meta"):
        scores = small("fcn8s").score_maps(torch.zeros(1, 3, 500, 375))
    sizes = {name: tuple(map_.shape[2:]) for name, map_ in scores.items()}
    assert sizes == {"conv7": (16, 12), "pool4": (44, 36), "pool3": (88, 72)}


def test_without_crops_all_maps_are_even_parts_of_the_image():
    with torch.device("meta"):
        scores = small("fcn2s", padding="same").score_maps(torch.zeros(1, 3, 64, 96))
    sizes = {name: tuple(map_.shape[2:]) for name, map_ in scores.items()}
    assert sizes == {"conv7": (2, 3), "pool4": (4, 6), "pool3": (8, 12), "pool2": (16, 24), "pool1": (32, 48)}


# Alignment


@EACH
@PADDINGS
@pytest.mark.parametrize(("axis", "pixel"), [(0, 500), (1, 523)])
def test_every_term_lies_exactly_on_its_pixel(name, padding, axis, pixel):
    """The gradient of a pixel of the logits through conv7 alone, through pool4 alone, … has its centroid there."""
    model = made_even(small(name, num_classes=1, width=1, padding=padding))
    for term in ("conv7", *model.skips):

        def only(images: Tensor, term: str = term) -> Tensor:
            scores = model.score_maps(images)
            scores = {name: map_ if name == term else torch.zeros_like(map_) for name, map_ in scores.items()}
            return model.fuse(scores, images.shape[-2:])

        assert centroid(only, 1024, pixel, axis) == pytest.approx(pixel, abs=1e-6), term


@pytest.mark.parametrize(("name", "size"), [("fcn32s", 436), ("fcn16s", 468), ("fcn8s", 468)])
def test_receptive_fields(name, size):
    with torch.device("meta"):
        assert receptive_field(small(name), "", (64, 96)).size == (size, size)


def test_crops_are_those_of_the_paper():
    assert (fcn_vgg.CROPS["pool4"], fcn_vgg.CROPS["pool3"]) == (5, 9)
    assert [fcn_vgg.FINAL_CROPS[stride] for stride in (32, 16, 8)] == [19, 27, 31]


@EACH
def test_crops_are_those_that_the_layers_ask_for(name):
    with torch.device("meta"):
        model = small(name)
    taken = {pool: fcn_vgg.CROPS[pool] for pool in model.skips} | {"image": fcn_vgg.FINAL_CROPS[model.stride]}
    assert crops(network(name), 500) == taken


# Sums


def test_upsampling_is_interpolation_in_the_interior():
    """FCN-8s before training, term by term, 16 pixels away from the border."""
    model = small("fcn8s", num_classes=3, padding="same")
    scores = random_scores(model, (96, 128))

    def double(maps: Tensor, times: int = 2) -> Tensor:
        return F.interpolate(maps, scale_factor=times, mode="bilinear", align_corners=False)

    expected = double(double(double(scores["conv7"]) + scores["pool4"]) + scores["pool3"], 8)
    ours = model.fuse(scores, (96, 128))
    torch.testing.assert_close(ours[..., 32:-32, 32:-32], expected[..., 32:-32, 32:-32], atol=1e-5, rtol=0)
    assert not torch.allclose(ours, expected, atol=1e-2), "at the border there is nothing to interpolate with"


@PADDINGS
def test_logits_are_linear_in_the_scores(padding):
    model = small("fcn8s", padding=padding)
    one, two = random_scores(model, (37, 50)), random_scores(model, (37, 50))
    mixed = model.fuse({name: 3 * one[name] - two[name] for name in one}, (37, 50))
    torch.testing.assert_close(mixed, 3 * model.fuse(one, (37, 50)) - model.fuse(two, (37, 50)), atol=1e-4, rtol=1e-4)


def test_scores_start_at_zero_and_dropout_drops_single_units():
    model = small("fcn8s").train()
    assert not model(torch.randn(1, 3, 20, 30)).any()
    dropped = model.vgg16.fc7[2](torch.ones(1, 8, 9, 7))
    share = (dropped == 0).float().mean((2, 3))  # of each channel
    assert ((share > 0) & (share < 1)).all()


# Staged training


def test_a_finer_network_starts_from_a_coarser_one():
    torch.manual_seed(0)
    coarser = small("fcn16s", padding="same", batch_norm=True)
    for score in coarser.score.values():
        nn.init.normal_(score.weight)
    finer = small("fcn8s", padding="same", batch_norm=True)
    finer.start_from(coarser)
    image = torch.rand(1, 3, 64, 96)
    ours, theirs = finer.eval().score_maps(image), coarser.eval().score_maps(image)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs) and theirs["pool4"].any()
    assert not ours["pool3"].any()


def test_staged_training_goes_one_way():
    with pytest.raises(ValueError, match=r"coarser: it has the skips \['pool3'\], which FCN16s lacks"):
        small("fcn16s").start_from(small("fcn8s"))


# ImageNet weights


def test_conv7_computes_what_torchvisions_vgg16_computes():
    """On 224×224, the window of one classification: the unit in the middle, whose 7×7 kernel meets no padding."""
    from torchvision.models.vgg import make_layers

    torch.manual_seed(0)
    plan = [channels for times, number in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
            for channels in (*[2 * times] * number, "M")]  # fmt: skip
    classifier = nn.Sequential(
        make_layers(plan), nn.Flatten(),
        nn.Linear(16 * 49, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 128), nn.ReLU(), nn.Dropout(),
        nn.Linear(128, 10),
    ).eval()  # fmt: skip
    vgg16 = VGG16(3, padding="same", width=2, fc_width=128, batch_norm=False).eval()
    vgg16.load(classifier)
    image = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        maps = vgg16(image)
        torch.testing.assert_close(maps["conv7"][:, :, 3, 3], classifier[:-1](image), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(maps["pool3"], classifier[0][:17](image), atol=1e-5, rtol=1e-4)


def test_the_whole_vgg16_fits(monkeypatch):
    """On empty tensors: every layer of the classifier but its scores finds its place."""
    asked = []
    monkeypatch.setattr(fcn_vgg, "load_classifier", lambda name: asked.append(name) or load_classifier(name, False))
    with torch.device("meta"):
        build_model("fcn8s", 21, pretrained=True)
    assert asked == ["vgg16"]


@pytest.mark.parametrize("options", [{"width": 32}, {"fc_width": 512}, {"batch_norm": True}, {"in_channels": 1}])
def test_pretrained_weights_fit_one_architecture_only(options):
    message = "pretrained: the ImageNet weights are for in_channels=3, width=64, fc_width=4096"
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        build_model("fcn32s", 21, pretrained=True, **options)


# Errors


def test_errors():
    with pytest.raises(ValueError, match="Unknown padding 'papre'. Did you mean 'paper'"):
        build_model("fcn8s", 21, padding="papre")
    for option in ("width", "fc_width"):
        with pytest.raises(ValueError, match=f"^{option}: expected 1 or more, got 0"):
            build_model("fcn8s", 21, **{"width": 1, "fc_width": 1} | {option: 0})
