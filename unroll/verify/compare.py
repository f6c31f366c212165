"""Compares two builds, output by output: the same bytes, metrics within tolerance, or different, and in what."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.config import plain_yaml
from pipeline.files import read_json
from pipeline.workspace import Workspace
from unroll.runner.scheduler import Graph

SAME = "same bytes"
WITHIN = "within tolerance"
DIFFERS = "differs"
NOT_BUILT = "not built"
NOT_COMPARED = "not compared"

MOST = 4
"""Names in a line, before it says how many more there are."""

Needs = Mapping[str, Sequence[str]]
"""Stage -> the stages whose outputs it reads, in the order of a build."""

Tolerances = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Data set -> experiment -> metric in results/metrics/DATASET/EXPERIMENT.json -> how far it may lie off."""


@dataclass(frozen=True)
class Build:
    """What a build has left.

    Attributes:
        workspace: holds its dvc.lock and results/metrics/.
        cache: where DVC keeps contents by their md5; it need not have them.
    """

    workspace: Workspace
    cache: Path

    @cached_property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage -> its entry in dvc.lock; none where there is no such file. Raises UsageError if it is damaged."""
        file = self.workspace.root / "dvc.lock"
        stages: dict[str, dict[str, Any]] = plain_yaml.read(file)["stages"] if file.exists() else {}
        return stages

    def outputs(self, stage: str) -> dict[str, str]:
        """Path -> md5 of the outputs of a stage."""
        return {out["path"]: out["md5"] for out in self.stages[stage].get("outs", ())}

    def files(self, md5: str) -> dict[str, str] | None:
        """Path in a folder -> md5; nothing for a file, None where the folder's listing is not in the cache."""
        listing = self.cache / md5[:2] / md5[2:]
        if not md5.endswith(".dir"):
            return {}
        return {file["relpath"]: file["md5"] for file in read_json(listing)} if listing.exists() else None


@dataclass(frozen=True)
class Deviation:
    """A metric that two builds do not give the same value, in its unit; None where a build has none.

    `tolerance` is how far they may lie apart; None where that was not measured.
    """

    dataset: str
    experiment: str
    metric: str
    committed: float | None
    rebuilt: float | None
    tolerance: float | None

    @property
    def within(self) -> bool:
        """Whether it is within tolerance. Without one, only the same value is, which is no deviation."""
        if self.committed is None or self.rebuilt is None or self.tolerance is None:
            return False
        return abs(self.rebuilt - self.committed) <= self.tolerance

    def __str__(self) -> str:
        name = f"{self.experiment} {self.metric}"
        if self.committed is None or self.rebuilt is None:
            return f"{name} only in the {'rebuilt' if self.committed is None else 'committed'} metrics"
        difference = abs(self.rebuilt - self.committed)
        text = f"{name} {self.rebuilt:.8g}, not {self.committed:.8g}: off by {difference:.3g}"
        if self.tolerance is None:
            return f"{text}, no tolerance measured"
        multiple = f"{difference / self.tolerance:.3g} times " if self.tolerance else ""
        return f"{text}, {multiple}its tolerance of {self.tolerance:.3g}"


@dataclass(frozen=True)
class Output:
    """How an output of one build compares with that of another.

    Attributes:
        stage: that makes it.
        path: in the workspace; "" where the whole stage is not compared.
        level: SAME, WITHIN, DIFFERS, NOT_BUILT or NOT_COMPARED.
        files: those in a folder whose bytes differ; None where that is not known.
        inputs: what the stage depends on besides other stages' outputs, and what the builds do not share of it.
        deviations: the metrics that depend on the stage and differ.
        reason: why it is not built or not compared, or why the metrics do not help; else "".
    """

    stage: str
    path: str
    level: str
    files: list[str] | None = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is the same, within tolerance, or not compared."""
        return self.level in {SAME, WITHIN, NOT_COMPARED}

    def __str__(self) -> str:
        details = [self.reason or ("" if self.deviations else "every metric is equal")]
        details.append(
            some([str(deviation) for deviation in sorted(self.deviations, key=lambda metric: metric.within)])
        )
        if self.files is None:
            details.append("in which files is not known, since DVC's cache does not have the committed ones")
        elif self.files:
            details.append(f"in {some(self.files)}")
        return f"{self.stage}  {self.path}  {self.level}: {'; '.join(filter(None, details))}"


@dataclass(frozen=True)
class Verification:
    """What a verification has found: every output of its stages, and where the build is kept; None: it is removed."""

    outputs: Sequence[Output]
    kept: Path | None

    @property
    def holds(self) -> bool:
        """Whether everything that was compared holds, at either level."""
        return all(output.holds for output in self.outputs)

    def as_data(self) -> dict[str, Any]:
        """It as plain data, output by output."""
        outputs = []
        for output in self.outputs:
            deviations = [asdict(metric) | {"within": metric.within} for metric in output.deviations]
            outputs.append(asdict(output) | {"deviations": deviations})
        counts = Counter(output.level for output in self.outputs)
        return {"holds": self.holds, "counts": counts, "kept": self.kept and str(self.kept), "outputs": outputs}

    def lines(self) -> Iterator[str]:
        """A line for each output that does not have the same bytes, and the sum."""
        compared = [output for output in self.outputs if output.level != NOT_COMPARED]
        yield from (str(output) for output in compared if output.level != SAME)
        inputs = list(dict.fromkeys(name for output in compared for name in output.inputs))
        if inputs:
            changed = f"since dvc.lock was committed, these have changed: {some(inputs)}"
            yield f"{changed}; `unroll repro`, then commit dvc.lock"
        if left := [output.stage for output in self.outputs if output.level == NOT_COMPARED]:
            yield f"not compared, since the committed dvc.lock does not have them: {some(left)}"
        failing, same = sum(not output.holds for output in compared), sum(output.level == SAME for output in compared)
        if failing:
            yield f"{failing} of {len(compared)} outputs do not hold."
        elif same == len(compared):
            yield f"All {same} outputs have the same bytes."
        else:
            yield f"All {len(compared)} outputs hold: {same} have the same bytes, the others are within tolerance."
        if self.kept:
            yield f"What was built: {self.kept}"


def some(names: Sequence[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def numbers(metrics: Path) -> Iterator[tuple[tuple[str, str], float]]:
    """Experiment, name and value of each number in a data set's folder of metrics."""
    for file in sorted(metrics.glob("*.json")):
        for name, value in read_json(file).items():
            if value is not None:
                yield (file.stem, name), value


