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
    path = importlib.import_module(package).__path__
    if package in KINDS:
        path[1:] = [str(_root / NAME / KINDS[package])]
    return [*path]


def file(name: str) -> Path | None:
    """Where a module of a registry package lies in the user's folder; None where it is not there."""
    package, _, module = name.rpartition(".")
    path = _root / NAME / KINDS.get(package, "") / f"{module}.py"
    return path if package in KINDS and path.is_file() else None


def load(name: str) -> None:
    """Import a user's module, which has to be one of its kind. Raises UsageError, in one line."""
    path = file(name)
    if path is None:
        return
    shown, needed = path.relative_to(_root).as_posix(), DEFINES[path.parent.name]
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise UsageError(f"{shown} cannot be imported: {type(error).__name__}: {one_line(str(error)):.200}") from error
    if not hasattr(module, needed) or (needed == "train" and not hasattr(module, "TRAINS")):
        also = " and `TRAINS`" * (needed == "train")
        raise UsageError(f"{shown} must define `{needed}`{also}; `docs/anywhere.md` has an example")
