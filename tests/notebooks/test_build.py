"""`make notebooks`: what is built, when, and what happens to a notebook that fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.samples import PIXEL
from tools.notebook_document import image_texts
from tools.notebook_paths import is_exercise, notebook_of, notebooks, short_name, source_of, sources
from tools.notebook_text import cells_of, read_source, to_text
from tools.notebooks import main

SOURCE = """\
# %% [markdown]
# # Sample

# %% tags=["nbval-check-output", "claim:adds"]
import os
from pathlib import Path

print("folder", Path.cwd().name, flush=True)
print("in two messages")

# %% [markdown]
# Once more.

# %% nbgrader={"grade": true, "grade_id": "a", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# %matplotlib inline
assert os.environ["TQDM_DISABLE"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one lesson's text source."""
    write(tmp_path, "01_one", SOURCE)
    return tmp_path


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose lesson is built; not to be changed."""
    folder = tmp_path_factory.mktemp("built")
    write(folder, "01_one", SOURCE)
    main([], folder)
    return folder


@pytest.fixture
def built_root(built_once: Path, tmp_path: Path) -> Path:
    """A checkout of one's own whose lesson is built."""
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def write(root: Path, name: str, source: str) -> Path:
    path = root / "notebooks" / "text" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def built(root: Path, name: str = "01_one") -> nbformat.NotebookNode:
    return nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)


def test_paths_go_both_ways(tmp_path: Path) -> None:
    lesson = write(tmp_path, "02_two", "")
    exercise = write(tmp_path, "exercises/02_two", "")
    assert notebook_of(lesson, tmp_path) == tmp_path / "notebooks/02_two.ipynb"
    assert notebook_of(exercise, tmp_path) == tmp_path / "notebooks/exercises/02_two/02_two.ipynb"
    assert [source_of(notebook_of(path, tmp_path), tmp_path) for path in (lesson, exercise)] == [lesson, exercise]
    assert [is_exercise(notebook_of(path, tmp_path), tmp_path) for path in (lesson, exercise)] == [False, True]
    assert sources(tmp_path) == [lesson, exercise]


def test_checkpoints_are_no_notebooks(tmp_path: Path) -> None:
    copy = tmp_path / "notebooks" / ".ipynb_checkpoints" / "01_one-checkpoint.ipynb"
    copy.parent.mkdir(parents=True)
    copy.write_text("{}")
    assert notebooks(tmp_path) == []


def test_a_notebook_is_built_once_and_again_when_its_source_changes(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"], root) == 1
    main([], root)
    assert "executed in" in capsys.readouterr().out
    assert main(["--check"], root) == 0
    path = root / "notebooks/01_one.ipynb"
    before = path.stat().st_mtime_ns
    assert main([], root) == 0
    assert path.stat().st_mtime_ns == before
    write(root, "01_one", SOURCE.replace("Once more", "Twice"))
    assert main(["--check"], root) == 1
    assert "cell 3 differs" in capsys.readouterr().out
    main([], root)
    assert main(["--check"], root) == 0


def test_the_built_notebook_holds_outputs_and_nothing_volatile(built_root: Path) -> None:
    notebook = built(built_root)
    assert cells_of(notebook) == cells_of(read_source(built_root / "notebooks/text/01_one.py"))
    (output,) = notebook.cells[1].outputs
    assert output.text == "folder notebooks\nin two messages\n"  # the folder is where JupyterLab would run it
    assert notebook.cells[1].metadata == {"tags": ["nbval-check-output", "claim:adds"]}
    assert notebook.cells[3].metadata.nbgrader.points == 2
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}


def test_two_builds_give_the_same_bytes(root: Path) -> None:
    path = root / "notebooks/01_one.ipynb"
    main(["--all"], root)
    first = path.read_bytes()
    main(["--all"], root)
    assert path.read_bytes() == first


def test_an_inserted_cell_leaves_the_other_ids_alone(root: Path) -> None:
    before = [cell.id for cell in read_source(root / "notebooks/text/01_one.py").cells]
    write(root, "01_one", SOURCE.replace("# %% [markdown]\n# Once", "# %%\nprint()\n\n# %% [markdown]\n# Once"))
    after = [cell.id for cell in read_source(root / "notebooks/text/01_one.py").cells]
    assert [cell_id for cell_id in after if cell_id in before] == before
    assert len(set(after)) == len(after) == len(before) + 1


def test_equal_cells_have_ids_of_their_own(root: Path) -> None:
    ids = [cell.id for cell in read_source(write(root, "02_two", "# %%\n1\n\n# %%\n1\n\n# %%\n1\n")).cells]
    assert len(set(ids)) == 3


def test_a_failing_cell_is_reported_and_the_old_notebook_stays(
    built_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = built_root / "notebooks/01_one.ipynb"
    before = path.read_bytes()
    write(built_root, "01_one", SOURCE + "\n# %%\n{}['missing key']\n")
    assert main([], built_root) == 1
    report = capsys.readouterr().out
    assert "notebooks/text/01_one.py, cell 5 failed" in report
    assert "KeyError" in report and "missing key" in report
    assert "\x1b" not in report
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir() if entry.is_file()] == [path.name]


