# %% [markdown]
# # 05 · Remember where: unpooling, SegNet and DeconvNet
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/05_segnet_unpooling.ipynb) · in JupyterLab, you are in the right place already.
#
# Max-pooling (最大池化) keeps one number of four and forgets where it stood. FCN (lesson 03) and U-Net (lesson 04) get the outlines back by handing whole maps
# from the encoder (编码器) to the decoder (解码器): class scores in FCN, feature maps (特征图) in U-Net. Two networks of 2015 found something much smaller to hand over: *where* each maximum was.
#
# **You will be able to**
#
# - compute pooling indices (池化索引) and unpooling (反池化) by hand, and check that both equal the library's;
# - say what an index keeps and what it loses, and what it costs in bits;
# - tell unpooling from transposed convolution (转置卷积), and name the one case in which they are the same;
# - read SegNet, SegNet-Basic and DeconvNet box by box, with shapes and parameter counts;
# - say what indices are worth at outlines, against bilinear interpolation, transposed convolution and skip connections (跳跃连接).
#
# Sources: the course documents on DeconvNet and SegNet, and the papers at the end. What the documents claim and a computer can check is measured below.

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
import weakref
from collections import Counter

import torch
import torch.nn.functional as F
from matplotlib.colors import ListedColormap
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.data import load_dataset
from course_utils.layers.unpooling import indices_of_positions, max_pool, max_pool_by_hand, max_unpool, window_positions
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.models import build_model, load_trained
from course_utils.models.ways_up import WAYS, EncoderDecoder
from course_utils.plotting import draw_heatmap, draw_image, draw_mask, show, subplots
from course_utils.receptive_field import receptive_field
from course_utils.widgets import UnpoolingExplorer

torch.set_num_threads(1)  # for networks this small one thread is as fast as several, also on a busy machine
torch.manual_seed(5);

# %% [markdown]
# ## 1. What pooling forgets
#
# A map of one channel, 4×6 pixels. Max-pooling with 2×2 windows keeps six of its 24 numbers.

# %%
feature_map = torch.tensor([[1.0, 3, 2, 0, 4, 1],
                            [0.0, 7, 5, 1, 0, 2],
                            [6.0, 2, 1, 1, 3, 8],
                            [4.0, 0, 9, 2, 5, 5]])[None, None]  # (N, C, H, W) = (1, 1, 4, 6)

# %% [markdown]
# PyTorch gives the *indices* of the six on request. An index is a place in the flattened map, row by row and from 0: row · width + column.
#
# **Predict**: which index has the 9?

# %% tags=["nbval-check-output"]
values, indices = F.max_pool2d(feature_map, 2, return_indices=True)
print(values[0, 0], indices[0, 0], sep="\n")
assert indices[0, 0, 1, 1] == 3 * 6 + 2

# %% [markdown]
# By hand it takes three steps: cut the map into windows, look for the largest of four, and turn its place in the window into a place in the map. The place in
# the window is a number from 0 to 3: upper left, upper right, lower left, lower right.

# %%
windows = feature_map.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # (1, 1, 2, 3, 4): four numbers of each window
positions = windows.argmax(4)  # (1, 1, 2, 3), in 0 … 3
rows = 2 * torch.arange(2)[:, None] + positions // 2
columns = 2 * torch.arange(3) + positions % 2
assert torch.equal(rows * 6 + columns, indices)

# %% [markdown]
# `max_pool_by_hand` in `course_utils.layers.unpooling` does these steps for any size. Two things must be settled to agree with the library: what happens at a border
# where half a window is left over, and which of several *equal* values counts. Try maps full of ties, of odd sizes:

# %%
for height, width in ((5, 7), (6, 9), (1, 4), (11, 3)):
    ties = torch.randint(0, 3, (2, 3, height, width)).float()
    by_hand = max_pool_by_hand(ties)
    by_library = F.max_pool2d(ties, 2, ceil_mode=True, return_indices=True)
    assert torch.equal(by_hand.values, by_library[0]) and torch.equal(by_hand.indices, by_library[1])

# %% [markdown]
# (Half windows count: 5 rows give 3. That is "ceil mode", the rule of the software that these networks were made with. Of equal values the first counts.)

# %% [markdown]
# ## 2. Unpooling
#
# Now the way back. The document on SegNet says: it uses the index information of pooling, *puts 0 where there is no index*, and `torch.nn` has a function for it (the document calls it `upmaxpool`; its name is `nn.MaxUnpool2d`). That is
# one line: a map of zeros, and each value at its index.

# %% tags=["claim:unpool-by-index"]
flat = torch.zeros(4 * 6)
flat[indices.flatten()] = values.flatten()
unpooled = flat.view(1, 1, 4, 6)
by_library = nn.MaxUnpool2d(2)(values, indices)
print(unpooled[0, 0])
assert torch.equal(unpooled, by_library)

# %% [markdown]
# All of it side by side. Where a window had its maximum, unpooling has it again, to the pixel. All else is gone.

