# %% [markdown]
# # 06 · Atrous convolution: see far without looking coarse
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/06_atrous_aspp.ipynb) · in JupyterLab, you are in the right place already.
#
# A classifier halves its feature map (特征图) five times. At the end one unit stands for 32×32 pixels, and a pole of three pixels is gone. FCN, U-Net and SegNet
# *repair* that afterwards, with skips or indices. DeepLab asks a simpler question: why lose it in the first place? It takes strides out of the network, and
# spreads the weights of the later convolutions so that they still read what they were trained to read.
#
# **You will be able to**
#
# - write an atrous convolution (空洞卷积, also *dilated convolution*) in three ways, and prove each equal to the library's;
# - take a stride out of a trained network without changing one weight or one feature, and say what it costs;
# - see gridding (网格效应) before it hurts, and say what multi-grid does about it;
# - say at which rate a 3×3 kernel has become a 1×1 kernel, exactly;
# - build DeepLab v3 with your own backbone (主干网络) and head (头部), and exchange weights with torchvision's;
# - put a second head on it, and measure whether that was a good idea.
#
# Sources: the course document on DeepLab v3, and the papers at the end. What the document claims is measured below, except what takes long training.

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
import warnings
from functools import partial

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import segmentation
from torchvision.models.segmentation.deeplabv3 import ASPP as TorchvisionASPP

from course_utils.data import load_dataset, load_photo
from course_utils.layers.aspp import ASPP
from course_utils.layers.atrous import atrous_conv_by_interleaving, valid_weights, zero_stuffed_kernel
from course_utils.losses import count_pixels, cross_entropy, enet_class_weights
from course_utils.metrics import ConfusionMatrix
from course_utils.models import build_model, imagenet_classes, load_classifier, normalize
from course_utils.models.atrous_backbone import atrous_backbone, limit_stride
from course_utils.models.deeplabv3_torchvision import DeepLabV3Torchvision
from course_utils.plotting import OKABE_ITO, draw_heatmap, show, subplots
from course_utils.receptive_field import receptive_field
from course_utils.widgets import AtrousExplorer, ConvArithmeticExplorer

torch.manual_seed(6)
torch.set_num_threads(1)  # small networks are faster on one thread than on two busy ones

# %% [markdown]
# ## 1. A kernel with holes
#
# An ordinary 3×3 convolution (卷积) reads nine neighbouring pixels. An atrous one reads nine pixels that lie `rate` apart (扩张率 *rate*, also *dilation*). Nothing else changes.
# The name is French: *à trous*, with holes.
#
# **Predict.** At rate 2, how large is the square that nine weights cover? How many pixels of it do they read?

# %%
def atrous(image, kernel, rate):
    """image (H, W), kernel (k, k) → (H − reach, W − reach)."""
    reach = rate * (len(kernel) - 1)
    output = torch.zeros(image.shape[0] - reach, image.shape[1] - reach)
    for i in range(output.shape[0]):
        for j in range(output.shape[1]):
            output[i, j] = (image[i : i + reach + 1 : rate, j : j + reach + 1 : rate] * kernel).sum()
    return output

# %% [markdown]
# The two colons and `rate` are all that is new. The library calls it `dilation`:

# %% tags=["nbval-check-output"]
image, kernel = torch.randn(9, 12), torch.randn(3, 3)
for rate in (1, 2, 3):
    by_hand = atrous(image, kernel, rate)
    by_library = F.conv2d(image[None, None], kernel[None, None], dilation=rate)[0, 0]
    print(f"rate {rate}: {tuple(image.shape)} → {tuple(by_hand.shape)}")
    assert torch.allclose(by_hand, by_library, atol=1e-5)

# %% [markdown]
# ### The same thing, with zeros
#
# The document describes it as inserting zeros into the kernel. That is the second way to compute it: stuff the kernel, then convolve as usual.

# %% tags=["nbval-check-output", "claim:zero-stuffed-kernel"]
weights = torch.arange(1.0, 10).view(1, 1, 3, 3)
stuffed = zero_stuffed_kernel(weights, rate=2)
print(stuffed[0, 0].int())
print(f"{stuffed.count_nonzero()} weights on {stuffed.shape[2]}×{stuffed.shape[3]} places")
by_zeros = F.conv2d(image[None, None], zero_stuffed_kernel(kernel[None, None], rate=3))[0, 0]
assert torch.allclose(by_zeros, by_library, atol=1e-5)

# %% [markdown]
# It holds. The document says that the rate *determines* the number of zeros. It is not that number: rate r puts r − 1 zeros between two neighbours, and rate 1 none.
#
# A 3×3 kernel at rate 2 covers 5×5, as the document says. It *covers* 25 pixels and reads nine of them. Ask the network itself: the receptive field (感受野) is the square, the gradient
# shows the holes.

# %% tags=["nbval-check-output", "claim:five-by-five"]
layer = nn.Conv2d(1, 1, 3, dilation=2)
pixels = torch.ones(1, 1, 5, 5, requires_grad=True)
layer(pixels).sum().backward()
print(f"receptive field {receptive_field(layer, '', (5, 5)).size}, pixels read: {pixels.grad.count_nonzero()}")
assert pixels.grad.count_nonzero() == 9

# %% [markdown]
# ### The same thing, without zeros
#
# Stuffing wastes work: 16 of 25 products are with zero. Look at which pixels ever meet. At rate 2, an output in an even row reads even rows only, one in an odd row odd rows only. So the image is four images that never
# mix: even and odd rows, even and odd columns. Convolve each with the *ordinary* kernel, and interleave the answers. **Shift, convolve, interleave.**

# %% tags=["claim:shift-convolve-interleave"]
output = torch.zeros(9 - 4, 12 - 4)
for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
    part = image[row::2, column::2]  # a quarter of the pixels
    output[row::2, column::2] = F.conv2d(part[None, None], kernel[None, None])[0, 0]
