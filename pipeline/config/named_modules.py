"""Names in params.yaml -> functions, and a function's signature -> the schema of its
section.

Each package below is a registry: params.yaml may use the names of its modules. Only
the named module is imported, so a DVC stage does not depend on the other modules.

A user's own modules lie beside params.yaml: unroll_extensions/models/mine.py is found
as `pipeline.models.mine`. The user's folders are added to the registries' packages, so
own modules work like Unroll's modules.
"""

import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pydantic

from pipeline.errors import UsageError, one_line
from pipeline.validation import Strict, one_of, validated

SOURCES = "pipeline.data.sources"
PREPARATIONS = "pipeline.data.preparations"
MODELS = "pipeline.models"
METHODS = "pipeline.training.methods"
METRICS = "pipeline.metrics"

EXTENSIONS = "unroll_extensions"
"""The folder of a user's own modules, beside params.yaml."""

REQUIRED = {
    MODELS: ["MODELS", "CARDS"],
    METHODS: ["train", "TRAINS"],
    SOURCES: ["produce"],
    PREPARATIONS: ["prepare"],
}
"""Names that each module of a registry has to define."""


def make_folders(root: Path) -> None:
    """Make the folders of a user's own modules in `root`, on which DVC's stages depend."""
    for package in REQUIRED:
        folder = root / EXTENSIONS / package.rpartition(".")[2]
        folder.mkdir(parents=True, exist_ok=True)


_root = Path(os.devnull)
"""The folder of the user's project. Without a project it is no folder, so an answer
finds no module of the user."""


def use(root: Path) -> None:
    """Let the registries find the modules in `root`/unroll_extensions.

    Modules of another project are no longer found.
    """
    # The registries extend Python's imports, so their state is global as well.
    global _root  # noqa: PLW0603
    if root.resolve() != _root:
        for name, imported in list(sys.modules.items()):
            if f"/{EXTENSIONS}/" in (getattr(imported, "__file__", None) or ""):
                del sys.modules[name]
        _root = root.resolve()


def own_file(name: str) -> Path:
    """Return the path of a module in the user's project, whether or not it exists.

    `name` is the module's full name, such as pipeline.models.mine.
    """
    package, _, module_name = name.rpartition(".")
    return _root / EXTENSIONS / package.rpartition(".")[2] / f"{module_name}.py"


def is_ours(name: str) -> bool:
    """Return whether a module of a registry belongs to Unroll.

    Importing such a module runs no code of the user.
    """
    package, _, module_name = name.rpartition(".")
    ours = importlib.import_module(package).__path__[0]
    return (Path(ours) / f"{module_name}.py").is_file()


def modules(package: str) -> list[str]:
    """Return the names of a registry's modules, the user's included.

    For example, `modules(METHODS)`.
    """
    paths = importlib.import_module(package).__path__
    if package in REQUIRED:
        paths[1:] = [str(own_file(f"{package}.any").parent)]
    return sorted(each.name for each in pkgutil.iter_modules(paths))


def full_name(package: str, name: str, where: str) -> str:
    """Return the full name of a module of a registry.

    Raises UsageError if there is no such module; `where` is its place in params.yaml.
    """
    return f"{package}.{one_of(name, modules(package), f'params.yaml: {where}')}"


def module(package: str, name: str, where: str) -> ModuleType:
    """Import a module of a registry; arguments as in `full_name`.

    Raises:
        UsageError: there is no such module, or the user's module does not define the
            names in `REQUIRED`.
    """
    full = full_name(package, name, where)
    own = own_file(full)
    shown = f"{full.replace('.', '/')}.py"
    if own.is_file():
        shown = str(own.relative_to(_root))
        if is_ours(full):
            raise UsageError(
                f"{shown}: Unroll has this name, too; give yours another one"
            )
    try:
        imported = importlib.import_module(full)
    except Exception as error:
        why = f"{type(error).__name__}: {one_line(str(error)):.200}"
        raise UsageError(f"{shown} cannot be imported: {why}") from error
    for word in REQUIRED[package]:
        if not hasattr(imported, word):
            raise UsageError(
                f"{shown} must define `{word}`, as Unroll's own modules of this kind do"
            )
    return imported


def options(
    function: Callable[..., Any], section: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Validate a section of params.yaml against the keyword-only parameters of
    `function`.

    Args:
        function: a builder; its keyword-only parameters, their types and defaults are
            the schema.
        section: the options as read.
        where: the section's place in params.yaml, for the error text.

    Returns:
        Every keyword of the function with its validated value, defaults included.

    Raises:
        UsageError: an option is unknown, missing, of the wrong type or out of range.
    """
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            required = parameter.default is parameter.empty
            default = ... if required else parameter.default
            fields[name] = (parameter.annotation, default)
    schema = pydantic.create_model("Options", __base__=Strict, **fields)
    valid = validated(schema, dict(section), "params.yaml", where)
    return {name: getattr(valid, name) for name in fields}