# %%
def draw_numbers(ax, numbers, marked, title):
    """Draw a small map with its numbers, windows of 2×2 outlined, some pixels marked."""
    h, w = numbers.shape
    ax.imshow(marked, cmap=ListedColormap(["#ffffff", "#f5c65d"]), vmin=0, vmax=1)
    for row in range(h):
        for column in range(w):
            ax.text(column, row, f"{numbers[row, column]:.0f}", ha="center", va="center", fontsize=12)
    step = 2 if h == 4 else 1
    for y in range(0, h + 1, step):
        ax.axhline(y - 0.5, color="black", linewidth=1.5)
    for x in range(0, w + 1, step):
        ax.axvline(x - 0.5, color="black", linewidth=1.5)
    ax.set_axis_off()
    ax.set_title(title)

# %%
fig, axes = subplots(1, 4, width=900, height=210, width_ratios=(2, 1.2, 1.2, 2))
was_largest = unpooled[0, 0] > 0
draw_numbers(axes[0], feature_map[0, 0], was_largest, "map, maxima marked")
draw_numbers(axes[1], values[0, 0], torch.ones(2, 3), "values")
draw_numbers(axes[2], indices[0, 0], torch.zeros(2, 3), "indices")
draw_numbers(axes[3], unpooled[0, 0], was_largest, "unpooled")
show(fig, alt="A map of 4 by 6 numbers in six windows with the largest of each marked; the six largest values; their six "
     "indices 7, 8, 4, 12, 20, 17; and a map of zeros that holds the six values where they were.")

# %% [markdown]
# A real map has many channels, and every channel of every image has indices of its own. `max_unpool` of the course writes the one line for all of them at once, as a
# `scatter`. Equal to the library, for odd sizes too:

# %%
for height, width in ((4, 6), (5, 7), (1, 9), (10, 3)):
    features = torch.randn(2, 8, height, width)
    pooled = max_pool(features)  # values, indices, and the size (height, width)
    ours = max_unpool(pooled.values, pooled.indices, pooled.size)  # (2, 8, height, width)
    theirs = F.max_unpool2d(pooled.values, pooled.indices, 2, output_size=(height, width))
    assert torch.equal(ours, theirs)

# %% [markdown]
# ### Which size was it?
#
# 5 rows are pooled to 3, and so are 6. The pooled map can't tell. And an index is a place in a map *of one width*: in a map 7 wide, index 9 is row 1, column 2; in a map 8 wide it is
# row 1, column 1. So the size must be told:

# %%
odd = torch.arange(1.0, 36).view(1, 1, 5, 7)
values, indices = F.max_pool2d(odd, 2, ceil_mode=True, return_indices=True)
told = F.max_unpool2d(values, indices, 2, output_size=(5, 7))
assert (told == odd).sum() == values.numel() == 12  # all twelve values are where they were

# %% [markdown]
# **Predict** what the library does if nobody tells it. An error?

# %% tags=["nbval-check-output", "claim:size-is-needed"]
untold = F.max_unpool2d(values, indices, 2)  # it takes twice 3×4 for the size
in_place = (untold[..., :5, :7] == odd).sum()
print(f"{tuple(untold.shape[2:])}, with {in_place} of {values.numel()} values where they were")
assert in_place < 6

# %% [markdown]
# No error, and every value in a wrong place. (Where an index lies outside of the guessed size, the library raises. You can't count on it.) So the size travels with the indices. The course's
# `max_unpool` has no default for it, and looks whether it can be right:

# %%
try:
    max_unpool(values, indices, size=(7, 5))
except ValueError as error:
    print(error)

# %% [markdown]
# ## 3. What an index keeps, and what it loses
#
# Pool, unpool, pool again: do the same values come out? **Predict**: always?

# %% tags=["claim:zeros-win"]
features = torch.randn(1, 4, 6, 8) - 0.5
for name, before in (("any numbers", features), ("after a ReLU", features.relu())):
    values, indices, size = max_pool(before)
    again = max_pool(max_unpool(values, indices, size)).values
    print(f"{name}: the same values come back in {(again == values).float().mean():.0%} of the windows")
assert torch.equal(again, values)

# %% [markdown]
# Not if a window's maximum is negative: the zeros around it are then larger. SegNet pools *after* the ReLU, and there the round trip is exact.
#
# Now with maps that a network made. `segnet_street` is SegNet with an eighth of its channels, trained on street scenes by the recipe `tools/weights/segnet_street.py` in a few minutes, which is too
# long for a lesson. Its first pooling sees these maps:

# %%
val = load_dataset("street_scenes", "val", size=(96, 128), length=24)
images, masks = (torch.stack(tensors) for tensors in zip(*val))  # (24, 3, 96, 128), (24, 96, 128)
segnet = load_trained("segnet_street")
with torch.no_grad():
    first_maps = segnet.encoder.conv1(images - 0.5)  # (24, 8, 96, 128), after a ReLU

# %% [markdown]
# Four ways back to 96×128. **Corner** puts each value in the upper left pixel of its window, whatever the image. **Nearest** (最近邻) repeats it four times. **Bilinear** (双线性) interpolates.

# %%
def at_corner(pool):
    """Each value in the upper left pixel of its window."""
    corners = indices_of_positions(torch.zeros_like(pool.indices), pool.size[1])
    return max_unpool(pool.values, corners, pool.size)

ways_back = {
    "unpooling": lambda pool: max_unpool(*pool),
    "corner": at_corner,
    "nearest": lambda pool: F.interpolate(pool.values, pool.size, mode="nearest"),
    "bilinear": lambda pool: F.interpolate(pool.values, pool.size, mode="bilinear"),
}

