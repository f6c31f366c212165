"""The commands `list` and `show`: what params.yaml names, and whether and how it was built."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError, printable
from pipeline.files import read_json
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import tables

HASH = re.compile("[0-9a-f]{64}")


def listing(workspace: Workspace, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """One mapping per experiment, of these data sets (of all without), in the order of params.yaml, all plain data.

    Raises:
        UsageError: a name is no data set.
        UnrollError: params.yaml is missing or wrong.
    """
    every = params.load(workspace.params)
    for name in names:
        every.dataset(name)
    return [
        {
            "experiment": name,
            "dataset": experiment.dataset,
            "model": f"{experiment.model.family}.{experiment.model.name}",
            "method": experiment.training.method,
            "epochs": experiment.training.options.get("epochs"),
            "seeds": experiment.seeds,
            "score": _score(workspace, experiment.dataset, name),
            "built": (workspace.run(experiment.dataset, name) / "run.json").exists(),
        }
        for name, experiment in every.experiments.items()
        if not names or experiment.dataset in names
    ]


def _score(workspace: Workspace, dataset: str, experiment: str) -> Any:
    """Its score, of the build here, else as committed; None where there is none."""
    with contextlib.suppress(UnrollError):  # it is not there, or of no use, but the rest is worth listing
        headline = read_json(workspace.headline(dataset, experiment))
        return headline.get("score") if isinstance(headline, dict) else None
    return None


def show_list(experiments: Sequence[Mapping[str, Any]]) -> None:
    """Print what `listing` gave."""
    rows = [
        [
            *(row[key] for key in ("experiment", "dataset", "model", "method")),
            "" if row["epochs"] is None else str(row["epochs"]),
            str(len(row["seeds"])),
            "" if row["score"] is None else f"{row['score']:.4g}",
            "yes" if row["built"] else "no",
        ]
        for row in experiments
    ]
    tables.show(
        ("experiment", "data set", "model", "method", "epochs", "seeds", "score on test", "built"),
        rows,
        numeric=("epochs", "seeds", "score on test"),
        important=("built", "score on test", "data set", "model", "method", "seeds"),
    )


def show(workspace: Workspace, name: str) -> dict[str, Any]:
    """What params.yaml says of a source, data set or experiment of this name (all of them), and what was built.

    Raises:
        UsageError: there is no such name, or an option is wrong; the text lists what is valid.
        UnrollError: what was built is damaged.
    """
    every = params.load(workspace.params)
    one_of(name, [*every.sources, *every.datasets, *every.experiments], "the name")
    facts = sections(every, name)
    if "source" in facts:
        facts["source"] |= _built(workspace.raw(name) / "source.json")
    if "dataset" in facts:
        facts["dataset"] |= _built(workspace.prepared(name) / "dataset.json")
    if "experiment" in facts:
        dataset = every.experiments[name].dataset
        facts["experiment"] |= _built(workspace.run(dataset, name) / "run.json")
        if facts["experiment"]["built"]:
            facts["experiment"] |= _made(workspace, dataset, name, facts["experiment"]["built"])
        headline = workspace.headline(dataset, name)
        if headline.exists():
            facts["experiment"]["metrics"] = read_json(headline)
    return facts


def sections(every: Params, name: str) -> dict[str, dict[str, Any]]:
    """What params.yaml says of this name, every default filled in, all plain data.

    Raises:
        UsageError: an option is wrong; the text lists what is valid.
    """
    from pipeline.config import registry  # `unroll list` starts without NumPy
    from pipeline.training.recipe import recipe

    facts: dict[str, dict[str, Any]] = {}
    if name in every.sources:
        options = registry.source(every, name).keywords
        facts["source"] = {"name": name, "kind": every.sources[name].kind, "options": options}
    if name in every.datasets:
        section = every.datasets[name]
        preparation = {"name": section.preparation.name, **registry.preparation(every, name).keywords}
        facts["dataset"] = {"name": name, "source": section.source, "preparation": preparation}
        facts["dataset"]["experiments"] = list(every.experiments_of(name))
    if name in every.experiments:
        experiment = every.experiments[name]
        chosen = recipe(name, experiment)
        facts["experiment"] = {
            "name": name,
            "dataset": experiment.dataset,
            "calendar": experiment.calendar,
            "seeds": experiment.seeds,
            "model": {"family": experiment.model.family, "name": experiment.model.name, **chosen.build.keywords},
            "training": {"method": experiment.training.method, **chosen.method.keywords},
        }
    plain: dict[str, dict[str, Any]] = to_jsonable_python(facts)
    return plain


def _made(workspace: Workspace, dataset: str, name: str, run: Mapping[str, Any]) -> dict[str, Any]:
    """The fingerprint as the page cites it, and the record of where the run was made, or why there is none."""
    from pipeline.provenance import fingerprint, record

    cited = {"fingerprint": fingerprint.brief(run["fingerprint"])} if "fingerprint" in run else {}
    try:
        return cited | {"record": record.read(workspace, dataset, name).model_dump()}
    except UnrollError as error:
        return cited | {"no_record": str(error)}


def _built(path: Path) -> dict[str, Any]:
    return {"built": read_json(path) if path.exists() else None}


def lines(facts: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """The facts as indented text, values as params.yaml has them."""
    for name, value in facts.items():
        key = printable(str(name))
        if isinstance(value, Mapping) and value:
            yield " " * indent + f"{key}:"
            yield from lines(value, indent + 2)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield " " * indent + f"{key}:"
            for item in value:
                yield " " * (indent + 2) + ", ".join(f"{printable(k)} {text(v)}" for k, v in item.items())
        else:
            yield " " * indent + f"{key}: {'not built' if key == 'built' and value is None else text(value)}"


def text(value: Any) -> str:
    """A value as params.yaml has it, but a SHA-256 by its first digits, which tell it from any other."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    plain = printable(str(value))
    return f"{plain[:12]}..." if HASH.fullmatch(plain) else plain
