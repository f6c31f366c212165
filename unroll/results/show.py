"""The commands `list` and `show`: what is in params.yaml, and what of it is built."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import to_jsonable_python

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.errors import UnrollError, printable
from pipeline.files import read_checked, read_json
from pipeline.validation import Metrics, one_of
from pipeline.workspace import Workspace
from unroll import tables

SHA256 = re.compile("[0-9a-f]{64}")


def listing(workspace: Workspace, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """One mapping per experiment of these data sets (of all, if none is named), in the
    order of params.yaml.

    Raises:
        UsageError: a name is no data set.
        UnrollError: params.yaml is missing or wrong.
    """
    config = params.load(workspace.params)
    for name in names:
        config.dataset(name)  # raises if there is none
    scores: dict[str, float] = {}
    for dataset in config.datasets:
        scores |= _scores(workspace, dataset)
    return [
        {
            "experiment": name,
            "dataset": experiment.dataset,
            "model": f"{experiment.model.family}.{experiment.model.name}",
            "method": experiment.training.method,
            "epochs": experiment.training.options.get("epochs"),
            "seeds": experiment.seeds,
            "score": scores.get(name),
            "built": (workspace.root / "runs" / name / "run.json").exists(),
        }
        for name, experiment in config.runs.items()
        if not names or experiment.dataset in names
    ]


def _scores(workspace: Workspace, dataset: str) -> dict[str, float]:
    """The score of each experiment of a data set that is evaluated, by its whole name:
    the measure that is first.
    """
    scores = {}
    with contextlib.suppress(UnrollError):  # one damaged file does not stop the list
        for name, metrics in read_checked(
            workspace.metrics(dataset), Metrics
        ).root.items():
            scores[f"{dataset}/{name}"] = next(iter(metrics.values()))
    return scores


def show_list(experiments: Sequence[Mapping[str, Any]], *, in_groups: bool) -> None:
    """Print the result of `listing` as a table: a line an experiment, or in groups a
    line a data set.
    """
    if in_groups:
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for row in experiments:
            groups.setdefault(row["dataset"], []).append(row)
        counts = [
            [
                name,
                *(
                    str(sum(row[key] not in {None, False} for row in rows))
                    for key in ("experiment", "score", "built")
                ),
            ]
            for name, rows in groups.items()
        ]
        header = ("data set", "experiments", "with a score", "run here")
        tables.show(header, counts, numeric=header[1:])
        print(
            "`unroll list NAME` lists the experiments of a data set, `unroll compare NAME` ranks them."
        )
        return
    rows = [
        [
            *(row[key] for key in ("experiment", "model", "method")),
            "" if row["epochs"] is None else str(row["epochs"]),
            str(len(row["seeds"])),
            "" if row["score"] is None else f"{row['score']:.4g}",
            "yes" if row["built"] else "no",
        ]
        for row in experiments
    ]
    tables.show(
        (
            "experiment",
            "model",
            "method",
            "epochs",
            "seeds",
            "score on test",
            "run here",
        ),
        rows,
        numeric=("epochs", "seeds", "score on test"),
        important=("run here", "score on test", "model", "method", "seeds"),
    )


def show(workspace: Workspace, name: str) -> dict[str, Any]:
    """The options and the build of the source, the data set and the experiment of this
    name; one at least exists.

    Raises:
        UsageError: there is no such name, or an option is wrong; the text lists what is
            valid.
        UnrollError: a file of the build is damaged.
    """
    config = params.load(workspace.params)
    one_of(name, [*config.sources, *config.datasets, *config.runs], "the name")
    facts = sections(config, name)
    from pipeline.data import dataset as datasets  # `unroll list` starts without NumPy
    from pipeline.data import manifest
    from pipeline.evaluation import schema
    from pipeline.training import run_folder

    if "source" in facts:
        facts["source"] |= _built(
            workspace.raw(name) / manifest.NAME, manifest.Manifest
        )
    if "dataset" in facts:
        facts["dataset"] |= _built(
            workspace.prepared(name) / "dataset.json", datasets.Description
        )
    if "experiment" in facts:
        dataset, _, own_name = name.partition("/")
        facts["experiment"] |= _built(
            workspace.run(dataset, own_name) / "run.json", run_folder.Summary
        )
        if facts["experiment"]["built"]:
            facts["experiment"] |= _provenance(
                workspace, dataset, own_name, facts["experiment"]["built"]
            )
        metrics = workspace.metrics(dataset)
        scored = read_checked(metrics, Metrics).root if metrics.exists() else {}
        if own_name in scored:
            facts["experiment"]["metrics"] = scored[own_name]
        evaluation = workspace.evaluation(dataset)
        evaluated = (
            schema.load(evaluation).experiments
            if (evaluation / "evaluation.json").exists()
            else {}
        )
        if own_name in evaluated:
            facts["experiment"] |= evaluated[own_name].model_dump(
                include={"parameters", "layers"}
            )
    return facts


def sections(
    config: Params, name: str, *, theirs: bool = False
) -> dict[str, dict[str, Any]]:
    """The sections of params.yaml with this name, as plain data with all defaults.

    Those of a module in `unroll_extensions` only with `theirs`, which imports it: what
    only shows runs no code of a repository.

    Raises:
        UsageError: an option is wrong; the text lists what is valid.
    """
    # `unroll list` starts without NumPy
    from pipeline.config import (
        registry,
    )
    from pipeline.training.recipe import recipe

    def ours(package: str, module: str, where: str) -> bool:
        return theirs or registry.is_ours(registry.full_name(package, module, where))

    facts: dict[str, dict[str, Any]] = {}
    if name in config.sources:
        kind = config.sources[name].kind
        options = config.sources[name].options
        if ours(registry.SOURCES, kind, f"sources.{name}.kind"):
            options = config.producer(name).keywords
        facts["source"] = {"name": name, "kind": kind, "options": options}
    if name in config.datasets:
        section = config.datasets[name]
        chosen = section.preparation.options
        if ours(
            registry.PREPARATIONS,
            section.preparation.name,
            f"datasets.{name}.preparation.name",
        ):
            chosen = config.preparer(name).keywords
        preparation = {"name": section.preparation.name, **chosen}
        facts["dataset"] = {
            "name": name,
            "source": section.source,
            "preparation": preparation,
        }
        facts["dataset"]["experiments"] = list(config.experiments_of(name))
    if name in config.runs:
        experiment = config.runs[name]
        where = f"experiments.{name.replace('/', '.')}"
        model = experiment.model
        training = experiment.training
        family = ours(registry.MODELS, model.family, f"{where}.model.family")
        method = ours(registry.METHODS, training.method, f"{where}.training.method")
        built = model.options
        trained = training.options
        if family and method:
            trainer = recipe(params.own_name(name), experiment)
            built = trainer.build.keywords
            trained = trainer.method.keywords
        facts["experiment"] = {
            "name": name,
            "dataset": experiment.dataset,
            "calendar": experiment.calendar,
            "features": experiment.features,
            "standardise": experiment.standardise,
            "in_unit": experiment.in_unit,
            "seeds": experiment.seeds,
            "model": {"family": model.family, "name": model.name, **built},
            "training": {"method": training.method, **trained},
        }
    plain: dict[str, dict[str, Any]] = to_jsonable_python(facts)
    return plain


def _provenance(
    workspace: Workspace, dataset: str, name: str, run: Mapping[str, Any]
) -> dict[str, Any]:
    """The fingerprint as the page cites it, and the record of when and where the run
    was trained, or why not.
    """
    from pipeline.provenance import fingerprint, record

    brief = (
        {"fingerprint": fingerprint.brief(run["fingerprint"])}
        if "fingerprint" in run
        else {}
    )
    try:
        return brief | {"record": record.read(workspace, dataset, name).model_dump()}
    except UnrollError as error:
        return brief | {"no_record": str(error)}


def _built(path: Path, model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """What a file holds, as it was written. Raises UnrollError if that is not what
    `model` describes.
    """
    if not path.exists():
        return {"built": None}
    read_checked(path, model)
    return {"built": read_json(path)}


def lines(facts: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """The facts as indented lines of YAML."""
    for name, value in facts.items():
        key = printable(str(name))
        if isinstance(value, Mapping) and value:
            yield " " * indent + f"{key}:"
            yield from lines(value, indent + 2)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield " " * indent + f"{key}:"
            for item in value:
                yield " " * (indent + 2) + ", ".join(
                    f"{printable(k)} {text(v)}" for k, v in item.items()
                )
        else:
            yield (
                " " * indent
                + f"{key}: {'not built' if key == 'built' and value is None else text(value)}"
            )


def text(value: Any) -> str:
    """A value as YAML, but a SHA-256 by its first digits, which are enough to tell it
    from others.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    plain = printable(str(value))
    return f"{plain[:12]}..." if SHA256.fullmatch(plain) else plain
