# %% [markdown]
# # 01 · A classifier is already a segmenter
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/01_fc_to_conv.ipynb) · in JupyterLab, you are in the right place already.
#
# A network that was trained to say *"this picture shows a cat"* also knows *where* the cat is. It only has to be
# asked differently. In this lesson you rewrite a classifier, without training and without touching one weight,
# so that it answers at every place of a picture at once. That rewrite opened the field of
# semantic segmentation (语义分割) with deep networks in 2015.
#
# **You will be able to**
#
# - write a fully connected layer (全连接层) as a convolution (卷积), and prove that they are the same;
# - predict the size of a score map before you run the network;
# - say when one pass equals a sliding window (滑动窗口), and when it only comes close;
# - get scores on a finer grid by shift-and-stitch, and read the receptive field (感受野) of any unit.
#
# Sources: the course documents on FCN, and Long, Shelhamer & Darrell, *Fully Convolutional Networks for Semantic
# Segmentation* (CVPR 2015). Everything that they claim is measured below.

# %%
# On Google Colab this installs the course in seconds and leaves Colab's packages as they are. Elsewhere: nothing.
import importlib.util
import os
import subprocess
import sys

if "COLAB_RELEASE_TAG" in os.environ and not importlib.util.find_spec("course_utils"):
    source = os.environ.get("COURSE_SOURCE", "https://github.com/owner/segmentation-course/archive/main.zip")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", source], check=True)
    from course_utils.colab import install_requirements

    install_requirements()

# %%
import time
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.data import load_photo
from course_utils.fc_to_conv import convolutionalize, dense_scores, shift_and_stitch, sliding_window_scores
from course_utils.models import imagenet_classes, load_classifier, normalize
from course_utils.plotting import draw_heatmap, draw_overlay, show, subplots
from course_utils.receptive_field import effective_area, effective_receptive_field, receptive_field
from course_utils.widgets import ReceptiveFieldExplorer, SlidingWindowExplorer

torch.manual_seed(1);


# %% [markdown]
# ## 1. What a classifier does with a larger picture
#
# VGG16 is the classifier of the documents: thirteen convolutions, five poolings (池化), three fully connected layers.
# Its full set of ImageNet weights is 553 MB, and no statement of the first half of this lesson depends on
# their values. So we take VGG16 with *random* weights. Section 8 uses a trained network.

# %%
vgg = load_classifier("vgg16", pretrained=False)
weights = sum(p.numel() for p in vgg.parameters())
in_head = sum(p.numel() for p in vgg.classifier.parameters())
print(f"{weights:,} weights, {in_head / weights:.0%} of them in the three fully connected layers")
assert weights == 138_357_544

# %% [markdown]
# **Predict.** VGG16 was made for 224×224 pixels. Each of its five poolings halves both sides. How large is the last
# feature map (特征图) for 224×224? For 384×384? And which layer will complain about the larger one?

# %% tags=["nbval-check-output"]
for side in (224, 384):
    with torch.no_grad():
        feature_map = vgg.features(torch.zeros(1, 3, side, side))
    print(f"{side}×{side} → {tuple(feature_map.shape[1:])}, flattened {feature_map.numel():,} numbers")
print(f"the first fully connected layer reads {vgg.classifier[0].in_features:,}")

# %% [markdown]
# 224 / 2⁵ = 7 and 384 / 2⁵ = 12. The convolutions don't mind: they slide. The first fully connected layer does mind:
# it has exactly 7·7·512 = 25,088 weights per output, and no use for 73,728 numbers.
#
# (torchvision hides this. Its VGG16 squeezes every feature map to 7×7 by *adaptive* average pooling first, so it
# takes any picture, and answers once, for a blurred version of it. The VGG16 of the paper has no such layer.)

# %%
try:
    vgg.classifier(feature_map.flatten(1))
except RuntimeError as error:
    print(error)

