"""The check of every program of a folder, several at a time."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.errors import UsageError, printable
from pipeline.files import read_json, remove, write_json, write_table
from pipeline.processes import Children, Server
from unroll.lab.assignment import check
from unroll.series.text_tables import cell

PROGRAMS = {".py", ".ipynb"}
"""The suffixes of files that are marked. A notebook's mark says what to do with it."""

GRACE = 5.0
"""Seconds that a stopped check has to end the program that it runs."""


class Mark(NamedTuple):
    """The verdict on a program.

    Attributes:
        program: its path in the folder.
        verdict: right, wrong or cannot tell.
        why: what is wrong, or why the check cannot tell; the rates of a right program.
    """

    program: str
    verdict: str
    why: str


def programs(folder: Path) -> list[Path]:
    """Return the programs of a folder and its folders, without hidden ones.

    Raises:
        UsageError: there are none.
    """
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix.lower() in PROGRAMS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise UsageError(
            f"{folder} has no program; `check` marks the files there that end in .py"
        )
    return found


def mark(
    folder: Path, table: Path, jobs: int, marked: Callable[[Mark], None]
) -> Sequence[Mark]:
    """Check the programs of a folder; return their marks in the order of their paths.

    Args:
        folder: the folder.
        table: the CSV file of the marks, which is written after each program.
        jobs: the number of programs that run at once.
        marked: called with each mark.

    Raises:
        UsageError: the folder has no program.
    """
    scripts = programs(folder)
    remove(table)  # of an earlier check
    marks: dict[str, Mark] = {}
    found: dict[str, Path] = {}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        Server([__name__]) as server,
        Children(server=server, jobs=jobs, grace=GRACE) as work,
    ):
        for number, script in enumerate(scripts):
            # A name from another system may be no UTF-8, which the table must be.
            name = cell(str(script.relative_to(folder)))
            found[name] = Path(scratch) / f"{number}.json"
            log = Path(scratch) / f"{number}.log"
            work.submit(name, log, _check, script, found[name])
        for ended in work.ended():
            name = ended.key
            sentence = printable(f"Cannot tell: {ended.error}.")
            if not ended.error:
                sentence = read_json(found[name])
            verdict, _, why = sentence.partition(": ")
            marks[name] = Mark(name, verdict.lower(), why)
            marked(marks[name])
            write_table(table, pd.DataFrame([marks[name] for name in sorted(marks)]))
    return [marks[name] for name in found]


def _check(script: Path, result: Path) -> None:
    """Check a program, and write the sentence on it into a file."""
    write_json(result, check(script)[1])
