"""The repository's name stands in one place, and renaming it changes every link and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tools import badges
from tools.colab_cell import CELL
from tools.notebook_paths import ROOT, is_exercise, notebooks
from tools.repository import repository_name


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of every file with links."""
    for path in badges.files(ROOT):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_renaming_reaches_every_file_and_comes_back_byte_for_byte(copy):
    old, before = repository_name(copy), contents(copy)
    changed = badges.rename("some-one/their.course", copy)
    assert repository_name(copy) == "some-one/their.course"
    assert {copy / "pyproject.toml", copy / "README.md", *notebooks(copy)} <= set(changed)
    assert not any(old.encode() in text for text in contents(copy).values())
    assert badges.rename("some-one/their.course", copy) == []
    badges.rename(old, copy)
    assert contents(copy) == before


def test_renaming_keeps_outputs_and_renames_the_first_cell(copy):
    def outputs(notebook: Path) -> list:
        cells = json.loads(notebook.read_text())["cells"]
        return [(cell.get("outputs"), cell.get("execution_count")) for cell in cells]

    before = {notebook: outputs(notebook) for notebook in notebooks(copy)}
    badges.rename("a/b", copy)
    renamed = CELL.replace(repository_name(ROOT), "a/b")
    for notebook in notebooks(copy):
        assert outputs(notebook) == before[notebook]
        cells = nbformat.read(notebook, as_version=4).cells
        assert next(cell for cell in cells if cell.cell_type == "code").source == renamed


def test_only_links_to_this_repository_change(copy):
    name = repository_name(copy)
    page = copy / "README.md"
    text = page.read_text()
    others = f"https://github.com/{name}-notes https://github.com/x/{name} example.org/{name} {name}\n"
    page.write_text(f"{text}{others}git clone https://github.com/{name}.git (https://github.com/{name}) {name}.\n")
    badges.rename("a/b", copy)
    renamed = page.read_text()
    assert others in renamed
    assert f"git clone https://github.com/a/b.git (https://github.com/a/b) {name}.\n" in renamed


@pytest.mark.parametrize("name", ["course", "https://github.com/a/b", "a/b/c", "a b/c", "", "-a/b"])
def test_a_name_that_is_none_changes_nothing(copy, name):
    before = contents(copy)
    with pytest.raises(ValueError, match="expected owner/name"):
        badges.rename(name, copy)
    assert contents(copy) == before


def test_the_table_lists_what_is_there(copy):
    assert badges.table(copy) in (ROOT / "README.md").read_text(), "run make badges"
    extra = copy / "notebooks" / "02_extra.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 02 · Extra\n\nText.")]), extra)
    badges.refresh_table(copy)
    rows = [line for line in (copy / "README.md").read_text().splitlines() if line.startswith("| [")]
    row = next(row for row in rows if row.startswith("| [02 · Extra](notebooks/02_extra.ipynb) | "))
    assert f"/github/{repository_name(copy)}/blob/main/notebooks/02_extra.ipynb)" in row
    lessons = sorted(path.name for path in (copy / "notebooks").glob("*.ipynb"))
    assert [re.search(r"\(notebooks/(.+?)\)", row)[1] for row in rows] == lessons


def test_a_readme_without_a_place_for_the_table_is_told(copy):
    (copy / "README.md").write_text("# A course\n")
    with pytest.raises(ValueError, match="0 places"):
        badges.refresh_table(copy)


def test_every_notebook_opens_itself():
    for notebook in filter(lambda path: not is_exercise(path), notebooks(ROOT)):
        targets = re.findall(r"/github/([\w.-]+/[\w.-]+)/blob/main/(notebooks/[^)\"\\]+)", notebook.read_text())
        assert set(targets) == {(repository_name(ROOT), notebook.relative_to(ROOT).as_posix())}


def test_links_within_the_repository_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text)
    inside = [link or image for link, image in links if not (link or image).startswith("https:")]
    assert len(inside) > 4
    assert [link for link in inside if not (ROOT / link).is_file()] == []


def test_the_commands_of_the_pages_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / page).read_text()))
        assert named and named <= targets
