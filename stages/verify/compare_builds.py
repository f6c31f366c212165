"""Compares two builds, output by output: the same bytes, metrics within tolerance, or different, and in what."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.config import plain_yaml
from pipeline.files import read_json
from pipeline.workspace import Workspace
from stages.verify.tolerances import Deviation, Tolerances, deviations

SAME = "same bytes"
WITHIN = "within tolerance"
DIFFERS = "differs"
NOT_BUILT = "not built"
NOT_COMPARED = "not compared"

Needs = Mapping[str, Sequence[str]]
"""Stage -> the stages whose outputs it reads, in the order of a build."""


@dataclass(frozen=True)
class Build:
    """What a build has left.

    Attributes:
        workspace: holds its dvc.lock and metrics/.
        cache: where DVC keeps contents by their md5; it need not have them.
    """

    workspace: Workspace
    cache: Path

    @cached_property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage -> its entry in dvc.lock; none where there is no such file.

        Raises:
            UsageError: the file is damaged.
        """
        file = self.workspace.root / "dvc.lock"
        found: dict[str, dict[str, Any]] = plain_yaml.read(file)["stages"] if file.exists() else {}
        return found

    def outputs(self, stage: str) -> dict[str, str]:
        """Path -> md5 of the outputs of a stage."""
        return {out["path"]: out["md5"] for out in self.stages[stage].get("outs", ())}

    def files(self, md5: str) -> dict[str, str] | None:
        """Path in a folder -> md5; None where the folder's listing is not in the cache."""
        listing = self.cache / md5[:2] / md5[2:]
        return {file["relpath"]: file["md5"] for file in read_json(listing)} if listing.exists() else None


@dataclass(frozen=True)
class Output:
    """How an output of one build compares with that of another.

    Attributes:
        stage: that makes it.
        path: in the workspace; "" where the whole stage is not compared.
        level: SAME, WITHIN, DIFFERS, NOT_BUILT or NOT_COMPARED.
        committed: the md5 of the first build; None where it has none.
        rebuilt: that of the second.
        files: those in a folder whose bytes differ; None where that is not known.
        inputs: the files and params of the stage, other stages' outputs apart, that the builds do not share.
        deviations: the metrics that depend on the stage and differ.
        reason: why it is not built or not compared, or why the metrics do not help; else "".
    """

    stage: str
    path: str
    level: str
    committed: str | None = None
    rebuilt: str | None = None
    files: list[str] | None = None
    inputs: list[str] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is the same, within tolerance, or not compared."""
        return self.level in {SAME, WITHIN, NOT_COMPARED}


def compare(
    committed: Build, rebuilt: Build, needs: Needs, failures: Mapping[str, str], allowed: Tolerances
) -> list[Output]:
    """Compare every output of the stages of `needs`, in that order.

    An output is the same if its bytes are. Else it is within tolerance if every metric that depends on its stage
    is: of a training those of its experiment, of another stage all of the data sets that depend on it, of the page
    all that it shows.

    Args:
        committed: the build to compare with.
        rebuilt: the build to judge.
        needs: the graph, or a part of it with all that it needs.
        failures: stage -> why it could not be built, one line.
        allowed: the tolerances of metrics; one without must be equal.

    Raises:
        UnrollError: a dvc.lock, a file of metrics or a listing in a cache is damaged.
    """
    found: list[Output] = []
    for stage in needs:
        if stage not in committed.stages:
            found.append(Output(stage, "", NOT_COMPARED, reason="the committed dvc.lock does not have it"))
        elif stage not in rebuilt.stages:
            why = _why(stage, needs, failures)
            outputs = committed.outputs(stage).items()
            found += [Output(stage, path, NOT_BUILT, committed=md5, reason=why) for path, md5 in outputs]
        else:
            found += _compare_stage(stage, committed, rebuilt, needs, allowed)
    return found


def different_files(first: Path, second: Path, paths: Sequence[str]) -> list[str]:
    """The files at or under `paths` that do not have the same bytes in two folders, in alphabetical order."""
    one, other = ({file for path in paths for file in _files(root / path, root)} for root in (first, second))
    both = {file for file in one & other if (first / file).read_bytes() != (second / file).read_bytes()}
    return sorted(both | one ^ other)


def datasets(stage: str, needs: Needs) -> list[str]:
    """The data sets whose metrics depend on a stage. If none do (the page), those that the stage depends on."""
    after = {stage}
    for other, others in needs.items():
        if after.intersection(others):
            after.add(other)
    before = _needed(stage, needs)
    scored = [other for other in needs if other.startswith("evaluate@")]
    chosen = [other for other in scored if other in after] or [other for other in scored if other in before]
    return [other.partition("@")[2] for other in chosen]


def _compare_stage(stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances) -> list[Output]:
    before, after = committed.outputs(stage), rebuilt.outputs(stage)
    altered = {path for path, md5 in before.items() if _altered(committed.workspace.root / path, md5)}
    if before == after and not altered:
        return [Output(stage, path, SAME, md5, md5) for path, md5 in before.items()]
    inputs = _inputs(committed, rebuilt, stage)
    found, reason = _deviations(stage, committed, rebuilt, needs, allowed)
    level = DIFFERS if reason or not all(deviation.within for deviation in found) else WITHIN
    outputs = []
    for path in {**before, **after}:
        sums = before.get(path), after.get(path)
        if path in altered:
            why = "what is committed is not what the committed dvc.lock names"
            outputs.append(Output(stage, path, DIFFERS, *sums, [], inputs, found, why))
        elif sums[0] == sums[1]:
            outputs.append(Output(stage, path, SAME, *sums))
        elif None in sums:
            why = "only one of the builds has it"
            outputs.append(Output(stage, path, DIFFERS, *sums, [], inputs, found, why))
        else:
            files = _different(committed, rebuilt, before[path], after[path])
            outputs.append(Output(stage, path, level, *sums, files, inputs, found, reason))
    return outputs


def _altered(path: Path, md5: str) -> bool:
    """Whether a file or folder that git keeps is another than DVC wrote down."""
    return path.exists() and _md5(path) != md5


def _md5(path: Path) -> str:
    """As DVC has it: of a folder that of its listing."""
    if path.is_dir():
        files = sorted(_files(path, path))
        listing = json.dumps([{"md5": _md5(path / file), "relpath": file} for file in files])
        return f"{hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()}.dir"
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _different(committed: Build, rebuilt: Build, before: str, after: str) -> list[str] | None:
    """The files of a folder that differ; none of an output that is a file, None where a listing is not at hand."""
    if not before.endswith(".dir") or not after.endswith(".dir"):
        return []
    one, other = committed.files(before), rebuilt.files(after)
    if one is None or other is None:
        return None
    return sorted(path for path in {**one, **other} if one.get(path) != other.get(path))


def _inputs(committed: Build, rebuilt: Build, stage: str) -> list[str]:
    """The files and params that a stage reads, other stages' outputs apart, and that are not the same in two builds."""
    made = [path for other in rebuilt.stages for path in rebuilt.outputs(other)]
    one, other = ({**_read(build.stages[stage])} for build in (committed, rebuilt))
    changed = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [name for name in changed if not any(f"{path}/".startswith(f"{name}/") for path in made)]


