"""How fast street scenes are generated on one core, against reading the same pictures from PNG files."""

import tempfile
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from PIL import Image

from course_utils.data import load_dataset

SIZES = ((96, 128), (192, 256), (384, 512))
ROUNDS = 5


def main() -> None:
    """Print samples per second of CPU time for both, round by round in turn, and the ratio of the medians."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        print("Street scenes, samples per second of CPU time on one core (median of 5 rounds)")
        print(f"{'size':>9} {'generated':>10} {'from PNG':>9} {'ratio':>6}")
        for size in SIZES:
            generated, read = _rates(size)
            print(f"{size[0]:>4}x{size[1]:<4} {generated:>10.0f} {read:>9.0f} {generated / read:>6.2f}")
    finally:
        torch.set_num_threads(threads)


def _rates(size: tuple[int, int]) -> tuple[float, float]:
    count = 200 * 96 * 128 // (size[0] * size[1]) + 10
    dataset = load_dataset("street_scenes", "train", size=size, length=count)
    with tempfile.TemporaryDirectory() as folder:
        files = [_write(Path(folder), index, *sample) for index, sample in enumerate(dataset)]
        rounds = [
            (_rate(lambda: [dataset[i] for i in range(count)], count), _rate(lambda: [*map(_read, files)], count))
            for _ in range(ROUNDS)
        ]
    return median(generated for generated, _ in rounds), median(read for _, read in rounds)


def _rate(work, count: int) -> float:
    start = process_time()
    work()
    return count / (process_time() - start)


def _write(folder: Path, index: int, image: torch.Tensor, mask: torch.Tensor) -> tuple[Path, Path]:
    """Store a sample as data sets do: an RGB picture and a grey one with the labels."""
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    paths = folder / f"{index}.png", folder / f"{index}_mask.png"
    Image.fromarray(pixels).save(paths[0])
    Image.fromarray(mask.byte().numpy()).save(paths[1])
    return paths


def _read(paths: tuple[Path, Path]) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a stored sample in the form that the data set gives."""
    with Image.open(paths[0]) as picture, Image.open(paths[1]) as labels:
        pixels, mask = np.array(picture), np.array(labels)
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, torch.from_numpy(mask).long()


if __name__ == "__main__":
    main()
