# %% [markdown]
# # Exercise 05 · Remember where: unpooling, SegNet and DeconvNet
#
# Five tasks that check themselves, and one to write about. Work through lesson 05 first.
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
# ## Task 1 · Read an index (2 points)
#
# Max-pooling with 2×2 windows gave `index` for a window of a map that is `width` pixels wide. Return the maximum's row, its column, and its
# position in the window: 0 upper left, 1 upper right, 2 lower left, 3 lower right.

# %% nbgrader={"grade": false, "grade_id": "read-index", "locked": false, "schema_version": 3, "solution": true, "task": false}
def read_index(index: int, width: int) -> tuple[int, int, int]:
    """(row, column, position in the 2×2 window) of an index."""
    ### BEGIN SOLUTION
    row, column = divmod(index, width)
    return row, column, row % 2 * 2 + column % 2
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-read-index-place", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert read_index(20, 6)[:2] == (3, 2), "lesson 05: the 9 stood in row 3, column 2 of a map 6 wide, and had index 20"
### BEGIN HIDDEN TESTS
assert read_index(20, 7)[:2] == (2, 6), "the same index is another place in a map of another width"
assert read_index(4, 5)[:2] == (0, 4)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test-read-index-position", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert read_index(0, 6)[2] == 0 and read_index(7, 6)[2] == 3
assert read_index(20, 6)[2] == 2, "row 3, column 2: the lower left of its window"
### BEGIN HIDDEN TESTS
assert read_index(1, 6)[2] == 1, "upper right is position 1"
assert read_index(6, 6)[2] == 2, "lower left is position 2"
assert read_index(20, 7)[2] == 0 and read_index(12, 5)[2] == 0, "in a map of odd width, neighbours in the index may be rows apart"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · Unpool (3 points)
#
# Put each value at its index, in maps of zeros. Every channel of every image has indices of its own: 0 is the first pixel of *its* map.
# `size` is (height, width) of the maps before pooling. Don't use `F.max_unpool2d` or `nn.MaxUnpool2d`.

# %% nbgrader={"grade": false, "grade_id": "unpool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unpool(values: Tensor, indices: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, h, w) values and indices → (N, C, *size)."""
    ### BEGIN SOLUTION
    height, width = size
    flat = values.new_zeros(*values.shape[:2], height * width)
    return flat.scatter(2, indices.flatten(2), values.flatten(2)).unflatten(2, (height, width))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-unpool-one-map", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
one_map = torch.rand(1, 1, 4, 6)
values, indices = F.max_pool2d(one_map, 2, return_indices=True)
unpooled = unpool(values, indices, (4, 6))
assert unpooled.shape == (1, 1, 4, 6), f"the map has shape {tuple(unpooled.shape)}, expected (1, 1, 4, 6)"
assert torch.equal(unpooled, F.max_unpool2d(values, indices, 2)), "a value is not where its index points, or a rest is not 0"

# %% nbgrader={"grade": true, "grade_id": "test-unpool-many", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
many = torch.rand(2, 3, 4, 8)
values, indices = F.max_pool2d(many, 2, return_indices=True)
assert torch.equal(unpool(values, indices, (4, 8)), F.max_unpool2d(values, indices, 2)), "wrong for (2, 3, 4, 8)"
### BEGIN HIDDEN TESTS
for size in ((5, 7), (7, 4), (1, 9)):
    maps = torch.randn(2, 3, *size)
    values, indices = F.max_pool2d(maps, 2, ceil_mode=True, return_indices=True)
    expected = F.max_unpool2d(values, indices, 2, output_size=size)
    assert unpool(values, indices, size).shape == expected.shape, f"wrong shape for {size}: size is (height, width)"
    assert torch.equal(unpool(values, indices, size), expected), f"wrong for maps of {size}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · Pool, and say where (3 points)
#
# Max-pool with 2×2 windows. Return the values and their indices. If a side is odd, the last windows are half as large: 5 rows give 3. Of
# equal values the first one counts, row by row. Don't use a pooling function of PyTorch.

