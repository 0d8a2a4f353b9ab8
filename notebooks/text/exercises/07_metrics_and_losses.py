# %% [markdown]
# # Exercise 07 · Metrics and losses
#
# Five tasks that check themselves, and one to write about. Work through lesson 07 first.
#
# Write your code where it says `YOUR CODE HERE`. Run the cell under it: if it says nothing, your answer passes the tests that
# you can see. More tests run when your work is graded. Before you hand in: *Kernel → Restart Kernel and Run All Cells*.
#
# `course_utils.metrics` and `course_utils.losses` hold what you are asked to build here. Only task 3 may use them.

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
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.metrics import ConfusionMatrix

torch.manual_seed(0);

# %% [markdown]
# ## Task 1 · The confusion matrix (3 points)
#
# Count the pixels of each pair (true class, predicted class): rows truth, columns prediction. Void pixels of the target are
# left out. No loop over pixels: a picture has a million of them.

# %% nbgrader={"grade": false, "grade_id": "matrix", "locked": false, "schema_version": 3, "solution": true, "task": false}
def confusion_matrix(prediction: Tensor, target: Tensor, classes: int, void: int = 255) -> Tensor:
    """(classes, classes) int64 counts of two int64 label maps of the same shape."""
    ### BEGIN SOLUTION
    known = target != void
    pairs = classes * target[known] + prediction[known]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-matrix-small", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
target = torch.tensor([[0, 0, 1], [1, 1, 1]])
prediction = torch.tensor([[0, 1, 1], [1, 1, 0]])
counted = confusion_matrix(prediction, target, 2)
assert counted.shape == (2, 2), f"the matrix has shape {tuple(counted.shape)}, expected (2, 2)"
assert counted.sum() == 6, "six pixels, six counts"
assert counted.diag().tolist() == [1, 3], "one pixel of class 0 is right, and three of class 1"

# %% nbgrader={"grade": true, "grade_id": "test-matrix", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
target = torch.tensor([[0, 0, 1, 255], [1, 1, 1, 255]])
prediction = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 2]])
counted = confusion_matrix(prediction, target, 3)
assert counted.tolist() == [[0, 2, 0], [1, 3, 0], [0, 0, 0]], (
    f"got {counted.tolist()}: rows are true classes, void is left out, and a class that does not occur has a row too"
)
### BEGIN HIDDEN TESTS
for classes, size in ((2, (5, 7)), (5, (2, 9, 4)), (8, (3, 6, 11))):
    target, prediction = torch.randint(classes, size), torch.randint(classes, size)
    target[torch.rand(size) < 0.3] = 255
    counted = confusion_matrix(prediction, target, classes)
    for t in range(classes):
        for p in range(classes):
            expected = ((target == t) & (prediction == p)).sum()
            assert counted[t, p] == expected, f"{classes} classes: entry ({t}, {p}) is {counted[t, p]}, not {expected}"
nothing = confusion_matrix(torch.zeros(2, 3).long(), torch.full((2, 3), 255), 4)
assert nothing.tolist() == [[0] * 4] * 4, "a picture of void gives a matrix of zeros"
assert confusion_matrix(torch.tensor([[1]]), torch.tensor([[0]]), 2, void=1).tolist() == [[0, 1], [0, 0]]
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2 · Four scores (3 points)
#
# From a confusion matrix, compute pixel accuracy `acc`, mean class accuracy `acc_cls`, mean IoU `mean_iu` and frequency-weighted IoU
# `fw_iu`, as a dict of four numbers. Classes that are absent are left out of a mean: for `acc_cls` those without a true pixel, for
# `mean_iu` those with neither a true nor a predicted pixel.

# %% nbgrader={"grade": false, "grade_id": "scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scores(matrix: Tensor) -> dict[str, float]:
    """acc, acc_cls, mean_iu and fw_iu of a (K, K) matrix, rows truth."""
    ### BEGIN SOLUTION
    matrix = matrix.double()
    right, true, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
    recall, iu = right / true, right / (true + predicted - right)  # nan where a class is absent
    return {
        "acc": (right.sum() / matrix.sum()).item(),
        "acc_cls": recall.nanmean().item(),
        "mean_iu": iu.nanmean().item(),
        "fw_iu": ((true * iu).nansum() / true.sum()).item(),
    }
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-scores-present", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
found = scores(torch.tensor([[60, 20], [0, 20]]))
expected = {"acc": 0.8, "acc_cls": 0.875, "mean_iu": 0.625, "fw_iu": 0.7}
for name, value in expected.items():
    assert math.isclose(found[name], value, rel_tol=1e-6), f"{name} is {found[name]}, expected {value}"

# %% nbgrader={"grade": true, "grade_id": "test-scores", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
found = scores(torch.tensor([[60, 20, 0], [0, 20, 0], [0, 0, 0]]))
for name, value in expected.items():
    assert math.isclose(found[name], value, rel_tol=1e-6), f"{name} is {found[name]} with an absent class, expected {value}"
