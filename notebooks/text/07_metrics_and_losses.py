# %% [markdown]
# # 07 · What is a good segmentation? Metrics and losses
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/07_metrics_and_losses.ipynb) · in JupyterLab, you are in the right place already.
#
# A *metric* (评价指标) tells people how good a segmentation is. A *loss* (损失函数) tells a network, pixel by pixel, in which direction to
# change. Both are one line of arithmetic, and both go wrong in ways that nobody notices: the number that comes out still looks fine.
#
# **You will be able to**
#
# - count true and false positives and negatives, and fill a confusion matrix (混淆矩阵) with one call;
# - compute `acc`, `acc_cls`, `iu`, `mean_iu` and `fw_iu` by hand, and say what each of them cannot see;
# - score a data set without the two classic mistakes: absent classes and averages of averages;
# - write cross-entropy, focal, Dice, Jaccard, Lovász and OHEM losses, and say what each does to the gradient of a pixel;
# - choose a loss for rare classes by measuring.
#
# Sources: the course documents on evaluation and losses, and the papers at the end. Everything that they claim is measured below.

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
from functools import partial

import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import nn

from course_utils import losses
from course_utils.data import load_dataset
from course_utils.metrics import ConfusionMatrix, boundary_f1
from course_utils.plotting import draw_heatmap, draw_mask, show, subplots
from course_utils.widgets import MetricsPainter

torch.set_num_threads(1)  # for networks this small one thread is as fast as several, also on a busy machine
torch.manual_seed(7);

# %% [markdown]
# ## 1. Four kinds of pixels
#
# Start with one question per pixel: object or not? The truth (真值) says one thing, the prediction (预测) another. Here is an object of 16 pixels,
# and a prediction that is a little too large and a little too far to the right.

# %%
truth = torch.zeros(6, 9, dtype=torch.int64)
truth[1:5, 2:6] = 1
prediction = torch.zeros(6, 9, dtype=torch.int64)
prediction[2:6, 3:8] = 1

# %% [markdown]
# Each pixel is one of four kinds. *Positive* and *negative* say what was **predicted**; *true* and *false* say whether that was right.
#
# | | predicted 0 | predicted 1 |
# | --- | --- | --- |
# | **truth 0** | TN, true negative (真反例) | FP, false positive (假正例) |
# | **truth 1** | FN, false negative (假反例) | TP, true positive (真正例) |
#
# **Predict** the four numbers before you run the cell. The two boxes overlap in 3 × 3 pixels.

# %% tags=["nbval-check-output", "claim:four-kinds"]
tp = ((prediction == 1) & (truth == 1)).sum().item()
fp = ((prediction == 1) & (truth == 0)).sum().item()
fn = ((prediction == 0) & (truth == 1)).sum().item()
tn = ((prediction == 0) & (truth == 0)).sum().item()
print(f"TP {tp}, FP {fp}, FN {fn}, TN {tn}: together {tp + fp + fn + tn} of {truth.numel()} pixels")
assert tp + fp + fn + tn == truth.numel()

# %% [markdown]
# To draw them, give each kind a number: 2 · truth + prediction is 0 for TN, 1 for FP, 2 for FN and 3 for TP. Remember this little trick;
# the whole of section 2 is in it.

# %%
kinds = ("TN: rightly nothing", "FP: invented", "FN: missed", "TP: found")
colours = torch.tensor([[240, 240, 240], [230, 159, 0], [0, 114, 178], [0, 158, 115]], dtype=torch.uint8)
fig, ax = subplots(1, 1, width=560, height=260)
draw_mask(ax, 2 * truth + prediction, colours, kinds)
show(fig, alt="Two overlapping boxes of pixels. The overlap of 3 by 3 is true positive, the rest of the true box "
     "is missed, the rest of the predicted box is invented, and everything outside is rightly nothing.")

# %% [markdown]
# Scores are ratios of these four numbers:
#
# - **accuracy** (像素准确率) = (TP + TN) / all: the share of pixels that are right;
# - **precision** (精确率) = TP / (TP + FP): of what was called object, how much is one;
# - **recall** (召回率) = TP / (TP + FN): of what is object, how much was found;
# - **IoU** (交并比), also called Jaccard index = TP / (TP + FP + FN): the overlap over the union of the two boxes;
# - **Dice** (Dice 系数) = 2 TP / (2 TP + FP + FN), also called F1: the harmonic mean (调和平均) of precision and recall.
#
# **Predict**: which is the highest, which is the lowest?

# %% tags=["nbval-check-output"]
accuracy = (tp + tn) / (tp + fp + fn + tn)
precision, recall = tp / (tp + fp), tp / (tp + fn)
iou, dice = tp / (tp + fp + fn), 2 * tp / (2 * tp + fp + fn)
print(f"accuracy {accuracy:.3f}, precision {precision:.3f}, recall {recall:.3f}, IoU {iou:.3f}, Dice {dice:.3f}")
assert abs(dice - 2 * precision * recall / (precision + recall)) < 1e-12

# %% [markdown]
# Accuracy is the kindest: it counts the empty background. IoU is the strictest. IoU and Dice always agree on which of two predictions of
# *one* object is better, since each can be computed from the other: Dice = 2 IoU / (1 + IoU). Try all overlaps there are:

# %% tags=["claim:dice-of-iou"]
found, invented, missed = torch.meshgrid(*[torch.arange(1, 30.0)] * 3, indexing="ij")  # TP, FP, FN
ious, dices = found / (found + invented + missed), 2 * found / (2 * found + invented + missed)
difference = (dices - 2 * ious / (1 + ious)).abs().max()
print(f"{ious.numel():,} cases, largest difference {difference:.0e}; IoU is never larger than Dice: {(ious <= dices).all()}")
assert difference < 1e-6 and (ious <= dices).all()

# %% [markdown]
# So when one paper reports 0.80 Dice and another 0.67 IoU, they may be equally good: 2 · 0.67 / 1.67 = 0.80.

