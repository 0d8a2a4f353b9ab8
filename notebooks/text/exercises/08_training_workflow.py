# %% [markdown]
# # Exercise 08 · A training workflow that loses nothing
#
# Four tasks that check themselves, and one to write about. Work through lesson 08 first.
#
# Write your code where it says `YOUR CODE HERE`. Run the cell under it: if it says nothing, your answer passes the tests that
# you can see. More tests run when your work is graded. Before you hand in: *Kernel → Restart Kernel and Run All Cells*.
#
# `course_utils.training` holds what you are asked to build here. Write it yourself, with PyTorch alone.

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
import copy
import math
import pickle
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from course_utils.losses import cross_entropy

torch.manual_seed(0)


def generator(seed: int) -> Generator:
    return Generator().manual_seed(seed)


# %% [markdown]
# ## Task 1 · One step (3 points)
#
# Train `network` on one batch, and return the loss. The loss is `cross_entropy`. Before the weights change, the gradients are clipped:
# all of them together, as one vector, are shortened to length `clip` if they are longer. The schedule gives each step its learning
# rate; the first step has the schedule's first one.
#
# The network may come in evaluation mode, and the function is called many times in a row. (`torch.nn.utils` can clip.)

# %% nbgrader={"grade": false, "grade_id": "step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_step(
    network: nn.Module, optimizer: Optimizer, schedule: LRScheduler, images: Tensor, target: Tensor, clip: float
) -> float:
    """Loss of images (N, C, H, W) and target (N, H, W) before the step that is made here."""
    ### BEGIN SOLUTION
    network.train()
    loss = cross_entropy(network(images), target)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    schedule.step()
    return loss.item()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-step-first", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
images, target = torch.randn(2, 3, 6, 10), torch.randint(4, (2, 6, 10))
target[:, 0] = 255


def parts(seed_network):
    network = copy.deepcopy(seed_network)
    optimizer = SGD(network.parameters(), lr=0.5)
    return network, optimizer, LambdaLR(optimizer, lambda step: 1 / (1 + step))


first_network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
network, optimizer, schedule = parts(first_network)
loss = train_step(network, optimizer, schedule, images, target, clip=100.0)
before = cross_entropy(copy.deepcopy(first_network).train()(images), target)
assert math.isclose(loss, before.item(), rel_tol=1e-5), f"the loss is {loss}, expected {before.item()}: before the step"
gradients = torch.autograd.grad(cross_entropy(first_network(images), target), list(first_network.parameters()))
for weight, old, gradient in zip(network.parameters(), first_network.parameters(), gradients):
    assert torch.allclose(weight, old - 0.5 * gradient, atol=1e-6), "expected weight − 0.5 · gradient: nothing to clip yet"

# %% nbgrader={"grade": true, "grade_id": "test-step", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
network, optimizer, schedule = parts(first_network)
network.eval()
train_step(network, optimizer, schedule, images, target, clip=0.01)
moved = [new.detach() - old.detach() for new, old in zip(network.parameters(), first_network.parameters())]
length = torch.cat([part.flatten() for part in moved]).norm().item()
assert network.training, "the network is still in evaluation mode: batch normalisation and dropout have to know"
assert math.isclose(length, 0.5 * 0.01, rel_tol=1e-2), f"the weights moved by {length:.4f}, expected 0.5 · clip = 0.005"
### BEGIN HIDDEN TESTS
for clip in (100.0, 0.05):
    network, optimizer, schedule = parts(first_network)
    expected = copy.deepcopy(first_network).train()
    for step in range(3):
        train_step(network, optimizer, schedule, images, target, clip)
        weights = list(expected.parameters())
        gradients = torch.autograd.grad(cross_entropy(expected(images), target), weights)
        length = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients):
                weight -= 0.5 / (1 + step) * gradient * (clip / (length + 1e-6)).clamp(max=1)
        for weight, right in zip(network.parameters(), weights):
            assert torch.allclose(weight, right, atol=1e-5), f"wrong weights after {step + 1} steps, clip = {clip}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · Which weights to keep, and when to stop (3 points)
#
# A run is scored on the validation set after each epoch. `scores` are the scores of all epochs that it *would* make. Return two
# epochs, counted from 1: the **best**, whose weights are kept, and the **last** that is made.
#
# Training stops after `patience` epochs in a row (耐心值) that brought nothing better. Of equal scores the first is the best. A
# score of nan (no labelled pixel) is worse than any number.

