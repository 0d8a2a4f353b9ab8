"""Exercise 03: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "03_fcn_skips"
FULL = {
    "test-center-first-layer": 1, "test-center": 1, "test-crop-32s": 1, "test-crop-half": 1, "test-kernel-2": 1,
    "test-kernel": 2, "test-join-sum": 1, "test-join": 2, "test-concat": 1, "test-concat-bias": 1,
}  # fmt: skip


CENTER = (
    "center, distance = 0.0, 1\n"
    "for kernel, stride, padding in layers:\n"
    "    center += {step}\n"
    "    distance *= stride\n"
    "return center"
)
JOIN = (
    "classes = coarse.shape[1]\n"
    "doubled = F.conv_transpose2d(coarse, kernel.expand(classes, 1, 4, 4), stride=2, groups=classes)\n"
    "h, w = doubled.shape[2:]\n"
)
WRONG = {
    "center: strides forgotten": (
        "center",
        "return sum((kernel - 1) / 2 - padding for kernel, _, padding in layers)",
        {"test-center": 0},
    ),
    "center: stride applied one layer too early": (
        "center",
        "center, distance = 0.0, 1\n"
        "for kernel, stride, padding in layers:\n"
        "    distance *= stride\n"
        "    center += ((kernel - 1) / 2 - padding) * distance\n"
        "return center",
        {"test-center-first-layer": 0, "test-center": 0},
    ),
    "center: kernel // 2": (
        "center",
        CENTER.format(step="(kernel // 2 - padding) * distance"),
        {"test-center-first-layer": 0, "test-center": 0},
    ),
    "center: padding of the first layer only": (
        "center",
        "center, distance = 0.0, 1\n"
        "for number, (kernel, stride, padding) in enumerate(layers):\n"
        "    center += ((kernel - 1) / 2 - (padding if number == 0 else 0)) * distance\n"
        "    distance *= stride\n"
        "return center",
        {"test-center": 0},
    ),
    "crop: half the kernel, rounded": (
        "crop",
        "return int(kernel / 2 - center)",
        {"test-crop-half": 0},
    ),
    "crop: rounds instead of refusing": (
        "crop",
        "return round((kernel - 1) / 2 - center)",
        {"test-crop-half": 0},
    ),
    "crop: the wrong sign": (
        "crop",
        "crop = (kernel - 1) / 2 + center\n"
        "if crop != int(crop):\n"
        "    raise ValueError\n"
        "return int(crop)",
        {"test-crop-32s": 0},
    ),
    "crop: refuses everything that ends in a half": (
        "crop",
        "if center != int(center):\n"
        "    raise ValueError\n"
        "return int((kernel - 1) / 2 - center)",
        {"test-crop-32s": 0, "test-crop-half": 0},
    ),
    "kernel: the one of stride 2, whatever the stride": (
        "kernel",
        "row = torch.tensor([1.0, 3, 3, 1]) / 4\n"
        "return torch.outer(row, row)",
        {"test-kernel": 0},
    ),
    "kernel: normalised to a sum of one": (
        "kernel",
        "tent = 1 - (torch.arange(2 * stride) - stride + 0.5).abs() / stride\n"
        "kernel = tent[:, None] * tent\n"
        "return kernel / kernel.sum()",
        {"test-kernel-2": 0, "test-kernel": 0},
    ),
    "kernel: centred on a pixel": (
        "kernel",
        "tent = 1 - (torch.arange(2 * stride) - stride).abs() / stride\n"
        "return tent[:, None] * tent",
        {"test-kernel-2": 0, "test-kernel": 0},
    ),
    "kernel: a slope that fits stride 2 only": (
        "kernel",
        "tent = 1 - (torch.arange(2 * stride) - stride + 0.5).abs() / 2\n"
        "return tent[:, None] * tent",
        {"test-kernel": 0},
    ),
    "join: the crop is taken from the middle": (
        "join",
        JOIN + "top, left = (fine.shape[2] - h) // 2, (fine.shape[3] - w) // 2\n"
        "return doubled + fine[:, :, top : top + h, left : left + w]",
        {"test-join": 0},
    ),
    "join: the offset is ignored": (
        "join",
        JOIN + "return doubled + fine[:, :, :h, :w]",
        {"test-join": 0},
    ),
    "join: one kernel for all pairs of classes": (
        "join",
        "classes = coarse.shape[1]\n"
        "doubled = F.conv_transpose2d(coarse, kernel.expand(classes, classes, 4, 4), stride=2)\n"
        "h, w = doubled.shape[2:]\n"
        "return doubled + fine[:, :, offset : offset + h, offset : offset + w]",
        {"test-join": 0},
    ),
    "join: interpolates to the size of what is cropped": (
        "join",
        "h, w = 2 * coarse.shape[2] + 2, 2 * coarse.shape[3] + 2\n"
        "doubled = F.interpolate(coarse, size=(h, w), mode='bilinear')\n"
        "return doubled + fine[:, :, offset : offset + h, offset : offset + w]",
        {"test-join-sum": 0},
    ),
    "concat: shallow first": (
        "concat",
        "return torch.cat([shallow_weight, deep_weight], dim=1), deep_bias + shallow_bias",
        {"test-concat": 0, "test-concat-bias": 0},
    ),
    "concat: the bias of one layer": (
        "concat",
        "return torch.cat([deep_weight, shallow_weight], dim=1), deep_bias",
        {"test-concat-bias": 0},
    ),
    "concat: biases concatenated too": (
        "concat",
        "return torch.cat([deep_weight, shallow_weight], dim=1), torch.cat([deep_bias, shallow_bias])",
        {"test-concat-bias": 0},
    ),
    "concat: concatenated over the classes": (
        "concat",
        "return torch.cat([deep_weight.flatten(1), shallow_weight.flatten(1)])[..., None, None], deep_bias",
        {"test-concat": 0, "test-concat-bias": 0},
    ),
}  # fmt: skip


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
