"""What a verification has found: as a table and lines for people, as plain data for programs."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stages.console import tables
from stages.console.tables import Column
from stages.verify.compare_builds import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME, WITHIN, Needs, Output, datasets
from stages.verify.tolerances import Deviation

LEVELS = (SAME, WITHIN, DIFFERS, NOT_BUILT)
"""The columns of the table."""

MOST = 4
"""Names in a line, before it says how many more there are."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a verification has found.

    Attributes:
        outputs: every one of the stages that were asked for.
        needs: the whole graph.
        kept: where what was built is left; None where it is removed.
        others: files that differ where only the same bytes hold (`unroll verify --quick`).
    """

    outputs: Sequence[Output]
    needs: Needs
    kept: Path | None
    others: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Whether everything that was compared holds, at either level."""
        return not self.others and all(output.holds for output in self.outputs)


def as_data(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data, output by output."""
    outputs = []
    for output in verdict.outputs:
        deviations = [
            dataclasses.asdict(one) | {"difference": one.difference, "multiple": one.multiple, "within": one.within}
            for one in output.deviations
        ]
        outputs.append(dataclasses.asdict(output) | {"deviations": deviations})
    kept = str(verdict.kept) if verdict.kept else None
    counts = Counter(output.level for output in verdict.outputs)
    return {"holds": verdict.holds, "counts": counts, "kept": kept, "others": [*verdict.others], "outputs": outputs}


def show(verdict: Verdict) -> None:
    """Print the verdict: a table, a line for each output that does not have the same bytes, and the sum."""
    compared = [output for output in verdict.outputs if output.level != NOT_COMPARED]
    counts: dict[str, Counter[str]] = {}
    for output in compared:
        counts.setdefault(_group(output.stage, verdict.needs), Counter())[output.level] += 1
    columns = [Column(""), *(Column(level, number=True) for level in LEVELS)]
    tables.show(columns, [[name, *(str(found[level]) for level in LEVELS)] for name, found in counts.items()])
    print("\n".join(lines(verdict)))


def lines(verdict: Verdict) -> Iterator[str]:
    """A line for each output that does not have the same bytes, and the sum."""
    compared = [output for output in verdict.outputs if output.level != NOT_COMPARED]
    for output in compared:
        if output.level != SAME:
            yield f"{output.stage}  {output.path}  {output.level}: {'; '.join(_what(output))}"
    for file in verdict.others:
        yield f"{file}  differs"
    inputs = list(dict.fromkeys(name for output in compared for name in output.inputs))
    if inputs:
        yield f"since dvc.lock was committed, these have changed: {some(inputs)}; `unroll repro`, then commit dvc.lock"
    left = [output.stage for output in verdict.outputs if output.level == NOT_COMPARED]
    if left:
        yield f"not compared, since the committed dvc.lock does not have them: {some(left)}"
    failing = sum(not output.holds for output in compared) + len(verdict.others)
    same = sum(output.level == SAME for output in compared)
    if failing:
        yield f"{failing} of {len(compared)} outputs do not hold."
    elif same == len(compared):
        yield f"All {same} outputs have the same bytes."
    else:
        yield f"All {len(compared)} outputs hold: {same} have the same bytes, the others are within tolerance."
    if verdict.kept:
        yield f"What was built: {verdict.kept}"


def some(names: Sequence[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def _group(stage: str, needs: Needs) -> str:
    """The data set that a stage belongs to; sources serve several, and the page all."""
    if stage.startswith(("source@", "file@")):
        return "sources"
    if stage == "report":
        return "page"
    return next(iter(datasets(stage, needs)), stage)


def _what(output: Output) -> Iterator[str]:
    if output.reason:
        yield output.reason
    if output.level == NOT_BUILT:
        return
    worst = sorted(output.deviations, key=lambda one: (one.within, -(one.multiple or 0.0)))
    if worst:
        yield some([_deviation(one) for one in worst])
    elif not output.reason:
        yield "every metric is equal"
    if output.files is None:
        yield "in which files is not known, since DVC's cache does not have the committed ones"
    elif output.files:
        yield f"in {some(output.files)}"


def _deviation(one: Deviation) -> str:
    name = f"{one.experiment} {one.metric}"
    if one.difference is None:
        return f"{name} only in the {'rebuilt' if one.committed is None else 'committed'} metrics"
    text = f"{name} {one.rebuilt:.8g}, not {one.committed:.8g}: off by {one.difference:.3g}"
    if one.tolerance is None:
        return f"{text}, no tolerance measured"
    multiple = f"{one.multiple:.3g} times its tolerance of " if one.multiple else "its tolerance is "
    return f"{text}, {multiple}{one.tolerance:.3g}"
