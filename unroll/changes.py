"""The command `report --against`: what changed since a commit, as Markdown."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json
from unroll.repro import LOCK
from unroll.workspaces.checkout import dvc, git

ANSWERS = "results/answers.json"
"""The file of the verdicts, which are DVC metrics that end in `outcome`."""

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
            f"git knows no commit {ref} in {root}; name another one, or in a shallow "
            "clone run `git fetch --unshallow`"
        ) from None
    read_json(root / ANSWERS)  # DVC would compare nothing if the file is damaged
    metrics = dvc(root, "metrics", "diff", ref, "--md", "--precision", "9").splitlines()
    changed = _changed_verdicts(metrics[2:])
    print(f"## {len(changed)} verdict{'' if len(changed) == 1 else 's'} changed")
    head = ["| verdict | before | now |", "| --- | --- | --- |"]
    _print_table("Verdicts", [*head, *changed])
    _print_table("Metrics", [row for row in metrics if ANSWERS not in row])
    _print_table("Options", dvc(root, "params", "diff", ref, "--md").splitlines())
    locked = plain_yaml.read(root / LOCK)["stages"]
    stale = _out_of_date(root)
    built = [stage for stage in stale if stage in locked]
    if built:
        print(f"\nOut of date, since their dependencies changed: {', '.join(built)}.")
    if len(built) < len(stale):
        print(f"\nStages that are not in {LOCK} yet: {len(stale) - len(built)}.")
    return not changed


def _changed_verdicts(rows: Sequence[str]) -> list[str]:
    """Return a row for each verdict at the commit that is another one now.

    Args:
        rows: the rows of `dvc metrics diff`: path, metric, before, now, change.
    """
    changed = []
    for row in rows:
        if ANSWERS not in row:
            continue
        metric, before, now = [cell.strip() for cell in row.split("|")[2:5]]
        if metric.endswith(".outcome") and before != "-":
            question = metric.removesuffix(".outcome").replace(".", " ")
            changed.append(f"| {question} | {before} | {now} |")
    return changed


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


def _out_of_date(root: Path) -> list[str]:
    """Return the stages whose code, options or inputs have changed since they were
    built.

    Files that are only missing, as in a clone, do not count.
    """
    status = json.loads(dvc(root, "status", "--json"))
    return sorted(
        stage
        for stage, changes in status.items()
        if re.search('"(modified|new)"', json.dumps(changes))
    )
