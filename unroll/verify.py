"""The command `verify`: rebuild the last commit and compare the results.

With `--quick` a miniature is built twice instead.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pipeline import failures
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.locks import alone
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import repro
from unroll.repro import LOCK
from unroll.workspaces import miniature
from unroll.workspaces.checkout import OWN_CACHE, clone, dvc, git, last_commit

FOLDER = ".verify"
"""The folder in the user's workspace where verifications build."""

FOREIGN = ("DVC_", "MLFLOW_TRACKING_URI")
"""Prefixes of environment variables that belong to the caller's own workspace."""

ELSEWHERE = "in an \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual place"
"""The folder of the second build of `quick`."""

CIRCUMSTANCES = {
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "de_DE.UTF-8",
}
"""The hash seed, time zone and language of the second build of `quick`."""

UMASK = 0o077
"""The umask of the second build of `quick`: nobody else may read what it writes."""

SAME = "same bytes"
"""The finding of a stage whose outputs are the committed ones."""

NOT_COMMITTED = "not committed"
"""The finding of a stage that the committed dvc.lock does not have."""


def verify(workspace: Workspace, datasets: Sequence[str], jobs: int) -> bool:
    """Rebuild the last commit in a clone, and compare each stage with its dvc.lock.

    Only these data sets and their dependencies are built; everything, if none is named.
    A build that was killed is resumed. The clone stays in `.verify` if something
    differs. Progress goes to standard error.

    Returns:
        Whether all stages are the same.

    Raises:
        UsageError: a data set is not in the commit.
        UnrollError: another `unroll verify` is at work here, or no dvc.lock is
            committed, or the data set is not in it.
    """
    folder = workspace.root / FOLDER
    rebuilt = folder / "rebuild"
    with _alone(workspace):
        commit = last_commit(workspace.root)
        # This file exists until the build has ended.
        committed = folder / f"{commit}.lock"
        if not committed.exists():
            _make_clone(workspace.root, rebuilt, committed)
        known = plain_yaml.read(rebuilt / "params.yaml")["experiments"]
        for name in datasets:
            one_of(name, known, "the data set")
        targets = [f"evaluate@{name}" for name in datasets]
        _require_committed(committed, targets)
        stages = _stages(rebuilt, targets)
        _say(f"commit {commit[:10]}: {len(stages)} stages, in {rebuilt}")
        edited = git(workspace.root, "status", "--porcelain").splitlines()
        if edited:
            files = f"{len(edited)} files, such as {edited[0][3:]}"
            _say(f"not committed, so not built: {files}")
        repro.mend(rebuilt)
        repro.run_dvc(
            Workspace(rebuilt),
            ["repro", "--keep-going", *targets],
            env=environment(rebuilt, jobs),
            stdout=sys.stderr,
        )
        changed = git(rebuilt, "diff", "--name-only", "HEAD").splitlines()
        findings = compare(committed, rebuilt, stages, changed)
        committed.unlink()
        same = _print_findings(findings, folder)
        if same:
            shutil.rmtree(folder)
        else:
            metrics = dvc(rebuilt, "metrics", "diff", "HEAD", "--precision", "9")
            print(f"The metrics that differ:\n{metrics}")
        return same


def quick(workspace: Workspace, jobs: int) -> bool:
    """Build the miniature with the current code, then again in other circumstances.

    The second build has one job more, another folder, hash seed, time zone, language
    and umask. Both stay in `.verify` if something differs. Progress goes to standard
    error.

    Returns:
        Whether both builds have the same dvc.lock.

    Raises:
        UnrollError: another `unroll verify` is at work here, or the miniature cannot be
            built.
    """
    folder = workspace.root / FOLDER
    with _alone(workspace):
        shutil.rmtree(folder, ignore_errors=True)
        first = miniature.make(folder / "plain").root
        second = miniature.make(folder / ELSEWHERE).root
        _say(f"a small graph, with an experiment of each kind, in {first}")
        _build_all(first, environment(first, jobs))
        settings = " ".join(f"{name}={value}" for name, value in CIRCUMSTANCES.items())
        _say(f"again with --jobs {jobs + 1}, {settings}, umask {UMASK:03o}: {second}")
        variables = environment(second, jobs + 1) | CIRCUMSTANCES
        _build_all(second, variables, umask=UMASK)
        findings = compare(first / LOCK, second)
        if (first / LOCK).read_bytes() != (second / LOCK).read_bytes():
            findings[LOCK] = "differs: it has another text"
        same = _print_findings(findings, folder)
        if same:
            shutil.rmtree(folder)
        return same


def _build_all(root: Path, variables: Mapping[str, str], umask: int = -1) -> None:
    """Build everything in the workspace at `root`, with a cache of its own.

    A umask of -1 keeps that of this process. Raises UnrollError if a stage fails.
    """
    write_text(root / ".dvc" / "config.local", OWN_CACHE)
    built = Workspace(root)
    status = repro.run_dvc(
        built, ["repro", "--keep-going"], env=variables, umask=umask, stdout=sys.stderr
    )
    if status:
        reasons = "; ".join(repro.summary(built, status))
        raise UnrollError(f"the graph in {root} is not built: {reasons}")