# %% [markdown]
# ## 2. The confusion matrix in one call
#
# With K classes there are K² kinds of pixels. The confusion matrix counts them: row = true class, column = predicted class. The
# plain way is a loop:

# %%
def confusion_by_loop(prediction, target, classes, void=255):
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    for t, p in zip(target.flatten().tolist(), prediction.flatten().tolist()):
        if t != void:
            matrix[t, p] += 1
    return matrix

# %% [markdown]
# One of the documents says that the matrix is computed by "a very clever method" and leaves it there. This is the method: number the kinds,
# K · truth + prediction, and let `bincount` count how often each number occurs. In section 1 we did that with K = 2.

# %%
def confusion_by_bincount(prediction, target, classes, void=255):
    known = target != void
    kind = classes * target[known] + prediction[known]  # 0 … K² − 1
    return torch.bincount(kind, minlength=classes**2).view(classes, classes)

# %% tags=["nbval-check-output"]
print(confusion_by_bincount(prediction, truth, 2))
assert confusion_by_bincount(prediction, truth, 2).flatten().tolist() == [tn, fp, fn, tp]

# %% [markdown]
# Is it the same as the loop, with eight classes and void? And what is it worth? The two take turns on a quarter of a million pixels.

# %% tags=["claim:matrix-by-bincount"]
target, guess = torch.randint(8, (2, 500, 501))
target[torch.rand(target.shape) < 0.05] = 255
clock = time.perf_counter()
by_loop = confusion_by_loop(guess, target, 8)
seconds_of_loop, clock = time.perf_counter() - clock, time.perf_counter()
by_bincount = confusion_by_bincount(guess, target, 8)
seconds_of_bincount = time.perf_counter() - clock
print(f"equal: {torch.equal(by_loop, by_bincount)}; {seconds_of_loop / seconds_of_bincount:.0f} times faster")
assert torch.equal(by_loop, by_bincount)

# %% [markdown]
# Clever tricks have sharp edges. **Predict** what happens without `minlength` when the last class occurs nowhere:

# %%
try:
    torch.bincount(3 * torch.tensor([0, 1]) + torch.tensor([0, 1])).view(3, 3)
except RuntimeError as error:
    print(error)

# %% [markdown]
# That one is loud. The next one is silent. Class numbers must be below K. If a prediction holds a 2 where there are two classes, then
# K · 0 + 2 is the number of another kind: (truth 1, prediction 0). The pixel is counted, in the wrong row, as a pixel that is not even
# there:

# %%
print(confusion_by_bincount(torch.tensor([[0, 2]]), torch.tensor([[0, 0]]), 2))

# %% [markdown]
# `course_utils.metrics.ConfusionMatrix` does the same bincount, and looks at the numbers first:

# %%
try:
    ConfusionMatrix(num_classes=2).update(torch.tensor([[0, 2]]), torch.tensor([[0, 0]]))
except ValueError as error:
    print(error)

# %%
by_library = ConfusionMatrix(num_classes=8).update(guess, target)
assert torch.equal(by_library.matrix, by_loop)

# %% [markdown]
# ## 3. Five scores
#
# The documents list five: `acc`, `acc_cls`, `iu`, `mean_iu` and `fw_iu`. All five are in the matrix. Here is a small one to do by hand, 100
# pixels of three classes:

# %%
matrix = torch.tensor([[50, 3, 2],   # 55 true pixels of class 0
                       [10, 20, 0],  # 30 of class 1
                       [5, 0, 10]])  # 15 of class 2

# %% [markdown]
# Per class, three numbers are enough: how many pixels are *right* (the diagonal), *true* (the row's sum), *predicted* (the column's
# sum). Then
#
# - `acc` = Σ right / all: pixel accuracy;
# - `acc_cls` = the mean of right / true: class accuracy (类别平均准确率), the mean recall;
# - `iu` = right / (true + predicted − right): IoU of each class. Right pixels are in both sums, so they are taken off once;
# - `mean_iu` = the mean of `iu` (平均交并比): each class counts the same;
# - `fw_iu` = the mean of `iu`, each class weighted by its true pixels (频权交并比).
#
# **Predict** for this matrix: which of the four single numbers is the lowest?

# %% tags=["nbval-check-output"]
right, true, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)
by_hand = {
    "acc": right.sum() / matrix.sum(),
    "acc_cls": (right / true).mean(),
    "iu": right / (true + predicted - right),
}
by_hand["mean_iu"] = by_hand["iu"].mean()
by_hand["fw_iu"] = (true * by_hand["iu"]).sum() / true.sum()
for name, value in by_hand.items():
    print(f"{name:8}", "  ".join(f"{number:.3f}" for number in value.flatten().tolist()))

# %% [markdown]
# For the library we need pixels, so turn the trick around: 50 pixels of kind 0, 3 of kind 1 … The class is kind // 3, the prediction the
# remainder.

# %% tags=["nbval-check-output", "claim:five-scores"]
kind = torch.arange(9).repeat_interleave(matrix.flatten())
library = ConfusionMatrix(3).update(kind % 3, kind // 3)
scores = {name: getattr(library, name)() for name in ("acc", "acc_cls", "iu", "mean_iu", "fw_iu")}
differences = [(torch.as_tensor(scores[name]) - by_hand[name]).abs().max() for name in scores]
print(f"{', '.join(scores)}: by hand and by library, largest difference {max(differences):.0e}")
assert torch.equal(library.matrix, matrix) and max(differences) < 1e-6

# %% [markdown]
# ## 4. A segmenter to score
#
# Now pictures. We need a segmenter that makes honest mistakes: a small network of three convolutions that sees 15×15 pixels. It
# learns on 160 street scenes of 48×64 pixels, for a few seconds. How to train well is the subject of lesson 08; here we want its predictions.

# %%
train, val = (load_dataset("street_scenes", split, size=(48, 64)) for split in ("train", "val"))
images, masks = (torch.stack(tensors) for tensors in zip(*[train[i] for i in range(160)]))
val_images, targets = (torch.stack(tensors) for tensors in zip(*[val[i] for i in range(100)]))
print(f"to learn from {tuple(images.shape)}, to score {tuple(val_images.shape)}")

# %%
def convolution(channels, dilation):
    layer = nn.Conv2d(channels, 16, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(16), nn.ReLU())

def small_net(classes):
    """(N, 3, H, W) → logits (N, classes, H, W)."""
    net = nn.Sequential(convolution(3, 1), convolution(16, 2), convolution(16, 4), nn.Conv2d(16, classes, 1))
    return net.to(memory_format=torch.channels_last)  # the same numbers in another order: a CPU is faster with it

# %% [markdown]
# The loop is short: a random batch, the loss, one step downhill.

# %%
def trained(net, loss, masks, steps):
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(images), (6,))
        optimizer.zero_grad()
        loss(net(images[batch] - 0.5), masks[batch]).backward()
        optimizer.step()
        schedule.step()
    return net.eval()

