# %% [markdown]
# # 04 · U-Net, and a loss that looks between the cells
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/04_unet_weighted_loss.ipynb) · in JupyterLab, you are in the right place already.
#
# A biologist wants to count cells. A network that labels 90 % of the pixels correctly may count three cells as one: the few pixels
# that part them are the ones that it got wrong. U-Net (2015) was made for such pictures. It has a shape that
# everybody has copied since, and a loss that few copied, though it is what the counting depends on.
#
# **You will be able to**
#
# - trace an image of 572×572 pixels through the U, and say where the pixels go that don't come out;
# - say what *crop and concatenate* (裁剪并拼接) does that a sum does not;
# - segment an image of any size tile by tile, without a seam (overlap-tile, 重叠切片);
# - bend an image and its mask together (elastic deformation, 弹性形变);
# - compute the weight map (权重图) that makes the gaps between cells count, and measure what it is worth.
#
# The document names four difficulties of medical images (医学图像). Data are few (数据量少): section 5 bends images, section 8 tests it.
# Images are large (图片尺寸大): section 4 cuts tiles. Borders are blurred, and they must be found accurately (要求高): sections 6 and 7. And there are
# several modalities (多模态): the ISLES stroke challenge gives five maps of the same brain (CBF, MTT, CBV, TMAX, CTP). That is the easy one:
# five maps that lie pixel on pixel are five input channels, `in_channels=5`.
#
# Sources: the course document on medical images and U-Net; Ronneberger, Fischer & Brox, *U-Net: Convolutional Networks for
# Biomedical Image Segmentation* (MICCAI 2015). What the document claims and a CPU can measure is measured below.

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

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import tv_tensors

from course_utils.data import load_dataset
from course_utils.data.elastic import ElasticDeformation
from course_utils.losses import weighted_cross_entropy
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.models import build_model
from course_utils.models.small_unets import SmallUNet
from course_utils.models.trained import load_trained
from course_utils.models.unet import center_crop
from course_utils.plotting import draw_heatmap, draw_image, show, show_images, subplots
from course_utils.receptive_field import receptive_field
from course_utils.tiling import predict_in_tiles
from course_utils.weight_maps import unet_weight_map
from course_utils.widgets import WeightMapExplorer

# %%
torch.set_num_threads(1)  # for networks this small one thread is as fast as several, also on a busy machine
torch.manual_seed(4);

# %% [markdown]
# ## 1. Down the U, and up again
#
# The network has two arms. The **contracting path** (收缩路径) is a classifier's: twice a 3×3 convolution, then pooling, four times over. It learns
# *what* is there, and loses *where*. At the bottom come two more convolutions. The **expanding path** (扩张路径) goes up again, four times: a 2×2
# transposed convolution (转置卷积, lesson 02) doubles the map, and two convolutions follow. At each level it is given the map that the
# contracting path had there, by a skip connection (跨层连接, lesson 03).
#
# No convolution is padded: a 3×3 kernel stays inside its map, so every convolution takes a frame of one pixel away.
#
# **Predict.** 572×572 pixels go in. What comes out?

# %% tags=["nbval-check-output"]
with torch.device("meta"):  # shapes without numbers: this costs nothing
    unet = build_model("unet", num_classes=2, in_channels=1)
logits = unet(torch.empty(1, 1, 572, 572, device="meta"))
weights = sum(p.numel() for p in unet.parameters())
print(f"{weights:,} weights, 572×572 → {tuple(logits.shape[1:])}")
assert logits.shape[2:] == (388, 388) and weights == 31_030_658

# %% [markdown]
# 92 pixels are missing on each side. Watch where they go. A hook on each part of the network notes the shape of its output:

# %% tags=["nbval-check-output", "claim:unet-572-388"]
def note(name):
    return lambda module, inputs, output: print(f"{name:7} {tuple(output.shape[1:])}")

hooks = [part.register_forward_hook(note(name)) for name, part in unet.named_children() if name not in ("pool", "dropout")]
unet(torch.empty(1, 1, 572, 572, device="meta"))
for hook in hooks:
    hook.remove()

# %% [markdown]
# Read it as a U: `down1` to `down4` on the left, `bottom`, `up4` to `up1` on the right, and `score`, a 1×1 convolution, at the
# end. Each step down halves the side and doubles the channels; each step up does the reverse.
#
# Two convolutions take 4 pixels from the side of their map, and a pixel at level 4 is eight pixels wide in the image, at the bottom sixteen. So the way down
# takes 4·(1 + 2 + 4 + 8) = 60 pixels of the image, the bottom 4·16 = 64, and the way up 60 again: 184, which is 92 on each side.
#
# ## 2. Crop and concatenate
#
# At level 1 the left arm has 568×568, the right arm 392×392. They are to be joined, so the larger one is cropped (裁剪) to its
# middle. `center_crop` does it; the margins grow from level to level.

# %% tags=["nbval-check-output", "claim:crop-and-concat"]
for level, left, right in ((4, 64, 56), (3, 136, 104), (2, 280, 200), (1, 568, 392)):
    cropped = center_crop(torch.empty(left, left), (right, right))
    print(f"level {level}: {left} → {tuple(cropped.shape)}, {(left - right) // 2} off each side")
