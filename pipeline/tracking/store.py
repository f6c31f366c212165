"""The MLflow store: its place, how it is opened, its errors, and what its page shows of
data sets and runs.
"""

import contextlib
import json
import logging
import os
import sqlite3
import textwrap
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Description
from pipeline.errors import UnrollError, without_password
from pipeline.evaluation.schema import About
from pipeline.files import remove, scratch_folder
from pipeline.locks import alone
from pipeline.metrics import MEASURES
from pipeline.report import titles
from pipeline.workspace import Workspace, home

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Points = Sequence[tuple[int, Mapping[str, float]]]
"""Pairs of a step, such as an epoch (from 1), and its metrics, in order."""

ANEW = (
    "move it away and run `unroll track`, which logs every run anew, and `unroll register` "
    "for each registered answer or experiment"
)
"""What brings back the content of a store."""

PATIENCE = 60
"""Seconds to wait for another process of this workspace. Logging a run takes 1 s."""

BUSY = 5
"""Seconds to wait for another process's write. A write takes milliseconds."""

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # A progress bar for the files of each model would fill a log.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A model would get a copy of the user's uv.lock.
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow's own patience with a server, 7 retries of 120 s, would hold a training up
    # for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Environment variables for MLflow that the user has not set."""

LIMIT = 900
"""Most metrics in one call. MLflow takes 1000 values, 100 of which may be parameters."""

MOST = 50_000
"""Most runs that MLflow returns in one call."""

MARK = " (stand-in)"
"""The ending of each name that belongs to stand-in data."""

STAND_IN = (
    "Stand-in data, generated in place of the real ones: no figure here is a result."
)

NOTE = "mlflow.note.content"
"""The tag of a description."""

CURRENT = "tags.`current` = 'true'"
"""MLflow's query for the runs that are tagged as current: those on disk,
and the committed results of other experiments."""

EPOCH = "epoch/"
"""The prefix of metrics that are logged for each epoch."""

VIEW = "scores"
"""The key of the shared view that a data set's address opens."""

WIDTH = 210
"""The width of a metric's column, in pixels. In the default width MLflow's page cuts off
the exponent of 2.265074057684218e-31."""


class StoreError(UnrollError):
    """The store cannot be used."""


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Attributes:
        client: MLflow's client.
        uri: the tracking URI.
        artifacts: the folder of the artifacts; None if a server decides.
        project: the name of the project in a store that several projects share; "" in
            the workspace's own.
    """

    client: "MlflowClient"
    uri: str
    artifacts: Path | None
    project: str = ""

    def title(self, data: Dataset | Description | About) -> str:
        """Return the name of the MLflow experiment of a data set.

        Stand-in data have an MLflow experiment of their own, so that they never mix with
        real data.
        """
        name = f"{self.project}/{data.name}" if self.project else data.name
        return f"{name}{MARK}" if data.stand_in else name

    def experiment(self, title: str) -> str:
        """Return the id of an MLflow experiment.

        The experiment is made if it does not exist, and restored if it was deleted.

        Raises:
            StoreError: the workspace was copied or moved.
        """
        from mlflow.exceptions import MlflowException

        location = None
        if self.artifacts:
            location = (self.artifacts / title.replace(" ", "_")).as_uri()
        group = self.client.get_experiment_by_name(title)
        if group is None:
            # Another build that begins on the same server may be the first.
            try:
                return str(self.client.create_experiment(title, location))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            return self.experiment(title)
        if location and group.artifact_location != location:
            raise StoreError(
                "mlflow.db was made in another folder (its files lie in "
                f"{group.artifact_location}); delete mlflow.db and mlartifacts here, "
                "then run `unroll track`"
            )
        if group.lifecycle_stage == "deleted":
            self.client.restore_experiment(group.experiment_id)
        return str(group.experiment_id)

    def search(self, query: str, group: str = "") -> list["Run"]:
        """Return the runs that match a query in MLflow's language, newest first.

        `group` is the id of an MLflow experiment; empty searches all of the project.
        """
        groups = [group]
        if not group:
            own = self.project and f"{self.project}/"
            every = self.client.search_experiments()
            groups = [each.experiment_id for each in every if each.name.startswith(own)]
        return list(self.client.search_runs(groups, query, max_results=MOST))

    def log(
        self,
        run_id: str,
        points: Points,
        params: Mapping[str, str] | None = None,
        model: str | None = None,
    ) -> None:
        """Log parameters and metrics by step, in as few calls as possible.

        `model` is the id of the logged model that the metrics are also of.
        """
        from mlflow.entities import Metric, Param

        parameters = [Param(*item) for item in (params or {}).items()]
        now = int(time.time() * 1000)
        metrics = [
            Metric(name, value, now, step, model_id=model)
            for step, values in points
            for name, value in values.items()
        ]
        self.client.log_batch(run_id, metrics[:LIMIT], parameters)
        for start in range(LIMIT, len(metrics), LIMIT):
            self.client.log_batch(run_id, metrics[start : start + LIMIT])


def database(workspace: Workspace) -> Path:
    """Return the file of the workspace's own store."""
    return home(workspace).root.resolve() / "mlflow.db"


def uri_of(workspace: Workspace) -> str:
    """Return MLflow's tracking URI: the user's, or that of the workspace's own store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _address(database(workspace))


def _address(file: Path) -> str:
    """Return the URI of a database. A folder's name may hold `?`, `#` or `%20`."""
    from sqlalchemy import URL  # heavy

    # With the scheme `sqlite`, MLflow would make the folder of the escaped path, too.
    return URL.create("sqlite+pysqlite", database=file.as_posix()).render_as_string()


