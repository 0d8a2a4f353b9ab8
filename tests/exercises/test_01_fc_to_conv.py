"""Exercise 01: full marks for the right answers, none for the stub, and the stated marks for plausible wrong ones."""

from tests.exercises.marking import ExerciseTests

TOPIC = "01_fc_to_conv"
FULL = {
    "test-score-map-size": 2, "test-kernels": 2, "test-head-same-size": 1, "test-head-larger": 2, "test-stitch-even": 1,
    "test-stitch-odd": 2, "test-receptive-field-stride-1": 1, "test-receptive-field": 2,
}  # fmt: skip


WRONG = {
    "size: width first": (
        "score-map-size",
        "height, width = image_size\nreturn (width - window) // stride + 1, (height - window) // stride + 1",
        {"test-score-map-size": 0},
    ),
    "size: counts windows that stick out": (
        "score-map-size",
        "return tuple(-(-(side - window) // stride) + 1 for side in image_size)",
        {"test-score-map-size": 0},
    ),
    "size: forgets the + 1": (
        "score-map-size",
        "return tuple((side - window) // stride for side in image_size)",
        {"test-score-map-size": 0},
    ),
    "size: knows only the examples": (
        "score-map-size",
        "return (6, 6) if image_size[0] == 384 else (1, 3)",
        {"test-score-map-size": 0},
    ),
    "kernels: channels last": (
        "kernels",
        "return weight.view(len(weight), height, width, channels).permute(0, 3, 1, 2)",
        {"test-kernels": 0},
    ),
    "kernels: transposed": (
        "kernels",
        "return weight.view(len(weight), channels, width, height).transpose(2, 3)",
        {"test-kernels": 0},
    ),
    "kernels: a copy": (
        "kernels",
        "return weight.clone().view(len(weight), channels, height, width)",
        {"test-kernels": 0},
    ),
    "head: no activation between layers": (
        "head",
        "layers = []\n"
        "for linear in linears:\n"
        "    conv = nn.Conv2d(channels, linear.out_features, (height, width))\n"
        "    conv.weight = nn.Parameter(linear.weight.detach().view(-1, channels, height, width))\n"
        "    conv.bias = linear.bias\n"
        "    layers.append(conv)\n"
        "    channels, height, width = linear.out_features, 1, 1\n"
        "return nn.Sequential(*layers)",
        {"test-head-same-size": 0, "test-head-larger": 0},
    ),
    "head: a ReLU at the end": (
        "head",
        "layers = []\n"
        "for linear in linears:\n"
        "    conv = nn.Conv2d(channels, linear.out_features, (height, width))\n"
        "    conv.weight = nn.Parameter(linear.weight.detach().view(-1, channels, height, width))\n"
        "    conv.bias = linear.bias\n"
        "    layers += [conv, nn.ReLU()]\n"
        "    channels, height, width = linear.out_features, 1, 1\n"
        "return nn.Sequential(*layers)",
        {"test-head-same-size": 0, "test-head-larger": 0},
    ),
    "head: pools a larger map to the old size": (
        "head",
        "kernels = [l.weight.view(-1, c, h, w) for l, (c, h, w) in zip(\n"
        "    linears, [(channels, height, width)] + [(l.out_features, 1, 1) for l in linears[:-1]])]\n"
        "class Head(nn.Module):\n"
        "    def forward(self, x):\n"
        "        x = F.adaptive_avg_pool2d(x, (height, width))\n"
        "        for i, (k, l) in enumerate(zip(kernels, linears)):\n"
        "            x = F.conv2d(x if i == 0 else x.relu(), k, l.bias)\n"
        "        return x\n"
        "return Head()",
        {"test-head-same-size": 1, "test-head-larger": 0},
    ),
    "head: right size, scores of a single place everywhere": (
        "head",
        "flat = nn.Sequential(nn.Flatten(), linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2])\n"
        "class Head(nn.Module):\n"
        "    def forward(self, x):\n"
        "        scores = flat(x[:, :, :height, :width])[:, :, None, None]\n"
        "        return scores.expand(-1, -1, x.shape[2] - height + 1, x.shape[3] - width + 1)\n"
        "return Head()",
        {"test-head-same-size": 1, "test-head-larger": 0},
    ),
    "stitch: assumes that all passes have one size": (
        "stitch",
        "K, h, w = passes[0, 0].shape\n"
        "stitched = torch.zeros(K, h * factor, w * factor)\n"
        "for (dy, dx), scores in passes.items():\n"
        "    stitched[:, dy::factor, dx::factor] = scores\n"
        "return stitched",
        {"test-stitch-even": 1, "test-stitch-odd": 0},
    ),
    "stitch: side by side": (
        "stitch",
        "rows = [torch.cat([passes[y, x] for x in range(factor)], 2) for y in range(factor)]\n"
        "return torch.cat(rows, 1)",
        {"test-stitch-even": 0, "test-stitch-odd": 0},
    ),
    "stitch: across and down exchanged": (
        "stitch",
        "rows = sum(passes[y, 0].shape[1] for y in range(factor))\n"
        "columns = sum(passes[0, x].shape[2] for x in range(factor))\n"
        "stitched = torch.zeros(len(passes[0, 0]), rows, columns)\n"
        "for (dy, dx), scores in passes.items():\n"
        "    stitched[:, dx::factor, dy::factor] = scores\n"
        "return stitched",
        {"test-stitch-even": 0, "test-stitch-odd": 0},
    ),
    "stitch: only two by two": (
        "stitch",
        "rows = passes[0, 0].shape[1] + passes[1, 0].shape[1]\n"
        "columns = passes[0, 0].shape[2] + passes[0, 1].shape[2]\n"
        "stitched = torch.zeros(len(passes[0, 0]), rows, columns)\n"
        "for (dy, dx), scores in passes.items():\n"
        "    stitched[:, dy::2, dx::2] = scores\n"
        "return stitched",
        {"test-stitch-even": 1, "test-stitch-odd": 0},
    ),
    "field: strides forgotten": (
        "receptive-field",
        "return 1 + sum(kernel - 1 for kernel, _ in layers)",
        {"test-receptive-field-stride-1": 1, "test-receptive-field": 0},
    ),
    "field: stride applied one layer too early": (
        "receptive-field",
        "size, distance = 1, 1\n"
        "for kernel, stride in layers:\n"
        "    distance *= stride\n"
        "    size += (kernel - 1) * distance\n"
        "return size",
        {"test-receptive-field-stride-1": 1, "test-receptive-field": 0},
    ),
    "field: kernels multiplied": (
        "receptive-field",
        "size = 1\nfor kernel, stride in layers:\n    size *= kernel\nreturn size",
        {"test-receptive-field-stride-1": 0, "test-receptive-field": 0},
    ),
}


class TestExercise(ExerciseTests):
    topic, full, free, wrong = TOPIC, FULL, [4], WRONG
