# %% [markdown]
# # 00 · Start here: a label for every pixel
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/00_start_here.ipynb) · in JupyterLab, you are in the right place already.
#
# Semantic segmentation (语义分割) answers one question for *every pixel* of a picture: what is this part of? A robot needs it to
# find the pavement, a doctor to measure a tumour, a mapmaker to count roofs.
#
# This first lesson takes ten minutes. **You will be able to**
#
# - read a label map (标签图) and say what *void* means;
# - score a segmentation by intersection over union (IoU, 交并比), and say why accuracy is not enough;
# - build the simplest segmenter there is, see it fail, and know why the rest of the course exists;
# - run, check and break the cells of this course.
#
# Run cells with *Shift + Enter*. Nothing you change here can break anything: *Kernel → Restart Kernel and Run All Cells* brings you
# back.

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

from course_utils.data import list_datasets, load_dataset
from course_utils.plotting import draw_box, draw_image, draw_mask, show, show_images, subplots

torch.manual_seed(0);

# %% [markdown]
# ## 1. Your machine
#
# Every lesson runs on an ordinary laptop without a network. If a GPU is there, the lessons that train use it. For a full check of
# your installation, type `course doctor` in a terminal.

# %%
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
print(f"PyTorch {torch.__version__.split('+')[0]} computes on: {device}")
print("data sets:", ", ".join(list_datasets()))

# %% [markdown]
# ## 2. A picture and its label map
#
# Our first data set is drawn by a program: little street scenes, each another one, with a perfect label for every pixel. It needs no
# download, and the same seed gives the same streets on every machine.
#
# Every data set of the course is used in the same way: `dataset[i]` is a pair (image, mask).

# %% tags=["nbval-check-output"]
train = load_dataset("street_scenes", "train")
image, mask = train[3]
print(f"image {tuple(image.shape)} {image.dtype}, from {image.min():.2f} to {image.max():.2f}")
print(f"mask  {tuple(mask.shape)} {mask.dtype}, labels {mask.unique().tolist()}")
assert image.shape[1:] == mask.shape

# %% [markdown]
# Channels first, then height, then width: (C, H, W), everywhere in this course. The mask has no channels: it holds one *number* for
# each pixel, the number of its class.
#
# **Predict** before you run the next cell: which number belongs to the sky, and what might 255 be?

# %% tags=["nbval-check-output"]
for number, name in enumerate(train.classes):
    print(f"{number}  {name:9} {(mask == number).sum().item():5} pixels")
print(f"255  void     {(mask == train.ignore_index).sum().item():5} pixels")

# %%
fig, (left, right) = subplots(1, 2, width=880, height=320)
draw_image(left, image, "image")
draw_mask(right, mask, train.palette, train.classes, "label map")
show(fig, alt="A street with houses, trees, cars and people, and beside it the same street as a label "
     "map: one flat colour per class, a thin hatched seam of void pixels where classes touch.")

# %% [markdown]
# The colours are only for our eyes; they come from `train.palette`. The network sees numbers.
#
# The hatched seam along the borders is **void** (忽略区域), label 255: "don't ask". Annotators can't say to which side
# a border pixel belongs, so nobody is rewarded or punished there. Every loss and every score of this course leaves void out.

# %% [markdown]
# ### Labels are names, not amounts
#
# Class 3 is not "more" than class 2. That has a consequence people learn the hard way: never resize a mask as if it were a
# picture. Halfway between road (2) and tree (4) lies pavement (3), which is not there.
#
# **Predict**: how many pixels get a wrong label if a mask is shrunk by bilinear interpolation (双线性插值)?

# %%
small = (48, 64)
as_picture = mask[None, None].float()  # (1, 1, H, W)
by_nearest = F.interpolate(as_picture, small, mode="nearest-exact")[0, 0]
by_bilinear = F.interpolate(as_picture, small, mode="bilinear", antialias=True)[0, 0].round()

# %% [markdown]
# And the answer:

# %%
invented = set(by_bilinear.unique().tolist()) - set(mask.unique().tolist())
print(f"bilinear: {len(invented)} labels that nobody drew, such as {sorted(invented)[:4]}; "
      f"{(by_bilinear != by_nearest).float().mean():.0%} of all pixels differ")
assert set(by_nearest.unique().tolist()) <= set(mask.unique().tolist())

# %% [markdown]
# Masks are resized by nearest neighbour (最近邻), always. `course_utils.data.transforms` takes care of it.

# %% [markdown]
# ## 3. Be the network
#
# Here are eight pieces of 9×9 pixels, one of each class, in random order. Give each a name: sky, building, road, pavement, tree,
# car, person or pole. Write your answers down, then scroll on.

# %%
def find_place(number, first_scene):
    """(scene, row, column) of a pixel of class `number`, 24 pixels or more from every border."""
    for scene in range(first_scene, len(train)):
        places = (train[scene][1][24:-24, 24:-24] == number).nonzero()
        if len(places) > 20:
            row, column = places[torch.randint(len(places), ())].tolist()
            return scene, row + 24, column + 24

