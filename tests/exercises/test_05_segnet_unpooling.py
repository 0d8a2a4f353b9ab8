"""Exercise 05: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "05_segnet_unpooling"
FULL = {
    "test-read-index-place": 1, "test-read-index-position": 1, "test-unpool-one-map": 1, "test-unpool-many": 2,
    "test-pool-even": 1, "test-pool-odd": 2, "test-stage-shapes": 1, "test-stage-layers": 1, "test-stage-scores": 1,
    "test-as-convolution-one": 1, "test-as-convolution-many": 2,
}  # fmt: skip


POOL = (
    "height, width = features.shape[-2:]\n"
    "filled = F.pad(features, (0, width % 2, 0, height % 2), value={fill})\n"
    "windows = filled.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)\n"
    "values, position = windows.max(4)\n"
    "{change}"
    "rows = 2 * torch.arange(values.shape[2])[:, None] + position // 2\n"
    "columns = 2 * torch.arange(values.shape[3]) + position % 2\n"
    "return values, rows * {width} + columns"
)

CONVOLUTION = (
    "convolution = nn.Conv2d(deconvolution.in_channels, deconvolution.out_channels,\n"
    "                        deconvolution.kernel_size, padding={padding})\n"
    "with torch.no_grad():\n"
    "    convolution.weight.copy_({weight})\n"
    "    {bias}\n"
    "return convolution"
)

WRONG = {
    "index: column first": (
        "read-index",
        "row, column = divmod(index, width)\nreturn column, row, row % 2 * 2 + column % 2",
        {"test-read-index-place": 0},
    ),
    "index: position column by column": (
        "read-index",
        "row, column = divmod(index, width)\nreturn row, column, column % 2 * 2 + row % 2",
        {"test-read-index-position": 0},
    ),
    "index: the position is the index modulo four": (
        "read-index",
        "row, column = divmod(index, width)\nreturn row, column, index % 4",
        {"test-read-index-position": 0},
    ),
    "index: counts windows, not pixels": (
        "read-index",
        "row, column = divmod(index, width // 2)\nreturn row // 2, column, index % 4",
        {"test-read-index-place": 0, "test-read-index-position": 0},
    ),
    "unpool: one flat list for all channels": (
        "unpool",
        "flat = torch.zeros(values.shape[0] * values.shape[1] * size[0] * size[1])\n"
        "flat[indices.flatten()] = values.flatten()\n"
        "return flat.view(*values.shape[:2], *size)",
        {"test-unpool-many": 0},
    ),
    "unpool: guesses the size": (
        "unpool",
        "n, c, h, w = values.shape\n"
        "flat = torch.zeros(n, c, 4 * h * w)\n"
        "return flat.scatter(2, indices.flatten(2), values.flatten(2)).view(n, c, 2 * h, 2 * w)",
        {"test-unpool-many": 0},
    ),
    "unpool: upper left corners": (
        "unpool",
        "out = torch.zeros(*values.shape[:2], *size)\nout[:, :, ::2, ::2] = values\nreturn out",
        {"test-unpool-one-map": 0, "test-unpool-many": 0},
    ),
    "unpool: width first": (
        "unpool",
        "width, height = size\n"
        "flat = torch.zeros(*values.shape[:2], height * width)\n"
        "return flat.scatter(2, indices.flatten(2), values.flatten(2)).unflatten(2, (height, width))",
        {"test-unpool-one-map": 0, "test-unpool-many": 0},
    ),
    "unpool: repeats the value in its whole window": (
        "unpool",
        "return F.interpolate(values, size, mode='nearest')",
        {"test-unpool-one-map": 0, "test-unpool-many": 0},
    ),
    "pool: fills up with zeros": (
        "pool",
        POOL.format(fill=0, change="", width="width"),
        {"test-pool-odd": 0},
    ),
    "pool: indices of the filled map": (
        "pool",
        POOL.format(fill="-torch.inf", change="", width="filled.shape[-1]"),
        {"test-pool-odd": 0},
    ),
    "pool: the last of equal values": (
        "pool",
        POOL.format(fill="-torch.inf", change="position = 3 - windows.flip(4).argmax(4)\n", width="width"),
        {"test-pool-odd": 0},
    ),
    "pool: drops what is left over": (
        "pool",
        "height, width = features.shape[-2:]\n"
        "values, position = features.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).max(4)\n"
        "rows = 2 * torch.arange(values.shape[2])[:, None] + position // 2\n"
        "columns = 2 * torch.arange(values.shape[3]) + position % 2\n"
        "return values, rows * width + columns",
        {"test-pool-odd": 0},
    ),
    "pool: positions in the window for indices": (
        "pool",
        "values, position = features.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).max(4)\nreturn values, position",
        {"test-pool-even": 0, "test-pool-odd": 0},
    ),
    "stage: one step, many times": (
        "stage",
        "step = [nn.Conv2d(channels[0], channels[-1], 3, padding=1), nn.BatchNorm2d(channels[-1]), nn.ReLU()]\n"
        "if channels[0] == channels[-1]:\n"
        "    step = step * (len(channels) - 1)\n"
        "return nn.Sequential(*(step[:-2] if scores else step))",
        {"test-stage-layers": 0, "test-stage-scores": 0},
    ),
    "stage: ReLU on the scores": (
        "stage",
        "layers = []\n"
        "for before, after in zip(channels, channels[1:]):\n"
        "    layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]\n"
        "return nn.Sequential(*layers)",
        {"test-stage-scores": 0},
    ),
    "stage: the scores are normalised": (
        "stage",
        "layers = []\n"
        "for before, after in zip(channels, channels[1:]):\n"
        "    layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]\n"
        "return nn.Sequential(*(layers[:-1] if scores else layers))",
        {"test-stage-scores": 0},
    ),
    "stage: no padding": (
        "stage",
        "layers = []\n"
        "for before, after in zip(channels, channels[1:]):\n"
        "    layers += [nn.Conv2d(before, after, 3), nn.BatchNorm2d(after), nn.ReLU()]\n"
        "return nn.Sequential(*(layers[:-2] if scores else layers))",
        {"test-stage-shapes": 0, "test-stage-scores": 0},
    ),
    "stage: no normalisation": (
        "stage",
        "layers = []\n"
        "for before, after in zip(channels, channels[1:]):\n"
        "    layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]\n"
        "return nn.Sequential(*(layers[:-1] if scores else layers))",
        {"test-stage-layers": 0, "test-stage-scores": 0},
    ),
    "convolution: kernel not turned": (
        "as-convolution",
        CONVOLUTION.format(
            padding="deconvolution.padding", weight="deconvolution.weight.transpose(0, 1)",
            bias="convolution.bias.copy_(deconvolution.bias)",
        ),
        {"test-as-convolution-one": 0, "test-as-convolution-many": 0},
    ),
    "convolution: channels not exchanged": (
        "as-convolution",
        CONVOLUTION.format(
            padding="deconvolution.padding", weight="deconvolution.weight.flip(2, 3).view_as(convolution.weight)",
            bias="convolution.bias.copy_(deconvolution.bias)",
        ),
        {"test-as-convolution-many": 0},
    ),
    "convolution: bias forgotten": (
        "as-convolution",
        CONVOLUTION.format(
            padding="deconvolution.padding", weight="deconvolution.weight.transpose(0, 1).flip(2, 3)",
            bias="convolution.bias.zero_()",
        ),
        {"test-as-convolution-many": 0},
    ),
    "convolution: padding of a 3×3 kernel": (
        "as-convolution",
        CONVOLUTION.format(
            padding="1", weight="deconvolution.weight.transpose(0, 1).flip(2, 3)",
            bias="convolution.bias.copy_(deconvolution.bias)",
        ),
        {"test-as-convolution-many": 0},
    ),
    "convolution: hands the deconvolution back": (
        "as-convolution",
        "return deconvolution",
        {"test-as-convolution-many": 0},
    ),
}  # fmt: skip


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
