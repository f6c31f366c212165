"""The stage `resolve`: for each other stage, a small file with its resolved options and the hashes of its code.

These files are DVC dependencies. So DVC notices what it could not see itself: an option that comes from a template or
a data set, and an edit in a module that is imported indirectly. This takes a second: no numeric library is imported.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from pipeline.config import params
from pipeline.config.params import Params
from pipeline.config.registry import METHODS, METRICS, MODELS, PREPARATIONS, SOURCES, full_name
from pipeline.files import atomic_folder
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint
from pipeline.provenance.machine import CODE
from pipeline.report import paragraphs
from pipeline.validation import one_of
from pipeline.workspace import Workspace


def resolve(workspace: Workspace) -> Path:
    """Write resolved/VERB/NAME.json for every stage: options, hashes of code and of numerics.lock. Returns the folder.

    Raises:
        UsageError: params.yaml is wrong, or a name in it has no module.
        UnrollError: .ci/locks/numerics.lock is missing.
    """
    # A workspace for a series of one's own holds no code; then it is the installed package's.
    code = fingerprint.Code(workspace.root if (workspace.root / "stages/resolve.py").is_file() else CODE)
    with atomic_folder(workspace.root / "resolved", workspace.scratch) as folder:
        for name, dependencies in _stages(params.load(workspace.params), code, paragraphs.read(workspace)):
            (folder / name).parent.mkdir(exist_ok=True)
            # Sorted: reordering options in params.yaml is no change.
            text = json.dumps(dependencies, ensure_ascii=False, indent=1, sort_keys=True)
            (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
    return workspace.root / "resolved"


def _stages(
    config: Params, code: fingerprint.Code, explained: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """VERB/NAME of each stage -> what it depends on besides data (`fingerprint.Code.made_of`)."""
    measures = [f"{METRICS}.{name}" for name in MEASURES]
    for name, source in config.sources.items():
        kind = full_name(SOURCES, source.kind, f"sources.{name}.kind")
        yield f"source/{name}", code.made_of(source.model_dump(), ["stages.source", kind])
    for name, dataset in config.datasets.items():
        module = full_name(PREPARATIONS, dataset.preparation.name, f"datasets.{name}.preparation.name")
        section = {"source": dataset.source, "preparation": dataset.preparation.model_dump()}
        yield f"prepare/{name}", code.made_of(section, ["stages.prepare", module])
        scored = [
            experiment.model_dump(include={"seeds", "share", "trials", "converged"})
            | {"name": key, "family": experiment.model.family, "model": experiment.model.name}
            | {"method": experiment.training.method}
            for key, experiment in config.experiments_of(name).items()
        ]
        scoring = ["stages.evaluate"] + ["stages.leaderboard"] * (name in config.forecasts)
        yield f"evaluate/{name}", code.made_of(scored, [*scoring, *measures])
    for name, experiment in config.experiments.items():
        full_name(MODELS, experiment.model.family, f"experiments.{name}.model.family")
        full_name(METHODS, experiment.training.method, f"experiments.{name}.training.method")
        if loss := experiment.training.options.get("loss"):
            one_of(loss, MEASURES, f"params.yaml: experiments.{name}.training.loss")
        preparation = config.datasets[experiment.dataset].preparation
        settings = config.forecasts.get(experiment.dataset)
        yield f"train/{name}", fingerprint.training(experiment, preparation, code, settings)
    for name, settings in config.forecasts.items():
        candidates = config.experiments_of(name)
        modules = {f"{MODELS}.{experiment.model.family}" for experiment in candidates.values()}
        modules |= {f"{METHODS}.{experiment.training.method}" for experiment in candidates.values()}
        models = {key: experiment.model_dump() for key, experiment in candidates.items()}
        options = {"forecast": settings.model_dump(), "models": models}
        yield f"refit/{name}", code.made_of(options, ["stages.refit", *sorted(modules)])
    shown = {"datasets": list(config.datasets.items()), "experiments": list(config.experiments.items())}
    shown |= {"paragraphs": explained}
    yield "report", code.made_of(to_jsonable_python(shown), ["stages.report", *measures])
