"""VGG16 over 384×384 pixels: one pass of the converted network against 36 crops; CPU seconds of one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from course_utils.fc_to_conv import convolutionalize, dense_scores, sliding_window_scores
from course_utils.models import load_classifier

ROUNDS = 3


def main() -> None:
    """Print the median CPU time of each way, and its ratio to one pass in the same round."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    classifier = load_classifier("vgg16", pretrained=False)
    fcn = convolutionalize(classifier)
    image = torch.randn(3, 384, 384, generator=torch.Generator().manual_seed(0))
    ways: dict[str, Callable[[], object]] = {
        "one pass": lambda: dense_scores(fcn, image),
        "36 crops, one at a time": lambda: sliding_window_scores(classifier, image, 224, 32),
        "36 crops, six at a time": lambda: sliding_window_scores(classifier, image, 224, 32, batch_size=6),
    }
    ways["one pass"]()  # to warm up
    seconds = [{name: cpu_seconds(way) for name, way in ways.items()} for _ in range(ROUNDS)]
    print(f"VGG16, 384×384 px, 1 thread, median of {ROUNDS} interleaved rounds (multiply-adds: 11.2 times)")
    for name in ways:
        ratio = median(rounds[name] / rounds["one pass"] for rounds in seconds)
        print(f"  {name:24} {median(rounds[name] for rounds in seconds):6.2f} s of CPU  {ratio:5.1f} ×")
    torch.set_num_threads(threads)


def cpu_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    main()
