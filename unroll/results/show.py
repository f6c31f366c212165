"""The commands `list` and `show`: the content of params.yaml, and what is built."""

import contextlib
import inspect
import re
import textwrap
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import to_jsonable_python

from pipeline.config import params, plain_yaml
from pipeline.config.params import Params
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_checked
from pipeline.validation import Metrics, one_of
from pipeline.workspace import Workspace
from unroll import terminal
from unroll.project import Project
from unroll.terminal import DOCUMENT

SHA256 = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
"""A SHA-256, with a group for the digits that are shown."""

OPTION = re.compile(r"^    (\w[\w, ]*): (.+(?:\n {5,}.+)*)", re.MULTILINE)
"""Options in a docstring, and what it says of them."""

MADE = ("  metrics:", "  layers:", "  built:", "  record:")
"""Where lines begin that tell what was made, and are no options."""

WIDTH = 80
"""Characters of a line."""

INDENT = 28
"""Characters in front of what is said of an option."""

COLUMNS = (
    "experiment",
    "model",
    "method",
    "epochs",
    "seeds",
    "score on test",
    "run here",
)
"""The headings of the table of experiments."""


def listing(project: Project, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return a mapping for each experiment of these data sets, or of all data sets.

    The order is that of params.yaml.

    Raises:
        UsageError: a name is no data set.
        UnrollError: params.yaml is missing or wrong.
    """
    config = project.every
    workspace = project.workspace
    for name in names:
        config.dataset(name)  # raises UsageError for an unknown name
    rows = []
    for dataset in config.datasets:
        if names and dataset not in names:
            continue
        for name, experiment in config.experiments_of(dataset).items():
            rows.append(
                {
                    "experiment": f"{dataset}/{name}",
                    "dataset": dataset,
                    "model": f"{experiment.model.family}.{experiment.model.name}",
                    "method": experiment.training.method,
                    "epochs": experiment.training.options.get("epochs"),
                    "seeds": experiment.seeds,
                    "score": score_of(workspace, dataset, name),
                    "built": (workspace.run(dataset, name) / "run.json").exists(),
                }
            )
    return rows


def figure(score: float | None) -> str:
    """Return a score as text; "" if there is none."""
    return "" if score is None else f"{score:.4g}"


def score_of(workspace: Workspace, dataset: str, name: str) -> float | None:
    """Return the score of an experiment, which is its first measure; None if it is not
    evaluated.
    """
    with contextlib.suppress(UnrollError):  # one damaged file does not stop the list
        file = workspace.metrics(dataset) / f"{name}.json"
        return next(iter(read_checked(file, Metrics).root.values()))
    return None


def show_list(experiments: Sequence[Mapping[str, Any]], *, in_groups: bool) -> None:
    """Print the result of `listing` as a table.

    A line is an experiment, or a data set with `in_groups`.
    """
    if in_groups:
        numeric = ("experiments", "with a score", "run here")
        cells = []
        for name in dict.fromkeys(row["dataset"] for row in experiments):
            own = [row for row in experiments if row["dataset"] == name]
            scored = sum(row["score"] is not None for row in own)
            built = sum(row["built"] for row in own)
            cells.append([name, str(len(own)), str(scored), str(built)])
        terminal.show_table(("data set", *numeric), cells, numeric=numeric)
        print(
            "`unroll list NAME` lists the experiments of a data set, "
            "`unroll compare NAME` ranks them."
        )
        return
    rows = []
    for row in experiments:
        epochs = "" if row["epochs"] is None else str(row["epochs"])
        built = "yes" if row["built"] else "no"
        rows.append(
            [
                row["experiment"],
                row["model"],
                row["method"],
                epochs,
                str(len(row["seeds"])),
                figure(row["score"]),
                built,
            ]
        )
    terminal.show_table(
        COLUMNS,
        rows,
        numeric=("epochs", "seeds", "score on test"),
        important=("run here", "score on test", "model", "method", "seeds"),
    )


def show(project: Project, name: str) -> dict[str, Any]:
    """Return options and build of the source, the data set or the experiment of a name.

    A source and a data set may have the same name. Then both are returned.

    Raises:
        UsageError: there is no such name, or an option is wrong; the message lists the
            valid ones.
        UnrollError: a file of the build is damaged.
    """
    config = project.every
    workspace = project.workspace
    known = [*config.sources, *config.datasets, *config.runs]
    if name not in known and DOCUMENT.fullmatch(name):
        raise UsageError(
            f"{name} is a document; name a source, a data set or an experiment. "
            f"`unroll claims {name}` lists the document's figures"
        )
    one_of(name, known, "the name")
    facts = sections(config, name)
    from pipeline.data import dataset as datasets  # `unroll list` starts without NumPy
    from pipeline.data import manifest

    if "source" in facts:
        path = workspace.raw(name) / manifest.NAME
        facts["source"]["built"] = _built(path, manifest.Manifest)
    if "dataset" in facts:
        path = workspace.prepared(name) / "dataset.json"
        facts["dataset"]["built"] = _built(path, datasets.Description)
    if "experiment" in facts:
        dataset, _, own_name = name.partition("/")
        facts["experiment"] = (
            _scored(workspace, dataset, own_name)
            | facts["experiment"]
            | _made(workspace, dataset, own_name)
        )
    return facts


def _scored(workspace: Workspace, dataset: str, name: str) -> dict[str, Any]:
    """Return the scores and the number of parameters of an experiment."""
    from pipeline.evaluation import schema

    scored: dict[str, Any] = {}
    scores = _built(workspace.metrics(dataset) / f"{name}.json", Metrics)
    if scores:
        scored["metrics"] = scores
    evaluation = workspace.evaluation(dataset)
    if (evaluation / "evaluation.json").exists():
        entry = schema.load(evaluation).experiments.get(name)
        if entry:
            scored |= entry.model_dump(include={"parameters", "layers"})
    return scored


def _made(workspace: Workspace, dataset: str, name: str) -> dict[str, Any]:
    """Return the run of an experiment, its fingerprint and record."""
    from pipeline.provenance import fingerprint, record
    from pipeline.training import run_folder

    run = _built(workspace.run(dataset, name) / "run.json", run_folder.Summary)
    made: dict[str, Any] = {"built": run}
    if run:
        made["fingerprint"] = fingerprint.brief(run["fingerprint"])
        try:
            own = fingerprint.folder(workspace.run(dataset, name))
            made["record"] = record.read(
                workspace.record(dataset, name), own
            ).model_dump()
        except UnrollError as error:
            made["no_record"] = str(error)
    return made


def _built(path: Path, model: type[pydantic.BaseModel]) -> Any:
    """Return the content of a JSON file; None if there is no file.

    Raises:
        UnrollError: the content does not fit the schema `model`.
    """
    if not path.exists():
        return None
    return read_checked(path, model).model_dump(exclude_unset=True)


def sections(config: Params, name: str) -> dict[str, dict[str, Any]]:
    """Return the sections of params.yaml with this name, as plain data with all
    defaults.

    Options of a module in `unroll_extensions` are as in params.yaml.

    Raises:
        UsageError: an option is wrong; the message lists the valid ones.
    """
    options = {part: own.keywords for part, own in _functions(config, name).items()}
    facts: dict[str, dict[str, Any]] = {}
    if name in config.sources:
        source = config.sources[name]
        own = options.get("source", source.options)
        facts["source"] = {"name": name, "kind": source.kind, "options": own}
    if name in config.datasets:
        section = config.datasets[name]
        facts["dataset"] = {
            "name": name,
            "source": section.source,
            "preparation": section.preparation.model_dump()
            | options.get("preparation", {}),
            "experiments": list(config.experiments_of(name)),
        }
    if name in config.runs:
        shown = {"name": name, **config.runs[name].model_dump()}
        for part in ("model", "training"):
            shown[part] |= options.get(part, {})
        facts["experiment"] = shown
    plain: dict[str, dict[str, Any]] = to_jsonable_python(facts)
    return plain


def _functions(config: Params, name: str) -> dict[str, partial[Any]]:
    """Return the functions that a name in params.yaml stands for, with their options:
    "source", "preparation", "model" and "training".

    Those of a module in `unroll_extensions` are left out: a command that only shows runs
    no code of a repository.

    Raises:
        UsageError: an option is wrong; the message lists the valid ones.
    """
    # `unroll list` starts without NumPy
    from pipeline.config import named_modules
    from pipeline.training.recipe import recipe

    def ours(package: str, module: str, where: str) -> bool:
        return named_modules.is_ours(named_modules.full_name(package, module, where))

    functions = {}
    if name in config.sources:
        kind = config.sources[name].kind
        if ours(named_modules.SOURCES, kind, f"sources.{name}.kind"):
            functions["source"] = config.producer(name)
    if name in config.datasets:
        preparation = config.datasets[name].preparation.name
        where = f"datasets.{name}.preparation.name"
        if ours(named_modules.PREPARATIONS, preparation, where):
            functions["preparation"] = config.preparer(name)
    if name in config.runs:
        experiment = config.runs[name]
        where = f"experiments.{name.replace('/', '.')}"
        family = ours(
            named_modules.MODELS, experiment.model.family, f"{where}.model.family"
        )
        method = experiment.training.method
        if ours(named_modules.METHODS, method, f"{where}.training.method") and family:
            trainer = recipe(params.own_name(name), experiment)
            functions |= {"model": trainer.build, "training": trainer.method}
    return functions


def meanings(config: Params, name: str) -> list[dict[str, str]]:
    """Return what the options of a name in params.yaml mean, by their docstrings: those
    of the experiment itself, and those of what it names.

    Raises:
        UsageError: an option is wrong; the message lists the valid ones.
    """
    inner = dict[str, str]()
    for function in _functions(config, name).values():
        inner |= _words(function.func)
    return [_words(params.Experiment), inner]


def _words(documented: Any) -> dict[str, str]:
    """Return option -> the first sentence about it in the docstring of a function or of
    a class, and in those of the classes of its options.
    """
    words = dict[str, str]()
    parameters = inspect.signature(documented).parameters.values()
    options = [each.annotation for each in parameters if each.kind is each.KEYWORD_ONLY]
    for each in (*options, documented):
        for names, text in OPTION.findall(inspect.getdoc(each) or ""):
            sentence = " ".join(text.split()).partition(". ")[0]
            words |= dict.fromkeys(names.split(", "), sentence.removesuffix("."))
    return words


def lines(
    facts: Mapping[str, Any], meant: Sequence[Mapping[str, str]] = ({}, {})
) -> list[str]:
    """Return the facts as lines, each option with what it means (`meanings`)."""
    shown = dict(facts)
    for kind, section in facts.items():
        if "built" in section and section["built"] is None:
            shown[kind] = section | {"built": "not on this machine"}
    explained = []
    is_option = True
    for line in plain_yaml.dumped(_shortened(shown)).splitlines():
        if line[:3].strip().isalpha():
            is_option = line.startswith("  ") and not line.startswith(MADE)
        words = meant[line.startswith("    ")]
        key = line.strip().partition(":")[0]
        explained += textwrap.wrap(
            words.get(key, "") if is_option else "",
            WIDTH,
            initial_indent=f"{line:<{INDENT}}  # ",
            subsequent_indent=" " * INDENT + "  # ",
        ) or [line]
    return explained


def _shortened(value: Any) -> Any:
    """Return facts in which a list without mappings is text, such as "0, 1, 2", and a
    SHA-256 its first digits.
    """
    if isinstance(value, Mapping):
        return {key: _shortened(own) for key, own in value.items()}
    if isinstance(value, list) and any(isinstance(own, Mapping) for own in value):
        return [_shortened(own) for own in value]
    if isinstance(value, list):
        return value[0] if len(value) == 1 else ", ".join(map(str, value)) or "none"
    return SHA256.sub(r"\1...", value) if isinstance(value, str) else value
