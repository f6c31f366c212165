"""The command `verify`: what is committed, or a miniature (`--quick`), is built once
more and compared.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import failures
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.locks import alone
from pipeline.workspace import Workspace
from unroll.repro import LOCK, mend, run_dvc
from unroll.workspaces.checkout import clone, dvc, git, last_commit, use_own_cache
from unroll.workspaces.make import miniature

FOLDER = ".verify"
"""Where verifications build, in the user's workspace."""

FOREIGN = ("DVC_", "MLFLOW_TRACKING_URI", "UNROLL_SCHEDULER")
"""How the names of variables begin that are about the caller's own workspace."""

FIRST = "plain"
"""The folder of the first workspace of `--quick`."""

SECOND = "in an \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual place"
"""The folder of the second one."""

CIRCUMSTANCES = {
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "de_DE.UTF-8",
}
"""Of the second build: another hash seed, a time zone of tomorrow, and a language with
a decimal comma."""

UMASK = 0o077
"""Of the second build: nobody else may read what it writes."""

SAME = "same bytes"
NOT_COMMITTED = "not committed"

Entry = Mapping[str, Any]
"""What a dvc.lock says of a stage: its `deps`, `params` and `outs`."""


def verify(workspace: Workspace, datasets: Sequence[str], jobs: int) -> bool:
    """Build the last commit apart, print how each stage compares with the committed
    dvc.lock; whether all are the same.

    Only these data sets and what they need are built, or everything if none is named. A
    build that was killed goes on where it was. What was built stays in `.verify` if
    something differs. Progress goes to standard error.

    Raises:
        UnrollError: another `unroll verify` is at work here, nothing is committed to
            compare with, or a data set is not in the commit.
    """
    folder = workspace.root / FOLDER
    rebuilt = folder / "rebuild"
    with alone(
        workspace.scratch / "verify.lock",
        f"another `unroll verify` is at work in {workspace.root}",
    ):
        commit = last_commit(workspace.root)
        # is there as long as its build has not ended
        committed = folder / f"{commit}.lock"
        if not committed.exists():
            _make_clone(workspace.root, rebuilt, committed)
        known = plain_yaml.read(rebuilt / "params.yaml").get("series") or {}
        targets = [
            f"{'answer' if name in known else 'evaluate'}@{name}" for name in datasets
        ]
        stages = _stages(rebuilt, targets)
        _say(f"commit {commit[:10]}: {len(stages)} stages, in {rebuilt}")
        edited = git(workspace.root, "status", "--porcelain").splitlines()
        if edited:
            _say(
                f"not in it, since not committed: {len(edited)} files, such as {edited[0][3:]}"
            )
        repro(rebuilt, targets, environment(rebuilt, jobs))
        changed = git(rebuilt, "diff", "--name-only", "HEAD").splitlines()
        findings = compare(committed, rebuilt, stages, changed)
        committed.unlink()
        same = _conclude(findings, folder)
        if not same:
            print(
                "The metrics that differ:\n",
                dvc(rebuilt, "metrics", "diff", "HEAD", "--precision", "9"),
                sep="",
            )
        return same


def _make_clone(root: Path, folder: Path, committed: Path) -> None:
    """Make a fresh workspace of the last commit, without its dvc.lock, which is written
    to `committed` at the end.
    """
    try:
        lock = git(root, "show", f"HEAD:{LOCK}")
    except UnrollError:
        raise UnrollError(
            f"no {LOCK} is committed, so there is nothing to compare with; commit one first"
        ) from None
    shutil.rmtree(folder.parent, ignore_errors=True)
    clone(root, folder)
    (folder / LOCK).unlink()
    write_text(committed, lock)


def _stages(root: Path, targets: Sequence[str]) -> list[str]:
    """The stages of these targets and all that they need, in alphabetical order; every
    stage if there is no target.
    """
    graphs = [dvc(root, "dag", "--dot", target) for target in targets] or [
        dvc(root, "dag", "--dot")
    ]
    return sorted(set(re.findall(r'"(.+?)"', " ".join(graphs))))


def quick(workspace: Workspace, jobs: int) -> bool:
    """Build the miniature with the code as it is, then again in other circumstances;
    whether dvc.lock is the same.

    The second build has one job more, another folder, hash seed, time zone, language
    and umask.

    Raises:
        UnrollError: another `unroll verify` is at work here, or the miniature cannot be
            built.
    """
    folder = workspace.root / FOLDER
    with alone(
        workspace.scratch / "verify.lock",
        f"another `unroll verify` is at work in {workspace.root}",
    ):
        shutil.rmtree(folder, ignore_errors=True)
        first = miniature(folder / FIRST)
        second = miniature(folder / SECOND)
        _say(
            f"the miniature, an experiment of each kind on generated data, in {first.root}"
        )
        _build_all(first.root, environment(first.root, jobs))
        named = ", ".join(f"{name}={value}" for name, value in CIRCUMSTANCES.items())
        _say(
            f"again with --jobs {jobs + 1}, {named} and umask {UMASK:03o}, in {second.root}"
        )
        _build_all(
            second.root, environment(second.root, jobs + 1) | CIRCUMSTANCES, umask=UMASK
        )
        findings = compare(first.root / LOCK, second.root)
        if (first.root / LOCK).read_bytes() != (second.root / LOCK).read_bytes():
            findings[LOCK] = "differs: it has another text"
        return _conclude(findings, folder)


