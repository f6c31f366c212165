"""The command `verify`: rebuild the last commit and compare the results."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.files import remove, write_text
from pipeline.locks import alone
from pipeline.provenance.git import git
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.builds import repro
from unroll.builds.repro import dvc
from unroll.dvc_lock import LOCK, Entry, File, locked

FOLDER = ".verify"
"""The folder in the user's workspace where verifications build."""

FOREIGN = ("DVC_", "MLFLOW_TRACKING_URI")
"""Prefixes of environment variables that belong to the caller's own workspace."""

SAME = "same bytes"
"""The finding of a stage whose outputs are the committed ones."""

RESULTS = "results"
"""The folder of the results that git keeps."""

TRIALS = "results/trials/"
"""What `unroll tune` writes into `RESULTS`. No stage makes it."""

NOT_COMMITTED = "not committed"
"""The finding of a stage that the committed dvc.lock does not have."""

OWN_CACHE = "[cache]\n    dir = cache\n"
"""Settings of DVC in a workspace that builds everything itself. A shared cache of the
user would replace a build."""

OF_DVC = {"config", "plots", ".gitignore"}
"""The files in .dvc that are written by hand. All others are caches and notes."""

STORES = (".unroll", "records", "runs", "data/raw", "data/prepared")
"""The folders of a workspace from which a build could take what it should make."""

ELSEWHERE = ("120000", "160000")
"""The modes by which git names links and submodules."""

COMPILED = {".pyc", ".pyo", ".so", ".pyd"}
"""The suffixes of compiled code. Python runs it in place of the source beside it."""


def verify(workspace: Workspace, datasets: Sequence[str], jobs: int) -> bool:
    """Rebuild the last commit in a clone, and compare each stage with its dvc.lock.

    Only these data sets and their dependencies are built; everything, if none is named.
    Each call begins anew, since what is in `.verify` may be somebody else's. The clone
    stays there if something differs. Progress goes to standard error.

    Returns:
        Whether all stages are the same.

    Raises:
        UsageError: a data set is not in the commit.
        UnrollError: another `unroll verify` is at work here, PYTHONPATH cannot name this
            folder, the commit holds a link or no dvc.lock, or the data set is not in it.
    """
    folder = workspace.root / FOLDER
    if os.pathsep in str(folder.resolve()):
        raise UnrollError(
            f"{folder.resolve()} holds a {os.pathsep!r}, so PYTHONPATH cannot name it; "
            "run this in a folder without"
        )
    rebuilt = folder / "rebuild"
    with alone(
        workspace.scratch / "verify.lock",
        f"another `unroll verify` is at work in {workspace.root}",
    ):
        commit = last_commit(workspace.root)[:10]
        remove(folder)
        clone(workspace.root, rebuilt)
        committed_stages = _committed(rebuilt, datasets)
        _remove_outputs(rebuilt)
        targets = [f"evaluate@{name}" for name in datasets]
        stages = _nodes(rebuilt, targets)
        text = f"commit {commit}: {len(stages)} stages, in {rebuilt}"
        edited = git(workspace.root, "status", "--porcelain").splitlines()
        if edited:
            text += (
                f"\nnot committed, so not built: {len(edited)} files, "
                f"such as {edited[0][3:]}"
            )
        print(text, file=sys.stderr, flush=True)
        repro.run_dvc(
            Workspace(rebuilt),
            ["repro", "--keep-going", *targets],
            env=environment(rebuilt, jobs),
            stdout=sys.stderr,
        )
        findings = compare(committed_stages, rebuilt, stages, _changed(rebuilt))
        same = _print_findings(findings, folder, _strays(committed_stages, rebuilt))
        if same:
            shutil.rmtree(folder)
        else:
            _print_metric_differences(rebuilt)
        return same


def _committed(root: Path, datasets: Sequence[str]) -> dict[str, Entry]:
    """Return stage -> its entry in the dvc.lock of the clone at `root`.

    Raises:
        UsageError: a data set is not in the commit.
        UnrollError: there is no dvc.lock, or it is damaged or lacks a data set.
    """
    if not (root / LOCK).exists():
        raise UnrollError(
            f"no {LOCK} is committed, so there is nothing to compare with; "
            "commit one first"
        )
    stages = locked(root / LOCK)
    if not stages:
        raise UnrollError(
            f"the committed {LOCK} is damaged, so there is nothing to compare with; "
            f"run `unroll repro`, and commit {LOCK}"
        )
    known = plain_yaml.read(root / "params.yaml")["experiments"]
    for name in datasets:
        one_of(name, known, "the data set", most=len(known))
        target = f"evaluate@{name}"
        if target not in stages:
            raise UnrollError(
                f"{target} is not in the committed {LOCK}, so there is nothing to "
                f"compare with; run `unroll repro {target}`, and commit {LOCK}"
            )
    return stages


