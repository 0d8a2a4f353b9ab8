"""Exercise 04: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "04_unet_weighted_loss"
FULL = {
    "test-output-side-paper": 1, "test-output-side": 2, "test-crop-and-concat-square": 1, "test-crop-and-concat": 1,
    "test-tiles-even": 1, "test-tiles": 2, "test-weight-map-two": 1, "test-weight-map-parameters": 1,
    "test-weight-map": 2, "test-found-alone-simple": 1, "test-found-alone": 2,
}  # fmt: skip


WRONG = {
    "side: the formula without its conditions": (
        "output-side",
        "return side - 184",
        {"test-output-side": 0},
    ),
    "side: rounds odd maps down": (
        "output-side",
        "for _ in range(levels):\n"
        "    side = (side - 4) // 2\n"
        "side -= 4\n"
        "for _ in range(levels):\n"
        "    side = 2 * side - 4\n"
        "return side if side > 0 else None",
        {"test-output-side": 0},
    ),
    "side: pads its convolutions": (
        "output-side",
        "return side if side % 2**levels == 0 else None",
        {"test-output-side-paper": 0, "test-output-side": 0},
    ),
    "side: forgets the bottom": (
        "output-side",
        "for _ in range(levels):\n"
        "    side -= 4\n"
        "    if side < 2 or side % 2:\n"
        "        return None\n"
        "    side //= 2\n"
        "for _ in range(levels):\n"
        "    side = 2 * side - 4\n"
        "return side if side > 0 else None",
        {"test-output-side-paper": 0, "test-output-side": 0},
    ),
    "side: knows the paper's depth only": (
        "output-side",
        "return side - 184 if side >= 188 and side % 16 == 12 else None",
        {"test-output-side": 0},
    ),
    "side: an image that leaves nothing gets a size": (
        "output-side",
        "for _ in range(levels):\n"
        "    side -= 4\n"
        "    if side % 2:\n"
        "        return None\n"
        "    side //= 2\n"
        "side -= 4\n"
        "for _ in range(levels):\n"
        "    side = 2 * side - 4\n"
        "return side",
        {"test-output-side": 0},
    ),
    "concat: resizes the skip": (
        "crop-and-concat",
        "skip = F.interpolate(skip, features.shape[2:], mode='bilinear')\nreturn torch.cat([skip, features], dim=1)",
        {"test-crop-and-concat-square": 0, "test-crop-and-concat": 0},
    ),
    "concat: the top left corner": (
        "crop-and-concat",
        "return torch.cat([skip[:, :, : features.shape[2], : features.shape[3]], features], dim=1)",
        {"test-crop-and-concat-square": 0, "test-crop-and-concat": 0},
    ),
    "concat: features first": (
        "crop-and-concat",
        "h, w = features.shape[2:]\n"
        "t, l = (skip.shape[2] - h) // 2, (skip.shape[3] - w) // 2\n"
        "return torch.cat([features, skip[:, :, t : t + h, l : l + w]], dim=1)",
        {"test-crop-and-concat-square": 0, "test-crop-and-concat": 0},
    ),
    "concat: one margin for both sides": (
        "crop-and-concat",
        "m = (skip.shape[2] - features.shape[2]) // 2\n"
        "return torch.cat([skip[:, :, m : skip.shape[2] - m, m : skip.shape[3] - m], features], dim=1)",
        {"test-crop-and-concat": 0},
    ),
    "concat: a margin of 0 crops all": (
        "crop-and-concat",
        "t, l = ((skip.shape[i] - features.shape[i]) // 2 for i in (2, 3))\n"
        "return torch.cat([skip[:, :, t:-t, l:-l], features], dim=1)",
        {"test-crop-and-concat": 0},
    ),
    "concat: a sum": (
        "crop-and-concat",
        "h, w = features.shape[2:]\n"
        "t, l = (skip.shape[2] - h) // 2, (skip.shape[3] - w) // 2\n"
        "return skip[:, :, t : t + h, l : l + w].mean(1, keepdim=True) + features",
        {"test-crop-and-concat-square": 0, "test-crop-and-concat": 0},
    ),
    "tiles: the last one sticks out": (
        "tiles",
        "return list(range(0, length, tile))",
        {"test-tiles": 0},
    ),
    "tiles: the rest of the image is forgotten": (
        "tiles",
        "return list(range(0, length - tile + 1, tile))",
        {"test-tiles": 0},
    ),
    "tiles: always one more at the end": (
        "tiles",
        "return [*range(0, length - tile + 1, tile), length - tile]",
        {"test-tiles-even": 0, "test-tiles": 0},
    ),
    "tiles: one at every pixel": (
        "tiles",
        "return list(range(length - tile + 1))",
        {"test-tiles-even": 0, "test-tiles": 0},
    ),
    "map: the nearest cell alone": (
        "weight-map",
        "d1 = distances.min(dim=0).values\nreturn 1 + w0 * torch.exp(-(d1**2) / (2 * sigma**2))",
        {"test-weight-map-two": 0, "test-weight-map-parameters": 0, "test-weight-map": 0},
    ),
    "map: squares before it adds": (
        "weight-map",
        "if len(distances) < 2:\n"
        "    return torch.ones(distances.shape[1:])\n"
        "d1, d2 = distances.sort(dim=0).values[:2]\n"
        "return 1 + w0 * torch.exp(-(d1**2 + d2**2) / (2 * sigma**2))",
        {"test-weight-map-two": 0, "test-weight-map-parameters": 0, "test-weight-map": 0},
    ),
    "map: all cells, not the two nearest": (
        "weight-map",
        "if len(distances) < 2:\n"
        "    return torch.ones(distances.shape[1:])\n"
        "return 1 + w0 * torch.exp(-(distances.sum(0) ** 2) / (2 * sigma**2))",
        {"test-weight-map": 0},
    ),
    "map: the first two cells": (
        "weight-map",
        "if len(distances) < 2:\n"
        "    return torch.ones(distances.shape[1:])\n"
        "return 1 + w0 * torch.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))",
        {"test-weight-map": 0},
    ),
    "map: one cell stands for both": (
        "weight-map",
        "d = distances.sort(dim=0).values\n"
        "d1, d2 = d[0], d[min(1, len(d) - 1)]\n"
        "return 1 + w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma**2))",
        {"test-weight-map": 0},
    ),
    "map: numbers of the paper only": (
        "weight-map",
        "if len(distances) < 2:\n"
        "    return torch.ones(distances.shape[1:])\n"
        "d1, d2 = distances.sort(dim=0).values[:2]\n"
        "return 1 + 10 * torch.exp(-((d1 + d2) ** 2) / 50)",
        {"test-weight-map-parameters": 0},
    ),
    "map: sigma not squared": (
        "weight-map",
        "if len(distances) < 2:\n"
        "    return torch.ones(distances.shape[1:])\n"
        "d1, d2 = distances.sort(dim=0).values[:2]\n"
        "return 1 + w0 * torch.exp(-((d1 + d2) ** 2) / (2 * sigma))",
        {"test-weight-map-two": 0, "test-weight-map-parameters": 0, "test-weight-map": 0},
    ),
    "alone: counts pieces": (
        "found-alone",
        "return ndimage.label(prediction, np.ones((3, 3)))[1]",
        {"test-found-alone-simple": 0, "test-found-alone": 0},
    ),
    "alone: every cell that is covered": (
        "found-alone",
        "return sum(2 * prediction[instances == c].sum() > (instances == c).sum() for c in np.unique(instances) if c)",
        {"test-found-alone-simple": 0, "test-found-alone": 0},
    ),
    "alone: four neighbours": (
        "found-alone",
        "pieces, number = ndimage.label(prediction)\n"
        "cells_of_piece = np.zeros(number + 1, dtype=int)\n"
        "for cell in np.unique(instances[instances > 0]):\n"
        "    counts = np.bincount(pieces[instances == cell], minlength=number + 1)\n"
        "    cells_of_piece += 2 * counts > counts.sum()\n"
        "return int((cells_of_piece[1:] == 1).sum())",
        {"test-found-alone": 0},
    ),
    "alone: half is enough": (
        "found-alone",
        "pieces, number = ndimage.label(prediction, np.ones((3, 3)))\n"
        "cells_of_piece = np.zeros(number + 1, dtype=int)\n"
        "for cell in np.unique(instances[instances > 0]):\n"
        "    counts = np.bincount(pieces[instances == cell], minlength=number + 1)\n"
        "    cells_of_piece += 2 * counts >= counts.sum()\n"
        "return int((cells_of_piece[1:] == 1).sum())",
        {"test-found-alone": 0},
    ),
    "alone: background is a piece too": (
        "found-alone",
        "pieces, number = ndimage.label(prediction, np.ones((3, 3)))\n"
        "cells_of_piece = np.zeros(number + 1, dtype=int)\n"
        "for cell in np.unique(instances[instances > 0]):\n"
        "    counts = np.bincount(pieces[instances == cell], minlength=number + 1)\n"
        "    cells_of_piece += 2 * counts > counts.sum()\n"
        "return int((cells_of_piece == 1).sum())",
        {"test-found-alone": 0},
    ),
}


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