### BEGIN HIDDEN TESTS
found = scores(torch.tensor([[6, 0, 2], [1, 1, 0], [0, 0, 0]]))  # class 2 is predicted where it never is
expected = {"acc": 0.7, "acc_cls": 0.625, "mean_iu": (6 / 9 + 1 / 2) / 3, "fw_iu": 0.8 * 6 / 9 + 0.2 * 1 / 2}
for name, value in expected.items():
    assert math.isclose(found[name], value, rel_tol=1e-6), f"{name} is {found[name]}, expected {value}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3 · The mean IoU of a data set (2 points)
#
# Given (prediction, target) for every picture of a data set, return *the* mean IoU. Use the
# course's `ConfusionMatrix`, so that a slip in tasks 1 or 2 costs you nothing here.

# %% nbgrader={"grade": false, "grade_id": "data-set", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean_iou_of(pairs: list[tuple[Tensor, Tensor]], classes: int) -> float:
    """Mean IoU over all pictures; they may differ in size."""
    ### BEGIN SOLUTION
    matrix = ConfusionMatrix(classes)
    for prediction, target in pairs:
        matrix.update(prediction, target)
    return matrix.mean_iu()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-data-set", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
one = torch.tensor([[0, 1, 1, 1]]), torch.tensor([[0, 0, 1, 1]])
assert math.isclose(mean_iou_of([one], 2), (1 / 2 + 2 / 3) / 2), "one picture: its own mean IoU"
assert math.isclose(mean_iou_of([one, one], 2), (1 / 2 + 2 / 3) / 2), "the same picture twice: nothing changes"
### BEGIN HIDDEN TESTS
plain = torch.tensor([[0, 0, 0], [0, 0, 255]]), torch.tensor([[0, 0, 0], [0, 0, 255]])
found = mean_iou_of([one, plain], 2)
assert math.isclose(found, (6 / 7 + 2 / 3) / 2), f"{found}: add up the counts of all pictures first, divide last"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4 · Focal loss (3 points)
#
# The mean of (1 − p)^γ · (−log p) over the valid pixels, where p is the softmax probability of the true class. Void pixels don't
# count; if every pixel is void the loss is 0, with a gradient of zeros.

# %% nbgrader={"grade": false, "grade_id": "focal", "locked": false, "schema_version": 3, "solution": true, "task": false}
def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0, void: int = 255) -> Tensor:
    """Scalar loss of logits (N, K, H, W) and an int64 target (N, H, W)."""
    ### BEGIN SOLUTION
    losses = F.cross_entropy(logits, target, ignore_index=void, reduction="none")  # -log p, 0 at void
    return ((1 - torch.exp(-losses)) ** gamma * losses).sum() / (target != void).sum().clamp(min=1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-focal-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]]).view(1, 3, 1, 2)  # K = 3, two pixels
target = torch.tensor([[[0, 2]]])
by_hand = 0
for scores_of_pixel, label in (((2.0, 0.0, 0.0), 0), ((0.0, 0.0, 1.0), 2)):
    p = math.exp(scores_of_pixel[label]) / sum(math.exp(score) for score in scores_of_pixel)
    by_hand += (1 - p) ** 2 * -math.log(p) / 2
found = focal_loss(logits, target).item()
assert math.isclose(found, by_hand, rel_tol=1e-5), f"the loss is {found}, expected {by_hand}"
plain = focal_loss(logits, target, gamma=0)
assert torch.isclose(plain, F.cross_entropy(logits, target)), "with gamma = 0 it is the cross-entropy"

# %% nbgrader={"grade": true, "grade_id": "test-focal-void", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
with_void = torch.cat([logits, torch.randn(1, 3, 1, 2)], dim=3), torch.tensor([[[0, 2, 255, 255]]])
assert math.isclose(focal_loss(*with_void).item(), by_hand, rel_tol=1e-5), "two void pixels more: nothing changes"
### BEGIN HIDDEN TESTS
leaf = torch.randn(2, 3, 4, 5).requires_grad_()
nothing = focal_loss(leaf, torch.full((2, 4, 5), 255))
nothing.backward()
assert nothing.item() == 0, f"a batch of void has the loss {nothing.item()}, expected 0"
assert leaf.grad is not None and not leaf.grad.any(), "a batch of void gives a gradient of zeros"
certain = 200 * F.one_hot(torch.ones(1, 2, 3).long(), 3).movedim(-1, 1).float()
assert focal_loss(certain, torch.zeros(1, 2, 3).long()).isfinite(), "a sure and wrong answer costs much, not infinity"
for gamma in (0.0, 1.0, 2.0, 5.0):
    draw, truth = torch.randn(2, 4, 3, 5), torch.randint(4, (2, 3, 5))
    p = draw.softmax(1).gather(1, truth[:, None])
    expected = ((1 - p) ** gamma * -p.log()).mean()
    assert torch.isclose(focal_loss(draw, truth, gamma), expected), f"wrong for gamma = {gamma}"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 5 · Soft Dice loss (3 points)