def _build_all(root: Path, variables: Mapping[str, str], umask: int = -1) -> None:
    """Build everything in a workspace with a cache of its own. Raises UnrollError if a
    stage fails.
    """
    use_own_cache(root)
    if repro(root, [], variables, umask):
        reasons = [
            f"{stage}: {reason}"
            for stage, reason in failures.read(Workspace(root)).items()
        ]
        raise UnrollError(
            f"the graph in {root} cannot be built: {'; '.join(reasons) or 'DVC says above why'}"
        )


def compare(
    committed: Path,
    rebuilt: Path,
    stages: Sequence[str] = (),
    changed: Sequence[str] = (),
) -> dict[str, str]:
    """Stage -> how what it made in the workspace `rebuilt` compares with what is
    committed.

    Args:
        committed: the committed dvc.lock.
        rebuilt: a workspace.
        stages: that were to be built; those that were built are compared, too.
        changed: files that git keeps there and whose bytes are not the committed ones.
    """
    old = plain_yaml.read(committed)["stages"]
    new = {}
    if (rebuilt / LOCK).exists():
        new = plain_yaml.read(rebuilt / LOCK)["stages"]
    reasons = failures.read(Workspace(rebuilt))
    findings = {}
    for stage in dict.fromkeys([*new, *stages]):
        if stage not in new:
            findings[stage] = (
                f"not built: {reasons.get(stage, 'what it needs is not built, or DVC says above why')}"
            )
        elif stage not in old:
            findings[stage] = NOT_COMMITTED
        else:
            findings[stage] = _finding(old[stage], new[stage], changed)
    return findings


def _finding(old: Entry, new: Entry, changed: Sequence[str]) -> str:
    """How a stage's outputs compare, and which of its inputs differ."""
    outputs = _different(_outputs(old), _outputs(new))
    if outputs:
        inputs = _different(_inputs(old), _inputs(new))
        because = (
            f"as do its inputs {', '.join(inputs)}"
            if inputs
            else "from the same inputs"
        )
        return f"differs: {', '.join(outputs)}, {because}"
    # Files that git keeps can be edited without dvc.lock.
    edited = [
        path
        for path in changed
        if any(Path(path).is_relative_to(output) for output in _outputs(new))
    ]
    if edited:
        return f"differs: {edited[0]} was committed with other bytes than {LOCK} names"
    return SAME


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _outputs(entry: Entry) -> dict[str, str]:
    return {out["path"]: out["md5"] for out in entry.get("outs", ())}


def _inputs(entry: Entry) -> dict[str, Any]:
    """Dependency -> its md5, and name of params -> their values."""
    inputs = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
    for values in entry.get("params", {}).values():
        inputs.update(values)
    return inputs


def _conclude(findings: Mapping[str, str], folder: Path) -> bool:
    """Print the findings; whether all that is committed is the same. Else what was
    built stays in `folder`.
    """
    width = max(map(len, findings), default=0)
    for stage, finding in findings.items():
        print(f"{stage:{width}}  {finding}")
    compared = [finding for finding in findings.values() if finding != NOT_COMMITTED]
    same = compared.count(SAME)
    if compared and same == len(compared):
        print(f"All {same} stages have the same bytes.")
        shutil.rmtree(folder)
        return True
    print(
        f"{same} of {len(compared)} stages have the same bytes. What was built: {folder}"
    )
    return False


def environment(root: Path, jobs: int) -> dict[str, str]:
    """Return the variables of a build in the workspace at `root`: this process's,
    without those of another one.
    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN)
    }
    mirror = variables.get("UNROLL_MIRROR", "")
    if mirror and "://" not in mirror:
        variables["UNROLL_MIRROR"] = str(Path(mirror).resolve())
    # ahead of an installed `unroll`, whose code is the user's
    if (root / "unroll").is_dir():
        variables["PYTHONPATH"] = os.pathsep.join(
            [str(root), variables.get("PYTHONPATH", "")]
        )
    variables["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), variables.get("PATH", os.defpath)]
    )
    variables["DVC_SITE_CACHE_DIR"] = str(root / ".dvc" / "site")
    variables["DVC_NO_ANALYTICS"] = "1"
    variables["UNROLL_JOBS"] = str(jobs)
    return variables


def repro(
    root: Path, targets: Sequence[str], variables: Mapping[str, str], umask: int = -1
) -> int:
    """Run `dvc repro` in the workspace at `root`; its exit status. A umask of -1 is
    this process's.

    What it prints goes to standard error.
    """
    mend(root)
    arguments = ["repro", "--keep-going", *targets]
    return run_dvc(
        Workspace(root), arguments, env=variables, umask=umask, stdout=sys.stderr
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