# %% [markdown]
# ## 2. A fully connected layer is a convolution
#
# Take a layer so small that you can see all of it: it reads a map of 2 channels, 3×3 pixels, and gives 4 numbers.
# Each output is a sum of 18 products, one weight for each number of the map.
#
# A convolution with a 3×3 kernel (卷积核) over 2 channels is also a sum of 18 products. If the kernel covers
# the whole map, there is one place to put it: one output.
#
# **Predict.** In which order must the 18 weights of one output be laid out to become a 2×3×3 kernel?

# %%
small_map = torch.randn(1, 2, 3, 3)  # (N, C, H, W)
fc = nn.Linear(2 * 3 * 3, 4)
kernel = fc.weight.view(4, 2, 3, 3)  # (out, C, h, w): flattening ran over C, then H, then W

as_fc = fc(small_map.flatten(1))  # (1, 4)
as_conv = F.conv2d(small_map, kernel, fc.bias)  # (1, 4, 1, 1)
print(as_fc, as_conv.flatten(1), sep="\n")
assert torch.allclose(as_fc, as_conv.flatten(1), atol=1e-6)

# %% [markdown]
# The same weights, the same products, the same sums. Only the bookkeeping changed: `view` does not even copy.
#
# The order matters. A classic mistake is to lay the weights out as (h, w, C) and permute. The shapes fit, nothing
# complains, and every answer is wrong:

# %%
wrong_kernel = fc.weight.view(4, 3, 3, 2).permute(0, 3, 1, 2)
wrong = F.conv2d(small_map, wrong_kernel, fc.bias)
print(wrong.flatten(1))
assert wrong.shape == as_conv.shape and not torch.allclose(wrong, as_conv, atol=0.1)

# %% [markdown]
# ### VGG16's three layers
#
# Now the real ones. The first layer reads a 7×7×512 volume, so its kernel is 7×7 over 512 channels. The second and the
# third read what is left, one pixel with 4096 channels: their kernels are 1×1.

# %% tags=["nbval-check-output", "claim:fc-as-conv"]
fc6, fc7, fc8 = (vgg.classifier[i] for i in (0, 3, 6))
kernels = {
    "fc6": fc6.weight.view(4096, 512, 7, 7),
    "fc7": fc7.weight.view(4096, 4096, 1, 1),
    "fc8": fc8.weight.view(1000, 4096, 1, 1),
}
for (name, kernel), layer in zip(kernels.items(), (fc6, fc7, fc8)):
    print(f"{name}: matrix {tuple(layer.weight.shape)} → kernel {tuple(kernel.shape)}")
    assert kernel.data_ptr() == layer.weight.data_ptr()  # a view: no copy

# %% [markdown]
# One document writes these layers as "kernels of size (4096, 1, 1), (4096, 1, 1), (1000, 1, 1)". Those are the sizes of
# the *outputs*. The first kernel is 7×7 over 512 channels; it holds 103 million of the 138 million weights.
#
# With the three kernels, the fully connected half of VGG16 is three convolutions in a row (rectified in between;
# dropout does nothing at test time):

# %%
def head_as_convolutions(feature_map):
    x = F.relu(F.conv2d(feature_map, kernels["fc6"], fc6.bias))  # (N, 4096, h, w)
    x = F.relu(F.conv2d(x, kernels["fc7"], fc7.bias))  # (N, 4096, h, w)
    return F.conv2d(x, kernels["fc8"], fc8.bias)  # (N, 1000, h, w)

# %% [markdown]
# To try it we need a picture: an astronaut, from scikit-image's photos, scaled to what VGG16 was made for.

# %%
def photo(name, height, width):
    """A photo as floats in [0, 1], (3, height, width)."""
    image = torch.from_numpy(load_photo(name)).permute(2, 0, 1)[None] / 255
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True)[0].clamp(0, 1)

picture = normalize("vgg16", photo("astronaut", 384, 384))[None]  # (1, 3, 384, 384)

# %% [markdown]
# Cut a 224×224 piece out of it, and ask both: the classifier, and the three convolutions.