# %% nbgrader={"grade": false, "grade_id": "stop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_and_last(scores: list[float], patience: int) -> tuple[int, int]:
    """(best epoch, last epoch) of at least one score from 0 to 1, higher is better."""
    ### BEGIN SOLUTION
    best_epoch, best = 0, -math.inf
    for epoch, score in enumerate(scores, start=1):
        merit = -1.0 if math.isnan(score) else score
        if merit > best:
            best_epoch, best = epoch, merit
        if epoch - best_epoch == patience:
            break
    return best_epoch, epoch
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-stop-plain", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert best_and_last([0.1, 0.3, 0.2], patience=5) == (2, 3), "patience does not run out: all three epochs are made"
found = best_and_last([0.1, 0.4, 0.3, 0.2, 0.1], patience=2)
assert found == (2, 4), f"{found}: epochs 3 and 4 brought nothing better than epoch 2, and there it ends"

# %% nbgrader={"grade": true, "grade_id": "test-stop", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
found = best_and_last([0.1, 0.4, 0.3, 0.2, 0.9], patience=2)
assert found == (2, 4), f"{found}: a run that has stopped never sees epoch 5"
found = best_and_last([math.nan, 0.2, 0.3], patience=2)
assert found == (3, 3), f"{found}: 0.2 is better than nan"
### BEGIN HIDDEN TESTS
assert best_and_last([0.2, 0.5, 0.5, 0.5, 0.5], 2) == (2, 4), "an equal score is nothing better"
assert best_and_last([0.5, 0.1, 0.2, 0.3, 0.4], 3) == (1, 4), "better than the epoch before is not better than the best"
assert best_and_last([0.5, 0.1, 0.6, 0.1, 0.2, 0.7], 2) == (3, 5), "only epochs in a row count"
assert best_and_last([0.5, math.nan, math.nan, 0.6], 2) == (1, 3), "an epoch with nan brings nothing better"
assert best_and_last([math.nan, 0.0, math.nan], 5) == (2, 3), "0 is better than nan"
assert best_and_last([math.nan] * 9, 3) == (1, 4), "with nan alone, the first is the best"
assert best_and_last([0.3], 1) == (1, 1)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · A whole checkpoint (4 points)
#
# Here is a small training run with all that makes a resume hard: dropout, batch normalisation, AdamW, a schedule.

# %%
images, target = torch.randn(2, 3, 6, 10), torch.randint(4, (2, 6, 10))
folder = Path(tempfile.mkdtemp())


def new_run() -> tuple[nn.Module, Optimizer, LRScheduler]:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(8, 4, 1)
    )
    optimizer = AdamW(network.parameters(), lr=0.05)
    return network, optimizer, LambdaLR(optimizer, lambda step: (1 - step / 10) ** 0.9)


def train_epochs(run: tuple[nn.Module, Optimizer, LRScheduler], epochs: int) -> None:
    network, optimizer, schedule = run
    network.train()
    for _ in range(epochs):
        optimizer.zero_grad()
        cross_entropy(network(images), target).backward()
        optimizer.step()
        schedule.step()


# %% [markdown]
# Write `save`: it puts everything into one file that `load` will need to go on *bit for bit*. That includes the state of PyTorch's
# global random number generator (随机数发生器), on the CPU. Two conditions:
#
# - only tensors, numbers, texts, lists and dicts: `torch.load(path, weights_only=True)` must read it;
# - *atomic*: whatever goes wrong while it writes, an older file at `path` stays whole. Write beside it, then move (`os.replace`).

# %% nbgrader={"grade": false, "grade_id": "save", "locked": false, "schema_version": 3, "solution": true, "task": false}
def save(path: Path, network: nn.Module, optimizer: Optimizer, schedule: LRScheduler, epoch: int) -> None:
    """Write a checkpoint: a dict, to go on from after `epoch` epochs."""
    ### BEGIN SOLUTION
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": epoch,
        "random": torch.get_rng_state(),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-save", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
run = new_run()
path = folder / "atomic.pt"
save(path, *run, epoch=1)
state = torch.load(path, weights_only=True)
assert isinstance(state, dict), f"the file holds a {type(state).__name__}, expected a dict"
old_content = path.read_bytes()
try:
    save(path, *run, epoch=(number for number in range(3)))  # a generator can't be written: an error on the way
except Exception as error:
    print("as intended:", type(error).__name__)
assert path.exists() and path.read_bytes() == old_content, "the error damaged the old file"
### BEGIN HIDDEN TESTS
(folder / "same.pt").unlink(missing_ok=True)
os.link(path, folder / "same.pt")  # a second name of the old file
train_epochs(run, 1)
save(path, *run, epoch=2)
assert path.read_bytes() != old_content, "the second save() changed nothing"
assert (folder / "same.pt").read_bytes() == old_content, "the old file was overwritten in its place, not replaced"
### END HIDDEN TESTS

# %% [markdown]
# Now `load`, for a run that was built anew, perhaps in a new process. Never run code from the file.

