"""Fully connected layers as convolutions: equal to the classifier, to every crop, to every shift."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils.fc_to_conv import (
    convolutionalize,
    dense_scores,
    linear_to_conv,
    shift_and_stitch,
    sliding_window_scores,
)
from course_utils.models import list_classifiers, load_classifier


def valid_classifier(classes=5, channels=3):
    """A small double-precision VGG without padding: stride 4, window (and receptive field) 18 × 22."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(6 * 3 * 4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, classes),
    )  # fmt: skip
    return net.double()


WINDOW = (18, 22)


def image_of(height, width, channels=3, seed=0):
    return torch.randn(channels, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def normalize_by_batch(classifier, image):
    """Give a random network the statistics of an image: without, deep residual networks overflow float32's digits."""
    for part in classifier.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        classifier.train()(image)
    classifier.eval()


@pytest.mark.parametrize("name", list_classifiers())
def test_equals_the_classifier_at_the_training_size(name):
    torch.manual_seed(0)
    classifier = load_classifier(name, pretrained=name == "efficientnet_lite0")
    image = torch.randn(2, 3, 224, 224)
    if name.startswith(("resnet", "mobilenet")):
        normalize_by_batch(classifier, image)
    fcn = convolutionalize(classifier)
    with torch.no_grad():
        expected, got = classifier(image), fcn(image)
        assert got.shape == (2, 1000, 1, 1)
        assert expected.std() > 0
        torch.testing.assert_close(got[:, :, 0, 0], expected, atol=1e-4, rtol=0)
        assert fcn(torch.randn(1, 3, 224, 288)).shape == (1, 1000, 1, 3)
    linears = [name for name, part in classifier.named_modules() if isinstance(part, nn.Linear)]
    for layer in linears:
        linear, conv = classifier.get_submodule(layer), fcn.get_submodule(layer)
        assert isinstance(linear, nn.Linear) and isinstance(conv, nn.Conv2d)
        assert conv.weight.data_ptr() == linear.weight.data_ptr()
        assert conv.bias.data_ptr() == linear.bias.data_ptr()
    assert sum(p.numel() for p in fcn.parameters()) == sum(p.numel() for p in classifier.parameters())
    assert fcn.window == (224, 224)


def test_vgg16_layers_are_the_documents():
    fcn = convolutionalize(load_classifier("vgg16", pretrained=False))
    shapes = [tuple(fcn.get_submodule(f"classifier.{i}").weight.shape) for i in (0, 3, 6)]
    assert shapes == [(4096, 512, 7, 7), (4096, 4096, 1, 1), (1000, 4096, 1, 1)]
    assert isinstance(fcn.get_submodule("classifier.2"), nn.Dropout)
    assert not any(isinstance(part, nn.AdaptiveAvgPool2d) for part in fcn.modules())


@pytest.mark.parametrize("bias", [True, False])
def test_linear_to_conv_reads_channels_then_rows_then_columns(bias):
    linear = nn.Linear(3 * 2 * 5, 7, bias=bias).double()
    conv = linear_to_conv(linear, 3, 2, 5)
    image = image_of(2, 5)
    torch.testing.assert_close(conv(image[None])[0, :, 0, 0], linear(image.flatten()))
    assert (conv.bias is None) == (not bias)
    # by hand: unit 4 of the layer, its weight for channel 1, row 1, column 3
    assert conv.weight[4, 1, 1, 3] == linear.weight[4, 1 * 10 + 1 * 5 + 3]


def test_frozen_weights_stay_frozen_and_modes_are_kept():
    classifier = valid_classifier().train()
    classifier[4].eval()
    classifier[7].weight.requires_grad_(False)
    classifier[10].bias.requires_grad_(False)
    fcn = convolutionalize(classifier, WINDOW)
    conv7, conv10 = fcn.get_submodule("7"), fcn.get_submodule("10")
    assert (conv7.weight.requires_grad, conv7.bias.requires_grad) == (False, True)
    assert (conv10.weight.requires_grad, conv10.bias.requires_grad) == (True, False)
    assert fcn.training and conv7.training and classifier.training and not classifier[4].training
    assert isinstance(classifier[7], nn.Linear)
    image = image_of(*WINDOW)[None]
    assert not torch.equal(fcn(image), fcn(image))  # dropout is alive in training mode
    assert not convolutionalize(classifier.eval(), WINDOW).training


def test_training_one_trains_the_other():
    classifier = valid_classifier().eval()
    fcn = convolutionalize(classifier, WINDOW)
    with torch.no_grad():
        for parameter in fcn.parameters():
            parameter.mul_(0.5)
    image = image_of(*WINDOW)
    torch.testing.assert_close(dense_scores(fcn, image)[:, 0, 0], classifier(image[None])[0])


def test_average_pooling_becomes_a_window_of_the_last_map():
    classifier = load_classifier("resnet18", pretrained=False)
    fcn = convolutionalize(classifier, (192, 320))
    assert fcn.avgpool.kernel_size == (6, 10) and fcn.avgpool.stride == 1
    image = torch.rand(1, 3, 192, 320)
    with torch.no_grad():
        torch.testing.assert_close(fcn(image)[:, :, 0, 0], classifier(image), atol=1e-4, rtol=0)


class FunctionalHead(nn.Module):
    """Pools, flattens and activates by functions and methods; takes five channels."""

    def __init__(self, flatten):
        super().__init__()
        self.conv, self.flatten = nn.Conv2d(5, 4, 3, stride=2), flatten
        self.hidden, self.scores = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = self.flatten(nn.functional.adaptive_avg_pool2d(self.conv(x), 1))
        return self.scores(nn.functional.relu(self.hidden(x)).relu())


@pytest.mark.parametrize(
    "flatten",
    [lambda x: torch.flatten(x, 1), lambda x: x.flatten(1), lambda x: x.view(x.size(0), -1), nn.Flatten()],
    ids=["function", "method", "view", "module"],
)
def test_heads_written_with_functions(flatten):
    classifier = FunctionalHead(flatten).double()
    fcn = convolutionalize(classifier, (17, 21))
    image = image_of(25, 33, channels=5)
    assert dense_scores(fcn, image).shape == (3, 5, 7)
    crops = sliding_window_scores(classifier, image, (17, 21), 2)
    torch.testing.assert_close(dense_scores(fcn, image), crops)


def head(*layers):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6), *layers)


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (head(nn.BatchNorm1d(6)), "can't convert layer 4 .BatchNorm1d"),
        (head(nn.Linear(6, 2), nn.Softmax(dim=-1)), "can't convert layer 5 .Softmax"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d((7, 7)), nn.Flatten(), nn.Linear(196, 2)),
         "can't convert layer 1 .AdaptiveAvgPool2d.*30×38 to 7×7; give the input_size"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), "found none"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2),
                       nn.Unflatten(1, (2, 1, 1)), nn.Flatten()), "found 2, 5"),
    ],
)  # fmt: skip
def test_a_classifier_of_another_form_is_refused_by_layer(classifier, message):
    with pytest.raises(ValueError, match=message):
        convolutionalize(classifier, (32, 40))