# %% [markdown]
# Two questions for each. *Where*: in which share of the windows is the maximum in its right place? *How much*: how far is the result from the true map? (The root of the summed squares of the difference, divided by that of the map: 0 is perfect, 1 is no better than a map of zeros.) Ask both for these maps, and for
# the pictures themselves, which are smooth. **Predict**: is unpooling best each time?

# %%
def compare(maps):
    """Print both answers for each way back; return the distances by name."""
    pooled, distance = max_pool(maps), {}
    alive = pooled.values > 0  # windows that the ReLU left something in
    for name, way_back in ways_back.items():
        result = way_back(pooled)
        in_place = (max_pool(result).indices == pooled.indices)[alive].float().mean()
        distance[name] = (result - maps).norm() / maps.norm()
        print(f"{name:10} maximum in its place {in_place:4.0%}   distance {distance[name]:.2f}")
    return distance

# %% tags=["claim:where-not-how-much"]
print(f"maps of the network, {(first_maps == 0).float().mean():.0%} of them zeros:")
of_maps = compare(first_maps)
print("pictures:")
of_pictures = compare(images)
assert of_pictures["bilinear"] < of_pictures["unpooling"] and of_maps["unpooling"] < of_maps["bilinear"]

# %% [markdown]
# *Where*: unpooling is right in every window, the others in 24 to 37 % of them, where chance gives a quarter. *How much*: it drops three of four numbers. In a picture those are nearly as large as the maximum, and interpolation is far closer. The maps of a SegNet are
# another matter: more than half of their values are zeros, between single high ones, and there the dots of unpooling come closest. Look at one channel:

# %%
channel = first_maps[3].std((1, 2)).argmax()
fig, axes = subplots(1, 3, width=900, height=230)
pooled = max_pool(first_maps)
limits = (0.0, first_maps[3, channel].max().item())
for ax, name in zip(axes, ("the map", "unpooling", "bilinear")):
    maps = first_maps if name == "the map" else ways_back[name](pooled)
    draw_heatmap(ax, maps[3, channel, 24:72, 32:96], interpolation="nearest", label="activation", limits=limits)
    ax.set_title(name)
show(fig, alt="A part of one channel three times. The map is dark with single bright pixels, some of them in a line along "
     "an edge. Unpooled, the bright pixels stand in the same places, alone. Bilinear, they are soft blobs.")

# %% [markdown]
# ### Filling the zeros
#
# About three quarters of an unpooled map are zeros, more if the map had zeros of its own. So take one that has none:

# %%
sparse = max_unpool(*max_pool(torch.rand(1, 4, 31, 40) + 0.1))  # (1, 4, 31, 40)
assert 0.7 < (sparse == 0).float().mean() <= 0.75

# %% [markdown]
# The document says that the convolutions behind it *fill* the zeros. **Predict**: how many 3×3 convolutions does that take?

# %% tags=["nbval-check-output", "claim:zeros-are-filled"]
for kernel_size in (2, 3):
    filled = F.conv2d(sparse[:, :1], torch.ones(1, 1, kernel_size, kernel_size), padding=kernel_size // 2)
    print(f"zeros before {(sparse == 0).float().mean():.0%}, after one {kernel_size}×{kernel_size} convolution "
          f"{(filled == 0).float().mean():.0%}")
assert (filled != 0).all()

# %% [markdown]
# One. Wherever you put a 3×3 window, it holds one whole 2×2 window, and with it a value. A 2×2 kernel leaves holes.

# %% [markdown]
# ## 4. What remembering costs
#
# To say where in a window of four the maximum was takes **two bits**. PyTorch hands out indices of 64 bits. U-Net keeps the four numbers themselves, 4 · 32 bits. `window_positions` gives the number
# from 0 to 3. Pack four of them into a byte:

# %%
positions = window_positions(pooled.indices, width=128)  # (24, 8, 48, 64) uint8, in 0 … 3
four = positions.view(-1, 4)
packed = four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6  # one byte for four windows

# %% [markdown]
# And unpack them. Do the indices come back? What did it save?

# %% tags=["nbval-check-output", "claim:two-bits"]
unpacked = torch.stack([packed >> shift & 3 for shift in (0, 2, 4, 6)], dim=1).view_as(positions)
for name, tensor in (("maps before pooling", first_maps), ("indices of PyTorch", pooled.indices), ("packed", packed)):
    print(f"{name:20} {tensor.nbytes:10,} bytes, {8 * tensor.nbytes / positions.numel():4.0f} bits a window")
assert torch.equal(indices_of_positions(unpacked, width=128), pooled.indices)

# %% [markdown]
# Nothing is lost, in 64 times less than the maps take. But as PyTorch stores them, indices are only half as large as the maps.
#
# What is that in SegNet itself? Count on the `meta` device (元设备), which knows shapes and computes nothing, so that full-size networks cost no time. A small class watches all tensors that are alive, and keeps
# the highest sum of their bytes: the peak (峰值) of one pass.

# %%
class LiveBytes(TorchDispatchMode):
    """While active, adds up the bytes of all tensors that are alive. Tensors that share memory count once."""

    def __init__(self):
        super().__init__()
        self.owners, self.alive, self.peak = Counter(), 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple) else (result,):
            memory = tensor.untyped_storage()
            self.count(memory._cdata, memory.nbytes(), 1)
            weakref.finalize(tensor, self.count, memory._cdata, memory.nbytes(), -1)
        return result

    def count(self, memory, size, change):
        self.owners[memory] += change
        if self.owners[memory] == (change == 1):  # the first tensor has come, or the last has gone
            self.alive += change * size
        self.peak = max(self.peak, self.alive)

