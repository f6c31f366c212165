"""MLflow's model registry: answers and experiments as versions of registered models.

The alias `champion` names the version that is served.
"""

import json
import sys
import tempfile
import warnings
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import BAD_REQUEST
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.params import Experiment, own_name
from pipeline.errors import UnrollError, UsageError, one_line, printable
from pipeline.files import damaged
from pipeline.provenance import fingerprint
from pipeline.tracking import models, runs, store
from pipeline.tracking.store import Store
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.series import FILE, answer_page, prediction_intervals, seal
from unroll.series.forecaster import Forecaster
from unroll.series.reading.file_rows import values_of

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import Model, ModelSignature

    from unroll.series.saved import Answer

CONTENT_TYPES = ("application/json", "text/csv")
"""The forms of requests. The first one may have parameters."""

ALIAS = "champion"
"""The alias of the version that is served."""


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

    A forecaster that is registered gets no new version. Another model than the chosen
    one is `answer.by_model(...)`. The MLflow run has the scores
    of all models as metrics, and the answer's page as an artifact.

    Raises:
        UnrollError: the store cannot be used.
    """
    forecaster = answer.forecaster
    with (
        tempfile.TemporaryDirectory() as folder,
        store.opened(workspace) as opened,
    ):
        own = Path(folder) / Path(models.DATA).name
        forecaster.save(own)
        seal.write(own)
        mark = fingerprint.folder(Path(folder))
        group = opened.experiment(answer.name)
        for left in opened.search("attributes.status = 'RUNNING'", group):
            opened.client.set_terminated(left.info.run_id, "KILLED")  # with its process
        known = opened.search(f"tags.fingerprint = '{mark}'", group)
        run_id = (
            known[0].info.run_id if known else _log_answer(opened, group, answer, mark)
        )
        model = _model_of(opened, run_id)
        if model is None:
            to = models.Place(group, run_id, answer.name, {})
            model = models.log(
                opened,
                to,
                own,
                signature(),
                _example(answer),
                _description(forecaster),
            )
        return _move_alias_to_version(opened, answer.name, mark, run_id, model)


def register_experiment(
    workspace: Workspace, name: str, experiment: Experiment
) -> Registered:
    """Register the model of an experiment, such as waves/gru, from its run on disk.

    Raises:
        UnrollError: the experiment is not trained, its training method leaves nothing
            that predicts, or the store cannot be used.
    """
    found = runs.on_disk(workspace, name, experiment)
    if not models.predicts(own_name(name), experiment):
        raise UnrollError(
            f"{name} has no model: what its training method, "
            f"{experiment.training.method}, leaves is not enough to predict"
        )
    with store.opened(workspace) as opened:
        run = runs.log(opened, found)
        run_id = run.info.run_id
        model = _model_of(opened, run_id)
        if model is None:
            raise UnrollError(
                f"the run of {name} in MLflow has no model: it has no weights, or an "
                f"earlier Unroll logged it; then {models.CURE}"
            )
        mark = run.data.tags["fingerprint"]
        return _move_alias_to_version(opened, title(name), mark, run_id, model)


def title(name: str) -> str:
    """Return the name of a registered model; MLflow allows no / as in waves/gru."""
    return name.replace("/", ".")


def _model_of(opened: Store, run_id: str) -> str | None:
    """Return the id of a run's model; None if it has none."""
    outputs = opened.client.get_run(run_id).outputs
    logged = outputs.model_outputs if outputs else []
    return logged[0].model_id if logged else None


def _description(forecaster: Forecaster) -> str:
    """Return what goes into the model of an answer and what comes out."""
    fitted = forecaster.fitted
    windows = fitted.windows
    unit = f" in {windows.unit}" if windows.unit else ""
    return (
        f"In: the last {forecaster.reach:,} rows or more, with the columns of the file. Out: "
        f"{fitted.csv.target}{unit} at the next {windows.horizon} timesteps, with "
        "an interval."
    )


