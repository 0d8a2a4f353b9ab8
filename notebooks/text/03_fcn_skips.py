# %% [markdown]
# # 03 · Skips: what is there, and where it ends
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/03_fcn_skips.ipynb) · in JupyterLab, you are in the right place already.
#
# A classifier as a convolution answers once every 32 pixels (lesson 01). A transposed convolution makes the answers as large
# as the picture (lesson 02). Put together they are FCN-32s, a segmentation network that is trained end to end, and its
# outlines are blobs. This lesson builds what made them sharper: the *skip connections* (跳跃连接) of FCN-16s and FCN-8s.
#
# **You will be able to**
#
# - derive the padding of 100 pixels and the crops (裁剪) 19 / 5, 27 / 5, 9, 31, or those of any other network;
# - build FCN-8s from score maps (得分图) by hand, and prove that yours is the library's;
# - say what a sum of scores can do that a concatenation (拼接) can't, or the other way round;
# - mix the scores of deep and shallow layers by hand on a picture, and see which layer knows what;
# - judge from three seeds, not from one, whether a skip helps.
#
# Sources: the course documents on FCN, and Long, Shelhamer & Darrell, *Fully Convolutional Networks for Semantic
# Segmentation* (CVPR 2015). What the documents claim is measured below, on small networks that a CPU can train.

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
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.alignment import crops, network
from course_utils.data import load_dataset
from course_utils.layers import BilinearDeconv, bilinear_kernel
from course_utils.losses import cross_entropy
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.models import build_model
from course_utils.models.trained import load_trained, trained_facts
from course_utils.plotting import draw_mask, show, subplots
from course_utils.receptive_field import receptive_field
from course_utils.widgets import AlignmentExplorer, SkipMixer

torch.set_num_threads(1)  # for networks this small one thread is as fast as several, also on a busy machine
torch.manual_seed(3);

# %% [markdown]
# ## 1. How large is the score map?
#
# VGG16 with its fully connected layers as convolutions (lesson 01): five poolings halve the map, then fc6 slides a 7×7
# kernel over what is left, without padding. (As convolutions, fc6 and fc7 are also called conv6 and conv7.) One document says that
# the convolutions of FCN *"don't change the size of the picture, or by few pixels only"*.
#
# **Predict** the side of the score map for pictures of 500, 224 and 160 pixels.

