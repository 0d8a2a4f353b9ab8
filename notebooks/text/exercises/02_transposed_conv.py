# %% [markdown]
# # Exercise 02 · Upsampling that learns: transposed convolution
#
# Five tasks that check themselves, and one to write about. Work through lesson 02 first.
#
# Write your code where it says `YOUR CODE HERE`. Run the cell under it: if it says nothing, your answer passes the tests that
# you can see. More tests run when your work is graded. Before you hand in: *Kernel → Restart Kernel and Run All Cells*.

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
import torch
import torch.nn.functional as F
from torch import Tensor

torch.manual_seed(0);

# %% [markdown]
# ## Task 1 · The way back (2 points)
#
# A convolution with these settings read a map of `size` pixels along one side. A transposed convolution with the same kernel, stride and
# padding goes back. Which output padding gives exactly `size` pixels again?

# %% nbgrader={"grade": false, "grade_id": "way-back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def output_padding_for(size: int, kernel: int, stride: int, padding: int) -> int:
    """The output padding with which a transposed convolution returns to `size`."""
    ### BEGIN SOLUTION
    small = (size + 2 * padding - kernel) // stride + 1
    return size - ((small - 1) * stride + kernel - 2 * padding)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-way-back-stride-2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert output_padding_for(5, 3, 2, 1) == 0, "5 → 3 → 5"
assert output_padding_for(6, 3, 2, 1) == 1, "6 → 3 → 5, so one pixel is missing"

# %% nbgrader={"grade": true, "grade_id": "test-way-back", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert output_padding_for(7, 1, 3, 0) == 0, "7 → 3 → 7"
### BEGIN HIDDEN TESTS
for size, kernel, stride, padding in ((30, 5, 4, 2), (31, 5, 4, 2), (33, 4, 3, 0), (12, 2, 5, 1), (9, 4, 1, 1), (10, 4, 2, 0)):
    small = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), stride=stride, padding=padding)
    extra = output_padding_for(size, kernel, stride, padding)
    back = F.conv_transpose1d(small, torch.zeros(1, 1, kernel), stride=stride, padding=padding, output_padding=extra)
    assert back.shape[2] == size, f"size {size}, kernel {kernel}, stride {stride}, padding {padding}: {extra} is wrong"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · Stamps with channels (3 points)
#
# Write a transposed convolution with loops, slices and sums: no call of a convolution, transposed or not. `x` is one map (C_in, H, W) and `w` a weight
# (C_in, C_out, kh, kw). First stamp everything, then crop `padding` pixels all round.

# %% nbgrader={"grade": false, "grade_id": "stamps", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_transpose(x: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
    """(C_in, H, W) → (C_out, (H − 1)·stride + kh − 2·padding, (W − 1)·stride + kw − 2·padding)."""
    ### BEGIN SOLUTION
    (_, height, width), (_, out_channels, kh, kw) = x.shape, w.shape
    out = torch.zeros(out_channels, (height - 1) * stride + kh, (width - 1) * stride + kw)
    for i in range(height):
        for j in range(width):
            stamp = (x[:, i, j, None, None, None] * w).sum(0)  # (C_out, kh, kw)
            out[:, i * stride : i * stride + kh, j * stride : j * stride + kw] += stamp
    return out[:, padding : out.shape[1] - padding, padding : out.shape[2] - padding]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-stamps-one-channel", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x, w = torch.randn(1, 2, 3), torch.randn(1, 1, 3, 3)
got = conv_transpose(x, w, stride=2, padding=0)
assert got.shape == (1, 5, 7), f"a 2×3 map, kernel 3, stride 2 gives {tuple(got.shape)}, expected (1, 5, 7)"
assert torch.allclose(got, F.conv_transpose2d(x, w, stride=2), atol=1e-5), "where stamps overlap, they add up"

