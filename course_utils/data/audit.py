"""The check of a data set on disk: every sample is read, and every problem is told with its file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from course_utils.data.catalogue import CATALOGUE
from course_utils.data.file_dataset import FileDataset
from course_utils.data.folders import locate
from course_utils.data.registry import load_dataset


@dataclass
class SplitAudit:
    """What was found of one split.

    count, official: how much there is and should be, in `unit`. pixels: how many pixels have each class, (K,), and
    void: how many have none. problems: what is wrong, a line each. absent: not there, and needed for submissions only.
    """

    split: str
    official: int
    unit: str
    classes: tuple[str, ...] = ()
    count: int = 0
    labelled: bool = True
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    void: int = 0
    problems: list[str] = field(default_factory=list)
    absent: bool = False


def audit(name: str, root: str | os.PathLike | None = None, *, progress: bool = True) -> list[SplitAudit]:
    """Read all of a data set, split by split."""
    return [_audit_split(name, split, root, progress) for split in CATALOGUE[name].needs]


def report(name: str, audits: list[SplitAudit]) -> str:
    """The findings as a page of text: counts, share of each class, and a verdict or the problems."""
    lines = [_count_line(found) for found in audits]
    scored = [found for found in audits if found.labelled and found.pixels.sum() + found.void]
    if scored:
        shares = [np.append(found.pixels, found.void) / (found.pixels.sum() + found.void) for found in scored]
        lines.append(f"  {'share of pixels':<16}" + "".join(f"{found.split:>9}" for found in scored))
        for i, label in enumerate([*scored[0].classes, "void"]):
            lines.append(f"  {label:<16}" + "".join(f"{100 * share[i]:>7.2f} %" for share in shares))
    problems = [problem for found in audits for problem in found.problems]
    lines += [f"✗ {problem}" for problem in problems]
    lines.append(
        f"✗ {name}: {len(problems)} problem{'s' * (len(problems) > 1)}." if problems else f"✓ {name} is complete."
    )
    return "\n".join(lines)


def _audit_split(name: str, split: str, root: str | os.PathLike | None, progress: bool) -> SplitAudit:
    description = CATALOGUE[name]
    found = SplitAudit(split, description.counts[split], description.unit, labelled=split not in description.unlabelled)
    if not found.labelled and locate(name, split, root) is None:
        found.absent = True
        return found
    try:
        dataset = load_dataset(name, split, root=root)
    except (OSError, ValueError) as error:
        found.problems += str(error).splitlines()
        return found
    found.classes, found.count = dataset.classes, dataset.count
    if found.count != found.official:
        found.problems.append(
            f"{split} has {found.count} {found.unit}, officially {found.official}: "
            f"{'some are missing' if found.count < found.official else 'there are others among them'} in "
            f"{dataset.root}."
        )
    _read_all(dataset, found, progress)
    return found


def _read_all(dataset: FileDataset, found: SplitAudit, progress: bool) -> None:
    counts = np.zeros(256, dtype=np.int64)
    for index in tqdm(range(len(dataset)), desc=f"{dataset.name} {dataset.split}", disable=not progress):
        try:
            _, mask = dataset[index]
        except (OSError, TypeError, ValueError) as error:
            found.problems.append(str(error))
            continue
        counts += np.bincount(mask.numpy().ravel(), minlength=256)
    found.pixels = counts[: len(dataset.classes)]
    found.void = int(counts[dataset.ignore_index])


def _count_line(found: SplitAudit) -> str:
    if found.absent:
        return f"  {found.split:<6} not there; its labels are not public, it serves for submissions only"
    note = "" if found.labelled else ", labels not public"
    return f"  {found.split:<6} {found.count} of {found.official} {found.unit}{note}"