# %% [markdown]
# SegNet on one image of 360×480, the size of the paper's street scenes (CamVid). **Predict**: by how much does the peak fall if indices take two bits instead of 64?

# %%
with torch.device("meta"):
    full_segnet = build_model("segnet", num_classes=11).eval()
    camvid_image = torch.empty(1, 3, 360, 480)
with torch.no_grad(), LiveBytes() as memory:
    full_segnet(camvid_image)

# %%
with torch.no_grad():
    pools = full_segnet.encoder(camvid_image)
windows = sum(pool.indices.numel() for pool in pools)
pixels = sum(pool.values.shape[1] * pool.size[0] * pool.size[1] for pool in pools)

# %% [markdown]
# The peak was reached with 64-bit indices. Take those off, and put on what else might be handed over:

# %% tags=["claim:memory-of-indices"]
kept = {"maps, float32": 4 * pixels / 1e6, "indices, int64": 8 * windows / 1e6, "indices, 2 bits": windows / 4 / 1e6}
for name, megabytes in kept.items():
    peak = memory.peak / 1e6 - kept["indices, int64"] + megabytes
    print(f"{name:16} {megabytes:5.1f} MB handed over, {peak:4.0f} MB at the peak")
assert kept["maps, float32"] > 60 * kept["indices, 2 bits"]

# %% [markdown]
# So the peak falls by a fifth from 64 bits to 2, and by a third from maps to 2 bits: not by 98 %. The rest is mostly the decoder's own maps at full size, which every network with such a decoder has.
#
# And all of this is about *using* a network. In training, nearly every feature map is kept for the backward pass (反向传播) in any case. Count what one step keeps, for two small networks with equal encoders, one
# with unpooling, one with U-Net's skips:

# %%
def kept_for_backward(network, images):
    """Megabytes that autograd keeps between the forward and the backward pass."""
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = network(images)  # in memory until the sum is taken, so that no storage is used twice
    return sum(kept.values()) / 1e6 if logits.requires_grad else 0

# %% tags=["claim:training-keeps-the-maps"]
kept_by = {way: kept_for_backward(EncoderDecoder(8, 3, way), images[:4]) for way in ("unpooling", "skips")}
print(", ".join(f"{way} {megabytes:.0f} MB" for way, megabytes in kept_by.items()))
assert abs(kept_by["unpooling"] / kept_by["skips"] - 1) < 0.25

# %% [markdown]
# No saving. In training the indices don't replace the maps, they are kept *beside* them.

# %% [markdown]
# ## 5. Is it a transposed convolution?
#
# The document on SegNet finds that unpooling with a convolution behind it is "not very different from transposed convolution". Lesson 02 built that from zeros too: insert them, then convolve. So what *is* the
# difference?
#
# First the case in which there is none. Let every index be the upper left corner of its window, and let a 3×3 convolution follow:

# %%
x = torch.randn(2, 6, 5, 7, dtype=torch.float64)
kernel = torch.randn(4, 6, 3, 3, dtype=torch.float64)  # (out, in, 3, 3)
upper_left = indices_of_positions(torch.zeros(2, 6, 5, 7), width=14)

# %% tags=["claim:fixed-indices-are-transposed"]
unpooled_and_convolved = F.conv2d(max_unpool(x, upper_left, (10, 14)), kernel, padding=1)
turned = kernel.transpose(0, 1).flip(2, 3)  # (in, out, 3, 3), turned by half a circle
transposed = F.conv_transpose2d(x, turned, stride=2, padding=1, output_padding=1)
print(f"largest difference {(unpooled_and_convolved - transposed).abs().max():.0e}")
assert torch.allclose(unpooled_and_convolved, transposed)

# %% [markdown]
# The same, to rounding. Now with real indices. **Predict**: is there *some* kernel with which a transposed convolution gives the same?
#
# No need to guess: look for the best one. A transposed convolution of stride 2 gives four kinds of output pixels (even and odd rows and columns). Each kind is a weighted sum of the pooled values nearby. So
# four times a least-squares fit (最小二乘) over 3×3 neighbours finds the best kernel of up to 6×6:

# %%
def best_transposed_convolution(values, target):
    """What remains, as a share of the target, after the best fit of 4 · 9 weights (a kernel of 6×6)."""
    near = F.unfold(values, 3, padding=1).transpose(1, 2).flatten(0, 1)  # (N·h·w, 9)
    wanted = F.pixel_unshuffle(target, 2).flatten(2).transpose(1, 2).flatten(0, 1)  # (N·h·w, 4)
    weights = torch.linalg.lstsq(near, wanted).solution  # (9, 4)
    return (near @ weights - wanted).norm() / wanted.norm()

# %% tags=["claim:unpooling-against-transposed"]
maps = torch.rand(50, 1, 16, 20, dtype=torch.float64)
values, indices, size = max_pool(maps)
remains = {}
for name, places in (("fixed", indices_of_positions(torch.zeros_like(indices), 20)), ("of the image", indices)):
    target = F.conv2d(max_unpool(values, places, size), kernel[:1, :1], padding=1)
    remains[name] = best_transposed_convolution(values, target)
    print(f"indices {name:13} the best transposed convolution misses {remains[name]:.0%}")