print(f"largest difference from the library: {(output - atrous(image, kernel, rate=2)).abs().max():.0e}")
assert torch.allclose(output, atrous(image, kernel, rate=2), atol=1e-5)

# %% [markdown]
# You have seen this before. In lesson 01 a network ran on shifted images, and its answers were interleaved: shift-and-stitch. An atrous convolution is shift-and-stitch for one layer, and
# section 3 makes it shift-and-stitch for a whole network, in one pass. `course_utils` has it for any rate, padding (填充) and number of channels:

# %%
maps, kernels = torch.randn(2, 3, 11, 17), torch.randn(5, 3, 3, 3)
for rate in (1, 2, 4, 7):
    expected = F.conv2d(maps, kernels, padding=rate, dilation=rate)  # padding = rate keeps the size
    assert torch.allclose(atrous_conv_by_interleaving(maps, kernels, rate, padding=rate), expected, atol=1e-4)

# %% [markdown]
# **Explore.** Set the dilation to 1, 2, 3 and point at a unit of the output: which pixels does it read? Dilation 4 leaves a single output. Then make the kernel larger by one, and read what the explorer says.

# %%
ConvArithmeticExplorer(size=9, kernel=3, dilation=2)

# %% [markdown]
# ## 2. Three promises and a price
#
# The document lists three advantages: denser features, control over the receptive field by the rate, and no more parameters. And it names a price, memory and time. Take four stacks of three 3×3
# layers: ordinary ones; all with stride 2; with rates 1, 2, 4; with rates 2, 2, 2. **Predict** the receptive field of each, and how far apart its outputs lie.

# %% tags=["nbval-check-output", "claim:stack-far-and-dense"]
def stack(strides, rates):
    return nn.Sequential(*(nn.Conv2d(8, 8, 3, stride=s, padding=r, dilation=r) for s, r in zip(strides, rates)))

stacks = {"ordinary": ((1, 1, 1), (1, 1, 1)), "strided": ((2, 2, 2), (1, 1, 1)),
          "atrous 1, 2, 4": ((1, 1, 1), (1, 2, 4)), "atrous 2, 2, 2": ((1, 1, 1), (2, 2, 2))}
for name, (strides, rates) in stacks.items():
    net = stack(strides, rates)
    field = receptive_field(net, "2", (64, 64))
    print(f"{name:15} sees {field.size[0]:2} pixels, an output every {field.stride[0]}, "
          f"{sum(p.numel() for p in net.parameters())} parameters")

# %% [markdown]
# The first promise holds. Rates 1, 2, 4 see as far as three strides of 2, 15 pixels, and answer at every pixel instead of every eighth. The other two promises hold as well: the rates set the field,
# and no stack has a parameter more.
#
# Now the price, on a real network. `atrous_backbone` builds a classifier's convolutions at an **output stride** (输出步幅) of 32, 16 or 8: the side of the image divided by the side of the last map. We
# count without computing, on PyTorch's *meta* device: the multiply-adds of every convolution, and the numbers that they put out, which training has to keep.

# %%
def cost(model, size):
    """Multiply-adds of all convolutions for one image, and bytes of what they put out."""
    work, numbers = [], []

    def count(layer, _, output):
        work.append(output.numel() * layer.weight[0].numel())
        numbers.append(output.numel())

    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    handles = [layer.register_forward_hook(count) for layer in convolutions]
    with torch.no_grad():
        model.to("meta").eval()(torch.empty(1, 3, *size, device="meta"))
    for handle in handles:
        handle.remove()
    return sum(work), 4 * sum(numbers)

# %% tags=["nbval-check-output", "claim:same-parameters-more-work"]
for output_stride, side in ((32, 17), (16, 33), (8, 65)):
    with torch.device("meta"):
        backbone = atrous_backbone("resnet50", output_stride)
    work, size = cost(backbone, (513, 513))
    print(f"output stride {output_stride:2}: map {side}×{side}, {sum(p.numel() for p in backbone.parameters()):,} "
          f"parameters, {work / 1e9:.1f} G multiply-adds, {size / 1e6:.0f} MB of maps")

# %% [markdown]
# The same 23.5 million parameters. From output stride 32 to 8 the work grows four and a half times, and the memory more than twofold. The claim "no more parameters" holds; "at no cost", as it is often
# repeated, does not. The document says so itself under *drawbacks*. And the clock? A smaller backbone, on one thread here:

# %% tags=["claim:price-in-time"]
picture = torch.randn(1, 3, 193, 257)
seconds = {}
for output_stride in (32, 16, 8):
    net = atrous_backbone("mobilenet_v3_large", output_stride).eval()
    with torch.no_grad():
        net(picture)  # the first pass sets things up
        clock = time.process_time()
        for _ in range(3):
            net(picture)
    seconds[output_stride] = (time.process_time() - clock) / 3
    print(f"MobileNetV3 at output stride {output_stride:2}: {1000 * seconds[output_stride]:.0f} ms")
assert seconds[8] > seconds[32]

# %% [markdown]
# ### Which output stride is the fine one?
#
# The document: *a network with a higher output stride extracts better features of higher resolution*. The output stride is the side of the image divided by that of the map. **Predict**: true or false?
#
# Suppose the network were perfect, and only its grid were coarse. Average the true masks over squares of 4 to 32 pixels, upsample bilinearly as DeepLab does, and take the best class. That is
# no strict limit, since a network may exaggerate its scores. It shows what the grid alone does.

# %%
scenes = load_dataset("street_scenes", "val", length=60)
masks = torch.stack([scenes[i][1] for i in range(60)])  # (60, 96, 128)
classes = F.one_hot(masks.clamp(max=8), 9).permute(0, 3, 1, 2).float()  # (60, 9, 96, 128), void is the ninth

# %% [markdown]
# Down to the grid by averages, and up again:

# %%
def through_a_grid(stride):
    coarse = F.avg_pool2d(classes, stride)
    return F.interpolate(coarse, (96, 128), mode="bilinear")[:, :8].argmax(1)

# %% tags=["claim:higher-output-stride"]
ceiling = {}
for stride in (4, 8, 16, 32):
    matrix = ConfusionMatrix(8).update(through_a_grid(stride), masks)
    iou = dict(zip(scenes.classes, matrix.iu().tolist()))
    ceiling[stride] = iou
    print(f"output stride {stride:2}: road {iou['road']:.2f}  car {iou['car']:.2f}  person {iou['person']:.2f}  "
          f"pole {iou['pole']:.2f}")
assert ceiling[8]["pole"] > ceiling[16]["pole"] > ceiling[32]["pole"]

# %% [markdown]
# The wrong way round. The *lower* the output stride, the finer the map. At output stride 32 the truth itself keeps the road and loses nearly every pole. The sentence is true of the *resolution*, which is the
# inverse.

# %% [markdown]
# ## 3. Taking the stride out of a trained network
#
# *"Although we change the architecture by dilating some convolutions, we change no weight, so we can use pretrained weights without a problem."* Is the network still the same one? Two layers are enough
# to see it: one with stride 2, and one that reads its output.
#
# Without the stride the map is twice as dense. Neighbours on the old map are now two pixels apart, so the second layer must read pixels two apart: rate 2.
#
# **Predict.** Where in the dense output do the old numbers stand?

# %%
first, second = torch.randn(4, 3, 3, 3), torch.randn(5, 4, 3, 3)
x = torch.randn(1, 3, 21, 30)
strided = F.conv2d(F.conv2d(x, first, stride=2, padding=1), second, padding=1)  # (1, 5, 11, 15)
dense = F.conv2d(F.conv2d(x, first, padding=1), second, padding=2, dilation=2)  # (1, 5, 21, 30)
assert torch.allclose(dense[:, :, ::2, ::2], strided, atol=1e-4)

# %% [markdown]
# At every second row and column. The rest is new: the answers for images shifted by one pixel. `limit_stride` walks through a network and does this at each stride beyond a limit: the stride becomes 1,
# and every later convolution gets that factor in rate and padding. (The strided layer keeps its rate: it reads the map from before.)
#
# Now all 53 convolutions of ResNet-50, in 64-bit numbers. Random weights will do: the statement is about all weights.

# %% tags=["claim:no-weight-changed"]
strided = atrous_backbone("resnet50", output_stride=32).double().eval()
dense = atrous_backbone("resnet50", output_stride=8).double().eval()
dense.load_state_dict(strided.state_dict())  # the same weights fit
x = torch.randn(1, 3, 70, 97).double()
with torch.no_grad():
    of_strided, of_dense = strided(x), dense(x)
difference = (of_dense[:, :, ::4, ::4] - of_strided).abs().max() / of_strided.abs().max()
print(f"{tuple(of_strided.shape[1:])} and {tuple(of_dense.shape[1:])}, relative difference {difference:.0e}")
assert difference < 1e-10

# %% [markdown]
# Equal to the last digits that rounding leaves. That is why pretrained weights can be used: every feature of the classifier is still there, with fifteen new ones beside it.
#
# It is the spreading that does it. Take the strides out and *forget the rates*:

# %% tags=["claim:rates-are-needed"]
for layer in dense.modules():
    if isinstance(layer, nn.Conv2d) and layer.dilation != (1, 1):
        layer.dilation = layer.padding = (1, 1)
with torch.no_grad():
    difference = (dense(x)[:, :, ::4, ::4] - of_strided).norm() / of_strided.norm()
print(f"without rates, relative difference {difference:.0%}")
assert difference > 0.1

# %% [markdown]
# And one exception that the document doesn't know. MobileNetV3 has *squeeze-and-excitation* (压缩与激励): many of its blocks average their map over the whole image, and rescale the channels by the result. A denser map has another
# average.

# %% tags=["claim:squeeze-and-excitation"]
coarse, fine = (atrous_backbone("mobilenet_v3_large", s).double() for s in (32, 8))
for layer in coarse.modules():
    if isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.bias, std=0.5)  # features that differ from place to place, as trained ones do
        layer.momentum = None
with torch.no_grad():
    coarse(torch.randn(4, 3, 70, 97).double())  # in training mode: batch-norm gets statistics that fit
    fine.load_state_dict(coarse.state_dict())
    expected, got = coarse.eval()(x), fine.eval()(x)[:, :, ::4, ::4]
difference = (got - expected).norm() / expected.norm()
print(f"MobileNetV3: relative difference {difference:.0%}")
assert difference > 0.01

# %% [markdown]
# With random weights it is about a tenth, where ResNet-50 had nothing but rounding. How much it is with trained ones has to be measured for each network. So "no weight changed" always holds, and "the same features" holds for networks that only look at neighbourhoods.

# %% [markdown]
# ### A real network on a real cat
#
# EfficientNet-Lite0 comes with its ImageNet weights, and has no squeeze-and-excitation. Put its last layers on every place of the dense map, and look at where it sees a cat, at output stride 32 and 8.

# %%
image = torch.from_numpy(load_photo("chelsea")).permute(2, 0, 1)[None] / 255
photo = F.interpolate(image, (193, 289), mode="bilinear", antialias=True)[0].clamp(0, 1)

# %% [markdown]
# The classifier's last steps are `conv_head`, batch-norm, an average, and `classifier`. Without the average, they answer at each place:

# %%
classifier = load_classifier("efficientnet_lite0")
cats = [imagenet_classes().index(name) for name in ("tabby", "tiger cat", "Egyptian cat")]