# %%
net = trained(small_net(8), losses.cross_entropy, masks, steps=120)
with torch.no_grad():
    logits_of_val = net(val_images - 0.5)  # (100, 8, 48, 64)
predictions = logits_of_val.argmax(1)  # (100, 48, 64)

# %% [markdown]
# One matrix for all 100 scenes, and the scores of section 3:

# %%
whole = ConfusionMatrix(num_classes=8).update(predictions, targets)
print(f"acc {whole.acc():.3f}, acc_cls {whole.acc_cls():.3f}, mean_iu {whole.mean_iu():.3f}, fw_iu {whole.fw_iu():.3f}")
assert whole.matrix.sum() == (targets != 255).sum()

# %% [markdown]
# Almost 80 % of the pixels are right. The scores say *how much* is wrong. The matrix says *what*. Divide each row by its sum, and it tells
# where the pixels of a class went.

# %%
fig, ax = subplots(1, 1, width=620, height=480)
shares = whole.matrix / whole.matrix.sum(1, keepdim=True)
ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.6)
for t, p in torch.cartesian_prod(torch.arange(8), torch.arange(8)).tolist():
    ax.text(p, t, f"{100 * shares[t, p]:.0f}", ha="center", va="center", fontsize=9)
ax.set_xticks(range(8), [f"{n} {iu:.2f}" for n, iu in zip(val.classes, whole.iu().tolist())], rotation=40, ha="right")
ax.set_yticks(range(8), val.classes)
ax.set(xlabel="predicted class, with its IoU", ylabel="true class", title="Where the pixels of each class went, in %")
show(fig, alt="Confusion matrix of the small network in percent of each row, with the IoU of each class below its "
     "column. The columns of person and pole are empty: no pixel was ever called so.")

# %% [markdown]
# Two columns are empty. The network **never** says *person* or *pole*. Their IoU is 0, and `acc` does not mind. Read their rows: what does it
# call them? We come back to these two in section 13.

# %% [markdown]
# ### What accuracy cannot see
#
# Ask one question only: is there a pole here? And let a segmenter answer *never*, whatever the picture shows. **Predict** its scores.

# %% tags=["nbval-check-output", "claim:accuracy-and-majority"]
is_pole = torch.where(targets == 255, 255, (targets == 7).long())
never = ConfusionMatrix(2).update(torch.zeros_like(is_pole), is_pole)
print(f"acc {never.acc():.3f}, fw_iu {never.fw_iu():.3f}, acc_cls {never.acc_cls():.3f}, mean_iu {never.mean_iu():.3f}")
print(f"{never.binary_counts()}; IoU of the poles: {never.iu()[1]:.0f}")
assert never.acc() > 0.95 and never.fw_iu() > 0.9 and never.iu()[1] == 0

# %% [markdown]
# Scores that count pixels, `acc` and `fw_iu`, are fooled by any majority class. Scores that count classes are halved. Only the IoU of the
# class that you care about says zero. So **always print the IoU of every class**.

# %% [markdown]
# ## 5. A class that is not there
#
# What is the IoU of *person* where nobody is, and nobody was predicted? TP / (TP + FP + FN) = 0 / 0. Somebody has to decide, and public code
# decides in three ways, mostly without a word:
#
# - **nan**: leave the class out of the mean. The course's default;
# - **zero**: count it as wholly wrong. It is what 0 / (0 + ε) gives;
# - **one**: count it as wholly right. It is what (0 + ε) / (0 + ε) gives.
#
# Most pictures of most data sets lack most classes: one of VOC shows two or three of 21. Street scenes hold nearly all, so take a crop of 16×16
# pixels, the size of a small object. **Predict** how far apart its three mean IoUs are.

# %%
def crops(maps):
    """(N, 48, 64) → (12 N, 16, 16)."""
    return maps.unfold(1, 16, 16).unfold(2, 16, 16).reshape(-1, 16, 16)

cut_predictions, cut_targets = crops(predictions), crops(targets)

# %% tags=["claim:absent-classes"]
one_crop = ConfusionMatrix(8).update(cut_predictions[13], cut_targets[13])
there = [name for name, iu in zip(val.classes, one_crop.iu()) if not iu.isnan()]
by_policy = {policy: round(one_crop.mean_iu(policy), 3) for policy in ("nan", "zero", "one")}
print(f"in truth or prediction: {', '.join(there)}")
print(by_policy)
assert by_policy["zero"] < by_policy["nan"] < by_policy["one"]

# %% [markdown]
# One prediction, three scores. Tables rarely say which it was. Over a whole data set every class occurs somewhere, and the three agree:

# %%
assert whole.mean_iu("nan") == whole.mean_iu("zero") == whole.mean_iu("one")

# %% [markdown]
# So the policy matters where somebody scores single pictures or batches. That is the next mistake.

# %% [markdown]
# ## 6. An average of averages
#
# A validation loop gets batches. It is easy to compute the mean IoU of each batch and to report the mean of those. **Predict**: is that the mean IoU
# of the set? Does it matter how large the batches are?

