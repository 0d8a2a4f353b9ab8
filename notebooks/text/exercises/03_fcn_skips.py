# %% [markdown]
# # Exercise 03 · Skips: what is there, and where it ends
#
# Five tasks that check themselves, and one to write about. Work through lesson 03 first.
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
# ## Task 1 · Where does unit 0 look? (2 points)
#
# A chain of layers is given as (kernel size, stride, padding), first layer first. Return the pixel, along one side of the image,
# that lies in the middle of what unit 0 of the last layer sees. Pixel 0 is the first of the image; padding lies at negative
# numbers; a middle between two pixels ends in .5.
#
# Reminder: unit 0 reads `kernel` units of the layer before. The first of them is unit −padding, and their middle lies (kernel − 1) / 2 units
# after it. How far apart the units are that a layer reads, in pixels, depends on the strides before it.

# %% nbgrader={"grade": false, "grade_id": "center", "locked": false, "schema_version": 3, "solution": true, "task": false}
def center_of_unit_0(layers: list[tuple[int, int, int]]) -> float:
    """The pixel in the middle of what unit 0 sees, for a chain of (kernel, stride, padding)."""
    ### BEGIN SOLUTION
    center, distance = 0.0, 1
    for kernel, stride, padding in layers:
        center += ((kernel - 1) / 2 - padding) * distance
        distance *= stride
    return center
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-center-first-layer", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert center_of_unit_0([(2, 2, 0)]) == 0.5, "a pooling of two pixels looks between them"
assert center_of_unit_0([(3, 1, 1)]) == 0, "a 3×3 convolution with padding 1 stays where it is"
assert center_of_unit_0([(3, 1, 100)]) == -99, "with padding 100 unit 0 looks at the padding"
assert center_of_unit_0([(3, 1, 0), (5, 1, 0)]) == 3, "the middles of both layers add up"

# %% nbgrader={"grade": true, "grade_id": "test-center", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert center_of_unit_0([(2, 2, 0), (2, 2, 0)]) == 1.5, "the second pooling reads units that are two pixels apart"
### BEGIN HIDDEN TESTS
vgg16 = [layer for convs in (2, 2, 3, 3, 3) for layer in [(3, 1, 1)] * convs + [(2, 2, 0)]] + [(7, 1, 0)]
assert center_of_unit_0(vgg16) == 111.5
assert center_of_unit_0([(3, 1, 100), *vgg16[1:]]) == 12.5, "VGG16 with padding 100: lesson 03, section 3"
assert center_of_unit_0([]) == 0
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · The last crop (2 points)
#
# Unit 0 of a score map lies over pixel `center` of the image. A transposed convolution without padding, whose stride is the
# distance of the units, enlarges the map with a kernel of `kernel` pixels. Return how many rows (and columns) to cut off at the start of the
# enlarged map, so that what is left begins at pixel 0 of the image.
#
# If no whole number will do, raise a `ValueError`.

# %% nbgrader={"grade": false, "grade_id": "crop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def final_crop(center: float, kernel: int) -> int:
    """Rows to cut off at the start of an enlarged score map."""
    ### BEGIN SOLUTION
    crop = (kernel - 1) / 2 - center
    if crop != int(crop):
        raise ValueError(f"no crop of whole pixels aligns a unit over pixel {center} with a kernel of {kernel}")
    return int(crop)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-crop-32s", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert final_crop(12.5, 64) == 19, "FCN-32s: the middle of a kernel of 64 is 31.5"
### BEGIN HIDDEN TESTS
assert final_crop(13, 63) == 18, "FCN on AlexNet"
assert final_crop(-23.5, 16) == 31, "FCN-8s"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test-crop-half", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
try:
    final_crop(13, 64)
except ValueError:
    pass
else:
    raise AssertionError("a kernel of 64 over AlexNet's units is half a pixel off: raise a ValueError")
### BEGIN HIDDEN TESTS
assert final_crop(0, 1) == 0, "a kernel of one pixel needs no crop"
try:
    final_crop(12.5, 63)
