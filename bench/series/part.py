"""The part `series` of bench/results.json."""

from typing import Any

from bench import results
from bench.series import compare, public, speed
from bench.series.public import Say
from pipeline.errors import UnrollError

DIGITS = 4
"""Significant digits of what is kept."""


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """Measure speed and, if not `quick`, the public files.

    Returns:
        What `speed.measure` gives; `files`, a row for each public file; `summary` of
        them; and `failed`, file -> why it has no row.
    """
    found: dict[str, Any] = speed.measure(quick, say)
    if not quick:
        found |= of_files(say)
    return dict(results.rounded(found, DIGITS))


def of_files(say: Say) -> dict[str, Any]:
    """Measure the public files, one after the other; a failure of one is written down."""
    rows = {}
    failed = {}
    for name, file in public.FILES.items():
        try:
            rows[name] = compare.measure(file, say)
        except UnrollError as error:
            failed[name] = str(error)
            say(f"{name}: {error}")
    return {"files": rows, "summary": compare.summary(rows), "failed": failed}