# %%
def mean_over_batches(size, absent, order):
    """What a loop reports that averages the mean IoU of its batches."""
    batches = order.split(size)
    scores = [ConfusionMatrix(8).update(cut_predictions[b], cut_targets[b]).mean_iu(absent) for b in batches]
    return sum(scores) / len(scores)

# %% tags=["claim:mean-of-means"]
in_order = torch.arange(len(cut_targets))
print("crops in a batch    absent: nan    zero     one")
for size in (1, 4, 16, len(in_order)):
    row = [mean_over_batches(size, absent, in_order) for absent in ("nan", "zero", "one")]
    print(f"{size:16}         {row[0]:.3f}   {row[1]:.3f}   {row[2]:.3f}")
assert abs(mean_over_batches(1, "one", in_order) - mean_over_batches(1, "zero", in_order)) > 0.1

# %% [markdown]
# The same predictions
# on the same pixels. Only the last row, all crops in one batch, is the mean IoU, whatever the policy. The first row
# holds three numbers that you could find in three papers. They change with the batch size. They
# change with the order too, so that shuffling a validation set makes a network "better":

# %%
for _ in range(3):
    print(f"batches of 4, shuffled: {mean_over_batches(4, 'one', torch.randperm(len(in_order))):.4f}")

# %% [markdown]
# The cure costs nothing: keep **counts**, add them up, divide once at the end. `ConfusionMatrix.update` adds; `merge` adds the matrices of two
# processes. In which portions and in which order the pixels come cannot matter, since sums don't care.

# %%
first, second = ConfusionMatrix(8), ConfusionMatrix(8)
for i in torch.randperm(100):
    (first if i % 3 else second).update(predictions[i], targets[i])
assert torch.equal(first.merge(second).matrix, whole.matrix)

# %% [markdown]
# ## 7. What IoU cannot see: outlines
#
# Take two segmenters, made from the truth itself. **Aside** moves everything one pixel to the right. **Coarse** knows one pixel in four, each
# way, and repeats it. (To keep void out of the
# way, each void pixel first gets the class of the nearest pixel that has one.)

# %%
def without_void(mask):
    rows, columns = distance_transform_edt(mask == 255, return_distances=False, return_indices=True)
    return mask[rows, columns]

full = torch.stack([without_void(mask) for mask in targets])
aside = torch.cat([full[:, :, :1], full[:, :, :-1]], dim=2)
coarse = full[:, 2::4, 2::4].repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)

# %%
fig, axes = subplots(1, 3, width=900, height=230, width_ratios=(1, 1, 1.35))
for ax, mask, title in zip(axes, (full[2], aside[2], coarse[2]), ("truth", "aside", "coarse")):
    draw_mask(ax, mask, val.palette, val.classes, title, legend=title == "coarse")
show(fig, alt="A street's label map; the same moved by one pixel, which looks the same; and a coarse one of blocks of 4 "
     "by 4 pixels, in which outlines are stairs and poles are broken.")

# %% [markdown]
# **Predict** the IoU of *road* and of *pole* for the two. A pole is one or two pixels wide.
#
# **Boundary F1** (边界 F1) asks something else: of the outline pixels (轮廓) that were predicted, which share lies within 1 pixel of a true outline
# (precision), and of the true ones, which share lies that near to a predicted one (recall)? F1 is their harmonic mean.

# %% tags=["nbval-check-output", "claim:boundaries"]
scored_classes = [val.classes.index(name) for name in ("road", "building", "pole")]
print(f"{'':20}    road  building    pole")
for name, guess in (("aside", aside), ("coarse", coarse)):
    iu = ConfusionMatrix(8).update(guess, full).iu()[scored_classes]
    outlines = boundary_f1(guess, full, num_classes=8, tolerance=1)[scored_classes]
    for score_name, values in (("IoU", iu), ("boundary F1", outlines)):
        print(f"{name:8}{score_name:12}{values[0]:8.2f}{values[1]:10.2f}{values[2]:8.2f}")
assert outlines[0] < iu[0] - 0.1  # coarse: IoU sees little, boundary F1 sees it

# %% [markdown]
# Read it twice. *Road*: the IoU hardly tells the two apart, since a road is large and its outline is a small part of it. Boundary F1 does: in *coarse*,
# a quarter of the outline is wrong. *Pole*: the IoU calls both bad, since a pole is all outline. Boundary F1 says that *aside* is
# right within a pixel, and *coarse* is not. A fair report of thin things has both numbers, and names the tolerance.

# %% [markdown]
# ## 8. Paint it yourself
#
# Choose a class and paint on the prediction, with the mouse or with the keys named below the picture. All scores follow. You begin with the
# network's prediction; what is wrong in it is hatched.

# %%
MetricsPainter(targets[2], val.classes, val.palette, prediction=predictions[2], image=val_images[2])

# %% [markdown]
# **Four things to try.** (1) Paint one pole right. Which score moves most, which hardly? (2) Paint a single pixel of *person* where nobody
# is. (3) Fray a long straight outline, pixel by pixel, and watch IoU and boundary F1. (4) Paint over hatched void: nothing may happen.

# %% [markdown]
# ## 9. From scores to losses
#
# Why not train on the mean IoU itself? Because the score looks at the `argmax`, and the argmax does not move when a probability moves a little. It
# has no gradient (梯度), so there is no direction to go:

# %%
logits = torch.randn(2, 8, 5, 7, requires_grad=True)  # (N, K, H, W)
target = torch.randint(8, (2, 5, 7))  # (N, H, W)
target[:, 2] = 255  # a row of void
print("the loss can be followed back:", losses.cross_entropy(logits, target).requires_grad)
print("the argmax can be followed back:", logits.argmax(1).requires_grad)
assert not logits.argmax(1).requires_grad

# %% [markdown]
# A loss is a stand-in that has a gradient. The documents use **cross-entropy** (交叉熵): give each pixel the K scores of the network (*logits*), turn
# them into probabilities by the softmax (归一化指数函数), and take −log p of the true class. The mean over all pixels is the loss. Written
# as it is said:

