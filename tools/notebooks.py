"""Build the notebooks from their text sources: `make notebooks`, or `python -m tools.notebooks [NAME …]`.

Notebooks whose cells differ from their source are rebuilt and executed, with the network blocked. A notebook that fails
is reported and left as it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat

from tools.notebook_paths import ROOT, notebook_of, notebooks, short_name, source_of, sources
from tools.notebook_run import NotebookFailure, execute
from tools.notebook_structure import problems_of
from tools.notebook_text import cells_of, code_cells, read_source, to_text


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="build these only, changed or not: 01_fc_to_conv")
    parser.add_argument("--all", action="store_true", help="build every notebook, changed or not")
    parser.add_argument("--check", action="store_true", help="build nothing; exit 1 if a notebook is out of step")
    parser.add_argument("--to-text", metavar="NOTEBOOK", type=Path, help="write a notebook's text source from it")
    options = parser.parse_args(arguments)
    if options.to_text:
        return write_text(options.to_text.resolve(), root)
    if options.check:
        return report(out_of_step(root))
    if options.names or options.all:
        named = [source for name in options.names for source in _find(name, root, parser)]
        chosen = sources(root) if options.all else named
    else:
        chosen = [source for source in sources(root) if step_problem(source, root)]
    orphans = [problem for problem in out_of_step(root) if "no text source" in problem]
    return max(report(orphans), build_all(chosen, root))


def report(problems: list[str]) -> int:
    """Print one problem a line; return the exit status that they make."""
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def out_of_step(root: Path = ROOT) -> list[str]:
    """Return what is wrong between the text sources and the notebooks; nothing if each notebook matches its source."""
    problems = [problem for source in sources(root) if (problem := step_problem(source, root))]
    for notebook in notebooks(root):
        if not source_of(notebook, root).exists():
            problems.append(
                f"{notebook.relative_to(root)}: no text source {source_of(notebook, root).relative_to(root)}; "
                "delete the notebook, or write its source with --to-text."
            )
    return problems


def step_problem(source: Path, root: Path = ROOT) -> str | None:
    """Say how the notebook built from `source` differs from it, or None if it doesn't."""
    path = notebook_of(source, root)
    name = path.relative_to(root)
    if not path.exists():
        return f"{name}: not built yet; run `make notebooks`."
    notebook = nbformat.read(path, as_version=4)
    expected, found = cells_of(read_source(source)), cells_of(notebook)
    if expected != found:
        pairs = zip(expected, found, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(found)))
        return f"{name}: cell {same + 1} differs from {source.relative_to(root)}; run `make notebooks`."
    if any(cell.execution_count is None for cell in code_cells(notebook)):
        return f"{name}: not executed; run `make notebooks`."
    return None


def build_all(chosen: list[Path], root: Path = ROOT) -> int:
    """Build the notebooks of these sources, print how each went; return the exit status."""
    status = 0
    for source in chosen:
        path = notebook_of(source, root)
        print(f"{path.relative_to(root)} …", end=" ", flush=True)
        start = time.perf_counter()
        try:
            build(source, path)
        except NotebookFailure as failure:
            print(f"FAILED\n{source.relative_to(root)}, {failure}\n")
            status = 1
            continue
        print(f"executed in {time.perf_counter() - start:.1f} s")
        status = max(status, report([f"  {problem}" for problem in problems_of(path, root)]))
    if not chosen:
        print("Every notebook is up to date (--all builds them anyway).")
    return status


def build(source: Path, path: Path) -> None:
    """Execute the notebook that `source` describes and write it to `path`, all or nothing."""
    notebook = read_source(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    execute(notebook, path.parent)
    nbformat.validate(notebook)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def write_text(notebook: Path, root: Path = ROOT) -> int:
    """Write the text source of a notebook that was edited in JupyterLab; its outputs are left out."""
    source = source_of(notebook, root)
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(to_text(nbformat.read(notebook, as_version=4)), encoding="utf-8")
    print(f"{source.relative_to(root)} written from {notebook.relative_to(root)}")
    return 0


def _find(name: str, root: Path, parser: argparse.ArgumentParser) -> list[Path]:
    """Return the sources that `name` stands for: the path of a source or a notebook, or a name without a suffix."""
    known = {short_name(notebook_of(path, root), root): path for path in sources(root)}
    found = [
        path
        for short, path in known.items()
        if name in (short, path.stem) or Path(name).resolve() in (path, notebook_of(path, root))
    ]
    if not found:
        parser.error(f"there is no notebook {name!r}; there are: {', '.join(known)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
