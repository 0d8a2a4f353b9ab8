"""Exercise 02: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "02_transposed_conv"
FULL = {
    "test-way-back-stride-2": 1, "test-way-back": 1, "test-stamps-one-channel": 1, "test-stamps": 2,
    "test-bilinear-one-channel": 1, "test-bilinear": 2, "test-overlap-even": 1, "test-overlap": 1,
    "test-two-in-one-channel": 1, "test-two-in-one": 2,
}  # fmt: skip


def stamping(start="i * stride", columns="j * stride", write="+=", weight="w", crop=True):
    """Task 2 as a student might write it, with one thing changed."""
    kept = "out[:, padding : out.shape[1] - padding, padding : out.shape[2] - padding]" if crop else "out"
    return (
        "kh, kw = w.shape[2:]\n"
        "out = torch.zeros(w.shape[1], (x.shape[1] - 1) * stride + kh, (x.shape[2] - 1) * stride + kw)\n"
        "for i in range(x.shape[1]):\n"
        "    for j in range(x.shape[2]):\n"
        f"        top, left = {start}, {columns}\n"
        f"        stamp = (x[:, i, j, None, None, None] * {weight}).sum(0)\n"
        f"        out[:, top : top + kh, left : left + kw] {write} stamp\n"
        f"return {kept}"
    )


TENT = (
    "distance = (torch.arange(2 * stride) - (2 * stride - 1) / 2).abs()\n"
    "tent = 1 - distance / stride\n"
    "kernel = torch.outer(tent, tent)\n"
)
BLOCKS = "blocks = torch.eye(weight.shape[1])[:, :, None, None].expand(-1, -1, stride, stride)\n"

WRONG = {
    "way back: whatever is odd": (
        "way-back",
        "return (size + 1) % 2",
        {"test-way-back": 0},
    ),
    "way back: always one less than the stride": (
        "way-back",
        "return stride - 1",
        {"test-way-back-stride-2": 0, "test-way-back": 0},
    ),
    "way back: the remainder without the padding": (
        "way-back",
        "return (size - kernel) % stride",
        {"test-way-back": 0, "test-way-back-stride-2": 1},
    ),
    "way back: padding counted once": (
        "way-back",
        "return (size + padding - kernel) % stride",
        {"test-way-back-stride-2": 0, "test-way-back": 0},
    ),
    "stamps: overwrites where stamps overlap": (
        "stamps",
        stamping(write="="),
        {"test-stamps-one-channel": 0, "test-stamps": 0},
    ),
    "stamps: not cropped": ("stamps", stamping(crop=False), {"test-stamps": 0}),
    "stamps: the kernel turned": (
        "stamps",
        stamping(weight="w.flip(2, 3)"),
        {"test-stamps-one-channel": 0, "test-stamps": 0},
    ),
    "stamps: only the first input channel": (
        "stamps",
        stamping(weight="w").replace("(x[:, i, j, None, None, None] * w).sum(0)", "x[0, i, j] * w[0]"),
        {"test-stamps": 0},
    ),
    "stamps: one pixel apart": (
        "stamps",
        stamping(start="i", columns="j"),
        {"test-stamps-one-channel": 0, "test-stamps": 0},
    ),
    "stamps: stride 2 for any stride": ("stamps", stamping(start="2 * i", columns="2 * j"), {"test-stamps": 0}),
    "bilinear: mixes all channels": (
        "bilinear-weight",
        TENT + "return kernel.expand(channels, channels, -1, -1)",
        {"test-bilinear": 0},
    ),
    "bilinear: centred on a pixel": (
        "bilinear-weight",
        "distance = (torch.arange(2 * stride) - stride).abs()\n"
        "tent = 1 - distance / stride\n"
        "return torch.eye(channels)[:, :, None, None] * torch.outer(tent, tent)",
        {"test-bilinear-one-channel": 0, "test-bilinear": 0},
    ),
    "bilinear: adds up to one": (
        "bilinear-weight",
        TENT + "return torch.eye(channels)[:, :, None, None] * kernel / kernel.sum()",
        {"test-bilinear-one-channel": 0, "test-bilinear": 0},
    ),
    "bilinear: the tent of stride 2 for any stride": (
        "bilinear-weight",
        "tent = torch.tensor([0.25, 0.75, 0.75, 0.25])\n"
        "return torch.eye(channels)[:, :, None, None] * torch.outer(tent, tent)",
        {"test-bilinear": 0},
    ),
    "bilinear: one kernel per channel, no second axis": (
        "bilinear-weight",
        TENT + "return kernel.expand(channels, 1, -1, -1)",
        {"test-bilinear": 0},
    ),
    "overlap: along one side only": (
        "overlap",
        "return kernel // stride, -(-kernel // stride)",
        {"test-overlap-even": 0, "test-overlap": 0},
    ),
    "overlap: rounded down for both": (
        "overlap",
        "return (kernel // stride) ** 2, (kernel // stride) ** 2",
        {"test-overlap": 0},
    ),
    "overlap: at least one stamp everywhere": (
        "overlap",
        "return max(kernel // stride, 1) ** 2, (-(-kernel // stride)) ** 2",
        {"test-overlap": 0},
    ),
    "overlap: a minus squared away": (
        "overlap",
        "return (kernel // stride) ** 2, -(-kernel // stride) ** 2",
        {"test-overlap-even": 0, "test-overlap": 0},
    ),
    "two in one: the kernel itself, repeated": (
        "two-in-one",
        "return F.interpolate(weight.transpose(0, 1), size=(stride + 2, stride + 2))",
        {"test-two-in-one-channel": 0, "test-two-in-one": 0},
    ),
    "two in one: the kernel turned": (
        "two-in-one",
        BLOCKS + "return F.conv2d(blocks, weight.flip(2, 3), padding=2)",
        {"test-two-in-one-channel": 0, "test-two-in-one": 0},
    ),
    "two in one: ones in all channels": (
        "two-in-one",
        "c = weight.shape[1]\nreturn F.conv2d(torch.ones(c, c, stride, stride), weight, padding=2)",
        {"test-two-in-one": 0},
    ),
    "two in one: channels in the order of a convolution": (
        "two-in-one",
        BLOCKS + "return F.conv2d(blocks, weight, padding=2).transpose(0, 1)",
        {"test-two-in-one": 0},
    ),
    "two in one: blocks of two for any stride": (
        "two-in-one",
        "c = weight.shape[1]\n"
        "blocks = torch.eye(c)[:, :, None, None].expand(-1, -1, 2, 2)\n"
        "return F.conv2d(blocks, weight, padding=2)",
        {"test-two-in-one": 0},
    ),
}


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