# %% tags=["claim:fcn-equals-at-224"]
with torch.no_grad():
    crop = picture[:, :, :224, :224]
    by_classifier = vgg(crop)  # (1, 1000)
    by_convolutions = head_as_convolutions(vgg.features(crop))  # (1, 1000, 1, 1)
difference = (by_classifier - by_convolutions.flatten(1)).abs().max()
print(f"largest score {by_classifier.abs().max():.3f}, largest difference {difference:.1e}")
assert difference < 1e-4

# %% [markdown]
# ## 3. One pass, many answers
#
# Give the three convolutions the 12×12 map of the 384×384 picture. The 7×7 kernel now fits at more than one place.
#
# **Predict** the size of the score map. The rule for any convolution: (size − kernel) / stride + 1.

# %% tags=["nbval-check-output", "claim:384-to-6x6"]
with torch.no_grad():
    feature_map = vgg.features(picture)
    scores = head_as_convolutions(feature_map)
print(f"features {tuple(feature_map.shape[1:])} → scores {tuple(scores.shape[1:])}")
print(f"(12 − 7) / 1 + 1 = {(12 - 7) // 1 + 1}")
assert scores.shape[1:] == (1000, 6, 6)

# %% [markdown]
# 36 classifications in one pass. Neighbouring scores are one step apart on the pool5 map: 32 pixels of the picture.
# So the 6×6 scores belong to 224×224 windows at 0, 32, 64, 96, 128, 160 pixels, down and across, and
# (384 − 224) / 32 + 1 = 6 says the same thing as (12 − 7) / 1 + 1 = 6.
#
# Note what the documents pass over: the score map is *not* 1/32 of the picture. That would be 12×12. The
# first of the three layers has no padding (填充) and eats six rows and six columns. FCN makes up for
# it with 100 pixels of padding in its very first layer: lesson 03.

# %% tags=["claim:heatmap-is-1-32"]
print(f"1/32 of the picture: {384 // 32}×{384 // 32}.  The score map: {scores.shape[2]}×{scores.shape[3]}.")
assert scores.shape[2] != 384 // 32

# %% [markdown]
# `course_utils.convolutionalize` does this to any classifier that ends in pooling, flattening and linear layers. It also
# turns global average pooling (全局平均池化) into a 7×7 average that slides. Every network of the documents
# converts, and gives the same answer as before at 224×224:

# %% tags=["claim:any-classifier"]
for name in ("alexnet", "googlenet", "resnet18", "efficientnet_lite0"):
    classifier = load_classifier(name, pretrained=name == "efficientnet_lite0")
    fcn = convolutionalize(classifier)
    with torch.no_grad():
        expected, small, large = classifier(crop), fcn(crop).flatten(1), fcn(picture)
    difference = (small - expected).abs().max() / expected.abs().max()
    print(f"{name:18} 224: relative difference {difference:.0e}   384: {tuple(large.shape[2:])}")
    assert difference < 1e-4 and large.shape[2:] == (6, 6)

# %% [markdown]
# ## 4. Are they really the 36 crops?
#
# The documents say so, following a well-known lecture: running the original network on the 36 crops *"gives an
# identical result"* to one pass of the converted one. `sliding_window_scores` cuts out each crop and asks
# the untouched classifier; `dense_scores` makes the one pass.
#
# **Predict.** Identical, to rounding?

# %%
vgg_fcn = convolutionalize(vgg)
clock = time.perf_counter()
one_pass = dense_scores(vgg_fcn, picture[0])  # (1000, 6, 6)
seconds_for_one_pass = time.perf_counter() - clock

# %% [markdown]
# And now the same picture in 36 crops. This takes a while: that is the point.

# %%
clock = time.perf_counter()
crops = sliding_window_scores(vgg, picture[0], window=224, stride=32)  # (1000, 6, 6)
seconds_for_crops = time.perf_counter() - clock

# %% tags=["claim:36-crops-identical"]
relative = (one_pass - crops).norm(dim=0) / crops.norm(dim=0)  # (6, 6)
print(f"relative difference: {relative.min():.0%} to {relative.max():.0%}, by position")
assert relative.min() > 0.01