assert remains["fixed"] < 1e-9 and remains["of the image"] > 0.3

# %% [markdown]
# With the image's own indices (here, of random maps) no kernel comes near. Unpooling puts values *where this image had them*; a transposed convolution puts them in the same places for all images. The document's sentence
# holds for fixed indices, and not for those that unpooling is about. What the difference is worth to a trained network, section 9 measures.
#
# ### DeconvNet's "deconvolution"
#
# DeconvNet, the document says, upsamples by *deconvolution and unpooling* (反卷积+反池化). Its deconvolutions have kernel 3, stride 1, padding 1. **Predict**: by how much do they upsample?

# %% tags=["claim:deconvolution-is-convolution"]
deconvolution = nn.ConvTranspose2d(6, 4, 3, stride=1, padding=1).double()
as_convolution = F.conv2d(x, deconvolution.weight.transpose(0, 1).flip(2, 3), deconvolution.bias, padding=1)
difference = (deconvolution(x) - as_convolution).abs().max()
print(f"{tuple(x.shape[2:])} → {tuple(deconvolution(x).shape[2:])}; against a convolution: {difference:.0e}")
assert deconvolution(x).shape[2:] == x.shape[2:] and difference < 1e-12

# %% [markdown]
# Not at all. At stride 1 a transposed convolution *is* a convolution, with its kernel turned round. So thirteen of DeconvNet's fourteen deconvolutions do what SegNet's convolutions do, and unpooling does the upsampling. The
# fourteenth, at the bottom, has a 7×7 kernel and no padding: it makes 7×7 of 1×1.

# %% [markdown]
# ## 6. Explore it
#
# A piece of a map of the trained SegNet. Drag a value up or down: maxima and indices jump, and with them what comes back. Choose the way back.

# %%
UnpoolingExplorer(first_maps[3, channel, 44:56, 60:76])

# %% [markdown]
# **Three things to try.** (1) Raise a value until it becomes the maximum of its window: what changes in *max unpooling*, what in *bilinear*? (2) Lower a maximum until another takes over: the result jumps by a
# pixel. (3) Choose *top-left corner* and the transposed convolutions: do they notice where the maximum was?

# %% [markdown]
# ## 7. SegNet, box by box
#
# SegNet's encoder is VGG16's thirteen convolutions, each followed by batch normalisation (批归一化) and a ReLU. Its decoder is the same backwards: thirteen convolutions, unpooling in place of pooling. What crosses over is five
# sets of indices. On the `meta` device, for the image of 360×480. Note the odd sizes: 45 rows are pooled to 23, and unpooled to 45 again.

# %%
def trace(network, size, names):
    """Print what comes out of named parts of a network, and how many parameters each has."""
    shapes = {}
    for name in names:
        part = network.get_submodule(name)
        part.register_forward_hook(lambda _part, _inputs, output, name=name: shapes.update({name: output.shape[1:]}))
    network.eval()(torch.empty(1, 3, *size, device="meta"))
    for name in names:
        count = sum(parameter.numel() for parameter in network.get_submodule(name).parameters())
        print(f"{name:14} {'×'.join(map(str, shapes[name])):>13} {count:>12,} parameters")

# %% tags=["nbval-check-output"]
stages = [f"encoder.conv{i}" for i in (1, 2, 3, 4, 5)] + [f"decoder{i}" for i in (5, 4, 3, 2, 1)]
trace(full_segnet, (360, 480), [*stages, "score"])
total = sum(parameter.numel() for parameter in full_segnet.parameters())
print(f"together {total:,} parameters, {4 * total / 1e6:.1f} MB")
assert total == 29_449_355

# %% [markdown]
# The paper's table gives 117 MB: that is this network in 32-bit numbers, rounded down.
#
# The document calls it a *completely symmetric* encoder–decoder (完全对称的编码器解码器结构). Put the channels of the thirteen convolutions down beside those of the thirteen up:

# %%
convolutions = [layer for layer in full_segnet.modules() if isinstance(layer, nn.Conv2d)]
down = [(layer.in_channels, layer.out_channels) for layer in convolutions[:13]]
up = [(layer.in_channels, layer.out_channels) for layer in convolutions[13:]]

# %% [markdown]
# **Predict**: does the way up mirror the way down in all of them?

# %% tags=["nbval-check-output", "claim:fully-symmetric"]
mirrored = [(out, into) for into, out in reversed(down)]
print("not mirrored:", [f"{a} for {b}" for a, b in zip(up, mirrored) if a != b])
norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in full_segnet.modules())
print(f"{len(convolutions)} convolutions, {norms} of them with batch normalisation and ReLU")
assert up[:-1] == mirrored[:-1] and norms == 25

# %% [markdown]
# In twelve of thirteen. The last one on the way up gives class scores, 11 channels instead of 3. It has no batch normalisation and no ReLU: scores must be free to be negative. The paper's figure draws them, and public code that copies the
# figure gets 22 parameters more and scores that can't be negative.
#
# The document's other remark: FCN's *encoder has a great many parameters, its decoder is very small*. Count, for 21 classes:

# %% tags=["claim:small-decoder"]
encoders = {
    "fcn8s": ["vgg16"],
    "unet": ["down1", "down2", "down3", "down4", "bottom"],
    "segnet": ["encoder"],
    "deconvnet": ["encoder", "fc6", "fc7"],
}
share = {}
for name, parts in encoders.items():
    with torch.device("meta"):
        network = build_model(name, num_classes=21)
    total = sum(parameter.numel() for parameter in network.parameters())
    encoder = sum(p.numel() for part in parts for p in network.get_submodule(part).parameters())
    share[name] = 1 - encoder / total
    print(f"{name:10} encoder {encoder:>11,}   decoder {total - encoder:>11,}   {share[name]:.1%} in the decoder")
assert share["fcn8s"] < 0.002 and share["segnet"] > 0.49

# %% [markdown]
# It holds: fewer than one parameter in a thousand, the fixed interpolation kernels not counted. (FCN's encoder has most of its own in VGG16's fully connected layers, fc6 and fc7, which SegNet throws away. That is how SegNet gets from 134 million to 29, decoder included.)

# %% [markdown]
# ### SegNet-Basic
#
# The paper compares decoders on a smaller network: four stages of one 7×7 convolution each, and no ReLU on the way up. Its text says that a unit of the lowest map sees 106×106 pixels:

# %% tags=["nbval-check-output"]
basic = build_model("segnet_basic", num_classes=11)
encoder = [layer for i in (1, 2, 3, 4) for layer in (basic.get_submodule(f"encoder{i}"), nn.MaxPool2d(2))]
field = receptive_field(nn.Sequential(*encoder), "7", (320, 320))
total = sum(parameter.numel() for parameter in basic.parameters())
biases = sum(layer.bias.numel() for layer in basic.modules() if isinstance(layer, nn.Conv2d))
print(f"sees {field.size} pixels; {total:,} parameters, {total - biases:,} without biases")
assert field.size == (106, 106)

# %% [markdown]
# 106 is right. Its count is a riddle: the paper's table says 1.425 million, its text says "no biases" (1,416,064), the authors' released definition has biases (1,416,587). Ours follows the release.

# %% [markdown]
# ### DeconvNet
#
# DeconvNet keeps fc6 and fc7, so the image passes through **one vector** of 4096 numbers. A 7×7 transposed convolution makes a map of it again. From there on it is nearly SegNet's way up: five unpoolings, with layers of 3×3 behind each. It has one such layer more at full size, and a 1×1 convolution gives the scores.

# %% tags=["nbval-check-output"]
with torch.device("meta"):
    deconvnet = build_model("deconvnet", num_classes=21)
stages = ["encoder.conv5", "fc6", "fc7", "fc6_deconv", *[f"deconv{i}" for i in (5, 4, 3, 2, 1)], "score"]
trace(deconvnet, (224, 224), stages)
total = sum(parameter.numel() for parameter in deconvnet.parameters())
two_layers = deconvnet.fc6[0].weight.numel() + deconvnet.fc6_deconv[0].weight.numel()
print(f"together {total:,}; {two_layers / total:.0%} of them are the weights of fc6 and fc6_deconv")
assert total == 251_805_653

# %% [markdown]
# More than eight times SegNet's parameters, and four fifths of them in two layers. The vector has a price at the other end too: an image must fill the 7×7 window at least once.

# %%
try:
    deconvnet(torch.empty(1, 3, 96, 128, device="meta"))
except ValueError as error:
    print(error)

# %% [markdown]
# **What is not rebuilt here.** The paper wraps this network in two more things. It trains in two stages: first on crops centred on a single object, then on object proposals (候选区域) of whole images. And at test time it segments 50 proposals of each image and
# takes the maximum at every pixel. Both are about objects of all sizes in VOC photos, and they need a proposal method and days of training. The paper's best numbers come from averaging its scores with FCN's and refining the outlines afterwards. We build the network alone; narrower ones of it
# (`width`, `fc_width`, `fc_size`) train on a CPU.
#
# The document's other remark on DeconvNet is about its *writing*: a sound structure, and every part argued clearly, worth learning from (结构合理,逻辑好,可以借鉴). No cell can check that. Read the paper's section 3 and judge.

# %% [markdown]
# ## 8. What a trained network does with its indices
#
# Does SegNet use them? Write its forward pass out, with a door through which the indices can be exchanged:

# %%
def segment(network, images, exchange=lambda pool: pool.indices):
    """SegNet's prediction (N, H, W), its indices replaced by what `exchange` makes of each pooling."""
    pools = network.encoder(images - 0.5)
    decoders = (network.decoder1, network.decoder2, network.decoder3, network.decoder4, network.decoder5)
    features = pools[-1].values
    for pool, decoder in zip(reversed(pools), reversed(decoders)):
        features = decoder(max_unpool(features, exchange(pool), pool.size))
    return network.score(features).argmax(1)

# %%
with torch.no_grad():
    prediction = segment(segnet, images)  # (24, 96, 128)
    assert torch.equal(prediction, segnet(images - 0.5).argmax(1))

# %% [markdown]
# Two scores tell what it costs: mean IoU, and boundary F1 (边界 F1, lesson 07), which asks how well the outlines agree to within a pixel. 1 is perfect in both.
#
# Two exchanges: all values into the upper left **corner** of their windows, and all values to a **random** place of their windows (three times). The features are the same, the weights are the same. **Predict**: does it matter much?