# %%
order = torch.randperm(8).tolist()
places = [find_place(number, first_scene=100 + 20 * number) for number in order]

# %%
cuts = [train[i][0][:, row - 4 : row + 5, col - 4 : col + 5] for i, row, col in places]
show_images(cuts, [f"piece {n}" for n in range(1, 9)], columns=8, width=860,
            alt="Eight patches of 9 by 9 coarse pixels, most of them grey or brown.")

# %% [markdown]
# Now the same eight with more of the picture around them. The frame is the piece that you saw.

# %%
fig, axes = subplots(1, 8, width=880, height=140)
for ax, number, (i, row, col) in zip(axes, order, places):
    draw_image(ax, train[i][0][:, row - 24 : row + 25, col - 24 : col + 25], train.classes[number])
    draw_box(ax, (20, 20, 29, 29))
show(fig, alt="The same eight places in patches of 49 by 49 pixels, now with their class names, each with "
     "a frame around the piece of 9 by 9 pixels. With their surroundings they are easy to name.")

# %% [markdown]
# With context, nobody needs to guess. That is what this course is about: how a network gets to see enough of the surroundings
# (its *receptive field*, lesson 01) without losing the place of each pixel (lessons 02 to 06).

# %% [markdown]
# ## 4. The simplest segmenter: colour alone
#
# Take the mean colour of each class over 60 training scenes. Give each pixel of a new picture the class of the nearest mean. No
# network, no context. **Predict**: which classes will it find, and which will it miss?

# %%
classes = len(train.classes)
total, count = torch.zeros(classes, 3), torch.zeros(classes)
for i in range(60):
    image, mask = train[i]
    known = mask != train.ignore_index
    total.index_add_(0, mask[known], image[:, known].T)
    count += torch.bincount(mask[known], minlength=classes)
mean_colour = total / count[:, None]  # (K, 3)

# %% [markdown]
# The segmenter itself is three lines: list the pixels, find the nearest mean, fold the answers back into a map.

# %%
def segment_by_colour(image):
    pixels = image.flatten(1).T  # (H·W, 3)
    return torch.cdist(pixels, mean_colour).argmin(dim=1).view(image.shape[1:])  # (H, W)

# %%
val = load_dataset("street_scenes", "val")
val_pairs = [val[i] for i in range(100)]
image, mask = val_pairs[0]
prediction = segment_by_colour(image)

# %%
fig, axes = subplots(1, 3, width=900, height=240, width_ratios=(1, 1, 1.35))
draw_image(axes[0], image, "image")
draw_mask(axes[1], mask, val.palette, val.classes, "truth", legend=False)
draw_mask(axes[2], prediction, val.palette, val.classes, "by colour alone")
show(fig, alt="A street, its true label map, and the prediction by colour alone: bright walls are called "
     "sky, the pavement is a confetti of pavement and sky, people and poles are lost.")

# %% [markdown]
# ## 5. How good is that? Three scores
#
# Count, for each pair of classes, how many pixels of true class *t* were called *p*. This table is the **confusion matrix** (混淆矩阵),
# and every score of this course comes out of it. One call fills it: give each pair (t, p) the number K·t + p and count the numbers.

# %%
def confusion_matrix(prediction, target, classes, ignore_index=255):
    """(K, K) counts: row = true class, column = predicted class. Void pixels are left out."""
    known = target != ignore_index
    pairs = classes * target[known] + prediction[known]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)

# %% [markdown]
# Try it on six pixels that you can count yourself. **Predict** the table.

# %%
tiny_truth = torch.tensor([[0, 0, 1], [1, 1, 255]])
tiny_prediction = torch.tensor([[0, 1, 1], [1, 1, 0]])
print(confusion_matrix(tiny_prediction, tiny_truth, 2))
assert confusion_matrix(tiny_prediction, tiny_truth, 2).tolist() == [[1, 1], [0, 3]]

# %% [markdown]
# Check it by eye: two pixels are truly 0, one was called 0 and one 1. Three are truly 1, all found. The void pixel is not counted.
#
# - **Pixel accuracy**: the diagonal over everything. The share of pixels that are right.
# - **IoU** of a class: right pixels over all pixels that are that class *or* were called so. Intersection over union.
# - **mean IoU** (mIoU, 平均交并比): the mean over classes. Each class counts the same, however few its pixels.

# %%
def scores(matrix):
    right = matrix.diag()
    union = matrix.sum(0) + matrix.sum(1) - right
    return right.sum() / matrix.sum(), right / union  # pixel accuracy, IoU of each class

# %% [markdown]
# Now all scores of the colour segmenter, over a hundred scenes that it has not seen.

# %%
def evaluate(segment):
    """One confusion matrix for all validation scenes."""
    return sum(confusion_matrix(segment(image), mask, classes) for image, mask in val_pairs)

