"""MLflow's model registry: forecasters as versions of a registered model.

Each answer has a registered model. The alias `champion` names the version that is
served.
"""

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import BAD_REQUEST
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from pipeline.errors import UnrollError, UsageError, one_line, printable
from pipeline.files import damaged, write_text
from pipeline.provenance import fingerprint
from pipeline.provenance.machine import CODE
from pipeline.tracking import store
from pipeline.tracking.store import Store
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from series import FILE, intervals, page, seal
from series.forecaster import Forecaster, OutsideRangeWarning
from series.reading.files import read, values_of

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

    from series.answer import Answer

ALIAS = "champion"
"""The alias of the version that is served."""

PROGRESS_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
"""The variable that lets MLflow draw a progress bar while it copies files."""

LOADER = "unroll.registry.served"
"""The module that loads a registered model."""

DATA = "data/forecaster"
"""The folder of the forecaster in the folder of a registered model, as MLflow's `Model`
places what is called forecaster."""

NEEDS = [
    "holidays",
    "keras",
    "mlflow",
    "numpy",
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "statsmodels",
    "tensorflow",
    "tensorflow-cpu",
    "threadpoolctl",
    "tzdata",
]
"""The packages that a forecast needs; only one of the two TensorFlows is installed."""


@dataclass(frozen=True)
class Registered:
    """The version of a registered model that the alias names now.

    Attributes:
        version: the number of the version.
        before: the version that the alias named before; None if it named none.
        new: whether the version was made now.
    """

    version: str
    before: str | None
    new: bool


