"""Is this machine fit, and is every value of params.yaml and claims.yaml valid?"""

import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.data.download import is_address
from pipeline.errors import UnrollError, one_line, printable, without_password
from pipeline.evaluation import claims
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.results.show import sections
from unroll.runner.eta import ROOM


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        check: what was looked at.
        ok: whether it is fit.
        text: what was found, or what is wrong and what to do.
    """

    check: str
    ok: bool
    text: str


def doctor(workspace: Workspace) -> list[Finding]:
    """Every check, in order. No check stops the others."""
    wanted = cache(lambda: params.load(workspace.params))
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "packages": partial(_packages, workspace),
        "commands": _commands,
        "params.yaml": lambda: _params(wanted()),
        "claims.yaml": lambda: _claims(wanted(), workspace),
        "folder": partial(_folder, workspace),
        "mirror": _mirror,
    }
    return [_look(check, function) for check, function in checks.items()]


def _look(check: str, function: Callable[[], str]) -> Finding:
    try:
        ok, text = True, function()
    except UnrollError as error:
        ok, text = False, str(error)
    except OSError as error:
        ok, text = False, f"{error.filename} cannot be read: {error.strerror}"
    return Finding(check, ok, printable(one_line(text)))


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise UnrollError(f"{version} is not supported; install Python 3.11, 3.12 or 3.13 and run `make` again")
    return version


def _packages(workspace: Workspace) -> str:
    lock = workspace.root / "locks/requirements.lock"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""  # with packages of other systems
    locked = {_normal(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", text)}
    installed = {_normal(str(d.metadata["Name"])): d.version for d in metadata.distributions()}
    other = [f"{name} {installed[name]} (locked {v})" for name, v in locked.items() if installed.get(name, v) != v]
    if other:
        raise UnrollError(f"{', '.join(other[:5])} differ from requirements.lock; run `make test` or `make demo` again")
    missing = {"dvc", "keras", "mlflow", "numpy", "pandas"} - installed.keys()
    if missing:
        raise UnrollError(f"{', '.join(sorted(missing))} missing; run `make demo`, which installs them")
    return f"{sum(name in installed for name in locked)} as locked" if locked else "no locks/requirements.lock here"


def _normal(name: str) -> str:
    """The name of a package as every index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _commands() -> str:
    missing = [command for command in ("unroll", "dvc", "git") if shutil.which(command) is None]
    if missing:
        raise UnrollError(f"{', '.join(missing)} not on PATH; use `make`, or put .venv/bin first on PATH")
    return "unroll, dvc and git are on PATH"


def _params(every: Params) -> str:
    for name in dict.fromkeys([*every.sources, *every.datasets, *every.experiments]):
        sections(every, name)
    counts = f"{len(every.sources)} sources, {len(every.datasets)} data sets, {len(every.experiments)} experiments"
    return f"{counts}, all valid"


def _claims(every: Params, workspace: Workspace) -> str:
    published = claims.load(workspace.claims)
    for place, claim in enumerate(published, 1):
        for name in claim.experiments:
            one_of(name, every.experiments, f"claims.yaml: claim {place}: experiment")
    return f"{len(published)} claims, all about experiments that exist"


def _folder(workspace: Workspace) -> str:
    if not os.access(workspace.root, os.W_OK):
        raise UnrollError(f"{workspace.root} must be a folder that you may write to; see its permissions")
    free = shutil.disk_usage(workspace.root).free
    if free < ROOM:
        raise UnrollError(f"{free / 1e9:.1f} GB free, a full build takes up to {ROOM / 1e9:.1f} GB; free some room")
    return f"writable, {free / 1e9:.0f} GB free"


def _mirror() -> str:
    mirror = os.environ.get("UNROLL_MIRROR")
    if not mirror:
        return "UNROLL_MIRROR is not set; the official addresses are used"
    address = without_password(mirror)
    if not is_address(mirror) and not Path(mirror).is_dir():
        raise UnrollError(f"UNROLL_MIRROR must be a folder that exists or an https address. Received: {address}")
    return f"UNROLL_MIRROR is {address}"
