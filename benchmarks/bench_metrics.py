"""One update of the confusion matrix and the mean IoU, against torchmetrics' Jaccard index on the same tensors."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torchmetrics.classification import MulticlassJaccardIndex

from course_utils.metrics import ConfusionMatrix

BATCHES = ((8, (8, 96, 128)), (11, (8, 360, 480)), (19, (1, 1024, 2048)))
VOID, VOID_SHARE = 255, 0.05
ROUNDS = 9


def main() -> None:
    """Print the median time of each way and its ratio to ours in the same round, on one CPU core and on any GPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
            print(f"One batch, update and mean IoU, on {device} (median of {ROUNDS} interleaved rounds)")
            print(f"  {'':24} {'ours':>9}  {'torchmetrics':>20}  {'without its checks':>20}")
            for classes, size in BATCHES:
                print(f"  {f'{classes} classes, {size}':24} {_row(classes, size, device)}")
    finally:
        torch.set_num_threads(threads)


def _row(classes: int, size: tuple[int, int, int], device: str) -> str:
    prediction, target = _batch(classes, size, device)
    ways = [
        lambda: ConfusionMatrix(classes, VOID).update(prediction, target).mean_iu(),
        lambda: _by_torchmetrics(prediction, target, classes, checks=True),
        lambda: _by_torchmetrics(prediction, target, classes, checks=False),
    ]
    scores = [way() for way in ways]  # also to warm up
    assert max(scores) - min(scores) < 1e-5, scores
    rounds = [[_seconds(way, device) for way in ways] for _ in range(ROUNDS)]
    ours, *theirs = ([times[index] for times in rounds] for index in range(len(ways)))
    cells = [f"{median(ours) * 1e3:6.2f} ms"]
    for seconds in theirs:
        ratio = median(other / own for other, own in zip(seconds, ours, strict=True))
        cells.append(f"{median(seconds) * 1e3:9.2f} ms {ratio:5.1f} ×")
    return "  ".join(cells)


def _batch(classes: int, size: tuple[int, int, int], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    prediction, target = (torch.randint(classes, size, generator=draw) for _ in range(2))
    target[torch.rand(size, generator=draw) < VOID_SHARE] = VOID
    return prediction.to(device), target.to(device)


def _by_torchmetrics(prediction: torch.Tensor, target: torch.Tensor, classes: int, *, checks: bool) -> float:
    metric = MulticlassJaccardIndex(classes, ignore_index=VOID, validate_args=checks).to(prediction.device)
    metric.update(prediction, target)
    return metric.compute().item()


def _seconds(way: Callable[[], object], device: str) -> float:
    """CPU seconds of one call, or seconds by the clock where the work is done elsewhere; its result is a number."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    way()
    return clock() - start


if __name__ == "__main__":
    main()