def _remove_outputs(folder: Path) -> None:
    """Remove what stages make from a clone, and its dvc.lock."""
    remove(folder / LOCK)
    # A frozen stage, or one that keeps its outputs, would pass with what is there.
    for path in _nodes(folder, options=["--outs"]):
        remove_within(folder, path)
    for path in paths(git(folder, "ls-files", "-z", RESULTS)):
        if not path.startswith(TRIALS):
            remove(folder / path)
    # `report` depends on this folder.
    (folder / RESULTS / "evaluations").mkdir(parents=True, exist_ok=True)


def _nodes(
    root: Path, targets: Sequence[str] = (), options: Sequence[str] = ()
) -> list[str]:
    """Return the stages of these targets and their dependencies, in alphabetical order.

    Without targets, return all stages. With the option `--outs`, return the outputs of
    the stages.
    """
    nodes: set[str] = set()
    for arguments in [[target] for target in targets] or [[]]:
        nodes.update(
            re.findall(r'"(.+?)"', dvc(root, "dag", "--dot", *options, *arguments))
        )
    return sorted(nodes)


def _changed(root: Path, *options: str) -> list[str]:
    """Return the files in git whose bytes are not those of the last commit.

    `options` are options of `git diff`.
    """
    return paths(
        git(
            root,
            *("diff", "--name-only", "-z", "--no-renames"),
            *options,
            "HEAD",
        )
    )


def _strays(committed: Mapping[str, Entry], rebuilt: Path) -> list[str]:
    """Return the results in the last commit that no stage vouches for.

    These are files under results/, without results/trials, and outputs of stages. A
    stage vouches for its outputs if both the graph and the committed dvc.lock have it.
    `committed` are the entries of this dvc.lock.
    """
    outputs = set(_nodes(rebuilt, options=["--outs"]))
    vouched = {
        out.path
        for entry in committed.values()
        for out in entry.outs
        if out.path in outputs
    }
    strays = []
    for path in paths(git(rebuilt, "ls-tree", "-r", "-z", "--name-only", "HEAD")):
        above = {str(parent) for parent in (Path(path), *Path(path).parents)}
        result = RESULTS in above and not path.startswith(TRIALS)
        if (result or above & outputs) and not above & vouched:
            strays.append(path)
    return strays


def compare(
    old: Mapping[str, Entry],
    rebuilt: Path,
    stages: Sequence[str] = (),
    changed: Sequence[str] = (),
) -> dict[str, str]:
    """Compare the outputs of each stage in the workspace `rebuilt` with the committed
    ones.

    Args:
        old: stage -> its entry in the committed dvc.lock.
        rebuilt: the rebuilt workspace.
        stages: the stages that should be built. Others that were built are compared,
            too.
        changed: files in git whose bytes in `rebuilt` are not the committed ones.

    Returns:
        Stage -> a finding, which is `SAME`, `NOT_COMMITTED` or a sentence.
    """
    new = locked(rebuilt / LOCK) if (rebuilt / LOCK).exists() else {}
    reasons = Workspace(rebuilt).failures()
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


def _finding(old: Entry, new: Entry, changed: Sequence[str]) -> str:
    """Return whether the outputs or the inputs of a stage differ, and which of them."""
    outputs = _different(_files(old.outs), _files(new.outs))
    inputs = ", ".join(_different(_inputs(old), _inputs(new)))
    if outputs:
        why = f"as do its inputs {inputs}" if inputs else "from the same inputs"
        return f"differs: {', '.join(outputs)}, {why}"
    if inputs:
        return f"differs: {LOCK} names other inputs: {inputs}"
    # A user can commit an edited file without the dvc.lock that belongs to it.
    for path in changed:
        if any(Path(path).is_relative_to(out.path) for out in new.outs):
            return f"differs: {path} was committed with other bytes than {LOCK} names"
    return SAME