# %%
def corner(pool):
    return indices_of_positions(torch.zeros_like(pool.indices), pool.size[1])

def at_random(pool):
    return indices_of_positions(torch.randint_like(pool.indices, 4), pool.size[1])

def scores(prediction, masks):
    """Mean IoU, and the mean boundary F1 with a tolerance of one pixel."""
    outlines = boundary_f1(prediction, masks, num_classes=8, tolerance=1)
    return ConfusionMatrix(8).update(prediction, masks).mean_iu(), outlines.nanmean().item()

# %% tags=["claim:indices-at-work"]
with torch.no_grad():
    runs = {"its own": [prediction], "corner": [segment(segnet, images, corner)]}
    runs["random"] = [segment(segnet, images, at_random) for _ in range(3)]
for name, predictions in runs.items():
    numbers = [scores(one, masks) for one in predictions]
    print(f"{name:8}", "   ".join(f"mean IoU {iou:.2f}, boundary F1 {f1:.2f}" for iou, f1 in numbers))
assert scores(runs["its own"][0], masks)[0] > 1.5 * max(scores(one, masks)[0] for one in runs["random"])

# %% [markdown]
# Without its indices, this network is lost. (That says how much it *relies* on them. It does not say how good a network can become that was trained without: section 9 does.)
#
# Now one stage at a time: random places in one unpooling, the image's own in the other four. **Predict**: which stage needs its indices most, the first at full size, or the last?

# %%
def at_random_if(size):
    return lambda pool: at_random(pool) if pool.size == size else pool.indices

# %% tags=["claim:which-indices"]
sizes = {1: (96, 128), 2: (48, 64), 3: (24, 32), 4: (12, 16), 5: (6, 8)}
lost = {}
for stage, size in sizes.items():
    with torch.no_grad():
        one_stage = segment(segnet, images, at_random_if(size))
    iou, f1 = scores(one_stage, masks)
    lost[stage] = scores(prediction, masks)[0] - iou
    print(f"random in unpooling {stage} ({size[0]}×{size[1]}): mean IoU {iou:.2f}, boundary F1 {f1:.2f}")
assert max(lost.values()) > 2 * min(lost.values())

# %% [markdown]
# Neither: the third does. Don't look for a rule in that. A wrong place in unpooling 3 is wrong by four pixels of the image; in unpooling 4 it is wrong by eight, and costs far less. It is a fact about this one network; another may lean on another stage.
#
# At full size, a wrong place is wrong by a pixel: that costs the outlines (0.07 of boundary F1) more than the classes (0.03 of mean IoU).

# %% [markdown]
# ## 9. Five ways up, compared
#
# Is unpooling the *best* way up? Fifteen small networks, trained by the recipe `tools/weights/ways_up_street.py`: five ways, three of each, from three random starts. All have the same encoder (three convolutions, three poolings) and, within two per cent, the
# same number of parameters. The first networks of all ways saw the same batches, so did the second and the third. They differ in how the decoder doubles its maps:
#
# - **unpooling**: by the image's indices (SegNet);
# - **transposed**: stride 2, fixed places;
# - **bilinear**: interpolation;
# - **skips**: interpolation, and the encoder's map beside it (U-Net);
# - **scores**: no decoder. The parameters are in two more convolutions at the bottom, and the class scores are interpolated eight times as large (FCN without skips).
#
# **Predict** an order, by boundary F1 (lesson 07).

# %%
small_val = load_dataset("street_scenes", "val", size=(48, 64), length=100)
small_images, small_masks = (torch.stack(tensors) for tensors in zip(*small_val))  # 100 scenes of 48×64
ways_up = load_trained("ways_up_street")
for way in WAYS:
    member = ways_up.members[way][0]
    print(f"{way:10} {sum(parameter.numel() for parameter in member.parameters()):,} parameters")

# %%
predictions, results = {}, {}
with torch.no_grad():
    for way, members in ways_up.members.items():
        predictions[way] = [member(small_images - 0.5).argmax(1) for member in members]
        results[way] = torch.tensor([scores(one, small_masks) for one in predictions[way]])  # (3, 2)

# %% tags=["claim:ways-up"]
for way, numbers in results.items():
    iou, f1 = numbers.T
    print(f"{way:10} boundary F1 {f1.mean():.3f} ({f1.min():.3f} to {f1.max():.3f})   mean IoU {iou.mean():.3f}")
outline_scores = {way: numbers[:, 1] for way, numbers in results.items()}
assert outline_scores["skips"].min() > outline_scores["unpooling"].max() + 0.05
others = ("transposed", "bilinear", "scores")
assert outline_scores["unpooling"].min() > max(outline_scores[way].max() for way in others)

# %%
fig, ax = subplots(1, 1, width=640, height=260)
for row, numbers in enumerate(outline_scores.values()):
    ax.scatter(numbers, [row] * 3, s=60, alpha=0.8)
ax.set_yticks(range(5), outline_scores)
ax.invert_yaxis()
ax.set(xlabel="boundary F1, tolerance one pixel", title="Fifteen networks, three of each way")
show(fig, alt="A dot for each network. Unpooling lies near 0.59, to the right of transposed, bilinear and scores, which "
     "lie together near 0.55. Skips lie far to the right, near 0.73. The three dots of each way are close together.")

