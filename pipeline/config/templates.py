"""What entries of params.yaml leave out: taken from templates, and of a training from the data set. All plain data."""

from collections.abc import Mapping
from typing import Any

import pydantic

from pipeline.errors import UsageError
from pipeline.validation import one_of

Entries = dict[str, dict[str, Any]]

SECTIONS = pydantic.TypeAdapter(dict[str, Entries])


def complete(whole: Any) -> Any:
    """The sections of params.yaml, every entry with all that it says itself, by its templates or by its data set.

    What is no section of entries comes back as it is: whoever validates it says what is wrong.

    Raises:
        UsageError: `like` names what is no template, or a template is like itself.
    """
    try:
        sections = SECTIONS.validate_python(whole)
    except pydantic.ValidationError:
        return whole
    templates = sections.pop("templates", {})
    for section, entries in sections.items():
        sections[section] = {name: _filled(entry, templates, f"{section}.{name}") for name, entry in entries.items()}
    datasets, experiments = sections.get("datasets", {}), sections.get("experiments", {})
    experiments |= {name: _trained_as_usual(entry, datasets) for name, entry in experiments.items()}
    return sections


def merged(base: Any, over: Any) -> Any:
    """`over`, and of a mapping also what only `base` has, at any depth."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **over, **{key: merged(base[key], over[key]) for key in base.keys() & over.keys()}}
    return over


def _filled(entry: dict[str, Any], templates: Entries, where: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """An entry with what it takes from its templates, of several what the last says."""
    own = {key: value for key, value in entry.items() if key != "like"}
    like = entry.get("like", [])
    names = like if isinstance(like, list) else [like]
    if not all(isinstance(name, str) for name in names):
        raise UsageError(f"params.yaml: {where}.like must name a template, or several. Received: {like!r:.80}")
    found: dict[str, Any] = {}
    for name in names:
        one_of(name, templates, f"params.yaml: {where}.like")
        if name in above:
            raise UsageError(f"params.yaml: templates.{name} is like itself, by way of {', '.join(above)}")
        found = merged(found, _filled(templates[name], templates, f"templates.{name}", (*above, name)))
    return dict(merged(found, own))


def _trained_as_usual(experiment: dict[str, Any], datasets: Entries) -> dict[str, Any]:
    """An experiment with what its data set says of seeds and training, if its training method is the same."""
    dataset, training = experiment.get("dataset"), experiment.get("training", {})
    usual = datasets.get(dataset, {}) if isinstance(dataset, str) else {}
    if not isinstance(usual.get("training"), dict) or not isinstance(training, dict):
        return experiment
    method = usual["training"].get("method")
    if training.get("method", method) != method:
        return experiment
    return dict(merged({key: usual[key] for key in ("seeds", "training") if key in usual}, experiment))
