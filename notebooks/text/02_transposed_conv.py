# %% [markdown]
# # 02 · Upsampling that learns: transposed convolution
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/02_transposed_conv.ipynb) · in JupyterLab, you are in the right place already.
#
# Lesson 01 ended with scores on a coarse grid: one for every 32 pixels. A segmentation needs one for every pixel. The usual answer is
# *transposed convolution* (转置卷积), and it is surrounded by half-truths: it "inverts" a convolution, it is "better than interpolation". In this
# lesson you take it apart in four ways, and then let it compete.
#
# **You will be able to**
#
# - compute a transposed convolution with a pencil, and predict its size;
# - write it in four ways, as stamping, as convolution over inserted zeros, as a transposed matrix and as a gradient, and prove that they are one;
# - make one that interpolates, and say why it darkens at the border;
# - predict from two numbers where stamps overlap unevenly and draw checkerboards (棋盘效应);
# - say what learning it buys, and what not, by measuring.
#
# Sources: the course documents on FCN, and the papers at the end. What the documents claim is measured below.

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
import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)  # for networks this small one thread is as fast as several, also on a busy machine
torch.manual_seed(2);

# %%
from course_utils import losses
from course_utils.data import load_dataset, load_photo
from course_utils.layers import (
    BilinearDeconv,
    bilinear_kernel,
    conv_transpose_by_gradient,
    conv_transpose_by_matrix,
    conv_transpose_by_scatter,
    conv_transpose_by_zero_insertion,
    convolution_matrix,
    insert_zeros,
    transposed_size,
)
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.plotting import OKABE_ITO, draw_box, draw_heatmap, draw_mask, show, show_images, subplots
from course_utils.widgets import ConvArithmeticExplorer

# %% [markdown]
# ## 1. Stamps
#
# A convolution (卷积) *gathers*: each output is a weighted sum of the inputs under the kernel (卷积核). A transposed convolution *scatters*: each input
# stamps the kernel, times its own value, into the output. The stride (步幅) says how far apart the stamps are. Where stamps overlap, they add up.
#
# **Predict**, with a pencil: the input is (1, 10), the kernel (1, 2, 3), the stride 2. How long is the output, and what is in it?

# %% tags=["nbval-check-output"]
x, kernel = torch.tensor([1, 10]), torch.tensor([1, 2, 3])
out = torch.zeros(5, dtype=torch.int64)
for i, value in enumerate(x):
    out[2 * i : 2 * i + 3] += value * kernel
print(out.tolist())
assert out.tolist() == [1, 2, 3 + 10, 20, 30]

# %% [markdown]
# The first stamp is 1, 2, 3. The second is 10, 20, 30 and begins two places further on. They meet in the middle: 3 + 10 = 13.
#
# In two dimensions it is the same with two loops. h and w are the sides of the input, kh and kw those of the kernel.

# %%
def stamp(x, kernel, stride):
    """x (h, w), kernel (kh, kw) → ((h − 1)·stride + kh, (w − 1)·stride + kw)."""
    (h, w), (kh, kw) = x.shape, kernel.shape
    out = x.new_zeros((h - 1) * stride + kh, (w - 1) * stride + kw)
    for i, j in itertools.product(range(h), range(w)):
        top, left = i * stride, j * stride
        out[top : top + kh, left : left + kw] += x[i, j] * kernel
    return out

# %% [markdown]
# The library calls it `F.conv_transpose2d`. **Predict** the size of the output for a 2×3 input, a 3×3 kernel and stride 2.

# %% tags=["nbval-check-output"]
x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
kernel = torch.tensor([[1.0, 2.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 2.0]])
by_stamps = stamp(x, kernel, stride=2)
by_library = F.conv_transpose2d(x[None, None], kernel[None, None], stride=2)[0, 0]
print(tuple(by_stamps.shape))
assert torch.equal(by_stamps, by_library)

# %% [markdown]
# Look at it. A helper draws a grid of numbers, darker where they are larger:

# %%
def draw_numbers(ax, values, title):
    ax.imshow(values, cmap="Blues", vmin=0, vmax=2 * values.max())
    for (row, column), value in np.ndenumerate(values.numpy()):
        ax.text(column, row, f"{value:g}", ha="center", va="center")
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)

# %% [markdown]
# The stamp of one pixel is what comes out when all other pixels are 0:

# %%
fig, axes = subplots(1, 4, width=900, height=230, width_ratios=(3, 7, 7, 7))
draw_numbers(axes[0], x, "input, 2×3")
for ax, (i, j) in zip(axes[1:3], ((0, 1), (1, 2))):
    only = torch.zeros_like(x)
    only[i, j] = x[i, j]
    draw_numbers(ax, stamp(only, kernel, 2), f"the stamp of the {x[i, j]:g}")
    draw_box(ax, (2 * i, 2 * j, 2 * i + 3, 2 * j + 3))
draw_numbers(axes[3], by_stamps, "all six stamps, added: 5×7")
show(fig, alt="A 2 by 3 input; the stamp of its pixel 2, three by three pixels at row 0, column 2 of a 5 by 7 grid; the stamp "
     "of its pixel 6 at row 2, column 4; and the sum of all six stamps, largest where stamps overlap.")

# %% [markdown]
# The row and the two columns where stamps meet stand out. Remember that: section 8.
#
# Feature maps have channels (通道). Then each input channel has its own kernel for each output channel, and the stamps of all input channels are added
# up. `conv_transpose_by_scatter` of the course is the loop above with channels, and with two more numbers: *padding* (填充) crops p pixels all round, and
# *output padding* adds pixels at the bottom and at the right.

# %%
features, weight = torch.randn(2, 3, 4, 6), torch.randn(3, 5, 3, 3)  # (N, C_in, H, W), (C_in, C_out, kh, kw)
by_scatter = conv_transpose_by_scatter(features, weight, stride=2, padding=1, output_padding=1)
by_library = F.conv_transpose2d(features, weight, stride=2, padding=1, output_padding=1)  # (2, 5, 8, 12)
assert torch.allclose(by_scatter, by_library, atol=1e-5)

# %% [markdown]
# Note the order of the weight: (C_in, C_out, kh, kw). That of `F.conv2d` is (C_out, C_in, kh, kw). Section 5 shows why.
#
# "Padding" that *crops* sounds wrong. It is named after the convolution that goes the other way: its padding is undone. And one document says that
# a transposed convolution "serves to upsample" (上采样). **Predict**: what does it do at stride 1?

# %% tags=["nbval-check-output", "claim:serves-to-upsample"]
for stride in (1, 2, 3):
    print(f"stride {stride}: {tuple(features.shape[2:])} → ", end="")
    print(tuple(conv_transpose_by_scatter(features, weight, stride, padding=1).shape[2:]))
