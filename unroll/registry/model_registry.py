"""MLflow's model registry: forecasters as versions of a model for each data set, and
which of them is the champion.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from pipeline.config import params
from pipeline.config.params import own_name
from pipeline.data import dataset, row_files, row_table
from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance import fingerprint
from pipeline.provenance.machine import CODE
from pipeline.tracking import runs, store, view
from pipeline.tracking.store import Store
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from series import intervals
from series.forecaster import Forecaster, OutsideRangeWarning

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

    from series.answer import Answer

ALIAS = "champion"
"""The alias of the version that is served."""

LOADER = "unroll.registry.served"
"""The module that loads a registered model."""

NEEDS = (
    *(
        "holidays",
        "keras",
        "mlflow",
        "numpy",
        "pandas",
        "pydantic",
        "ruamel.yaml",
        "statsmodels",
    ),
    *("tensorflow", "tensorflow-cpu", "threadpoolctl", "tzdata"),
)
"""The packages that a forecast takes; of the two TensorFlows, the one that is
installed."""


@dataclass(frozen=True)
class Registered:
    """The version of a registered model that the alias names now.

    Attributes:
        name, version: of the model.
        before: the version that the alias named before; None if none.
        new: whether the version was made now.
        uri: of the store.
    """

    name: str
    version: str
    before: str | None
    new: bool
    uri: str


def register_answer(workspace: Workspace, answer: "Answer") -> Registered:
    """Register the forecaster of an answer, unless it is there, and move the alias to
    it.

    Its MLflow run has the scores of every model as metrics, and the answer's page as an
    artifact.

    Raises:
        UnrollError: the store cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer.forecaster.save(Path(folder) / "forecaster")
        mark = fingerprint.folder(Path(folder))
    with store.opened(workspace) as opened:
        group = opened.experiment(answer.name)
        known = opened.search(f"tags.fingerprint = '{mark}'", group)
        run = known[0] if known else _recorded(opened, group, answer, mark)
        return _registered(
            opened, answer.name, answer.forecaster, answer.files, mark, run
        )


def _recorded(opened: Store, group: str, answer: "Answer", mark: str) -> "Run":
    """Make the MLflow run of an answer."""
    metrics = {}
    for name, scores in answer.board.models.items():
        for key in ("mae", "wql", "coverage"):
            value = getattr(scores, key)
            if value is not None:
                metrics[f"{name}/{key}"] = value
    about = answer.about
    params = {
        "target": about.target,
        "horizon": str(about.horizon),
        "champion": about.board.champion,
    }
    tags = {**_tags(answer.name), "mlflow.note.content": answer.sentence}
    run = opened.client.create_run(group, run_name=answer.name, tags=tags)
    for page in answer.folder.glob("*.html"):
        opened.client.log_artifact(run.info.run_id, str(page))
    opened.log(run.info.run_id, [(0, metrics)], params)
    opened.client.set_tag(run.info.run_id, "fingerprint", mark)
    opened.client.set_terminated(run.info.run_id, "FINISHED")
    return run


def _tags(name: str) -> dict[str, str]:
    """Return tags in place of the login's name and the command's path, which MLflow
    would take.
    """
    return {"mlflow.user": "unknown", "mlflow.source.name": f"unroll register {name}"}


def register_experiment(
    workspace: Workspace, forecaster: Forecaster, files: Sequence[Path]
) -> Registered:
    """Register the forecaster of a trained experiment, unless it is there, and move the
    alias to it.

    Args:
        workspace: with the run of the experiment; the run is recorded in MLflow if it
            is not yet.
        forecaster: of the experiment.
        files: of rows, for an example of a request.

    Raises:
        UnrollError: the store cannot be used, or the run is not that of params.yaml.
    """
    name = forecaster.spec.name
    about = forecaster.spec.dataset
    experiment = params.load(workspace.params).experiment(name)
    mark = fingerprint.folder(workspace.run(about, own_name(name)))
    title = view.title(dataset.describe(workspace.prepared(about)))
    with store.opened(workspace) as opened:
        run = runs.log(opened, workspace, name, experiment)
        return _registered(opened, title, forecaster, files, mark, run)


def _registered(
    opened: Store,
    title: str,
    forecaster: Forecaster,
    files: Sequence[Path],
    mark: str,
    run: "Run",
) -> Registered:
    """Move the alias of a registered model to the version with a fingerprint, which is
    made if it is not there.
    """
    client = opened.client
    before = None
    models = client.search_registered_models(f"name = '{title}'")
    if models and ALIAS in models[0].aliases:
        before = str(models[0].aliases[ALIAS])
    same = f"name = '{title}' and tags.fingerprint = '{mark}'"
    versions = client.search_model_versions(same, order_by=["version_number DESC"])
    if not models:
        client.create_registered_model(title)
    version = (
        versions[0]
        if versions
        else _version(opened, title, forecaster, files, mark, run)
    )
    number = str(version.version)
    if number != before:
        client.set_registered_model_alias(title, ALIAS, number)
    return Registered(title, number, before, not versions, opened.uri)


