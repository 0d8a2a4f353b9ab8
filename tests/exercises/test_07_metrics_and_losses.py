"""Exercise 07: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "07_metrics_and_losses"
FULL = {
    "test-matrix-small": 1, "test-matrix": 2, "test-scores-present": 1, "test-scores": 2, "test-data-set": 2,
    "test-focal-value": 1, "test-focal-void": 2, "test-dice-value": 1, "test-dice": 2,
}  # fmt: skip


def scores_with(**changed):
    """The right answer to task 2 with some of its lines replaced."""
    lines = {
        "start": "matrix = matrix.double()",
        "sums": "right, true, predicted = matrix.diag(), matrix.sum(1), matrix.sum(0)",
        "recall": "recall = right / true",
        "iu": "iu = right / (true + predicted - right)",
        "acc_cls": "acc_cls = recall.nanmean().item()",
        "mean_iu": "mean_iu = iu.nanmean().item()",
        "fw_iu": "fw_iu = ((true * iu).nansum() / true.sum()).item()",
        "end": "return dict(acc=(right.sum() / matrix.sum()).item(), acc_cls=acc_cls, mean_iu=mean_iu, fw_iu=fw_iu)",
    }
    assert changed.keys() <= lines.keys()
    return "\n".join((lines | changed).values())


NO_MATRIX = {"test-matrix-small": 0, "test-matrix": 0}
WRONG = {
    "matrix: transposed": (
        "matrix",
        "known = target != void\n"
        "pairs = classes * prediction[known] + target[known]\n"
        "return torch.bincount(pairs, minlength=classes**2).view(classes, classes)",
        {"test-matrix": 0},
    ),
    "matrix: void becomes class 0": (
        "matrix",
        "pairs = classes * torch.where(target == void, 0, target) + prediction\n"
        "return torch.bincount(pairs.flatten(), minlength=classes**2).view(classes, classes)",
        {"test-matrix": 0},
    ),
    "matrix: no minlength": (
        "matrix",
        "known = target != void\n"
        "return torch.bincount(classes * target[known] + prediction[known]).view(classes, classes)",
        {"test-matrix": 0},
    ),
    "matrix: each pair once": (
        "matrix",
        "known = target != void\n"
        "matrix = torch.zeros(classes, classes).long()\n"
        "matrix[target[known], prediction[known]] += 1\n"
        "return matrix",
        NO_MATRIX,
    ),
    "matrix: shares in place of counts": (
        "matrix",
        "known = target != void\n"
        "pairs = classes * target[known] + prediction[known]\n"
        "matrix = torch.bincount(pairs, minlength=classes**2).view(classes, classes)\n"
        "return matrix / matrix.sum(1, keepdim=True)",
        NO_MATRIX,
    ),
    "scores: absent classes count 0": (
        "scores",
        scores_with(recall="recall = (right / true).nan_to_num(0)",
                    iu="iu = (right / (true + predicted - right)).nan_to_num(0)"),
        {"test-scores": 0},
    ),
    "scores: absent classes count 1": (
        "scores",
        scores_with(iu="iu = (right / (true + predicted - right)).nan_to_num(1)"),
        {"test-scores": 0},
    ),
    "scores: the mean of nan": (
        "scores",
        scores_with(acc_cls="acc_cls = recall.mean().item()", mean_iu="mean_iu = iu.mean().item()"),
        {"test-scores": 0},
    ),
    "scores: precision for recall": (
        "scores",
        scores_with(recall="recall = right / predicted"),
        {"test-scores-present": 0, "test-scores": 0},
    ),
    "scores: the intersection counted twice": (
        "scores",
        scores_with(iu="iu = right / (true + predicted)"),
        {"test-scores-present": 0, "test-scores": 0},
    ),
    "scores: weighted by predicted pixels": (
        "scores",
        scores_with(fw_iu="fw_iu = ((predicted * iu).nansum() / predicted.sum()).item()"),
        {"test-scores-present": 0, "test-scores": 0},
    ),
    "scores: forgets classes that are only predicted": (
        "scores",
        scores_with(mean_iu="mean_iu = iu[true > 0].mean().item()"),
        {"test-scores": 0},
    ),
    "data set: mean over pictures": (
        "data-set",
        "values = [ConfusionMatrix(classes).update(p, t).mean_iu() for p, t in pairs]\n"
        "return sum(values) / len(values)",
        {"test-data-set": 0},
    ),
    "data set: the last picture": (
        "data-set",
        "for prediction, target in pairs:\n"
        "    matrix = ConfusionMatrix(classes).update(prediction, target)\n"
        "return matrix.mean_iu()",
        {"test-data-set": 0},
    ),
    "data set: accuracy": (
        "data-set",
        "matrix = ConfusionMatrix(classes)\n"
        "for prediction, target in pairs:\n"
        "    matrix.update(prediction, target)\n"
        "return matrix.acc()",
        {"test-data-set": 0},
    ),
    "focal: mean over all pixels": (
        "focal",
        "losses = F.cross_entropy(logits, target, ignore_index=void, reduction='none')\n"
        "return ((1 - torch.exp(-losses)) ** gamma * losses).mean()",
        {"test-focal-void": 0},
    ),
    "focal: nan for a batch of void": (
        "focal",
        "losses = F.cross_entropy(logits, target, ignore_index=void, reduction='none')[target != void]\n"
        "return ((1 - torch.exp(-losses)) ** gamma * losses).mean()",
        {"test-focal-void": 0},
    ),
    "focal: the logarithm of a softmax that is 0": (
        "focal",
        "known = target != void\n"
        "p = logits.softmax(1).gather(1, torch.where(known, target, 0)[:, None])[:, 0]\n"
        "return ((1 - p) ** gamma * -p.log() * known).sum() / known.sum().clamp(min=1)",
        {"test-focal-void": 0},
    ),
    "focal: easy pixels weigh most": (
        "focal",
        "losses = F.cross_entropy(logits, target, ignore_index=void, reduction='none')\n"
        "return (torch.exp(-losses) ** gamma * losses).sum() / (target != void).sum().clamp(min=1)",
        {"test-focal-value": 0, "test-focal-void": 0},
    ),
    "focal: a sigmoid for each class": (
        "focal",
        "known = target != void\n"
        "p = logits.sigmoid().gather(1, torch.where(known, target, 0)[:, None])[:, 0]\n"
        "return ((1 - p) ** gamma * -p.log() * known).sum() / known.sum().clamp(min=1)",
        {"test-focal-value": 0, "test-focal-void": 0},
    ),
    "focal: gamma of the mean": (
        "focal",
        "loss = F.cross_entropy(logits, target, ignore_index=void)\n"
        "return (1 - torch.exp(-loss)) ** gamma * loss",
        {"test-focal-value": 0, "test-focal-void": 0},
    ),
    "dice: absent classes count": (
        "dice",
        "valid = target != void\n"
        "p = logits.softmax(1).movedim(1, -1)[valid]\n"
        "g = F.one_hot(target[valid], logits.shape[1])\n"
        "return (1 - 2 * (p * g).sum(0) / (p.sum(0) + g.sum(0))).mean()",
        {"test-dice": 0},
    ),
    "dice: void in the sum of probabilities": (
        "dice",
        "valid = target != void\n"
        "p = logits.softmax(1).movedim(1, -1)\n"
        "g = F.one_hot(torch.where(valid, target, 0), logits.shape[1]) * valid[..., None]\n"
        "p, g = p.flatten(0, 2), g.flatten(0, 2)\n"
        "present = g.sum(0) > 0\n"
        "return (1 - 2 * (p * g).sum(0) / (p.sum(0) + g.sum(0)))[present].mean()",
        {"test-dice": 0},
    ),
    "dice: by image": (
        "dice",
        "losses = []\n"
        "for scores_, labels in zip(logits, target):\n"
        "    valid = labels != void\n"
        "    p = scores_.softmax(0).movedim(0, -1)[valid]\n"
        "    g = F.one_hot(labels[valid], logits.shape[1])\n"
        "    present = g.sum(0) > 0\n"
        "    losses.append((1 - 2 * (p * g).sum(0) / (p.sum(0) + g.sum(0)))[present].mean())\n"
        "return torch.stack(losses).mean()",
        {"test-dice": 0},
    ),
    "dice: of the argmax": (
        "dice",
        "valid = target != void\n"
        "p = F.one_hot(logits.argmax(1)[valid], logits.shape[1]).float()\n"
        "g = F.one_hot(target[valid], logits.shape[1])\n"
        "present = g.sum(0) > 0\n"
        "return (1 - 2 * (p * g).sum(0) / (p.sum(0) + g.sum(0)))[present].mean()",
        {"test-dice-value": 0, "test-dice": 0},
    ),
    "dice: Jaccard instead": (
        "dice",
        "valid = target != void\n"
        "p = logits.softmax(1).movedim(1, -1)[valid]\n"
        "g = F.one_hot(target[valid], logits.shape[1])\n"
        "both = (p * g).sum(0)\n"
        "return (1 - both / (p.sum(0) + g.sum(0) - both))[g.sum(0) > 0].mean()",
        {"test-dice-value": 0, "test-dice": 0},
    ),
}  # fmt: skip


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
