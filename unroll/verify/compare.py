"""Compares two builds: for each output, whether bytes are the same, or else metrics within tolerance."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.config import plain_yaml
from pipeline.files import read_checked, read_json
from pipeline.validation import Numbers
from pipeline.workspace import Workspace
from unroll.runner.scheduler import Graph

SAME = "same bytes"
WITHIN = "within tolerance"
DIFFERS = "differs"
NOT_BUILT = "not built"
NOT_COMPARED = "not compared"

MAX_NAMES = 4
"""A line lists at most so many names, then how many more there are."""

Needs = Mapping[str, Sequence[str]]
"""Stage -> the stages whose outputs it reads, in the order of a build."""

Tolerances = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Data set -> experiment -> metric in results/metrics/DATASET/EXPERIMENT.json -> the absolute tolerance."""


@dataclass(frozen=True)
class Build:
    """The results of a build.

    Attributes:
        workspace: the folder of its dvc.lock and results/metrics/.
        cache: DVC's cache of files by md5, which may lack some.
    """

    workspace: Workspace
    cache: Path

    @cached_property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage -> its entry in dvc.lock; empty without this file. Raises UsageError if it is damaged."""
        file = self.workspace.root / "dvc.lock"
        stages: dict[str, dict[str, Any]] = plain_yaml.read(file)["stages"] if file.exists() else {}
        return stages

    def outputs(self, stage: str) -> dict[str, str]:
        """Path -> md5 of each output of a stage."""
        return {out["path"]: out["md5"] for out in self.stages[stage].get("outs", ())}

    def files(self, md5: str) -> dict[str, str] | None:
        """Path -> md5 of each file in a folder; {} for a file, None if the cache lacks the listing of the folder."""
        listing = self.cache / md5[:2] / md5[2:]
        if not md5.endswith(".dir"):
            return {}
        return {file["relpath"]: file["md5"] for file in read_json(listing)} if listing.exists() else None


@dataclass(frozen=True)
class Deviation:
    """A metric whose value differs between two builds; None where a build lacks it, or no tolerance was measured."""

    dataset: str
    experiment: str
    metric: str
    committed: float | None
    rebuilt: float | None
    tolerance: float | None

    @property
    def within(self) -> bool:
        """Whether both values are there and within tolerance of each other; without a tolerance they are not."""
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
        stage: the stage that writes it.
        path: in the workspace; "" if the whole stage is not compared.
        level: SAME, WITHIN, DIFFERS, NOT_BUILT or NOT_COMPARED.
        files: if it is a folder, the files whose bytes differ; None if the cache cannot tell.
        inputs: dependencies of the stage that changed and are no other stage's output.
        deviations: the metrics that depend on the stage and differ.
        reason: why it is not built or not compared, or why metrics cannot decide; else "".
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
        deviations = [str(deviation) for deviation in sorted(self.deviations, key=lambda metric: metric.within)]
        details = [self.reason or ("" if deviations else "every metric is equal"), first_names(deviations)]
        if self.files is None:
            details.append("in which files is not known, since DVC's cache does not have the committed ones")
        elif self.files:
            details.append(f"in {first_names(self.files)}")
        return f"{self.stage}  {self.path}  {self.level}: {'; '.join(filter(None, details))}"


@dataclass(frozen=True)
class Verification:
    """The outputs of all stages, compared, and the folder that the rebuild is kept in; None if it was removed."""

    outputs: Sequence[Output]
    kept: Path | None

    @property
    def holds(self) -> bool:
        """Whether all outputs that were compared hold."""
        return all(output.holds for output in self.outputs)

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        outputs = []
        for output in self.outputs:
            deviations = [asdict(metric) | {"within": metric.within} for metric in output.deviations]
            outputs.append(asdict(output) | {"deviations": deviations})
        counts = Counter(output.level for output in self.outputs)
        return {"holds": self.holds, "counts": counts, "kept": self.kept and str(self.kept), "outputs": outputs}

    def lines(self) -> Iterator[str]:
        """A line for each output that does not have the same bytes, and a summary."""
        compared = [output for output in self.outputs if output.level != NOT_COMPARED]
        yield from (str(output) for output in compared if output.level != SAME)
        inputs = list(dict.fromkeys(name for output in compared for name in output.inputs))
        if inputs:
            changed = f"since dvc.lock was committed, these have changed: {first_names(inputs)}"
            yield f"{changed}; `unroll repro`, then commit dvc.lock"
        if stages := [output.stage for output in self.outputs if output.level == NOT_COMPARED]:
            yield f"not compared, since the committed dvc.lock does not have them: {first_names(stages)}"
        failing, same = sum(not output.holds for output in compared), sum(output.level == SAME for output in compared)
        if failing:
            yield f"{failing} of {len(compared)} outputs do not hold."
        elif same == len(compared):
            yield f"All {same} outputs have the same bytes."
        else:
            yield f"All {len(compared)} outputs hold: {same} have the same bytes, the others are within tolerance."
        if self.kept:
            yield f"What was built: {self.kept}"


def first_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def numbers(metrics: Path) -> Iterator[tuple[tuple[str, str], float]]:
    """(Experiment, metric) and value of each number in results/metrics/DATASET."""
    for file in sorted(metrics.glob("*.json")):
        for name, value in read_checked(file, Numbers).root.items():
            if value is not None:
                yield (file.stem, name), value


def compare(
    committed: Build, rebuilt: Build, needs: Needs, failures: Mapping[str, str], allowed: Tolerances | None
) -> list[Output]:
    """Compare every output of the stages of `needs`, in that order.

    If an output's bytes differ, it is within tolerance if every metric that depends on its stage is: for a training
    those of its experiment, for the page all that it shows, for any other stage those of all data sets made from it.
    A metric without a tolerance must be equal. `failures` says why a stage could not be built; if `allowed` is None,
    only the same bytes hold.

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
            failed = [other for other in _with_ancestors(stage, needs) if other in failures]
            reason = f"{failed[0]} failed: {failures[failed[0]]}" if failed else "the build ended before it"
            reason = failures.get(stage, reason)
            outputs += [Output(stage, path, NOT_BUILT, reason=reason) for path in committed.outputs(stage)]
    return outputs


