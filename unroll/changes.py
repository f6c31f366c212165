"""The command `report --against`: what changed since a commit, as Markdown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json
from unroll.workspaces.checkout import dvc, git

ANSWERS = "results/answers.json"
"""The file of the verdicts, which are DVC metrics under the key `outcome`."""

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
        check = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        git(root, *check, f"{ref}^{{commit}}")
    except UnrollError:
        raise UsageError(
            f"git knows no commit {ref} in {root}; "
            "a shallow clone has only the last one"
        ) from None
    now = _outcomes(read_json(root / ANSWERS))
    changed = []
    for question, before in _committed_outcomes(root, ref).items():
        after = now.get(question, "gone")
        if after != before:
            changed.append(f"| {question} | {before} | {after} |")
    print(f"## {len(changed)} verdict{'' if len(changed) == 1 else 's'} changed")
    head = ["| verdict | before | now |", "| --- | --- | --- |"]
    _print_table("Verdicts", [*head, *changed])
    metrics = dvc(root, "metrics", "diff", ref, "--md", "--precision", "9").splitlines()
    _print_table("Metrics", [row for row in metrics if ANSWERS not in row])
    _print_table("Options", dvc(root, "params", "diff", ref, "--md").splitlines())
    stale = _out_of_date(root)
    if stale:
        print(f"\nNot built since what they depend on changed: {', '.join(stale)}.")
    return not changed


def _print_table(title: str, lines: Sequence[str]) -> None:
    """Print the first rows of a table in Markdown, and how many more there are.

    Print nothing if there are no rows.
    """
    rows = sorted(line for line in lines[2:] if line)
    if not rows:
        return
    print(f"\n### {title}\n")
    for line in [*lines[:2], *rows[:MAX_ROWS]]:
        print(" ".join(line.split()))  # without DVC's padding
    if len(rows) > MAX_ROWS:
        print(f"\nand {len(rows) - MAX_ROWS} more")


def _committed_outcomes(root: Path, ref: str) -> dict[str, str]:
    """Return question -> verdict at the commit `ref`; empty if it has no verdicts."""
    try:
        text = git(root, "show", f"{ref}:./{ANSWERS}")
    except UnrollError:
        print(f"{ref} has no {ANSWERS}, so no verdict can be compared.\n")
        return {}
    try:
        return _outcomes(json.loads(text))
    except ValueError as error:
        raise UnrollError(f"{ANSWERS} of {ref} is damaged: {error}") from None


def _outcomes(answers: Any) -> dict[str, str]:
    """Return question -> verdict. A question is `waves tuned`, for example."""
    outcomes = {}
    for keys, value in _leaves(answers):
        *question, last = keys
        if last == "outcome":
            outcomes[" ".join(question)] = value
    return outcomes


def _out_of_date(root: Path) -> list[str]:
    """Return the stages whose code, options or inputs have changed since they were
    built.

    Files that are only missing, as in a clone, do not count.
    """
    stages = []
    for stage, changes in json.loads(dvc(root, "status", "--json")).items():
        kinds = {value for change in changes for _, value in _leaves(change)}
        if kinds & {"modified", "new"}:
            stages.append(stage)
    return sorted(stages)


def _leaves(
    data: Any, keys: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys that lead to a value in nested mappings, and the value."""
    if not isinstance(data, Mapping):
        yield keys, data
        return
    for key, value in data.items():
        yield from _leaves(value, (*keys, key))
