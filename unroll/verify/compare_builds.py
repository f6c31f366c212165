"""Compares two builds, output by output: the same bytes, metrics within tolerance, or different, and in what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
        found: dict[str, dict[str, Any]] = plain_yaml.read(file)["stages"] if file.exists() else {}
        return found

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
    """A metric that two builds do not give the same value.

    Attributes:
        committed: the value in the first build, in the metric's unit; None where it has none.
        rebuilt: that in the second.
        tolerance: how far they may lie apart; None where that was not measured.
    """

    dataset: str
    experiment: str
    metric: str
    committed: float | None
    rebuilt: float | None
    tolerance: float | None

    @property
    def difference(self) -> float | None:
        """How far apart, in the metric's unit; None where one of them is missing."""
        return None if self.committed is None or self.rebuilt is None else abs(self.rebuilt - self.committed)

    @property
    def within(self) -> bool:
        """Whether it is within tolerance. Without one, only the same value is, which is no deviation."""
        return self.difference is not None and self.tolerance is not None and self.difference <= self.tolerance


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


def tolerances(path: Path) -> Tolerances:
    """What bench/tolerances.json allows; nothing where there is no such file."""
    found: Tolerances = read_json(path)["tolerances"] if path.exists() else {}
    return found


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
    found: list[Output] = []
    for stage in needs:
        if stage not in committed.stages:
            found.append(Output(stage, "", NOT_COMPARED, reason="the committed dvc.lock does not have it"))
        elif stage not in rebuilt.stages:
            why = _why(stage, needs, failures)
            found += [Output(stage, path, NOT_BUILT, reason=why) for path in committed.outputs(stage)]
        else:
            found += _compare_stage(stage, committed, rebuilt, needs, allowed)
    return found


def datasets(stage: str, needs: Needs) -> list[str]:
    """The data sets whose metrics depend on a stage. If none do (the page), those that the stage depends on."""
    after, before = Graph(dict(needs), frozenset({stage})).due(), _needed(stage, needs)
    scored = [other for other in needs if other.startswith("evaluate@")]
    chosen = [other for other in scored if other in after] or [other for other in scored if other in before]
    return [other.partition("@")[2] for other in chosen]


def _compare_stage(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances | None
) -> Iterator[Output]:
    before, after = committed.outputs(stage), rebuilt.outputs(stage)
    for path in {**before, **after}:
        if before.get(path) == after.get(path):
            kept, made = committed.workspace.root / path, rebuilt.workspace.root / path
            altered = kept.exists() and _contents(kept) != _contents(made)  # figures in git, edited by hand
            why = "its files are not those that dvc.lock names" if altered else ""
            yield Output(stage, path, DIFFERS if altered else SAME, reason=why)
            continue
        inputs = _inputs(committed, rebuilt, stage)
        if path not in before or path not in after:
            yield Output(stage, path, DIFFERS, inputs=inputs, reason="only one of the builds has it")
            continue
        found, reason = _deviations(stage, committed, rebuilt, needs, allowed or {})
        within = allowed is not None and not reason and all(deviation.within for deviation in found)
        one, other = committed.files(before[path]), rebuilt.files(after[path])
        files = None if one is None or other is None else sorted({name for name, _ in one.items() ^ other.items()})
        yield Output(stage, path, WITHIN if within else DIFFERS, files, inputs, found, reason)


def _contents(path: Path) -> dict[str, bytes]:
    """The files in a folder, or the one that it is."""
    files = [path, *path.rglob("*")]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


def _inputs(committed: Build, rebuilt: Build, stage: str) -> list[str]:
    """What a stage depends on, other stages' outputs apart, and what is not the same of it in two builds."""
    made = [path for other in rebuilt.stages for path in rebuilt.outputs(other)]
    deps = (build.stages[stage].get("deps", ()) for build in (committed, rebuilt))
    one, other = ({dep["path"]: dep.get("md5") for dep in each} for each in deps)
    changed = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [name for name in changed if not any(f"{path}/".startswith(f"{name}/") for path in made)]


def _deviations(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances
) -> tuple[list[Deviation], str]:
    """The metrics that depend on a stage and differ, and why they do not decide; "" if they do."""
    found: list[Deviation] = []
    scored = [name for name in datasets(stage, needs) if f"evaluate@{name}" in committed.stages]
    for name in scored:
        if f"evaluate@{name}" not in rebuilt.stages:
            return found, f"evaluate@{name} is not built, so there are no metrics to compare"
        if not committed.workspace.metrics(name).exists():
            return found, f"results/metrics/{name} is not committed, so there is nothing to compare"
        before, after = (dict(numbers(build.workspace.metrics(name))) for build in (committed, rebuilt))
        found += [
            Deviation(name, *key, before.get(key), after.get(key), allowed.get(name, {}).get(key[0], {}).get(key[1]))
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        ]
    verb, _, experiment = stage.partition("@")
    of_stage = [one for one in found if verb != "train" or one.experiment == experiment]
    return of_stage, "" if scored else "no metric depends on it"


def _why(stage: str, needs: Needs, failures: Mapping[str, str]) -> str:
    """Why a stage was not built: it failed itself, or a stage that it needs did."""
    if stage in failures:
        return failures[stage]
    failed = [other for other in needs if other in _needed(stage, needs) and other in failures]
    return f"{failed[0]} failed: {failures[failed[0]]}" if failed else "the build ended before it"


def _needed(stage: str, needs: Needs) -> set[str]:
    """A stage and all that it needs, directly or not."""
    return {*Graph(dict(needs), frozenset()).within([stage]).needs}