except ValueError:
    pass
else:
    raise AssertionError("12.5 does not fit an odd kernel")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · A bilinear kernel (3 points)
#
# Return the kernel of a transposed convolution that interpolates: (2·stride, 2·stride), a tent. Its height is 1 − distance / stride
# along each axis, with the distance from the kernel's middle; the two axes are multiplied.

# %% nbgrader={"grade": false, "grade_id": "kernel", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tent_kernel(stride: int) -> Tensor:
    """The bilinear kernel, float32 (2·stride, 2·stride)."""
    ### BEGIN SOLUTION
    distance = (torch.arange(2 * stride) - (2 * stride - 1) / 2).abs()
    tent = 1 - distance / stride
    return tent[:, None] * tent
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-kernel-2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
kernel = tent_kernel(2)
assert kernel.shape == (4, 4), f"for stride 2 the kernel has shape {tuple(kernel.shape)}, expected (4, 4)"
row = torch.tensor([1.0, 3, 3, 1]) / 4
assert torch.allclose(kernel, torch.outer(row, row)), "for stride 2: the product of (1, 3, 3, 1) / 4 with itself"

# %% nbgrader={"grade": true, "grade_id": "test-kernel", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert tent_kernel(8).shape == (16, 16)
### BEGIN HIDDEN TESTS
for stride in (4, 8, 16):
    maps = torch.randn(1, 1, 4, 5)
    enlarged = F.conv_transpose2d(maps, tent_kernel(stride)[None, None], stride=stride, padding=stride // 2)
    interpolated = F.interpolate(maps, scale_factor=stride, mode="bilinear", align_corners=False)
    inside = slice(stride // 2, -stride // 2)
    assert torch.allclose(enlarged[..., inside, inside], interpolated[..., inside, inside], atol=1e-5), (
        f"with stride {stride} it is not bilinear interpolation"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · Double, crop, add (3 points)
#
# One join of FCN. `coarse` holds scores (N, K, h, w), `fine` the scores of a layer with half its stride, (N, K, H, W). Double `coarse` by a
# transposed convolution with stride 2 and no padding, whose `kernel` (4, 4) is used for each class by itself. Its result begins at
# row and column `offset` of `fine`. Add the two where both are, which is all of the doubled map, and return the sum.

# %% nbgrader={"grade": false, "grade_id": "join", "locked": false, "schema_version": 3, "solution": true, "task": false}
def double_crop_add(coarse: Tensor, fine: Tensor, kernel: Tensor, offset: int) -> Tensor:
    """(N, K, h, w) and (N, K, H, W) → (N, K, 2h + 2, 2w + 2)."""
    ### BEGIN SOLUTION
    classes = coarse.shape[1]
    kernels = kernel.expand(classes, 1, 4, 4)
    doubled = F.conv_transpose2d(coarse, kernels, stride=2, groups=classes)
    height, width = doubled.shape[2:]
    return doubled + fine[:, :, offset : offset + height, offset : offset + width]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-join-sum", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
row = torch.tensor([1.0, 3, 3, 1]) / 4
kernel = torch.outer(row, row)
coarse, fine = torch.randn(1, 1, 3, 3), torch.randn(1, 1, 8, 8)
joined = double_crop_add(coarse, fine, kernel, 0)
assert joined.shape == (1, 1, 8, 8), f"3×3 scores give a map of {tuple(joined.shape[2:])}, expected 2·3 + 2 = 8"
assert torch.allclose(joined, F.conv_transpose2d(coarse, kernel[None, None], stride=2) + fine, atol=1e-5)

# %% nbgrader={"grade": true, "grade_id": "test-join", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
coarse, fine = torch.zeros(2, 3, 4, 6), torch.randn(2, 3, 24, 28)
joined = double_crop_add(coarse, fine, kernel, 5)
assert joined.shape == (2, 3, 10, 14), f"got {tuple(joined.shape)}, expected (2, 3, 10, 14)"
### BEGIN HIDDEN TESTS
assert torch.equal(joined, fine[:, :, 5:15, 5:19]), "doubled zeros: what is left is `fine` from row and column 5 on"
coarse[:, 1] = 1
changed = double_crop_add(coarse, torch.zeros_like(fine), kernel, 5)
assert changed[:, 1, 2:-2, 2:-2].allclose(torch.tensor(1.0)), "inside, doubling keeps a constant"
assert not changed[:, [0, 2]].any(), "each class is doubled by itself: class 1 leaks into the others"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · The sum as a concatenation (2 points)
#
# Two layers are scored by 1×1 convolutions and the scores are added. Return weight and bias of *one* 1×1 convolution that gives the same from
# the concatenated features, `torch.cat([deep, shallow], dim=1)`.

# %% nbgrader={"grade": false, "grade_id": "concat", "locked": false, "schema_version": 3, "solution": true, "task": false}
def as_one_convolution(
    deep_weight: Tensor, deep_bias: Tensor, shallow_weight: Tensor, shallow_bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Weights (K, C, 1, 1) and (K, c, 1, 1), biases (K,) → weight (K, C + c, 1, 1) and bias (K,)."""
    ### BEGIN SOLUTION
    return torch.cat([deep_weight, shallow_weight], dim=1), deep_bias + shallow_bias
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-concat", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
deep, shallow = torch.randn(2, 6, 3, 5), torch.randn(2, 4, 3, 5)
weights = torch.randn(7, 6, 1, 1), torch.zeros(7), torch.randn(7, 4, 1, 1), torch.zeros(7)
summed = F.conv2d(deep, weights[0]) + F.conv2d(shallow, weights[2])
weight, bias = as_one_convolution(*weights)
assert weight.shape == (7, 10, 1, 1), f"the weight has shape {tuple(weight.shape)}, expected (7, 6 + 4, 1, 1)"
assert torch.allclose(F.conv2d(torch.cat([deep, shallow], 1), weight), summed, atol=1e-5), "deep comes first"

# %% nbgrader={"grade": true, "grade_id": "test-concat-bias", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert bias.shape == (7,), f"the bias has shape {tuple(bias.shape)}, expected (7,): one number per class"
### BEGIN HIDDEN TESTS
weights = torch.randn(7, 6, 1, 1), torch.randn(7), torch.randn(7, 4, 1, 1), torch.randn(7)
summed = F.conv2d(deep, weights[0], weights[1]) + F.conv2d(shallow, weights[2], weights[3])
one = F.conv2d(torch.cat([deep, shallow], 1), *as_one_convolution(*weights))
assert torch.allclose(one, summed, atol=1e-5), "with biases that are not zero the results differ"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 6 · In your own words (4 points)
#
# A colleague writes: *"I added a skip from pool2 to our FCN-8s. Mean IoU went from 0.712 to 0.716, so skips from earlier layers help.
# I also replaced the sum of scores by a concatenation of the features with a 1×1 convolution on top, since concatenation keeps more
# information."*
#
# What do you answer? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | one run each: a difference of 0.004 means nothing unless it is larger than what equal networks with other seeds differ by |
# | 1 | a measurement that would show what a fine skip is for, such as the IoU of thin classes or a boundary score |
# | 1 | the concatenation with one 1×1 convolution computes the same functions as the sum of scores, and why |
# | 1 | what it changes instead: the cost, or what would have to follow it to make a difference |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# One run of each proves little. Train both networks from at least three seeds; if networks of the same kind differ by 0.01, a gain of 0.004
# may be chance. Also look where a finer skip should act: the IoU of poles and people, and a boundary score with a small tolerance. The mean IoU
# is ruled by large regions that stride 8 draws well already. The concatenation keeps no more information: a 1×1 convolution over
# concatenated features multiplies each part by its own half of the weights and adds. That is the sum of two score maps, exactly, with as
# many weights. What changes is the cost, for thousands of feature channels are upsampled instead of one channel per class. A
# concatenation differs from the sum only if something non-linear follows that sees both parts, such as U-Net's 3×3 convolutions with ReLU.
# ### END SOLUTION
