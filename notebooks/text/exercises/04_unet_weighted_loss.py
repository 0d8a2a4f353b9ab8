# %% [markdown]
# # Exercise 04 · U-Net, and a loss that looks between the cells
#
# Five tasks that check themselves, and one to write about. Work through lesson 04 first.
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
import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

torch.manual_seed(0);

# %% [markdown]
# ## Task 1 · Sizes of another U (3 points)
#
# A U-Net with `levels` poolings: at each level of the contracting path two 3×3 convolutions without padding, then a 2×2 pooling; two
# convolutions at the bottom; on the way up, at each level, a 2×2 transposed convolution of stride 2 and two convolutions. The
# paper's has `levels=4`.
#
# Return the side of the logits for an image of this `side`, or None if the image does not fit: if a map that is pooled has an odd
# side, or a map would have no pixel left.

# %% nbgrader={"grade": false, "grade_id": "output-side", "locked": false, "schema_version": 3, "solution": true, "task": false}
def output_side(side: int, levels: int = 4) -> int | None:
    """Side of the logits of a U-Net without padding, or None if the image does not fit."""
    ### BEGIN SOLUTION
    for _ in range(levels):
        side -= 4
        if side < 2 or side % 2:
            return None
        side //= 2
    side -= 4
    for _ in range(levels):
        if side < 1:
            return None
        side = 2 * side - 4
    return side if side >= 1 else None
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-output-side-paper", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert output_side(572) == 388, "the paper's figure: 572 → 388"
assert output_side(188) == 4, "the smallest image of lesson 04"

# %% nbgrader={"grade": true, "grade_id": "test-output-side", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert output_side(256) is None, "256 → 252 → 126 → 122 → 61 → 57: that does not halve"
assert output_side(44, levels=2) == 4, "44 → 40 → 20 → 16 → 8 → 4 at the bottom, then 8 → 4 and 8 → 4"
### BEGIN HIDDEN TESTS
assert output_side(172) is None, "every pooling works out, but nothing is left in the end"
assert [n for n in range(400) if output_side(n) is not None] == [n for n in range(188, 400) if n % 16 == 12]
assert all(output_side(n) == n - 184 for n in range(188, 800, 16)), "184 pixels are lost, whatever the size"
assert [n for n in range(70) if output_side(n, levels=2) is not None] == [44, 48, 52, 56, 60, 64, 68]
assert output_side(7, levels=0) == 3 and output_side(4, levels=0) is None, "without a level only the bottom is left"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · Crop and concatenate (2 points)
#
# Join the map of the contracting path, `skip` (N, C, H, W), and that of the expanding path, `features` (N, D, h, w): crop `skip` to its middle
# h×w and put it *first*. H − h and W − w are even, may differ, and may be 0.

# %% nbgrader={"grade": false, "grade_id": "crop-and-concat", "locked": false, "schema_version": 3, "solution": true, "task": false}
def crop_and_concat(skip: Tensor, features: Tensor) -> Tensor:
    """(N, C, H, W) and (N, D, h, w) → (N, C + D, h, w)."""
    ### BEGIN SOLUTION
    height, width = features.shape[2:]
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return torch.cat([skip[:, :, top : top + height, left : left + width], features], dim=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-crop-and-concat-square", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
skip, features = torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)
joined = crop_and_concat(skip, features)
assert joined.shape == (2, 8, 4, 4), f"the joined map is {tuple(joined.shape)}, expected (2, 8, 4, 4)"
assert torch.equal(joined[:, 3:], features), "the features come last, as they are"
assert torch.equal(joined[:, :3, 0, 0], skip[:, :, 2, 2]), "the first pixel of the crop is (2, 2) of 8×8"

# %% nbgrader={"grade": true, "grade_id": "test-crop-and-concat", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
skip, features = torch.randn(1, 2, 10, 9), torch.randn(1, 2, 4, 7)
assert crop_and_concat(skip, features).shape == (1, 4, 4, 7), "the maps need not be square"
### BEGIN HIDDEN TESTS
assert torch.equal(crop_and_concat(skip, features)[:, :2], skip[:, :, 3:7, 1:8]), "a crop from the middle, not a resized map"
same_size = torch.randn(1, 2, 4, 7)
assert torch.equal(crop_and_concat(same_size, features)[:, :2], same_size), "a margin of 0: nothing to crop"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · Tiles (3 points)
#
# Overlap-tile prediction along one side: the image has `length` pixels, a tile gives `tile` logits. Return where the tiles begin, in order, so
# that they cover every pixel, none of them reaches beyond the image, and they are as few as possible. All but the last lie side by side;
# the last one is moved back so that it ends with the image. `length` is at least `tile`.