# %% nbgrader={"grade": false, "grade_id": "load", "locked": false, "schema_version": 3, "solution": true, "task": false}
def load(path: Path, network: nn.Module, optimizer: Optimizer, schedule: LRScheduler) -> int:
    """Put everything back to what it was at `save`; return the epoch."""
    ### BEGIN SOLUTION
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["random"])
    return state["epoch"]
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-load", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
run, path = new_run(), folder / "weights.pt"
train_epochs(run, 2)
save(path, *run, epoch=2)
loaded = new_run()
epoch = load(path, *loaded)
assert epoch == 2, f"load() returned {epoch}, expected the epoch that was saved, 2"
for name, tensor in run[0].state_dict().items():
    assert torch.equal(loaded[0].state_dict()[name], tensor), f"{name} did not come back"
### BEGIN HIDDEN TESTS
torch.save(torch.load(path, weights_only=True) | {"stranger": nn.ReLU()}, path)
try:
    load(path, *new_run())
    refused = False
except pickle.UnpicklingError:
    refused = True
assert refused, "a file that can run code was loaded: weights_only=True"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "test-resume", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
run, path = new_run(), folder / "resume.pt"
train_epochs(run, 3)
save(path, *run, epoch=3)
train_epochs(run, 4)  # nobody disturbs this one

resumed = new_run()
torch.rand(5)  # other things happen in between
train_epochs(resumed, 7 - load(path, *resumed))
rates = [schedule.get_last_lr()[0] for _, _, schedule in (run, resumed)]
assert rates[0] == rates[1], f"the learning rate is {rates[1]:.4f} after the resume, expected {rates[0]:.4f}"
different = [name for name, tensor in run[0].state_dict().items() if not torch.equal(resumed[0].state_dict()[name], tensor)]
assert not different, f"{different} differ from the run that was left alone: what was not restored?"

# %% [markdown]
# ## Task 4 · Crop and mirror (3 points)
#
# Do this with an image and its mask, in this order:
#
# 1. where the picture is smaller than `size` (rows, columns), pad it on the right and at the bottom, just as much as needed:
#    the image with 0, the mask with void, 255;
# 2. cut out a window of that size, every place equally likely;
# 3. mirror it left to right with probability ½.
#
# All random numbers come from `rng`.

# %% nbgrader={"grade": false, "grade_id": "augment", "locked": false, "schema_version": 3, "solution": true, "task": false}
def crop_and_mirror(image: Tensor, mask: Tensor, size: tuple[int, int], rng: Generator) -> tuple[Tensor, Tensor]:
    """Image (C, H, W) and int64 mask (H, W) → image (C, *size) and int64 mask size."""
    ### BEGIN SOLUTION
    height, width = size
    margins = 0, max(width - mask.shape[1], 0), 0, max(height - mask.shape[0], 0)  # left, right, top, bottom
    image, mask = F.pad(image, margins), F.pad(mask, margins, value=255)
    top = torch.randint(mask.shape[0] - height + 1, (), generator=rng).item()
    left = torch.randint(mask.shape[1] - width + 1, (), generator=rng).item()
    image, mask = (tensor[..., top : top + height, left : left + width] for tensor in (image, mask))
    if torch.rand((), generator=rng) < 0.5:
        image, mask = image.flip(-1), mask.flip(-1)
    return image, mask
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-augment-aligned", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def numbered(height: int, width: int) -> tuple[Tensor, Tensor]:
    """An image whose pixels are numbered from 1 on, and a mask of random labels."""
    image = torch.arange(1.0, height * width + 1).view(1, height, width).repeat(3, 1, 1)
    return image, torch.randint(8, (height, width))


image, mask = numbered(9, 14)
for seed in range(20):
    new_image, new_mask = crop_and_mirror(image, mask, (4, 7), generator(seed))
    assert new_image.shape == (3, 4, 7), f"the image has shape {tuple(new_image.shape)}, expected (3, 4, 7)"
    assert new_mask.shape == (4, 7), f"the mask has shape {tuple(new_mask.shape)}, expected (4, 7)"
    assert new_mask.dtype == torch.int64, f"the mask is {new_mask.dtype}, expected torch.int64"
    assert torch.equal(new_mask, mask.flatten()[new_image[0].long() - 1]), "the mask did not move with its image"