#
# For each class that occurs in the target, 1 − 2 Σ p·g / (Σ p + Σ g): p is its softmax probability, g is 1 where the target is this class
# and 0 elsewhere, sums run over the valid pixels of the whole batch. Return the mean over those classes. (At least one pixel is valid.)

# %% nbgrader={"grade": false, "grade_id": "dice", "locked": false, "schema_version": 3, "solution": true, "task": false}
def dice_loss(logits: Tensor, target: Tensor, void: int = 255) -> Tensor:
    """Scalar loss of logits (N, K, H, W) and an int64 target (N, H, W)."""
    ### BEGIN SOLUTION
    valid = target != void
    probabilities = logits.softmax(1).movedim(1, -1)[valid]  # (P, K)
    truth = F.one_hot(target[valid], logits.shape[1])  # (P, K)
    present = truth.sum(0) > 0
    overlap = 2 * (probabilities * truth).sum(0) / (probabilities.sum(0) + truth.sum(0))
    return (1 - overlap[present]).mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "test-dice-value", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
target = torch.tensor([[[0, 1, 1]]])
logits = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).view(1, 2, 1, 3)  # every probability is 1/2
found, expected = dice_loss(logits, target).item(), 1 - (2 * 0.5 / 2.5 + 2 * 1 / 3.5) / 2
assert math.isclose(found, expected, rel_tol=1e-5), f"the loss is {found}, expected {expected}"

# %% nbgrader={"grade": true, "grade_id": "test-dice", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
right = 50 * F.one_hot(target, 3).movedim(-1, 1).float()  # sure and right, and a third class that does not occur
assert dice_loss(right, target).abs() < 1e-5, "a perfect prediction costs nothing, whichever classes are absent"
### BEGIN HIDDEN TESTS
with_void = torch.cat([logits, torch.randn(1, 2, 1, 2)], dim=3), torch.tensor([[[0, 1, 1, 255, 255]]])
assert math.isclose(dice_loss(*with_void).item(), expected, rel_tol=1e-5), "void pixels count in none of the sums"
first, second = torch.tensor([[[0, 0, 0]], [[0, 1, 1]]]), torch.tensor([[[0, 0, 1]], [[0, 1, 0]]])
hard = 50 * F.one_hot(second, 2).movedim(-1, 1).float()
whole = 1 - (2 * 3 / 8 + 2 * 1 / 4) / 2
assert math.isclose(dice_loss(hard, first).item(), whole, rel_tol=1e-4), "sums run over the batch, not over each image"
leaf = torch.randn(2, 3, 4, 5).requires_grad_()
dice_loss(leaf, torch.randint(3, (2, 4, 5))).backward()
assert leaf.grad is not None and leaf.grad.any(), "the loss has no gradient: is there an argmax in it?"
### END HIDDEN TESTS

# %% [markdown]
# ## Task 6 · In your own words (4 points)
#
# A report says: *"Our new network finds poles well: pixel accuracy 97.9 %, and a mean IoU of 0.84. We validate in batches of four street
# scenes; a class that a batch does not hold counts as 1; the mean IoU is the mean over the batches."*
#
# What do the two numbers say about poles? What is wrong with the second, and would it be lower or higher if computed well? What would you
# ask for? (80 to 150 words.)
#
# | points | for |
# | --- | --- |
# | 1 | accuracy says nothing about poles: they are some percent of the pixels, a network that never says *pole* has a high one too |
# | 1 | counting absent classes as 1 raises the score, the more so the smaller the batches, with rare classes most |
# | 1 | a mean over batches is not the mean IoU: it depends on the size and order of the batches; counts are added first, divided last |
# | 1 | asks for the IoU of the class *pole* from one confusion matrix over the whole set, and for a boundary score or recall with a reason |

# %% [markdown] nbgrader={"grade": true, "grade_id": "in-your-own-words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Neither number speaks of poles. Poles are a few percent of the pixels, so a network that never says "pole" reaches about the same
# accuracy. The mean IoU is an average of eight classes of which pole is one, and it was computed in two wrong ways. A class that a
# batch does not hold counts as 1: most batches of four scenes lack some class, and every one that is lacking is a present of up to
# 1/8, so the figure is too high. And a mean over batches is not the mean IoU: shuffle the validation set or take batches of eight
# and another number comes out. I would ask for one confusion matrix over the whole validation set, the counts added first and
# divided last, the IoU of *pole* from it with its precision and recall, and the boundary F1 at one or two pixels, since a pole
# that is one pixel wide and one pixel off has IoU 0.
# ### END SOLUTION
