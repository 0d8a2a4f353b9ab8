# %% [markdown]
# # 08 · A training workflow that loses nothing
#
# [▶ Open in Colab](https://colab.research.google.com/github/owner/segmentation-course/blob/main/notebooks/08_training_workflow.ipynb) · in JupyterLab, you are in the right place already.
#
# A loop of eight lines trains a network. Then the session ends in the middle of the night, the loss turns into NaN, or
# the score looks fine and is wrong. This lesson is about everything around those eight lines.
#
# **You will be able to**
#
# - write the training loop, and say what each line is for;
# - find out in two seconds whether a network can learn at all: *overfit one batch* (过拟合一个批次);
# - read learning curves (学习曲线), choose a learning rate (学习率), and keep the best weights (最优权重);
# - kill a training process and go on as if nothing had happened, bit for bit;
# - augment images *and* masks (数据增强), and see what a mask that is left behind costs.
#
# Sources: the course documents' list of what a mature training process does, measured below.

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
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.optim import AdamW
from torch.utils.data import Dataset, Subset
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.data import load_dataset
from course_utils.data.transforms import resize, train_transform
from course_utils.losses import cross_entropy
from course_utils.models import build_model
from course_utils.plotting import LiveCurve, draw_image, draw_mask, show, subplots
from course_utils.training import CheckpointFolder, evaluate, fit, load_checkpoint
from course_utils.training.order import EpochBatches

torch.set_num_threads(1)  # for networks this small one thread is as fast as several, also on a busy machine
torch.manual_seed(0);

# %% [markdown]
# ## 1. Three sets, three jobs
#
# The **training set** (训练集) teaches the weights. The **validation set** (验证集) chooses everything else: the learning rate, the
# number of epochs, which weights to keep. The **test set** (测试集) is looked at once, at the end. A number that you used
# to choose something is too good: you chose it because it was good.
#
# Our sets are generated street scenes, 36×48 pixels, small enough to train on in seconds. They fit into memory, so each
# scene is drawn once and not once per epoch.


# %%
class InMemory(Dataset):
    """Each sample of another data set, read once."""

    def __init__(self, dataset):
        self.dataset, self.samples = dataset, [dataset[index] for index in range(len(dataset))]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


# %% [markdown]
# No scene is in two of the three splits.

# %%
size = (36, 48)
train = InMemory(load_dataset("street_scenes", "train", size=size, length=96))
val = InMemory(load_dataset("street_scenes", "val", size=size, length=24))
test = InMemory(load_dataset("street_scenes", "test", size=size, length=60))
print(len(train), len(val), len(test), "images")

# %% [markdown]
# Every run below starts from weights that are drawn anew, from a seed, so that runs can be compared.


# %% tags=["reseeds"]
def new_network(seed=0):
    torch.manual_seed(seed)
    return build_model("small_fcn", num_classes=8, width=8)


print(f"{sum(weight.numel() for weight in new_network().parameters()):,} weights")

# %% [markdown]
# `small_fcn` is a small network in the manner of FCN: four stages, at strides 1, 2, 4 and 8, whose class scores are
# upsampled and added. What it is does not matter today. How it is trained does.

# %% [markdown]
# ## 2. The loop
#
# Eight lines, in this order. Each has a typical way to go wrong when it is missing:
#
# | line | forgotten, and … |
# | --- | --- |
# | `network.train()` | dropout and batch normalisation act as in evaluation |
# | `zero_grad()` | gradients of all past batches add up |
# | `backward()`, `step()` | nothing is learned, and nothing complains |
# | `schedule.step()` | the learning rate stays where it is |