# %% nbgrader={"grade": true, "grade_id": "test-augment", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
image, mask = numbered(3, 5)
new_image, new_mask = crop_and_mirror(image, mask, (6, 4), generator(0))  # three rows are missing, one column is too many
assert new_mask.shape == (6, 4), f"a 3×5 picture gives a mask {tuple(new_mask.shape)}, expected (6, 4)"
assert (new_mask[3:] == 255).all() and (new_image[:, 3:] == 0).all(), "rows 3 to 5 are padding: 0 in the image, void in the mask"
assert (new_mask[:3] != 255).all(), "what lies inside the picture keeps its labels"
### BEGIN HIDDEN TESTS
for height, width in ((6, 9), (4, 9), (6, 5), (2, 3)):
    (image, mask), state = numbered(height, width), torch.get_rng_state()
    H, W = max(height, 5), max(width, 7)
    padded = F.pad(image, (0, W - width, 0, H - height))
    crops = [padded[:, y : y + 5, x : x + 7] for y in range(H - 4) for x in range(W - 6)]
    allowed = [crop[0].tolist() for crop in crops] + [crop[0].flip(-1).tolist() for crop in crops]
    drawn = []
    for seed in range(300):
        new_image, new_mask = crop_and_mirror(image.clone(), mask.clone(), (5, 7), generator(seed))
        again = crop_and_mirror(image, mask, (5, 7), generator(seed))
        assert torch.equal(new_image, again[0]) and torch.equal(new_mask, again[1]), "two results of one seed"
        labels = torch.cat([torch.tensor([255]), mask.flatten()])[new_image[0].long()]
        assert new_mask.tolist() == labels.tolist(), f"image and mask don't fit, {height}×{width} → 5×7"
        drawn.append(allowed.index(new_image[0].tolist()))
    assert set(drawn) == set(range(len(allowed))), f"some windows of {height}×{width} never come"
    assert 100 < sum(number < len(crops) for number in drawn) < 200, "half of the windows are mirrored"
    assert torch.equal(torch.get_rng_state(), state), "random numbers came from elsewhere than rng"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · Read a log (3 points)
#
# A `small_fcn` learned sixteen street scenes for sixteen epochs, four images a step, with `lr=0.01` and the poly schedule. The machine was
# restarted once on the way, and the script went on from its file. `lr` is the learning rate of an epoch's last step.
#
# | epoch | lr | training loss | training mean IoU | validation loss | validation mean IoU |
# | ---: | ---: | ---: | ---: | ---: | ---: |
# | 1 | 0.0096 | 1.642 | 0.165 | 1.805 | 0.040 |
# | 2 | 0.0090 | 0.975 | 0.283 | 1.626 | 0.079 |
# | 3 | 0.0084 | 0.750 | 0.438 | 1.668 | 0.144 |
# | 4 | 0.0079 | 0.671 | 0.474 | 1.644 | 0.147 |
# | 5 | 0.0073 | 0.587 | 0.504 | 1.197 | 0.250 |
# | 6 | 0.0067 | 0.492 | 0.547 | 1.088 | 0.320 |
# | 7 | 0.0061 | 0.465 | 0.555 | 1.185 | 0.326 |
# | 8 | 0.0055 | 0.406 | 0.590 | 1.013 | 0.360 |
# | 9 | 0.0049 | 0.400 | 0.590 | 0.882 | 0.386 |
# | 10 | 0.0043 | 0.358 | 0.615 | 0.886 | 0.385 |
# | 11 | 0.0089 | 0.563 | 0.509 | 1.246 | 0.348 |
# | 12 | 0.0073 | 0.523 | 0.512 | 1.296 | 0.347 |
# | 13 | 0.0058 | 0.438 | 0.569 | 1.033 | 0.341 |
# | 14 | 0.0041 | 0.403 | 0.589 | 0.878 | 0.368 |
# | 15 | 0.0024 | 0.388 | 0.594 | 0.838 | 0.381 |
# | 16 | 0.0006 | 0.335 | 0.632 | 0.721 | 0.429 |
#
# A colleague says: *"It began to overfit: look at the distance between the two scores. Stop it at epoch 9, or augment more."* What went
# wrong, which line of the log says so, and what would you change? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | the line where it went wrong, with the number that shows it, and the cause that this number points to |
# | 1 | why it is, or is not, overfitting: both losses and the distance between the scores, before and after that line |
# | 1 | a change that mends the cause, and a test that would have found it |

# %% [markdown] nbgrader={"grade": true, "grade_id": "read-a-log", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# The resume forgot the schedule. A poly schedule only falls, but from epoch 10 to 11 the learning rate jumps from 0.0043 to 0.0089, as at
# the start of a run: it began anew, most likely with AdamW's averages empty. Such large steps carried the network away from
# what it had found: the validation score falls from 0.385 to 0.348 and is back at the score of epoch 9 in epoch 16 only.
#
# This is not overfitting. There, the training loss goes on falling while the validation loss rises. Here both rise in epoch 11
# (0.358 to 0.563, and 0.886 to 1.246) and fall again, and the distance between the scores is 0.20 in epoch 16, 0.23 in epoch 8.
#
# I would save optimiser, schedule, random states, epoch and step with the weights, and test that a resumed run ends with the
# same bits as one that was left alone. (For graders: left alone, this run ended with 0.482 rather than 0.429.)
# ### END SOLUTION