assert [(left - right) // 2 for left, right in ((64, 56), (136, 104), (280, 200), (568, 392))] == [4, 16, 40, 88]

# %% [markdown]
# Cropping keeps every pixel where it was. A well-known mistake is to *resize* the left map to the right one's size: 568 pixels squeezed into 392
# show the same cell at another place, and the decoder is told lies about where things are.
#
# Then U-Net **concatenates** (拼接): 64 channels beside 64 channels make 128. FCN **adds** (求和). What is the difference? The
# next thing that happens to the joined map is a convolution. **Predict**: can the convolution of a concatenation be written with
# sums?

# %%
left, right = torch.randn(2, 1, 4, 9, 7)  # two maps of four channels, 9×7 pixels
conv = nn.Conv2d(8, 4, 3)
of_concat = conv(torch.cat([left, right], dim=1))
for_left, for_right = conv.weight.split(4, dim=1)  # the kernels that read the left map, and those that read the right
of_sums = F.conv2d(left, for_left, conv.bias) + F.conv2d(right, for_right)
assert torch.allclose(of_concat, of_sums, atol=1e-5)

# %% [markdown]
# Yes: it is the sum of two convolutions, each arm with its own kernels. So a sum is the special case in which both arms are given the
# same kernels:

# %% tags=["claim:sum-is-tied-concat"]
with torch.no_grad():
    tied = torch.cat([for_left, for_left], dim=1)
of_sum = F.conv2d(left + right, for_left)
difference = (F.conv2d(torch.cat([left, right], dim=1), tied) - of_sum).abs().max()
saved = sum(9 * channels**2 for channels in (64, 128, 256, 512))
print(f"difference {difference:.0e}; with sums U-Net would save {saved / weights:.1%} of its weights")
assert difference < 1e-4

# %% [markdown]
# Concatenating can do all that adding can do. A tenth of the weights is its price. Whether it helps is another question; section 8 measures it.
#
# ## 3. Which sizes fit
#
# **Predict.** Give the network 256×256 pixels. What happens?

# %% tags=["nbval-check-output"]
try:
    unet(torch.empty(1, 1, 256, 256, device="meta"))
except ValueError as error:
    print(error)

# %% [markdown]
# 256 becomes 252, 126, 122, 61, 57, and 57 does not halve. Every map that is pooled must have an even side. Go through it with a pencil, or let the
# computer try all sides:

# %% tags=["nbval-check-output"]
def fits(side):
    """Does an image of this side pass four levels, every pooling without a remainder, and leave something?"""
    for _ in range(4):
        if side - 4 < 2 or (side - 4) % 2:
            return False
        side = (side - 4) // 2
    return 16 * (side - 4) > 60  # the way up: four times doubled, less 4

sides = [side for side in range(1, 300) if fits(side)]
print(sides)
assert sides == [side for side in range(188, 300) if side % 16 == 12]

# %% [markdown]
# 12 more than a multiple of 16, from 188 on, and 184 pixels fewer come out. Height and width may differ:

# %% tags=["nbval-check-output", "claim:unet-same-size"]
for size in ((188, 188), (188, 204), (572, 588), (700, 700)):
    logits = unet(torch.empty(1, 1, *size, device="meta"))
    print(f"{size} → {tuple(logits.shape[2:])}")
    assert logits.shape[2:] == (size[0] - 184, size[1] - 184)

# %% [markdown]
# Many texts say that U-Net's output has the size of its input. The paper's has not. Its convolutions never see a made-up border, so *every* logit
# rests on real pixels. To see what that means, take the same random weights twice, without and with padding. (Poolings of the two cut
# the image into the same squares if one image is moved by two pixels.)

# %%
valid = build_model("unet", 2, 1, width=8).eval()
same = build_model("unet", 2, 1, width=8, padding="same").eval()
same.load_state_dict(valid.state_dict())
noise = torch.randn(1, 1, 284, 252)
with torch.no_grad():
    without, padded = valid(noise), same(F.pad(noise, (2, 0, 2, 0)))[..., 2:, 2:]
print(tuple(without.shape), tuple(padded.shape))

# %% [markdown]
# In the middle, where the padded network sees no padding, the two must agree. To see what padding does at the edge, move the pixels of the edge into
# the middle: `roll` turns the picture around, by about half of its width. Then see what has become of their logits.

# %% tags=["claim:valid-is-inside-of-same"]
inside = (padded[..., 92:192, 92:160] - without).abs().max()
turned = same(F.pad(noise.roll(128, 3), (2, 0, 2, 0)))[..., 2:, 2:]  # the pixels of the edge are now in the middle
outside = (turned[..., 92:192, 128:132] - padded[..., 92:192, 0:4]).abs().mean() / padded.std()
print(f"in the middle they differ by {inside:.0e}; at the edge padding changes a logit by {outside:.0%} of their spread")
assert inside < 1e-3 < outside

# %% [markdown]
# The unpadded network is the padded one, minus the logits that padding has touched. How far one logit sees:

# %% tags=["nbval-check-output"]
field = receptive_field(unet, "", (572, 572))
spans = {int(last - first + 1) for first, last in map(field.axes[0], range(100, 116))}
print(f"bottom: {receptive_field(unet, 'bottom', (572, 572)).size[0]} pixels; a logit: {min(spans)} to {max(spans)}")

# %% [markdown]
# About 100 pixels each way, and a logit at the corner of the output sees to the very corner of the image: 92 pixels each side are just
# what is needed.
#
# ## 4. Images of any size: overlap-tile
#
# What about the pixels near the border of the image? And about images that are too large for one pass? The paper's answer to both is the
# **overlap-tile strategy**. Cut the output into tiles. For each, give the network the tile *and* 92 pixels around it. Where that reaches out of the
# image, continue the image by **mirroring** (镜像).
#
# We need a trained network and a large image. `unet_cells` is a U-Net of an eighth of the width, trained on generated
# microscope images of cells. That took minutes, so it was done beforehand: `tools/weights/unet_cells.py` is the whole
# recipe. It was trained with the loss of section 6, and with padding; an unpadded U-Net has the same weights and takes them as they are.

# %%
padded_unet = load_trained("unet_cells")
trained = build_model("unet", 2, 1, width=8).eval()
trained.load_state_dict(padded_unet.state_dict())
large = load_dataset("cells", "test", size=(256, 320), length=1, instances=True)
image, mask, _ = large[0]  # (1, 256, 320), (256, 320)
large_input = (image - 0.5) / 0.1  # as in its training

# %% [markdown]
# First in one pass, by hand. The image needs 92 pixels on each side, and a few more on the right and at the bottom to reach 12 more than a
# multiple of 16: 444×508.

# %%
extended = F.pad(large_input[None], (92, 92 + 4, 92, 92 + 4), mode="reflect")  # (1, 1, 444, 508)
with torch.no_grad():
    one_pass = trained(extended)[0, :, :256, :320]  # (2, 256, 320)
accuracy = (one_pass.argmax(0) == mask).float().mean()
print(f"{tuple(extended.shape)} → {tuple(one_pass.shape)}, {accuracy:.1%} of the pixels right")
assert accuracy > 0.9

# %% [markdown]
# Nine pixels of ten and more are right. What do the others look like?

# %%
show_images([image, one_pass.argmax(0).bool(), mask.bool()], ["Image", "U-Net", "Truth"], width=900,
            alt="Left: a grey microscope image of many cells that press against one another. Middle: the network's answer, white "
            "cells on black. Right: the truth. Outlines and many lines between cells agree; beside some clumps the answer is ragged.")

# %% [markdown]
# Two kinds of errors: ragged patches beside some clumps, and lines *between* cells that are broken. Most lines are there, since this network
# was trained to find them: sections 6 and 7 show how.
#
# Now tiles. `predict_in_tiles` takes tiles of 284×284, which give 100×100. **Predict** the largest difference to the one pass.

# %% tags=["claim:overlap-tile-seamless"]
in_tiles = predict_in_tiles(trained, large_input, tile=(284, 284), output_stride=16)
seamless = (in_tiles - one_pass).abs().max()
print(f"largest difference {seamless:.0e}, logits spread {one_pass.std():.1f}")
assert seamless < 1e-3

# %% [markdown]
# Rounding. The seams are not *hidden*: there are none. Every logit saw exactly the pixels that it would have seen in one pass.
#
# One detail hides in `output_stride=16`. It uses only 96 of the 100 rows of each tile, so that all tiles begin at multiples of 16, where the
# poolings of the one pass begin. The paper puts its tiles 388 pixels apart, and 388 is not a multiple of 16. What does that change? And how
# bad are tiles of a *padded* network without overlap, against its own single pass?

# %% tags=["claim:tiles-of-a-padded-network"]
with torch.no_grad():
    padded_pass = padded_unet(large_input[None])[0]  # (2, 256, 320)
ways = {
    "unpadded, 96 apart": (in_tiles, one_pass),
    "unpadded, 100 apart": (predict_in_tiles(trained, large_input, tile=(284, 284)), one_pass),
    "padded, 96 apart": (predict_in_tiles(padded_unet, large_input, tile=(96, 96)), padded_pass),
}
for name, (tiles, single) in ways.items():
    changed = (tiles.argmax(0) != single.argmax(0)).float().mean()
    print(f"{name:20} mean difference {(tiles - single).abs().mean():.3f}, {changed:.2%} of the labels change")

# %% [markdown]
# Where are the differences?

# %%
fig, axes = subplots(1, 3, width=900, height=240)
for ax, (name, (tiles, single)) in zip(axes, ways.items()):
    draw_heatmap(ax, (tiles - single).abs().sum(0), interpolation="nearest", label="difference", limits=(0, 5))
    ax.set_title(name)
show(fig, alt="Three maps of differences between tiles and one pass. Unpadded tiles 96 apart: dark everywhere. Unpadded tiles 100 "
     "apart: patches of differences, none of them along an edge. Padded tiles: bright bands along the edges of the tiles.")

# %% [markdown]
# A padded network without overlap shows its tiles: bright bands where it saw zeros instead of the neighbouring tile. The unpadded one, 100 apart, shows
# no edges, but patches in which it was unsure anyhow: there it matters which pixels are pooled together. Free to avoid.
#
# A last check with a surprise. Give it an image that is the same grey everywhere. **Predict**: is the output the same
# everywhere?

# %% tags=["claim:constant-in"]
flat = predict_in_tiles(trained, torch.full((1, 150, 170), 0.3), tile=(284, 284), output_stride=16)
by_sixteen = max((flat[:, 16:] - flat[:, :-16]).abs().max(), (flat[..., 16:] - flat[..., :-16]).abs().max())
print(f"spread {flat.flatten(1).std(1).max():.3f}; difference to the pixel 16 further on {by_sixteen:.0e}")
assert by_sixteen < 1e-3 < flat.flatten(1).std(1).max()

# %% [markdown]
# Not quite. It repeats every 16 pixels, exactly. No border and no seam can be seen, but the 2×2 transposed convolutions leave a pattern:
# the ripple (波纹) of lesson 02. (A network without them gives a constant for a constant.)
#
# ## 5. Few images: bend them
#
# Medical images are few: some challenges give fewer than 100 cases, says the document, and the paper had 30 images. Its remedy: cells and tissue are
# soft, so a *bent* image is another possible image. **Elastic deformation**: draw random shifts on a coarse grid of 3×3 points, normally
# distributed with a standard deviation of 10 pixels for images of 512×512; interpolate them smoothly; move every pixel.
#
# The mask must be bent in exactly the same way, and its labels must not be mixed: nearest neighbour for labels, interpolation for the image.

# %%
cells = load_dataset("cells", "train", instances=True)
image, mask, instances = cells[2]  # (1, 96, 128), (96, 128), (96, 128)
bend = ElasticDeformation(sigma=3.0)  # pixels; our images are a fifth as large
grid = image.clone()
grid[:, ::12], grid[:, :, ::12] = 1, 1  # lines to see what moves where
pairs = [bend(tv_tensors.Image(grid), tv_tensors.Mask(mask)) for _ in range(2)]

# %% [markdown]
# (3 pixels bend our images a little more than 10 bend 512×512.) Two random bends, and what becomes of the mask:

# %%
pictures = [grid, mask.bool()] + [map_ for bent, bent_mask in pairs for map_ in (bent, bent_mask.bool())]
titles = ["Image with a grid", "Its mask", "Bent", "Mask bent alike", "Bent again", "Mask bent alike"]
show_images(pictures, titles, columns=2, width=620,
            alt="Three rows: a microscope image with a white grid drawn on it and its mask; twice the same image with the grid bent in "
            "smooth waves, and the mask bent with it.")

# %% [markdown]
# A mask that is bent must still hold labels, and no others. And what is bent together must still fit: where the map of cell numbers has
# background, the mask has background.

# %% tags=["claim:masks-bend-along"]
bent, bent_mask, bent_instances = bend(tv_tensors.Image(image), tv_tensors.Mask(mask), tv_tensors.Mask(instances))
print(f"labels {bent_mask.unique().tolist()}; {len(bent_instances.unique()) - 1} of {int(instances.max())} cells in the bent image")
agree = ((bent_instances == 0) <= (bent_mask == 0)).float().mean()
assert bent_mask.unique().tolist() == [0, 1] and agree == 1  # background of the cells' numbers is background of the mask

# %% [markdown]
# Does it help? Section 8 answers it, with networks that saw ten images.
#
# ## 6. The weight map
#
# Between two cells that touch there is one line of background, one pixel wide. All these lines are a few percent of the pixels. To cross-entropy (交叉熵) every
# pixel is worth the same, so a network that paints the lines over loses next to nothing, and the cells grow together.
#
# The U-Net's loss multiplies every pixel by a weight. With d₁ the distance to the border of the nearest cell and d₂ to the border of the second
# nearest:
#
# $$w(x) = w_c(x) + w_0 \cdot \exp\left(-\frac{(d_1(x) + d_2(x))^2}{2\sigma^2}\right), \qquad w_0 = 10,\ \sigma = 5\text{ pixels.}$$
#
# w_c balances the classes; we leave it at 1. **Predict**: where is d₁ + d₂ small? Beside a lone cell? Inside a cell? Between two?
#
# By hand, for a corner with a few cells. Take the pixels of a cell that have another number beside them: its border. Then measure from
# every pixel to all of them, cell by cell.

# %%
few = (instances * mask)[16:64, 76:128]  # (48, 52)
names = [int(name) for name in few.unique() if name]
pixels = torch.cartesian_prod(torch.arange(48.0), torch.arange(52.0))  # (48·52, 2): row, column

def distance_to(cell):
    """(48, 52): from every pixel to the nearest border pixel of a cell, given as a map of True and False."""
    border = cell & ~ndimage.binary_erosion(cell, border_value=1)
    places = torch.from_numpy(np.argwhere(border)).float()  # (border pixels, 2)
    return torch.cdist(pixels, places).amin(dim=1).view(48, 52)

# %% [markdown]
# The two smallest distances of each pixel go into the formula:

# %%
distances = torch.stack([distance_to((few == name).numpy()) for name in names])  # (cells, 48, 52)
d1, d2 = distances.topk(2, dim=0, largest=False).values
by_hand = 1 + 10 * torch.exp(-((d1 + d2) ** 2) / (2 * 5**2))
by_library = unet_weight_map(few, w0=10.0, sigma=5.0, class_weights=(1, 1))
print(f"{len(names)} cells, weights {by_hand.min():.2f} to {by_hand.max():.2f}, difference {(by_hand - by_library).abs().max():.0e}")
assert torch.allclose(by_hand, by_library, atol=1e-4)

# %% [markdown]
# Equal to the library. And this is what it looks like:

# %%
fig, axes = subplots(1, 3, width=900, height=260)
draw_image(axes[0], image[:, 16:64, 76:128], "Image")
draw_image(axes[1], mask[16:64, 76:128].bool(), "Mask")
draw_heatmap(axes[2], by_hand, interpolation="nearest", label="weight")
axes[2].set_title("Weight map")
show(fig, alt="A corner of the image, its mask of cells parted by thin black lines, and the weight map: about 10 on the lines, "
     "falling off to 1 within some ten pixels; 1 in the open background and in the middle of large cells.")

# %% [markdown]
# (The library finds the two nearest cells of every pixel without going through all cells; `course_utils/weight_maps.py` explains how.)
#
# The document says less: the weight *"depends on the distance from the pixel to the nearest cell"*. Take all background pixels that
# are exactly one pixel away from the nearest cell. If that distance were all, they would have the same weight:

# %% tags=["claim:weight-by-nearest-cell"]
beside = (d1 == 1) & (few == 0)
print(f"{int(beside.sum())} background pixels have d1 = 1; their weights are {by_hand[beside].min():.2f} to {by_hand[beside].max():.2f}")
assert by_hand[beside].max() > 3 * by_hand[beside].min()

# %% [markdown]
# It takes *two* cells to make a gap. Beside a lone cell, d₂ is large and nothing happens. That is the whole trick of the formula: the second
# distance.
#
# Another thing to know before you read other people's code: the formula holds at *every* pixel, within the cells too. Many programs
# set it to 0 there. How much of the extra weight is it?

# %% tags=["claim:weight-within-cells"]
extra = by_library - 1
print(f"{extra[few > 0].sum() / extra.sum():.0%} of the extra weight lies within cells, next to the gaps")
assert 0.3 < extra[few > 0].sum() / extra.sum() < 0.95

# %% [markdown]
# A cell pixel beside a line weighs as much as the line itself: d₁ + d₂ is 0 + 2 there, and 1 + 1 on the line. So two errors become expensive: to miss the
# line, and to draw it too wide.
#
# Now play with it. Change w₀ and σ; move over the image and read d₁, d₂ and the weight. (w_c balances the classes until you switch that off.) **Three things to try:** set σ so small that only the lines and the
# pixels beside them are bright. Find a pixel inside a cell whose weight is above 5. Find a pixel with d₁ = 0 and a weight near 1.

# %%
WeightMapExplorer(instances * mask, image)

# %% [markdown]
# ## 7. What is the map worth?
#
# In training the map is computed once for each image, and goes into the loss beside the mask. Here is the whole of it, for a small U-Net: two
# levels instead of four, eight channels, and batch normalisation (批归一化), which lets it learn faster.

# %%
train = load_dataset("cells", "train", length=40, instances=True)
train_images, train_masks, train_instances = (torch.stack(maps) for maps in zip(*train))
train_weights = torch.stack([unet_weight_map(i, class_weights=(1, 1)) for i in train_instances * train_masks])
network = SmallUNet(num_classes=2, in_channels=1)
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)