def test_another_input_size_than_the_training_size_is_refused():
    with pytest.raises(ValueError, match=r"input_size \(30, 30\): .*1x216 and 72x8.* that it was trained on"):
        convolutionalize(valid_classifier(), (30, 30))
    with pytest.raises(ValueError, match=r"input_size \(8, 8\)"):
        convolutionalize(valid_classifier(), (8, 8))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(18, 60), width=st.integers(22, 60), batch_size=st.integers(1, 7))
def test_one_pass_equals_every_crop_when_nothing_pads(height, width, batch_size):
    classifier = valid_classifier()
    fcn = convolutionalize(classifier, WINDOW)
    image = image_of(height, width)
    crops = sliding_window_scores(classifier, image, WINDOW, stride=4, batch_size=batch_size)
    dense = dense_scores(fcn, image)
    assert dense.shape == (5, (height - 18) // 4 + 1, (width - 22) // 4 + 1)
    assert crops.std() > 0
    torch.testing.assert_close(dense, crops)


def test_one_pass_does_not_equal_the_crops_when_a_layer_pads():
    classifier = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 4 * 5, 2)
    ).double()
    image = image_of(16, 20)
    dense = dense_scores(convolutionalize(classifier, (8, 10)), image)
    crops = sliding_window_scores(classifier, image, (8, 10), stride=2)
    assert dense.shape == crops.shape == (2, 5, 6)
    assert ((dense - crops).abs() > 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(height=st.integers(18, 44), width=st.integers(22, 44), stride=st.sampled_from([1, 2, 4]))
def test_shift_and_stitch_equals_the_crops_at_the_finer_stride(height, width, stride):
    classifier = valid_classifier()
    fcn = convolutionalize(classifier, WINDOW)
    image = image_of(height, width)
    stitched = shift_and_stitch(fcn, image, stride)
    torch.testing.assert_close(stitched, sliding_window_scores(classifier, image, WINDOW, stride))
    without_window = nn.Sequential(*fcn.children())  # falls back on the receptive field, 18 × 22 too
    torch.testing.assert_close(shift_and_stitch(without_window, image, stride), stitched)
    larger = (height, width)
    assert shift_and_stitch(fcn, image, stride, window=larger).shape == (5, 1, 1)


def test_shift_and_stitch_keeps_whole_windows_of_a_padded_network():
    fcn = convolutionalize(load_classifier("resnet18", pretrained=False))
    image = torch.rand(3, 256, 320)
    stitched = shift_and_stitch(fcn, image, 16)
    assert stitched.shape == (1000, 3, 7)
    torch.testing.assert_close(stitched[:, ::2, ::2], dense_scores(fcn, image))


def test_scores_are_given_in_evaluation_mode_without_gradients():
    classifier = valid_classifier().train()
    fcn = convolutionalize(classifier, WINDOW)
    image = image_of(30, 30)
    for scores in (
        dense_scores(fcn, image),
        sliding_window_scores(classifier, image, WINDOW, 4),
        shift_and_stitch(fcn, image, 4),
    ):
        torch.testing.assert_close(scores, dense_scores(fcn, image))
        assert not scores.requires_grad
    assert fcn.training and classifier.training


BAD_IMAGES = [
    (torch.zeros(3, 30, 30, dtype=torch.uint8), TypeError, "torch.uint8"),
    (None, TypeError, "NoneType"),
    (torch.zeros(1, 3, 30, 30), ValueError, r"\(1, 3, 30, 30\), expected \(C, H, W\)"),
    (torch.full((3, 30, 30), float("nan")).double(), ValueError, "2700 NaN or infinite"),
]


@pytest.mark.parametrize(("image", "error", "message"), BAD_IMAGES)
def test_bad_images(image, error, message):
    classifier = valid_classifier()
    fcn = convolutionalize(classifier, WINDOW)
    for score in (
        lambda: dense_scores(fcn, image),
        lambda: sliding_window_scores(classifier, image, WINDOW, 4),
        lambda: shift_and_stitch(fcn, image, 2),
    ):
        with pytest.raises(error, match=message):
            score()


def test_too_small_an_image_and_a_stride_that_does_not_fit():
    classifier = valid_classifier()
    fcn = convolutionalize(classifier, WINDOW)
    for height, width in ((17, 40), (40, 21)):
        with pytest.raises(ValueError, match=f"{height}×{width} px, smaller than the 18×22 window"):
            sliding_window_scores(classifier, image_of(height, width), WINDOW, 4)
        with pytest.raises(ValueError, match=f"{height}×{width} px, smaller than the 18×22 window"):
            shift_and_stitch(fcn, image_of(height, width), 4)
    for stride in (3, 8):
        with pytest.raises(ValueError, match=f"stride is {stride}, expected a divisor"):
            shift_and_stitch(fcn, image_of(30, 30), stride)
    for stride in (0, -4):
        with pytest.raises(ValueError, match=f"stride is {stride}, expected at least 1"):
            shift_and_stitch(fcn, image_of(30, 30), stride)
        with pytest.raises(ValueError, match=f"stride is {stride}, expected at least 1"):
            sliding_window_scores(classifier, image_of(30, 30), WINDOW, stride)


def test_square_window_may_be_one_number():
    classifier = load_classifier("resnet18", pretrained=False)
    image = torch.rand(3, 64, 96)
    scores = sliding_window_scores(classifier, image, 64, 32)
    assert scores.shape == (1000, 1, 2)
    assert shift_and_stitch(convolutionalize(classifier, (64, 64)), image, 32, window=64).shape == (1000, 1, 2)