def test_one_failure_does_not_keep_the_others_from_being_built(root: Path) -> None:
    write(root, "00_zero", "# %%\n1 / 0\n")
    assert main([], root) == 1
    assert (root / "notebooks/01_one.ipynb").exists()
    assert not (root / "notebooks/00_zero.ipynb").exists()


def test_a_caught_network_error_fails_the_build(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        root,
        "01_one",
        "# %%\nimport urllib.request\n\ntry:\n    urllib.request.urlopen('http://example.com')\n"
        "except OSError:\n    print('never mind')\n",
    )
    assert main([], root) == 1
    assert "reached for the network:\n  look up example.com" in capsys.readouterr().out
    assert not (root / "notebooks/01_one.ipynb").exists()


def test_a_kernel_that_dies_is_reported(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, "01_one", "# %%\nimport os\n\nos._exit(3)\n")
    assert main([], root) == 1
    assert "the kernel died in cell 1" in capsys.readouterr().out


WIDGET = """\
# %%
import base64

import ipywidgets


class Explorer(ipywidgets.IntSlider):
    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        picture = {picture}
        return bundle | picture | {{"text/plain": "A slider that stands at < 1 & > -1."}}


Explorer()
"""


def test_a_widget_is_saved_as_its_picture_alone(root: Path) -> None:
    write(root, "01_one", WIDGET.format(picture=f'{{"image/png": "{PIXEL}"}}'))
    main([], root)
    notebook = built(root)
    data = notebook.cells[0].outputs[0].data
    assert set(data) == {"image/png", "text/html", "text/plain"}
    assert image_texts(data["text/html"]) == ["A slider that stands at < 1 & > -1."]
    assert data["image/png"].strip() in data["text/html"]
    assert "widgets" not in notebook.metadata


def test_a_widget_without_a_picture_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, "01_one", WIDGET.format(picture="{}"))
    assert main([], root) == 1
    assert "cell 1 shows a widget without a static picture (A slider" in capsys.readouterr().out


def test_names_choose_what_is_built(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, "exercises/01_one", "# %%\nprint(1)\n")
    main(["exercises/01_one"], root)
    assert [path.name for path in notebooks(root)] == ["01_one.ipynb"]
    main([str(root / "notebooks/01_one.ipynb")], root)
    assert len(notebooks(root)) == 2
    with pytest.raises(SystemExit):
        main(["02_two"], root)
    assert "there is no notebook '02_two'; there are: 01_one, exercises/01_one" in capsys.readouterr().err


def test_an_orphan_fails(built_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (built_root / "notebooks/text/01_one.py").rename(built_root / "notebooks/text/02_two.py")
    assert main(["--check"], built_root) == 1
    report = capsys.readouterr().out
    assert "notebooks/01_one.ipynb: no text source notebooks/text/01_one.py" in report
    assert "notebooks/02_two.ipynb: not built yet" in report


@pytest.mark.parametrize(
    "change",
    [
        lambda cells: cells[1].update(source="print('another')"),
        lambda cells: cells[1]["metadata"].update(tags=[]),
        lambda cells: cells[0].update(cell_type="raw"),
        lambda cells: cells.pop(),
        lambda cells: cells.insert(2, cells[0] | {"id": "new"}),
        lambda cells: cells[1].update(execution_count=None),
    ],
    ids=["source", "tag", "type", "one less", "one more", "not executed"],
)
def test_a_notebook_out_of_step_is_seen(built_root: Path, change) -> None:
    path = built_root / "notebooks/01_one.ipynb"
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw["cells"])
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert main(["--check"], built_root) == 1


def test_what_an_editor_adds_is_not_a_difference(built_root: Path) -> None:
    path = built_root / "notebooks/01_one.ipynb"
    notebook = built(built_root)
    notebook.cells[1].metadata.update({"scrolled": True, "editable": True, "execution": {"shell.reply": "now"}})
    nbformat.write(notebook, path)
    assert main(["--check"], built_root) == 0


def test_a_notebook_edited_in_jupyterlab_becomes_text(built_root: Path) -> None:
    path = built_root / "notebooks/01_one.ipynb"
    notebook = built(built_root)
    notebook.cells[2].source = "Changed in JupyterLab."
    notebook.cells[1].metadata["editable"] = True
    nbformat.write(notebook, path)
    main(["--to-text", str(path)], built_root)
    assert (built_root / "notebooks/text/01_one.py").read_text() == SOURCE.replace(
        "Once more.", "Changed in JupyterLab."
    )
    assert main(["--check"], built_root) == 0


@pytest.mark.parametrize("source", sources(), ids=lambda path: short_name(notebook_of(path)))
def test_text_and_cells_go_both_ways(source: Path, tmp_path: Path) -> None:
    notebook = read_source(source)
    assert cells_of(read_source(write(tmp_path, "again", to_text(notebook)))) == cells_of(notebook)
