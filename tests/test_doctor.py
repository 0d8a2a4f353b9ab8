"""`course doctor` outlives everything that can be broken, names it, and fails only for what the course needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from course_utils import doctor
from course_utils.cli import app
from course_utils.doctor import findings, learning, machine, notebooks, packages, probe

GOOD = [findings.fine("all is well")]


def doctor_in(environment: dict[str, str]) -> subprocess.CompletedProcess:
    """The real command in a process with these variables."""
    code = "from course_utils.cli import app; app(['doctor'])"
    return subprocess.run([sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True)


def fake_package(folder: Path, name: str, code: str) -> dict[str, str]:
    """Variables under which Python finds this module before the real one."""
    (folder / f"{name}.py").write_text(code)
    return {"PYTHONPATH": str(folder)}


def marks(found: list[findings.Finding]) -> str:
    """The marks of findings in their order, as in "✓✓–"."""
    return "".join(each.mark for each in found)


def test_here_the_course_can_run():
    result = doctor_in({})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "✗" not in result.stdout
    assert result.stdout.endswith("The course can run here.\n")
    for word in ("Python 3.", "torch ", "device ", "GB of memory", "JupyterLab ", "ipywidgets ", "EfficientNet-Lite0"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError('libcudart.so.13: cannot open')", "ImportError: libcudart.so.13: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "it was killed by SIGILL"),
        ("raise SystemExit(3)", "exit status 3"),
    ],
)
def test_a_broken_torch_is_named_and_the_rest_still_examined(tmp_path, code, reason):
    result = doctor_in(fake_package(tmp_path, "torch", code))
    assert result.returncode == 1
    assert f"✗ torch doesn't work: {reason}" in result.stdout
    assert f"→ {sys.executable} -m pip install --upgrade --force-reinstall" in result.stdout
    assert "JupyterLab 4" in result.stdout and "GB of memory" in result.stdout
    assert "The course can't run yet" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_torchvision_of_another_torch_is_found(tmp_path):
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "__init__.py").write_text("__version__ = '0.1'\n")
    code = "def nms(*boxes):\n    raise RuntimeError('operator torchvision::nms does not exist')\n"
    (folder / "ops.py").write_text(code)
    result = doctor_in({"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 1
    assert "✗ torch doesn't work: RuntimeError: operator torchvision::nms does not exist" in result.stdout


def test_a_broken_numpy_does_not_stop_the_report(tmp_path):
    result = doctor_in(fake_package(tmp_path, "numpy", "raise ValueError('numpy.dtype size changed')"))
    assert result.returncode == 1
    assert "numpy.dtype size changed" in result.stdout
    assert "JupyterLab 4" in result.stdout and "Traceback" not in result.stderr


@pytest.mark.parametrize("folder", ["/dev/null/cache", "/proc/cache"])
def test_an_unwritable_cache_is_fatal_and_named(monkeypatch, folder):
    monkeypatch.setenv("COURSE_CACHE", folder)
    (found,) = machine.check_cache()
    assert found.is_fatal and folder in found.text and "COURSE_CACHE" in found.fix


def test_a_writable_cache_lists_what_it_keeps(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "new"))
    assert marks(machine.check_cache()) == "✓✓–"
    for name in ("camvid", "voc.tar.part", "voc.tar.lock"):
        (tmp_path / "new" / name).touch()
    found = machine.check_cache()
    assert marks(found) == "✓✓✓" and found[-1].text == "downloaded data: camvid"


def test_little_memory_or_disk_is_said_but_not_fatal(tmp_path):
    assert machine.check_memory(16.0).mark == machine.check_disk(tmp_path, 50.0).mark == "✓"
    scarce = [machine.check_memory(1.9), machine.check_disk(tmp_path, 0.3)]
    assert marks(scarce) == "––" and "1.9 GB" in scarce[0].text and "0.3 GB" in scarce[1].text


def test_python_versions():
    assert machine.check_python("3.10.0").mark == "✓"
    assert machine.check_python("3.15.0rc1").mark == "✓"
    old = machine.check_python("3.9.18")
    assert old.is_fatal and ">=3.10" in old.text


def test_a_course_that_was_never_installed(monkeypatch):
    def missing(name: str):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(machine, "metadata", missing)
    monkeypatch.setattr(packages, "requires", missing)
    assert machine.check_python().is_fatal and "make lab" in machine.check_python().fix
    assert packages.check_packages() == []


@pytest.fixture
def installed(monkeypatch):
    """Pretend that these versions are installed (None: that the package is not), the others as they are."""
    real = packages.version

    def pretend(**versions: str | None) -> None:
        def version(name: str) -> str:
            found = versions.get(name.replace("-", "_"), real(name) if name.replace("-", "_") not in versions else None)
            if found is None:
                raise PackageNotFoundError(name)
            return found

        monkeypatch.setattr(packages, "version", version)
        monkeypatch.setattr(notebooks, "version", version)

    return pretend


def test_missing_and_old_packages_are_fatal_with_a_command_that_mends_them(installed):
    installed(anywidget="0.8.0", scikit_image=None, torch="2.1.0+cu121")
    found = packages.check_packages()
    fatal = {each.text: each.fix for each in found if each.is_fatal}
    assert len(fatal) == 3 and not any(each.mark == "✓" for each in found)
    assert any("anywidget 0.8.0 is installed, but >=" in text for text in fatal)
    assert "scikit-image is not installed" in fatal
    for fix in fatal.values():
        command, requirement = fix.rsplit(" ", 1)
        assert command == f"{sys.executable} -m pip install --upgrade"
        assert Requirement(requirement.strip('"')).specifier


def test_packages_for_tests_and_grading_are_optional(installed):
    installed(nbgrader=None, hypothesis=None)
    good, tests, grading = packages.check_packages()
    assert good.mark == "✓" and tests.mark == grading.mark == "–"
    assert tests.text.endswith(": hypothesis") and grading.text.endswith(": nbgrader")


def test_a_package_of_the_course_is_not_blamed_on_an_extra(installed):
    installed(torch=None)
    assert [each.text for each in packages.check_packages()] == ["torch is not installed"]


def test_a_local_build_and_a_release_candidate_fit(installed):
    installed(torch="2.99.0+cu132", numpy="3.0.0rc1")
    assert packages.misfit(Requirement("torch>=2.4")) == packages.misfit(Requirement("numpy>=2")) == ""
    assert "3.0.0rc1" in packages.misfit(Requirement("numpy>=3"))  # a candidate is before the release


def test_jupyterlab_is_needed_except_on_colab(installed, monkeypatch):
    installed(jupyterlab=None)
    (found,) = notebooks.check_notebooks()
    assert found.is_fatal and "segmentation-course[lab]" in found.fix
    assert any("jupyterlab" in each.text for each in packages.check_packages() if each.is_fatal)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    assert marks(notebooks.check_notebooks()) == "✓"
    assert not any(each.is_fatal for each in packages.check_packages())


def test_widgets_that_do_not_fit_one_another(installed):
    assert marks(notebooks.check_widgets()) == "✓"
    installed(jupyterlab_widgets="1.1.0")  # of JupyterLab 3, beside ipywidgets 8
    (found,) = notebooks.check_widgets()
    assert found.is_fatal and "1.1.0" in found.text and "jupyterlab" in found.fix


def test_extensions_of_jupyterlab(tmp_path):
    for name in notebooks.EXTENSIONS:
        assert notebooks.check_extensions(tmp_path).is_fatal
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "package.json").touch()
    assert notebooks.check_extensions(tmp_path).mark == "✓"


@pytest.mark.parametrize(
    ("program", "mark"), [("python", "✓"), (sys.executable, "✓"), ("/opt/other/bin/python", "✗")]
)
def test_a_kernel_of_another_python_is_found(monkeypatch, tmp_path, program, mark):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    found = notebooks.check_kernel()
    assert found.mark == mark
    if found.is_fatal:
        assert found.fix == f"delete the folder {kernel}"


def test_devices():
    cuda = {"device": "cuda", "name": "H200", "memory": 139.4}
    assert learning.describe_device(cuda, True).text == "device cuda: H200, 139 GB"
    assert learning.describe_device({"device": "mps", "name": "Apple GPU"}, False).text == "device mps: Apple GPU"
    cpu = {"device": "cpu", "name": "CPU", "threads": 8}
    assert learning.describe_device(cpu, False).mark == "✓"
    unused = learning.describe_device(cpu, has_nvidia_driver=True)
    assert unused.mark == "–" and "driver" in unused.fix


def test_cached_weights_are_listed(monkeypatch, tmp_path):
    weights = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    weights.touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    own, others = learning.check_course()
    assert own.mark == others.mark == "✓"
    assert others.text == f"ImageNet weights in {weights.parent}: resnet18"


def test_weights_that_do_not_load_are_fatal(monkeypatch):
    def broken(name: str) -> dict:
        raise probe.ProbeFailure("FileNotFoundError: no such file")

    monkeypatch.setattr(learning, "probe", broken)
    (found,) = learning.check_course()
    assert found.is_fatal and "no such file" in found.text


@pytest.mark.parametrize(
    ("extra", "status", "verdict"),
    [
        (findings.fine("good"), 0, "The course can run here."),
        (findings.optional("bearable", "or mend it"), 0, "The course can run here."),
        (findings.broken("bad", "mend it"), 1, "The course can't run yet: 1 thing to mend, marked ✗."),
    ],
)
def test_the_exit_status_follows_from_the_marks(monkeypatch, extra, status, verdict):
    monkeypatch.setattr(doctor, "examine", lambda: {"One": GOOD, "Two": [*GOOD, extra]})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == status
    assert result.output.rstrip().endswith(verdict)
    assert f"  {extra.mark} {extra.text}\n" in result.output
    assert (f"    → {extra.fix}\n" in result.output) == bool(extra.fix)


def test_an_unknown_command_is_told():
    result = CliRunner().invoke(app, ["nonsense"])
    assert result.exit_code == 2 and "No such command 'nonsense'" in result.output


def test_the_report_reaches_a_pipe_that_knows_no_check_marks():
    result = doctor_in({"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0 and "✓" in result.stdout