# %% nbgrader={"grade": false, "grade_id": "tiles", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tile_starts(length: int, tile: int) -> list[int]:
    """First pixels of the tiles along one side of an image."""
    ### BEGIN SOLUTION
    return [min(start, length - tile) for start in range(0, length, tile)]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-tiles-even", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert tile_starts(300, 100) == [0, 100, 200]
assert tile_starts(100, 100) == [0], "one tile is enough"

# %% nbgrader={"grade": true, "grade_id": "test-tiles", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert tile_starts(250, 100) == [0, 100, 150], "the last tile ends with the image"
### BEGIN HIDDEN TESTS
for length, tile in ((512, 388), (389, 388), (388, 388), (1000, 4), (97, 10), (30, 29)):
    starts = tile_starts(length, tile)
    covered = {pixel for start in starts for pixel in range(start, start + tile)}
    assert covered == set(range(length)), f"length {length}, tile {tile}: {starts} does not cover exactly the image"
    assert len(starts) == -(-length // tile), f"length {length}, tile {tile}: fewer tiles would do than {starts}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · The weight map (4 points)
#
# `distances` (M, H, W) holds, for each of M cells, how far every pixel is from that cell's border. Return the U-Net's weight map without class
# weights, (H, W):
#
# $$w(x) = 1 + w_0 \exp\!\left(-\frac{(d_1(x) + d_2(x))^2}{2\sigma^2}\right)$$
#
# d₁ is the distance to the nearest cell, d₂ to the *second nearest* one. With fewer than two cells nothing lies between cells: every weight is 1.

# %% nbgrader={"grade": false, "grade_id": "weight-map", "locked": false, "schema_version": 3, "solution": true, "task": false}
def weight_map(distances: Tensor, w0: float = 10.0, sigma: float = 5.0) -> Tensor:
    """(M, H, W) distances in pixels → (H, W) weights."""
    ### BEGIN SOLUTION
    if len(distances) < 2:
        return torch.ones(distances.shape[1:])
    d1, d2 = distances.sort(dim=0).values[:2]
    return 1 + w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-weight-map-two", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
two_cells = torch.tensor([[[0.0, 1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0, 0.0]]])  # a gap of two pixels, d1 + d2 = 3 all along
assert torch.allclose(weight_map(two_cells), torch.full((1, 4), 1 + 10 * 0.835270), atol=1e-4), "1 + 10·exp(−9/50)"

# %% nbgrader={"grade": true, "grade_id": "test-weight-map-parameters", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert torch.allclose(weight_map(two_cells, w0=4.0, sigma=3.0), torch.full((1, 4), 1 + 4 * 0.606531), atol=1e-4)
### BEGIN HIDDEN TESTS
assert torch.allclose(weight_map(two_cells, w0=0.0), torch.ones(1, 4)), "with w0 = 0 every pixel counts the same"
assert weight_map(100 * two_cells).max() < 1.001, "far from the gap the weight is 1"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test-weight-map", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
many = 12 * torch.rand(6, 5, 7)
weights = weight_map(many)
assert weights.shape == (5, 7), f"the map has shape {tuple(weights.shape)}, expected (5, 7)"
### BEGIN HIDDEN TESTS
for row in range(5):
    for column in range(7):
        nearest, second = sorted(many[:, row, column].tolist())[:2]
        expected = 1 + 10 * np.exp(-((nearest + second) ** 2) / 50)
        assert abs(weights[row, column].item() - expected) < 1e-4, "of six cells the two nearest count, at every pixel anew"
assert torch.equal(weight_map(many[:1]), torch.ones(5, 7)), "one cell: nothing is between cells"
assert torch.equal(weight_map(many[:0]), torch.ones(5, 7)), "no cell"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · How many cells are found alone? (3 points)
#
# `prediction` (H, W) is 1 where a network sees cells and 0 elsewhere; `instances` (H, W) holds the true cells as 1, 2, …, and 0 for background. The network's
# *pieces* are the connected regions of the prediction, 8 neighbours counted (`ndimage.label(prediction, np.ones((3, 3)))` numbers them).
#
# A cell is *found alone* if some piece covers more than half of it, and that piece covers more than half of no other cell. Return how
# many cells are.

# %% nbgrader={"grade": false, "grade_id": "found-alone", "locked": false, "schema_version": 3, "solution": true, "task": false}
def found_alone(prediction: np.ndarray, instances: np.ndarray) -> int:
    """Number of true cells that one piece of the prediction covers, and no other cell with it."""
    ### BEGIN SOLUTION
    pieces, number = ndimage.label(prediction, np.ones((3, 3)))
    cells_of_piece = np.zeros(number + 1, dtype=int)
    for cell in np.unique(instances[instances > 0]):
        counts = np.bincount(pieces[instances == cell], minlength=number + 1)
        cells_of_piece += 2 * counts > counts.sum()
    return int((cells_of_piece[1:] == 1).sum())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-found-alone-simple", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
three_cells = np.array([[1, 1, 0, 2, 2, 0, 3, 3]] * 2)
assert found_alone((three_cells > 0).astype(int), three_cells) == 3
assert found_alone(np.array([[1, 1, 1, 1, 1, 0, 1, 1]] * 2), three_cells) == 1, "one piece over cells 1 and 2 finds neither alone"

# %% nbgrader={"grade": true, "grade_id": "test-found-alone", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert found_alone(np.zeros((2, 8), dtype=int), three_cells) == 0, "nothing is predicted, nothing is found"
### BEGIN HIDDEN TESTS
assert found_alone(np.array([[1, 1, 0, 0, 0, 0, 1, 1]] * 2), three_cells) == 2, "cell 2 is missed: background is no piece"
assert found_alone(np.array([[1, 1, 0, 1, 0, 0, 1, 1]] * 2), three_cells) == 2, "half of cell 2 is not more than half"
assert found_alone(np.ones((2, 8), dtype=int), three_cells) == 0, "one piece over all: a right count of pixels, no cell alone"
touching = np.array([[1, 1, 1, 2, 2, 2]] * 3)
assert found_alone(np.array([[1, 1, 1, 0, 1, 1]] * 3), touching) == 2, "cells that touch are parted by the prediction"
diagonal = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2]])
assert found_alone((diagonal > 0).astype(int), diagonal) == 0, "pieces that meet at a corner are one piece"
assert found_alone(np.array([[1, 0, 1, 0, 1, 1, 1, 1]]), np.array([[0, 0, 0, 0, 7, 7, 7, 7]])) == 1, "false pieces do no harm"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 6 · In your own words (4 points)
#
# A laboratory counts cells. It has two networks, equal but for the loss. On the test images:
#
# | | IoU of cells | cells found alone | pieces predicted, of 1000 true cells |
# | --- | --- | --- | --- |
# | without weight map | 0.91 | 71 % | 760 |
# | with weight map | 0.88 | 93 % | 1020 |
#
# A colleague says: *"The weight map made it worse: the IoU fell."* Which network do you recommend, why does the IoU fall, and what would you
# still want to know before you decide? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | recommends the network with the map, *for counting*, and says that the count is what the laboratory needs |
# | 1 | explains the lower IoU: pixels in and beside gaps weigh up to eleven times as much, so errors elsewhere matter less in training, but as much as ever in the IoU |
# | 1 | notices that IoU hardly sees the gaps: they are a small share of the pixels |
# | 1 | asks for something sensible: spread over seeds, false pieces, other w₀ or σ, images of the laboratory |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# I recommend the network with the map. The laboratory counts cells, and without the map three cells in ten are not found alone: 760 pieces stand
# for 1000 cells. The IoU falls because the map makes pixels in and beside the gaps up to eleven times as expensive as all others. The
# network learns to draw gaps, and pays less attention to the rest, such as outlines towards open background. IoU counts all pixels alike, and the
# gaps are a few percent of them: a network may merge all cells and lose hardly any IoU. So it is the wrong score for this purpose.
# Before deciding I would want to know whether 93 against 71 holds over several seeds, how many of the 1020 pieces are no cell at all, what a
# smaller w₀ gives, and all of it on the laboratory's own images.
# ### END SOLUTION
