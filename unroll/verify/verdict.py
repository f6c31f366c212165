"""What a verification has found: as lines for people, as plain data for programs."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unroll.verify.compare_builds import NOT_COMPARED, SAME, Deviation, Output

MOST = 4
"""Names in a line, before it says how many more there are."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a verification has found.

    Attributes:
        outputs: every one of the stages that were asked for.
        kept: where what was built is left; None where it is removed.
    """

    outputs: Sequence[Output]
    kept: Path | None

    @property
    def holds(self) -> bool:
        """Whether everything that was compared holds, at either level."""
        return all(output.holds for output in self.outputs)


def as_data(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data, output by output."""
    outputs = []
    for output in verdict.outputs:
        deviations = [dataclasses.asdict(one) | {"within": one.within} for one in output.deviations]
        outputs.append(dataclasses.asdict(output) | {"deviations": deviations})
    counts = Counter(output.level for output in verdict.outputs)
    kept = str(verdict.kept) if verdict.kept else None
    return {"holds": verdict.holds, "counts": counts, "kept": kept, "outputs": outputs}


def lines(verdict: Verdict) -> Iterator[str]:
    """A line for each output that does not have the same bytes, and the sum."""
    compared = [output for output in verdict.outputs if output.level != NOT_COMPARED]
    for output in compared:
        if output.level != SAME:
            yield f"{output.stage}  {output.path}  {output.level}: {'; '.join(_what(output))}"
    inputs = list(dict.fromkeys(name for output in compared for name in output.inputs))
    if inputs:
        yield f"since dvc.lock was committed, these have changed: {some(inputs)}; `unroll repro`, then commit dvc.lock"
    left = [output.stage for output in verdict.outputs if output.level == NOT_COMPARED]
    if left:
        yield f"not compared, since the committed dvc.lock does not have them: {some(left)}"
    failing, same = sum(not output.holds for output in compared), sum(output.level == SAME for output in compared)
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


def _what(output: Output) -> Iterator[str]:
    if output.reason:
        yield output.reason
    elif not output.deviations:
        yield "every metric is equal"
    if output.deviations:
        yield some([_deviation(one) for one in sorted(output.deviations, key=lambda one: one.within)])
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
    multiple = f"{one.difference / one.tolerance:.3g} times " if one.tolerance else ""
    return f"{text}, {multiple}its tolerance of {one.tolerance:.3g}"