def _log_answer(opened: Store, group: str, answer: "Answer", mark: str) -> str:
    """Log the scores and the page of an answer, and return the id of the run."""
    metrics = {}
    for name, scores in answer.board.models.items():
        for key in ("mae", "wql", "coverage"):
            value = getattr(scores, key)
            if value is not None:
                metrics[f"{name}/{key}"] = value
    params = {
        "target": answer.target,
        "horizon": str(answer.findings.horizon),
        "champion": answer.board.champion,
        "forecasts by": answer.forecaster.why,
    }
    # in place of the user's name and the command's path
    tags = {
        "mlflow.user": "unknown",
        "mlflow.source.name": f"unroll register {answer.name}",
        store.NOTE: answer.sentence,
    }
    run = opened.client.create_run(group, run_name=answer.name, tags=tags)
    # The page is drawn anew: that of an answer from somebody else may hold scripts.
    with tempfile.TemporaryDirectory() as folder, suppress(UnrollError):
        answer_page.write(answer, Path(folder))
        opened.client.log_artifact(
            run.info.run_id, str(Path(folder) / answer_page.PAGE)
        )
    opened.log(run.info.run_id, [(0, metrics)], params)
    opened.client.set_tag(run.info.run_id, "fingerprint", mark)
    opened.client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def _move_alias_to_version(
    opened: Store, title: str, mark: str, run_id: str, model: str
) -> Registered:
    """Move the alias of a registered model to the version with a fingerprint.

    The version is made of a run's logged model if it is not there.
    """
    client = opened.client
    before = None
    found = client.search_registered_models(f"name = '{title}'")
    if found and ALIAS in found[0].aliases:
        before = str(found[0].aliases[ALIAS])
    if not found:
        client.create_registered_model(title)
    same = f"name = '{title}' and tags.fingerprint = '{mark}'"
    versions = client.search_model_versions(same, order_by=["version_number DESC"])
    number = str(versions[0].version) if versions else ""
    if not number:
        logged = client.get_logged_model(model)
        made = client.create_model_version(
            title,
            logged.artifact_location,
            run_id,
            {"fingerprint": mark},
            description=logged.tags[store.NOTE],
            model_id=model,
        )
        number = str(made.version)
        # As `mlflow.register_model` does, or the model's page would say that it is not
        # registered.
        link = json.dumps([{"name": title, "version": number}])
        client.set_logged_model_tags(model, {"mlflow.modelVersions": link})
    if number != before:
        client.set_registered_model_alias(title, ALIAS, number)
    return Registered(number, before, not versions)


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
    from mlflow.pyfunc import PyFuncModel, scoring_server
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    with (
        tempfile.TemporaryDirectory() as folder,
        store.opened(workspace) as opened,
    ):
        version = _champion_version(opened, workspace, name)
        source = opened.client.get_model_version_download_uri(title(name), version)
        if is_local_uri(source):  # type: ignore[no-untyped-call]
            local = local_file_uri_to_path(source)  # type: ignore[no-untyped-call]
            seal.require_plain(Path(local))
        files = Path(
            artifacts.download_artifacts(
                source, dst_path=folder, tracking_uri=opened.uri
            )
        )
        model = _checked_model(files, name, version)
        from unroll.mlflow_tools import served

        made = scoring_server.init(PyFuncModel(model, served.load(files / models.DATA)))
        params = model.signature.params if model.signature else None
        known = {param.name for param in params or ()}
        made.middleware("http")(partial(_in_one_line, known))
        return made


def _champion_version(opened: Store, workspace: Workspace, name: str) -> str:
    """Return the number of the version that is the champion of a registered model.

    Raises:
        UsageError: no model of this name is registered.
    """
    versions = {
        registered.name: str(registered.aliases[ALIAS])
        for registered in opened.client.search_registered_models()
        if ALIAS in registered.aliases
    }
    if not versions:
        raise UsageError(
            f"no model is registered here; `unroll register {name}` registers "
            f"the model of {name}"
        )
    known = title(name)
    if known not in versions and (workspace.root / name / FILE).is_file():
        raise UsageError(
            f"the answer {name} is not registered; `unroll register {name}` does it"
        )
    return versions[one_of(known, versions, "the name of a registered model")]