# %% [markdown]
# Not identical, and far beyond rounding: at no position. Something differs between a crop and the same place of the
# whole picture, and it is not the three layers that we rewrote. Look one step earlier, at the feature maps. The
# crop at row 64, column 64 gives a 7×7 map; in the map of the whole picture, the same place is rows and columns 2 to 8.

# %%
with torch.no_grad():
    of_crop = vgg.features(picture[:, :, 64:288, 64:288])[0]  # (512, 7, 7)
in_whole = feature_map[0, :, 2:9, 2:9]
by_unit = (of_crop - in_whole).norm(dim=0) / in_whole.norm(dim=0)  # (7, 7)
assert by_unit[3, 3] < 1e-5 and (by_unit > 1e-3).sum() == 48

# %%
fig, (left, right) = subplots(1, 2, width=860, height=360)
draw_heatmap(left, by_unit, interpolation="nearest", label="relative difference of 512 features")
left.set_title("Feature map (pool5) of one crop")
draw_heatmap(right, relative, interpolation="nearest", label="relative difference of 1000 scores")
right.set_title("Scores at the 36 positions")
show(fig, alt="Left: a 7 by 7 grid of relative differences, zero in the centre cell and growing to "
     "about one half at the border. Right: a 6 by 6 grid of relative differences of the scores, "
     "all between one fifth and one third.")

# %% [markdown]
# One unit of 49 agrees: the one in the middle. The rest is the work of **padding**. Every 3×3 convolution of VGG16
# puts a frame of zeros around its map. A crop meets those zeros at its border; in the whole picture the same place has
# real neighbours. The error creeps inwards, layer after layer.
#
# The receptive field says how far. A pool5 unit sees 212 pixels, and units are 32 pixels apart. In a crop of 224
# only the middle unit sees no padding.

# %% tags=["nbval-check-output", "claim:one-of-49-units"]
field = receptive_field(vgg, "features.30", (224, 224))
untouched = [
    (row, column)
    for row in range(7)
    for column in range(7)
    if min(field.box(row, column)) >= 0 and max(field.box(row, column)) <= 224
]
print(f"pool5 sees {field.size} pixels every {field.stride}; units that see no padding: {untouched}")
assert untouched == [(3, 3)]

# %% [markdown]
# If padding is to blame, a VGG16 *without* padding must give identical scores. Each convolution then eats two rows
# and columns; the smallest picture that gives 1×1 after pool5 has to be as large as that unit's receptive field, 212;
# and with the 7×7 kernel of fc6 on top it is 212 + 6·32 = 404. So the window is 404, not 224.

# %%
unpadded = nn.Sequential(deepcopy(vgg.features), nn.Flatten(), vgg.classifier)
for layer in unpadded[0]:
    if isinstance(layer, nn.Conv2d):
        layer.padding = (0, 0)

# %% [markdown]
# The picture need not be square: 436×468 pixels hold 2×3 windows.

# %% tags=["claim:identical-without-padding"]
wide = normalize("vgg16", photo("astronaut", 436, 468))  # not square
dense = dense_scores(convolutionalize(unpadded, input_size=(404, 404)), wide)
exact = sliding_window_scores(unpadded, wide, window=404, stride=32)
difference = (dense - exact).abs().max() / exact.abs().max()
print(f"scores {tuple(dense.shape)}, relative difference {difference:.0e}")
assert difference < 1e-4

# %% [markdown]
# So the statement *holds if no layer pads*. For every network that people use, it is an approximation. How good is it
# where it matters, with trained weights? EfficientNet-Lite0 comes with its real ImageNet weights. Chelsea is a real cat.

# %%
lite = load_classifier("efficientnet_lite0")
lite_fcn = convolutionalize(lite)
cat_photo = photo("chelsea", 384, 576)
cat = normalize("efficientnet_lite0", cat_photo)  # (3, 384, 576)

# %% [markdown]
# One pass, then all 72 crops:

# %% tags=["claim:trained-network"]
dense = dense_scores(lite_fcn, cat)  # (1000, 6, 12)
cut = sliding_window_scores(lite, cat, 224, stride=32, batch_size=6)  # (1000, 6, 12)
agreement = (dense.argmax(0) == cut.argmax(0)).float().mean()
print(f"relative difference of the scores {(dense - cut).norm() / cut.norm():.0%}; "
      f"the best class is the same at {agreement:.0%} of {dense[0].numel()} positions")
assert 0.9 < agreement <= 1

# %% [markdown]
# The scores differ a lot; the decisions hardly do. Keep both numbers in mind when you read "identical".

# %% [markdown]
# ## 5. Why bother: the cost
#
# The 36 crops overlap. Each pixel in the middle of the picture lies in all of them and is computed again each time. One
# pass computes everything once. The cell that compared them had a clock on both:

# %% tags=["claim:one-pass-is-faster"]
print(f"36 crops {seconds_for_crops:.1f} s, one pass {seconds_for_one_pass:.2f} s: "
      f"{seconds_for_crops / seconds_for_one_pass:.1f} times faster")
assert seconds_for_crops > seconds_for_one_pass

# %% [markdown]
# **Predict.** How many times fewer multiplications does one pass make? Count the multiplications: the convolutions cost 36·224² / 384² = 12.25 times more in
# crops; the head does the same work in both. Together:

# %% tags=["nbval-check-output"]
convolutions_at_224, head_once = 15_346_630_656, 123_633_664  # multiply-adds of VGG16
in_crops = 36 * (convolutions_at_224 + head_once)
in_one_pass = convolutions_at_224 * 384**2 / 224**2 + 36 * head_once
print(f"{in_crops / 1e9:.0f} against {in_one_pass / 1e9:.0f} billion multiply-adds")
print(f"that is {in_crops / in_one_pass:.1f} times fewer")
assert 11 < in_crops / in_one_pass < 12.25

# %% [markdown]
# The clock shows less than 11.2 on many machines. Part of the reason is the 7×7 convolution itself. Compare it with the
# fully connected layer at *one* position: the same 103 million weights, the same 103 million products. What takes longer
# can only be preparation, most likely bringing 411 MB of weights into the order that the fast convolution wants, at every call:

