"""The command `doctor`: checks of this machine, params.yaml and claims.yaml."""

import os
import platform
import shlex
import shutil

from pipeline import numerics
from pipeline.config import params
from pipeline.config.params import OFFICIAL
from pipeline.errors import UnrollError, one_line, printable
from pipeline.evaluation import answers, claims, schema
from pipeline.provenance import fingerprint, machine
from pipeline.provenance.git import git
from pipeline.provenance.places import CODE, REQUIREMENTS, project_folder, project_of
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.results.show import sections

ROOM = 3 * 1024**3
"""The most bytes that a full build takes, with its DVC cache."""


def doctor(workspace: Workspace) -> list[tuple[str, bool, str]]:
    """Return the name of each check, whether it passed, and a finding or an advice.

    A failure does not stop the other checks.
    """
    # Outside of a project, the four documents that come with the package are checked.
    looked_at = Workspace(project_folder(workspace.root))
    checks = [
        ("unroll", _unroll, workspace),
        ("packages", _packages, workspace),
        ("params.yaml", _params, looked_at),
    ]
    if looked_at.claims.exists():  # a project for own series has none
        checks.append(("claims.yaml", _claims, looked_at))
    if looked_at.answers.exists():
        checks.append(("searches", _searches, looked_at))
    checks.append(("folder", _folder, workspace))
    if (workspace.root / ".git").exists():
        checks.append(("git", _git, workspace))
    findings = []
    for name, check, of in checks:
        try:
            findings.append((name, True, check(of)))
        except UnrollError as error:
            findings.append((name, False, str(error)))
    for name, text in _variables().items():
        findings.append((name, True, text))
    return [(name, fit, printable(one_line(text))) for name, fit, text in findings]


def _git(workspace: Workspace) -> str:
    git(workspace.root, "rev-parse", "--git-dir")
    return "reads this repository"


def _variables() -> dict[str, str]:
    """Return environment variable -> its value, and whether Unroll ignores it."""
    said = {name: f"{value!r}; ignored" for name, value in numerics.ignored.items()}
    paths = os.pathsep.join(numerics.foreign_paths())
    if paths:
        said["PYTHONPATH"] = f"{paths!r}; counts, after Unroll's own packages"
    kept = os.environ.get(machine.KEEP, "").split(",")
    for name in {*machine.VARIABLES, *kept} & os.environ.keys():
        value = repr(os.environ[name])
        if name in kept or name in numerics.FROM_START:
            said[name] = f"{value}; counts, and results may have other bits"
        elif name.endswith("_THREADS"):
            said[name] = f"{value}; counts, and results have the same bits"
    return said


def _unroll(workspace: Workspace) -> str:
    installed = "in its checkout" if project_of(CODE) == CODE else "installed"
    text = f"{fingerprint.package()}, {installed}"
    if workspace.params.is_file():
        return text
    return f"{text}; no project here, so what follows is about the four documents"


def _packages(workspace: Workspace) -> str:
    lock = project_folder(workspace.root, REQUIREMENTS) / REQUIREMENTS
    locked = machine.locked(lock)
    installed = machine.installed(locked)
    others = [
        f"{name} {has} (locked {locked[name]})"
        for name, has in installed.items()
        if has != locked[name]
    ]
    if not others:
        return f"Python {platform.python_version()}, {len(installed)} as locked"
    cure = f"run `pip install unroll --constraint {shlex.quote(str(lock))}` again"
    if project_of(CODE) == CODE:
        # without a new lock, make does nothing as long as there is a .venv
        cure = "remove .venv, and run `make test` or `make demo` again"
    named = ", ".join(others[:5])
    raise UnrollError(f"the versions of {named} differ from {lock.name}; {cure}")


def _params(workspace: Workspace) -> str:
    config = params.load_all(workspace.params)
    for name in {*config.sources, *config.datasets, *config.runs}:
        sections(config, name)
    official = params.official(workspace.params)
    return (
        f"{len(config.sources)} sources, {len(config.datasets)} data sets, "
        f"{len(config.runs)} experiments, all valid"
        f"{f'; {OFFICIAL} is counted, too' if official else ''}"
    )


def _claims(workspace: Workspace) -> str:
    config = params.load_all(workspace.params)
    published = claims.load(workspace.claims)
    here = len(claims.known(published, config))
    if here == len(published):
        return f"{here} claims, all about experiments that exist"
    # The demo has the documents' claims, and a part of their experiments.
    documents = params.load_all(Workspace(project_folder(CODE)).params)
    for number, claim in enumerate(published, 1):
        for name in claim.experiments:
            if name not in documents.runs:
                one_of(name, config.runs, f"claims.yaml: claim {number}: experiment")
    return f"{len(published)} claims, {here} of them about experiments of this folder"


def _searches(workspace: Workspace) -> str:
    config = params.load(workspace.params)
    few = [
        f"{dataset}/{name} {count}"
        for dataset, evaluation in schema.load_all(workspace, config).items()
        for name, count in answers.lacking_searches(evaluation).items()
    ]
    of_whom = f"models within {100 * answers.NEAR:g} % of their side's best"
    if not few:
        return f"all {of_whom} have {answers.SEARCHES} searches or more"
    return (
        f"{len(few)} {of_whom} have fewer than {answers.SEARCHES} searches: "
        f"{', '.join(few)}"
    )


def _folder(workspace: Workspace) -> str:
    if not workspace.root.is_dir():
        raise UnrollError(f"{workspace.root} is no folder; `unroll --root` names one")
    if not os.access(workspace.root, os.W_OK):
        raise UnrollError(
            f"you may not write to {workspace.root}; change its permissions, or work in "
            "another folder"
        )
    free = shutil.disk_usage(workspace.root).free
    if free < ROOM:
        raise UnrollError(
            f"the disk has {free / 1e9:.1f} GB free, and a full build takes up to "
            f"{ROOM / 1e9:.1f} GB; free some room"
        )
    return f"writable, {free / 1e9:.0f} GB free"