def _read(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a stage has read, by name: the md5 of files and folders, the values of params."""
    files = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
    values = {f"{file}: {key}": value for file, keys in entry.get("params", {}).items() for key, value in keys.items()}
    return {**files, **values}


def _deviations(
    stage: str, committed: Build, rebuilt: Build, needs: Needs, allowed: Tolerances
) -> tuple[list[Deviation], str]:
    """The metrics that depend on a stage and differ, and why they do not decide; "" if they do."""
    found: list[Deviation] = []
    scored = [name for name in datasets(stage, needs) if f"evaluate@{name}" in committed.stages]
    if not scored:
        return [], "no metric depends on it"
    for name in scored:
        files = committed.workspace.metrics(name), rebuilt.workspace.metrics(name)
        if f"evaluate@{name}" not in rebuilt.stages:
            return found, f"evaluate@{name} is not built, so there are no metrics to compare"
        if not files[0].exists():
            return found, f"metrics/{name} is not committed, so there is nothing to compare"
        found += deviations(name, *files, allowed)
    verb, _, experiment = stage.partition("@")
    return [one for one in found if verb != "train" or one.experiment == experiment], ""


def _why(stage: str, needs: Needs, failures: Mapping[str, str]) -> str:
    """Why a stage was not built: it failed itself, or a stage that it needs did."""
    if stage in failures:
        return failures[stage]
    needed = _needed(stage, needs)
    failed = next((other for other in needs if other in needed and other in failures), None)
    return f"{failed} failed: {failures[failed]}" if failed else "the build ended before it"


def _needed(stage: str, needs: Needs) -> set[str]:
    """A stage and all that it needs, directly or not."""
    found = {stage}
    for other in reversed(list(needs)):
        if other in found:
            found.update(needs[other])
    return found


def _files(path: Path, root: Path) -> list[str]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return [file.relative_to(root).as_posix() for file in files]