def _checked_model(files: Path, name: str, version: str) -> "Model":
    """Return MLflow's description of a model from its downloaded files.

    Raises:
        UnrollError: the description is damaged, or names another loader than Unroll's.
    """
    from mlflow.models import Model

    try:
        model = Model.load(files)
    # It is YAML, which MLflow does not check.
    except Exception as error:  # noqa: BLE001
        path = Path(f"models:/{title(name)}/{version}", "MLmodel")
        cure = f"`unroll register {name}` makes a new version"
        raise damaged(path, error, cure) from None
    flavor = model.flavors.get("python_function", {})
    loader = flavor.get("loader_module")
    if loader != models.LOADER or flavor.get("data") != models.DATA:
        raise UnrollError(
            f"{name}, version {version}, is loaded by {loader} from "
            f"{flavor.get('data')!r:.80}, which is not Unroll's, so it is not "
            f"served; move the alias {ALIAS}, or run `unroll register {name}`"
        )
    return model


async def _in_one_line(known: Collection[str], request: Any, call_next: Any) -> Any:
    """Answer a request; every refusal is one line, without MLflow's traceback.

    MLflow's own lines repeat all rows of the request. Its server fails at some requests
    that are none, such as JSON that is nested too deeply. It reads Parquet, a few bytes
    of which may become gigabytes, and ignores parameters that are not `known`.
    """
    from fastapi.responses import JSONResponse

    try:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind not in CONTENT_TYPES:
            raise UsageError(
                f"send a Content-Type: {' or '.join(CONTENT_TYPES)}. "
                f"Received: {kind!r:.80}"
            )
        if kind == CONTENT_TYPES[0]:
            _require_known_params(await request.body(), known)
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
    return JSONResponse(
        {"error_code": "INVALID_PARAMETER_VALUE", "message": line}, BAD_REQUEST
    )


def _require_known_params(body: bytes, known: Collection[str]) -> None:
    """Raise UsageError if a request in JSON has a parameter that the model lacks."""
    with suppress(ValueError, AttributeError):  # MLflow's server says what is wrong
        for name in json.loads(body).get("params") or ():
            if name not in known:
                raise UsageError(
                    f"unknown parameter {name!r:.80}; known: "
                    f"{', '.join(known) or 'none'}"
                )


def signature() -> "ModelSignature":
    """Return the columns of an answer, and the parameter of a request.

    An answer has the columns of `Forecaster.after`. The columns of a request, which are
    those of the user's file, are in the example. MLflow would refuse whole numbers for
    a column of decimals, and repeat all rows of the request in its error. The model
    takes both, and its error is one line.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

    percent = f"{100 * prediction_intervals.USUAL:g}"
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec("string", "unique_id"),
        ColSpec("string", "ds"),
        ColSpec("double", "y_hat"),
        ColSpec("double", f"lo-{percent}", required=False),
        ColSpec("double", f"hi-{percent}", required=False),
        ColSpec("string", "warning", required=False),
    ]
    level = ParamSpec("level", "double", prediction_intervals.USUAL)
    return ModelSignature(None, Schema(outputs), ParamSchema([level]))


def _example(answer: "Answer") -> "pd.DataFrame | None":
    """Return the last rows as a request: timestamps and words as text, and numbers.

    None means that the rows are not there, or that no forecast can be made from them.
    """
    fitted = answer.forecaster.fitted
    with suppress(UnrollError), warnings.catch_warnings():
        # an example shows the form
        warnings.simplefilter("ignore", UserWarning)
        rows = answer.rows
        columns = [*fitted.csv.stamp, *fitted.csv.words, *fitted.numbers]
        example = rows.cells[columns].astype(dict.fromkeys(fitted.csv.stamp, str))
        example[fitted.numbers] = values_of(rows, fitted.numbers)
        example = example.tail(answer.forecaster.reach)
        answer.forecaster.windows(example)
        return example.reset_index(drop=True)
    return None
