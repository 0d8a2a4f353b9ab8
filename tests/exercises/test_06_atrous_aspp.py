"""Exercise 06: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "06_atrous_aspp"
FULL = {
    "test-stuffed-rate-2": 1, "test-stuffed-any": 1, "test-without-stride-2": 1, "test-without-stride-any": 2,
    "test-pixels-equal-rates": 1, "test-pixels-any-rates": 2, "test-share-square": 1, "test-share-any": 2,
}  # fmt: skip


DENSE = """\
a = nn.Conv2d({first}, padding={pad_first}, dilation={rate_first})
b = nn.Conv2d({second}, padding={pad_second}, dilation={rate_second})
a.load_state_dict(first.state_dict())
b.load_state_dict(second.state_dict())
return nn.Sequential(a, b)"""


def dense(pad_first="first.padding", rate_first="1", pad_second="second.padding", rate_second="first.stride[0]"):
    return DENSE.format(
        first="first.in_channels, first.out_channels, first.kernel_size",
        second="second.in_channels, second.out_channels, second.kernel_size",
        pad_first=pad_first, rate_first=rate_first, pad_second=pad_second, rate_second=rate_second,
    )  # fmt: skip


WRONG = {
    "kernel: the rate is the number of zeros": (
        "stuffed-kernel",
        "rows, columns = (side + rate * (side - 1) for side in weight.shape[2:])\n"
        "stuffed = weight.new_zeros(*weight.shape[:2], rows, columns)\n"
        "stuffed[:, :, :: rate + 1, :: rate + 1] = weight\n"
        "return stuffed",
        {"test-stuffed-rate-2": 0, "test-stuffed-any": 0},
    ),
    "kernel: weights repeated": (
        "stuffed-kernel",
        "larger = weight.repeat_interleave(rate, 2).repeat_interleave(rate, 3)\n"
        "return larger[:, :, rate - 1 :, rate - 1 :]",
        {"test-stuffed-rate-2": 0, "test-stuffed-any": 0},
    ),
    "kernel: zeros behind the last weight too": (
        "stuffed-kernel",
        "stuffed = weight.new_zeros(*weight.shape[:2], rate * weight.shape[2], rate * weight.shape[3])\n"
        "stuffed[:, :, ::rate, ::rate] = weight\n"
        "return stuffed",
        {"test-stuffed-rate-2": 0, "test-stuffed-any": 0},
    ),
    "kernel: always square": (
        "stuffed-kernel",
        "side = rate * (weight.shape[3] - 1) + 1\n"
        "stuffed = weight.new_zeros(*weight.shape[:2], side, side)\n"
        "stuffed[:, :, : rate * weight.shape[2] : rate, ::rate] = weight\n"
        "return stuffed",
        {"test-stuffed-any": 0},
    ),
    "kernel: only rate 2": (
        "stuffed-kernel",
        "if rate == 1:\n"
        "    return weight\n"
        "stuffed = weight.new_zeros(*weight.shape[:2], *(2 * side - 1 for side in weight.shape[2:]))\n"
        "stuffed[:, :, ::2, ::2] = weight\n"
        "return stuffed",
        {"test-stuffed-any": 0},
    ),
    "stride: rates forgotten": (
        "without-stride",
        dense(rate_second="1"),
        {"test-without-stride-2": 0, "test-without-stride-any": 0},
    ),
    "stride: padding forgotten": (
        "without-stride",
        dense(pad_second="second.padding"),
        {"test-without-stride-2": 0, "test-without-stride-any": 0},
    ),
    "stride: the strided layer dilated as well": (
        "without-stride",
        dense(
            pad_first="tuple(first.stride[0] * p for p in first.padding)", rate_first="first.stride[0]",
            pad_second="tuple(first.stride[0] * p for p in second.padding)",
        ),
        {"test-without-stride-2": 0, "test-without-stride-any": 0},
    ),
    "stride: always 2": (
        "without-stride",
        dense(pad_second="2", rate_second="2"),
        {"test-without-stride-any": 0},
    ),
    "stride: padding for 3×3 kernels that keep the size": (
        "without-stride",
        dense(pad_first="1", pad_second="first.stride[0]"),
        {"test-without-stride-any": 0},
    ),
    "stride: changes the layers that it was given": (
        "without-stride",
        "rate = first.stride[0]\n"
        "first.stride = (1, 1)\n"
        "second.dilation = (rate, rate)\n"
        "second.padding = tuple(rate * p for p in second.padding)\n"
        "return nn.Sequential(first, second)",
        {"test-without-stride-2": 0, "test-without-stride-any": 0},
    ),
    "pixels: the whole field, gaps included": (
        "pixels-seen",
        "return (1 + 2 * sum(rates)) ** 2",
        {"test-pixels-equal-rates": 0, "test-pixels-any-rates": 0},
    ),
    "pixels: ways, not pixels": (
        "pixels-seen",
        "return 9 ** len(rates)",
        {"test-pixels-equal-rates": 0, "test-pixels-any-rates": 0},
    ),
    "pixels: along one axis": (
        "pixels-seen",
        "offsets = {0}\n"
        "for rate in rates:\n"
        "    offsets = {offset + step for offset in offsets for step in (-rate, 0, rate)}\n"
        "return len(offsets)",
        {"test-pixels-equal-rates": 0, "test-pixels-any-rates": 0},
    ),
    "pixels: as if all rates were the first": (
        "pixels-seen",
        "return (1 + 2 * len(rates)) ** 2",
        {"test-pixels-any-rates": 0},
    ),
    "pixels: the field divided by the smallest rate": (
        "pixels-seen",
        "return (1 + 2 * sum(rates) // min(rates)) ** 2",
        {"test-pixels-any-rates": 0},
    ),
    "share: not below zero weights": (
        "share-in-use",
        "share = 1.0\n"
        "for side in (height, width):\n"
        "    share *= (3 * side - 2 * rate) / (3 * side)\n"
        "return share",
        {"test-share-any": 0},
    ),
    "share: square maps only": (
        "share-in-use",
        "return ((height + 2 * max(0, height - rate)) / (3 * height)) ** 2",
        {"test-share-any": 0},
    ),
    "share: positions with all nine weights": (
        "share-in-use",
        "return max(0, height - 2 * rate) * max(0, width - 2 * rate) / (height * width)",
        {"test-share-square": 0, "test-share-any": 0},
    ),
    "share: one axis counted": (
        "share-in-use",
        "return (height + 2 * max(0, height - rate)) / (3 * height)",
        {"test-share-square": 0, "test-share-any": 0},
    ),
}


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