def _different(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _files(files: Sequence[File]) -> dict[str, object]:
    return {file.path: file for file in files}


def _inputs(entry: Entry) -> dict[str, object]:
    """Return the command, the dependencies, and the values of params.yaml by their
    keys, in one mapping.
    """
    inputs = {"cmd": entry.cmd} | _files(entry.deps)
    for values in entry.params.values():
        inputs.update(values)
    return inputs


def _print_findings(
    findings: Mapping[str, str], folder: Path, strays: Sequence[str] = ()
) -> bool:
    """Print the findings and the files of `_strays`.

    Return whether all committed stages are the same, and there are no such files.
    """
    width = max(map(len, findings), default=0)
    for stage, finding in findings.items():
        print(f"{stage:{width}}  {finding}")
    for path in strays:
        print(f"{path} is committed, but no stage in {LOCK} made it.")
    compared = [finding for finding in findings.values() if finding != NOT_COMMITTED]
    same = compared.count(SAME)
    count = len(compared)
    if len(findings) > count:
        print(f"Stages that are not committed: {len(findings) - count}.")
    if compared and same == count and not strays:
        print(f"All {same} stages have the same bytes.")
        return True
    print(f"{same} of {count} stages have the same bytes. What was built: {folder}")
    return False


def _print_metric_differences(rebuilt: Path) -> None:
    """Print the metrics in the workspace `rebuilt` that are not the committed ones."""
    # What was not built is no difference between metrics.
    missing = _changed(rebuilt, "--diff-filter=D")
    if missing:
        git(rebuilt, "checkout", "--quiet", "HEAD", "--", *missing)
    metrics = dvc(rebuilt, "metrics", "diff", "HEAD", "--precision", "9")
    print(f"The metrics that differ:\n{metrics}")


def environment(root: Path, jobs: int) -> dict[str, str]:
    """Return the environment variables of a build in the workspace at `root`.

    They are this process's, without those that belong to the caller's workspace.
    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN)
    }
    # The clone's code comes before the installed `unroll`.
    if (root / "unroll").is_dir():
        variables["PYTHONPATH"] = os.pathsep.join(
            [str(root), variables.get("PYTHONPATH", "")]
        )
    variables["DVC_SITE_CACHE_DIR"] = str(root / ".dvc" / "site")
    variables["UNROLL_JOBS"] = str(jobs)
    return repro.environment(Workspace(root), variables)


def last_commit(root: Path) -> str:
    """Return the hash of the last commit of the workspace at `root`.

    Raises:
        UnrollError: `root` is not the top of a repository, or git cannot read its last
            commit.
    """
    try:
        commit = git(root, "rev-parse", "HEAD").strip()
        inside = git(root, "rev-parse", "--show-prefix").strip()
    except UnrollError as error:
        raise UnrollError(
            f"git cannot read the last commit of {root} ({error})"
        ) from None
    if inside:
        raise UnrollError(
            f"{root} is not the top of its git repository, so it has no commit of its "
            "own; run this at the top, or run `git init` in the folder and commit it"
        )
    return commit


def clone(root: Path, folder: Path) -> None:
    """Clone the last commit of the repository at `root` into a new folder.

    The clone has a DVC cache of its own, and none of the commit's runs, stores, caches
    and compiled code. Its objects are transferred, and not shared, so git finds those
    that are not what their hash says.

    Raises:
        UnrollError: git refuses, or the commit holds a link or a submodule.
    """
    git(root, "clone", "--quiet", "--no-local", ".", str(folder.resolve()))
    for entry in paths(git(folder, "ls-tree", "-r", "-z", "HEAD")):
        about, _, name = entry.partition("\t")
        if about.startswith(ELSEWHERE):
            raise UnrollError(
                f"{name} is a link or a submodule, so this commit alone does not say "
                "what it holds; commit the files themselves"
            )
        if PurePosixPath(name).suffix in COMPILED:
            remove(folder / name)
    for path in (folder / ".dvc").glob("*"):
        if path.name not in OF_DVC:
            remove(path)
    for name in STORES:
        remove(folder / name)
    write_text(folder / ".dvc" / "config.local", OWN_CACHE)


def paths(output: str) -> list[str]:
    """Return the paths in an output of git's option `-z`."""
    return [path for path in output.split("\0") if path]


def remove_within(folder: Path, name: str) -> None:
    """Remove a path in a folder. Nothing outside of the folder is removed."""
    if not name.startswith("/") and ".." not in PurePosixPath(name).parts:
        remove(folder / name)