# %% [markdown]
# The starts of a way lie within 0.03. Skips lie apart, unpooling lies apart, and the other three can't be told from each other. In words:
#
# - Indices help. Every network with unpooling has better outlines than every one of *transposed*, *bilinear* and *scores*.
# - They help *a little*. Whole maps help four to five times as much. Two bits can say where an edge was strongest; they can't say what was on either side.
# - A decoder alone is worth nothing here: *transposed* and *bilinear* are no better than *scores*, which has none.
#
# One street, seen by the first network of four ways. Hatched pixels of the truth have no class and don't count. (All were trained with weights that favour rare classes, as SegNet was. So poles and persons come out too large rather than not at all.)

# %%
fig, axes = subplots(2, 3, width=900, height=430)
draw_image(axes[0, 0], small_images[2], "image")
for ax, (name, mask) in zip(axes.flat[1:], {"truth": small_masks[2], **{w: predictions[w][0][2] for w in
                                            ("scores", "transposed", "unpooling", "skips")}}.items()):
    draw_mask(ax, mask, small_val.palette, small_val.classes, name, legend=name == "skips")
show(fig, alt="A small street scene, its true label map (hatched: no class) and four predictions. "
     "Without a decoder and with transposed convolution, outlines are round and thin things are blobs; with "
     "unpooling they are a little sharper, and with skips poles are thin and outlines follow the truth.")

# %% [markdown]
# ### Where the edges are lost
#
# The document names FCN's weakness: it *ignores feature maps of high resolution, so edge information is lost; the best model is 8s, which has none of it*. FCN-8s makes its scores at stride 8, and so do our *scores* networks. Measure what resolution alone costs, without any network: give each
# block of s×s pixels the exact shares of the true classes in it, interpolate, take the largest. Call these *perfect scores* at stride s. (Not quite the best possible: lesson 02 gained a little more from the same shares with a learned kernel.)

# %% tags=["claim:edges-are-lost"]
one_hot = F.one_hot(small_masks.where(small_masks != 255, 8), 9)[..., :8].permute(0, 3, 1, 2).float()
exact = {}
for stride in (2, 4, 8, 16):
    shares = F.avg_pool2d(one_hot, stride)  # (100, 8, 48/s, 64/s)
    exact[stride] = scores(F.interpolate(shares, scale_factor=stride, mode="bilinear").argmax(1), small_masks)
    print(f"exact shares at stride {stride:2}: boundary F1 {exact[stride][1]:.2f}, mean IoU {exact[stride][0]:.2f}")
assert exact[2][1] > exact[4][1] > exact[8][1]
assert outline_scores["skips"].min() > exact[8][1] > outline_scores["scores"].max()

# %% [markdown]
# So the sentence holds: at stride 8, even perfect scores have lost a good part of the edges. Our *scores* networks (0.55) are not far below their 0.61, unpooling (0.59) is nearer, and only the networks with skips (0.73) are beyond. What is missing is not a
# larger decoder, but something of high resolution, as in U-Net. Indices are a cheap message *from* those maps. That is their place: more than nothing, for two bits.

# %% [markdown]
# ## 10. What the documents say, measured
#
# | statement | verdict |
# | --- | --- |
# | SegNet puts values at the pooling indices and 0 elsewhere; `torch.nn` has a function for it | holds: `nn.MaxUnpool2d` (not `upmaxpool`); give it the size |
# | the convolutions behind it fill the zeros | holds: one 3×3 convolution is enough |
# | not very different from transposed convolution | holds if the indices are fixed; with the image's own, the best kernel misses most of the result |
# | DeconvNet upsamples by deconvolution and unpooling | holds if "deconvolution" is the layer's name: one of fourteen enlarges its map, unpooling does the rest |
# | SegNet is completely symmetric | holds if the last convolution is left out |
# | FCN: large encoder, very small decoder | holds: 0.1 % of the parameters |
# | FCN ignores maps of high resolution, so edges are lost | holds |
#
# The full list, with the cell behind each verdict, is in `docs/claims.md`.

# %% [markdown]
# ## 11. Your turn
#
# - **Vary.** Section 8: exchange the indices for those of *another image* (`pool.indices.roll(1, 0)`). Predict what the outlines will look like, then draw one.
# - **Vary.** Section 3: pool twice before you go back. Which of the four ways suffers most?
# - **Vary.** Train a narrow DeconvNet with `fit` (lesson 08): `build_model("deconvnet", 8, width=8, fc_width=64, fc_size=2)` on scenes of 64×96. What does the bottleneck cost?
# - **Exercise notebook:** [exercises/05_segnet_unpooling](exercises/05_segnet_unpooling/05_segnet_unpooling.ipynb): five tasks that check themselves and one to write about.
#
# **Further reading.** Badrinarayanan, Kendall & Cipolla (2017), *SegNet*, section 3 and table 1 (decoder variants, compared). · Noh, Hong & Han (2015), *Learning Deconvolution Network for Semantic Segmentation*. · Zeiler & Fergus (2014), *Visualizing and
# Understanding Convolutional Networks*, section 2, where the indices are called switches. · Dumoulin & Visin (2016), *A guide to convolution arithmetic for deep learning*, for transposed convolution.