# %% nbgrader={"grade": false, "grade_id": "pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) → values and indices, (N, C, ⌈H/2⌉, ⌈W/2⌉) each."""
    ### BEGIN SOLUTION
    height, width = features.shape[-2:]
    filled = F.pad(features, (0, width % 2, 0, height % 2), value=-torch.inf)
    values, position = filled.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).max(4)
    rows = 2 * torch.arange(values.shape[2])[:, None] + position // 2
    columns = 2 * torch.arange(values.shape[3]) + position % 2
    return values, rows * width + columns
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-pool-even", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
features = torch.rand(2, 3, 4, 6)
values, indices = pool(features)
expected = F.max_pool2d(features, 2, return_indices=True)
assert torch.equal(values, expected[0]), "the values are wrong"
assert torch.equal(indices, expected[1]), "the values are right, the indices are not: row · width + column"

# %% nbgrader={"grade": true, "grade_id": "test-pool-odd", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
features = torch.rand(1, 2, 5, 7)
values, indices = pool(features)
expected = F.max_pool2d(features, 2, ceil_mode=True, return_indices=True)
assert values.shape == (1, 2, 3, 4), f"5×7 gives {tuple(values.shape[2:])}, expected (3, 4)"
assert torch.equal(indices, expected[1]), "5×7: an index counts in a map 7 wide, also if you made it larger to cut it"
### BEGIN HIDDEN TESTS
for features in (-torch.rand(2, 2, 7, 5) - 1, torch.randint(0, 2, (2, 3, 9, 4)).float(), torch.zeros(1, 1, 3, 3)):
    expected = F.max_pool2d(features, 2, ceil_mode=True, return_indices=True)
    values, indices = pool(features)
    assert torch.equal(values, expected[0]), "wrong values: are there numbers below zero, and what did you fill up with?"
    assert torch.equal(indices, expected[1]), "wrong indices where a window has several maxima"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · A stage of SegNet's decoder (3 points)
#
# `channels` such as [64, 32, 32, 16] asks for three steps: 64 → 32, 32 → 32, 32 → 16. A step is a 3×3 convolution that keeps the size, batch
# normalisation, and ReLU. With `scores=True` the last step is the convolution alone: it gives class scores.

# %% nbgrader={"grade": false, "grade_id": "stage", "locked": false, "schema_version": 3, "solution": true, "task": false}
def decoder_stage(channels: list[int], scores: bool = False) -> nn.Sequential:
    """(N, channels[0], H, W) → (N, channels[-1], H, W)."""
    ### BEGIN SOLUTION
    layers = []
    for before, after in zip(channels, channels[1:]):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*(layers[:-2] if scores else layers))
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-stage-shapes", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
stage = decoder_stage([6, 4, 4, 3])
assert stage(torch.rand(2, 6, 5, 8)).shape == (2, 3, 5, 8), "a stage keeps the size and gives channels[-1] channels"
assert (stage(torch.randn(2, 6, 5, 8)) >= 0).all(), "a stage that gives features ends in a ReLU"

# %% nbgrader={"grade": true, "grade_id": "test-stage-layers", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
stage = decoder_stage([6, 6, 6, 6])
### BEGIN HIDDEN TESTS
convolutions = [layer for layer in stage.modules() if isinstance(layer, nn.Conv2d)]
norms = [layer for layer in stage.modules() if isinstance(layer, nn.BatchNorm2d)]
assert len(convolutions) == 3, f"three steps need three convolutions with weights of their own, found {len(convolutions)}"
assert len({layer.weight.data_ptr() for layer in convolutions}) == 3, "two steps share their weights"
assert len(norms) == 3, f"three steps need three batch normalisations, found {len(norms)}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test-stage-scores", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
last = decoder_stage([6, 4, 3], scores=True)
assert last(torch.randn(2, 6, 5, 8)).shape == (2, 3, 5, 8)
### BEGIN HIDDEN TESTS
assert (last(torch.randn(2, 6, 5, 8)) < 0).any(), "class scores must be free to be negative: no ReLU at the end"
norms = sum(isinstance(layer, nn.BatchNorm2d) for layer in last.modules())
assert norms == 1, f"one of two steps is normalised if the last gives scores, found {norms}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · A deconvolution is a convolution (3 points)
#
# DeconvNet's deconvolutions have stride 1, an odd kernel k and padding k // 2. Return the `nn.Conv2d` that computes the same, weights and
# bias included.

