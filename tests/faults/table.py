"""The rows that fault tests make, and docs/reliability.md, which holds them between marks."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

MADE: pytest.StashKey = pytest.StashKey()
"""Place -> the rows that this run has made."""

HEAD = "| what is wrong | command | exit code | its last line | afterwards |\n| --- | --- | --- | --- | --- |\n"
WRITE = "python -m pytest tests/faults --write-reliability"


@dataclass(frozen=True)
class Row:
    """One fault, and what came of it. `line` is empty where the command says nothing."""

    fault: str
    command: str
    code: int
    line: str
    after: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.fault, f"`{self.command}`"

    def __str__(self) -> str:
        line = f"`` {self.line} ``" if self.line else ""
        cells = (*self.key, str(self.code), line, "; ".join(self.after))
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def writing(config) -> bool:
    return bool(config.getoption("write_reliability", default=False))


def report(config, place: str, row: Row) -> None:
    """Keep the row for the page, or compare it with what the page says."""
    config.stash[MADE].setdefault(place, []).append(row)
    if not writing(config):
        assert str(row) in rows(place), f"docs/reliability.md says something else; `{WRITE}` writes it anew"


def listed(config, place: str) -> list[tuple[str, ...]]:
    """What is wrong and the command, of every row of the page; of a run that writes it, of those that it has made."""
    if writing(config):
        return [row.key for row in config.stash[MADE][place]]
    return [tuple(re.split(r"(?<!\\) \| ", row.removeprefix("| "))[:2]) for row in rows(place)]


def rows(place: str) -> list[str]:
    """The rows of the page's table of a place."""
    return [line for line in _block(place)[2].splitlines() if line.startswith("| ")][2:]


def write(made) -> None:
    """Put the rows of the places that this run has visited into the page."""
    for place, found in made.items():
        before, start, _, end, after = _block(place)
        PAGE.write_text(before + start + HEAD + "".join(f"{row}\n" for row in found) + end + after, encoding="utf-8")


def _block(place: str) -> tuple[str, ...]:
    start, end = f"<!-- table: {place} -->\n", "<!-- end -->\n"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(start)
    table, _, after = rest.partition(end)
    return before, start, table, end, after