def cat_map(image, output_stride):
    """Probability of a cat at each place of the map: (h, w)."""
    backbone = atrous_backbone("efficientnet_lite0", output_stride, pretrained=True).eval()
    with torch.no_grad():
        features = classifier.bn2(classifier.conv_head(backbone(image[None])))  # (1, 1280, h, w)
        return classifier.classifier(features.movedim(1, 3)).softmax(-1)[0, ..., cats].sum(-1)

# %%
prepared = normalize("efficientnet_lite0", photo)
maps = {output_stride: cat_map(prepared, output_stride) for output_stride in (32, 8)}

# %% [markdown]
# Each square is one answer of the network:

# %%
fig, axes = subplots(1, 2, width=880, height=290)
for ax, (output_stride, scores) in zip(axes, maps.items()):
    draw_heatmap(ax, scores, photo, label="probability of a cat", limits=(0, 1), interpolation="nearest")
    ax.set_title(f"output stride {output_stride}: {scores.shape[0]}×{scores.shape[1]}")
show(fig, alt="A cat's photo twice, with the probability of a cat over it: in 7 by 10 large squares, and in 25 by 37 small "
     "ones that follow the round outline of its face.")

# %% [markdown]
# Same weights, no training, 925 answers instead of 70. (Every fourth value of the right map is the left map. These weights come from TensorFlow, whose padding is symmetric for sides of 2ⁿ·k + 1, such as 193 and 289. That is one
# reason for the paper's odd crops of 513 pixels.)

# %%
difference = (maps[8][::4, ::4] - maps[32]).abs().max()
print(f"largest difference of probabilities: {difference:.0e}")
assert difference < 1e-3

# %% [markdown]
# The document adds that the input must be prepared as in the backbone's training. This one wants [−1, 1]. Give it other ranges that people give, and average the probability of a cat over the map.

# %% tags=["claim:same-preparation"]
inputs = {"as trained, [-1, 1]": prepared, "[0, 1]": photo, "bytes, 0 to 255": 255 * photo}
mean_probability = {name: cat_map(image, 32).mean().item() for name, image in inputs.items()}
for name, probability in mean_probability.items():
    print(f"{name:20} cat {probability:.3f}")
assert mean_probability["as trained, [-1, 1]"] > 2 * mean_probability["bytes, 0 to 255"]

# %% [markdown]
# It holds. In [0, 1], a wrong factor of two and a shift cost some certainty here. Bytes make the network blind, and no error message says so.

# %% [markdown]
# ## 4. Gridding, and what multi-grid does
#
# Section 2 said that rates 2, 2, 2 see 13 pixels. **Predict**: how many of the 13×13 pixels does one output really read? Count paths: convolve with ones, backwards. A pixel with no path is not seen at all.