assert conv_transpose_by_scatter(features, weight, 1, padding=1).shape[2:] == features.shape[2:]

# %% [markdown]
# At stride 1 it keeps the size: it is an ordinary convolution with a turned kernel. DeconvNet (lesson 05) is full of those. It is the
# *stride* that upsamples.

# %% [markdown]
# ## 2. Three steps with zeros
#
# One of the documents computes it in three steps. With kernel size k, stride s and padding p:
#
# 1. put s − 1 zeros between neighbouring pixels: H becomes H′ = H + (s − 1)(H − 1);
# 2. take "the new kernel": stride 1, the same size k, padding p′ = k − p − 1;
# 3. convolve.
#
# **Predict**: which kernel is "the new kernel"? The same one?

# %%
inserted = insert_zeros(x, stride=2)  # (2, 3) → (3, 5)
padded = F.pad(inserted, (2, 2, 2, 2))  # k − p − 1 = 3 − 0 − 1
same = F.conv2d(padded[None, None], kernel[None, None])[0, 0]
turned = F.conv2d(padded[None, None], kernel.flip(0, 1)[None, None])[0, 0]
print("same kernel:  ", torch.equal(same, by_stamps))
print("turned kernel:", torch.equal(turned, by_stamps))
assert torch.equal(turned, by_stamps)

# %% [markdown]
# Not the same one: it has to be turned by 180°. In the picture, the blue box is the map with its zeros; around it are two rows and columns of padding. The red window is
# multiplied with the turned kernel and gives the red pixel.

# %%
fig, axes = subplots(1, 3, width=880, height=290, width_ratios=(9, 4, 8))
draw_numbers(axes[0], padded, "zeros inserted, 3×5; padded, 7×9")
draw_box(axes[0], (2, 2, 5, 7), color=OKABE_ITO["blue"])
draw_box(axes[0], (1, 2, 4, 5))
draw_numbers(axes[1], kernel.flip(0, 1), "kernel, turned")
draw_numbers(axes[2], turned, "convolved: 5×7")
draw_box(axes[2], (1, 2, 2, 3))
show(fig, alt="The 2 by 3 input with zeros between its pixels, in a blue box, and two rows and columns of zeros around it; "
     "the kernel turned by 180 degrees; the result of the convolution, the same 5 by 7 numbers as the stamps. "
     "A red box marks a window and the output pixel that it gives.")

# %% [markdown]
# Why turned? A stamp is read from the other side: the pixel at the *left* of an output reaches it with the *right* part
# of its stamp. With channels, the two channel axes change places too. The document says neither. With both said, the steps are exact.
# Try all small cases, output padding included (it goes to the bottom and the right only):

# %% tags=["claim:three-steps"]
cases, worst = 0, 0.0
for h, k, s, p in itertools.product((1, 2, 5), range(1, 6), range(1, 5), range(4)):
    for extra in range(s):
        if transposed_size(h, k, s, p, extra) < 1:
            continue
        small, w = torch.randn(1, 2, h, h), torch.randn(2, 3, k, k)
        steps = conv_transpose_by_zero_insertion(small, w, s, p, extra)
        error = (steps - F.conv_transpose2d(small, w, stride=s, padding=p, output_padding=extra)).abs().max()
        cases, worst = cases + 1, max(worst, error.item())
print(f"{cases} cases, largest difference {worst:.0e}")
assert cases > 400 and worst < 1e-4

# %% [markdown]
# (Where p > k − 1, the padding p′ is negative: rows and columns are cut off. The function does that too.)
#
# In a large map, three of four pixels are inserted zeros at stride 2, and 63 of 64 at stride 8. The three steps explain the layer; no library computes it that way.

# %% [markdown]
# ## 3. Predict the size
#
# The last of H stamps begins at (H − 1)·s and is k long. Padding crops both ends, output padding o adds to one:
#
# > H_out = (H − 1)·s + k − 2p + o
#
# The document gives three cases without padding: (k, s) = (2, 2) gives 2H, (4, 2) gives 2H + 2, (16, 8) gives 8H + 8. **Predict** for H = 7, then check.

# %% tags=["nbval-check-output", "claim:three-sizes"]
for (k, s), formula in {(2, 2): lambda h: 2 * h, (4, 2): lambda h: 2 * h + 2, (16, 8): lambda h: 8 * h + 8}.items():
    sizes = [F.conv_transpose2d(torch.zeros(1, 1, h, 1), torch.zeros(1, 1, k, 1), stride=(s, 1)).shape[2]
             for h in range(1, 30)]
    print(f"kernel {k:2}, stride {s}: 7 → {sizes[6]}")
    assert sizes == [formula(h) for h in range(1, 30)]

# %% [markdown]
# All three hold. The extra 2 and the extra 8 are half a kernel: FCN cuts them off afterwards (lesson 03). With padding (k − s)/2 they never arise:
# (2, 2, 0), (4, 2, 1) and (16, 8, 4) enlarge exactly 2, 2 and 8 times. And the general formula, in all small cases:

# %% tags=["nbval-check-output"]
cases = 0
for h, k, s, p in itertools.product(range(1, 8), range(1, 8), range(1, 5), range(4)):
    for extra in range(s):
        expected = (h - 1) * s + k - 2 * p + extra
        if expected > 0:
            layer = nn.ConvTranspose1d(1, 1, k, s, p, extra, device="meta")  # shapes only, no numbers
            assert layer(torch.empty(1, 1, h, device="meta")).shape[2] == expected
            cases += 1
print(f"{cases:,} cases, all as predicted")
assert cases > 1000

# %% [markdown]
# ### What output padding is for
#
# **Predict**: a convolution with k = 3, s = 2, p = 1 reads 5 pixels, and then 6. How many come out?

# %% tags=["nbval-check-output"]
for h in (5, 6, 7, 8):
    out = F.conv1d(torch.zeros(1, 1, h), torch.zeros(1, 1, 3), stride=2, padding=1).shape[2]
    print(f"{h} → {out}; back: {transposed_size(out, 3, 2, 1)}, "
          f"with output padding 1: {transposed_size(out, 3, 2, 1, 1)}")

# %% [markdown]
# 5 and 6 both give 3. On the way back, somebody has to say which of the two it was: o = 0 or o = 1.

# %% [markdown]
# ## 4. A matrix, transposed
#
# Why "transposed"? A convolution is linear, so it is a matrix (矩阵): flatten the input to a column, and each output is a row times this column. Take a
# 3×3 kernel at stride 2 on a 5×5 map: 2×2 outputs.
#
# **Predict**: the size of the matrix, and how many of its numbers are not zero.