# %%
def seconds(function, repeats=3):
    """Best of three, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        clock = time.perf_counter()
        function()
        times.append(time.perf_counter() - clock)
    return min(times)

# %%
one_map = torch.randn(1, 512, 7, 7)
with torch.no_grad():
    as_matrix = seconds(lambda: fc6(one_map.flatten(1))) * 1e3
    as_kernel = seconds(lambda: F.conv2d(one_map, kernels["fc6"])) * 1e3
print(f"fc6 for one position: {as_matrix:.0f} ms as a matrix, {as_kernel:.0f} ms as a convolution")

# %% [markdown]
# ## 6. A finer grid: shift and stitch
#
# One score every 32 pixels is coarse. The documents give the remedy: shift the picture by 16 pixels along the width,
# along the height, and along both, and run it again. With the unshifted pass that makes **four** passes. Their scores
# interlace to a grid of stride 16.
#
# (Two passes, unshifted and shifted both ways, would not do: they hold the scores at (0, 0) and (16, 16), about half of
# the grid.)
#
# **Predict** the size of the score map for 384×576 at stride 16, and at stride 8.

# %% tags=["nbval-check-output"]
stitched = {stride: shift_and_stitch(lite_fcn, cat, stride) for stride in (32, 16, 8)}
for stride, score_map in stitched.items():
    print(f"stride {stride:2}: {(32 // stride) ** 2:2} passes, score map {tuple(score_map.shape[1:])}, "
          f"(384 − 224) / {stride} + 1 = {(384 - 224) // stride + 1}")
    assert score_map.shape[1:] == ((384 - 224) // stride + 1, (576 - 224) // stride + 1)

# %% [markdown]
# Is it the same as a classifier that slides by 16? With no padding, yes. Here is a small network without padding, so that
# the slow way takes no time:

# %%
tiny = nn.Sequential(
    nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(8 * 5 * 5, 10),
).eval()  # stride 8, window 51, no padding

# %% tags=["claim:stride-16-in-four-passes"]
tiny_fcn = convolutionalize(tiny, input_size=(51, 51))
for stride in (8, 4, 2):
    stitches = shift_and_stitch(tiny_fcn, cat, stride)
    slides = sliding_window_scores(tiny, cat, 51, stride, batch_size=64)
    difference = (stitches - slides).abs().max()
    print(f"stride {stride}: score map {tuple(stitches.shape[1:])}, largest difference {difference:.0e}")
    assert difference < 1e-4

# %% [markdown]
# Now see it. Move over the score map, or use the arrow keys: the window moves on the photo. Change the stride, and switch
# on *shifts* to see which pass each score came from. The scores are EfficientNet-Lite0's.

# %%
shown = ["Egyptian cat", "tabby", "tiger cat", "lynx", "plastic bag"]
rows = [imagenet_classes().index(name) for name in shown]
SlidingWindowExplorer(cat_photo, {stride: score_map[rows] for stride, score_map in stitched.items()},
                      shown, window=224, crop_scores=cut[rows])

# %% [markdown]
# **Three things to try.** Find the window with the highest score for *Egyptian cat*. At stride 8, look for a pattern of
# stripes: neighbouring scores come from different passes, and the padding makes those disagree a little. At stride 32,
# compare *score in this map* with *score of this crop alone*, in a corner and in the middle.

# %% [markdown]
# ## 7. What one score sees
#
# The receptive field of a unit is the set of input pixels that can change it. It grows with every layer: by (k − 1) times
# the distance of the units that the layer reads. Distances double at every pooling. For VGG16 down the net:

# %% tags=["nbval-check-output", "claim:halves-at-each-pool"]
print("            map of 320×448    1/    sees")
for number, layer in enumerate((4, 9, 16, 23, 30), start=1):
    field = receptive_field(vgg, f"features.{layer}", (320, 448))
    print(f"after pool{number}:   {field.output_size!s:13} {field.stride[0]:6}    {field.size[0]:3} px")
    assert field.output_size == (320 // 2**number, 448 // 2**number)

# %% [markdown]
# H/2, H/4, H/8, H/16, H/32: one document first prints H/4, H/8, H/16, H/32 and then corrects itself. The correction is right.
#
# The same document gives AlexNet's sizes as 227 → 55 "after the first pooling", 27 after the second, 13 after the fifth.
# AlexNet of 2012 has a stride-4 convolution first, and no padding there:

# %% tags=["nbval-check-output", "claim:alexnet-sizes"]
alexnet = load_classifier("alexnet", pretrained=False)
alexnet.features[0].padding = (0, 0)  # torchvision's variant pads by 2 and takes 224
for layer, name in ((0, "conv1"), (2, "pool1"), (5, "pool2"), (12, "pool5")):
    print(name, receptive_field(alexnet, f"features.{layer}", (227, 227)).output_size)

# %% [markdown]
# 55 comes after the first *convolution*, 27 after the first pooling, 13 after the second, 6 after the last.
#
# A box of 404 pixels does not mean that 404 pixels matter. The gradient of a unit with respect to the picture tells how
# strongly it reacts to each pixel. In deep networks that *effective* receptive field (有效感受野) is a soft blob, much
# smaller than the box.

# %% tags=["claim:effective-field-is-smaller"]
field = receptive_field(lite, "blocks.4", (384, 576))
gradient = effective_receptive_field(lite, "blocks.4", cat, position=(12, 18))  # (384, 576)
side = effective_area(gradient) ** 0.5
print(f"the box is {field.size[0]} px wide; "
      f"the pixels above 4.55 % of the strongest would fill a square of {side:.0f} px")
assert side < field.size[0] / 2

# %%
networks = {
    "efficientnet_lite0": lite,
    "resnet18": load_classifier("resnet18", pretrained=False),
    "alexnet": load_classifier("alexnet", pretrained=False),
}

# %%
layers = {
    "efficientnet_lite0": ["blocks.1", "blocks.2", "blocks.4", "blocks.6"],
    "resnet18": ["layer1", "layer2", "layer3", "layer4", "avgpool"],
    "alexnet": ["features.0", "features.2", "features.5", "features.12"],
}
ReceptiveFieldExplorer(photo("chelsea", 224, 336), networks, layers, prepare=normalize)

# %% [markdown]
# Choose a network and a layer, then move over the feature map. The box is theory; the blob is the gradient on this
# photo. At the border of the map, see how far the box reaches into the padding. EfficientNet-Lite0 has its trained weights,
# the other two have random ones: compare their blobs.

# %% [markdown]
# ## 8. A first segmentation
#
# Put it together on something with two answers: two photos side by side. The trained network, converted, gives 1000
# score maps (热图, heat maps). The picture's edge is
# repeated 96 pixels outwards, so that there is one window centred on each 32×32 block.

# %%
both = torch.cat([photo("chelsea", 256, 384), photo("coffee", 256, 384)], dim=2)  # (3, 256, 768)
extended = F.pad(both, (96, 96, 96, 96), mode="replicate")  # (3, 448, 960)
scores = dense_scores(lite_fcn, normalize("efficientnet_lite0", extended))  # (1000, 8, 24)
assert scores.shape == (1000, 256 // 32, 768 // 32)

# %%
names = imagenet_classes()
fig, axes = subplots(2, 1, width=760, height=560)
for ax, name in zip(axes, ("Egyptian cat", "espresso")):
    draw_heatmap(ax, scores[names.index(name)], both, label="score (logit)")
    ax.set_title(f"Score map of ImageNet class {name!r}")
show(fig, alt="Two heat maps over a cat photo beside a coffee photo. The score of Egyptian cat is high "
     "on the cat's face, the score of espresso is high on the cup.")

# %% [markdown]
# Nobody ever showed this network where anything is. It was trained on one label per picture.
#
# For a segmentation, upsample (上采样) the maps to the size of the picture and take, at each pixel, the class with
# the highest value. That is what the documents describe. ImageNet knows five kinds of house cats and three words for
# the coffee; we add up their probabilities (softmax) and call everything else *other*.

# %%
probability = scores.softmax(0)
cats = ("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat")
cat_classes = [names.index(name) for name in cats]
cup_classes = [names.index(name) for name in ("espresso", "cup", "coffee mug")]
p_cat, p_cup = probability[cat_classes].sum(0), probability[cup_classes].sum(0)
maps = torch.stack([1 - p_cat - p_cup, p_cat, p_cup])  # (3, 8, 24)
upsampled = F.interpolate(maps[None], both.shape[1:], mode="bilinear")[0]  # (3, 256, 768)
segmentation = upsampled.argmax(0)  # (256, 768)

# %% [markdown]
# What share of each photo got the right name, and what share the other photo's?

# %% tags=["claim:argmax-of-upsampled-maps"]
for side, half in (("left", segmentation[:, :384]), ("right", segmentation[:, 384:])):
    print(f"{side} photo: {(half == 1).float().mean():.0%} cat, {(half == 2).float().mean():.0%} coffee")
assert (segmentation[:, :384] != 2).all() and (segmentation[:, 384:] != 1).all()

# %%
palette = torch.tensor([[187, 187, 187], [230, 159, 0], [0, 114, 178]], dtype=torch.uint8)
fig, ax = subplots(1, 1, width=860, height=300)
draw_overlay(ax, both, segmentation, palette, ("other", "cat", "coffee"), "A first segmentation")
show(fig, alt="The two photos with a label map over them: a rounded cat region on the cat's face, a "
     "coffee region on the cup, other elsewhere. The borders are smooth and do not follow the objects.")

# %% [markdown]
# The classes are right; the outlines are not. One score per 32 pixels, each mixing 224 pixels, can't follow an ear. The
# rest of the course is about getting the outlines back: learned upsampling (02), skips (03), whole decoders (04, 05), and
# networks that never give up the resolution (06).

# %% [markdown]
# ### Does averaging the scores help?
#
# The documents name another use: enlarge the picture, score all positions, **average**: this "often" gives a better
# classification. Measure it. Twenty random views of the two photos, each classified once at 224×224 and by
# averaging all positions at a larger size.

# %%
def random_views(count):
    """Square cuts of the two photos, half to all of their height, and the classes that are right."""
    sources = (photo("chelsea", 300, 451), cat_classes), (photo("coffee", 300, 451), cup_classes)
    for number in range(count):
        source, right_classes = sources[number % 2]
        side = int(300 * (0.5 + 0.5 * torch.rand(())))
        top, left = (int(torch.randint(0, room - side + 1, ())) for room in (300, 451))
        yield source[None, :, top : top + side, left : left + side], right_classes

# %% [markdown]
# For each view and size: the average of all scores, whether its best class is right, and how sure it is.

# %%
right, sure = dict.fromkeys((224, 256, 320, 384), 0), dict.fromkeys((224, 256, 320, 384), 0.0)
for view, right_classes in random_views(20):
    for size in sure:
        view_at_size = F.interpolate(view, (size, size), mode="bilinear", antialias=True)[0].clamp(0, 1)
        average = dense_scores(lite_fcn, normalize("efficientnet_lite0", view_at_size)).mean((1, 2))
        right[size] += average.argmax().item() in right_classes
        sure[size] += average.softmax(0)[right_classes].sum().item() / 20

# %% tags=["claim:averaging-scores"]
for size in sure:
    print(f"{size}×{size}: {(size // 32 - 6) ** 2:2} positions averaged, "
          f"{right[size]} of 20 right, probability of the right classes {sure[size]:.2f}")
assert sure[384] < sure[224]

# %% [markdown]
# Not here. The answers stay right, but the network gets *less* sure the more positions we average. Enlarging pushes the object out of the
# window: each window sees a piece of a cat, and pieces are ambiguous. Two photos are not a benchmark; they are
# enough to ask "when?" of an "often".

# %% [markdown]
# ## 9. What the documents say, measured
#
# | statement | verdict |
# | --- | --- |
# | FC layers become 7×7, 1×1, 1×1 convolutions by reshaping | holds |
# | their kernels are (4096,1,1), (4096,1,1), (1000,1,1) | does not hold: those are output sizes |
# | 384 → 12×12×512 → 6×6×1000 | holds |
# | the score map is 1/32 of the picture | does not hold: fc6 takes 6 more rows and columns |
# | one pass = 36 crops, identically | holds if no layer pads |
# | one pass is far cheaper | holds: 11.2 times fewer multiply-adds |
# | stride 16 by four shifted passes | holds if no layer pads |
# | pooling gives H/2, H/4 … H/32 | holds |
# | AlexNet: 55, 27, 13 after pooling 1, 2, 5 | does not hold: 27, 13, 6 |
# | enlarging and averaging scores is better | does not hold on our photos |
#
# The full list, with the cell behind each verdict, is in `docs/claims.md`.

# %% [markdown]
# ## 10. Your turn
#
# - **Vary.** Set `stride=4` in section 6's explorer cell. How many passes is that, and do the stripes get worse?
# - **Vary.** Convert `resnet18` for 224 and feed it 256×320. Predict the score map first.
# - **Exercise notebook:** [exercises/01_fc_to_conv](exercises/01_fc_to_conv/01_fc_to_conv.ipynb): five tasks that check
#   themselves and one to write about.
#
# **Further reading.** Long, Shelhamer & Darrell (2015), section 3. · Sermanet et al. (2014), *OverFeat*, section 3.3, for the
# sliding window in one pass. · Luo et al. (2016), *Understanding the Effective Receptive Field in Deep CNNs*. · Araujo, Norris
# & Sim (2019), *Computing Receptive Fields of Convolutional Neural Networks* (Distill).