# %% [markdown]
# A hundred steps:

# %%
history = []
for _ in range(100):
    batch = torch.randint(len(train_images), (4,))
    logits = network((train_images[batch] - 0.5) / 0.1)  # (4, 2, 96, 128)
    loss = weighted_cross_entropy(logits, train_masks[batch], train_weights[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
print(f"loss of the first ten steps {np.mean(history[:10]):.2f}, of the last ten {np.mean(history[-10:]):.2f}")
assert np.mean(history[-10:]) < np.mean(history[:10])

# %% [markdown]
# That is not enough to part cells. Fifteen such networks come with the course, trained for a thousand steps each: five ways of training, three
# random starts. `tools/weights/small_unets_cells.py` is the whole recipe; it takes minutes. Here they are tested, on images that none of them has seen.

# %%
small = load_trained("small_unets_cells").members
test = load_dataset("cells", "test", length=60, instances=True)
images, masks, instances = (torch.stack(maps) for maps in zip(*test))  # (60, 1, 96, 128), (60, 96, 128) twice
inputs = (images - 0.5) / 0.1
print({way: len(networks) for way, networks in small.items()}, f"{int(instances.amax((1, 2)).sum())} cells in {len(test)} images")

# %% [markdown]
# What counts as found? Cut the answer into *pieces*: connected regions (连通域), 8 neighbours. A piece **finds** a cell if their IoU (lesson 00) is above ½. It
# can't find two: a piece that covers two cells of like size fits neither.

# %%
def count(prediction, instances):
    """(cells found, pieces, cells) of one image, (H, W) each."""
    pieces, number = ndimage.label(prediction, np.ones((3, 3)))
    pairs = np.stack([pieces.ravel(), instances.ravel()])
    cells = int(instances.max())
    overlap = np.bincount(pairs[0] * (cells + 1) + pairs[1], minlength=(number + 1) * (cells + 1))
    overlap = overlap.reshape(number + 1, cells + 1)  # pixels of piece i and cell j
    union = overlap.sum(1, keepdims=True) + overlap.sum(0) - overlap
    return np.array([(2 * overlap > union)[1:, 1:].sum(), number, cells])

# %% [markdown]
# A found cell is one that can be counted. Beside it, the IoU of all cell pixels, and the plain number of pieces:

# %%
@torch.no_grad()
def scores(network):
    """IoU of the cells, share of cells found, pieces for each cell."""
    predictions = torch.cat([network(batch).argmax(1) for batch in inputs.split(10)])
    found, pieces, cells = sum(count(p, i) for p, i in zip(predictions.numpy(), instances.numpy()))
    return ConfusionMatrix(2).update(predictions, masks).iu()[1].item(), found / cells, pieces / cells

measured = {way: np.array([scores(network) for network in networks]) for way, networks in small.items()}

# %% [markdown]
# All fifteen networks, all sixty images. Each of the three numbers in a group below is one random start.

# %%
def report(*ways):
    print(f"{'':12} {'IoU':18} {'found':18} pieces per cell")
    for way in ways:
        print(f"{way:12}", "   ".join("  ".join(f"{value:.2f}" for value in score) for score in measured[way].T))

# %% [markdown]
# **Predict**: what does the map do to the IoU, and what to the number of cells found?

# %% tags=["claim:weight-map-separates"]
report("plain", "weight_map")
plain, weighted = measured["plain"], measured["weight_map"]
assert weighted[:, 1].min() > plain[:, 1].max() and abs(weighted[:, 0].mean() - plain[:, 0].mean()) < 0.03

# %% [markdown]
# The IoU hardly moves, from 0.93 to 0.94, and the cells found double. That is the point of the map, and of choosing the score: judged by IoU it is worth next to nothing, judged by
# the count it is worth a lot. All three starts with the map beat all three without it, though they differ among themselves.
#
# Look at the absolute numbers, too. These networks are small and lines of one pixel are hard: even with the map most cells still hang together. The map
# shifts what the network cares about; it does not make it see better. Here is a test image, with the first start of each; of the three with the map that is the best:

# %%
pair = small["weight_map"][0], small["plain"][0]
with torch.no_grad():
    with_map, without = (net(inputs[:1]).argmax(1)[0].bool() for net in pair)
show_images([images[0], without, with_map, masks[0].bool()], ["Image", "Without the map", "With the map", "Truth"], columns=4, width=900,
            alt="A test image and three masks. Without the map touching cells melt into large white blobs; with the map there are "
            "more black lines between them, many of them broken or dotted; in the truth every two cells are parted by a line.")

# %% [markdown]
# ## 8. Sum against concatenation, and ten images
#
# Same test, other questions. First: does concatenation, which can do more, do better?

# %% tags=["claim:unet-sum-against-concat"]
report("plain", "sum")
gap = measured["plain"].mean(0) - measured["sum"].mean(0)
spread = measured["plain"].std(0) + measured["sum"].std(0)
print(f"difference of the IoU {gap[0]:+.3f}, the two standard deviations over starts together {spread[0]:.3f}")
assert abs(gap[0]) < 0.05

# %% [markdown]
# No difference that three starts could show, neither in IoU nor in cells found. Concatenation *can* do more; nothing asks for it here, with small networks and
# generated cells.
#
# Second: the first ten images only, as they are, or each of them bent in thirty ways. `plain` had 300 images.

# %% tags=["claim:elastic-deformation-helps"]
report("ten_images", "ten_bent", "plain")
helped = measured["ten_bent"][:, 0].mean() - measured["ten_images"][:, 0].mean()
print(f"bending the ten images changes the IoU by {helped:+.3f}")
assert abs(helped) < 0.05

# %% [markdown]
# Bending does not help here; the IoU is even a little lower, and the cells found differ by no more than starts do. Two reasons suggest themselves. Ten images hold about 160 cells in all
# directions, mirrored crops make more of them, and 300 images gain hardly anything over ten: there is no lack of data to cure. And bending
# stretches lines of one pixel, or tears them. The paper's claim is about 30 images of real tissue, whose shapes a generator of cells can't stand
# for. What this measures is only that elastic deformation is not good by itself: try it on *your* validation images.
#
# ## 9. Real data: ISBI 2012
#
# The paper's first table is about nerve cells under an electron microscope. The course reads that data set, but may not ship it. If you have it
# (`course data get isbi2012`), this cell shows a slice; if not, it says so.

# %%
try:
    slices = load_dataset("isbi2012", "test")
except FileNotFoundError:
    print("ISBI 2012 is not on this machine, so there is no picture here. To get it: course data get isbi2012")
else:
    picture, truth = slices[0]
    show_images([picture, truth.bool()], ["Slice 25", "Its label: membranes are black"], width=800,
                alt="A slice of nervous tissue under the electron microscope, and its label: cells white, membranes black lines.")

# %% [markdown]
# A U-Net of a quarter of the width was trained on 20 of its 30 labelled slices:
#
# ```sh
# course train --model unet --set width=16 --set padding=same --data isbi2012 --folder runs/isbi2012 --epochs 50 \
#     --batch-size 2 --crop 256 256 --scale 1.6 2.4 --loss cross_entropy+dice --lr 2e-3 --schedule one_cycle --clip 1
# ```
#
# In five and a half minutes on one thread it reached a mean IoU of 0.791 on the last five slices (cell 0.909, membrane 0.674); *cell*
# everywhere would have given 0.40. The table, the curves and what they can't be compared with are in `docs/results.md`. The labels know membrane and cell
# but not *which* cell, so the weight map needs one more step there: number the cells first. (Dice, half of this loss, comes in lesson 07.)
#
# ## 10. U-Net against FCN
#
# The document compares the two: U-Net is *"completely symmetric, the left and the right are very similar"*; FCN's decoder is *"only one deconvolution, with
# no convolutions after it"*; FCN sums and U-Net concatenates. Count. (On the meta device again: no weights are made.)

# %% tags=["nbval-check-output", "claim:unet-is-symmetric"]
def parameters(*parts):
    return sum(p.numel() for part in parts for p in part.parameters())

left_arm = [unet.down1, unet.down2, unet.down3, unet.down4]
right_arm = [unet.up4, unet.up3, unet.up2, unet.up1]
for name, arm in (("left", left_arm), ("bottom", [unet.bottom]), ("right", right_arm)):
    kinds = [type(layer).__name__ for part in arm for layer in part.modules()]
    print(f"{name:7} {kinds.count('Conv2d')} convolutions, {kinds.count('ConvTranspose2d')} up, {parameters(*arm):>10,} weights")
assert parameters(*right_arm) > 2 * parameters(*left_arm)

# %% [markdown]
# Levels, channels and the number of 3×3 convolutions are mirrored. Weights are not: the right arm has the up-convolutions, and its first convolutions
# read twice the channels. Nor are sizes: 568 on the left meets 392 on the right.
#
# The document also says that U-Net adds many skips: four, where FCN-8s has two. Now the transposed convolutions of FCN:

# %% tags=["nbval-check-output", "claim:fcn-has-one-deconvolution"]
with torch.device("meta"):
    family = {name: build_model(name, num_classes=21) for name in ("fcn32s", "fcn16s", "fcn8s")}
for name, fcn in family.items():
    ups = sum(isinstance(layer, nn.ConvTranspose2d) for layer in fcn.modules())
    print(f"{name}: {ups} transposed convolutions, {parameters(fcn.score) / parameters(fcn):.2%} of the weights score classes")
print(f"unet: 4 transposed convolutions, {parameters(*right_arm) / parameters(unet):.0%} of the weights in the right arm")
assert ups == 3

# %% [markdown]
# One deconvolution: that is FCN-32s. FCN-8s, the best of the family, has three. What is right is the point of it: no 3×3 convolution follows them, and
# what comes up is class scores, not features. The decoder of FCN has next to no weights, that of U-Net 39 % of all.
#
# The idea of coding an image down and decoding it up again (encoder–decoder, 编码器–解码器) is older than both. The document credits Hinton, *Nature* 2006. It is Hinton &
# Salakhutdinov, *Reducing the Dimensionality of Data with Neural Networks*, and it appeared in *Science*. (FCN and U-Net are both of 2015; U-Net's
# abstract reports the win in the ISBI cell tracking challenge 2015 that the document names. That, and that U-Net became the baseline of most medical
# segmentation, can't be measured here.)
#
# ### What comes from where?
#
# *"Low resolution says what, high resolution says where."* Test it: take one of the two away from the trained network. A hook replaces the
# map by its mean over the picture, so that the numbers keep their scale and only the places are lost.

# %%
def flattened(features):
    return features.mean((2, 3), keepdim=True).expand_as(features)

def without_place(part, which):
    """Let a part of the way up read the mean of what comes from below (which = 0), or of the skip (1)."""
    return part.register_forward_pre_hook(
        lambda module, args: tuple(flattened(a) if i == which else a for i, a in enumerate(args)))

# %% [markdown]
# The bottom is the lowest resolution, 1/16 of the image; level 1 is the highest. Boundary F1 (lesson 07) compares outlines only, with a tolerance of one pixel.

# %% tags=["claim:low-what-high-where"]
takeaways = (("whole network", None, 0), ("no place from the bottom", "up4", 0),
             ("no place from level 1", "up1", 1), ("no place from all below", "up1", 0))
outlines = {}
for name, part, which in takeaways:
    hook = without_place(getattr(padded_unet, part), which) if part else None
    with torch.no_grad():
        answer = padded_unet(inputs[:20]).argmax(1)
    outlines[name] = boundary_f1(answer, masks[:20], 2, tolerance=1).nanmean()
    print(f"{name:26} IoU {ConfusionMatrix(2).update(answer, masks[:20]).iu()[1]:.2f}, boundary F1 {outlines[name]:.2f}")
    if hook:
        hook.remove()
assert outlines["no place from all below"] < outlines["no place from level 1"] < outlines["whole network"]

# %% [markdown]
# Both are needed, but not as the sentence has it. Without anything from below level 1 hardly a cell is left: one level alone can't tell what it looks at. Without the
# places of level 1 the outlines get a little worse. And *where* things are at the very lowest level makes no difference: cells of 12 to 30 pixels are recognised
# higher up. The bottom holds almost half of the weights, and this network needs no more of its map than the mean. How deep a U must be depends on the
# size of the things in the picture.
#
# ### Less than a second?
#
# *"An image of 512×512 takes less than a second on a GPU."* Count the multiply-adds (乘加运算) of the full network first, then take the time of a small piece
# on this CPU.

# %% tags=["nbval-check-output"]
def multiply_adds(network, *size):
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 1, *size, device="meta"))
    return counter.get_total_flops() / 2