# %%
p = logits.exp() / logits.exp().sum(1, keepdim=True)  # softmax, (N, K, H, W)
known = target != 255
p_true = p.gather(1, target.where(known, 0)[:, None])[:, 0]  # (N, H, W)
by_hand = -p_true.log()[known].mean()

# %% [markdown]
# The documents write it as `nll_loss(F.log_softmax(inputs), targets)`, NLL being the negative log-likelihood (负对数似然), and say that this is cross-entropy by pixel.
# **Predict**: do these four agree?

# %% tags=["nbval-check-output", "claim:nll-of-log-softmax"]
log_p = F.log_softmax(logits, dim=1)
four = {
    "by hand": by_hand,
    "nn.NLLLoss of log_softmax": nn.NLLLoss(ignore_index=255)(log_p, target),
    "F.cross_entropy": F.cross_entropy(logits, target, ignore_index=255),
    "course_utils.losses": losses.cross_entropy(logits, target),
}
print("\n".join(f"{name:26} {value:.4f}" for name, value in four.items()))
assert max(four.values()) - min(four.values()) < 1e-6

# %% [markdown]
# They do. (The documents' `nn.NLLLoss2d(weight, size_average, ignore_index)` is the name from 2017. Today `nn.NLLLoss` takes pictures
# too, and `reduction="mean"` says what `size_average` said.)
#
# Then why write log-softmax in one piece? **Predict** what the version by hand gives for a network that is very sure:

# %% tags=["nbval-check-output"]
sure = 60 * torch.tensor([[2.0, -1.0]]).view(1, 2, 1, 1)
wrong = torch.tensor([[[1]]])
print("log of softmax:", (sure.exp() / sure.exp().sum(1)).log()[0, 1].item())
print("log-softmax:   ", F.log_softmax(sure, dim=1)[0, 1].item())
assert losses.cross_entropy(sure, wrong).isfinite()

# %% [markdown]
# e¹²⁰ is too large for a 32-bit number, and the loss is lost. `log_softmax` subtracts the largest logit first.

# %% [markdown]
# ### What a pixel feels
#
# The documents: *every pixel contributes to the loss*. The gradient says how much. For cross-entropy it has a famous, simple form: **probability minus
# truth**, divided by the number of pixels.

# %% tags=["claim:every-pixel"]
(gradient,) = torch.autograd.grad(losses.cross_entropy(logits, target), logits)  # (N, K, H, W)
one_hot = F.one_hot(target.where(known, 0), 8).movedim(-1, 1)
expected = (p - one_hot) * known[:, None] / known.sum()
felt = gradient.abs().sum(1) > 0  # (N, H, W)
print(f"probability − truth: largest difference {(gradient - expected).abs().max():.0e}")
print(f"pixels with a gradient: {felt.sum()} of {felt.numel()}; void pixels: {(~known).sum()}")
assert torch.allclose(gradient, expected, atol=1e-7) and torch.equal(felt, known)

# %% [markdown]
# Every pixel but the void ones. Void pixels get no gradient at all: whatever the network says there, nobody minds.

# %% [markdown]
# Leaving out void has a corner. **Predict** the loss of a crop in which *every* pixel is void. It happens, with random crops of real
# data:

# %% tags=["nbval-check-output"]
nothing = torch.full_like(target, 255)
print("F.cross_entropy:    ", F.cross_entropy(logits, nothing, ignore_index=255).item())
ours = losses.cross_entropy(logits, nothing)
print("course_utils.losses:", ours.item(), "gradient", torch.autograd.grad(ours, logits)[0].abs().max().item())
assert ours == 0

# %% [markdown]
# 0 / 0. One such batch, and every weight of the network is nan. The course's losses return 0 with a gradient of zeros.

# %% [markdown]
# ## 10. Losses that judge pixel by pixel
#
# Cross-entropy treats all pixels alike. Its relatives don't:
#
# - **class weights** (类别权重): a pixel of class c counts w(c) times;
# - **pixel weights**: each pixel has a weight of its own. U-Net's loss, lesson 04;
# - **focal loss** (焦点损失), `(1 − p)^γ · (−log p)`: a pixel that is right already hardly counts;
# - **OHEM** (在线难例挖掘, online hard example mining): only hard pixels count, those with p below a threshold.
#
# What does each do to a pixel? Take one pixel, two classes, and let p go from 0 to 1. The loss is one curve, its slope along the logit of the
# true class another.

# %%
def curve(loss, probabilities):
    """Loss, and how hard it pulls the logit of the true class up, for one pixel at each probability."""
    rows = []
    for x in torch.logit(probabilities):
        pixel = torch.stack([x, torch.zeros(())]).view(1, 2, 1, 1).requires_grad_()
        value = loss(pixel, torch.tensor([[[0]]]))
        (slope,) = torch.autograd.grad(value, pixel)
        rows.append((value.item(), -slope[0, 0, 0, 0].item()))
    return torch.tensor(rows).T

# %%
by_pixel = {
    "cross-entropy": losses.cross_entropy,
    "weighted, w = 2": lambda x, t: losses.weighted_cross_entropy(x, t, torch.full(t.shape, 2.0)),
    "focal, γ = 2": losses.focal_loss,
    "OHEM, p < 0.7": partial(losses.ohem_cross_entropy, min_share=0),
}
probabilities = torch.linspace(0.01, 0.99, 99)
curves = {name: curve(loss, probabilities) for name, loss in by_pixel.items()}

# %%
fig, (value_ax, slope_ax) = subplots(1, 2, width=880, height=330)
for name, (value, slope) in curves.items():
    value_ax.plot(probabilities, value, label=name)
    slope_ax.plot(probabilities, slope)
