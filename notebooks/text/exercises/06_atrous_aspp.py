# %% [markdown]
# # Exercise 06 · Atrous convolution and ASPP
#
# Four tasks that check themselves, and one to write about. Work through lesson 06 first.
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
from torch import Tensor, nn

torch.manual_seed(0);

# %% [markdown]
# ## Task 1 · A kernel with holes (2 points)
#
# Return the kernel (O, C, k, l) with zeros put between its weights, so that an ordinary convolution with it is an atrous convolution
# of this rate with `weight`. Leave `weight` as it is.

# %% nbgrader={"grade": false, "grade_id": "stuffed-kernel", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stuffed_kernel(weight: Tensor, rate: int) -> Tensor:
    """The kernel that an atrous convolution of this rate slides over the map."""
    ### BEGIN SOLUTION
    rows, columns = (rate * (side - 1) + 1 for side in weight.shape[2:])
    stuffed = weight.new_zeros(*weight.shape[:2], rows, columns)
    stuffed[:, :, ::rate, ::rate] = weight
    return stuffed
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-stuffed-rate-2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
weight, image = torch.randn(4, 3, 3, 3), torch.randn(1, 3, 11, 14)
size = tuple(stuffed_kernel(weight, 2).shape)
assert size == (4, 3, 5, 5), f"a 3×3 kernel at rate 2 covers 5×5; yours has shape {size}"
by_zeros = F.conv2d(image, stuffed_kernel(weight, 2))
assert torch.allclose(by_zeros, F.conv2d(image, weight, dilation=2), atol=1e-4), "the size is right, the weights lie elsewhere"

# %% nbgrader={"grade": true, "grade_id": "test-stuffed-any", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert torch.equal(stuffed_kernel(weight, 1), weight), "at rate 1 there is no hole"
### BEGIN HIDDEN TESTS
before = torch.randn(2, 3, 2, 4)
for rate in (2, 3, 5):
    kernel = before.clone()
    image = torch.randn(1, 3, 13, 19)
    expected = F.conv2d(image, before, dilation=rate)
    stuffed = stuffed_kernel(kernel, rate)
    assert stuffed.shape[2:] == (rate + 1, 3 * rate + 1), f"wrong size for a 2×4 kernel at rate {rate}"
    assert torch.allclose(F.conv2d(image, stuffed), expected, atol=1e-4), f"wrong for a 2×4 kernel at rate {rate}"
    assert torch.equal(kernel, before), "the kernel that was given has changed"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · Take the stride out (3 points)
#
# `first` has a stride s, `second` reads what it puts out, with stride 1. Return two new convolutions with the *same weights and biases* but
# no stride, so that their output, at every s-th row and column, is the old output. Leave the given layers as they are.

# %% nbgrader={"grade": false, "grade_id": "without-stride", "locked": false, "schema_version": 3, "solution": true, "task": false}
def without_stride(first: nn.Conv2d, second: nn.Conv2d) -> nn.Sequential:
    """Two convolutions of stride 1: what `first` and `second` say, and what lies between."""
    ### BEGIN SOLUTION
    rate = first.stride[0]
    dense_first = nn.Conv2d(first.in_channels, first.out_channels, first.kernel_size, padding=first.padding)
    dense_second = nn.Conv2d(
        second.in_channels, second.out_channels, second.kernel_size,
        padding=tuple(rate * side for side in second.padding), dilation=rate,
    )
    dense_first.load_state_dict(first.state_dict())
    dense_second.load_state_dict(second.state_dict())
    return nn.Sequential(dense_first, dense_second)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-without-stride-2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
first, second = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 5, 3, padding=1)
image = torch.randn(2, 3, 20, 29)
dense = without_stride(first, second)(image)
assert dense.shape == (2, 5, 20, 29), f"20×29 pixels give {tuple(dense.shape[2:])}; without strides the size stays"
assert torch.allclose(dense[:, :, ::2, ::2], second(first(image)), atol=1e-4), "every second answer should be an old one"

