"""Check how a built notebook is made: `python -m tools.notebook_structure [NOTEBOOK …]` (all, if none is named).

The rules stand in notebook_rules_text, notebook_rules_code and notebook_rules_outputs, one function each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import notebook_rules_code as code
from tools import notebook_rules_outputs as outputs
from tools import notebook_rules_text as text
from tools.notebook_document import Document, load
from tools.notebook_paths import ROOT, notebooks

Rule = Callable[[Document], Iterator[str]]

COMMON_RULES: tuple[Rule, ...] = (
    text.headings,
    text.markdown_images,
    text.badge,
    code.colab_cell,
    code.cell_length,
    code.no_empty_cell,
    code.seed_once,
    code.no_bare_show,
    code.no_skipping,
    outputs.executed,
    outputs.size,
    outputs.no_widget_state,
    outputs.output_alt_text,
    outputs.no_absolute_paths,
    outputs.no_addresses,
    outputs.no_warnings,
    outputs.marked_outputs,
)
LESSON_RULES: tuple[Rule, ...] = (
    text.text_share,
    code.median_length,
    code.check_share,
)


def rules_for(document: Document) -> tuple[Rule, ...]:
    """Return the rules that hold for this kind of notebook."""
    return COMMON_RULES if document.exercise else COMMON_RULES + LESSON_RULES


def problems_of(path: Path, root: Path = ROOT) -> list[str]:
    """Return every fault of the notebook at `path`, one line each, with the name of the rule it breaks."""
    document = load(path, root)
    return [f"{rule.__name__}: {problem}" for rule in rules_for(document) for problem in rule(document)]


def main(names: list[str]) -> int:
    """Print the faults of the named notebooks; return the exit status."""
    status = 0
    for path in [Path(name).resolve() for name in names] or notebooks():
        problems = problems_of(path)
        print(f"{path.relative_to(ROOT)}: {len(problems) or 'no'} fault{'s' * (len(problems) != 1)}")
        for problem in problems:
            print(f"  {problem}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