value_ax.set(xlabel="p, probability of the true class", ylabel="loss", ylim=(0, 4), title="Loss of one pixel")
slope_ax.set(xlabel="p, probability of the true class", ylabel="pull on its logit", title="Gradient of one pixel")
value_ax.legend()
show(fig, alt="Loss and gradient of one pixel against the probability of its true class. Cross-entropy pulls with 1 "
     "minus p. With weight 2 it pulls twice as hard. Focal loss pulls a little harder below 0.3 and "
     "hardly at all above 0.8. OHEM pulls like cross-entropy up to 0.7 and not at all above.")

# %% [markdown]
# Read the right-hand picture. Cross-entropy pulls with 1 − p: in proportion to what is missing. A weight multiplies every pull. Focal loss
# lets go of a pixel long before it is perfect. OHEM lets go all at once. The first two in numbers:

# %% tags=["claim:pixel-weights"]
pull_of = {name: slope for name, (_, slope) in curves.items()}
print(f"pull / (1 − p): {(pull_of['cross-entropy'] / (1 - probabilities)).mean():.4f}")
print(f"with weight 2:  {(pull_of['weighted, w = 2'] / (1 - probabilities)).mean():.4f}")
assert torch.allclose(pull_of["weighted, w = 2"], 2 * (1 - probabilities), atol=1e-5)

# %% [markdown]
# **Predict**: is the pull of the focal loss ever *stronger* than that of cross-entropy?

# %% tags=["nbval-check-output"]
ce, focal = pull_of["cross-entropy"], pull_of["focal, γ = 2"]
stronger = probabilities[focal > ce]
print(f"stronger for p from {stronger.min():.2f} to {stronger.max():.2f}, at most {(focal / ce).max():.2f} times")
print(f"at p = 0.90 it has {focal[89] / ce[89]:.0%} of the pull, at p = 0.99 {focal[98] / ce[98]:.2%}")
assert focal[98] < ce[98] / 100

# %% [markdown]
# ### Where class weights come from
#
# Count the pixels of each class in the training set. Two recipes are in use:
#
# - **median frequency** (中位数频率平衡, SegNet): median of all frequencies / frequency of the class. The class in the middle gets 1;
# - **ENet**: 1 / ln(1.02 + share of the class). Never below 1.4, never above 50.5.

# %% tags=["nbval-check-output"]
counts = losses.count_pixels(zip(images, masks), num_classes=8)
median = losses.median_frequency_weights(*counts)
enet = losses.enet_class_weights(counts.pixels)
print("class       share   median   ENet")
for row in zip(train.classes, counts.pixels / counts.pixels.sum(), median, enet):
    print(f"{row[0]:9} {row[1]:7.1%} {row[2]:8.2f} {row[3]:6.1f}")
assert median.argmax() == enet.argmax() == counts.pixels.argmin()

# %% [markdown]
# Divide the weight of *pole* by that of *building*: so many building pixels does one pole pixel outweigh. ENet's recipe is the milder
# one.

# %% [markdown]
# ## 11. Losses that judge class by class
#
# The other family starts from the scores. Take IoU = TP / (TP + FP + FN) and put probabilities where the score has yes or no: TP = Σ p·g, with g = 1 at
# the pixels of the class. That is the **Jaccard loss** 1 − IoU; done to Dice it is the **Dice loss**. By hand, for one class of six pixels:

# %%
g = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
p = torch.tensor([0.9, 0.8, 0.3, 0.4, 0.1, 0.0])  # one pixel missed, one doubtful
soft_tp = (p * g).sum()
print(f"Dice loss    {1 - 2 * soft_tp / (p.sum() + g.sum()):.4f}")
print(f"Jaccard loss {1 - soft_tp / (p.sum() + g.sum() - soft_tp):.4f}")

# %% [markdown]
# The course's losses take the mean over the classes that occur. Turn p into the logits of two classes, and read off both:

# %%
two_classes = torch.stack([torch.logit(p.clamp(1e-6)), torch.zeros(6)]).view(1, 2, 1, 6)  # class 0 is ours
label = (1 - g).long().view(1, 1, 6)

def soft_iou(p, g):
    return (p * g).sum() / (p.sum() + g.sum() - (p * g).sum())

by_hand = 1 - (soft_iou(p, g) + soft_iou(1 - p, 1 - g)) / 2
assert torch.isclose(losses.jaccard_loss(two_classes, label), by_hand, atol=1e-5)

# %% [markdown]
# **Lovász-softmax** is the third. IoU is defined for *sets* of wrong pixels. The Lovász extension (Lovász 扩展) is the one way to stretch such a function from
# yes and no to probabilities that stays straight in between. Sort the pixels by error, worst first. Let them go wrong one after the
# other, and note how much each adds to 1 − IoU. The loss is Σ error · addition.

# %%
def lovasz_by_hand(errors, truth):
    """errors (P,) in [0, 1], truth (P,) bool, of one class."""
    wrong, loss, before = torch.zeros_like(truth), 0.0, 0.0
    for i in errors.argsort(descending=True):
        wrong[i] = True
        found = truth ^ wrong  # what a prediction with these wrong pixels would call the class
        after = 1 - (truth & found).sum() / (truth | found).sum()
        loss, before = loss + errors[i] * (after - before), after
    return loss

# %% tags=["nbval-check-output"]
errors = (g - p).abs()
by_hand = (lovasz_by_hand(errors, g == 1) + lovasz_by_hand(errors, g == 0)) / 2
by_library = losses.lovasz_softmax(two_classes, label)
print(f"by hand {by_hand:.4f}, by library {by_library:.4f}")
assert torch.isclose(by_hand, by_library, atol=1e-5)

# %% [markdown]
# ### What they have to do with IoU
#
# Take the network's prediction for four scenes and make it surer: multiply all logits by a growing number. The argmax stays, so the score
# stays. **Predict**: what do the losses do?

# %%
four_logits, four_targets = logits_of_val[:4], targets[:4]
sureness = torch.logspace(-1, 3, 33)
of_loss = {
    name: [getattr(losses, name)(s * four_logits, four_targets).item() for s in sureness]
    for name in ("cross_entropy", "dice_loss", "jaccard_loss", "lovasz_softmax")
}
score = ConfusionMatrix(8).update(four_logits.argmax(1), four_targets).mean_iu()

