"""MLflow's model registry: forecasters as versions of a model for each data set, and which of them is the champion."""

import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pipeline
from pipeline.config import params
from pipeline.config.params import own_name
from pipeline.data import dataset, row_files, row_table, series
from pipeline.errors import UnrollError
from pipeline.provenance import fingerprint
from pipeline.tracking import payload, runs, store
from pipeline.tracking.store import Store
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from series import intervals
from series.forecaster import Forecaster, OutsideRangeWarning

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

ALIAS = "champion"

NEEDS = (
    *("holidays", "keras", "mlflow", "numpy", "pandas", "pydantic", "ruamel.yaml", "statsmodels"),
    *("tensorflow", "tensorflow-cpu", "threadpoolctl", "tzdata"),
)
"""What this package imports to forecast; of the two TensorFlows, the one that is installed."""


@dataclass(frozen=True)
class Registered:
    """The version of a registered model that the alias names now; `new` if it was made now, `before` what it named."""

    name: str
    version: str
    before: str | None
    new: bool
    uri: str


def register(workspace: Workspace, forecaster: Forecaster) -> Registered:
    """Register a forecaster, unless a version of the same run is there, and move the alias to it.

    Args:
        workspace: with its run; it is recorded in MLflow if it is not yet.
        forecaster: of an experiment of the workspace.

    Raises:
        UnrollError: the store cannot be used, or the run is not that of params.yaml.
    """
    name, config = forecaster.spec.name, params.load(workspace.params)
    about, opened = forecaster.spec.dataset, store.connect(workspace)
    fitted = forecaster.spec.until is not None  # on all rows, which is no run of an experiment
    mark = fingerprint.folder(workspace.forecaster(name) if fitted else workspace.run(about, own_name(name)))
    data = dataset.describe(workspace.prepared(about))
    title = payload.title(data)
    with store.hold(store.experiment_lock(workspace, name), store.PATIENCE), store.guard(opened.uri):
        if not fitted:
            runs.record(opened, workspace, own_name(name), config.experiment(name), runs.evaluation(workspace, about))
        group = opened.experiment(data)
        run = None if fitted else runs.recorded(opened, group, own_name(name), mark)
        same = f"name = '{title}' and tags.fingerprint = '{mark}'"
        known = opened.client.search_model_versions(same, order_by=["version_number DESC"])
        models = opened.client.search_registered_models(f"name = '{title}'")
        before = next((str(model.aliases[ALIAS]) for model in models if ALIAS in model.aliases), None)
        if known:
            version = known[0]
        else:
            example = _example(workspace.raw(config.dataset(about).source), forecaster)
            tags = {"fingerprint": mark, "experiment": name}
            with _at(opened, group):
                model = _log(forecaster, run.info.run_id if run else None, example)
                if not models:
                    opened.client.create_registered_model(title)
                version = opened.client.create_model_version(
                    title, f"models:/{model.model_id}", model.run_id, tags, model_id=model.model_id
                )
                # As `mlflow.register_model` does, or the model's page would say that it is not registered.
                link = {"mlflow.modelVersions": json.dumps([{"name": title, "version": version.version}])}
                opened.client.set_logged_model_tags(model.model_id, link)
        if before != str(version.version):
            opened.client.set_registered_model_alias(title, ALIAS, version.version)
        return Registered(title, str(version.version), before, not known, opened.uri)


def _log(forecaster: Forecaster, run: str | None, example: "pd.DataFrame | None") -> "ModelInfo":
    import mlflow
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as folder:
        forecaster.save(Path(folder) / "forecaster")
        pins = Path(folder) / "constraints.txt"
        packages = metadata.distributions()
        versions = {str(package.metadata["Name"]).replace("_", "-"): package.version for package in packages}
        # Whatever is installed: pip installs of it what is needed, and in that version; the model has our code itself.
        config = [f"{key}=={version}\n" for key, version in sorted(versions.items()) if key != "unroll"]
        pins.write_text("".join(config), encoding="utf-8")
        model: ModelInfo = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=own_name(forecaster.spec.name),  # MLflow takes no slash
            run_id=run,
            loader_module="unroll.registry.served",
            data_path=str(Path(folder) / "forecaster"),
            code_paths=[str(Path(pipeline.__file__).parent)],
            signature=signature(forecaster),
            input_example=example,
            # Else MLflow takes the login's name and the command's path.
            tags={"mlflow.user": "unknown", "mlflow.source.name": f"unroll register {forecaster.spec.name}"},
            pip_requirements=[f"-c {pins}", *(f"{key}=={versions[key]}" for key in NEEDS if key in versions)],
        )
        return model


