"""Is this machine fit, and is every value of params.yaml and claims.yaml valid?"""

import os
import platform
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib import metadata

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError, one_line, printable
from pipeline.evaluation import claims
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.results.show import sections

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""


def doctor(workspace: Workspace) -> list[tuple[str, bool, str]]:
    """Of every check what was looked at, whether it is fit, and what was found or what to do. None stops the others."""
    wanted = cache(lambda: params.load(workspace.params))
    checks: dict[str, Callable[[], str]] = {
        "packages": partial(_packages, workspace),
        "params.yaml": lambda: _params(wanted()),
        "claims.yaml": lambda: _claims(wanted(), workspace),
        "folder": partial(_folder, workspace),
    }
    return [(check, *_look(function)) for check, function in checks.items()]


def _look(function: Callable[[], str]) -> tuple[bool, str]:
    try:
        ok, text = True, function()
    except UnrollError as error:
        ok, text = False, str(error)
    return ok, printable(one_line(text))


def _packages(workspace: Workspace) -> str:
    lock = workspace.root / ".ci/locks/requirements.lock"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    installed, other = 0, []
    for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", text):
        with suppress(metadata.PackageNotFoundError):  # it is for another system
            has = metadata.version(name)
            installed += 1
            if has != version:
                other.append(f"{name} {has} (locked {version})")
    if other:
        raise UnrollError(f"{', '.join(other[:5])} differ from requirements.lock; run `make test` or `make demo` again")
    said = f"{installed} as locked" if text else "no .ci/locks/requirements.lock here"
    return f"Python {platform.python_version()}, {said}"


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