# %% nbgrader={"grade": true, "grade_id": "test-stamps", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
x, w = torch.randn(3, 4, 5), torch.randn(3, 2, 4, 4)
got = conv_transpose(x, w, stride=2, padding=1)
assert got.shape == (2, 8, 10), f"a 4×5 map, kernel 4, stride 2, padding 1 gives {tuple(got.shape)}, expected (2, 8, 10)"
assert torch.allclose(got, F.conv_transpose2d(x, w, stride=2, padding=1), atol=1e-4), "all input channels add up"
### BEGIN HIDDEN TESTS
for size, kernel, stride, padding in (((3, 2), (2, 5), 1, 0), ((2, 4), (5, 3), 3, 1), ((1, 3), (3, 3), 4, 0)):
    x, w = torch.randn(2, *size), torch.randn(2, 3, *kernel)
    expected = F.conv_transpose2d(x, w, stride=stride, padding=padding)
    got = conv_transpose(x, w, stride, padding)
    assert got.shape == expected.shape and torch.allclose(got, expected, atol=1e-4), (
        f"wrong for a {size} map, kernel {kernel}, stride {stride}, padding {padding}"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · A weight that interpolates (3 points)
#
# Return the weight of a transposed convolution that upsamples each of `channels` maps bilinearly, and mixes none: (channels, channels, 2·stride, 2·stride).
# It is used with padding stride / 2.

# %% nbgrader={"grade": false, "grade_id": "bilinear-weight", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bilinear_weight(channels: int, stride: int) -> Tensor:
    """The weight, (channels, channels, 2·stride, 2·stride), for an even stride."""
    ### BEGIN SOLUTION
    distance = (torch.arange(2 * stride) - (2 * stride - 1) / 2).abs()
    tent = 1 - distance / stride
    return torch.eye(channels)[:, :, None, None] * torch.outer(tent, tent)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-bilinear-one-channel", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
weight = bilinear_weight(1, 2)
assert weight.shape == (1, 1, 4, 4), f"one channel, stride 2: shape {tuple(weight.shape)}, expected (1, 1, 4, 4)"
tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
assert torch.allclose(weight[0, 0], torch.outer(tent, tent)), "the product of two tents: 1/4, 3/4, 3/4, 1/4"

# %% nbgrader={"grade": true, "grade_id": "test-bilinear", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
maps = torch.rand(1, 3, 6, 5)
got = F.conv_transpose2d(maps, bilinear_weight(3, 4), stride=4, padding=2)
expected = F.interpolate(maps, scale_factor=4, mode="bilinear")
assert torch.allclose(got[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-5), "inside, it must interpolate each map by itself"
### BEGIN HIDDEN TESTS
for channels, stride in ((2, 2), (4, 6), (1, 8)):
    maps, border = torch.rand(2, channels, 4, 7), stride // 2
    got = F.conv_transpose2d(maps, bilinear_weight(channels, stride), stride=stride, padding=border)
    difference = (got - F.interpolate(maps, scale_factor=stride, mode="bilinear"))[..., border:-border, border:-border]
    assert difference.abs().max() < 1e-5, f"wrong for {channels} channels, stride {stride}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · Will it draw a checkerboard? (2 points)
#
# Away from the border, how many stamps reach an output pixel of a transposed convolution with a `kernel` × `kernel` kernel? Return the fewest and the most.

# %% nbgrader={"grade": false, "grade_id": "overlap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stamps_per_pixel(kernel: int, stride: int) -> tuple[int, int]:
    """(fewest, most) stamps that reach an output pixel, in two dimensions."""
    ### BEGIN SOLUTION
    return (kernel // stride) ** 2, (-(-kernel // stride)) ** 2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-overlap-even", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert stamps_per_pixel(2, 2) == (1, 1), "stamps of 2×2 side by side"
assert stamps_per_pixel(4, 2) == (4, 4), "two down times two across"

# %% nbgrader={"grade": true, "grade_id": "test-overlap", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert stamps_per_pixel(3, 2) == (1, 4), "lesson 02, section 8"
### BEGIN HIDDEN TESTS
for kernel in range(1, 12):
    for stride in range(1, 6):
        counts = F.conv_transpose2d(torch.ones(1, 1, 30, 30), torch.ones(1, 1, kernel, kernel), stride=stride)
        inner = counts[..., 12:-12, 12:-12]
        expected = (int(inner.min()), int(inner.max()))
        got = stamps_per_pixel(kernel, stride)
        assert got == expected, f"kernel {kernel}, stride {stride}: {got}, expected {expected}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · Two layers in one (3 points)
#
# Nearest-neighbour upsampling by `stride`, followed by a 3×3 convolution with padding 1 and no bias, is *one* transposed convolution with kernel stride + 2, the same stride and
# padding 1. Return its weight. `weight` is that of the convolution, (C_out, C_in, 3, 3).
#
# Hint: a stamp is what comes out when one pixel of one channel is 1 and everything else is 0. What does nearest-neighbour upsampling make of such a pixel?

# %% nbgrader={"grade": false, "grade_id": "two-in-one", "locked": false, "schema_version": 3, "solution": true, "task": false}
def as_one_layer(weight: Tensor, stride: int) -> Tensor:
    """(C_out, C_in, 3, 3) → (C_in, C_out, stride + 2, stride + 2)."""
    ### BEGIN SOLUTION
    channels = weight.shape[1]
    blocks = torch.eye(channels)[:, :, None, None].expand(-1, -1, stride, stride)  # a block of ones in each channel
    return F.conv2d(blocks, weight, padding=2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-two-in-one-channel", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
weight, x = torch.randn(1, 1, 3, 3), torch.randn(1, 1, 4, 5)
one = as_one_layer(weight, 2)
assert one.shape == (1, 1, 4, 4), f"one channel, stride 2: shape {tuple(one.shape)}, expected (1, 1, 4, 4)"
two = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
assert torch.allclose(F.conv_transpose2d(x, one, stride=2, padding=1), two, atol=1e-5), "one layer and two layers must agree"

# %% nbgrader={"grade": true, "grade_id": "test-two-in-one", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
weight, x = torch.randn(4, 3, 3, 3), torch.randn(2, 3, 4, 5)
one = as_one_layer(weight, 2)
assert one.shape == (3, 4, 4, 4), f"3 to 4 channels, stride 2: shape {tuple(one.shape)}, expected (3, 4, 4, 4)"
two = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
assert torch.allclose(F.conv_transpose2d(x, one, stride=2, padding=1), two, atol=1e-4), "several channels must agree too"
### BEGIN HIDDEN TESTS
for stride in (1, 3, 4):
    one = as_one_layer(weight, stride)
    two = F.conv2d(F.interpolate(x, scale_factor=stride, mode="nearest"), weight, padding=1)
    assert one.shape == (3, 4, stride + 2, stride + 2), f"stride {stride}: shape {tuple(one.shape)}"
    assert torch.allclose(F.conv_transpose2d(x, one, stride=stride, padding=1), two, atol=1e-4), f"wrong for stride {stride}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 6 · In your own words (4 points)
#
# A colleague writes: *"I replaced the fixed bilinear ×8 at the end of our network by three `nn.ConvTranspose2d(21, 21, 3, stride=2, padding=1,
# output_padding=1)`. Now the upsampling is learned, so it adapts to our task. The mean IoU of my run rose from 61.2 to 61.9."*
#
# What do you expect to see in the outlines, what would you change in the layers, and what would convince you that learning the upsampling helped? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | 2 does not divide 3: uneven overlap, checkerboards or frayed outlines, and why |
# | 1 | the change: a kernel that the stride divides (4, padding 1), started from the bilinear tent instead of random weights |
# | 1 | one run each says little: several starts of both, and a difference larger than their spread |
# | 1 | a comparison that isolates *learning*: the same layers frozen at the tent, on pictures not seen, with scores for outlines or small objects beside the mean IoU |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Stride 2 does not divide kernel 3: output pixels get one, two or four stamps, three times over. I expect a checkerboard in the scores and frayed outlines, at least early in
# training. I would take kernel 4 with padding 1 and no output padding, which doubles the size and overlaps evenly, and start it from the bilinear kernel: then the network need not learn
# to interpolate first. Ripples are still possible; I would look at the answer to a constant map. To believe the 0.7 points I need at least three starts of each
# variant: in lesson 02 starts alone differed by as much. And I need the fair opponent: the same three layers, frozen at the tent. Then learning is all that differs. I would compare on
# validation images, with boundary F1 and the IoU of small classes beside the mean IoU.
# ### END SOLUTION
