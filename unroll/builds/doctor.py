"""The command `doctor`: checks of this machine, of params.yaml, and of what was built."""

import json
import os
import platform
import shlex
from collections.abc import Sequence
from typing import Any

from pipeline import numeric_settings
from pipeline.config.named_modules import EXTENSIONS
from pipeline.config.params import OFFICIAL, official
from pipeline.errors import UnrollError, one_line, printable
from pipeline.provenance import fingerprint, machine
from pipeline.provenance.places import (
    CODE,
    NUMERICS,
    PACKAGES,
    REQUIREMENTS,
    project_folder,
    project_of,
)
from unroll.builds.repro import OF_DATASET, dvc
from unroll.dvc_lock import LOCK, locked
from unroll.project import Project
from unroll.results.show import sections


def doctor(project: Project) -> list[tuple[str, bool, str]]:
    """Return the name of each check, whether it passed, and a finding or an advice.

    A failure does not stop the other checks.
    """
    root = project.workspace.root
    checks = [
        ("unroll", _unroll, project),
        ("packages", _packages, project),
        # Outside of a project it is that of the four documents.
        ("params.yaml", _params, Project(project_folder(root))),
    ]
    if (root / LOCK).exists():
        checks.append(("data sets", _data_sets, project))
    findings = []
    for name, check, of in checks:
        try:
            findings.append((name, True, check(of)))
        except UnrollError as error:
            findings.append((name, False, str(error)))
    findings += [(name, True, text) for name, text in _variables().items()]
    return [(name, fit, printable(one_line(text))) for name, fit, text in findings]


def _variables() -> dict[str, str]:
    """Return environment variable -> its value, and whether Unroll ignores it."""
    said = {
        name: f"{value!r}; ignored" for name, value in numeric_settings.ignored.items()
    }
    paths = os.pathsep.join(numeric_settings.foreign_paths())
    if paths:
        said["PYTHONPATH"] = f"{paths!r}; counts, after Unroll's own packages"
    kept = os.environ.get(machine.KEEP, "").split(",")
    for name in {*machine.VARIABLES, *kept} & os.environ.keys():
        value = repr(os.environ[name])
        if name in kept or name in numeric_settings.FROM_START:
            said[name] = f"{value}; counts, and results may have other bits"
        elif name.endswith("_THREADS"):
            said[name] = f"{value}; counts, and results have the same bits"
    return said


def _unroll(project: Project) -> str:
    installed = "in its checkout" if project_of(CODE) == CODE else "installed"
    text = f"{fingerprint.package()}, {installed}"
    if project.workspace.params.is_file():
        return text
    return f"{text}; no project here, so what follows is about the four documents"


def _packages(project: Project) -> str:
    lock = project_folder(project.workspace.root, REQUIREMENTS) / REQUIREMENTS
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


def _params(project: Project) -> str:
    config = project.every
    for name in {*config.sources, *config.datasets, *config.runs}:
        sections(config, name)
    counted = (
        f"; {OFFICIAL} is counted, too" if official(project.workspace.params) else ""
    )
    return (
        f"{len(config.sources)} sources, {len(config.datasets)} data sets, "
        f"{len(config.runs)} experiments, all valid{counted}"
    )


def _data_sets(project: Project) -> str:
    """Say which data sets were built by other code than today's.

    It is what `dvc status` says of the code that their stages depend on. Files that
    are not on this machine do not count.
    """
    root = project.workspace.root
    edited = set()
    for stage, changes in json.loads(dvc(root, "status", "--json")).items():
        kind, _, name = stage.partition("@")
        if kind in OF_DATASET and any(map(_is_of_code, changes)):
            edited.add(name)
    built = locked(root / LOCK)
    names = [name for name in project.params.experiments if f"evaluate@{name}" in built]
    old = [name for name in names if name in edited]
    return said_of(old, [name for name in names if name not in edited])


def said_of(old: Sequence[str], current: Sequence[str]) -> str:
    """Return one line on the data sets that are out of date, and on the others."""
    if not old:
        return f"all {len(current)} were built by today's code"
    said = ", ".join(old)
    if not current:
        said = "every data set"
    elif len(old) > len(current):
        said = f"every data set other than {', '.join(current)}"
    return f"out of date against today's code: {said}; `unroll repro` builds them"


def _is_of_code(change: Any) -> bool:
    """Return whether a change of a stage, as DVC tells it, is one of code."""
    paths = change.get("changed deps", {}) if isinstance(change, dict) else {}
    code = {*PACKAGES, EXTENSIONS}
    return any(path == NUMERICS or path.partition("/")[0] in code for path in paths)
