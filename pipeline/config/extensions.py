"""Modules of the user's own: unroll_extensions/models/mine.py, beside params.yaml, is found as `pipeline.models.mine`.

They are added to the registries' packages, so all that is true of our modules is true of them: the schema from a
signature, the errors, and that a stage depends on exactly those that it uses.
"""

import importlib
import sys
from pathlib import Path

from pipeline.errors import UsageError, one_line

NAME = "unroll_extensions"
KINDS = {
    "pipeline.models": "models",
    "pipeline.training.methods": "methods",
    "pipeline.data.sources": "sources",
    "pipeline.data.preparations": "preparations",
}
"""Registry package -> the folder in `unroll_extensions` whose modules it gets, too."""

DEFINES = {"models": "MODELS", "methods": "train", "sources": "produce", "preparations": "prepare"}
"""Folder -> what each module in it has to define."""

_root = Path()


def use(root: Path) -> None:
    """Let the registries find what lies in `root`/unroll_extensions, and no other project's any more."""
    global _root  # noqa: PLW0603 - Python's own import system, which this is a part of, is of the whole process
    if root.resolve() == _root:
        return
    for name, module in list(sys.modules.items()):
        if f"/{NAME}/" in Path(getattr(module, "__file__", None) or "").as_posix():
            del sys.modules[name]
    _root = root.resolve()


def extend(package: str) -> list[str]:
    """The folders that hold a registry package's modules: ours, and the user's behind it."""
    folders = importlib.import_module(package).__path__
    if package in KINDS:
        folders[1:] = [str(_root / NAME / KINDS[package])]
    return [*folders]


def file(name: str) -> Path | None:
    """Where a module of a registry package lies in the user's folder; None where it is not there."""
    return _root / path(name) if (_root / path(name)).is_file() else None


def path(name: str) -> str:
    """Where a module of a registry package would lie in a user's project."""
    package, _, module = name.rpartition(".")
    return f"{NAME}/{KINDS.get(package, package)}/{module}.py"


def load(name: str) -> None:
    """Import a user's module, which has to be one of its kind. Raises UsageError, in one line."""
    if file(name) is None:
        return
    shown, needed = path(name), DEFINES[KINDS[name.rpartition(".")[0]]]
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise UsageError(f"{shown} cannot be imported: {type(error).__name__}: {one_line(str(error)):.200}") from error
    if not hasattr(module, needed) or (needed == "train" and not hasattr(module, "TRAINS")):
        also = " and `TRAINS`" * (needed == "train")
        raise UsageError(f"{shown} must define `{needed}`{also}; `docs/anywhere.md` has an example")
