"""Modules of the user's own: unroll_extensions/models/mine.py, beside params.yaml, is
found as `pipeline.models.mine`.

Their folders are added to the registries' packages, so all that is true of our modules
is true of them: the schema from a signature, the errors, and that a stage depends on
exactly those that it uses.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from pipeline.errors import UsageError, one_line

NAME = "unroll_extensions"
KINDS = {
    "pipeline.models": ("models", ["MODELS"]),
    "pipeline.training.methods": ("methods", ["train", "TRAINS"]),
    "pipeline.data.sources": ("sources", ["produce"]),
    "pipeline.data.preparations": ("preparations", ["prepare", "METRIC"]),
}
"""Registry package -> the folder in `unroll_extensions` whose modules it gets, too;
what each of them has to define."""

_root = Path()


def use(root: Path) -> None:
    """Let the registries find what lies in `root`/unroll_extensions, and no other
    project's any more.
    """
    # Like Python's import system, which this is a part of, it is of the whole process.
    global _root  # noqa: PLW0603
    if root.resolve() != _root:
        for name, module in list(sys.modules.items()):
            if f"/{NAME}/" in Path(getattr(module, "__file__", None) or "").as_posix():
                del sys.modules[name]
        _root = root.resolve()


def folders(package: str) -> list[str]:
    """The folders that hold a registry package's modules: ours, and the user's behind
    it.
    """
    paths = importlib.import_module(package).__path__
    if package in KINDS:
        paths[1:] = [str(_root / NAME / KINDS[package][0])]
    return [*paths]


def file(name: str) -> Path | None:
    """Where a module of a registry package lies in the user's folder; None where it is
    not there.
    """
    return _root / path(name) if (_root / path(name)).is_file() else None


def ours(name: str) -> bool:
    """Whether a module of a registry package is Unroll's: to import it runs nobody
    else's code.
    """
    package, _, module = name.rpartition(".")
    return (Path(folders(package)[0]) / f"{module}.py").is_file()


def path(name: str) -> str:
    """Where a module of a registry package would lie in a user's project."""
    package, _, module = name.rpartition(".")
    return f"{NAME}/{KINDS.get(package, (package,))[0]}/{module}.py"


def load(name: str) -> ModuleType:
    """Import a module of a registry package. Raises UsageError where the user's is not
    one of its kind.
    """
    own = file(name)
    try:
        module = importlib.import_module(name)
    except Exception as error:
        if not own:
            raise
        why = f"{type(error).__name__}: {one_line(str(error)):.200}"
        raise UsageError(f"{path(name)} cannot be imported: {why}") from error
    for word in KINDS[name.rpartition(".")[0]][1] if own else ():
        if not hasattr(module, word):
            raise UsageError(
                f"{path(name)} must define `{word}`, "
                "as Unroll's own modules of this kind do"
            )
    return module
