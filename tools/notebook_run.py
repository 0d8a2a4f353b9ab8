"""Run a notebook as `make notebooks` and the tests do: this environment's kernel, no network, nothing of the user's."""

from __future__ import annotations

import html
import os
import re
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tools.notebook_text import standard_metadata

CELL_TIMEOUT = 300
"""Seconds after which a cell counts as hanging."""

_OFFLINE = Path(__file__).resolve().parent / "notebook_offline"
_NETWORK_LOG = "network.log"
_KERNEL_LOG = "kernel.log"
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_TERMINAL_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class NotebookFailure(Exception):
    """A notebook that could not be built; the message is the report."""


def offline_environment(scratch: Path) -> dict[str, str]:
    """Return the environment variables under which notebooks run; `scratch` is an empty folder for their traces.

    The network is cut off (see notebook_offline/sitecustomize.py), and neither the user's configuration nor cached
    weights nor a GPU changes what a notebook prints.
    """
    environment = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    python_path = [str(_OFFLINE), environment.get("PYTHONPATH", "")]
    environment.update(
        {
            "COURSE_NETWORK_LOG": str(scratch / _NETWORK_LOG),
            "CUDA_VISIBLE_DEVICES": "",
            "IPYTHONDIR": str(scratch / "ipython"),
            "JUPYTER_CONFIG_DIR": str(scratch / "jupyter-config"),
            "JUPYTER_DATA_DIR": str(scratch / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(scratch / "jupyter-runtime"),
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
            "TORCH_HOME": str(scratch / "torch"),
            "TQDM_DISABLE": "1",
            "TZ": "UTC",
        }
    )
    environment.pop("MPLBACKEND", None)
    return environment


def network_attempts(scratch: Path) -> list[str]:
    """Return what the programs that ran with `offline_environment(scratch)` tried to reach."""
    log = scratch / _NETWORK_LOG
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells of `notebook` in `folder`, storing their outputs in it, then drop what doesn't outlive the run.

    Raises `NotebookFailure` if a cell fails, hangs, shows a widget without a picture, or reaches for the network.
    """
    with tempfile.TemporaryDirectory(prefix="notebook-") as name:
        scratch = Path(name)
        _run_cells(notebook, folder, scratch)
        if attempts := network_attempts(scratch):
            raise NotebookFailure("it reached for the network:\n  " + "\n  ".join(sorted(set(attempts))))
    notebook.metadata = standard_metadata()
    for number, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            _keep_only_picture(output, number)


def _run_cells(notebook: NotebookNode, folder: Path, scratch: Path) -> None:
    started = []
    kernel = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))  # this environment's own
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=CELL_TIMEOUT,
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        on_cell_execute=lambda cell, cell_index: started.append(cell_index),
    )
    log = scratch / _KERNEL_LOG
    try:
        with log.open("w", encoding="utf-8") as stderr:
            client.execute(env=offline_environment(scratch), stderr=stderr, cleanup_kc=True)
    except DeadKernelError:
        last_words = log.read_text(encoding="utf-8")[-2000:]
        raise NotebookFailure(f"the kernel died in cell {started[-1] + 1}. Its last words:\n{last_words}") from None
    except (CellExecutionError, CellTimeoutError) as error:
        report = _TERMINAL_COLOR.sub("", str(error))
        raise NotebookFailure(f"cell {started[-1] + 1} failed:\n{_indent(report)}") from None


def _keep_only_picture(output: NotebookNode, number: int) -> None:
    """Leave the picture of a widget: without a kernel, readers would show "model not found" in place of the widget.

    The picture stays as image/png and is also written as HTML, in which alone readers find its alternative text.
    """
    data = output.get("data", {})
    if data.pop(_WIDGET, None) is None:
        return
    text = data.get("text/plain", "")
    if "image/png" not in data:
        raise NotebookFailure(
            f"cell {number} shows a widget without a static picture ({text:.60}); give it an image/png in its "
            "_repr_mimebundle_, or readers of the saved notebook see nothing."
        )
    source = "data:image/png;base64," + data["image/png"].replace("\n", "")
    data["text/html"] = f'<img alt="{html.escape(text)}" style="max-width:100%;height:auto" src="{source}">'


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())