# %% tags=["nbval-check-output"]
digits = torch.arange(1.0, 10).view(1, 1, 3, 3)
matrix = convolution_matrix(digits, size=(5, 5), stride=2)
print(tuple(matrix.shape), "with", (matrix != 0).sum().item(), "numbers that are not zero")
large = torch.randn(1, 1, 5, 5)
assert torch.allclose(matrix @ large.flatten(), F.conv2d(large, digits, stride=2).flatten(), atol=1e-5)

# %% [markdown]
# Four outputs, 25 inputs, 4 · 9 weights. The matrix, and the same matrix transposed; empty fields are 0:

# %%
fig, axes = subplots(1, 2, width=860, height=500, width_ratios=(25, 5))
for ax, values, title in zip(axes, (matrix, matrix.T), ("convolution: 25 → 4", "transposed: 4 → 25")):
    ax.imshow(values, cmap="Blues", vmax=14)
    for row, column in values.nonzero().tolist():
        ax.text(column, row, f"{values[row, column]:g}", ha="center", va="center", fontsize=8)
    ax.set(xticks=range(0, values.shape[1], 4), yticks=range(0, len(values), 4), title=title)
    ax.set(xlabel="number of the input pixel", ylabel="number of the output pixel")
show(fig, alt="Left: a matrix of 4 rows and 25 columns. Each row holds the nine kernel weights in three groups of three, five "
     "columns apart; the groups of the second row lie two columns further, those of the third ten. Right: the same "
     "matrix transposed, 25 rows and 4 columns; each column is one stamp.")

# %% [markdown]
# Read the left matrix row by row: each row *gathers* nine pixels with the nine weights. Now go the other way, from 4 numbers to 25. The matrix for that
# must be 25×4, and the transposed one is at hand. Read the right matrix column by column: each input pixel *scatters* the nine weights to nine places. That is a
# stamp. So:

# %% tags=["claim:matrix-transposed"]
small = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
by_matrix = (matrix.T @ small.flatten()).view(5, 5)
print(by_matrix)
assert torch.equal(by_matrix, stamp(small, digits[0, 0], stride=2))

# %% [markdown]
# ## 5. The gradient of a convolution
#
# You have used transposed convolutions since your first network was trained. Backpropagation (反向传播) through y = A x multiplies by Aᵀ. So the
# gradient (梯度) of a convolution with respect to its input *is* a transposed convolution with the same weight. That is why its weight has the order (C_in, C_out):
# it is the weight of a convolution, used backwards.
#
# **Predict** whether the last line of the next cell passes. The gradient comes from autograd alone.

# %%
weight = torch.randn(3, 5, 4, 4)  # a convolution from 5 to 3 channels
large = torch.zeros(2, 5, 8, 14, requires_grad=True)
small = F.conv2d(large, weight, stride=2, padding=1)  # (2, 3, 4, 7)
signal = torch.randn_like(small)
(gradient,) = torch.autograd.grad(small, large, grad_outputs=signal)
assert torch.allclose(gradient, F.conv_transpose2d(signal, weight, stride=2, padding=1), atol=1e-5)

# %% [markdown]
# Four ways, one layer. All on the same numbers:

# %% tags=["claim:four-ways"]
ways = (conv_transpose_by_scatter, conv_transpose_by_zero_insertion, conv_transpose_by_matrix, conv_transpose_by_gradient)
expected = F.conv_transpose2d(signal, weight, stride=3, padding=1, output_padding=2)
for way in ways:
    result = way(signal, weight, stride=3, padding=1, output_padding=2)
    print(f"{way.__name__:33} {tuple(result.shape)}, largest difference {(result - expected).abs().max():.0e}")
    assert torch.allclose(result, expected, atol=1e-4)

# %% [markdown]
# ### Not an inverse
#
# One document calls the result an "inverse convolution" (逆卷积), and *deconvolution* (反卷积) is a common name. Does it undo a convolution? Blur a photo with a 3×3 average
# at stride 2, and go back with the transposed convolution of the same kernel. **Predict** what you will see.

# %%
photo = torch.from_numpy(load_photo("astronaut")).float().mean(2)[None, None, :256, 96:352] / 255
photo = F.avg_pool2d(photo, 2)  # (1, 1, 128, 128)
average = torch.full((1, 1, 3, 3), 1 / 9)
blurred = F.conv2d(photo, average, stride=2, padding=1)  # (1, 1, 64, 64)
back = F.conv_transpose2d(blurred, average, stride=2, padding=1, output_padding=1)  # (1, 1, 128, 128)

# %% [markdown]
# The result is too dark: each stamp has nine weights of 1/9, and there is one stamp for four pixels. Brighten it, so that only the pattern counts:

# %%
scaled = back / back.mean() * photo.mean()
show_images([photo[0], blurred[0], scaled[0].clamp(0, 1)], ["photo, 128×128", "convolved, 64×64", "and back, brightened"],
            alt="A face; the same at half the size and blurred; and back at full size, still blurred, with a fine "
            "regular grid over it.", width=860)

# %% [markdown]
# The size is back, the photo is not. Measure it, and measure next to it what *is* true of a transposed matrix: (A x)·y = x·(Aᵀ y).

# %% tags=["claim:inverse"]
y = torch.randn_like(blurred)
there = (F.conv2d(photo, average, stride=2, padding=1) * y).sum()
back_again = (photo * F.conv_transpose2d(y, average, stride=2, padding=1, output_padding=1)).sum()
error = (back - photo).norm() / photo.norm()
print(f"and back: off by {error:.0%} of the photo; brightened: by {(scaled - photo).norm() / photo.norm():.0%}")
print(f"(A x)·y = {there:.4f},  x·(Aᵀ y) = {back_again:.4f}")
assert error > 0.5 and torch.isclose(there, back_again, atol=1e-2)

# %% [markdown]
# It restores the *size*, nothing else. 16,384 pixels became 4,096 numbers; no layer gets the rest back. What is true is the last line: the kernel may move from one
# side of a scalar product (内积) to the other. In mathematics this is the *adjoint* (伴随), for real numbers the transpose. Hence the name, and hence the
# advice: say *transposed convolution*.

# %% [markdown]
# ## 6. Play
#
# Point at a pixel of the output, or use the arrow keys: you see which pixels of the input reach it, and by which weight of the kernel. Point at a pixel of the input: you see its stamp. The other
# reading, with zeros between the pixels and a kernel that slides, is shown too, and the size formula follows your settings.

# %%
ConvArithmeticExplorer(size=3, kernel=3, stride=2, padding=1, output_padding=1, transposed=True)

# %% [markdown]
# **Four things to try.** (1) Find settings with an output of exactly twice the input. Which of them work for every size? (2) Kernel 3, stride 2: how many input pixels reach
# an output pixel? Not always the same number: section 8. (3) Set the padding above k − 1: what is cut off? (4) Set an output padding as large as the stride, and read why that is no layer.