def register(workspace: Workspace, answer: "Answer") -> Registered:
    """Register the forecaster of an answer, and move the alias to its version.

    A forecaster that is registered gets no new version. The MLflow run has the scores
    of all models as metrics, and the answer's page as an artifact.

    Raises:
        UnrollError: the store cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        _saved(answer.forecaster, Path(folder))
        mark = fingerprint.folder(Path(folder))
    with store.opened(workspace) as opened:
        group = opened.experiment(answer.name)
        known = opened.search(f"tags.fingerprint = '{mark}'", group)
        run = known[0] if known else _recorded(opened, group, answer, mark)
        return _registered(opened, answer, mark, run)


def _recorded(opened: Store, group: str, answer: "Answer", mark: str) -> "Run":
    metrics = {}
    for name, scores in answer.board.models.items():
        for key in ("mae", "wql", "coverage"):
            value = getattr(scores, key)
            if value is not None:
                metrics[f"{name}/{key}"] = value
    params = {
        "target": answer.about.target,
        "horizon": str(answer.about.horizon),
        "champion": answer.board.champion,
    }
    tags = {**_tags(answer.name), "mlflow.note.content": answer.sentence}
    run = opened.client.create_run(group, run_name=answer.name, tags=tags)
    # The page is drawn anew: that of an answer from somebody else may hold scripts.
    with tempfile.TemporaryDirectory() as folder, suppress(UnrollError):
        page.write(answer, Path(folder))
        opened.client.log_artifact(run.info.run_id, str(Path(folder) / page.PAGE))
    opened.log(run.info.run_id, [(0, metrics)], params)
    opened.client.set_tag(run.info.run_id, "fingerprint", mark)
    opened.client.set_terminated(run.info.run_id, "FINISHED")
    return run


def _tags(name: str) -> dict[str, str]:
    """Return tags that replace the user's name and the command's path."""
    return {"mlflow.user": "unknown", "mlflow.source.name": f"unroll register {name}"}


def _registered(opened: Store, answer: "Answer", mark: str, run: "Run") -> Registered:
    """Move the alias of a registered model to the version with a fingerprint.

    The version is made if it is not there.
    """
    client = opened.client
    title = answer.name
    before = None
    models = client.search_registered_models(f"name = '{title}'")
    if models and ALIAS in models[0].aliases:
        before = str(models[0].aliases[ALIAS])
    if not models:
        client.create_registered_model(title)
    same = f"name = '{title}' and tags.fingerprint = '{mark}'"
    versions = client.search_model_versions(same, order_by=["version_number DESC"])
    number = str(versions[0].version) if versions else ""
    if not number:
        number = _version(opened, answer, mark, run)
    if number != before:
        client.set_registered_model_alias(title, ALIAS, number)
    return Registered(number, before, not versions)


def _version(opened: Store, answer: "Answer", mark: str, run: "Run") -> str:
    client = opened.client
    forecaster = answer.forecaster
    with _at(opened, run.info.experiment_id):
        example = None
        with suppress(UnrollError):  # an example is not needed
            example = _example(answer.files, forecaster)
        model = _log(forecaster, run.info.run_id, example)
        source = f"models:/{model.model_id}"
        made = client.create_model_version(
            answer.name,
            source,
            model.run_id,
            {"fingerprint": mark},
            model_id=model.model_id,
        )
    # As `mlflow.register_model` does, or the model's page would say that it is not
    # registered.
    link = json.dumps([{"name": answer.name, "version": made.version}])
    client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": link})
    return str(made.version)


def _log(
    forecaster: Forecaster, run: str, example: "pd.DataFrame | None"
) -> "ModelInfo":
    import mlflow
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = _saved(forecaster, scratch)
        pins = {}
        for package in metadata.distributions():
            name = str(package.metadata["Name"]).replace("_", "-")
            pins[name] = f"{name}=={package.version}"
        pins.pop("unroll", None)  # the model has our code itself
        # All installed packages, so that pip installs the same versions.
        constraints = scratch / "constraints.txt"
        write_text(constraints, "\n".join(sorted(pins.values())) + "\n")
        needed = [pins[name] for name in NEEDS if name in pins]
        model: ModelInfo = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            name=forecaster.spec.name,
            run_id=run,
            loader_module=LOADER,
            data_path=str(data),
            code_paths=[str(CODE / name) for name in ("pipeline", "series", "unroll")],
            signature=signature(),
            input_example=example,
            tags=_tags(forecaster.spec.name),
            pip_requirements=[f"-c {constraints}", *needed],
        )
        return model


def _saved(forecaster: Forecaster, folder: Path) -> Path:
    """Save a forecaster in a folder, and return its own folder there."""
    own = folder / Path(DATA).name
    forecaster.save(own)
    seal.write(own)
    return own


def app(workspace: Workspace, name: str) -> Any:
    """Return the web application that answers by the champion of a registered model.

    It answers in the form of MLflow's own server. Only the files of the model are read.
    Its loader and the code beside it are not run, since anybody may have written them.

    Raises:
        UsageError: no model of this name is registered.
        UnrollError: the model names another loader than Unroll's, or the store cannot
            be used.
    """
    from mlflow import artifacts
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel, scoring_server
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    with (
        tempfile.TemporaryDirectory() as folder,
        store.opened(workspace) as opened,
        _at(opened, "0"),
    ):
        versions = {}
        for registered in opened.client.search_registered_models():
            if ALIAS in registered.aliases:
                versions[registered.name] = registered.aliases[ALIAS]
        if not versions:
            raise UsageError(
                f"no model is registered here; `unroll register {name}` registers "
                f"the model of the answer {name}"
            )
        if name not in versions and (workspace.root / name / FILE).is_file():
            raise UsageError(
                f"the answer {name} is not registered; `unroll register {name}` does it"
            )
        version = versions[one_of(name, versions, "the name of a registered model")]
        address = f"models:/{name}/{version}"
        source = opened.client.get_model_version_download_uri(name, version)
        if is_local_uri(source):  # type: ignore[no-untyped-call]
            local = local_file_uri_to_path(source)  # type: ignore[no-untyped-call]
            seal.require_plain(Path(local))
        files = Path(artifacts.download_artifacts(address, dst_path=folder))
        try:
            model = Model.load(files)
        # It is YAML, which MLflow does not check.
        except Exception as error:  # noqa: BLE001
            cure = f"`unroll register {name}` makes a new version"
            raise damaged(Path(address, "MLmodel"), error, cure) from None
        flavor = model.flavors.get("python_function", {})
        loader = flavor.get("loader_module")
        if loader != LOADER or flavor.get("data") != DATA:
            raise UnrollError(
                f"{name}, version {version}, is loaded by {loader} from "
                f"{flavor.get('data')!r:.80}, which is not Unroll's, so it is not "
                f"served; move the alias {ALIAS}, or run `unroll register {name}`"
            )
        from unroll.registry.served import Served

        served = Served(Forecaster.load(files / DATA))
        made = scoring_server.init(PyFuncModel(model, served))
        made.middleware("http")(_in_one_line)
        return made


async def _in_one_line(request: Any, call_next: Any) -> Any:
    """Answer a request; every refusal is one line, without MLflow's traceback.

    MLflow's own lines repeat all rows of the request. Its server fails at some requests
    that are none, such as JSON that is nested too deeply.
    """
    from fastapi.responses import JSONResponse

    try:
        if request.method == "POST" and "content-type" not in request.headers:
            raise UsageError("send a Content-Type: application/json or text/csv")
        response = await call_next(request)
        if response.status_code != BAD_REQUEST:
            return response
        error = json.loads(b"".join([part async for part in response.body_iterator]))
        said = str(error["message"])
        reason = said.rpartition("Error: ")[2].partition("Input:")[0]
        if "UnicodeDecodeError" in said or "codec can't decode" in said:
            reason = "the request is not UTF-8"
    except Exception as raised:  # noqa: BLE001 - MLflow's server raises its libraries' own
        reason = f"the request cannot be read ({type(raised).__name__}: {raised})"
    line = printable(one_line(f"{reason:.500}"))
    print(f"unroll: refused: {line}", file=sys.stderr)
    refused = {"error_code": "INVALID_PARAMETER_VALUE", "message": line}
    return JSONResponse(refused, BAD_REQUEST)


@contextmanager
def _at(opened: Store, group: str) -> Iterator[None]:
    """Let MLflow's own functions work on a store and an experiment, without warnings.

    They are named in the environment for the time of the block. MLflow's functions that
    set a store would set it for good. MLflow's progress bar for the files of a model
    would fill a log, so it is off.
    """
    places = dict.fromkeys(("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"), opened.uri)
    settings = {"MLFLOW_EXPERIMENT_ID": group, PROGRESS_BAR: "false"}
    with (
        mock.patch.dict(os.environ, {**places, **settings}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def signature() -> "ModelSignature":
    """Return the columns of an answer, and the parameter of a request.

    An answer has the columns of `Forecaster.after`. The columns of a request, which are
    those of the user's file, are in the example. MLflow would refuse whole numbers for
    a column of decimals, and repeat all rows of the request in its error. The model
    takes both, and its error is one line.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

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
    return ModelSignature(None, Schema(outputs), ParamSchema([level]))


def _example(files: Sequence[Path], forecaster: Forecaster) -> "pd.DataFrame | None":
    """Return the last rows as a request: timestamps and words as text, and numbers.

    None means that no forecast can be made from these rows.
    """
    question = forecaster.spec.question
    rows = read([files[-1]], question.csv)
    columns = [*question.csv.stamp, *question.csv.words, *question.numbers]
    example = rows.cells[columns].astype(dict.fromkeys(question.csv.stamp, str))
    example[question.numbers] = values_of(rows, question.numbers)
    example = example.tail(forecaster.spec.reach)
    with suppress(UnrollError), warnings.catch_warnings():
        # an example shows the form
        warnings.simplefilter("ignore", OutsideRangeWarning)
        forecaster.windows(example)
        return example.reset_index(drop=True)
    return None