def _alone(workspace: Workspace) -> AbstractContextManager[None]:
    busy = f"another `unroll verify` is at work in {workspace.root}"
    return alone(workspace.scratch / "verify.lock", busy)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _make_clone(root: Path, folder: Path, committed: Path) -> None:
    """Clone the last commit, and move its dvc.lock to the file `committed`."""
    try:
        lock = git(root, "show", f"HEAD:{LOCK}")
    except UnrollError:
        raise UnrollError(
            f"no {LOCK} is committed, so there is nothing to compare with; "
            "commit one first"
        ) from None
    shutil.rmtree(folder.parent, ignore_errors=True)
    clone(root, folder)
    (folder / LOCK).unlink()
    write_text(committed, lock)


def _require_committed(lock: Path, targets: Sequence[str]) -> None:
    stages = plain_yaml.read(lock)["stages"]
    for target in targets:
        if target not in stages:
            raise UnrollError(
                f"{target} is not in the committed {LOCK}, so there is nothing to "
                f"compare with; run `unroll repro {target}`, and commit {LOCK}"
            )


def _stages(root: Path, targets: Sequence[str]) -> list[str]:
    """Return the stages of these targets and their dependencies, in alphabetical order.

    Without targets, return all stages.
    """
    stages: set[str] = set()
    for arguments in [[target] for target in targets] or [[]]:
        stages.update(re.findall(r'"(.+?)"', dvc(root, "dag", "--dot", *arguments)))
    return sorted(stages)


def compare(
    committed: Path,
    rebuilt: Path,
    stages: Sequence[str] = (),
    changed: Sequence[str] = (),
) -> dict[str, str]:
    """Compare the outputs of each stage in the workspace `rebuilt` with the committed
    ones.

    Args:
        committed: the committed dvc.lock.
        rebuilt: the rebuilt workspace.
        stages: the stages that should be built. Others that were built are compared,
            too.
        changed: files in git whose bytes in `rebuilt` are not the committed ones.

    Returns:
        Stage -> a finding, which is `SAME`, `NOT_COMMITTED` or a sentence.
    """
    old = plain_yaml.read(committed)["stages"]
    new = {}
    if (rebuilt / LOCK).exists():
        new = plain_yaml.read(rebuilt / LOCK)["stages"]
    reasons = failures.read(Workspace(rebuilt))
    findings = {}
    for stage in dict.fromkeys([*new, *stages]):
        if stage not in new:
            unknown = "DVC says above why, or what it needs is not built"
            findings[stage] = f"not built: {reasons.get(stage, unknown)}"
        elif stage not in old:
            findings[stage] = NOT_COMMITTED
        else:
            findings[stage] = _finding(old[stage], new[stage], changed)
    return findings


def _finding(
    old: Mapping[str, Any], new: Mapping[str, Any], changed: Sequence[str]
) -> str:
    """Return whether the outputs of a stage differ, and which of its inputs do.

    Both are entries of a dvc.lock, with `deps`, `params` and `outs`.
    """
    outputs = _different(_outputs(old), _outputs(new))
    if outputs:
        because = "from the same inputs"
        inputs = _different(_inputs(old), _inputs(new))
        if inputs:
            because = f"as do its inputs {', '.join(inputs)}"
        return f"differs: {', '.join(outputs)}, {because}"
    # A user can commit an edited file without the dvc.lock that belongs to it.
    for path in changed:
        if any(Path(path).is_relative_to(output) for output in _outputs(new)):
            return f"differs: {path} was committed with other bytes than {LOCK} names"
    return SAME


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _outputs(entry: Mapping[str, Any]) -> dict[str, str]:
    return {out["path"]: out["md5"] for out in entry.get("outs", ())}


def _inputs(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return dependency -> md5, and key of params.yaml -> its value, in one mapping."""
    inputs = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
    for values in entry.get("params", {}).values():
        inputs.update(values)
    return inputs


def _print_findings(findings: Mapping[str, str], folder: Path) -> bool:
    """Print the findings; return whether all committed stages are the same."""
    width = max(map(len, findings), default=0)
    for stage, finding in findings.items():
        print(f"{stage:{width}}  {finding}")
    compared = [finding for finding in findings.values() if finding != NOT_COMMITTED]
    same = compared.count(SAME)
    count = len(compared)
    if len(findings) > count:
        print(f"Stages that are not committed: {len(findings) - count}.")
    if compared and same == count:
        print(f"All {same} stages have the same bytes.")
        return True
    print(f"{same} of {count} stages have the same bytes. What was built: {folder}")
    return False


def environment(root: Path, jobs: int) -> dict[str, str]:
    """Return the environment variables of a build in the workspace at `root`.

    They are this process's, without those that belong to the caller's workspace.
    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN)
    }
    mirror = variables.get("UNROLL_MIRROR", "")
    if mirror and "://" not in mirror:
        variables["UNROLL_MIRROR"] = str(Path(mirror).resolve())
    # The clone's code comes before the installed `unroll`.
    if (root / "unroll").is_dir():
        path = [str(root), variables.get("PYTHONPATH", "")]
        variables["PYTHONPATH"] = os.pathsep.join(path)
    variables["DVC_SITE_CACHE_DIR"] = str(root / ".dvc" / "site")
    variables["UNROLL_JOBS"] = str(jobs)
    return repro.environment(Workspace(root), variables)