# %% nbgrader={"grade": false, "grade_id": "as-convolution", "locked": false, "schema_version": 3, "solution": true, "task": false}
def as_convolution(deconvolution: nn.ConvTranspose2d) -> nn.Conv2d:
    """The convolution with the same results as a transposed convolution of stride 1."""
    ### BEGIN SOLUTION
    size = deconvolution.kernel_size
    convolution = nn.Conv2d(deconvolution.in_channels, deconvolution.out_channels, size, padding=deconvolution.padding)
    with torch.no_grad():
        convolution.weight.copy_(deconvolution.weight.transpose(0, 1).flip(2, 3))
        convolution.bias.copy_(deconvolution.bias)
    return convolution
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-as-convolution-one", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
deconvolution = nn.ConvTranspose2d(1, 1, 3, padding=1)
nn.init.zeros_(deconvolution.bias)
x = torch.randn(2, 1, 6, 7)
assert torch.allclose(as_convolution(deconvolution)(x), deconvolution(x), atol=1e-5), "which way round is the kernel?"

# %% nbgrader={"grade": true, "grade_id": "test-as-convolution-many", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
deconvolution = nn.ConvTranspose2d(4, 6, 3, padding=1)
x = torch.randn(2, 4, 6, 7)
convolution = as_convolution(deconvolution)
assert isinstance(convolution, nn.Conv2d), "an nn.Conv2d is asked for"
assert convolution(x).shape == (2, 6, 6, 7), f"the result has shape {tuple(convolution(x).shape)}, expected (2, 6, 6, 7)"
### BEGIN HIDDEN TESTS
assert torch.allclose(convolution(x), deconvolution(x), atol=1e-5), "wrong for 4 to 6 channels: order of the weight, bias"
for channels, size in ((3, 5), (2, 1)):
    deconvolution = nn.ConvTranspose2d(channels, channels, size, padding=size // 2)
    x = torch.randn(1, channels, 9, 8)
    assert torch.allclose(as_convolution(deconvolution)(x), deconvolution(x), atol=1e-5), f"wrong for a {size}×{size} kernel"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 6 · In your own words (4 points)
#
# A colleague plans a segmenter for a drone: *"SegNet sends two bits per window where U-Net sends whole maps. So it needs a sixtieth of the memory, in
# training too, and the outlines will be as sharp, since the indices say exactly where the edges are."*
#
# What is right about this, what is not, and what would you measure on the drone's images before choosing? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | two bits are enough for an index, and a sixtieth (1/64) is right for what is handed over; PyTorch's own indices have 64 bits |
# | 1 | the peak falls by far less, since the decoder's maps stay; in training the maps are kept for the backward pass anyway |
# | 1 | indices say where a maximum was, not what was around it: lesson 05 measured outlines a little better than without, far from skips |
# | 1 | a measurement that would decide: boundary F1 of both at equal size, several seeds, and the real peak on the real machine |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Right: the place of a maximum in a 2×2 window takes two bits, against 128 for the four numbers that U-Net hands over: a sixty-fourth. But a framework
# may store 64 bits for an index, as PyTorch does, and that is half of the maps. Also, what is handed over is only part of the memory: the
# decoder's own maps at full size stay, and lesson 05 counted a third off the peak, not 98 %. In training nothing is saved, for the backward pass keeps all
# maps anyway. As to outlines: an index says where the maximum was, and nothing about the values around it. Fifteen small networks showed boundary F1 of
# about 0.59 with indices, 0.55 without, 0.73 with skips. Before choosing I would train both with equally many parameters on the drone's images, three seeds
# each, compare boundary F1 and the IoU of thin classes, and read the peak memory on the drone's own computer.
# ### END SOLUTION