def app(workspace: Workspace, name: str) -> Any:
    """What a web server runs to answer by the champion of a registered model, in the form of MLflow's own server.

    Only the files of the model are read: neither its loader nor the code beside it, which may be anybody's.

    Raises:
        UsageError: no model of this name is registered.
        UnrollError: it names another loader than ours, or the store cannot be used.
    """
    from mlflow import artifacts
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel, scoring_server

    from unroll.registry import served

    opened = store.connect(workspace)
    with tempfile.TemporaryDirectory() as folder, store.guard(opened.uri), _at(opened, "0"):
        models = {model.name: model.aliases for model in opened.client.search_registered_models()}
        named = [model for model, aliases in models.items() if ALIAS in aliases]
        version = models[one_of(name, named, "the name of a registered model")][ALIAS]
        files = Path(artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder))
        model = Model.load(files)
        flavor = model.flavors.get("python_function", {})
        if flavor.get("loader_module") != served.__name__:
            what = f"{name}, version {version}, is loaded by {flavor.get('loader_module')}, which is not Unroll's"
            raise UnrollError(f"{what}, so it is not served; move the alias {ALIAS}, or run `unroll register {name}`")
        return scoring_server.init(PyFuncModel(model, served.load(files / flavor["data"])))


@contextmanager
def _at(opened: Store, group: str) -> Iterator[None]:
    """MLflow's own functions work on this store and experiment; what they warn of is not shown.

    By the environment for so long, as MLflow's functions that set a place set it for good.
    """
    places = dict.fromkeys(("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"), opened.uri)
    with mock.patch.dict(os.environ, places, MLFLOW_EXPERIMENT_ID=group), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def signature(forecaster: Forecaster) -> "ModelSignature":
    """Columns as in the user's file -> the name of the series, where there are several, stamp, forecast, low and high.

    All columns are optional to MLflow: it would name a missing one behind all rows of the request, the model names it
    in one line.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    question = forecaster.spec.question
    texts, numbers = [*question.csv.stamp, *question.csv.words], question.numbers
    kinds = dict.fromkeys(texts, "string") | dict.fromkeys(numbers, "double")
    names = [ColSpec("string", name) for name in [question.csv.series_id] if name]
    ends = [ColSpec("double", name, required=False) for name in ("low", "high")]
    warning = ColSpec("string", "warning", required=False)
    return ModelSignature(
        Schema([ColSpec(kind, name, required=False) for name, kind in kinds.items()]),
        Schema([*names, ColSpec("string", "stamp"), ColSpec("double", "forecast"), *ends, warning]),
        ParamSchema([ParamSpec("level", "double", intervals.USUAL)]),
    )


def _example(raw: Path, forecaster: Forecaster) -> "pd.DataFrame | None":
    """The last rows of the data set as a request has them, timestamps and words as text, numbers as numbers.

    None where no forecast can be made from those.
    """
    question = forecaster.spec.question
    file = row_files.RowFile(series.files_of(raw, question.csv.file)[-1], question.csv, question.where)
    rows = file.rows(row_files.no_progress).tail(forecaster.spec.reach)
    rows[question.numbers] = row_table.values_of(file, rows, question.numbers)
    columns = [*question.csv.stamp, *question.csv.words, *question.numbers]
    example = rows[columns].astype(dict.fromkeys(question.csv.stamp, str))
    with suppress(UnrollError), warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)  # an example shows the form
        forecaster.windows(example)
        return example.reset_index(drop=True)
    return None
