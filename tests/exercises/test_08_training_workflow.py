"""Exercise 08: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

import pytest

from tests.exercises.marking import ExerciseTests, marks, read_master, with_answers

TOPIC = "08_training_workflow"
FULL = {
    "test-step-first": 1, "test-step": 2, "test-stop-plain": 1, "test-stop": 2, "test-save": 1, "test-load": 1,
    "test-resume": 2, "test-augment-aligned": 1, "test-augment": 2,
}  # fmt: skip


def changed(lines: dict[str, str], changes: dict[str, str]) -> str:
    """A right answer, given as named lines, with some of them replaced."""
    assert changes.keys() <= lines.keys()
    return "\n".join((lines | changes).values())


def step_with(**changes):
    lines = {
        "mode": "network.train()",
        "loss": "loss = cross_entropy(network(images), target)",
        "zero": "optimizer.zero_grad()",
        "backward": "loss.backward()",
        "clip": "nn.utils.clip_grad_norm_(network.parameters(), clip)",
        "step": "optimizer.step()",
        "schedule": "schedule.step()",
        "end": "return loss.item()",
    }
    return changed(lines, changes)


def stop_with(**changes):
    lines = {
        "start": "best_epoch, best = 0, -math.inf",
        "for": "for epoch, score in enumerate(scores, start=1):",
        "merit": "    merit = -1.0 if math.isnan(score) else score",
        "if": "    if merit > best:",
        "keep": "        best_epoch, best = epoch, merit",
        "stop": "    if epoch - best_epoch == patience: break",
        "end": "return best_epoch, epoch",
    }
    return changed(lines, changes)


def save_with(**changes):
    lines = {
        "state": "state = {'network': network.state_dict(), 'epoch': epoch}",
        "optimizer": "state['optimizer'] = optimizer.state_dict()",
        "schedule": "state['schedule'] = schedule.state_dict()",
        "random": "state['random'] = torch.get_rng_state()",
        "write": "torch.save(state, path.with_suffix('.part'))",
        "move": "os.replace(path.with_suffix('.part'), path)",
    }
    return changed(lines, changes)


def load_with(**changes):
    lines = {
        "read": "state = torch.load(path, weights_only=True)",
        "network": "network.load_state_dict(state['network'])",
        "optimizer": "optimizer.load_state_dict(state['optimizer'])",
        "schedule": "schedule.load_state_dict(state['schedule'])",
        "random": "torch.set_rng_state(state['random'])",
        "end": "return state['epoch']",
    }
    return changed(lines, changes)


def augment_with(**changes):
    lines = {
        "sizes": "(h, w), (H, W) = size, mask.shape",
        "margins": "margins = (0, max(w - W, 0), 0, max(h - H, 0))",
        "image": "image = F.pad(image, margins)",
        "mask": "mask = F.pad(mask, margins, value=255)",
        "top": "top = torch.randint(mask.shape[0] - h + 1, (), generator=rng).item()",
        "left": "left = torch.randint(mask.shape[1] - w + 1, (), generator=rng).item()",
        "crop_image": "image = image[:, top : top + h, left : left + w]",
        "crop_mask": "mask = mask[top : top + h, left : left + w]",
        "mirror": "if torch.rand((), generator=rng) < 0.5: image, mask = image.flip(2), mask.flip(1)",
        "end": "return image, mask",
    }
    return changed(lines, changes)


NO_STEP = {"test-step-first": 0, "test-step": 0}
NO_STOP = {"test-stop-plain": 0, "test-stop": 0}
NO_CHECKPOINT = {"test-save": 0, "test-load": 0, "test-resume": 0}
NO_AUGMENT = {"test-augment-aligned": 0, "test-augment": 0}
WRONG = {
    "step: gradients add up": ("step", step_with(zero=""), {"test-step": 0}),
    "step: no clipping": ("step", step_with(clip=""), {"test-step": 0}),
    "step: clips before there is a gradient": (
        "step",
        step_with(backward="nn.utils.clip_grad_norm_(network.parameters(), clip)", clip="loss.backward()"),
        {"test-step": 0},
    ),
    "step: clips after the step": (
        "step",
        step_with(clip="optimizer.step()", step="nn.utils.clip_grad_norm_(network.parameters(), clip)"),
        {"test-step": 0},
    ),
    "step: clips each number": (
        "step",
        step_with(clip="nn.utils.clip_grad_value_(network.parameters(), clip)"),
        {"test-step": 0},
    ),
    "step: clips each tensor by itself": (
        "step",
        step_with(clip="for weight in network.parameters(): nn.utils.clip_grad_norm_([weight], clip)"),
        {"test-step": 0},
    ),
    "step: evaluation mode": ("step", step_with(mode="network.eval()"), NO_STEP),
    "step: leaves the mode as it is": ("step", step_with(mode=""), {"test-step": 0}),
    "step: the schedule stands still": ("step", step_with(schedule=""), {"test-step": 0}),
    "step: the schedule is a step ahead": (
        "step",
        step_with(clip="schedule.step()\nnn.utils.clip_grad_norm_(network.parameters(), clip)", schedule=""),
        NO_STEP,
    ),
    "step: the loss after the step": (
        "step",
        step_with(end="return cross_entropy(network(images), target).item()"),
        {"test-step-first": 0},
    ),
    "stop: nan stays the best for ever": (
        "stop",
        stop_with(start="best_epoch, best = 1, scores[0]", merit="    merit = score"),
        {"test-stop": 0},
    ),
    "stop: nan is skipped, also in the patience": (
        "stop",
        stop_with(merit="    if math.isnan(score): continue\n    merit = score"),
        {"test-stop": 0},
    ),
    "stop: nan counts as 0": (
        "stop",
        stop_with(merit="    merit = 0.0 if math.isnan(score) else score"),
        {"test-stop": 0},
    ),
    "stop: of equals the last": ("stop", stop_with(**{"if": "    if merit >= best:"}), {"test-stop": 0}),
    "stop: better than the epoch before": (
        "stop",
        "best, last, bad = 1, 1, 0\n"
        "for epoch in range(2, len(scores) + 1):\n"
        "    last = epoch\n"
        "    bad = 0 if scores[epoch - 1] > scores[epoch - 2] else bad + 1\n"
        "    if scores[epoch - 1] > scores[best - 1]: best = epoch\n"
        "    if bad == patience: break\n"
        "return best, last",
        {"test-stop": 0},
    ),
    "stop: bad epochs are never forgiven": (
        "stop",
        "best, last, bad = 1, 1, 0\n"
        "merit = [-1.0 if math.isnan(score) else score for score in scores]\n"
        "for epoch in range(2, len(scores) + 1):\n"
        "    last = epoch\n"
        "    if merit[epoch - 1] > merit[best - 1]: best = epoch\n"
        "    else: bad += 1\n"
        "    if bad == patience: break\n"
        "return best, last",
        {"test-stop": 0},
    ),
    "stop: the best of all epochs": (
        "stop",
        stop_with(end="merits = [-1.0 if math.isnan(score) else score for score in scores]\n"
                      "return merits.index(max(merits)) + 1, epoch"),
        {"test-stop": 0},
    ),
    "stop: counts from 0": ("stop", stop_with(end="return best_epoch - 1, epoch - 1"), NO_STOP),
    "stop: an epoch late": ("stop", stop_with(stop="    if epoch - best_epoch > patience: break"), NO_STOP),
    "save: in place": ("save", save_with(write="torch.save(state, path)", move=""), {"test-save": 0}),
    "save: the old file is deleted first": (
        "save",
        save_with(write="path.unlink(missing_ok=True)\ntorch.save(state, path)", move=""),
        {"test-save": 0},
    ),
    "save: written in memory first, then in place": (
        "save",
        save_with(write="import io\nfile = io.BytesIO()\ntorch.save(state, file)",
                  move="path.write_bytes(file.getvalue())"),
        {"test-save": 0},
    ),
    "save: copied to its place": (
        "save",
        save_with(move="import shutil\nshutil.copy(path.with_suffix('.part'), path)"),
        {"test-save": 0},
    ),
    "save: whole objects": (
        "save",
        save_with(state="state = {'network': network, 'optimizer': optimizer, 'epoch': epoch}", optimizer=""),
        NO_CHECKPOINT,
    ),
    "save: the weights alone": (
        "save",
        save_with(optimizer="", schedule="", random=""),
        {"test-load": 0, "test-resume": 0},
    ),
    "save: parameters without the running statistics": (
        "save",
        save_with(state="state = {'network': dict(network.named_parameters()), 'epoch': epoch}"),
        {"test-load": 0, "test-resume": 0},
    ),
    "load: runs code from the file": (
        "load",
        load_with(read="state = torch.load(path, weights_only=False)"),
        {"test-load": 0},
    ),
    "load: a new network that the caller never sees": (
        "load",
        load_with(network="network = copy.deepcopy(network)\nnetwork.load_state_dict(state['network'])"),
        {"test-load": 0, "test-resume": 0},
    ),
    "load: forgets the epoch": ("load", load_with(end="return 0"), {"test-load": 0, "test-resume": 0}),
    "load: forgets the optimiser": ("load", load_with(optimizer=""), {"test-resume": 0}),
    "load: forgets the schedule": ("load", load_with(schedule=""), {"test-resume": 0}),
    "load: forgets the random state": ("load", load_with(random=""), {"test-resume": 0}),
    "load: seeds again in place of the state": ("load", load_with(random="torch.manual_seed(0)"), {"test-resume": 0}),
    "augment: the mask is not mirrored": (
        "augment",
        augment_with(mirror="if torch.rand((), generator=rng) < 0.5: image = image.flip(2)"),
        NO_AUGMENT,
    ),
    "augment: image and mask are cropped at two places": (
        "augment",
        augment_with(crop_mask="top = torch.randint(mask.shape[0] - h + 1, (), generator=rng).item()\n"
                               "mask = mask[top : top + h, left : left + w]"),
        NO_AUGMENT,
    ),
    "augment: mirrored upside down": (
        "augment",
        augment_with(mirror="if torch.rand((), generator=rng) < 0.5: image, mask = image.flip(1), mask.flip(0)"),
        {"test-augment": 0},
    ),
    "augment: mirrored before it is padded": (
        "augment",
        augment_with(sizes="(h, w), (H, W) = size, mask.shape\n"
                           "if torch.rand((), generator=rng) < 0.5: image, mask = image.flip(2), mask.flip(1)",
                     mirror=""),
        {"test-augment": 0},
    ),
    "augment: never mirrored": ("augment", augment_with(mirror=""), {"test-augment": 0}),
    "augment: never the last place": (
        "augment",
        augment_with(left="left = torch.randint(max(mask.shape[1] - w, 1), (), generator=rng).item()"),
        {"test-augment": 0},
    ),
    "augment: always the top left": ("augment", augment_with(top="top = 0", left="left = 0"), {"test-augment": 0}),
    "augment: padded with class 0": ("augment", augment_with(mask="mask = F.pad(mask, margins)"), {"test-augment": 0}),
    "augment: padded left and on top": (
        "augment",
        augment_with(margins="margins = (max(w - W, 0), 0, max(h - H, 0), 0)"),
        {"test-augment": 0},
    ),
    "augment: resized in place of padded": (
        "augment",
        augment_with(image="image = F.interpolate(image[None], (max(h, H), max(w, W)), mode='nearest')[0]",
                     mask="mask = F.interpolate(mask[None, None].float(), (max(h, H), max(w, W)), mode='nearest')"
                          "[0, 0].long()"),
        {"test-augment": 0},
    ),
    "augment: no padding": ("augment", augment_with(image="", mask=""), {"test-augment": 0}),
    "augment: the global generator": (
        "augment",
        augment_with(mirror="if torch.rand(()) < 0.5: image, mask = image.flip(2), mask.flip(1)"),
        {"test-augment": 0},
    ),
    "augment: the mask becomes floating point": (
        "augment",
        augment_with(end="return image, mask.float()"),
        {"test-augment-aligned": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("step", step_with(zero="", schedule="schedule.step()\noptimizer.zero_grad()")),
        ("stop", "merits = [-1 if math.isnan(score) else score for score in scores]\n"
                 "for last in range(1, len(scores) + 1):\n"
                 "    best = merits.index(max(merits[:last])) + 1\n"
                 "    if last - best >= patience: break\n"
                 "return best, last"),
        ("save", save_with(write="with open(f'{path}.tmp', 'wb') as file: torch.save(state, file)",
                           move="Path(f'{path}.tmp').replace(path)")),
        ("augment", "H, W = max(size[0], mask.shape[0]), max(size[1], mask.shape[1])\n"
                    "whole, labels = image.new_zeros(len(image), H, W), mask.new_full((H, W), 255)\n"
                    "whole[:, : mask.shape[0], : mask.shape[1]] = image\n"
                    "labels[: mask.shape[0], : mask.shape[1]] = mask\n"
                    "if torch.rand((), generator=rng) >= 0.5: whole, labels = whole.flip(2), labels.flip(1)\n"
                    "x = torch.randint(W - size[1] + 1, (1,), generator=rng)\n"
                    "y = torch.randint(H - size[0] + 1, (1,), generator=rng)\n"
                    "window = slice(y, y + size[0]), slice(x, x + size[1])\n"
                    "return whole[:, window[0], window[1]], labels[window]"),
    ],
    ids=["gradients are emptied last", "epochs as indices", "another temporary name", "mirrored before the cut"],
)  # fmt: skip
def test_other_right_answers_earn_all_points(task, answer):
    assert marks(with_answers(read_master(TOPIC), {task: answer})) == FULL


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # one wrong answer does just that
class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [3], WRONG