# %%
def score_map_side(side, padding=1):
    """Side of VGG16's score map, if conv1_1 pads the picture by `padding` pixels."""
    side = side + 2 * padding - 2  # conv1_1, 3×3
    for _ in range(5):
        side = -(-side // 2)  # a pooling; half a window counts, as in Caffe
    return side - 6  # fc6, 7×7

# %% tags=["nbval-check-output", "claim:convolutions-keep-the-size"]
for side in (500, 224, 193, 192, 160):
    print(f"picture of {side} pixels: score map of {score_map_side(side)}, 1/32 would be {side / 32:.1f}")
assert score_map_side(192) == 0 and score_map_side(160) < 0

# %% [markdown]
# All convolutions of VGG16 keep the size, but fc6 does not: it takes six units of the smallest map, and a unit stands for
# 32 pixels. Pictures of 192 pixels and less give no score at all. (A negative size is an error in practice.)
#
# FCN takes "any size" seriously, so its first convolution pads the picture. **Predict.** How much padding makes
# even a picture of a single pixel give one score?

# %% tags=["nbval-check-output", "claim:any-size"]
enough = [padding for padding in range(1, 120) if score_map_side(1, padding) >= 1]
print(f"the smallest padding for a picture of one pixel: {enough[0]}")
assert score_map_side(1, 100) == 1

# %% [markdown]
# 97 is the smallest that works, and the authors took 100: that is the famous *padding of 100*. With it, every picture
# gets its scores, and every network of this lesson gives logits of exactly the picture's size, whatever that is. There are 21 maps,
# one for each class of PASCAL VOC (20 kinds of object and the background):

# %% tags=["nbval-check-output"]
with torch.device("meta"):  # shapes without numbers: nothing is stored, nothing is computed
    fcn8s = build_model("fcn8s", num_classes=21)
    for size in ((1, 1), (37, 50), (375, 500)):
        print(f"{size} → {tuple(fcn8s(torch.zeros(1, 3, *size)).shape)}")
assert fcn8s(torch.zeros(1, 3, 37, 50, device="meta")).shape[2:] == (37, 50)

# %% [markdown]
# ## 2. 32 times larger
#
# A transposed convolution (转置卷积) with a *bilinear kernel* (双线性核) interpolates between the scores. Its kernel is a tent: it is
# highest in its middle and falls to zero at the distance of one stride. A tent of stride *s* is *2s* wide.
#
# FCN's "32×" means 32 times as wide and as high, not 32 maps. One document supposes 32×32 weights that must be learned, and adds that
# "in the code it is 64". **Predict** the row of the kernel for stride 2, and whether a kernel of 32 could interpolate at stride 32.

# %% tags=["nbval-check-output"]
print("stride 2:", (bilinear_kernel(2)[1] / bilinear_kernel(2)[1].max() * 3).tolist(), "/ 4")
for stride in (2, 8, 16, 32):
    kernel = bilinear_kernel(stride)
    print(f"stride {stride:2}: kernel {tuple(kernel.shape)}, sum {kernel.sum():g} = stride²")

# %% [markdown]
# A kernel of 32 at stride 32 would paint each score onto its own block, without a transition. With 64, neighbouring tents
# overlap, and at every pixel their heights add up to one.
#
# Is it the library's interpolation? Enlarge a small score map both ways. **Predict** where they differ.

# %% tags=["claim:kernel-of-64"]
scores = torch.randn(1, 3, 4, 6)
by_deconv = BilinearDeconv(3, stride=32)(scores)  # (1, 3, 160, 224): 32 · 4 + 32, 32 · 6 + 32
by_library = F.interpolate(scores, scale_factor=32, mode="bilinear", align_corners=False)  # (1, 3, 128, 192)
difference = (by_deconv[..., 16:-16, 16:-16] - by_library).abs()[0].amax(0)  # (128, 192)
print(f"16 pixels and more from the border {difference[16:-16, 16:-16].max():.0e}, at the border {difference.max():.1f}")
assert difference[16:-16, 16:-16].max() < 1e-5 < 0.1 < difference.max()

# %% [markdown]
# The same but for a frame of half a stride, where the library repeats the last score and the tent fades out. In the authors'
# networks these kernels stay **fixed**: nothing is learned in the upsampling. (The paper's text has the smaller ones learned;
# `learned_deconv=True` does that.)

# %% [markdown]
# ## 3. Where do the scores lie? The crops
#
# The picture was padded, so the enlarged map is larger than the picture: some of its pixels belong to the padding. Which
# ones must go? Ask where units lie. `receptive_field` says where the middle of a unit's view is, in pixels of the picture:

# %% tags=["nbval-check-output"]
fcn32s = build_model("fcn32s", num_classes=21, width=1)  # where units lie does not depend on the width
field = receptive_field(fcn32s, "vgg16.fc7", (500, 500))
print(f"unit 0 of conv7 looks at pixel {field.center[0]}; its neighbour {field.stride[0]} pixels further")

# %% [markdown]
# The kernel of the transposed convolution is 64 wide, so the middle of the tent of unit 0 lies at 31.5 in the enlarged
# map, and this point belongs over pixel 12.5. **Predict** which pixel of the enlarged map belongs over pixel 0.

# %% tags=["nbval-check-output", "claim:crops-derived"]
print(f"FCN-32s: {31.5 - field.center[0]:g}")
for name in ("fcn16s", "fcn8s", "fcn4s", "fcn2s", "fcn_alexnet", "fcn_googlenet"):
    print(f"{name}: {crops(network(name), 500)}")
assert crops(network("fcn8s"), 500) == {"pool4": 5, "pool3": 9, "image": 31}

# %% [markdown]
# 31.5 − 12.5 = 19: cut off 19 rows and columns. The same sum for every join of a network gives all other crops of the
# authors' code, and those of networks that they did not release. `course_utils.alignment` does it for a list of layers. Play with it:
# change the padding or a kernel, and see when maps stop fitting.

# %%
AlignmentExplorer("fcn8s")

# %% [markdown]
# **Three things to try.** Follow one unit of pool4 and the unit of the doubled scores that it is added to: how far are their
# middles apart? Set the padding to 1: what happens to small pictures, and to the crops? Take `fcn_alexnet`: why is its last
# kernel 63 wide, and not 64?

# %% [markdown]
# ### Exactly?
#
# One often reads that cropping puts the maps into place only roughly. Measure it. Give all weights of a convolution the same
# value: then a logit is a weighted sum of pixels, and the network itself prefers no side. If the crops are right, the centre of mass of
# these weights for logit 500 is pixel 500.

# %%
probe = build_model("fcn8s", num_classes=1, width=1).double().eval()
probe.vgg16.pool = nn.AvgPool2d(2, ceil_mode=True)  # a maximum would prefer some pixels
for weight in probe.parameters():
    nn.init.constant_(weight, 1 / weight[0].numel() if weight.ndim == 4 else 0)
column = torch.ones(1, 3, 1024, 1, dtype=torch.float64, requires_grad=True)
probe(column)[0, 0, 500, 0].backward()

# %% tags=["claim:exactly-aligned"]
influence = column.grad[0].sum(0).flatten()  # (1024,)
middle = (influence * torch.arange(1024)).sum() / influence.sum()
reach = influence.nonzero()
print(f"logit 500 sees pixels {reach.min()} to {reach.max()}; their centre of mass is {middle:.6f}")
assert abs(middle - 500) < 1e-6

# %% [markdown]
# Exact, to rounding. (The range alone is not symmetric around 500: a logit between two units mixes both views, and the interpolation gives
# the nearer one more weight. That is what puts the centre of mass in its place.)
#
# The crops are whole numbers because all the halves cancel: each pooling shifts by half a unit, each even kernel of the way back
# shifts by half a unit too.
#
# For small pictures the padding is a waste: a picture of 96×128 becomes one of 294×326. The option `padding="same"` pads fc6 by 3
# instead and leaves nothing to crop. All trained networks of this lesson use it.

# %% [markdown]
# ## 4. What 32 pixels can't draw
#
# Suppose that a network were perfect: its score map says for every block of 32×32 pixels exactly what share of it each class
# has. Enlarge that by interpolation and take the best class at each pixel. **Predict** the IoU of road, and of poles: most are
# one or two pixels wide, some carry a sign.

# %%
val = load_dataset("street_scenes", "val", size=(96, 128), length=40)
images, masks = (torch.stack(items) for items in zip(*val))  # (40, 3, 96, 128), (40, 96, 128)

# %% tags=["claim:perfect-but-coarse"]
shares = F.one_hot(masks.clamp(max=8), 9)[..., :8].permute(0, 3, 1, 2).float()  # (40, 8, 96, 128), void is in none
perfect = {}
for stride in (32, 16, 8, 4, 2):
    enlarged = F.interpolate(F.avg_pool2d(shares, stride), scale_factor=stride, mode="bilinear")
    perfect[stride] = ConfusionMatrix(8).update(enlarged.argmax(1), masks)
    iou = dict(zip(val.classes, perfect[stride].iu().tolist()))
    print(f"stride {stride:2}: mean IoU {perfect[stride].mean_iu():.2f}, road {iou['road']:.2f}, pole {iou['pole']:.2f}")
assert perfect[32].iu()[7] < 0.1 < 0.5 < perfect[2].iu()[7]

# %% [markdown]
# At stride 32 a pole does not fit through, and even at stride 8 the IoU of poles is below a fifth. (This is no strict bound: a network may
# say other things than shares. But it has one number per class and block to say it with.) Finer scores are needed, and the
# network has some: pool4 has stride 16, pool3 has stride 8. They have seen less of the picture, though: a unit of pool3 sees 44 pixels,
# one of pool4 100, one of conv7 404.

# %% [markdown]
# ## 5. Crop and sum
#
# The recipe of FCN-8s: score pool3, pool4 and conv7, each by a 1×1 convolution. Double the scores of conv7, crop pool4's to the
# same place, **add**. Double the sum, crop pool3's, add. Enlarge eight times, crop.
#
# (One document says that "the kernels of conv4 deconvolve" the enlarged map. They don't: no kernel is used twice. Pool4 brings scores of its
# own, and they are added.)

# %%
def fcn8s_by_hand(conv7, pool4, pool3, size):
    """Score maps (N, K, h, w) of a picture that was padded by 100 pixels → logits (N, K, *size)."""
    classes = conv7.shape[1]
    doubled = BilinearDeconv(classes, 2)(conv7)  # stride 16
    height, width = doubled.shape[2:]
    fused = doubled + pool4[..., 5 : 5 + height, 5 : 5 + width]
    doubled = BilinearDeconv(classes, 2)(fused)  # stride 8
    height, width = doubled.shape[2:]
    fused = doubled + pool3[..., 9 : 9 + height, 9 : 9 + width]
    return BilinearDeconv(classes, 8)(fused)[..., 31 : 31 + size[0], 31 : 31 + size[1]]

# %% [markdown]
# Is that the course's `fcn8s`? It offers its two halves separately: `score_maps` and `fuse` (融合). Random scores of the right sizes, for
# a picture that is not square and has an odd side:

# %%
library = build_model("fcn8s", num_classes=5, width=1)
shapes = {name: scores.shape for name, scores in library.score_maps(torch.zeros(1, 3, 61, 90)).items()}
scores = {name: torch.randn(shape) for name, shape in shapes.items()}
print({name: tuple(shape[2:]) for name, shape in shapes.items()})
assert torch.allclose(fcn8s_by_hand(**scores, size=(61, 90)), library.fuse(scores, (61, 90)), atol=1e-5)

# %% [markdown]
# ### Sum or concatenation?
#
# The documents disagree. One says *crop and sum*, one only that the maps are *merged*. The third describes a sum, mentions a blog that
# says concatenation, and adds: *"personally I think it is concatenation"*. The authors' code adds. But is there a difference at all?
#
# Concatenate the *features* of two layers and score them by one 1×1 convolution. Its weights for one output are a row that is as long as
# both feature vectors together. **Predict.** Cut that row in two. What do the halves compute?

# %% tags=["claim:sum-or-concat"]
deep, shallow = torch.randn(1, 4096, 6, 8), torch.randn(1, 512, 6, 8)  # conv7, already doubled, and pool4
score_deep, score_shallow = nn.Conv2d(4096, 21, 1), nn.Conv2d(512, 21, 1)
summed = score_deep(deep) + score_shallow(shallow)

score_both = nn.Conv2d(4096 + 512, 21, 1)
score_both.weight.data = torch.cat([score_deep.weight, score_shallow.weight], dim=1)
score_both.bias.data = score_deep.bias + score_shallow.bias
concatenated = score_both(torch.cat([deep, shallow], dim=1))
print(f"largest difference {(summed - concatenated).abs().max():.0e}")
assert torch.allclose(summed, concatenated, atol=1e-5)

# %% [markdown]
# **The sum of scores is a concatenation of features with one 1×1 convolution on top.** The same function, the same
# number of weights. And since interpolation treats each channel by itself, it makes no difference either whether features are doubled and
# then scored, or scored and then doubled (but for the bias at the border, where the tents fade out). The cost differs.
# Multiplications in one doubling by a 4×4 kernel, at 16×16 units:

# %% tags=["nbval-check-output"]
per_channel = 16 * 16 * 4 * 4
print(f"double 21 scores: {21 * per_channel:,}.  Double 4096 features: {4096 * per_channel:,}")

# %% [markdown]
# A concatenation becomes something else when *more* follows it than one 1×1 convolution: in U-Net (lesson 04) two 3×3
# convolutions with ReLU do. Whether a mixed form is better in training, section 8 measures.
#
# ### "4× conv7 + 2× pool4 + pool3"
#
# The paper's figure writes FCN-8s like this, and one document follows it: one step of 4×, one of 2×, then the sum. The text and the code
# double twice. A sum may be taken apart, so 2×(2×conv7 + pool4) is 2×2×conv7 + 2×pool4. **Predict.** Is doubling twice the same as
# one step of 4×?

# %% tags=["nbval-check-output", "claim:four-times-conv7"]
tent2, tent4 = bilinear_kernel(2).sum(0) / 2, bilinear_kernel(4).sum(0) / 4  # one row each
one = torch.ones(1, 1, 1)
twice = F.conv_transpose1d(F.conv_transpose1d(one, tent2[None, None], stride=2), tent2[None, None], stride=2)
print("doubled twice:", (16 * twice).round().int().flatten().tolist(), "/ 16")
print("4× at once:   ", (16 * tent4).round().int().tolist(), "/ 16")
assert twice.numel() != tent4.numel()

# %% [markdown]
# The network is drawn rightly, but the filter is another one: a rounder tent, ten units of pool3 wide and not eight. What that
# does to a trained network, section 7 measures.

# %% [markdown]
# ## 6. The networks, whole
#
# The documents: *adapt AlexNet, VGG and GoogLeNet*. Here is each, with 21 classes, as in the paper. The bilinear kernels are
# constants, and are counted apart.

# %% tags=["nbval-check-output", "claim:three-classifiers"]
with torch.device("meta"):
    for name in ("fcn_alexnet", "fcn_googlenet", "fcn32s", "fcn16s", "fcn8s"):
        model = build_model(name, num_classes=21)
        weights = sum(p.numel() for p in model.parameters())
        kernels = sum(b.numel() for b in model.buffers())
        print(f"{name:14} {weights:11,} weights, {kernels:9,} fixed numbers in kernels")
assert weights == 134_362_751

# %% [markdown]
# The skips are nearly free: FCN-8s has 16,170 weights more than FCN-32s, one in eight thousand. Its kernels
# hold fewer numbers, since the one of 64×64 is gone. That saves memory, not work: a kernel twice as wide as its stride mixes 2×2 scores into
# each pixel, whatever the stride is.
#
# GoogLeNet has one weight for every 22 of VGG16, and AlexNet one for every 2.4. In the paper their mean IoU on PASCAL VOC 2011 is 42.5 % and
# 39.8 %, VGG16's is 56.0 %. Those numbers need ImageNet weights and a data set that we can't ship; what follows is measured here.

# %% [markdown]
# ## 7. A trained FCN-8s, taken apart
#
# Our network is FCN-8s with batch normalisation and an eighth of the paper's channels (fewer in fc6 and fc7), trained for a minute
# and a half of one CPU core's time. That is too long for a lesson, so its weights come with the course:

# %%
fcn = load_trained("fcn_street")
print(trained_facts("fcn_street")["about"])

# %%
with torch.no_grad():
    score_maps = fcn.score_maps(images - 0.5)
    logits = fcn.fuse(score_maps, (96, 128))
matrix = ConfusionMatrix(8).update(logits.argmax(1), masks)
print(f"mean IoU {matrix.mean_iu():.2f}:", {c: round(v, 2) for c, v in zip(val.classes, matrix.iu().tolist())})
print({name: tuple(maps.shape[1:]) for name, maps in score_maps.items()})
assert matrix.mean_iu() > 0.7

# %% [markdown]
# Poles come out at just about the IoU that a *perfect* map of stride 8 gave in section 4. So the grid seems to be their limit, not the training.
#
# Now for the question of section 5. Twice 2×, or 4× at once? The same scores both ways:

# %%
def enlarge(maps, times):
    return F.interpolate(maps, scale_factor=times, mode="bilinear", align_corners=False)

at_once = enlarge(enlarge(score_maps["conv7"], 4) + enlarge(score_maps["pool4"], 2) + score_maps["pool3"], 8)
iou_at_once = ConfusionMatrix(8).update(at_once.argmax(1), masks).mean_iu()
agreement = (at_once.argmax(1) == logits.argmax(1)).float().mean()
print(f"the same class at {agreement:.1%} of the pixels, mean IoU {iou_at_once:.3f} against {matrix.mean_iu():.3f}")
assert agreement > 0.95

# %% [markdown]
# Another filter, but in a trained network it hardly matters: one pixel in a hundred changes its class. (Some of
# these lie at the border, where `F.interpolate` and the tents of `fuse` differ anyway.)
#
# ### Which layer knows what?
#
# "Global information tells *what*, local information tells *where*", say the documents. Mix the three score maps yourself: a slider
# for each. The picture shows the class with the highest sum, and the IoU follows.

# %%
SkipMixer(images[4], {name: maps[4] for name, maps in score_maps.items()}, val.classes, val.palette, masks[4])

# %% [markdown]
# **Three things to try.** Switch conv7 off: which classes get mixed up? Switch pool3 off: what happens to poles? Find weights that
# are better than 1, 1, 1 on this picture. (Would they be better on others?)
#
# A slider shows one picture. Now all forty, with some maps silenced. `boundary_f1` (lesson 07) compares outlines with a
# tolerance of one pixel.

# %%
def without(silenced):
    """Mean IoU and boundary F1 of the trained network with some of its score maps set to zero."""
    kept = {name: maps * (name not in silenced) for name, maps in score_maps.items()}
    prediction = fcn.fuse(kept, (96, 128)).argmax(1)
    f1 = boundary_f1(prediction, masks, 8, tolerance=1).nanmean().item()
    return ConfusionMatrix(8).update(prediction, masks).mean_iu(), f1

# %% tags=["claim:deep-features-unused"]
measured = {}
for silenced in ((), ("conv7",), ("pool4",), ("pool3",)):
    measured[silenced] = without(silenced)
    print(f"without {''.join(silenced) or 'nothing':8} mean IoU %.2f, boundary F1 %.2f" % measured[silenced])
assert measured["pool3",][0] < measured["pool4",][0] < measured["conv7",][0] < measured[()][0]

# %% [markdown]
# A surprise: conv7, the layer that knows *what*, is the one that is missed least. But silencing is unfair, since the three
# were trained to share the work. Ask each layer by itself: a *linear probe* (线性探针) is a new 1×1 convolution, trained on the features
# of one layer, with everything below it fixed. First the features of forty training pictures:

# %%
train = load_dataset("street_scenes", "train", size=(96, 128), length=40)
train_images, train_masks = (torch.stack(items) for items in zip(*train))
with torch.no_grad():
    features, val_features = fcn.vgg16(train_images - 0.5), fcn.vgg16(images - 0.5)

# %% [markdown]
# And a loop that trains any head on them:

# %% tags=["reseeds"]
def trained_head(make_head, layers, seed, steps=60):
    """Train a head, from random weights, on fixed features; its classes for the validation pictures."""
    torch.manual_seed(seed)
    head = make_head()
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(steps):
        batch = torch.randint(len(train_masks), (8,))
        loss = cross_entropy(head(*(features[name][batch] for name in layers)), train_masks[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return head(*(val_features[name] for name in layers)).argmax(1)

# %% [markdown]
# *What* and *where* can be told apart: near an outline a pixel's class is a question of where, far inside a region it is a question
# of what. **Predict** which layer is best inside, and which is best near outlines.

# %%
known = masks != 255
differs = F.pad(masks[:, :, 1:] != masks[:, :, :-1], (0, 1)) | F.pad(masks[:, 1:] != masks[:, :-1], (0, 0, 0, 1))
near = F.max_pool2d(differs.float(), 7, stride=1, padding=3).bool() & known  # within 3 pixels of an outline
inside = ~near & known
print(f"{near.sum() / known.sum():.0%} of the pixels are near an outline")

# %% tags=["claim:what-and-where"]
def linear_probe(channels, stride):
    return nn.Sequential(nn.Conv2d(channels, 8, 1), nn.Upsample(scale_factor=stride, mode="bilinear"))

right = {}
for name, channels, stride in (("conv7", 128, 32), ("pool4", 64, 16), ("pool3", 32, 8)):
    for seed in range(3):
        hit = trained_head(partial(linear_probe, channels, stride), [name], seed) == masks
        right[name, seed] = hit[inside].float().mean().item(), hit[near].float().mean().item()
    print(name, "  ".join("inside {:.2f}, near {:.2f}".format(*right[name, seed]) for seed in range(3)))
assert all(right["pool4", s][0] > right["pool3", s][0] > 0.8 for s in range(3))
assert all(right["pool3", s][1] > right["pool4", s][1] > right["conv7", s][1] for s in range(3))

# %% [markdown]
# Inside regions pool4 is right nearly everywhere, and pool3 less often: the deeper of the two knows better *what* it sees. Near outlines it is
# the other way round: the shallower knows better *where*. For these two layers the documents are right.
#
# And conv7? It is behind both, even inside. Its grid has 3×4 units on these pictures, and many regions are smaller than a unit's 32 pixels.
# What it alone could tell, pool4 can tell too, since its units see 100 pixels of a picture of 96×128. In the paper's pictures of 500
# pixels they see a fifth of each side, which leaves conv7 more to add. "Deep" and "shallow" are a matter of the picture's size.
#
# One document complains that fusing shallow layers keeps deep features from being used well. That conv7 is missed so little may look like
# it. But on its own it does no better: its probe is the worst of the three. FCN-32s, which has nothing but conv7, is trained in section 8.

# %% [markdown]
# ## 8. Do skips help? Three seeds each
#
# Silencing a part of one network is no fair comparison: it was trained to use all parts. So train each kind from
# scratch: FCN-32s, 16s, 8s, and the FCN-4s and FCN-2s that one document imagines, with skips from pool2 and pool1. Three networks of
# each kind, from different random weights, are on file. They are tiny: 3 channels in VGG16's first stage, not 64, and 8 in conv7, not 4096.

# %%
family = load_trained("fcn_family_street")
print(trained_facts("fcn_family_street")["about"])
print({kind: len(members) for kind, members in family.members.items()})

# %%
def judged(member):
    with torch.no_grad():
        prediction = member(images - 0.5).argmax(1)
    return ConfusionMatrix(8).update(prediction, masks), prediction

family_scores = {kind: [judged(member) for member in members] for kind, members in family.members.items()}

# %% [markdown]
# **Predict** the order. And by how much do three networks of the *same* kind differ?

# %%
def line(kind, values):
    print(f"{kind:13}", f"mean {sum(values) / 3:.3f}  from {min(values):.3f} to {max(values):.3f}")

# %% tags=["claim:8s-is-best"]
mean_iou = {kind: [matrix.mean_iu() for matrix, _ in three] for kind, three in family_scores.items()}
print("mean IoU")
for kind in ("32s", "16s", "8s"):
    line(kind, mean_iou[kind])
assert min(mean_iou["8s"]) > max(mean_iou["16s"]) and min(mean_iou["16s"]) > max(mean_iou["32s"])

# %% [markdown]
# Each skip pays, and by far more than chance: the worst FCN-8s is better than the best FCN-16s, and so on. In the paper the steps are
# smaller: 59.4, 62.4 and 62.7 % on pictures of 500 pixels. There a unit of 32 pixels is a fifteenth of the picture; here it is a third of its
# height, and FCN-32s has twelve units to draw a street with.
#
# Its coarse grid is not the whole reason, though. A perfect map of stride 32 reached 0.42 in section 4, and FCN-32s stays far below it, while
# FCN-16s comes close to the 0.63 of stride 16. The paper starts from ImageNet weights; these networks learn everything from 400 scenes.
#
# And one step further?

# %% tags=["claim:no-gain-after-8s"]
for kind in ("8s", "4s", "2s"):
    line(kind, mean_iou[kind])
gain = {kind: (sum(mean_iou[kind]) - sum(mean_iou["8s"])) / 3 for kind in ("16s", "4s", "2s")}
print({kind: round(value, 3) for kind, value in gain.items()})
assert abs(gain["4s"]) < 0.03 and abs(gain["2s"]) < 0.04 < -gain["16s"]

# %% [markdown]
# FCN-4s does not get out of the spread of three seeds. FCN-2s gains something over FCN-8s, on each of the three, but little: a third of
# what the step from 16s to 8s brought. So "no more after FCN-8s" is nearly right for the mean IoU, on these streets. Mean IoU is ruled
# by large regions. What about thin things?

# %% tags=["claim:thin-poles"]
poles = {kind: [matrix.iu()[7].item() for matrix, _ in three] for kind, three in family_scores.items()}
print("IoU of poles")
for kind in ("32s", "16s", "8s", "4s", "2s"):
    line(kind, poles[kind])
assert min(poles["8s"]) > max(poles["32s"])

# %% [markdown]
# Without skips there is not one pole; each of the first two skips brings some; the next two bring little. Compare with section 4: a
# *perfect* map of stride 2 would have drawn all poles. Finer scores are needed for thin things, and they are not enough. Pool1 and
# pool2 have the resolution, but a unit there has seen 6 or 16 pixels, and these narrow networks have 3 and 6 channels to say what it
# was.
#
# Outlines (boundary F1, one pixel of tolerance) say the same:

# %%
outlines = {
    kind: [boundary_f1(prediction, masks, 8, tolerance=1).nanmean().item() for _, prediction in family_scores[kind]]
    for kind in ("32s", "8s", "2s")
}
for kind, values in outlines.items():
    line(kind, values)

# %%
fig, axes = subplots(1, 3, width=880, height=260)
for ax, title, values in zip(axes, ("mean IoU", "IoU of poles", "boundary F1"), (mean_iou, poles, outlines)):
    kinds = [kind for kind in ("32s", "16s", "8s", "4s", "2s") if kind in values]
    ax.plot(kinds, [values[kind] for kind in kinds], "o", color="#0072B2", fillstyle="none")
    ax.plot(kinds, [sum(values[kind]) / 3 for kind in kinds], "-", color="#0072B2")
    ax.set(title=title, xlabel="kind of FCN", ylim=(0, None))
show(fig, alt="Three panels, three dots per kind of network. Mean IoU rises steeply from FCN-32s over 16s to 8s and hardly "
     "after it. The IoU of poles is zero for FCN-32s, below 0.1 for all others and highest for 2s. Boundary F1 rises "
     "from 32s to 8s and a little more to 2s.")

# %% [markdown]
# One street, as three of them see it:

# %%
fig, axes = subplots(2, 2, width=880, height=560)
draw_mask(axes[0, 0], masks[4], val.palette, val.classes, "truth", legend=False)
for ax, kind in zip(axes.flat[1:], ("32s", "8s", "2s")):
    prediction = family_scores[kind][0][1][4]
    draw_mask(ax, prediction, val.palette, val.classes, f"FCN-{kind}", legend=kind == "2s")
show(fig, alt="Four label maps of one street. FCN-32s draws layers: sky, buildings, a strip of cars, pavement, road. "
     "FCN-8s has trees, cars and people as rounded blobs. FCN-2s has the same blobs with finer, ragged edges. Both "
     "have only bits of poles.")

# %% [markdown]
# ### In stages, or at once?
#
# The authors trained in stages (分阶段训练): FCN-32s first, then FCN-16s from its weights, then FCN-8s. Three networks on file did the same, with
# as many steps in all. Their skips start from scores of zero, so each stage starts from what the last one could do.

# %% tags=["claim:in-stages"]
for kind in ("8s", "8s in stages"):
    line(kind, mean_iou[kind])
assert max(mean_iou["8s in stages"]) < min(mean_iou["8s"])

# %% [markdown]
# Not here. With the same number of steps in all, the networks that were trained at once win, each of the three. A third of the staged
# networks' steps went into FCN-32s, which learned little in section 8 even with all steps: its layers are taught by scores
# on a grid of 3×4.
#
# The authors had another situation: pretrained layers, and stages that each ran until nothing changed. Their released networks, 65.5 % in
# stages and 65.4 % at once, show how little the order matters then.

# %% [markdown]
# ### Sum against concatenation, trained
#
# Section 5 proved that a sum of scores equals a concatenation of *features*, scored once. A third form is in use: concatenate the
# *scores* and mix them by a learned 1×1 convolution. It can do all that the sum can, and more: the score for *pole* may depend on pool4's
# score for *tree*. Is it better?
#
# Keep the trained layers below as they are, and train only what comes after them, from random weights, in both forms, by the loop of
# section 7.

# %%
class Head(nn.Module):
    """Scores of three maps, doubled and summed, or doubled, concatenated and mixed by a 1×1 convolution."""

    def __init__(self, form, classes=8, channels=(128, 64, 32)):
        super().__init__()
        self.form = form
        self.scores = nn.ModuleList(nn.Conv2d(c, classes, 1) for c in channels)
        self.mix = nn.ModuleList(nn.Conv2d(2 * classes, classes, 1) for _ in range(2))
        self.upscore2, self.upscore8 = BilinearDeconv(classes, 2, padding=1), BilinearDeconv(classes, 8, padding=4)

    def forward(self, conv7, pool4, pool3):
        fused = self.scores[0](conv7)
        for skip, score, mix in zip((pool4, pool3), self.scores[1:], self.mix):
            fused, new = self.upscore2(fused), score(skip)
            fused = fused + new if self.form == "sum" else mix(torch.cat([fused, new], dim=1))
        return self.upscore8(fused)

# %% tags=["claim:sum-against-concat"]
layers, forms = ("conv7", "pool4", "pool3"), {}
for form in ("sum", "concatenation"):
    predictions = [trained_head(partial(Head, form), layers, seed) for seed in range(3)]
    forms[form] = [ConfusionMatrix(8).update(prediction, masks).mean_iu() for prediction in predictions]
    line(form, forms[form])
gap = abs(sum(forms["sum"]) - sum(forms["concatenation"])) / 3
assert gap < 0.1

# %% [markdown]
# No difference that three seeds could show. The mixing layer is free to do more, and gains nothing by it here.

# %% [markdown]
# ## 9. Pictures of other sizes
#
# FCN takes any size. One document warns: if the test images are much larger or smaller than the training images, it gets
# worse, because of the skips. The trained network saw streets of 96×128 pixels. The same streets, drawn smaller and larger:

# %%
def streets(factor):
    size = (int(96 * factor), int(128 * factor))
    items = zip(*load_dataset("street_scenes", "val", size=size, length=12))
    return [torch.stack(tensors) for tensors in items]

def score_on(model, pictures, truth):
    with torch.no_grad():
        return ConfusionMatrix(8).update(model(pictures - 0.5).argmax(1), truth).mean_iu()

at_size = {factor: streets(factor) for factor in (0.5, 0.75, 1, 1.5, 2, 3)}

# %% tags=["claim:other-sizes"]
by_size = {factor: score_on(fcn, *pictures) for factor, pictures in at_size.items()}
for factor, value in by_size.items():
    print(f"{96 * factor:3.0f}×{128 * factor:3.0f}: mean IoU {value:.2f}")
assert by_size[1] > max(by_size[0.5], by_size[2]) and by_size[2] > by_size[3]

# %% [markdown]
# The effect is there, and it is large. Is it *because of the skips*? Then FCN-32s, which has none, must suffer less. **Predict**, then look
# at what share of its mean IoU each kind keeps.

# %% tags=["claim:other-sizes-by-skips"]
kept = {}
for kind in ("32s", "16s", "8s"):
    usual = [score_on(member, *at_size[1]) for member in family.members[kind]]
    for factor in (0.5, 2):
        other = [score_on(member, *at_size[factor]) for member in family.members[kind]]
        kept[kind, factor] = [o / u for o, u in zip(other, usual)]
        print(f"FCN-{kind:3} at {factor} times the size keeps", *(f"{share:.0%}" for share in kept[kind, factor]))
assert all(share < 1 for shares in kept.values() for share in shares)

# %% [markdown]
# For larger pictures the document has a point: FCN-8s keeps less than FCN-32s. (Though FCN-32s has little to lose.) For smaller ones it is
# wrong: FCN-32s, which has no skips, suffers most, for its grid shrinks to 2×2 units.
#
# A simpler reason fits both: *every* layer was trained on objects of a certain size in pixels. A kernel that knows a pole of two pixels
# has never met one of four. The usual cure is to train on random scales (`RandomScale` in `course_utils.data.transforms`).

# %% [markdown]
# ## 10. The loss, in one line
#
# One document trains with `nll_loss(log_softmax(scores), target)`, "which is the cross-entropy (交叉熵) of each pixel". Lesson 07 takes it
# apart; here is the check, with void pixels left out:

# %% tags=["claim:nll-of-fcn"]
by_nll = F.nll_loss(F.log_softmax(logits, dim=1), masks, ignore_index=255)
print(f"{by_nll:.4f} and {cross_entropy(logits, masks):.4f}")
assert torch.allclose(by_nll, cross_entropy(logits, masks), atol=1e-5)

# %% [markdown]
# ## 11. What the documents say, measured
#
# | statement | verdict |
# | --- | --- |
# | the convolutions of FCN keep the size, but for a few pixels | does not hold: fc6 takes 6 units, 192 pixels |
# | pictures of any size | holds, thanks to the padding of 100 |
# | 32×32 weights to learn for 32 times; in the code 64 | 64 is needed, and they need not be learned |
# | crop and sum; "I think it is concatenation" | a sum, which equals a concatenation of features and one 1×1 convolution |
# | 4× conv7 + 2× pool4 + pool3 | the right sum, another filter |
# | AlexNet, VGG and GoogLeNet can be adapted | holds |
# | global information tells what, local tells where | holds for pool4 and pool3; conv7 is too coarse for small pictures |
# | FCN-8s is better than 16s, and 16s than 32s | holds |
# | after FCN-8s there is no gain | holds, if a gain of 0.02 counts as none |
# | skips bring back fine detail | holds for the first two, on poles |
# | training in stages (the paper) | does not help at the same number of steps |
# | other sizes of pictures do harm … | holds |
# | … because of the skips | does not hold for smaller pictures |
# | NLL of the log-softmax is the cross-entropy | holds |
#
# The full list, with the cell behind each verdict, is in `docs/claims.md`.

# %% [markdown]
# ## 12. Your turn
#
# - **Vary.** In section 3, give conv1_1 a padding of 97 instead of 100 (`with_padding` in `course_utils.alignment`). Predict the crops first.
# - **Vary.** In section 8's last cell, train the heads for 20 steps and for 200. Does the order of the two forms change?
# - **Exercise notebook:** [exercises/03_fcn_skips](exercises/03_fcn_skips/03_fcn_skips.ipynb): tasks that check
#   themselves and one to write about.
#
# **Further reading.** Long, Shelhamer & Darrell (2015), sections 3 and 4. · Shelhamer, Long & Darrell (2017), the journal version,
# which trains FCN-8s at once. · Odena, Dumoulin & Olah (2016), *Deconvolution and Checkerboard Artifacts* (Distill). · Lesson 04
# for skips that carry features, lesson 06 for networks that don't lose the resolution.