def _compare_stage(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances | None
) -> Iterator[Output]:
    old, new = committed.outputs(stage), rebuilt.outputs(stage)
    for path in {**old, **new}:
        if old.get(path) == new.get(path):
            old_path, new_path = committed.workspace.root / path, rebuilt.workspace.root / path
            # Results that are kept in git, not in the cache, can be edited without dvc.lock.
            edited = old_path.exists() and _contents(old_path) != _contents(new_path)
            reason = "its files are not those that dvc.lock names" if edited else ""
            yield Output(stage, path, DIFFERS if edited else SAME, reason=reason)
            continue
        inputs = _changed_inputs(committed, rebuilt, stage)
        if path not in old or path not in new:
            yield Output(stage, path, DIFFERS, inputs=inputs, reason="only one of the builds has it")
            continue
        deviations, reason = _deviations(stage, committed, rebuilt, needs, allowed or {})
        within = allowed is not None and not reason and all(deviation.within for deviation in deviations)
        before, after = committed.files(old[path]), rebuilt.files(new[path])
        files = (
            None if before is None or after is None else sorted({name for name, _ in before.items() ^ after.items()})
        )
        yield Output(stage, path, WITHIN if within else DIFFERS, files, inputs, deviations, reason)


def _contents(path: Path) -> dict[str, bytes]:
    """Relative path -> bytes of each file in a folder, or of the file that `path` is."""
    return {str(file.relative_to(path)): file.read_bytes() for file in [path, *path.rglob("*")] if file.is_file()}


def _changed_inputs(committed: Build, rebuilt: Build, stage: str) -> list[str]:
    """Dependencies of a stage that differ between the builds and hold no stage's output."""
    outputs = [path for other in rebuilt.stages for path in rebuilt.outputs(other)]
    deps = (build.stages[stage].get("deps", ()) for build in (committed, rebuilt))
    old, new = ({dep["path"]: dep.get("md5") for dep in entries} for entries in deps)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [name for name in changed if not any(f"{path}/".startswith(f"{name}/") for path in outputs)]


def _deviations(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances
) -> tuple[list[Deviation], str]:
    """The metrics that depend on a stage and differ, and why they cannot decide; "" if they can."""
    after, before = Graph(dict(needs), frozenset({stage})).due(), _with_ancestors(stage, needs)
    evaluations = [other for other in after if other.startswith("evaluate@")]
    # No evaluation comes after the page, which shows those before it.
    evaluations = evaluations or [other for other in before if other.startswith("evaluate@")]
    evaluations = [other for other in evaluations if other in committed.stages]
    deviations: list[Deviation] = []
    for evaluation in evaluations:
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
    return of_stage, "" if evaluations else "no metric depends on it"


def _with_ancestors(stage: str, needs: Needs) -> list[str]:
    """A stage and all that it needs, directly or not, in the order of a build."""
    return [*Graph(dict(needs), frozenset()).within([stage]).needs]
