"""The command `report --against`: what changed since a commit, as Markdown."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json
from pipeline.provenance.git import git
from unroll.builds.repro import dvc

ANSWERS = "results/answers.json"
"""The file of the verdicts: its values called `outcome`."""

HEAD = "| verdict | before | now |\n| --- | --- | --- |"
"""The first lines of the table of verdicts."""

MAX_ROWS = 40
"""The most rows of a table: a comment on a pull request has at most 65,536
characters."""


def report_against(root: Path, ref: str) -> bool:
    """Print what changed between the commit `ref` and the workspace at `root`.

    Returns:
        Whether all verdicts are the same.

    Raises:
        UsageError: git does not know `ref`.
        UnrollError: git or DVC cannot read the workspace, or the file of its verdicts is
            missing or damaged.
    """
    git(root, "rev-parse", "--git-dir")  # outside of a repository git says so
    try:
        # Without --end-of-options, a name that begins with a dash would be an option.
        git(
            root,
            *("rev-parse", "--verify", "--quiet"),
            *("--end-of-options", f"{ref}^{{commit}}"),
        )
    except UnrollError:
        raise UsageError(
            f"git knows no commit {ref} in {root}; name another one, or in a shallow "
            "clone run `git fetch --unshallow`"
        ) from None
    now = _outcomes(read_json(root / ANSWERS))
    changed = [
        f"| {question} | {before} | {now.get(question, '-')} |"
        for question, before in _outcomes_at(root, ref).items()
        if now.get(question) != before
    ]
    print(f"## {len(changed)} verdict{'' if len(changed) == 1 else 's'} changed")
    _print_table("Verdicts", "\n".join([HEAD, *changed]))
    _print_table(
        "Metrics", dvc(root, "metrics", "diff", ref, "--md", "--precision", "9")
    )
    _print_table("Options", dvc(root, "params", "diff", ref, "--md"))
    return not changed


def _outcomes_at(root: Path, ref: str) -> dict[str, str]:
    """Return the outcomes at the commit `ref`; {} if it has none."""
    try:
        return _outcomes(json.loads(git(root, "show", f"{ref}:./{ANSWERS}")))
    except (UnrollError, ValueError):
        return {}


def _outcomes(data: Any, place: tuple[str, ...] = ()) -> dict[str, str]:
    """Return question -> its outcome, for each `outcome` in the data of answers.json.

    A question is the place of its outcome, such as "answers waves tuned".
    """
    outcomes: dict[str, str] = {}
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "outcome":
                outcomes[" ".join(place)] = value
            else:
                outcomes |= _outcomes(value, (*place, key))
    return outcomes


def _print_table(title: str, table: str) -> None:
    """Print the first rows of a table in Markdown, and how many more there are.

    Print nothing if there are no rows.
    """
    first, line, *rows = [*table.splitlines(), "", ""]
    rows = [row for row in rows if row]
    if not rows:
        return
    print(f"\n### {title}\n")
    print("\n".join([first, line, *rows[:MAX_ROWS]]))
    if len(rows) > MAX_ROWS:
        print(f"\nand {len(rows) - MAX_ROWS} more")
