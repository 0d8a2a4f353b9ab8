"""Every rule on how a notebook is made finds its fault, and finds none in a right notebook."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.notebooks.samples import BADGE, PATH, PIXEL, TITLE, code, document, printed, right_lesson, shown, text
from tools import notebook_rules_code as code_rules
from tools import notebook_rules_outputs as output_rules
from tools import notebook_rules_text as text_rules
from tools.colab_cell import CELL
from tools.notebook_document import Document, readable
from tools.notebook_rules_code import ends_in_check
from tools.notebook_structure import COMMON_RULES, LESSON_RULES, problems_of, rules_for

LINES = "\n".join(["x = 1"] * 26)
FRAME = "<img src='data:image/png;base64,AAAA' alt='{}'>"

WRONG: list[tuple[Callable, Document, str]] = [
    (text_rules.headings, document(text("No heading")), r"in cells \[\]"),
    (text_rules.headings, document(text("words"), text("# Late")), r"in cells \[2\]"),
    (text_rules.headings, document(text("# One"), text("# Two")), r"in cells \[1, 2\]"),
    (text_rules.headings, document(text("# One\n\nTwo\n===")), r"in cells \[1, 1\]"),
    (text_rules.headings, document(text("# One"), text("## Two"), text("#### Four")), "cell 3: .* level 4 follows"),
    (text_rules.text_share, document(text("# a"), code("1"), code("1")), "1 text cells for 2 code cells"),
    (text_rules.text_share, document(text("# a"), text("b"), code("1")), "2 text cells for 1 code cells"),
    (text_rules.markdown_images, document(text("![](cat.png)")), "cell 1: an image has no"),
    (text_rules.markdown_images, document(text("a"), text('<img src="a.png">')), "cell 2: an image has no"),
    (
        text_rules.markdown_images,
        document(text('<p>a</p> <b><img alt=" " src="a.png"></b>')),
        "cell 1: an image has no",
    ),
    (text_rules.markdown_images, document(text("A cat: <img src='a.png'>")), "cell 1: an image has no"),
    (text_rules.badge, document(text("# Title")), "cell 1 has no Colab badge"),
    (text_rules.badge, document(text(TITLE), path="notebooks/08_other.ipynb"), f"opens .*{PATH}; expected .*08_other"),
    (text_rules.badge, document(text(TITLE.replace("/blob/", "/x/blob/"))), "expected"),
    (text_rules.badge, document(text(TITLE), path="notebooks/exercises/a/a.ipynb", exercise=True), "expected .*a/a"),
    (code_rules.colab_cell, document(text("a"), code("1")), "the first code cell is not"),
    (code_rules.colab_cell, document(code(CELL + "\nprint()")), "the first code cell is not"),
    (code_rules.colab_cell, document(text("a")), "the first code cell is not"),
    (code_rules.cell_length, document(code(LINES)), "cell 1 has 26 lines"),
    (code_rules.median_length, document(*[code("x = 1\n" * 6 + "x")] * 2, code("1")), "median code cell has 7 lines"),
    (code_rules.no_empty_cell, document(text("a"), code("\n")), "cell 2 is empty"),
    (code_rules.check_share, document(code("assert x"), *[code("x")] * 4), "1 of 5 code cells end"),
    (code_rules.check_share, document(code("assert x\nx = 1")), "0 of 1 code cells end"),
    (code_rules.seed_once, document(code("torch.manual_seed(0)"), code("np.random.seed(0)")), r"cells \[1, 2\]"),
    (code_rules.seed_once, document(*[code("x")] * 3, code("seed_everything(1)")), "cell 4 seeds random numbers"),
    (code_rules.no_bare_show, document(code("plt.show()")), r"plt.show\(\) shows a figure without alt"),
    (
        code_rules.no_bare_show,
        document(code("for f in figures:\n    show(f)")),
        r"show\(f\) shows a figure without alt",
    ),
    (code_rules.no_skipping, document(code("x", tags=("nbval-skip",))), "unknown tag 'nbval-skip'"),
    (code_rules.no_skipping, document(code("x", tags=("nbval-check-outputs",))), "unknown tag"),
    (code_rules.no_skipping, document(code("x = 1\n  # NBVAL_SKIP")), "cell 1 steers nbval"),
    (output_rules.executed, document(text("a")), "no cell has an output"),
    (output_rules.executed, document(code("1")), "no cell has an output"),
    (
        output_rules.executed,
        document(code("1/0", nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="", traceback=[]))),
        "cell 1 holds an error: ZeroDivisionError",
    ),
    (output_rules.size, document(text("a"), size=1_000_001), "1,000,001 bytes"),
    (
        output_rules.no_widget_state,
        document(code("1", shown(**{"application_vnd.jupyter.widget-view+json": "{}", "text_plain": "A slider."}))),
        "live widget saved",
    ),
    (output_rules.output_alt_text, document(code("1", shown(text_html="<img src='x'>"))), "cell 1: a picture has no"),
    (output_rules.output_alt_text, document(code("1", shown(text_html=FRAME.format("")))), "cell 1: a picture has no"),
    (output_rules.output_alt_text, document(code("1", shown(text_html=FRAME.format("A cat")))), "a picture has no"),
    (
        output_rules.output_alt_text,
        document(code("1", shown(text_html=FRAME.format("A cat on a mat") + "<img>"))),
        "cell 1: a picture has no",
    ),
    (
        output_rules.output_alt_text,
        document(code("1", shown(image_png=PIXEL, text_plain="<Figure size 640x480 with 1 Axes>"))),
        "cell 1: a picture has <Figure",
    ),
    (output_rules.output_alt_text, document(code("1", shown(image_png=PIXEL))), "a picture has nothing"),
    (
        output_rules.output_alt_text,
        document(code("1", shown(image_jpeg=PIXEL, text_plain="A sentence that no reader shows."))),
        "a picture has A sentence",
    ),
    (
        output_rules.output_alt_text,
        document(code("1", shown(image_png=PIXEL, text_html=FRAME.format("Window(image=b'abc def ghi')")))),
        "a picture has no alternative text",
    ),
    (output_rules.no_absolute_paths, document(text("see `/home/me/data`")), "cell 1 has the absolute path /home/me"),
    (output_rules.no_absolute_paths, document(code("open('/tmp/x')")), "absolute path /tmp/x"),
    (output_rules.no_absolute_paths, document(code("1", printed("saved:\n/root/x.pt"))), "absolute path /root/x.pt"),
    (output_rules.no_absolute_paths, document(code("1", printed("[/work/x]"))), "absolute path /work/x"),
    (output_rules.no_absolute_paths, document(code("1", shown(text_html="<a href='/Users/me/x'>"))), "/Users/me"),
    (output_rules.no_absolute_paths, document(code(r"open('C:\data\x.png')")), r"absolute path C:\\data"),
    (output_rules.no_addresses, document(code("f", printed("<function f at 0x7f12345678>"))), "prints <function f"),
    (output_rules.no_warnings, document(code("1", printed("UserWarning: x", name="stderr"))), "UserWarning: x"),
    (output_rules.marked_outputs, document(code("1", printed("1"))), "no cell is tagged nbval-check-output"),
    (output_rules.marked_outputs, document(code("1", tags=("nbval-check-output",))), "cell 1 is tagged"),
    (
        output_rules.marked_outputs,
        document(code("1", shown(image_png=PIXEL), printed(" \n"), tags=("nbval-check-output",))),
        "cell 1 is tagged",
    ),
]


@pytest.mark.parametrize(
    ("rule", "wrong", "message"), WRONG, ids=[f"{number}-{rule.__name__}" for number, (rule, _, _) in enumerate(WRONG)]
)
def test_a_fault_is_found_once(rule: Callable, wrong: Document, message: str) -> None:
    (problem,) = rule(wrong)
    assert re.search(message, problem), problem


def test_every_rule_is_tried_on_a_fault() -> None:
    assert {rule for rule, _, _ in WRONG} == {*COMMON_RULES, *LESSON_RULES}


@pytest.mark.parametrize("rule", [*COMMON_RULES, *LESSON_RULES], ids=lambda rule: rule.__name__)
def test_a_right_lesson_has_no_fault(rule: Callable) -> None:
    assert list(rule(document(*right_lesson()))) == []


RIGHT: list[tuple[Callable, Document]] = [
    (text_rules.headings, document(text("# a\n\n## b\n\n### c"), text("## d"))),
    (text_rules.badge, document(text("# An exercise"), exercise=True)),
    (code_rules.cell_length, document(code("\n".join(["x = 1"] * 25)))),
    (code_rules.seed_once, document(code("torch.manual_seed(0)"), *[code("g.manual_seed(1)", tags=("reseeds",))] * 5)),
    (code_rules.no_bare_show, document(code("show(fig, alt='A cat on a mat')\nshow_images([a], alt='b')\nshown = 1"))),
    (output_rules.no_warnings, document(code("1", printed("oh", name="stderr"), tags=("expects-warning",)))),
    (
        output_rules.no_absolute_paths,
        document(text("https://example.org/home/x, a/tmp/b, `~/work/x`, 1/work/2, a:\\n")),
    ),
    (output_rules.marked_outputs, document(code("1"), exercise=True)),
    (output_rules.executed, document(code("assert True"), exercise=True)),
]


@pytest.mark.parametrize(("rule", "right"), RIGHT, ids=[rule.__name__ for rule, _ in RIGHT])
def test_what_is_allowed_is_no_fault(rule: Callable, right: Document) -> None:
    assert list(rule(right)) == []


@pytest.mark.parametrize("counts", [[2, 1], [1, 3], [1, None], [1, 1]])
def test_cells_that_ran_out_of_order_are_a_fault(counts: list[int | None]) -> None:
    wrong = document(code("1", printed("1")), code("2"))
    for cell, count in zip(wrong.notebook.cells, counts, strict=True):
        cell.execution_count = count
    assert "expected 1 to 2" in next(output_rules.executed(wrong))


def test_saved_widget_state_is_a_fault() -> None:
    wrong = document(text("a"))
    wrong.notebook.metadata["widgets"] = {}
    assert "widget state" in next(output_rules.no_widget_state(wrong))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("assert x", True),
        ("x = 1\nassert x, 'why'", True),
        ("assert x\nprint('equal')\nprint(x)", True),
        ("check(x)", True),
        ("grader.check_task_1(x)", True),
        ("report = check_shapes(x)", True),
        ("for a in b:\n    x = a\n    assert x", True),
        ("with no_grad():\n    for a in b:\n        check(a)", True),
        ("%matplotlib inline\nassert x", True),
        ("assert x\ny = 1", False),
        ("print(1)", False),
        ("torch.allclose(a, b)", False),
        ("a == b", False),
        ("def test():\n    assert x", False),
        ("recheck(x)", False),
        ("", False),
    ],
)
def test_what_counts_as_ending_in_a_check(source: str, expected: bool) -> None:
    assert ends_in_check(code(source)) is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("A cat on a mat.", True),
        ("Heat map: the score is > 5 on the cat's head.", True),
        ("三个 窗口 滑过", True),
        ("", False),
        (None, False),
        ("A black cat", True),
        ("A cat", False),
        ("12 34 56", False),
        ("<Figure size 640x480 with 1 Axes>", False),
        ("ReceptiveFieldExplorer(layers=['a', 'bc', 'de'])", False),
        ("one two three 0x7f12345678", False),
    ],
)
def test_what_a_reader_can_read(words: str | None, expected: bool) -> None:
    assert readable(words) is expected


def test_the_report_names_the_rule(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks" / "exercises" / "a"
    folder.mkdir(parents=True)
    lesson, exercise = tmp_path / PATH, folder / "a.ipynb"
    for path in (lesson, exercise):
        nbformat.write(document(text(BADGE), code(CELL)).notebook, path)
    assert any(problem.startswith("headings: ") for problem in problems_of(lesson, tmp_path))
    lesson_only = {rule.__name__ for rule in LESSON_RULES}
    broken = {problem.split(":")[0] for problem in problems_of(lesson, tmp_path)}
    assert broken & lesson_only == {"check_share", "median_length"}
    assert not {problem.split(":")[0] for problem in problems_of(exercise, tmp_path)} & lesson_only


def test_a_lesson_must_keep_more_rules_than_an_exercise() -> None:
    assert set(rules_for(document(exercise=True))) < set(rules_for(document()))