# %% tags=["reseeds"]
def train_by_hand(network, dataset, epochs, batch_size=8, lr=1e-2, seed=0):
    torch.manual_seed(seed)  # for dropout
    optimizer = AdamW(network.parameters(), lr=lr)
    order = EpochBatches(len(dataset), batch_size, seed)  # lists of (epoch, index), in a new order each epoch
    steps = epochs * len(order)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / steps) ** 0.9)
    for epoch in range(epochs):
        network.train()
        order.start(epoch)
        for batch in order:
            images, target = map(torch.stack, zip(*(dataset[index] for _, index in batch)))
            loss = cross_entropy(network(images), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


# %% [markdown]
# The course's own loop is `fit`. It has the same eight lines, and around them what this lesson is about. **Predict.** Both
# start from the same weights and see the same batches. How far apart are the weights after two epochs: 10⁻², 10⁻⁵, 0?

# %%
by_hand, by_fit = new_network(), new_network()
train_by_hand(by_hand, train, epochs=2)
fit(by_fit, train, epochs=2, batch_size=8, lr=1e-2, accelerator="cpu");

# %% tags=["claim:fit-is-the-loop"]
pairs = list(zip(by_hand.state_dict().values(), by_fit.state_dict().values()))
print(f"largest difference: {max((a.double() - b.double()).abs().max() for a, b in pairs):g}")
assert all(torch.equal(a, b) for a, b in pairs)

# %% [markdown]
# Zero. On a CPU the same numbers in the same order give the same bits. (`fit` on a GPU, if there is one, is faster and
# not exact to the bit: its sums come in an order of their own.)

# %% [markdown]
# ## 3. First of all: overfit one batch
#
# Before any long run, take a handful of images and train on them alone. A network that can't learn four
# images by heart won't learn four thousand. This finds a frozen layer, a wrong loss or shuffled labels in seconds.
#
# **Predict** the mean IoU on these four images after 150 steps.

# %% tags=["claim:overfit-one-batch"]
four = Subset(train, range(4))
network = new_network()
before = evaluate(network, four).mean_iu()
fit(network, four, epochs=150, batch_size=4, lr=2e-2)
after = evaluate(network, four).mean_iu()
print(f"mean IoU on the four images: {before:.2f} → {after:.2f}")
print(f"on images it has never seen: {evaluate(network, val).mean_iu():.2f}")
assert after > 0.9

# %% [markdown]
# Learned by heart, and of little use elsewhere. Now with a bug that raises no error: the optimiser got the
# weights of *another* network.

# %%
network = new_network()
wrong_weights = list(new_network().parameters())
history = fit(network, four, epochs=20, batch_size=4, optimizer=lambda _, lr: AdamW(wrong_weights, lr=lr))
losses = history.column("train_loss")
print(f"loss {losses[0]:.2f} → {losses[-1]:.2f} in {len(losses)} steps")
assert losses[-1] > 0.9 * losses[0]

# %% [markdown]
# The loss stays where it was. No line raised an error, and a long run would have shown the same after hours.

# %% [markdown]
# ## 4. Choose the learning rate by looking
#
# The learning rate matters more than any other setting. Try a few, far apart, in short runs, and compare on the
# *validation* set. Three seeds (随机种子) each, because chance matters here.
#
# **Predict** which of 10⁻⁴, 10⁻² and 1 wins, and whether the largest one diverges.

# %%
rates, seeds = (1e-4, 1e-2, 1.0), (0, 1, 2)
runs = {(lr, seed): fit(new_network(seed), train, val, epochs=2, lr=lr, seed=seed) for lr in rates for seed in seeds}

# %% [markdown]
# Nine short runs. For each rate, the mean over the seeds and how far they spread:

# %%
scores = torch.tensor([[runs[lr, seed].rows[-1]["val_mean_iu"] for seed in seeds] for lr in rates])
for lr, line in zip(rates, scores):
    print(f"learning rate {lr:g}: mean IoU {line.mean():.2f} (from {line.min():.2f} to {line.max():.2f})")

# %% tags=["claim:the-log-tunes"]
fig, ax = subplots(width=560, height=260)
ax.plot(rates, scores, "o", color="#0072B2", markersize=6, fillstyle="none")
ax.plot(rates, scores.mean(1), "-", color="#0072B2", label="mean of three seeds")
ax.set(xscale="log", xlabel="learning rate", ylabel="mean IoU on validation", ylim=(0, None))
ax.legend()
show(fig, alt="Validation mean IoU by learning rate: lowest at 0.0001, highest at 0.01, lower again at 1.")
assert scores[1].min() > scores[[0, 2]].max()

# %% [markdown]
# At 10⁻⁴ the network has hardly moved when the time is up. A rate of 1 does not diverge here, since AdamW and batch
# normalisation limit each step, but it overshoots. The middle one wins by more than the seeds differ: the choice is not luck.
#
# This is what the documents mean by recording scores *in order to tune*: a number for each setting, from data that the weights never saw.

# %% [markdown]
# ## 5. Learning curves
#
# Sixteen images are few. Train on them for long and watch both sets. The curve grows while the network trains.
#
# **Predict.** Does the training score keep rising? Does the validation score?

# %%
few = Subset(train, range(16))
folder = Path(tempfile.mkdtemp()) / "few"
network = new_network()
history = fit(network, few, val, epochs=30, lr=1e-2, schedule="constant", folder=folder, on_epoch=[LiveCurve(every=5)])

# %% tags=["claim:validation-is-needed"]
last, best = history.rows[-1], history.best
print(f"last epoch: mean IoU {last['train_mean_iu']:.2f} on training, {last['val_mean_iu']:.2f} on validation")
lowest = min(history.column("val_loss"))
print(f"validation loss: lowest {lowest:.2f}, last {last['val_loss']:.2f}")
assert last["train_mean_iu"] > last["val_mean_iu"] + 0.15
assert last["val_loss"] > lowest

# %% [markdown]
# The training score is high and still rising. The validation score tells the truth: the network learns these sixteen
# streets by heart (过拟合, *overfitting*). Without a validation set you would not know.
#
# ### The best weights, and the last
#
# `fit` keeps two kinds of checkpoints (检查点): the *last* state, to go on from, and the *best* weights, to use. "Best" is
# the epoch with the highest validation score. **Predict:** on the *test* set, by how much do the best weights beat the last?

# %%
print(*sorted(path.name for path in folder.iterdir()), sep="\n")

# %% [markdown]
# The names hold the step and the start of a hash. The folder also has the log, as a table and for TensorBoard
# (`tensorboard --logdir FOLDER` shows it in a browser).
#
# Now both kinds of weights on the test set, for three seeds:


# %%
def test_scores(network, folder):
    """Mean IoU on the test set with the last weights, and with the best ones."""
    last = evaluate(network, test, batch_size=12).mean_iu()
    network.load_state_dict(load_checkpoint(CheckpointFolder(folder).best())["model"])
    return last, evaluate(network, test, batch_size=12).mean_iu()


# %%
pairs = [test_scores(network, folder)]
for seed in (1, 2):
    folder = Path(tempfile.mkdtemp()) / "few"
    network = new_network(seed)
    fit(network, few, val, epochs=30, lr=1e-2, schedule="constant", seed=seed, folder=folder)
    pairs.append(test_scores(network, folder))

# %% tags=["claim:keep-the-best-weights"]
for seed, (last_score, best_score) in enumerate(pairs):
    print(f"seed {seed}: last {last_score:.3f}, best {best_score:.3f}, gain {best_score - last_score:+.3f}")
assert all(best_score > last_score - 0.1 for last_score, best_score in pairs)

# %% [markdown]
# Read the signs, not only the mean. The best weights were chosen because they were lucky on 24 validation images, and part of that luck
# doesn't come along to the test set. Keeping them is a good habit: it protects from a run that ends badly. It is no magic.

# %% [markdown]
# ## 6. Kill it
#
# Colab disconnects. Machines are restarted. Training must survive that, and "survive" has a precise meaning: after a
# resume, the final weights are *the same bits* as if nothing had happened.
#
# **Predict** what a checkpoint must hold for that. The weights, and … ? Write your list down before you read on.

# %%
script = """
import sys, torch
from course_utils.data import load_dataset
from course_utils.models import build_model
from course_utils.training import fit

torch.set_num_threads(1)
torch.manual_seed(0)
train = load_dataset("street_scenes", "train", size=(36, 48), length=96)
network = build_model("small_fcn", num_classes=8, width=8)
fit(network, train, epochs=6, lr=1e-2, folder=sys.argv[1], checkpoint_every=1, accelerator="cpu", progress=False)
"""

# %% [markdown]
# The script saves after every step. We start it as a process of its own, wait until step 20 is saved, and kill it.

# %%
folder = Path(tempfile.mkdtemp()) / "killed"
process = subprocess.Popen([sys.executable, "-c", script, str(folder)])
while not list(folder.glob("last-0000002*")):  # until step 20 is saved
    time.sleep(0.02)
process.kill()  # SIGKILL: the process can't even say goodbye
print("exit status", process.wait())
assert process.returncode != 0

# %% [markdown]
# That process is gone. What is left is a folder. Each file's name holds the start of its hash (哈希): a file that was damaged
# is seen before it is used, and the one before it takes over.

# %%
print(*sorted(path.name for path in folder.glob("*.pt")), sep="\n")
state = CheckpointFolder(folder).newest()
print(f"epoch {state['epoch']}, step {state['step']}. It holds: {', '.join(state)}")
assert {"model", "optimizer", "schedule", "random", "epoch", "step"} <= set(state)

# %% [markdown]
# How does your list compare? AdamW's running averages are in `optimizer`, the learning rate's place on its curve in
# `schedule`. Dropout draws from the `random` states. `step` says which images of the current epoch were seen already, so
# that none comes twice.
#
# Now go on for the rest, in this process, with a network that starts from *other* weights; and train a third one
# that nobody disturbs.

# %%
settings = {"epochs": 6, "lr": 1e-2, "accelerator": "cpu"}
resumed, undisturbed = new_network(seed=99), new_network()
fit(resumed, train, folder=folder, resume=True, checkpoint_every=50, **settings)
fit(undisturbed, train, **settings);

# %% tags=["claim:resume-is-exact"]
pairs = list(zip(resumed.state_dict().values(), undisturbed.state_dict().values()))
print(f"{sum(torch.equal(a, b) for a, b in pairs)} of {len(pairs)} tensors are equal to the last bit")
assert all(torch.equal(a, b) for a, b in pairs)

# %% [markdown]
# ### What a resume that forgets costs
#
# Much public code saves `model.state_dict()` and calls it a checkpoint. Go on from the weights alone: the optimiser
# starts with empty averages, the schedule with its highest rate, the order with its first epoch.

# %%
forgetful = new_network()
forgetful.load_state_dict(state["model"])
fit(forgetful, train, **settings)
pairs = zip(forgetful.state_dict().values(), undisturbed.state_dict().values())
different = sum(not torch.equal(a, b) for a, b in pairs)
print(f"{different} tensors differ")
assert different > 30

# %% [markdown]
# It trains, and no error tells you that it is another experiment: more steps, another order, another schedule.

# %% [markdown]
# ## 7. Augmentation moves the mask as well
#
# Mirrored, scaled and cropped images are new images for free. Two rules, and both are broken every day:
#
# 1. What moves the image moves the mask. Colours change in the image alone.
# 2. A mask is resized by *nearest neighbour* (最近邻). Any other interpolation mixes label numbers.
#
# **Predict.** Between pavement (label 3) and car (label 5) a bilinear resize writes the mean of both. Which class is that?

# %%
image, mask = val[4]
pavement_and_car, smaller = torch.where(mask == 5, 5, 3), (20, 27)

# %% tags=["nbval-check-output", "claim:masks-by-nearest-neighbour"]
mixed = F.interpolate(pavement_and_car[None, None].float(), smaller, mode="bilinear")[0, 0].round().long()
kept = resize(tv_tensors.Mask(pavement_and_car), smaller)
for name, labels in (("bilinear", mixed), ("nearest neighbour", kept)):
    print(f"{name}: {dict(zip(*(numbers.tolist() for numbers in labels.unique(return_counts=True))))}")
assert set(kept.unique().tolist()) == {3, 5} and 4 in mixed

# %% [markdown]
# Label 4 is *tree*: trees grow around every car. The same on all classes:

# %%
whole = mask.where(mask != 255, 0)
mixed = F.interpolate(whole[None, None].float(), smaller, mode="bilinear")[0, 0].round().long()
kept = resize(tv_tensors.Mask(whole), smaller)
invented = sum(int(((mixed == label) & (kept != label)).sum()) for label in range(8))
print(f"{invented} of {mixed.numel()} pixels have another label")

# %% [markdown]
# Most of them lie along the borders:

# %%
street = val.dataset
fig, axes = subplots(1, 3, width=880, height=220, width_ratios=[1, 1, 1.35])
draw_image(axes[0], image, "image")
draw_mask(axes[1], kept, street.palette, street.classes, "mask, nearest neighbour", legend=False)
draw_mask(axes[2], mixed, street.palette, street.classes, "mask, bilinear")
show(fig, alt="A street, its mask resized by nearest neighbour, and resized bilinearly: there, thin rims of classes that "
     "are not in the picture run along every border.")

# %% [markdown]
# Now rule 1. We train with a mirror that moves both, and with one that forgets the mask. Streets are nearly symmetric.
# **Predict** how much the forgetful mirror costs.


# %%
class ForgetfulMirror:
    """Mirrors half of the images, and leaves their masks behind."""

    def __call__(self, image, mask):
        return (image.flip(2) if torch.rand(()) < 0.5 else image), mask


# %%
mirrors = {"image and mask": v2.RandomHorizontalFlip(), "image alone": ForgetfulMirror()}
results = {}
for name, mirror in mirrors.items():
    mirrored = load_dataset("street_scenes", "train", size=size, length=96, transform=mirror)
    results[name] = [fit(new_network(seed), mirrored, val, epochs=4, lr=1e-2, seed=seed) for seed in (0, 1, 2)]

# %% tags=["claim:masks-move-with-images"]
by_mirror = {name: torch.tensor([run.rows[-1]["val_mean_iu"] for run in runs]) for name, runs in results.items()}
for name, scores in by_mirror.items():
    print(f"{name:>15}: mean IoU {scores.mean():.3f} ({', '.join(f'{score:.3f}' for score in scores)})")
assert by_mirror["image alone"].max() < by_mirror["image and mask"].min()

# %% [markdown]
# No error, no warning, and a lower score: look at augmented images *with* their masks before you train. Here is what
# `train_transform`, the course's usual augmentation, makes of one scene:

# %%
augmented = load_dataset("street_scenes", "train", transform=train_transform((96, 128)))
fig, axes = subplots(2, 4, width=880, height=330)
for top, bottom in axes.T:
    image, mask = augmented[4]
    draw_image(top, image)
    draw_mask(bottom, mask, street.palette, street.classes, legend=False)
show(fig, alt="Four augmented versions of one street above their masks: scaled, moved, mirrored, in changed colours. Each "
     "mask fits its image, and what lies outside of the original is hatched as void.")

# %% [markdown]
# ## 8. Faster: 16-bit numbers, a GPU, several GPUs
#
# Mixed precision (混合精度) computes the convolutions with 16-bit numbers and keeps the weights in 32 bits. On a GPU this saves
# time and memory. Does it cost accuracy? Here is the measurement, on whatever this runs on.

# %% tags=["claim:mixed-precision-learns-as-well"]
for precision in ("32-true", "bf16-mixed"):
    began = time.perf_counter()
    history = fit(new_network(), train, val, epochs=3, lr=1e-2, precision=precision)
    score, seconds = history.rows[-1]["val_mean_iu"], time.perf_counter() - began
    print(f"{precision}: mean IoU {score:.3f} in {seconds:.1f} s")
    assert score > 0.25
print("on a GPU" if torch.cuda.is_available() else "on a CPU: most have no fast 16-bit arithmetic")

# %% [markdown]
# The same `fit` runs on several GPUs, or as here on several processes of one CPU: put it in a script and start it with
# `torchrun --nproc-per-node 2 train.py`. Each process takes its share of each batch, and the scores come from one
# confusion matrix, added up over all of them.
#
# And without any script, with checkpoints, logs and a resume after a kill:
#
# ```sh
# course train --model smp_fpn --data street_scenes --epochs 20
# course train --model smp_fpn --data street_scenes --epochs 20 --resume
# course evaluate runs/street_scenes-smp_fpn
# ```

# %% [markdown]
# ## 9. What the documents say, measured
#
# | statement | verdict |
# | --- | --- |
# | a mature training process trains on one set and validates on another | holds: the training score hides overfitting |
# | it keeps the best weights, and reads them again | holds as a habit; the gain on a test set can be nothing, or negative |
# | it records the scores of both sets, which helps tuning | holds: the best learning rate beats the worst by more than the seeds differ |
# | (addition) it must keep more than the weights to go on | holds: with everything saved, equal to the last bit; with the weights alone, another experiment |
# | (addition) masks move with images, and by nearest neighbour | holds: bilinear resizing invents classes; a mask left behind costs IoU |
#
# The full list, with the cell behind each verdict, is in `docs/claims.md`.
#
# ## 10. Your turn
#
# - **Vary.** Set `patience=5` in section 5. At which epoch does training stop, and is the best score the same?
# - **Vary.** Corrupt the newest file in `folder` of section 6 (`path.write_bytes(b"oops")`) and resume.
# - **Vary.** Give section 3's network labels that are shuffled among the four images. Can it still learn them by heart?
# - **Exercise notebook:** [exercises/08_training_workflow](exercises/08_training_workflow/08_training_workflow.ipynb). Four tasks that check
#   themselves, and one to write about.
#
# **Further reading.** Karpathy, *A Recipe for Training Neural Networks* (2019). Micikevicius et al., *Mixed Precision
# Training* (ICLR 2018). Loshchilov & Hutter, *Decoupled Weight Decay Regularization* (ICLR 2019). Smith, *Cyclical
# Learning Rates for Training Neural Networks* (WACV 2017).