def compare(
    committed: Build, rebuilt: Build, needs: Needs, failures: Mapping[str, str], allowed: Tolerances | None
) -> list[Output]:
    """Compare every output of the stages of `needs`, in that order.

    An output is the same if its bytes are. Else it is within tolerance if every metric that depends on its stage
    is: of a training those of its experiment, of another stage all of the data sets that depend on it, of the page
    all that it shows. A metric without a tolerance must be equal; if `allowed` is None, only the same bytes hold.
    Of a stage that could not be built, `failures` says in one line why.

    Raises:
        UnrollError: a dvc.lock, a file of metrics or a listing in a cache is damaged.
    """
    outputs: list[Output] = []
    for stage in needs:
        if stage not in committed.stages:
            outputs.append(Output(stage, "", NOT_COMPARED, reason="the committed dvc.lock does not have it"))
        elif stage in rebuilt.stages:
            outputs += _compare_stage(stage, committed, rebuilt, needs, allowed)
        else:
            failed = [other for other in needs if other in _needed(stage, needs) and other in failures]
            why = f"{failed[0]} failed: {failures[failed[0]]}" if failed else "the build ended before it"
            why = failures.get(stage, why)
            outputs += [Output(stage, path, NOT_BUILT, reason=why) for path in committed.outputs(stage)]
    return outputs


def _compare_stage(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances | None
) -> Iterator[Output]:
    before, after = committed.outputs(stage), rebuilt.outputs(stage)
    for path in {**before, **after}:
        if before.get(path) == after.get(path):
            old_path, new_path = committed.workspace.root / path, rebuilt.workspace.root / path
            altered = old_path.exists() and _contents(old_path) != _contents(new_path)  # figures in git, edited by hand
            why = "its files are not those that dvc.lock names" if altered else ""
            yield Output(stage, path, DIFFERS if altered else SAME, reason=why)
            continue
        inputs = _inputs(committed, rebuilt, stage)
        if path not in before or path not in after:
            yield Output(stage, path, DIFFERS, inputs=inputs, reason="only one of the builds has it")
            continue
        deviations, reason = _deviations(stage, committed, rebuilt, needs, allowed or {})
        within = allowed is not None and not reason and all(deviation.within for deviation in deviations)
        old, new = committed.files(before[path]), rebuilt.files(after[path])
        files = None if old is None or new is None else sorted({name for name, _ in old.items() ^ new.items()})
        yield Output(stage, path, WITHIN if within else DIFFERS, files, inputs, deviations, reason)


def _contents(path: Path) -> dict[str, bytes]:
    """The files in a folder, or the one that it is."""
    return {str(file.relative_to(path)): file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()}


def _inputs(committed: Build, rebuilt: Build, stage: str) -> list[str]:
    """What a stage depends on, but for other stages' outputs, and what is not the same of it in two builds."""
    outputs = [path for other in rebuilt.stages for path in rebuilt.outputs(other)]
    deps = (build.stages[stage].get("deps", ()) for build in (committed, rebuilt))
    old, new = ({dep["path"]: dep.get("md5") for dep in listed} for listed in deps)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [name for name in changed if not any(f"{path}/".startswith(f"{name}/") for path in outputs)]


def _deviations(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances
) -> tuple[list[Deviation], str]:
    """The metrics that depend on a stage and differ, and why they do not decide; "" if they do."""
    after, before = Graph(dict(needs), frozenset({stage})).due(), _needed(stage, needs)
    scored = [other for other in needs if other.startswith("evaluate@")]
    # None of them depends on the page: it depends on them.
    scored = [other for other in scored if other in after] or [other for other in scored if other in before]
    scored = [other for other in scored if other in committed.stages]
    deviations: list[Deviation] = []
    for evaluation in scored:
        name = evaluation.partition("@")[2]
        if evaluation not in rebuilt.stages:
            return deviations, f"{evaluation} is not built, so there are no metrics to compare"
        if not committed.workspace.metrics(name).exists():
            return deviations, f"results/metrics/{name} is not committed, so there is nothing to compare"
        old, new = (dict(numbers(build.workspace.metrics(name))) for build in (committed, rebuilt))
        deviations += [
            Deviation(name, *key, old.get(key), new.get(key), allowed.get(name, {}).get(key[0], {}).get(key[1]))
            for key in {**old, **new}
            if old.get(key) != new.get(key)
        ]
    verb, _, experiment = stage.partition("@")
    of_stage = [metric for metric in deviations if verb != "train" or metric.experiment == experiment]
    return of_stage, "" if scored else "no metric depends on it"


def _needed(stage: str, needs: Needs) -> set[str]:
    """A stage and all that it needs, directly or not."""
    return {*Graph(dict(needs), frozenset()).within([stage]).needs}
