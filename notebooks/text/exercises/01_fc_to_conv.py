# %% [markdown]
# # Exercise 01 · A classifier is already a segmenter
#
# Five tasks that check themselves, and one to write about. Work through lesson 01 first.
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
# ## Task 1 · Sizes (2 points)
#
# A window of `window` × `window` pixels moves over an image in steps of `stride` pixels, both ways. Only windows that lie
# inside the image count. Return the size (rows, columns) of the score map.

# %% nbgrader={"grade": false, "grade_id": "score-map-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
def score_map_size(image_size: tuple[int, int], window: int, stride: int) -> tuple[int, int]:
    """Size (rows, columns) of the score map of an image of size (height, width)."""
    ### BEGIN SOLUTION
    height, width = image_size
    return (height - window) // stride + 1, (width - window) // stride + 1
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-score-map-size", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert score_map_size((384, 384), 224, 32) == (6, 6), "the example of lesson 01: (384 − 224) / 32 + 1 = 6"
assert score_map_size((224, 288), 224, 32) == (1, 3), "rows first, then columns; the image need not be square"
### BEGIN HIDDEN TESTS
assert score_map_size((255, 256), 224, 32) == (1, 2), "a window that sticks out does not count: round down"
assert score_map_size((100, 60), 10, 7) == (13, 8)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · The weights of a fully connected layer as kernels (2 points)
#
# `weight` is the matrix of a fully connected layer that reads a flattened (C, h, w) map. Return the kernels of the
# convolution that computes the same: a tensor (out, C, h, w). Don't copy the numbers.

# %% nbgrader={"grade": false, "grade_id": "kernels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kernels_of(weight: Tensor, channels: int, height: int, width: int) -> Tensor:
    """(out, C·h·w) matrix → (out, C, h, w) kernels, sharing its memory."""
    ### BEGIN SOLUTION
    return weight.view(len(weight), channels, height, width)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-kernels", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
matrix, feature_map = torch.randn(5, 3 * 2 * 4), torch.randn(1, 3, 2, 4)
kernels = kernels_of(matrix, 3, 2, 4)
assert kernels.shape == (5, 3, 2, 4), f"the kernels have shape {tuple(kernels.shape)}, expected (5, 3, 2, 4)"
by_convolution = F.conv2d(feature_map, kernels).flatten()
assert torch.allclose(by_convolution, matrix @ feature_map.flatten(), atol=1e-5), (
    "the shape is right but the results differ: in which order does flatten() read the map?"
)
### BEGIN HIDDEN TESTS
assert kernels.data_ptr() == matrix.data_ptr(), "the kernels are a copy; a view would do"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · A convolutional head (3 points)
#
# Turn a classifier's head, a list of linear layers with a ReLU between each two, into a network of convolutions: from a map
# (N, C, H, W) to scores (N, K, h, w). The first linear layer reads a flattened (C, h, w) map.
#
# You may use `kernels_of`. Give the convolutions the linear layers' weights *and* biases.

# %% nbgrader={"grade": false, "grade_id": "head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def convolutional_head(linears: list[nn.Linear], channels: int, height: int, width: int) -> nn.Module:
    """The same head as convolutions: (N, C, H, W) → (N, K, H − height + 1, W − width + 1)."""
    ### BEGIN SOLUTION
    layers = []
    for linear in linears:
        conv = nn.Conv2d(channels, linear.out_features, (height, width))
        conv.weight = nn.Parameter(linear.weight.detach().view(-1, channels, height, width))
        conv.bias = linear.bias
        layers += [conv, nn.ReLU()]
        channels, height, width = linear.out_features, 1, 1
    return nn.Sequential(*layers[:-1])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-head-same-size", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
linears = [nn.Linear(6 * 2 * 3, 8), nn.Linear(8, 7), nn.Linear(7, 4)]
classifier = nn.Sequential(nn.Flatten(), linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])
head = convolutional_head(linears, 6, 2, 3)
small = torch.randn(5, 6, 2, 3)
assert head(small).shape == (5, 4, 1, 1), f"a 2×3 map gives {tuple(head(small).shape)}, expected (5, 4, 1, 1)"
assert torch.allclose(head(small).flatten(1), classifier(small), atol=1e-5), (
    "at the classifier's own size its scores must come out: weights, biases, a ReLU between layers, none at the end"
)

# %% nbgrader={"grade": true, "grade_id": "test-head-larger", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
large = torch.randn(1, 6, 5, 9)
scores = head(large)
assert scores.shape == (1, 4, 4, 7), f"a 5×9 map gives {tuple(scores.shape)}, expected (1, 4, 4, 7)"
### BEGIN HIDDEN TESTS
for row in range(4):
    for column in range(7):
        window = large[:, :, row : row + 2, column : column + 3]
        assert torch.allclose(scores[:, :, row, column], classifier(window), atol=1e-5), (
            f"the score at ({row}, {column}) is not the classifier's answer for that window"
        )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · Stitch (3 points)
