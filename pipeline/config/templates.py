"""What entries of params.yaml leave out: taken from templates, and of a training from the data set. All plain data."""

from collections.abc import Mapping
from typing import Any

import pydantic

from pipeline.errors import UsageError
from pipeline.validation import one_of


class _Entry(pydantic.BaseModel, strict=True):
    """What is read of an entry here."""

    like: str | list[str] = []
    dataset: str = ""
    training: dict[str, Any] = {}


SECTIONS = pydantic.TypeAdapter(dict[str, dict[str, _Entry]])


def complete(whole: Any) -> Any:
    """The sections of params.yaml, every entry with all that it says itself, by its templates or by its data set.

    What is no sections of entries comes back as it is: whoever validates it says what is wrong.

    Raises:
        UsageError: `like` names no template and no entry of the same section, or an entry is like itself.
    """
    try:
        SECTIONS.validate_python(whole)
    except pydantic.ValidationError:
        return whole
    templates = whole.get("templates", {})
    found = {
        section: {
            name: _filled(entry, {**entries, **templates}, (f"{section}.{name}",)) for name, entry in entries.items()
        }
        for section, entries in whole.items()
        if section != "templates"
    }
    for name, experiment in found.get("experiments", {}).items():
        dataset = found.get("datasets", {}).get(experiment.get("dataset"), {})
        usual = {key: dataset[key] for key in ("seeds", "training") if key in dataset}
        method = usual.get("training", {}).get("method")
        if method and experiment.get("training", {}).get("method", method) == method:
            found["experiments"][name] = merged(usual, experiment)
    return found


def merged(base: Any, over: Any) -> Any:
    """`over`, and of a mapping also what only `base` has, at any depth."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **over, **{key: merged(base[key], over[key]) for key in base.keys() & over.keys()}}
    return over


def _filled(entry: Mapping[str, Any], models: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """An entry with what it takes from those that it is like, of several what the last says; `path` leads to it."""
    like: str | list[str] = entry.get("like", [])
    found: Any = {}
    for name in [like] if isinstance(like, str) else like:
        one_of(name, models, f"params.yaml: {path[-1]}.like")
        if name in path[1:]:
            raise UsageError(f"params.yaml: {name} is like itself, by way of {', '.join(path[1:])}")
        found = merged(found, _filled(models[name], models, (*path, name)))
    return merged(found, {key: value for key, value in entry.items() if key != "like"})