# %% nbgrader={"grade": true, "grade_id": "test-without-stride-any", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert first.stride == (2, 2) and second.dilation == (1, 1), "the layers that were given have changed"
### BEGIN HIDDEN TESTS
for stride, side, padding in ((3, 3, 1), (2, 5, 2), (4, 3, 0), (2, 1, 0), (1, 3, 1)):
    first = nn.Conv2d(3, 4, side, stride=stride, padding=padding)
    second = nn.Conv2d(4, 2, 3, padding=padding)
    image = torch.randn(1, 3, 31, 42)
    expected = second(first(image))
    dense = without_stride(first, second)(image)[:, :, ::stride, ::stride]
    rows, columns = expected.shape[2:]
    assert torch.allclose(dense[:, :, :rows, :columns], expected, atol=1e-4), (
        f"wrong for stride {stride}, a first kernel of {side}×{side} and padding {padding}"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · Through the holes (3 points)
#
# 3×3 convolutions of stride 1 lie on top of one another; `rates` are their rates, first layer first. How many *different* pixels of the input can
# one output read? Far from the border; pixels in the gaps don't count.

# %% nbgrader={"grade": false, "grade_id": "pixels-seen", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pixels_seen(rates: list[int]) -> int:
    """Number of pixels that one output of stacked 3×3 convolutions reads."""
    ### BEGIN SOLUTION
    offsets = {0}
    for rate in rates:
        offsets = {offset + step for offset in offsets for step in (-rate, 0, rate)}
    return len(offsets) ** 2  # rows and columns are alike, and independent
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-pixels-equal-rates", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert pixels_seen([1]) == 9
assert pixels_seen([1, 1, 1]) == 49, "three ordinary layers see 7×7 pixels"
assert pixels_seen([2, 2, 2]) == 49, "lesson 06, section 4: every second row and column of 13×13"

# %% nbgrader={"grade": true, "grade_id": "test-pixels-any-rates", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert pixels_seen([1, 2, 4]) == 225, "multi-grid leaves no gap: 15×15"
### BEGIN HIDDEN TESTS
assert pixels_seen([]) == 1, "without any layer, an output is its own pixel"
assert pixels_seen([2, 4, 8]) == 225
assert pixels_seen([1, 2, 5]) == 17**2, "rates 1, 2, 5 leave no gap either"
assert pixels_seen([1, 3, 9]) == 27**2
assert pixels_seen([4, 1]) == 81 and pixels_seen([1, 4]) == 81, "the order does not matter"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · Weights in use (3 points)
#
# A 3×3 convolution of this rate runs over a map of `height` × `width`, padded by `rate` zeros on each side, so that the size stays. Which share
# of its weights meets the map, and not the padding? Take the mean over all positions and all nine weights: a number from 1/9 to 1.

# %% nbgrader={"grade": false, "grade_id": "share-in-use", "locked": false, "schema_version": 3, "solution": true, "task": false}
def share_in_use(height: int, width: int, rate: int) -> float:
    """Mean share of the nine weights that lie on the map."""
    ### BEGIN SOLUTION
    share = 1.0
    for side in (height, width):
        share *= (side + 2 * max(0, side - rate)) / (3 * side)
    return share
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-share-square", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert abs(share_in_use(33, 33, 6) - 0.772) < 0.001, "lesson 06, section 5: 77.2% on 33×33 at rate 6"
assert abs(share_in_use(65, 65, 24) - 0.568) < 0.001

# %% nbgrader={"grade": true, "grade_id": "test-share-any", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert abs(share_in_use(20, 20, 20) - 1 / 9) < 1e-9, "from rate = side on, the centre alone is left"
### BEGIN HIDDEN TESTS
for height, width, rate in ((12, 30, 5), (30, 12, 5), (7, 40, 9), (5, 6, 50), (1, 1, 1)):
    ones = torch.ones(1, 1, height, width)
    expected = F.conv2d(ones, torch.ones(1, 1, 3, 3), padding=rate, dilation=rate).mean().item() / 9
    assert abs(share_in_use(height, width, rate) - expected) < 1e-5, f"wrong for {height}×{width} at rate {rate}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · In your own words (4 points)
#
# A colleague trains DeepLab v3 at output stride 16 on images of 257×257 pixels. *"I gave ASPP the rates 12, 24 and 36, to see more context. It has the same number of
# parameters, so it costs nothing. The IoU went down. So context doesn't help on our data."*
#
# What is right about this, what is not, and what would you try instead, at which price? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | the map is 17×17, so the rates 24 and 36 are exactly 1×1 convolutions, and at 12 no position has all nine weights |
# | 1 | the conclusion does not follow: larger context was not tested; what is seen of the whole image comes from image pooling |
# | 1 | equal parameters (right) are not equal cost in general: multiply-adds and memory follow the size of the map |
# | 1 | something to try, with its price: lower rates at the same cost, or output stride 8 (map 33×33) for several times the work; measured over seeds |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The number of parameters is indeed the same. But at output stride 16 the map of a 257×257 image has 17×17 positions. At rates 24 and 36 every outer weight reads padding, everywhere: these branches
# are exactly 1×1 convolutions. At rate 12 no position has all nine weights on the map. So the network sees *less* through its branches than with 6, 12, 18, and what it knows of the whole image comes from
# image pooling. The experiment says nothing about context. Parameters are also not the cost: multiply-adds and memory follow the size of the map. I would try rates such as 2, 4, 6 at the same price, or output stride
# 8, whose map is 33×33: for ResNet-50 about three times the multiply-adds of output stride 16. Both over at least three seeds, with the IoU of each class beside the time.
# ### END SOLUTION