#
# A network of stride 32 ran on `factor`² shifted images. `passes[dy, dx]` holds the scores (K, h, w) of the image shifted by
# dy·(32 / factor) pixels down and dx·(32 / factor) across. Interlace them into one map. Passes may differ in size by one row or
# column: a shifted image is smaller.

# %% nbgrader={"grade": false, "grade_id": "stitch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stitch(passes: dict[tuple[int, int], Tensor], factor: int) -> Tensor:
    """Interlace factor² score maps (K, about h, about w) into one (K, rows, columns)."""
    ### BEGIN SOLUTION
    classes = len(passes[0, 0])
    rows = sum(passes[dy, 0].shape[1] for dy in range(factor))
    columns = sum(passes[0, dx].shape[2] for dx in range(factor))
    stitched = passes[0, 0].new_zeros(classes, rows, columns)
    for (dy, dx), scores in passes.items():
        stitched[:, dy::factor, dx::factor] = scores
    return stitched
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-stitch-even", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
whole = torch.arange(2 * 4 * 6.0).view(2, 4, 6)
passes = {(dy, dx): whole[:, dy::2, dx::2] for dy in range(2) for dx in range(2)}
size = tuple(stitch(passes, 2).shape)
assert size == (2, 4, 6), f"four passes of 2×3 give {size}, expected (2, 4, 6)"
assert torch.equal(stitch(passes, 2), whole), "row 1 of the result comes from the passes that were shifted down"

# %% nbgrader={"grade": true, "grade_id": "test-stitch-odd", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
whole = torch.randn(3, 11, 23)  # lesson 01: 384 × 576 at stride 16
passes = {(dy, dx): whole[:, dy::2, dx::2] for dy in range(2) for dx in range(2)}
assert torch.equal(stitch(passes, 2), whole), "6 rows and 5 rows interlace to 11"
### BEGIN HIDDEN TESTS
for rows, columns, factor in ((21, 45, 4), (7, 7, 1), (9, 5, 3)):
    whole = torch.randn(2, rows, columns)
    passes = {(dy, dx): whole[:, dy::factor, dx::factor] for dy in range(factor) for dx in range(factor)}
    assert torch.equal(stitch(passes, factor), whole), f"wrong for factor {factor} and a map of {rows}×{columns}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · Receptive field (3 points)
#
# A chain of layers is given as (kernel size, stride) pairs, first layer first. How many input pixels, along one side, can change
# one unit of the last layer?
#
# Reminder: each layer adds (kernel − 1) times the distance, in input pixels, between the units that it reads.

# %% nbgrader={"grade": false, "grade_id": "receptive-field", "locked": false, "schema_version": 3, "solution": true, "task": false}
def receptive_field_size(layers: list[tuple[int, int]]) -> int:
    """Side of the receptive field, in pixels, of a chain of (kernel, stride) layers."""
    ### BEGIN SOLUTION
    size, distance = 1, 1
    for kernel, stride in layers:
        size += (kernel - 1) * distance
        distance *= stride
    return size
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-receptive-field-stride-1", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert receptive_field_size([(3, 1)]) == 3
assert receptive_field_size([(3, 1), (3, 1)]) == 5, "two 3×3 convolutions see 5 pixels"

# %% nbgrader={"grade": true, "grade_id": "test-receptive-field", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
vgg_to_pool2 = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2)]
assert receptive_field_size(vgg_to_pool2) == 16, "lesson 01, section 7: VGG16 after pool2"
### BEGIN HIDDEN TESTS
assert receptive_field_size([]) == 1, "without any layer, a unit is its own pixel"
alexnet = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2), (6, 1)]
assert receptive_field_size(alexnet) == 355
vgg16 = [layer for convs in (2, 2, 3, 3, 3) for layer in [(3, 1)] * convs + [(2, 2)]] + [(7, 1)]
assert receptive_field_size(vgg16) == 404
### END HIDDEN TESTS

# %% [markdown]
# ## Task 6 · In your own words (4 points)
#
# A colleague says: *"I replaced our sliding window by the converted VGG16. Same scores, eleven times faster."* They tested on one
# 384×384 photo and looked at the class with the highest score.
#
# What is right about this, what is not, and which two measurements would you ask for? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | the scores are *not* the same, and padding is named as the reason |
# | 1 | the best class can agree all the same: what was tested is not what was claimed |
# | 1 | eleven is the ratio of multiply-adds at this size; time is another measurement, and other sizes have other ratios |
# | 1 | two measurements that would settle it, each with what to compare |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The direction is right: one pass shares the work of overlapping windows. But the scores are not the same: VGG16 pads every
# convolution with zeros, a crop meets those zeros at its own border and the whole photo does not. Lesson 01 measured relative
# differences of 22 to 34 % of the scores with random weights, and 56 % in a trained network whose best class still agreed at 99 % of the positions. So a test
# of the best class shows that decisions agree, on one photo, and nothing about scores. Eleven is the ratio of multiply-adds for
# 36 windows at 384 pixels; the clock gives another number, and a larger photo another ratio. I would ask for (1) the relative
# difference of all scores, and the share of equal decisions, over a few hundred photos; (2) the time of both on the production
# machine, for the sizes that occur there.
# ### END SOLUTION