# %%
fig, ax = subplots(1, 1, width=640, height=330)
for name, values in of_loss.items():
    ax.plot(sureness, values, label=name)
ax.axhline(1 - score, color="black", linewidth=1, label="1 − mean IoU")
ax.set(xscale="log", ylim=(0, 2.5), xlabel="logits multiplied by", ylabel="loss", title="Same decisions, ever surer")
ax.legend(loc="upper right")
show(fig, alt="Losses of the same prediction while its logits grow. Cross-entropy first falls, then grows without limit. "
     "Jaccard and Lovász loss settle exactly on the line 1 minus mean IoU; Dice loss settles below.")

# %% tags=["claim:lovasz-at-hard"]
hard = 1e5 * F.one_hot(four_logits.argmax(1), 8).movedim(-1, 1).float()
at_hard = {name: getattr(losses, name)(hard, four_targets).item() for name in ("jaccard_loss", "lovasz_softmax")}
print(f"1 − mean IoU {1 - score:.6f}; {', '.join(f'{name} {value:.6f}' for name, value in at_hard.items())}")
assert all(abs(value - (1 - score)) < 1e-5 for value in at_hard.values())

# %% [markdown]
# Cross-entropy is lowest near factor 1, where the network is as sure as it has a right to be, and it punishes being sure and wrong
# without limit: it wants honest probabilities. Jaccard and Lovász loss end in 1 − IoU: they want the
# score. (Exactly so where every class occurs in the truth. These losses judge no class that doesn't.)

# %% [markdown]
# ## 12. Who gets the gradient?
#
# Poles are few. How much of the whole gradient goes to them? Add up how hard each loss pulls at the pixels of the poles, twice: at the start of
# training, when all logits are alike, and for the network of section 4, which never says *pole*. **Predict** the share for cross-entropy
# at the start.

# %%
all_losses = {
    "cross-entropy": losses.cross_entropy,
    "median frequency": partial(losses.cross_entropy, weight=median),
    "focal": losses.focal_loss,
    "OHEM": losses.ohem_cross_entropy,
    "Dice": losses.dice_loss,
    "Lovász": losses.lovasz_softmax,
}

# %%
def pull(loss, logits, target):
    """How hard a loss pulls at each pixel: (N, H, W)."""
    logits = logits.detach().requires_grad_()
    return torch.autograd.grad(loss(logits, target), logits)[0].norm(dim=1)

at_start = {name: pull(loss, 0 * four_logits, four_targets) for name, loss in all_losses.items()}
after = {name: pull(loss, four_logits, four_targets) for name, loss in all_losses.items()}

# %% tags=["claim:gradient-share"]
poles = four_targets == 7
print(f"poles are {poles.sum() / (four_targets != 255).sum():.1%} of the pixels; their share of the gradient:")
for name in all_losses:
    shares = [(pulls[name][poles].sum() / pulls[name].sum()).item() for pulls in (at_start, after)]
    print(f"{name:17} {shares[0]:6.1%} at the start {shares[1]:6.1%} after training")
assert at_start["Lovász"][poles].sum() / at_start["Lovász"].sum() > 0.1

# %% [markdown]
# At the start, cross-entropy, focal loss and OHEM give every pixel the same pull, so a class gets its share of the pixels. Weights change that, by hand.
# Lovász loss changes it by itself: it gives each of the eight classes one eighth. Dice loss lies in between.
#
# After training, the maps show where each loss pulls. Bright is hard.

# %%
fig, axes = subplots(2, 3, width=900, height=430)
for ax, (name, pulls) in zip(axes.flat, after.items()):
    draw_heatmap(ax, pulls[2] / pulls[2].quantile(0.99), interpolation="nearest", label="pull", limits=(0, 1))
    ax.set_title(name)
show(fig, alt="Six maps of the same street: how hard each loss pulls at each pixel. Cross-entropy, focal loss and OHEM pull "
     "at whole walls and cars that are wrong; with median frequency weights persons and poles stand out; Dice and "
     "Lovász pull most at the cars. Void seams are dark everywhere.")

# %% [markdown]
# Cross-entropy, focal loss and OHEM follow the mistakes, wherever they are, and large things make large mistakes. With median frequency weights the
# small things shine, persons and poles. Dice and Lovász loss look for classes whose overlap can still be gained. Void is dark
# everywhere.

# %% [markdown]
# ### Sure and wrong
#
# One more thing decides whether a rare class is found. Let a network of two classes say *no pole* everywhere, surer and surer. How hard does each
# loss pull at the poles that it misses? **Predict**: harder, the surer and more wrong it is?

# %%
pole_targets = torch.where(four_targets == 255, 255, poles.long())
sure_of_none = torch.linspace(0.25, 8, 32)
at_poles = {name: [] for name in ("cross-entropy", "focal", "Dice", "Lovász")}
for s in sure_of_none:
    no_pole = torch.stack([s, torch.zeros(())]).view(1, 2, 1, 1).expand(4, 2, 48, 64)
    for name, pulls in at_poles.items():
        pulls.append(pull(all_losses[name], no_pole, pole_targets)[poles].sum().item())

# %%
fig, ax = subplots(1, 1, width=640, height=320)
for name, pulls in at_poles.items():
    ax.plot(torch.sigmoid(-sure_of_none), pulls, label=name)
ax.set(xscale="log", xlabel="p of the missed poles: surer and more wrong to the right", ylabel="pull on all poles")
ax.invert_xaxis()
ax.legend()
show(fig, alt="Pull on missed poles against the probability that the network gives them, from one half down to almost "
     "zero. Lovász starts far above the others, Dice level with cross-entropy; both fall to nothing. Cross-entropy "
     "and focal loss rise and stay there.")

# %% tags=["claim:sure-and-wrong"]
print("pull on the poles  at p = 0.44   at p = 0.0003")
for name, pulls in at_poles.items():
    print(f"{name:17} {pulls[0]:12.4f} {pulls[-1]:13.4f}")