tiles, once = 4 * multiply_adds(unet, 572, 572), multiply_adds(unet, 700, 700)
print(f"512×512 as four tiles of 572: {tiles / 1e9:.0f} billion; as one of 700, 516×516 come out: {once / 1e9:.0f} billion")
assert round(multiply_adds(unet, 572, 572) / 1e7) == 15043

# %% [markdown]
# Four tiles give 776×776 pixels, far more than were asked for; that is most of the difference. For each pixel that comes out, the large tile is cheaper by 7 %, since
# less of it is margin. Now the clock, with the full network and its smallest image:

# %% tags=["claim:less-than-a-second"]
full = build_model("unet", num_classes=2, in_channels=1).eval()
start = time.perf_counter()
with torch.no_grad():
    full(torch.zeros(1, 1, 188, 188))
per_second = multiply_adds(unet, 188, 188) / (time.perf_counter() - start)
print(f"one CPU thread: {per_second / 1e9:.0f} billion multiply-adds a second, so about {once / per_second:.0f} s for 512×512")
print("a GPU here:", torch.cuda.get_device_name() if torch.cuda.is_available() else "none")

# %% [markdown]
# A GPU must do about a quarter of a trillion multiply-adds a second to keep the promise; that is far below what the data sheets of today's GPUs
# say. It was not measured here: this page was made without a GPU. On one thread of a CPU it takes several seconds.
#
# ## 11. What the document says, measured
#
# | statement | verdict |
# | --- | --- |
# | U-Net's joins are crop and concatenate | holds: 4, 16, 40, 88 pixels are cropped on each side |
# | (others) U-Net's output has the size of its input | does not hold: 572 → 388 |
# | the weight of a pixel depends on its distance to the nearest cell | holds if the second nearest cell is added |
# | it directs the attention to the borders between two cells | holds: twice as many cells found, IoU 0.94 for 0.93 |
# | data are few; (paper) elastic deformation makes up for it | does not hold for these generated cells |
# | summing or concatenating is a difference between FCN and U-Net | holds; in small networks it makes no difference to the score |
# | U-Net is completely symmetric | holds for levels and channels, not for weights and sizes |
# | FCN's decoder is one deconvolution | holds for FCN-32s; FCN-8s has three |
# | low resolution says what, high resolution says where | holds in part: the places of the lowest level are not needed for cells |
# | 512×512 in less than a second on a GPU | not measured on a GPU: 247 billion multiply-adds |
# | encoder–decoder: Hinton, *Nature* 2006 | it is Hinton & Salakhutdinov, *Science* 2006 |
#
# The full list, with the cell behind each verdict, is in `docs/claims.md`.

# %% [markdown]
# ## 12. Your turn
#
# - **Vary.** In section 6, set `w0` to 1 and to 30 in `unet_weight_map`. Predict the share of the extra weight that lies within cells: does it change?
# - **Vary.** In section 4, let the padded network's tiles overlap: `tile=(288, 288), margin=32`, then 64 and 96. From which margin on are there no bands
#   between tiles? (Along the image's own border a difference stays: there the one pass saw zeros, the tiles a mirror.)
# - **Vary.** In section 7, multiply the weights of *background* by 3 (`class_weights=(3, 1)`) and train for 500 steps. Count the cells found.
# - **Exercise notebook:** [exercises/04_unet_weighted_loss](exercises/04_unet_weighted_loss/04_unet_weighted_loss.ipynb): five tasks that
#   check themselves and one to write about.
#
# **Further reading.** Ronneberger, Fischer & Brox (2015), all eight pages. · Simard, Steinkraus & Platt (2003), *Best Practices for Convolutional Neural
# Networks Applied to Visual Document Analysis*, for elastic deformation. · He et al. (2015), *Delving Deep into Rectifiers*, for the initial weights. · Isensee
# et al. (2021), *nnU-Net* (Nature Methods): how far a plain U-Net goes when everything around it is chosen well.
