"""JupyterLab, the packages that show widgets in it, and the kernel that runs the notebooks."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_utils.doctor.findings import Finding, broken, fine, install
from course_utils.doctor.packages import misfit, on_colab, requirements

WIDGET_PACKAGES = ("ipywidgets", "anywidget", "jupyterlab_widgets")
EXTENSIONS = {"@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets", "anywidget": "anywidget"}
"""JupyterLab's extensions that draw widgets in the browser, and the packages that bring them."""


def check_notebooks() -> list[Finding]:
    """Whether notebooks run in JupyterLab with this Python and show widgets; Colab brings all of that."""
    if on_colab():
        return [fine(f"Google Colab, {_versions(['ipywidgets', 'anywidget'])}")]
    try:
        lab = fine(f"JupyterLab {version('jupyterlab')}")
    except PackageNotFoundError:
        return [broken("JupyterLab is not installed", install("segmentation-course[lab]"))]
    return [lab, *check_widgets(), check_extensions(Path(sys.prefix) / "share/jupyter/labextensions"), check_kernel()]


def check_widgets() -> list[Finding]:
    """Whether the widget packages fit one another."""
    try:
        wanted = [each for package in WIDGET_PACKAGES for each in requirements(package)]
    except PackageNotFoundError as error:
        return [broken(f"{error.name} is not installed: explorers show nothing", install(str(error.name)))]
    wrong = [(text, each) for each in wanted if (text := misfit(each))]
    if wrong:
        return [broken(f"{text}: explorers may show nothing", install(str(each))) for text, each in wrong]
    return [fine(_versions(WIDGET_PACKAGES))]


def check_extensions(folder: Path) -> Finding:
    """Whether JupyterLab has the extensions that draw widgets, in `folder` below this Python's prefix."""
    lacking = [package for name, package in EXTENSIONS.items() if not (folder / name / "package.json").is_file()]
    if lacking:
        fix = install(*lacking).replace("--upgrade", "--force-reinstall")
        return broken(f"JupyterLab lacks the extension of {' and '.join(lacking)}: explorers show nothing", fix)
    return fine("JupyterLab has the extensions that draw widgets")


def check_kernel() -> Finding:
    """Whether the kernel "python3" of the notebooks is this Python."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError as error:
        return broken(f"notebooks have no kernel: {error}", install("ipykernel"))
    try:
        kernel = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return broken("notebooks have no kernel", install("ipykernel"))
    program = kernel.argv[0]
    # A bare name is replaced by the Python that JupyterLab runs on.
    if Path(program).is_absolute() and Path(program).parent != Path(sys.executable).parent:
        return broken(f"the notebooks' kernel is another Python, {program}", f"delete the folder {kernel.resource_dir}")
    return fine("notebooks run with this Python")


def _versions(packages: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"{package} {version(package)}" for package in packages)
