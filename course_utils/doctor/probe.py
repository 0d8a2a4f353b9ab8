"""Try torch, and the course on top of it, in a process of its own.

A broken torch may not only raise but kill its process (an instruction that the processor lacks, a library that does
not fit), and `course doctor` has to outlive that."""

from __future__ import annotations

import json
import signal
import subprocess
import sys


def torch_facts() -> dict:
    """What torch and torchvision are and can do; whatever they raise is passed on."""
    import torch
    import torchvision
    from torchvision.ops import nms

    nms(torch.zeros(1, 4), torch.zeros(1), 0.5)  # fails where torchvision was built for another torch
    facts = {"torch": torch.__version__, "torchvision": torchvision.__version__, "threads": torch.get_num_threads()}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        (torch.ones(2, 2, device="cuda") @ torch.ones(2, 2, device="cuda")).cpu()
        return facts | {"device": "cuda", "name": properties.name, "memory": properties.total_memory / 1e9}
    if torch.backends.mps.is_available():
        return facts | {"device": "mps", "name": "Apple GPU"}
    return facts | {"device": "cpu", "name": "CPU"}


def course_facts() -> dict:
    """Whether the course's own data and weights are there: what can be made, and what PyTorch has cached."""
    from course_utils.data import load_dataset, load_photo
    from course_utils.models import list_classifiers, load_classifier
    from course_utils.models.classifiers import weights_file

    load_photo("chelsea")
    load_dataset("street_scenes", "val")[0]
    load_classifier("efficientnet_lite0")
    others = [name for name in list_classifiers() if name != "efficientnet_lite0"]
    return {
        "cached": [name for name in others if weights_file(name).is_file()],
        "weights_folder": str(weights_file(others[0]).parent),
    }


PROBES = {"torch": torch_facts, "course": course_facts}


class ProbeFailure(Exception):
    """A probe did not come back with facts; the message is its last line, or what killed it."""


def probe(name: str) -> dict:
    """Run a probe in a process of its own and return its facts.

    Raises:
        ProbeFailure: it raised, or it died.
    """
    code = f"import json; from course_utils.doctor.probe import PROBES; print(json.dumps(PROBES[{name!r}]()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, errors="replace")
    if run.returncode < 0:
        raise ProbeFailure(f"it was killed by {signal.Signals(-run.returncode).name}")
    if run.returncode:
        raise ProbeFailure((run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1])
    return json.loads(run.stdout.splitlines()[-1])