# %%
by_colour = evaluate(segment_by_colour)
accuracy, iou = scores(by_colour)
print(f"{len(val_pairs)} scenes: pixel accuracy {accuracy:.3f}, mean IoU {iou.mean():.3f}")
assert 0.1 < iou.mean() < 0.5

# %% [markdown]
# A mean hides a lot. Class by class:

# %%
fig, ax = subplots(1, 1, width=620, height=280)
bars = ax.barh(range(classes), iou, color="#0072B2")
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set_yticks(range(classes), val.classes)
ax.invert_yaxis()
ax.set(xlabel="IoU on the validation scenes, colour alone", xlim=(0, 1))
show(fig, alt="Bar chart of IoU per class for the colour baseline: 0.4 to 0.5 for sky, tree and road, 0.2 "
     "for pavement, close to zero for building, car, person and pole.")

# %% [markdown]
# Add up over all pictures *first*, divide *last*: the scores come from one matrix for the whole set, never from an average of
# per-picture scores.

# %% [markdown]
# ### Why accuracy is not enough
#
# Here is an even simpler segmenter: call everything *building*, whatever the picture shows. **Predict** its pixel accuracy and its
# mean IoU.

# %%
most_common = by_colour.sum(1).argmax().item()
always = evaluate(lambda image: torch.full(image.shape[1:], most_common))
accuracy_always, iou_always = scores(always)
print(f"always {val.classes[most_common]!r}: pixel accuracy {accuracy_always:.3f}, "
      f"mean IoU {iou_always.mean():.3f}")
assert iou_always.mean() < accuracy_always / 3

# %% [markdown]
# A third of all pixels are right, and the segmentation is worthless. Mean IoU tells: it drops to a few hundredths, since seven of eight
# classes score zero. All persons together are fewer
# than two pixels in a hundred. For accuracy they may as well not exist.

# %%
share = by_colour.sum(1) / by_colour.sum()
for name, part in sorted(zip(val.classes, share.tolist()), key=lambda pair: -pair[1]):
    print(f"{name:9} {part:6.1%}")
assert share.max() > 10 * share.min()

# %% [markdown]
# ### And if void counted?
#
# Public code often forgets void, or maps it to class 0. **Predict** what that does to the score of a *perfect* prediction.

# %%
void_left_out = void_as_sky = 0
for _, mask in val_pairs:
    perfect = torch.where(mask == 255, 7, mask)  # a prediction names a class everywhere
    void_left_out += confusion_matrix(perfect, mask, classes)
    void_as_sky += confusion_matrix(perfect, torch.where(mask == 255, 0, mask), classes)
print(f"mean IoU, void left out: {scores(void_left_out)[1].mean():.3f}")
print(f"mean IoU, void counted as class 0 (sky): {scores(void_as_sky)[1].mean():.3f}")
assert scores(void_left_out)[1].mean() == 1 > scores(void_as_sky)[1].mean()

# %% [markdown]
# ## 6. How this course works
#
# Each lesson follows the same path: a question to **predict**, a small piece built by hand, a proof that it equals the library's, an
# **explorer** to drag, real pictures, and then *what the documents say, measured*. Many texts on segmentation repeat each other's
# claims. Here a claim counts when a cell has measured it; `docs/claims.md` keeps the list.
#
# - A cell that ends in `assert` checks itself. If it is silent, it passed. Change something above it and see.
# - The **exercise** of each lesson is a notebook of its own, in `notebooks/exercises/`. Tests below each task tell you at once whether
#   your answer works.
# - All pictures have descriptions for screen readers, all colours are safe for colour-blind readers, and classes are
#   outlined where they touch.
#
# **Try it**: turn the next cell's `mean_colour` into something better. Could you use two mean colours per class? The row number of
# a pixel? See how far you get without a network. (The baseline's mean IoU is printed above.)

# %%
row = torch.linspace(0, 1, 96)[:, None].expand(96, 128)  # 0 at the top, 1 at the bottom
where = torch.zeros(classes)
for i in range(60):
    mask = train[i][1]
    for number in range(classes):
        where[number] += row[mask == number].sum() / count[number]
print({name: round(height.item(), 2) for name, height in zip(train.classes, where)})

# %% [markdown]
# On average the sky is high up and the road is low down. Use the row as a fourth feature beside red, green and blue:

# %%
def segment_by_colour_and_row(image, weight=0.5):
    features = torch.cat([image, weight * row[None]]).flatten(1).T  # (H·W, 4)
    centres = torch.cat([mean_colour, weight * where[:, None]], dim=1)  # (K, 4)
    return torch.cdist(features, centres).argmin(dim=1).view(image.shape[1:])

with_row = scores(evaluate(segment_by_colour_and_row))[1].mean()
print(f"mean IoU by colour: {iou.mean():.3f}   by colour and row: {with_row:.3f}")
assert with_row > iou.mean()

# %% [markdown]
# Knowing the height in the picture helps: one number of context. Lesson 01 gives every pixel a window of context, by
# turning a classifier into a segmenter without any training.
#
# **Next:** [01 · A classifier is already a segmenter](01_fc_to_conv.ipynb)