assert at_poles["cross-entropy"][-1] > at_poles["cross-entropy"][0]
assert at_poles["Dice"][-1] < at_poles["Dice"][0] / 10 and at_poles["Lovász"][-1] < at_poles["Lovász"][0] / 10

# %% [markdown]
# Cross-entropy pulls hardest where the network is sure and wrong. Dice and Lovász loss see the logits through the softmax, whose slope is p·(1 − p): at p = 0
# it is flat. They give a rare class a good share at the start, and let go of it once the network has given it up. That is why many
# people add the two: cross-entropy + Dice.

# %% [markdown]
# ## 13. Does it help?
#
# Train. The question is the one of section 4: is there a pole here, yes or no? Each loss gets the same network, the same 60 steps and the same
# batches, three times, from three random starts. **Predict**: which losses will find poles?

# %%
pole_masks = torch.where(masks == 255, 255, (masks == 7).long())
pole_counts = losses.count_pixels(zip(images, pole_masks), num_classes=2)
weights = losses.median_frequency_weights(*pole_counts)
to_compare = all_losses | {
    "median frequency": partial(losses.cross_entropy, weight=weights),
    "ENet weights": partial(losses.cross_entropy, weight=losses.enet_class_weights(pole_counts.pixels)),
}
print(f"median frequency: one pole pixel weighs as much as {weights[1] / weights[0]:.0f} others")

# %% tags=["reseeds"]
def scored(loss, seed, steps):
    """Confusion matrix of the validation scenes after training from a random start."""
    torch.manual_seed(seed)
    net = trained(small_net(2), loss, pole_masks, steps)
    with torch.no_grad():
        return ConfusionMatrix(2).update(net(val_images - 0.5).argmax(1), is_pole)

# %%
def report(name, runs):
    iou = "  ".join(f"{run.iu()[1]:.2f}" for run in runs)
    acc, precision, recall = torch.tensor(
        [(run.acc(), run.precision("zero")[1], run.recall()[1]) for run in runs]).mean(0)
    print(f"{name:17} IoU {iou}   precision {precision:.2f}, recall {recall:.2f}   acc {acc:.3f}")

# %% tags=["claim:rare-class"]
results = {name: [scored(loss, seed, steps=60) for seed in range(3)] for name, loss in to_compare.items()}
for name, runs in results.items():
    report(name, runs)
pole_iou = {name: sum(run.iu()[1].item() for run in runs) / len(runs) for name, runs in results.items()}
assert max(pole_iou, key=pole_iou.get) not in ("cross-entropy", "focal", "OHEM")

# %% [markdown]
# Cross-entropy finds no poles in these 60 steps: saying *no* is right for 97 of 100 pixels, and its gradient knows nothing of classes. Focal
# loss and OHEM prefer *hard* pixels, and that is not the same as *rare* ones: they don't help here. Three ways help: weights, Dice and
# Lovász.
#
# They don't help alike. With median frequency weights most poles are found, and nine of ten pixels that are called a pole are none. ENet's
# milder weights, and Dice, balance better. Mind that the accuracy goes *down* where the poles are found: whoever had chosen by accuracy would have taken a
# network that is blind.
#
# Now the question that papers leave out. Was cross-entropy wrong, or only slow? **Predict**, then give it five times as many steps:

# %% tags=["claim:longer-training"]
longer = scored(losses.cross_entropy, seed=0, steps=300)
report("cross-entropy", [longer])
assert longer.iu()[1] > pole_iou["cross-entropy"] + 0.05

# %% [markdown]
# Only slow. After five times as many steps, plain cross-entropy is ahead of every line of the table above, and most of what it calls a pole is
# one. A loss that balances classes buys an early start, and weights buy recall at the price of precision. How much of that is
# left after long training has to be measured, for each data set anew: by the IoU of the class, on pictures not seen, over
# several seeds.

# %% [markdown]
# ## 14. What the documents say, measured
#
# | statement | verdict |
# | --- | --- |
# | TP, TN, FP and FN are what every score is made of | holds |
# | the confusion matrix comes from "a very clever method" | holds: one bincount, equal to the loop; class numbers must be checked |
# | acc, acc_cls, iu, mean_iu, fw_iu come out of the matrix | holds |
# | `nll_loss(log_softmax(inputs), targets)` is cross-entropy by pixel | holds |
# | every pixel contributes to the loss | holds if void is left out |
# | a weight for each pixel makes the network attend to it | holds: loss and gradient are multiplied by it |
#
# And what no document says: three policies for absent classes give three scores; a mean over batches is not the mean IoU; Jaccard and Lovász loss
# end in 1 − IoU; a loss that finds no pole in 60 steps finds many in 300. The full list, with the cell behind each verdict, is in
# `docs/claims.md`.

# %% [markdown]
# ## 15. Your turn
#
# - **Vary.** In section 7, give `boundary_f1` a tolerance of 2 and of 0. Predict both rows of *aside* first.
# - **Vary.** In section 13, add `lambda x, t: losses.cross_entropy(x, t) + losses.dice_loss(x, t)` to `to_compare`. Then *person* for *pole*.
# - **Vary.** Change focal loss to γ = 0 in section 10 (`partial(losses.focal_loss, gamma=0)`). Which curve does it become?
# - **Exercise notebook:** [exercises/07_metrics_and_losses](exercises/07_metrics_and_losses/07_metrics_and_losses.ipynb): five tasks that
#   check themselves and one to write about.
#
# **Further reading.** Long, Shelhamer & Darrell (2015), section 5, for the scores. · Csurka, Larlus & Perronnin (2013), *What is a Good Evaluation
# Measure for Semantic Segmentation?* · Lin et al. (2017), *Focal Loss*. · Milletari, Navab & Ahmadi (2016), *V-Net*, for Dice. · Berman, Rannen Triki &
# Blaschko (2018), *The Lovász-Softmax Loss*. · Maier-Hein, Reinke et al. (2024), *Metrics Reloaded* (Nature Methods), on choosing scores.
