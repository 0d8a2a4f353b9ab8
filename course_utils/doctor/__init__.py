"""`course doctor`: what works on this machine, and how to mend what does not.

Each check is a small function that returns what it found; none raises, whatever it is that is broken.
"""

from __future__ import annotations

from course_utils.doctor.findings import Finding
from course_utils.doctor.learning import check_course, check_torch
from course_utils.doctor.machine import check_cache, check_memory, check_python
from course_utils.doctor.notebooks import check_notebooks
from course_utils.doctor.packages import check_packages


def examine() -> dict[str, list[Finding]]:
    """Run every check and return what was found, by section of the report."""
    return {
        "Python": [check_python(), *check_packages()],
        "torch": check_torch(),
        "Machine": [check_memory(), *check_cache()],
        "Data and weights": check_course(),
        "Notebooks": check_notebooks(),
    }


def report(sections: dict[str, list[Finding]]) -> str:
    """The findings as a page of text that ends in a verdict."""
    lines = [line for title, findings in sections.items() for line in (title, *map(str, findings))]
    fatal = sum(finding.is_fatal for findings in sections.values() for finding in findings)
    if fatal:
        lines.append(f"\nThe course can't run yet: {fatal} thing{'s' * (fatal > 1)} to mend, marked ✗.")
    else:
        lines.append("\nThe course can run here.")
    return "\n".join(lines)