def _version(
    opened: Store,
    title: str,
    forecaster: Forecaster,
    files: Sequence[Path],
    mark: str,
    run: "Run",
) -> "ModelVersion":
    """Log a forecaster as the model of a run, and make it the next version of a
    registered model.
    """
    client = opened.client
    example = _example(files, forecaster)
    tags = {"fingerprint": mark, "experiment": forecaster.spec.name}
    with _at(opened, run.info.experiment_id):
        model = _log(forecaster, run.info.run_id, example)
        source = f"models:/{model.model_id}"
        version = client.create_model_version(
            title, source, model.run_id, tags, model_id=model.model_id
        )
    # As `mlflow.register_model` does, or the model's page would say that it is not
    # registered.
    link = json.dumps([{"name": title, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": link})
    return version


def _log(
    forecaster: Forecaster, run: str, example: "pd.DataFrame | None"
) -> "ModelInfo":
    """Log a forecaster, with the code that it takes and the versions of all packages."""
    import mlflow
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        forecaster.save(scratch / "forecaster")
        versions = {}
        for package in metadata.distributions():
            versions[str(package.metadata["Name"]).replace("_", "-")] = package.version
        versions.pop("unroll", None)  # the model has our code itself
        # Whatever is installed: pip installs of it what is needed, and in that version.
        pins = scratch / "constraints.txt"
        write_text(
            pins, "".join(f"{key}=={versions[key]}\n" for key in sorted(versions))
        )
        needed = [f"{key}=={versions[key]}" for key in NEEDS if key in versions]
        model: ModelInfo = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=forecaster.spec.name.rpartition("/")[2],  # MLflow takes no slash
            run_id=run,
            loader_module=LOADER,
            data_path=str(scratch / "forecaster"),
            code_paths=_code(scratch),
            signature=signature(forecaster),
            input_example=example,
            tags=_tags(forecaster.spec.name),
            pip_requirements=[f"-c {pins}", *needed],
        )
        return model


def _code(scratch: Path) -> list[str]:
    """Return the folders of the code that the loader imports; of `unroll` a copy of
    that part alone.
    """
    loader = scratch / "unroll" / "registry"
    loader.mkdir(parents=True)
    ours = CODE / "unroll"
    for name in ("__init__.py", "registry/__init__.py", "registry/served.py"):
        shutil.copyfile(ours / name, scratch / "unroll" / name)
    return [str(CODE / "pipeline"), str(CODE / "series"), str(scratch / "unroll")]


def app(workspace: Workspace, name: str) -> Any:
    """What a web server runs to answer by the champion of a registered model, in the
    form of MLflow's own server.

    Only the files of the model are read: neither its loader nor the code beside it,
    which may be anybody's.

    Raises:
        UsageError: no model of this name is registered.
        UnrollError: it names another loader than ours, or the store cannot be used.
    """
    from mlflow import artifacts
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel, scoring_server

    with (
        tempfile.TemporaryDirectory() as folder,
        store.opened(workspace) as opened,
        _at(opened, "0"),
    ):
        models = {
            model.name: model.aliases
            for model in opened.client.search_registered_models()
        }
        named = [model for model, aliases in models.items() if ALIAS in aliases]
        version = models[one_of(name, named, "the name of a registered model")][ALIAS]
        files = Path(
            artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
        )
        model = Model.load(files)
        flavor = model.flavors.get("python_function", {})
        if flavor.get("loader_module") != LOADER:
            what = f"{name}, version {version}, is loaded by {flavor.get('loader_module')}, which is not Unroll's"
            raise UnrollError(
                f"{what}, so it is not served; move the alias {ALIAS}, or run `unroll register {name}`"
            )
        from unroll.registry import served

        return scoring_server.init(
            PyFuncModel(model, served.load(files / flavor["data"]))
        )


@contextmanager
def _at(opened: Store, group: str) -> Iterator[None]:
    """MLflow's own functions work on this store and experiment; what they warn of is
    not shown.

    By the environment for so long, as MLflow's functions that set a place set it for
    good.
    """
    places = dict.fromkeys(("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"), opened.uri)
    with (
        mock.patch.dict(os.environ, places, MLFLOW_EXPERIMENT_ID=group),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def signature(forecaster: Forecaster) -> "ModelSignature":
    """Return what a request and its answer hold: the columns of the user's file, and
    those of `Forecaster.after`.

    All columns are optional to MLflow: it would name a missing one behind all rows of
    the request, the model names it in one line.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

    question = forecaster.spec.question
    kinds = dict.fromkeys([*question.csv.stamp, *question.csv.words], "string")
    kinds |= dict.fromkeys(question.numbers, "double")
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(kind, name, required=False) for name, kind in kinds.items()
    ]
    percent = f"{100 * intervals.USUAL:g}"
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec("string", "unique_id"),
        ColSpec("string", "ds"),
        ColSpec("double", "y_hat"),
        ColSpec("double", f"lo-{percent}", required=False),
        ColSpec("double", f"hi-{percent}", required=False),
        ColSpec("string", "warning", required=False),
    ]
    level = ParamSpec("level", "double", intervals.USUAL)
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([level]))


def _example(files: Sequence[Path], forecaster: Forecaster) -> "pd.DataFrame | None":
    """Return the last rows as a request has them, timestamps and words as text, numbers
    as numbers.

    None where no forecast can be made from those.
    """
    question = forecaster.spec.question
    file = row_files.RowFile(files[-1], question.csv, "")
    rows = file.rows(row_files.no_progress).tail(forecaster.spec.reach)
    rows[question.numbers] = row_table.values_of(file, rows, question.numbers)
    columns = [*question.csv.stamp, *question.csv.words, *question.numbers]
    example = rows[columns].astype(dict.fromkeys(question.csv.stamp, str))
    with suppress(UnrollError), warnings.catch_warnings():
        # an example shows the form
        warnings.simplefilter("ignore", OutsideRangeWarning)
        forecaster.windows(example)
        return example.reset_index(drop=True)
    return None