# %% [markdown]
# ## 7. One that interpolates
#
# Bilinear interpolation (双线性插值) draws straight lines between pixel centres. What stamp would do that? Each pixel has full say at its centre, and its
# say falls to nothing at the centre of its neighbour, `stride` pixels away. A tent. **Predict** the four weights of the tent for stride 2: output
# pixels lie at distances 1.5, 0.5, 0.5 and 1.5 from the centre.

# %% tags=["nbval-check-output"]
distance = torch.tensor([1.5, 0.5, 0.5, 1.5])
tent = 1 - distance / 2
print(tent.tolist())
assert torch.equal(bilinear_kernel(2), torch.outer(tent, tent))

# %% [markdown]
# Down and across together, the outer product (外积): a 4×4 kernel. In general k = 2s, as in FCN's (4, 2), (16, 8), (32, 16)
# and (64, 32). With half a stride of padding, the output is exactly s times as large. Compare it with the library's interpolation:

# %% tags=["claim:bilinear-is-transposed"]
coarse = torch.rand(1, 1, 9, 12)
for s in (2, 4, 8, 32):
    by_deconv = F.conv_transpose2d(coarse, bilinear_kernel(s)[None, None], stride=s, padding=s // 2)
    by_interpolation = F.interpolate(coarse, scale_factor=s, mode="bilinear", align_corners=False)
    difference = (by_deconv - by_interpolation)[0, 0].abs()
    inside = difference[s // 2 : -s // 2, s // 2 : -s // 2].max()
    print(f"stride {s:2}: inside {inside:.0e}, up to {s // 2} px from the border {difference.max():.2f}")
    assert inside < 1e-5 < difference.max()

# %% [markdown]
# Equal inside. At the border they part. Beyond the border the interpolation repeats the last value, and the transposed convolution has
# nothing to stamp. **Predict** what is left of a constant map of ones in the very corner.

# %% tags=["nbval-check-output"]
ones = torch.ones(1, 1, 6, 9)
faded = {s: F.conv_transpose2d(ones, bilinear_kernel(s)[None, None], stride=s, padding=s // 2)[0, 0] for s in (2, 8, 32)}
for s, values in faded.items():
    print(f"stride {s:2}: corner {values[0, 0]:.4f}, edge {values[0, s * 4]:.4f}, middle {values[s * 3, s * 4]:.4f}")
assert faded[2][0, 0] == 0.5625  # (3/4)²

# %%
fig, ax = subplots(1, 1, width=560, height=300)
draw_heatmap(ax, faded[32], label="answer to a map of ones", interpolation="nearest", limits=(0, 1))
show(fig, alt="A field of ones, enlarged by a factor of 32 by a transposed convolution with a bilinear kernel: one in the "
     "middle, fading to about one half at the edges and one quarter in the corners.")

# %% [markdown]
# Towards a quarter in the corner. FCN never meets that border: it pads the image by 100 pixels and crops the map (lesson 03).
#
# FCN *starts* its upsampling layers with this kernel, and may then learn a better one. Each class has its own tent; from class to class the weight
# is 0 at first. `BilinearDeconv` is that layer. Section 10 asks whether learning changes anything.

# %% tags=["nbval-check-output"]
layer = BilinearDeconv(8, stride=4, padding=2, learned=True)
used = (layer.weight != 0).sum().item()
print(f"{layer.weight.numel():,} weights to learn, {used} of them not zero at the start")
assert used == 8 * 8 * 8

# %% [markdown]
# ## 8. Checkerboards
#
# Count the stamps that reach each output pixel: let a map of ones stamp a kernel of ones. **Predict** for kernel 3, stride 2: is it the same number
# everywhere?

# %%
def overlap(kernel, stride):
    """How many stamps reach each output pixel, away from the border."""
    ones, stamp_of_ones = torch.ones(1, 1, 16, 16), torch.ones(1, 1, kernel, kernel)
    counts = F.conv_transpose2d(ones, stamp_of_ones, stride=stride)[0, 0]
    return counts[2 * kernel : -2 * kernel, 2 * kernel : -2 * kernel]

# %% tags=["nbval-check-output", "claim:checkerboards"]
for k, s in ((2, 2), (3, 2), (4, 2), (5, 2), (5, 3), (6, 3), (11, 4), (16, 8)):
    counts = overlap(k, s)
    print(f"kernel {k:2}, stride {s}: {counts.min():2.0f} to {counts.max():2.0f} stamps")
    assert (counts.min() == counts.max()) == (k % s == 0)

# %% [markdown]
# Three of them, drawn:

# %%
fig, axes = subplots(1, 3, width=880, height=290)
for ax, (k, s) in zip(axes, ((3, 2), (5, 3), (4, 2))):
    draw_heatmap(ax, overlap(k, s)[:10, :10], label="stamps", interpolation="nearest", limits=(0, 4))
    ax.set_title(f"kernel {k}, stride {s}")
show(fig, alt="How many stamps reach each pixel. Kernel 3, stride 2: a checkerboard of 1, 2 and 4. Kernel 5, stride 3: a coarser "
     "one, also of 1, 2 and 4. Kernel 4, stride 2: 4 everywhere.")

# %% [markdown]
# The counts are the same everywhere exactly if the stride divides the kernel. If not, kernel 3 and stride 2 for example, a pixel gets one, two or four
# stamps: a checkerboard, before anything is learned. With random weights the same shows in the spread: a sum of four terms varies twice as much
# as one term.
#
# **Predict**: the gradient of a 3×3 convolution with stride 2, as in ResNet-18. Does it vary equally at all pixels?

# %%
def spread(values):
    """Standard deviation at each of the 2×2 places of a cell: rows even/odd, columns even/odd."""
    return torch.tensor([values[..., a:-4:2, b:-4:2].std() for a, b in itertools.product((4, 5), repeat=2)])

# %% [markdown]
# First the output of a transposed convolution with random weights, from 64 to 32 channels. Then the gradient that arrives at the *input* of a convolution of the same
# kernel and stride:

# %% tags=["claim:checkerboard-gradient"]
wide, weight = torch.randn(1, 64, 40, 44), torch.randn(64, 32, 3, 3) / 24
out = F.conv_transpose2d(wide, weight, stride=2)
image = torch.randn(1, 32, 80, 88, requires_grad=True)
strided = F.conv2d(image, weight, stride=2)
(gradient,) = torch.autograd.grad(strided, image, torch.randn_like(strided))
print("transposed convolution, output:", [f"{value:.2f}" for value in spread(out)])
print("strided convolution, gradient: ", [f"{value:.2f}" for value in spread(gradient)])
assert spread(gradient).max() > 1.5 * spread(gradient).min()

# %% [markdown]
# It does not: its spread has the same pattern. It must be so: the gradient *is* a transposed convolution (section 5). Every 3×3 convolution with stride 2 sends such a checkerboard
# down to the layers below it.
#
# Is a network safe whose stride divides the kernel? **Predict** the answer of a random 4×4 kernel at stride 2 to a map of ones.

# %% tags=["claim:even-overlap-is-enough"]
random_kernel = torch.rand(1, 1, 4, 4)
answer = F.conv_transpose2d(torch.ones(1, 1, 6, 7), random_kernel, stride=2, padding=1)[0, 0, 2:-2, 2:-2]
values = [answer[a, b].item() for a, b in itertools.product(range(2), range(2))]
print("each stamp count is 4, and the answer repeats", [f"{value:.2f}" for value in values])
assert torch.allclose(answer[::2, ::2], answer[0, 0]) and max(values) - min(values) > 0.05

# %% [markdown]
# Equal counts are not enough. The 16 weights fall into four groups of four. Each of the four places in a 2×2 cell is served by a group of its own, and
# nothing makes the groups agree. The tent does it by design: each of its groups adds up to 1.

# %% tags=["nbval-check-output"]
for s in (2, 3, 4):
    groups = bilinear_kernel(s).view(2, s, 2, s).sum((0, 2))  # (s, s): the sum for each place in a cell
    print(f"stride {s}: {s * s} groups of 4 weights, sums from {groups.min():.3f} to {groups.max():.3f}")
    assert torch.allclose(groups, torch.ones(s, s))

# %% [markdown]
# ## 9. The other ways up
#
# - **Nearest neighbour** (最近邻插值) repeats each pixel. Usually a convolution follows.
# - **Bilinear interpolation**: section 7.
# - **Unpooling** (反池化) puts each value back where max-pooling found it, and zeros elsewhere. SegNet: lesson 05.
# - **Pixel shuffle** (像素重排), also called sub-pixel convolution (亚像素卷积): a convolution makes s² channels for each one that is wanted, and they are laid out as s×s cells.
#
# **Predict** which of the four are transposed convolutions in disguise. Nearest neighbour first:

# %%
nearest = F.interpolate(coarse, scale_factor=3, mode="nearest")
assert torch.equal(nearest, F.conv_transpose2d(coarse, torch.ones(1, 1, 3, 3), stride=3))

# %% [markdown]
# A stamp of ones, as large as the stride. Now convolution and pixel shuffle. The shuffle puts channel a·s + b of its s² at row a, column b of each cell. So row
# u of the kernel of such a channel always lands at the same distance from the input pixel: in the stamp it is row s·(k − 1 − u) + a. Columns alike. One reshape moves all weights there:

# %% tags=["claim:shuffle-is-transposed"]
s, k, p, channels, out_channels = 3, 3, 1, 6, 5
conv = nn.Conv2d(channels, out_channels * s * s, k, padding=p, bias=False)
turned = conv.weight.detach().flip(2, 3).view(out_channels, s, s, channels, k, k)  # (C_out, a, b, C_in, u, v)
stamps = turned.permute(3, 0, 4, 1, 5, 2).reshape(channels, out_channels, k * s, k * s)

wide = torch.randn(2, channels, 7, 10)
shuffled = F.pixel_shuffle(conv(wide), s)  # (2, 5, 21, 30)
by_stamps = F.conv_transpose2d(wide, stamps, stride=s, padding=s * (k - 1 - p))
print(f"{tuple(shuffled.shape)}, largest difference {(shuffled - by_stamps).abs().max():.0e}")
assert torch.allclose(shuffled, by_stamps, atol=1e-5)

# %% [markdown]
# Pixel shuffle after a k×k convolution *is* a transposed convolution with a kernel of k·s and stride s: the same weights, the same number of them, the same products. And
# every transposed convolution whose stride divides its kernel can be written as a convolution, a shuffle and a crop. (So it has the same ripples: s² groups that nobody makes agree.)
#
# **Unpooling** is the one that is not: where it puts a value depends on another map, the indices. For one fixed set of indices it is linear; for two
# inputs it is two different matrices.

# %%
pooled = F.max_pool2d(photo[..., 32:96, 32:96], 2, return_indices=True)  # values and indices, (1, 1, 32, 32)
up = {
    "before max-pooling": photo[..., 32:96, 32:96],
    "nearest": F.interpolate(pooled[0], scale_factor=2, mode="nearest"),
    "bilinear": F.interpolate(pooled[0], scale_factor=2, mode="bilinear"),
    "unpooling": F.max_unpool2d(*pooled, 2),
    "random 3×3 kernel": F.conv_transpose2d(pooled[0], torch.rand(1, 1, 3, 3) / 2, stride=2, padding=1, output_padding=1),
    "random 4×4 kernel": F.conv_transpose2d(pooled[0], torch.rand(1, 1, 4, 4) / 2, stride=2, padding=1),
}

# %% [markdown]
# Five ways up for a face that max-pooling made half as large. The two random kernels stand for layers before training (with positive weights only, so that the face stays visible):

# %%
show_images([picture[0].clamp(0, 1) for picture in up.values()], list(up), columns=3, width=820,
            alt="A face of 64 by 64 pixels, and five ways back from its max-pooled version: blocks; smooth; grey dots on "
            "black, where unpooling put the maxima; and two transposed convolutions with random kernels, which lay a "
            "grid over the face.")

# %% [markdown]
# Unpooling keeps the *place* of each maximum and leaves its neighbours empty. Interpolation fills the neighbours and has lost the place. Lesson 05 builds a decoder on that difference.

# %% [markdown]
# ## 10. Five claims, measured
#
# One document lists five advantages of transposed convolution over bilinear interpolation:
#
# 1. its weights are **learned**, so it adapts to the task and restores details better;
# 2. it gives **sharper edges** and better **small objects**;
# 3. it integrates **seamlessly** into the network for end-to-end training (端到端训练), with no separate module for upsampling;
# 4. it keeps the **spatial continuity** (空间连续性) of the feature map;
# 5. it reduces the **"vase effect"** (花瓶效应): interpolation of deep maps is said to lose information, so that the inside and the outline of objects blur.
#
# The document measures none of them. Write down your five verdicts before you read on.
#
# The course's street scenes are the test. Poles and persons are small; outlines are sharp.

# %%
train = load_dataset("street_scenes", "train", size=(48, 64), length=240)
val = load_dataset("street_scenes", "val", size=(48, 64), length=60)
images, masks = map(torch.stack, zip(*train))  # (240, 3, 48, 64), (240, 48, 64)
val_images, val_masks = map(torch.stack, zip(*val))
weights = losses.enet_class_weights(losses.count_pixels(zip(images, masks), num_classes=8).pixels)

# %% [markdown]
# Five ways from a coarse map of stride 4 to the scores of 8 classes. Four of them first reduce the channels to one score per class, by a 1×1 convolution, and then enlarge
# the scores: as FCN does. The fifth stamps the classes straight from the features.

# %%
class Upsample(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def forward(self, coarse):
        return F.interpolate(coarse, scale_factor=4, mode=self.mode)

# %% [markdown]
# `scored` puts the 1×1 convolution in front. `c` is the number of channels that come in.

# %%
def scored(channels, *way_up):
    return nn.Sequential(nn.Conv2d(channels, 8, 1), *way_up)

heads = {
    "bilinear, fixed": lambda c: scored(c, Upsample("bilinear")),
    "nearest + convolution": lambda c: scored(c, Upsample("nearest"), nn.Conv2d(8, 8, 3, padding=1)),
    "transposed, from bilinear": lambda c: scored(c, BilinearDeconv(8, stride=4, padding=2, learned=True)),
    "transposed, from random": lambda c: scored(c, nn.ConvTranspose2d(8, 8, 8, stride=4, padding=2)),
    "transposed, of features": lambda c: nn.ConvTranspose2d(c, 8, 8, stride=4, padding=2),
}

# %% [markdown]
# One loop trains any of them: a batch, the cross-entropy (交叉熵, lesson 07; with ENet's class weights, else no network finds poles in so short a time), a step.

# %%
def trained(net, inputs, steps, rate):
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(inputs), (6,))
        optimizer.zero_grad()
        losses.cross_entropy(net(inputs[batch]), masks[batch], weight=weights).backward()
        optimizer.step()
        schedule.step()
    return net.eval()

# %% [markdown]
# Three scores: the mean IoU; the IoU of the poles alone, since the claims are about small objects; and the boundary F1 (边界F1), since they are about edges:
# it is 1 if all outlines lie within one pixel of the true ones, and 0 if none do.

# %%
def scores_of(net, inputs):
    """Mean IoU, IoU of the poles, and the mean boundary F1 of all classes within 1 pixel (lesson 07)."""
    with torch.no_grad():
        prediction = net(inputs).argmax(1)
    matrix = ConfusionMatrix(8).update(prediction, val_masks)
    outlines = boundary_f1(prediction, val_masks, 8, tolerance=1).nanmean()
    return matrix.mean_iu(), matrix.iu()[val.classes.index("pole")].item(), outlines.item()

# %% [markdown]
# And a table that shows, beside the mean, how far apart the three starts are. A difference that is smaller than that tells nothing.

# %%
def report(results):
    print(f"{'mean of three starts (± half the range)':42} mean IoU      IoU of poles   boundary F1")
    for name, rows in results.items():
        low, high = torch.tensor(rows).aminmax(dim=0)
        means, halves = torch.tensor(rows).mean(0), (high - low) / 2
        print(f"{name:40}", "  ".join(f"{m:.3f} ± {h:.3f}" for m, h in zip(means, halves)))

# %% [markdown]
# ### A perfect coarse map
#
# First the question in its purest form. No network: the coarse map is the *truth*, averaged over 4×4 pixels. It says how much of each class
# lies in each cell. Which way up restores the mask best? **Predict**: can a learned kernel know more than a tent?

# %%
def shares(labels):
    """Labels (N, H, W) → the share of each class in each cell, (N, 8, H/4, W/4); void belongs to none."""
    one_hot = F.one_hot(torch.where(labels == 255, 8, labels), 9)[..., :8].permute(0, 3, 1, 2).float()
    return F.avg_pool2d(one_hot, 4)

coarse_truth, val_coarse_truth = shares(masks), shares(val_masks)

# %% [markdown]
# Both heads have a 1×1 convolution to learn. Only one can learn the kernel:

# %% tags=["claim:learned-adapts", "reseeds"]
restorers = {"bilinear, fixed": [], "transposed, from random": []}
for name, seed in itertools.product(restorers, range(3)):
    torch.manual_seed(seed)
    restorers[name].append(trained(heads[name](8), coarse_truth, steps=250, rate=0.05))

restored = {name: [scores_of(head, val_coarse_truth) for head in three] for name, three in restorers.items()}
report(restored)
gain = torch.tensor(restored["transposed, from random"]) - torch.tensor(restored["bilinear, fixed"])  # (3 seeds, 3)
assert (gain[:, 1:] > 0).all()

# %% [markdown]
# It can. From a perfect map, the learned kernel restores more than the tent, in every run: a few hundredths of the IoU of poles, and about one hundredth of
# the other two scores. Look at what it has learned. The stamp of a cell is what the head answers to this one cell, less what it answers to
# nothing:

# %%
def stamp_of(head, name):
    """What one cell of a class adds to the scores of this class, (8, 8)."""
    number = val.classes.index(name)
    cell = torch.zeros(1, 8, 5, 5)
    cell[0, number, 2, 2] = 1
    with torch.no_grad():
        return (head(cell) - head(torch.zeros_like(cell)))[0, number, 6:14, 6:14]

# %%
fig, axes = subplots(1, 4, width=900, height=220)
for ax, (way, name) in zip(axes, itertools.product(restorers, ("person", "road"))):
    draw_heatmap(ax, stamp_of(restorers[way][0], name), label="score", interpolation="nearest")
    ax.set_title(f"{name}: {way}", fontsize=9)
show(fig, alt="The stamps of a cell of person and of a cell of road, 8 by 8 pixels each. With the tent both are the same round "
     "hill. The learned one of person is an upright ridge; that of road is a broad hill.")

# %% [markdown]
# The tent is a hill of the same shape for each class. The learned stamp of *person* is taller than it is wide: a person is narrower than a cell and taller than one, so above or below there is often more of the same person. That
# is knowledge about streets. Or is it chance? Measure height and width, as standard deviations (标准差), in all three runs:

# %%
def extent(stamp):
    """Height and width of a stamp: the standard deviations of its weight down and across, in pixels."""
    weight = (stamp - stamp.min()) / (stamp - stamp.min()).sum()
    place = torch.arange(8.0)
    return [((of * place**2).sum() - (of * place).sum() ** 2).sqrt().item() for of in (weight.sum(1), weight.sum(0))]

# %% tags=["claim:stamps-know-the-class"]
for name, way in itertools.product(("person", "road"), restorers):
    extents = [extent(stamp_of(head, name)) for head in restorers[way]]
    print(f"{name:7} {way:24}", "   ".join(f"{height:.2f} high, {width:.2f} wide" for height, width in extents))
persons = [extent(stamp_of(head, "person")) for head in restorers["transposed, from random"]]
assert all(height > width + 0.05 for height, width in persons)

# %% [markdown]
# ### A whole network
#
# Now end to end: images in, and an encoder (编码器) of stride 4 below each of the five heads. Encoder and head learn together, three times from three starts. The starts of the
# encoder are the same for all heads. **Predict** the order of the five.

# %%
def convolution(channels, out_channels, stride=1, dilation=1):
    layer = nn.Conv2d(channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels), nn.ReLU())

def encoder():
    """(N, 3, H, W) → (N, 48, H/4, W/4)."""
    return nn.Sequential(convolution(3, 16, stride=2), convolution(16, 32, stride=2),
                         convolution(32, 48), convolution(48, 48, dilation=2))

# %% [markdown]
# Fifteen trainings of a second each:

# %% tags=["reseeds"]
nets = {name: [] for name in heads}
for name, seed in itertools.product(heads, range(3)):
    torch.manual_seed(seed)
    net = nn.Sequential(encoder(), heads[name](48)).to(memory_format=torch.channels_last)  # faster on a CPU
    nets[name].append(trained(net, images - 0.5, steps=120, rate=0.01))

# %% tags=["claim:finer-details"]
results = {name: [scores_of(net, val_images - 0.5) for net in three] for name, three in nets.items()}
report(results)
means = {name: torch.tensor(rows).mean(0) for name, rows in results.items()}
assert (means["transposed, from random"] < means["bilinear, fixed"] + 0.01).all()

# %% [markdown]
# What each head costs: its parameters, and its multiply-adds for each pixel of the output. (The 1×1 convolution works on the coarse map: a sixteenth.)

# %% tags=["nbval-check-output"]
per_pixel = {  # multiply-adds after the 1×1 convolution
    "bilinear, fixed": 8 * 4, "nearest + convolution": 8 * 8 * 9, "transposed, from bilinear": 8 * 8 * 4,
    "transposed, from random": 8 * 8 * 4, "transposed, of features": 48 * 8 * 4,
}
for name, products in per_pixel.items():
    first = 0 if name.endswith("features") else 48 * 8 // 16
    parameters = sum(parameter.numel() for parameter in heads[name](48).parameters())
    print(f"{name:27} {parameters:6,} parameters, {products + first:5,} multiply-adds per pixel")

# %% [markdown]
# The scores once more, with a dot for each start and a line for their mean. Look at how far the dots of one row lie apart before you compare rows:

# %%
fig, axes = subplots(1, 3, width=900, height=270, sharey=True)
for ax, column, title in zip(axes, range(3), ("mean IoU", "IoU of poles", "boundary F1, 1 px")):
    for row, name in enumerate(results):
        values = [scores[column] for scores in results[name]]
        ax.plot(values, [row] * 3, "o", color=OKABE_ITO["blue"], alpha=0.6)
        ax.plot(sum(values) / 3, row, "|", color=OKABE_ITO["vermillion"], markersize=18, markeredgewidth=2)
    ax.set(title=title, yticks=range(5), yticklabels=list(results), ylim=(4.5, -0.5))
show(fig, alt="Three scores of five ways up, three dots each and their mean. In mean IoU and boundary F1, fixed bilinear "
     "interpolation and the transposed convolutions that start from it or read features lie close together; nearest plus "
     "convolution lies lower, the one from random weights lowest. On poles, fixed interpolation leads.")

# %% [markdown]
# The learned kernels win nothing: none is ahead of the fixed tent by more than its own three starts differ, not even the one that reads all features and has sixty times its
# parameters. On poles the tent is ahead of all four. The layer with a *random* start is behind, most of all on poles: in the time that the others spend on the scene it has to learn to interpolate.
#
# Why did learning pay above, and not here? Above, the map was perfect and all that was left to improve was the kernel. Here the map is not, and the encoder learns too. A likely
# reason is that it prepares its scores for whatever comes. FCN's authors report no gain either: they froze their upsampling layers in the released networks, and saw no
# significant difference.
#
# So claims 1 and 2 hold for a map so good that only the kernel is left to learn; trained end to end, they do not hold here. Look at the outlines (violet: pole; yellow: person; orange: car):

# %%
with torch.no_grad():
    shown = [three[0](val_images[4:5] - 0.5).argmax(1)[0] for three in nets.values()]
fig, axes = subplots(2, 3, width=900, height=460)
for ax, labels, title in zip(axes.flat, [val_masks[4], *shown], ["truth", *nets]):
    draw_mask(ax, labels, val.palette, val.classes, title, legend=False)
show(fig, alt="A street scene's true label map and the predictions of the five networks. All five have rounded outlines and "
     "take groups of poles and persons for one blob; the outlines of the transposed convolutions are frayed.")

# %% [markdown]
# All five see the same blobs. Now look closely at the outlines of the transposed convolutions: they fray, in the rhythm of the stamps. That leads to claims 3 and 4.
#
# ### Claim 3: seamless training
#
# Is bilinear interpolation not differentiable (可微)? **Predict**: what is its gradient?

# %%
def enlarge(values):
    return F.interpolate(values, scale_factor=2, mode="bilinear")

coarse = torch.rand(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
signal = torch.randn(1, 1, 10, 12, dtype=torch.float64)
(gradient,) = torch.autograd.grad(enlarge(coarse), coarse, signal)
by_convolution = F.conv2d(signal, bilinear_kernel(2).double()[None, None], stride=2, padding=1)
assert torch.allclose(gradient[..., 1:-1, 1:-1], by_convolution[..., 1:-1, 1:-1])

# %% [markdown]
# Away from the border, its gradient is a convolution of stride 2 with the tent: section 5, read backwards. `gradcheck` compares the gradient with finite differences (有限差分), border
# included. And does the gradient reach the first layer of a network?

# %% tags=["claim:seamless-training"]
print("gradient equals differences:", torch.autograd.gradcheck(enlarge, coarse))
for name in ("bilinear, fixed", "transposed, from random"):
    net = nn.Sequential(encoder(), heads[name](48))
    losses.cross_entropy(net(images[:4] - 0.5), masks[:4]).backward()
    reached = net[0][0][0].weight.grad.norm()
    print(f"{name:24} gradient of the first convolution: {reached:.3f}")
    assert reached > 0

# %% [markdown]
# Interpolation is linear, so it has a gradient everywhere, and the first layer of the encoder gets its share either way. (The untrained random kernels hand down about a thirtieth of
# what the tent does. AdamW, used above, makes up for such a factor; plain gradient descent does not.) A network with fixed interpolation *is* trained end to end: we just did so. Nor is it a module to add: it is one call without parameters. The claim is true of transposed convolution, and no advantage.
#
# ### Claim 4: spatial continuity
#
# Feed each trained head a constant map: the mean of the features that its encoder makes. What is continuous answers with a constant. How large is the *ripple* (波纹), compared with how much the scores vary over real
# scenes?

# %%
@torch.no_grad()
def ripple(net):
    """Spread of the answer to a constant map, in spreads of the answers to the scenes; away from the border."""
    features = net[0](val_images - 0.5)  # (60, 48, 12, 16)
    constant = features.mean((0, 2, 3), keepdim=True).expand(1, -1, 12, 16)
    answer = net[1](constant)[..., 8:-8, 8:-8]
    return (answer.std((2, 3)).mean() / net[1](features).std((0, 2, 3)).mean()).item()

# %% [markdown]
# **Predict**: zero for which of the five? Once before training, and for the three trained networks of each kind:

# %% tags=["claim:spatial-continuity", "reseeds"]
torch.manual_seed(0)
ripples = {}
for name, three in nets.items():
    before = ripple(nn.Sequential(encoder(), heads[name](48)).eval())
    ripples[name] = [ripple(net) for net in three]
    print(f"{name:27} before training {before:6.1%}, after", "  ".join(f"{value:5.1%}" for value in ripples[name]))
assert max(ripples["bilinear, fixed"]) < 1e-4 < min(ripples["transposed, from random"]) / 10

# %% [markdown]
# Interpolation has no ripple, ever; nor has a convolution after nearest neighbour. Each transposed convolution has one of a few percent after training, the one that began as a tent as well. With untrained random kernels the ripple is about as large as the spread of the scores. Here the stride divides the kernel; section
# 8 says why that is not enough. The claim has it the wrong way round: continuity is what interpolation guarantees and what a transposed convolution has to learn.
# (The document adds that each pixel keeps a direct spatial relation to the input. So it does, in all five ways up.)
#
# ### Claim 5: the "vase effect"
#
# The word is the document's; none of the papers below uses it. What it describes can be measured. First: does interpolation *lose* information? Then nobody could compute the coarse map
# from the enlarged one. **Predict**.

# %% tags=["claim:interpolation-loses-information"]
units = torch.eye(12 * 16, dtype=torch.float64).view(-1, 1, 12, 16)
enlarging = F.interpolate(units, scale_factor=4, mode="bilinear").flatten(1).T  # (48·64, 12·16)
with torch.no_grad():
    features = nets["bilinear, fixed"][0][0](val_images[:1] - 0.5).double()[0].flatten(1).T  # (12·16, 48)
recovered = torch.linalg.lstsq(enlarging, enlarging @ features).solution
print(f"rank {torch.linalg.matrix_rank(enlarging)} of {12 * 16}, largest error {(recovered - features).abs().max():.0e}")
assert torch.allclose(recovered, features, atol=1e-8)

# %% [markdown]
# Nothing is lost: the matrix of the interpolation has full rank (满秩), and all 48 deep features come back, up to rounding. Enlarging makes more numbers, and each old one can still be read off.
#
# Second: are the insides and the outlines of objects worse with interpolation? Split the pixels: *at outlines*, with another label (or void) within 2 pixels; *inside*, with none
# within 4.

# %%
def labels_differ(labels, distance):
    """Where another label lies within `distance` pixels (in a square window): (N, H, W) bool."""
    values, window = labels[:, None].float(), 2 * distance + 1
    highest = F.max_pool2d(values, window, 1, distance)
    lowest = -F.max_pool2d(-values, window, 1, distance)
    return (highest != lowest)[:, 0]

at_outlines = labels_differ(val_masks, 2) & (val_masks != 255)
inside = ~labels_differ(val_masks, 4)

# %% [markdown]
# **Predict**: how far apart are the five inside objects, and how far at outlines?

# %% tags=["claim:vase-effect"]
accuracy = {}
for name, three in nets.items():
    with torch.no_grad():
        right = [(net(val_images - 0.5).argmax(1) == val_masks).float() for net in three]
    accuracy[name] = torch.tensor([[r[inside].mean(), r[at_outlines].mean()] for r in right])  # (3 seeds, 2)
    (a, b), (c, d) = accuracy[name].mean(0), accuracy[name].std(0)
    print(f"{name:27} right inside {a:.1%} ± {c:.1%}   at outlines {b:.1%} ± {d:.1%}")
difference = accuracy["transposed, from bilinear"].mean(0) - accuracy["bilinear, fixed"].mean(0)
assert difference.abs().max() < 0.04

# %% [markdown]
# Inside, all five are right at more than nine pixels of ten; at outlines at fewer than seven. The two kinds of places differ a great deal. The five ways up hardly do. From a perfect map of the
# same size, the tent reached a boundary F1 of 0.88; here it reaches 0.53. What is missing at the outlines is missing in the map already, and no way up can know what the encoder did not
# keep. No vase effect of interpolation here. The cure is to fetch the fine detail from earlier layers: skips (lessons
# 03 and 04), indices (05), or never to give up the resolution (06).

# %% [markdown]
# ## 11. What the documents say, measured
#
# | statement | verdict |
# | --- | --- |
# | transposed convolution serves to upsample | holds if the stride is above 1 |
# | three steps: insert zeros, padding k − p − 1, convolve | holds if the kernel is turned and its channels change places |
# | (2, 2) → 2H, (4, 2) → 2H + 2, (16, 8) → 8H + 8 | holds |
# | it is an inverse convolution | does not hold: the transpose |
# | learned, it adapts to the task better | holds if the coarse map is good; trained end to end, no gain |
# | sharper edges, better small objects | does not hold here; from a random start it is worse |
# | seamless end-to-end training | holds; so does interpolation |
# | it keeps spatial continuity | does not hold: ripples, which interpolation never has |
# | interpolation loses information | does not hold: all of it can be recovered |
# | it reduces the "vase effect" | does not hold: no gain inside or at outlines |
#
# Mind the limits: one small network, short training, one data set, stride 4. The claims were made without any. Whoever makes one for another network has the cells to test it; lesson 05
# compares ways up in whole decoders that were trained longer.
# The full list, with the cell behind each verdict, is in `docs/claims.md`.
#
# What to take home: start a transposed convolution from the tent, let the stride divide the kernel, and have a fixed interpolation in your table as the one to beat.

# %% [markdown]
# ## 12. Your turn
#
# - **Vary.** In section 1, set stride 4 with the 3×3 kernel. Predict which pixels stay 0.
# - **Vary.** In section 10, train "transposed, from random" for 480 steps. Does it catch up?
# - **Vary.** Give `BilinearDeconv` a `kernel_size` of 7 (an odd tent) and padding 2 in section 10. Predict the size first: what is missing?
# - **Exercise notebook:** [exercises/02_transposed_conv](exercises/02_transposed_conv/02_transposed_conv.ipynb): five tasks that check
#   themselves and one to write about.
#
# **Further reading.** Dumoulin & Visin (2016), *A guide to convolution arithmetic for deep learning*, chapter 4. · Long, Shelhamer & Darrell (2015), *Fully Convolutional
# Networks for Semantic Segmentation*, section 3.3. · Odena, Dumoulin & Olah (2016), *Deconvolution and Checkerboard Artifacts* (Distill). · Shi et al. (2016), *Is the
# deconvolution layer the same as a convolutional layer?*