def is_empty(workspace: Workspace) -> bool:
    """Return whether no store exists yet."""
    return (
        not os.environ.get("MLFLOW_TRACKING_URI") and not database(workspace).exists()
    )


@contextlib.contextmanager
def opened(workspace: Workspace) -> Iterator[Store]:
    """Open the store, and set it up if it is new.

    No other process of this workspace can open the store during the block.

    Raises:
        StoreError: the store cannot be reached, is locked or damaged, or belongs to
            another version of MLflow. All errors of MLflow in the block become a
            StoreError, too.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    uri = uri_of(workspace)
    scratch = home(workspace).scratch
    busy = "another process writes to MLflow's store"
    with (
        guard(uri),
        alone(scratch / "mlflow.lock", busy, patience=PATIENCE),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of MLflow's own dependencies
        from mlflow import MlflowClient
        from sqlalchemy import make_url

        for name in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        artifacts = None
        project = ""
        if uri != _address(database(workspace)):
            project = _project(workspace)
        if uri.startswith("sqlite"):
            file = Path(make_url(uri).database or "").absolute()
            artifacts = file.with_name("mlartifacts")
            _prepare(file, scratch)
        yield Store(MlflowClient(uri, uri), uri, artifacts, project)


def _project(workspace: Workspace) -> str:
    """Return the name of the project: as params.yaml says, or that of its folder."""
    named = ""
    if workspace.params.is_file():
        named = params.load(workspace.params).project
    return named or home(workspace).root.resolve().name


def _prepare(file: Path, scratch: Path) -> None:
    """Set up a database, or fail at once if it is damaged, locked or read-only.

    MLflow itself would try for 100 s.
    """
    from mlflow import MlflowClient

    # The caller holds the store's lock, so these are of killed processes.
    for path in scratch.glob(f".{file.name}.*.tmp"):
        remove(path)
    if not file.exists():
        # The new database is moved into place when it is complete: MLflow cannot go on
        # with part of its tables.
        with scratch_folder(scratch, file.name) as folder:
            MlflowClient(_address(folder / file.name))
            (folder / file.name).replace(file)
    connection = sqlite3.connect(file, timeout=BUSY, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.execute("ROLLBACK")


@contextlib.contextmanager
def guard(uri: str) -> Iterator[None]:
    """Raise all errors of MLflow in the block as a StoreError of one line.

    The line does not show a password in the URI.
    """
    try:
        yield
    except UnrollError:
        raise
    except Exception as error:
        # MLflow's text repeats the errors of all libraries in between; the first one
        # names the cause.
        first: BaseException = error
        while cause := first.__cause__ or first.__context__:
            first = cause
        reason = getattr(first, "strerror", None) or str(first) or type(first).__name__
        line, _, advice = reason.strip().splitlines()[0].partition(" Take a backup")
        text = (
            f"MLflow's store {uri} failed ({textwrap.shorten(line.rstrip('.'), 300)})"
        )
        if advice:
            text += (
                "; another version of MLflow wrote it: if that was an older one, copy "
                f"the database and run `mlflow db upgrade {uri}`; otherwise {ANEW}"
            )
        elif "malformed" in text or "not a database" in text:
            text += f"; {ANEW}"
        elif "locked" in text:
            text += "; wait until the process that holds it has ended"
        elif uri.startswith("http"):
            text += "; check that the server of MLFLOW_TRACKING_URI runs"
        raise StoreError(without_password(text)) from error


def address(group: str) -> str:
    """Return the address of an MLflow experiment, sorted by score, on MLflow's page.

    `group` is the id of the MLflow experiment. The address follows the server's.
    """
    shared = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
    return f"#/experiments/{group}/runs?{shared}"


def note(
    experiment: Experiment,
    data: Dataset | About,
    metrics: Mapping[str, float],
) -> str:
    """Return the description of a run: its model, its training and its error.

    Args:
        experiment: its section of params.yaml.
        data: its data set.
        metrics: the metrics of the run; without the data set's own, it has no error.
    """
    seeds = len(experiment.seeds)
    how = f"trained on {data.name} by {experiment.training.method}"
    text = f"{titles.experiment(experiment)}, {how}, {seeds} seed{'s' if seeds > 1 else ''}."
    if data.metric in metrics:
        text += f" {MEASURES[data.metric].title} on test: {metrics[data.metric]:.4g}"
        if "mae_unit" in metrics:
            text += f", and MAE {metrics['mae_unit']:.4g} {data.scale.unit}"
        text += "."
    return f"{STAND_IN} {text}" if data.stand_in else text


def description(
    group: str, kind: str, metric: str, stand_in: bool, answers: Sequence[str]
) -> dict[str, str]:
    """Return the tags of a data set's MLflow experiment: its description, with a line
    for each answer, and its table of runs.

    The table is in the form in which MLflow's page shares a view: experiments by score.
    """
    what = f"A data set to {kind}, compared by {metric}."
    if stand_in:
        what = STAND_IN
    # The page shows only the first line, so everything is in one line.
    note = " ".join([*answers, what, f"[By score]({address(group)})"])
    columns = []
    for name in (metric, f"validation_{metric}"):
        columns += [f"metrics.`{name}`", f"metrics.`{name}_std`"]
    view = {
        "searchFilter": CURRENT,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": not MEASURES[metric].higher,
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": dict.fromkeys(columns, WIDTH),
    }
    return {
        NOTE: note,
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
    }
