"""Classifiers: the right networks, real weights where there are some, and a loud word where there are none."""

import pytest
import torch
from torchvision.models import get_model_weights

from course_utils.data import load_photo
from course_utils.models import classifiers, imagenet_classes, list_classifiers, load_classifier, normalize
from course_utils.models.inspection import evaluating, input_channels

# torchvision's counts; GoogLeNet without its auxiliary heads.
COUNTS = {"alexnet": 61_100_840, "googlenet": 6_624_904, "resnet50": 25_557_032, "efficientnet_lite0": 4_652_008}


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts(name):
    model = load_classifier(name, pretrained=False)
    assert sum(p.numel() for p in model.parameters()) == COUNTS[name]
    assert not model.training


def test_every_name_is_a_network_torchvision_has_weights_for():
    assert len(list_classifiers()) == 17
    for name in list_classifiers()[:-1]:
        assert len(get_model_weights(name).IMAGENET1K_V1.meta["categories"]) == len(imagenet_classes()) == 1000


def test_efficientnet_lite0_recognises_real_photos():
    model = load_classifier("efficientnet_lite0")
    seen = {}
    for photo in ("chelsea", "coffee"):
        image = torch.from_numpy(load_photo(photo).copy()).permute(2, 0, 1)[None] / 255
        image = torch.nn.functional.interpolate(image, (224, 224), mode="bilinear", antialias=True)
        with torch.no_grad():
            best = model(normalize("efficientnet_lite0", image))[0].argmax()
        seen[photo] = imagenet_classes()[best]
    assert seen["chelsea"] in ("tabby", "tiger cat", "Egyptian cat")
    assert seen["coffee"] in ("espresso", "cup")


def test_unknown_name_lists_the_near_ones():
    with pytest.raises(ValueError, match="unknown classifier 'vgg17'; did you mean .*vgg1"):
        load_classifier("vgg17")


@pytest.fixture
def empty_weights_cache(tmp_path, monkeypatch):
    hub, mirror = tmp_path / "hub", tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(hub))
    monkeypatch.setenv("COURSE_MIRROR", str(mirror))
    return hub, mirror


def test_missing_weights_warn_and_never_pass_silently(empty_weights_cache, monkeypatch):
    monkeypatch.setattr(classifiers, "_weights_url", lambda name: "file:///nowhere/alexnet-owt-7be5be79.pth")
    with pytest.warns(UserWarning, match="alexnet: no ImageNet weights, so it keeps RANDOM weights"):
        model = load_classifier("alexnet")
    assert model.classifier[6].weight.std() > 0


def test_weights_are_read_from_the_file_that_the_hash_in_its_name_vouches_for(
    empty_weights_cache, monkeypatch, tmp_path, recwarn
):
    import hashlib

    torch.manual_seed(1)
    theirs = load_classifier("resnet18", pretrained=False)
    unnamed = tmp_path / "resnet18.pth"
    torch.save(theirs.state_dict(), unnamed)
    digest = hashlib.sha256(unnamed.read_bytes()).hexdigest()
    named = unnamed.rename(tmp_path / f"resnet18-{digest[:8]}.pth")
    monkeypatch.setattr(classifiers, "_weights_url", lambda name: named.as_uri())

    ours = load_classifier("resnet18")
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert (empty_weights_cache[0] / "checkpoints" / named.name).exists()
    assert not [warning for warning in recwarn if "RANDOM" in str(warning.message)]


def test_damaged_weights_are_refused(empty_weights_cache, monkeypatch, tmp_path):
    fake = tmp_path / "resnet18-0123abcd.pth"
    fake.write_bytes(b"not the weights")
    monkeypatch.setattr(classifiers, "_weights_url", lambda name: fake.as_uri())
    with pytest.warns(UserWarning, match="RANDOM"):
        load_classifier("resnet18")


def test_normalize_centres_each_channel():
    grey = torch.full((3, 4, 6), 0.5)
    assert normalize("googlenet", grey).abs().max() == 0
    mean = torch.tensor(classifiers.IMAGENET_MEAN)[:, None, None].expand(3, 4, 6)
    std = torch.tensor(classifiers.IMAGENET_STD)[:, None, None].expand(3, 4, 6)
    torch.testing.assert_close(normalize("vgg16", mean), torch.zeros(3, 4, 6))
    torch.testing.assert_close(normalize("vgg16", mean + std)[None], torch.ones(1, 3, 4, 6))


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (torch.zeros(3, 4, 6, dtype=torch.uint8), TypeError, "torch.uint8, expected floats"),
        (torch.zeros(4, 6, 3), ValueError, r"shape \(4, 6, 3\), expected"),
        (torch.full((3, 4, 6), 255.0), ValueError, "from 255 to 255"),
        (torch.full((3, 4, 6), -1.0), ValueError, "from -1 to -1"),
        (torch.full((3, 4, 6), float("nan")), ValueError, "nan"),
    ],
)
def test_normalize_refuses(image, error, message):
    with pytest.raises(error, match=message):
        normalize("resnet18", image)


def test_evaluating_restores_each_mode_even_after_an_error():
    net = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm2d(3))
    net[1].eval()
    with pytest.raises(KeyError), evaluating(net) as same:
        assert same is net and not net.training and not net[0].training
        raise KeyError
    assert net.training and net[0].training and not net[1].training


def test_input_channels():
    assert input_channels(load_classifier("alexnet", pretrained=False)) == 3
    with pytest.raises(ValueError, match="Linear has no convolution"):
        input_channels(torch.nn.Linear(2, 2))
