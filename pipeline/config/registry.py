"""Names in params.yaml -> functions, and a function's signature -> the schema of its
section.

Each of the packages below is a registry: a module in it is a name that params.yaml may
use. Only the module that is asked for is imported, so a DVC stage depends on that one
and not on its neighbours.
"""

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from types import ModuleType
from typing import Any

import pydantic

from pipeline.config import extensions
from pipeline.config.params import Params
from pipeline.errors import UsageError
from pipeline.validation import Strict, one_of, validated

SOURCES = "pipeline.data.sources"
PREPARATIONS = "pipeline.data.preparations"
MODELS = "pipeline.models"
METHODS = "pipeline.training.methods"
METRICS = "pipeline.metrics"


def modules(package: str) -> list[str]:
    """The names that a registry package holds, such as `modules(METHODS)`; with those
    of the user's own project.

    Raises:
        UsageError: the user's has a name of ours.
    """
    ours, *own = (
        [module.name for module in pkgutil.iter_modules([path])]
        for path in extensions.folders(package)
    )
    names = [*ours, *chain.from_iterable(own)]
    if len(names) > len({*names}):
        twice = next(name for name in ours if names.count(name) > 1)
        raise UsageError(
            f"{extensions.path(f'{package}.{twice}')}: Unroll has this name, too; "
            "give yours another one"
        )
    return sorted(names)


def full_name(package: str, name: str, where: str) -> str:
    """The full name of one module of a registry package. Raises UsageError if there is
    none, by its place.
    """
    return f"{package}.{one_of(name, modules(package), f'params.yaml: {where}')}"


def module(package: str, name: str, where: str) -> ModuleType:
    """Import one module of a registry package; arguments and errors as in `full_name`."""
    return extensions.load(full_name(package, name, where))


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
    fields: dict[str, Any] = {
        name: (
            parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    valid = validated(
        pydantic.create_model("Options", __base__=Strict, **fields),
        dict(section),
        "params.yaml",
        where,
    )
    return {name: getattr(valid, name) for name in fields}


def source(params: Params, name: str) -> partial[Any]:
    """What produces a source: call it with an empty folder and a `Context`. Raises
    UsageError if params are wrong.
    """
    section = params.source(name)
    where = f"sources.{name}"
    produce = module(SOURCES, section.kind, f"{where}.kind").produce
    return partial(produce, **options(produce, section.options, where))


def preparation(params: Params, name: str) -> partial[Any]:
    """What prepares a data set: call it with its name and its source's folder. Raises
    UsageError as `source`.
    """
    section = params.dataset(name).preparation
    where = f"datasets.{name}.preparation"
    prepare = module(PREPARATIONS, section.name, f"{where}.name").prepare
    return partial(prepare, **options(prepare, section.options, where))