# %%
def paths(rates, side=33):
    """In how many ways the central output of stacked 3×3 layers reaches each pixel: (side, side)."""
    ways = F.pad(torch.ones(1, 1, 1, 1), [side // 2] * 4)
    for rate in rates:
        ways = F.conv2d(ways, torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)
    return ways[0, 0]

# %% tags=["nbval-check-output", "claim:gridding"]
stacks = {"1, 1, 1": (1, 1, 1), "2, 2, 2": (2, 2, 2), "1, 2, 4": (1, 2, 4), "2·(1, 2, 4)": (2, 4, 8)}
for name, rates in stacks.items():
    seen, side = int((paths(rates) > 0).sum()), 1 + 2 * sum(rates)
    print(f"rates {name:12} field {side:2}×{side:2} = {side**2:3} pixels, seen {seen:3} = {seen / side**2:.0%}")
assert (paths((2, 2, 2)) > 0).sum() == 49

# %%
fig, axes = subplots(1, 4, width=900, height=250)
for ax, (name, rates) in zip(axes, stacks.items()):
    ax.imshow(paths(rates).clamp(min=0.5).log(), cmap="cividis", interpolation="nearest")
    ax.set_title(f"rates {name}")
    ax.set_axis_off()
show(fig, alt="Which pixels one output sees through three layers; brighter means by more ways. Rates 1, 1, 1: a small solid "
     "square. 2, 2, 2: a larger grid of single pixels with gaps. 1, 2, 4: a large solid square. 2, 4, 8: a very large "
     "grid with gaps.")

# %% [markdown]
# With equal rates above 1 the layers look through the same sieve: 49 of 169 pixels, every second row and column. Neighbouring outputs see disjoint pixels and may disagree: **gridding**. (The checkered rim of the cat, in section 3, looks like it.)
#
# The document has different rates too, under the name **multi-grid** (多重网格), but does not mention gridding. With rates 1, 2, 4, growing with depth, every pixel of the field is seen.
#
# But look at the last line. DeepLab *multiplies*. ResNet-50's last block is three units, each with one 3×3 convolution. At output stride 16 their rates are 2·(1, 2, 4), all even. The sieve is back, on a field five times as
# large as that of 2, 2, 2. In the real network that should hurt less: the places of that map already see large squares of the image, which overlap. Read the rates off the model:

# %% tags=["nbval-check-output", "claim:multi-grid"]
for output_stride in (16, 8):
    with torch.device("meta"):
        model = build_model("deeplabv3", 21, output_stride=output_stride)
    rates = {name: [unit.conv2.dilation[0] for unit in getattr(model.backbone, name)] for name in ("layer3", "layer4")}
    print(f"output stride {output_stride}: third block {rates['layer3']}, fourth block {rates['layer4']}")
    assert rates["layer4"] == [32 // output_stride * factor for factor in (1, 2, 4)]

# %% [markdown]
# The document says "different rates for different blocks". In the paper multi-grid means different rates within one block: three units, three rates. From block to block the rates grow as well, but
# that comes from the strides taken out (section 3).
#
# And a price: with multi-grid the last block no longer reads what it was trained to read. The pretrained weights still fit, but section 3's equality ends here, and training has to make up for it.

# %% [markdown]
# ## 5. Atrous spatial pyramid pooling
#
# Objects come in all sizes. *Spatial pyramid pooling* (空间金字塔池化) pools a map in windows of several sizes, by averages as the document says, or by maxima. **ASPP** (空洞空间金字塔池化)
# does it with rates: the same map is read at once by 3×3 kernels of rates 6, 12 and 18, by a 1×1 kernel, and by an average over the whole image. Five branches, concatenated, and mixed by a 1×1 convolution.
#
# The course's `ASPP` has the weights of torchvision's under the same names, so we can compare them:

# %%
ours, theirs = ASPP(64, rates=(6, 12, 18), out_channels=32).eval(), TorchvisionASPP(64, [6, 12, 18], 32).eval()
theirs.load_state_dict(ours.state_dict())
features = torch.randn(1, 64, 33, 25)
with torch.no_grad():
    assert torch.equal(ours(features), theirs(features))

# %% [markdown]
# ### When a rate is too large
#
# *"When the rate is too large, the atrous convolution becomes a 1×1 convolution."* Near the border some of the nine weights read the padding: zeros. The larger the rate, the wider the border. `valid_weights`
# counts, at each position, how many weights lie on the map. **Predict**: for a map of 65×65, from which rate on is only the central weight left, everywhere?

# %% tags=["nbval-check-output"]
print("map    rate   all nine   centre only   weights in use")
for side in (65, 33):
    for rate in sorted({6, 12, 18, 24, min(36, side), side - 1, side}):
        valid = valid_weights((side, side), rate).double()
        print(f"{side}×{side}  {rate:3}   {(valid == 9).double().mean():7.1%}   {(valid == 1).double().mean():10.1%}"
              f"   {valid.mean() / 9:13.1%}")

# %% tags=["claim:too-large-becomes-1x1"]
kernel, maps = torch.randn(4, 8, 3, 3), torch.randn(1, 8, 33, 33)
as_1x1 = F.conv2d(maps, kernel[:, :, 1:2, 1:2])
for rate in (18, 24, 32, 33):
    output = F.conv2d(maps, kernel, padding=rate, dilation=rate)
    same = torch.isclose(output, as_1x1, atol=1e-4).all(1).double().mean()
    print(f"33×33, rate {rate}: equal to the 1×1 convolution at {same:.1%} of the positions")
assert torch.allclose(output, as_1x1, atol=1e-4)

# %% [markdown]
# Exactly at rate = side, and not one rate before: at 64 of 65 the border still reads its opposite border. "Close to the size of the map", as the document says, is not enough to *be* a 1×1. But the loss starts
# early. DeepLab's own largest rate, 18 on 33×33, has *no* position with all nine weights, and uses two weights in five.

# %%
fig, ax = subplots(1, 1, width=640, height=320)
for side in (33, 65):
    rates = range(1, 71)
    ax.plot(rates, [valid_weights((side, side), r).double().mean() / 9 for r in rates], label=f"map {side}×{side}")
for rate in (6, 12, 18):
    ax.axvline(rate, color="0.6", linewidth=1)
ax.axhline(1 / 9, color="black", linewidth=1, linestyle="-")
ax.text(1, 1 / 9 + 0.02, "the centre alone, 1/9")
ax.set(xlabel="rate", ylabel="share of weights in use", ylim=(0, 1), title="Grey lines: ASPP's rates 6, 12, 18")
ax.legend()
show(fig, alt="Share of the nine weights that fall on the map, against the rate. For a map of 33 by 33 it falls from 1 to "
     "one ninth at rate 33, for 65 by 65 at rate 65. ASPP's rates 6, 12 and 18 are marked.")

# %% [markdown]
# **Explore.** A photo under a map of 33×33. The explorer calls the nine pixels that are read *taps*. Move the rate; point into a corner. Then switch to *ASPP* to see all branches at once, and to *stacked layers* for section 4.

# %%
AtrousExplorer(photo[:, :, 48:241], size=(33, 33), rate=18)

# %% [markdown]
# ### What saves the large context?
#
# The document: to overcome this *a 1×1 convolution is applied, which keeps the size of the map and so takes information from the whole feature map*; *the outputs are concatenated, then global average pooling is applied*.
# Ask which pixels one output of each branch depends on.

# %% tags=["nbval-check-output", "claim:1x1-sees-the-whole-map"]
features = torch.randn(2, 64, 33, 33, requires_grad=True)
for name, branch in zip(("1×1", "3×3, rate 6", "3×3, rate 12", "3×3, rate 18", "image pooling"), ours.convs):
    gradient, = torch.autograd.grad(branch(features)[0, :, 0, 0].sum(), features)
    print(f"{name:14} at (0, 0) reads {gradient[0].any(0).sum():4} of 1089 pixels")

# %% [markdown]
# The 1×1 branch reads one pixel. In the corner (0, 0) the 3×3 branches read four: the other five lie in the padding.
#
# What reads all pixels is **image pooling** (图像池化, global average pooling): the average of the whole map, through a 1×1 convolution, spread over the map again. And it is
# a branch *beside* the others. After the concatenation it would leave one vector for the whole image, and no place for anything:

# %% tags=["nbval-check-output", "claim:pooling-after-concatenation"]
with torch.no_grad():
    branches = [branch(features) for branch in ours.convs]
print("concatenated:", tuple(torch.cat(branches, 1).shape), " then pooled:",
      tuple(F.adaptive_avg_pool2d(torch.cat(branches, 1), 1).shape))
assert branches[4].shape[2:] == (33, 33) and torch.allclose(branches[4], branches[4].mean((2, 3), keepdim=True))

# %% [markdown]
# Image pooling has one more property to know. In training, its batch-norm (批归一化) sees one value per channel and image. With one image there is nothing to normalise by:

# %%
try:
    ours.train()(features[:1])
except ValueError as error:
    print(error)

# %% [markdown]
# ### Concatenate or sum?
#
# DeepLab v2 *summed* its branches, v3 *concatenates* them. How different is that? Mix the concatenated branches by the 1×1 convolution, or give each branch its own slice of that convolution and sum:

# %% tags=["claim:concatenate-or-sum"]
mix = ours.project[0].weight  # (32, 5·32, 1, 1)
with torch.no_grad():
    concatenated = F.conv2d(torch.cat(branches, 1), mix)
    summed = sum(F.conv2d(branch, part) for branch, part in zip(branches, mix.split(32, dim=1)))
print(f"largest difference {(concatenated - summed).abs().max():.0e}")
assert torch.allclose(concatenated, summed, atol=1e-4)

# %% [markdown]
# The same. To concatenate and mix *is* to sum, after a learned 1×1 convolution of each branch. What v3's mix really adds are those weights, shared by all classes, and a batch-norm and a ReLU before the class scores. (v2 sums the scores themselves,
# and nothing follows.)

# %% [markdown]
# ## 6. DeepLab v3
#
# Backbone, ASPP, one 1×1 convolution for the scores, bilinear upsampling (双线性插值). That is all. The document splits the backbone once more: its first blocks downsample and hold shallow features,
# its last ones are atrous and hold deep features. `course_utils/models/deeplabv3.py` reads like the paper's figure.

# %% tags=["nbval-check-output", "claim:backbone-and-head"]
with torch.device("meta"):
    deeplab = build_model("deeplabv3", 21)
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in deeplab.named_children() if part}
    print({name: f"{count:,}" for name, count in parts.items()}, f"sum {sum(parts.values()):,}")
    print("features of an image of 513×513:", tuple(deeplab.backbone(torch.empty(1, 3, 513, 513)).shape))
assert sum(parts.values()) == 39_048_533

# %% [markdown]
# ### torchvision's
#
# The document recommends torchvision's `deeplabv3_resnet50`. It is not quite the paper's: no multi-grid, one more 3×3 convolution in the head, dropout, and an auxiliary head (辅助分类头) for
# training. Its output stride is 8, so the map is twice as fine, and the rates are doubled: 12, 24, 36. `DeepLabV3Torchvision` is built that way, from the same parts. Copy the weights, in both directions:

# %% tags=["claim:equals-torchvision"]
theirs = segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True).eval()
ours = DeepLabV3Torchvision(21, auxiliary=True).eval()
x = torch.randn(1, 3, 65, 94)
for giver, taker in ((theirs, ours), (ours, theirs)):
    taker.load_state_dict(giver.state_dict())
    with torch.no_grad():
        difference = (ours(x) - theirs(x)["out"]).abs().max()
    print(f"{sum(p.numel() for p in taker.parameters()):,} parameters copied, largest difference {difference:.0e}")
    assert difference <= 1e-5

# %% [markdown]
# torchvision also has pretrained weights for the whole network, head included. (They are a download of 160 MB, so this lesson only reads their description.)

# %% tags=["nbval-check-output", "claim:torchvision-pretrained"]
about = segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta
print(f"{about['num_params']:,} parameters, {len(about['categories'])} classes, {about['_metrics']}")
assert about["num_params"] == sum(p.numel() for p in ours.parameters())  # ours, with the auxiliary head

# %% [markdown]
# ### Changing the head
#
# For your own classes the document replaces `classifier[4]`, the last layer, in a network that was loaded with COCO's weights. Those weights bring the auxiliary head. **Predict**: what will training with 8 classes meet?

# %% tags=["nbval-check-output", "claim:classifier-4"]
mobile = segmentation.deeplabv3_mobilenet_v3_large(
    weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
mobile.classifier[4] = torch.nn.Conv2d(256, 8, kernel_size=(1, 1), stride=(1, 1))
outputs = mobile.train()(torch.randn(2, 3, 65, 94))
print({name: tuple(logits.shape) for name, logits in outputs.items()})
assert outputs["out"].shape[1] == 8 and outputs["aux"].shape[1] == 21

# %% [markdown]
# The main head has 8 classes, the auxiliary one still 21. A loss over both then teaches the auxiliary head 8 of 21 classes, without a word. Replace `aux_classifier[4]` as well, or leave the auxiliary head out.

# %% [markdown]
# ### segmentation-models-pytorch's
#
# The document's other example is `smp.DeepLabV3(encoder_name='timm-mobilenetv3_small_100', …)`. Does that name still exist? And which image sizes does the network take?

# %% tags=["claim:smp-encoder"]
for name in ("timm-mobilenetv3_small_100", "tu-tf_mobilenetv3_small_100"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = smp.DeepLabV3(encoder_name=name, encoder_weights=None, classes=8).eval()
    deprecated = any(warning.category is DeprecationWarning for warning in caught)
    print(f"{name}: {sum(p.numel() for p in network.parameters()):,} parameters, deprecated: {deprecated}")
try:
    network(torch.randn(1, 3, 65, 94))
except RuntimeError as error:
    print(str(error).strip())

# %% [markdown]
# The old name still works, but it is deprecated: the second line has the name to write from now on. The size is another matter. smp's network takes multiples of its stride only, where torchvision's and ours
# take any size. And the document is right that smp's head is not pretrained; no new head with your number of classes is.
#
# ### Mix and match
#
# *"ResNet-101 for performance, or MobileNet for speed."* Performance needs training, which needs a GPU. Speed can be measured now:

# %% tags=["claim:mix-and-match"]
x = torch.randn(1, 3, 129, 193)
milliseconds = {}
for name in ("resnet101", "resnet50", "mobilenet_v3_large", "efficientnet_lite0"):
    model = build_model("deeplabv3", 21, backbone=name).eval()
    count = sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        clock = time.process_time()
        model(x)
    milliseconds[name] = 1000 * (time.process_time() - clock)
    work, _ = cost(model, (513, 513))
    print(f"{name:18} {count / 1e6:4.1f} M parameters, {work / 1e9:4.1f} G at 513×513, "
          f"{milliseconds[name]:4.0f} ms at 129×193")
assert milliseconds["mobilenet_v3_large"] < milliseconds["resnet101"]

# %% [markdown]
# It holds for speed: MobileNetV3 takes a seventh of ResNet-101's multiply-adds, and a fraction of its time. (One reason why the two ratios differ: MobileNetV3's convolutions of one channel each, *depthwise* (逐通道卷积), do little work per byte that they move.)

# %% [markdown]
# ## 7. Atrous against stride, on small things
#
# Now train. One small network, six 3×3 convolutions and the scores, with an output stride of 16. `limit_stride` makes the same network with 8 and with 4: same weights, same random start. A fourth one has
# the strides taken out and the rates forgotten: dense, but short-sighted.
#
# **Predict.** Which classes gain from a denser map: road, car, person, pole? And what do the holes add, beyond density?

# %%
def small_net(output_stride, channels=8, holes=True):
    """(N, 3, H, W) → scores (N, channels, H/os, W/os)."""
    sides = ((3, 12, 2), (12, 24, 2), (24, 32, 2), (32, 32, 1), (32, 40, 2), (40, 40, 1))
    units = [nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
             for before, after, stride in sides]
    limit_stride(units, output_stride)
    for unit in units:
        if not holes:
            unit[0].dilation = unit[0].padding = (1, 1)
    return nn.Sequential(*units, nn.Conv2d(40, channels, 1)).to(memory_format=torch.channels_last)

# %%
def load(split, count):
    scenes = load_dataset("street_scenes", split, size=(64, 96), length=count, depth=True)
    return [torch.stack(maps) for maps in zip(*(scenes[i] for i in range(count)))]

# %% [markdown]
# 120 scenes to learn from, 60 to judge by. ENet's class weights, which lesson 07 explains, make rare classes such as poles count more.

# %%
images, masks, metres = load("train", 120)
val_images, val_masks, val_metres = load("val", 60)
class_weights = enet_class_weights(count_pixels(zip(images, masks), num_classes=8).pixels).float()

# %% [markdown]
# Scores are upsampled to the image before the loss, as in DeepLab v3. (v1 and v2 made the masks smaller instead.)

# %%
def upsampled(scores):
    return F.interpolate(scores, (64, 96), mode="bilinear")

def segmentation_loss(scores, batch):
    return cross_entropy(scores[:, :8], masks[batch], weight=class_weights)

# %% [markdown]
# The loop is the usual one:

# %%
def trained(net, loss, steps=120):
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(images), (4,))
        optimizer.zero_grad()
        loss(upsampled(net(images[batch] - 0.5)), batch).backward()
        optimizer.step()
        schedule.step()
    return net.eval()

# %% [markdown]
# Three random starts for each network, and for each start the four networks begin with the same numbers.

# %% tags=["reseeds"]
def ious(net):
    with torch.no_grad():
        matrix = ConfusionMatrix(8).update(upsampled(net(val_images - 0.5))[:, :8].argmax(1), val_masks)
    return {"mean": matrix.mean_iu(), **dict(zip(scenes.classes, matrix.iu().tolist()))}

def three_runs(make, loss, judge):
    """Scores of three trainings from three random starts, and the seconds that they took."""
    clock, results = time.process_time(), []
    for seed in range(3):
        torch.manual_seed(seed)
        results.append(judge(trained(make(), loss)))
    return results, time.process_time() - clock

# %%
variants = {"output stride 16": (16, True), "output stride 8, atrous": (8, True), "output stride 4, atrous": (4, True),
            "output stride 4, no holes": (4, False)}
runs = {}
for name, (output_stride, holes) in variants.items():
    make = partial(small_net, output_stride, holes=holes)
    runs[name], seconds = three_runs(make, segmentation_loss, ious)
    field, (_, size) = receptive_field(make(), "5", (64, 96)).size[0], cost(make(), (64, 96))
    print(f"{name:26} sees {field} pixels, {seconds:4.1f} s, {size / 1e6:.2f} MB of maps for an image")

# %% tags=["claim:small-objects"]
for name, results in runs.items():
    told = "   ".join(f"{key} " + " ".join(f"{run[key]:.2f}" for run in results)
                      for key in ("mean", "road", "car", "person", "pole"))
    print(f"{name:26}{told}")
fine, coarse = (sum(run["mean"] for run in runs[name]) for name in ("output stride 4, atrous", "output stride 16"))
assert fine > coarse

# %%
fig, ax = subplots(1, 1, width=700, height=320)
names = ("road", "car", "person", "pole")
colors = [OKABE_ITO[color] for color in ("black", "orange", "blue", "reddish purple")]
for offset, (name, results) in enumerate(runs.items()):
    for place, key in enumerate(names):
        ax.scatter([place + (offset - 1.5) / 6] * 3, [run[key] for run in results], marker="osD^"[offset],
                   color=colors[offset], label=name if place == 0 else None)
ax.set(xticks=range(4), xticklabels=names, ylabel="IoU on 60 scenes", ylim=(0, 1), title="Three trainings each")
ax.legend(loc="upper right")
show(fig, alt="IoU of road, car, person and pole for four networks, three trainings each. The three networks "
     "with a finer map are higher on average in every class. At output stride 4, holes help person and pole a little, "
     "not car.")

# %% [markdown]
# A finer map helps all four classes, and in proportion poles the most: from output stride 16 to 4 the road gains about a twentieth of its IoU, cars and people about a quarter, poles almost a half. Seconds and megabytes
# beside it: about half as long again, and more than twice the maps, in a network whose early layers cost most. In ResNet-50 it was 4.5 times the work (section 2).
#
# The holes are another matter. At output stride 4 the network with rates sees twice as far as the one without, and its mean IoU is a little higher. Class by class it is mixed. Density alone, without
# holes, gives road and cars all of their gain, and people and poles about half of theirs. Rates give people and poles the other half, and cost cars a little. The numbers are small, and three starts are few.
#
# So atrous convolution may help in three ways: *density*; *reach*; and *pretrained weights* that go on working (section 3), which these networks don't have. Whoever reports "atrous convolution helps"
# should say which of the three it was.

# %% [markdown]
# ## 8. Two heads
#
# *"We can even add several heads for multi-task learning, for example segmentation and depth estimation at the same time"* (多任务学习, 深度估计). The course's DeepLab v3 has that head: `depth=True`. Both read one backbone:

# %% tags=["nbval-check-output"]
two_heads = build_model("deeplabv3", 8, backbone="efficientnet_lite0", depth=True).eval()
with torch.no_grad():
    outputs = two_heads(torch.randn(1, 3, 65, 94))
print({name: tuple(map_.shape) for name, map_ in outputs._asdict().items()})
assert outputs.out.shape == (1, 8, 65, 94) and outputs.depth.shape == (1, 65, 94)

# %% [markdown]
# That it *can* be done holds. Is it good? The street scenes know the distance of every pixel in metres (infinite in the sky). Train the small network at output stride 4 on depth alone, and on both tasks at once, with one
# channel more. The networks for segmentation alone are trained already.
#
# Distances go up to 200 metres, and one metre matters near by but hardly far away. So the network predicts their logarithm, and the loss is the absolute difference of logarithms. 0.2 means: wrong by a factor of 1.22.
#
# **Predict.** Which of the two tasks gains from the other?

# %%
def depth_error(scores, target):
    known = target.isfinite()
    return (scores[:, -1][known] - target[known].log()).abs().mean()

def error_on_val(net):
    with torch.no_grad():
        return depth_error(upsampled(net(val_images - 0.5)), val_metres).item()

# %% [markdown]
# In training, one loss or the sum of both:

# %%
def depth_loss(scores, batch):
    return depth_error(scores, metres[batch])

def both_losses(scores, batch):
    return segmentation_loss(scores, batch) + depth_loss(scores, batch)

# %% tags=["claim:two-heads"]
depth_only, _ = three_runs(partial(small_net, 4, channels=1), depth_loss, error_on_val)
together, _ = three_runs(
    partial(small_net, 4, channels=9), both_losses, lambda net: (ious(net)["mean"], error_on_val(net)))
segmentation_only = [run["mean"] for run in runs["output stride 4, atrous"]]
print("mean IoU     alone", *(f"{value:.3f}" for value in segmentation_only),
      "  together", *(f"{iou:.3f}" for iou, _ in together))
print("depth error  alone", *(f"{value:.3f}" for value in depth_only),
      "  together", *(f"{error:.3f}" for _, error in together))
assert sum(error for _, error in together) < sum(depth_only)

# %% [markdown]
# Depth gains, in each of the three starts. A likely reason: knowing what a thing is helps to say how far away it is. Segmentation loses a little, probably since both tasks share the 40 channels now. So "we can even"
# holds, but it is not free. What two heads surely bring is the work of one backbone instead of two. Which weights the two losses deserve is a question for your validation set.

# %% [markdown]
# ## 9. What the document says, measured
#
# | statement | verdict |
# | --- | --- |
# | atrous convolution = zeros inserted into the kernel | holds: rate r inserts r − 1 |
# | a 3×3 kernel at rate 2 has a 5×5 receptive field | holds: 5×5 covered, nine pixels read |
# | stacked, it sees far and stays dense, with no more parameters | holds |
# | it costs memory and time | holds: output stride 8 takes 4.5 times the multiply-adds of 32, and more than twice the memory |
# | a *higher* output stride gives better, finer features | does not hold: the lower, the finer |
# | no weight is changed, so pretrained weights fit | holds: every feature is still there, exactly, without multi-grid and if nothing averages over the whole map |
# | the input must be prepared as in the backbone's training | holds: fatal for bytes, mild for [0, 1] |
# | multi-grid: other rates for other blocks | holds if the units of one block are meant |
# | too large a rate makes a 1×1 convolution | holds if the rate reaches the side of the map; with rates near it, nearly |
# | a 1×1 convolution brings in the whole map | does not hold: image pooling does |
# | outputs are concatenated, then globally pooled | does not hold: pooling is one of the branches |
# | torchvision has a pretrained backbone and head | holds |
# | `classifier[4]` is what to replace | holds if there is no auxiliary head |
# | smp has `timm-mobilenetv3_small_100` | holds for now: the name is deprecated |
# | ResNet-101 or MobileNet: performance or speed | holds for speed |
# | two heads for segmentation and depth | holds: depth gains, segmentation loses a little |
#
# The full list, with the cell behind each verdict, is in `docs/claims.md`.

# %% [markdown]
# ## 10. Your turn
#
# - **Vary.** In section 4, find three rates below 6 whose field is as large as possible and has no hole.
# - **Vary.** In section 7, train at output stride 2. What do the seconds and the megabytes do, what do the poles?
# - **Vary.** In section 5, give `ASPP` a map of 5×7 and compare its three atrous branches with 1×1 convolutions.
# - **Exercise notebook:** [exercises/06_atrous_aspp](exercises/06_atrous_aspp/06_atrous_aspp.ipynb): four tasks that check themselves and one to write about.
#
# **Further reading.** Chen et al. (2015), *Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs* (DeepLab v1), section 3.1. · Chen et al. (2017), *Rethinking Atrous Convolution for
# Semantic Image Segmentation* (v3), sections 3 and 4. · Yu & Koltun (2016), *Multi-Scale Context Aggregation by Dilated Convolutions*. · Wang et al. (2018), *Understanding Convolution for Semantic
# Segmentation*, section 3.2, on gridding. · He et al. (2014), *Spatial Pyramid Pooling in Deep Convolutional Networks*.
