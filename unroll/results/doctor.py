"""Is this machine fit, and is every value of params.yaml and claims.yaml valid?"""

import json
import os
import platform
import shutil
import subprocess
from functools import partial

from pipeline import numerics
from pipeline.config import params
from pipeline.errors import UnrollError, one_line, printable
from pipeline.evaluation import claims
from pipeline.provenance import fingerprint, machine, record
from pipeline.provenance.machine import CODE, REQUIREMENTS, documents, repository
from pipeline.training import keras_models
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.results.show import sections

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""


def doctor(workspace: Workspace) -> list[tuple[str, bool, str]]:
    """Of every check what was looked at, whether it is fit, and what was found or what
    to do. None stops the others.
    """
    # Without a project the four documents, which come with the package, are looked at.
    looked_at = Workspace(documents(workspace.root))
    checks = {
        "unroll": partial(_unroll, workspace),
        "packages": partial(_packages, workspace),
    }
    checks |= {"params.yaml": partial(_params, looked_at)}
    if looked_at.claims.exists():  # a project of one's own has none
        checks["claims.yaml"] = partial(_claims, looked_at)
    checks["folder"] = partial(_folder, workspace)
    if (workspace.root / ".git").exists():
        checks["git"] = partial(_git, workspace)
    findings = []
    for name, check in checks.items():
        try:
            fit = True
            text = check()
        except UnrollError as error:
            fit = False
            text = str(error)
        findings.append((name, fit, printable(one_line(text))))
    return [
        *findings,
        *(
            (name, True, printable(one_line(text)))
            for name, text in _settings().items()
        ),
    ]


def _git(workspace: Workspace) -> str:
    command = [*record.GIT, "rev-parse", "--git-dir"]
    try:
        subprocess.run(
            command, cwd=workspace.root, capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as error:
        raise UnrollError(error.stderr) from None
    except FileNotFoundError:
        raise UnrollError("git is not on PATH; install it") from None
    return "reads this repository"


def _settings() -> dict[str, str]:
    """Variable or file of the user's that libraries would read -> what it says, and
    whether that counts.
    """
    said = {name: f"{value!r}; ignored" for name, value in numerics.ignored.items()}
    if paths := numerics.foreign_paths():
        said["PYTHONPATH"] = (
            f"{os.pathsep.join(paths)!r}; counts, after Unroll's own packages"
        )
    keep = os.environ.get(numerics.KEEP, "").split(",")
    for name in {
        **dict.fromkeys(machine.VARIABLES),
        **dict.fromkeys(keep),
    }.keys() & os.environ.keys():
        if name in keep or name in numerics.FROM_START:
            said[name] = (
                f"{os.environ[name]!r}; counts, and results may have other bits"
            )
        elif name.endswith("_THREADS"):
            said[name] = f"{os.environ[name]!r}; counts, and results have the same bits"
    file = numerics.keras_file().expanduser()
    try:
        settings = json.loads(file.read_bytes())
        others = {
            name: value
            for name, value in settings.items()
            if keras_models.SETTINGS.get(name) != value
        }
        if others:
            said[str(file)] = f"{others}; ignored"
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, AttributeError, RuntimeError) as error:
        said[str(file)] = f"it cannot be read ({error}); ignored"
    return said


def _unroll(workspace: Workspace) -> str:
    installed = "in its checkout" if repository(CODE) == CODE else "installed"
    without = (
        ""
        if workspace.params.is_file()
        else "; no project here, so what follows is about the four documents"
    )
    return f"{fingerprint.package()}, {installed}{without}"


def _packages(workspace: Workspace) -> str:
    lock = documents(workspace.root, REQUIREMENTS) / REQUIREMENTS
    locked = record.locked(lock)
    installed = record.installed(locked)
    if others := [
        f"{name} {has} (locked {locked[name]})"
        for name, has in installed.items()
        if has != locked[name]
    ]:
        by_pip = f"`pip install unroll --constraint {lock}`"
        again = "`make test` or `make demo`" if repository(CODE) == CODE else by_pip
        raise UnrollError(
            f"{', '.join(others[:5])} differ from {lock.name}; run {again} again"
        )
    return f"Python {platform.python_version()}, {len(installed)} as locked"


def _params(workspace: Workspace) -> str:
    config = params.load(workspace.params)
    for name in dict.fromkeys([*config.sources, *config.datasets, *config.runs]):
        sections(config, name, theirs=True)
    counts = f"{len(config.sources)} sources, {len(config.datasets)} data sets, {len(config.runs)} experiments"
    return f"{counts}, all valid"


def _claims(workspace: Workspace) -> str:
    config = params.load(workspace.params)
    published = claims.load(workspace.claims)
    for number, claim in enumerate(published, 1):
        for name in claim.experiments:
            one_of(name, config.runs, f"claims.yaml: claim {number}: experiment")
    return f"{len(published)} claims, all about experiments that exist"


def _folder(workspace: Workspace) -> str:
    if not os.access(workspace.root, os.W_OK):
        raise UnrollError(
            f"{workspace.root} must be a folder that you may write to; see its permissions"
        )
    free = shutil.disk_usage(workspace.root).free
    if free < ROOM:
        raise UnrollError(
            f"{free / 1e9:.1f} GB free, a full build takes up to {ROOM / 1e9:.1f} GB; free some room"
        )
    return f"writable, {free / 1e9:.0f} GB free"
