"""The MLflow store: where it lies, how several processes open it, what its errors say;
searching and logging.
"""

import contextlib
import functools
import hashlib
import logging
import os
import platform
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.dataset import Description
from pipeline.errors import UnrollError, without_password
from pipeline.files import scratch_folder
from pipeline.locks import alone
from pipeline.tracking import payload
from pipeline.tracking.payload import Points
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

PATIENCE = 60
"""Seconds to wait for another process that sets the store up; that takes it 1-5 s."""

BUSY = 5
"""Seconds to wait for another process's write; one takes milliseconds."""

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow's own patience with a server, 7 retries of 120 s, would hold a training up
    # for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Environment of MLflow, where the user has not set it."""

LIMIT = 900
"""Metrics in one call: MLflow takes 1,000 of metrics, tags and parameters together."""

MANY = 50_000
"""As many runs as MLflow gives at once."""

OWN = "own"


class StoreError(UnrollError):
    """The store cannot be used."""


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Attributes:
        client: several threads and processes may each have one.
        uri: its tracking URI.
        artifacts: where artifacts go; None where a server decides.
        place: stands in its runs for this workspace on this machine: `OWN` in the
            workspace's own store, else a hash, since others need not know path or host.
    """

    client: "MlflowClient"
    uri: str
    artifacts: Path | None
    place: str

    def experiment(self, data: Description) -> str:
        """The id of a data set's MLflow experiment; made, or brought back from the bin,
        if need be.

        Raises StoreError if the workspace was copied or moved.
        """
        title = payload.title(data)
        location = (
            (self.artifacts / title.replace(" ", "_")).as_uri()
            if self.artifacts
            else None
        )
        with guard(self.uri):
            group = self.client.get_experiment_by_name(title) or self._create(
                title, data, location
            )
            if location and self.place == OWN and group.artifact_location != location:
                raise StoreError(
                    f"mlflow.db was made in another folder (its files lie in {group.artifact_location}); "
                    "delete mlflow.db and mlartifacts here, then run `unroll track`"
                )
            if group.lifecycle_stage == "deleted":
                self.client.restore_experiment(group.experiment_id)
            return str(group.experiment_id)

    def _create(
        self, title: str, data: Description, location: str | None
    ) -> "Experiment":
        from mlflow.exceptions import MlflowException

        try:
            group_id = self.client.create_experiment(title, artifact_location=location)
        except MlflowException:  # another process may have been first
            if group := self.client.get_experiment_by_name(title):
                return group
            raise
        for key, value in payload.experiment_tags(group_id, data).items():
            self.client.set_experiment_tag(group_id, key, value)
        return self.client.get_experiment(group_id)

    def search(self, query: str, group: str | None = None) -> list["Run"]:
        """The runs that match a query of MLflow's, newest first; of one MLflow
        experiment, by its id, or of all.
        """
        groups = (
            [group]
            if group
            else [
                experiment.experiment_id
                for experiment in self.client.search_experiments()
            ]
        )
        return (
            list(self.client.search_runs(groups, query, max_results=MANY))
            if groups
            else []
        )

    def log(
        self,
        run_id: str,
        points: Points = (),
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        """Log metrics by step, tags and parameters in as few calls as may be: each is a
        transaction.
        """
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        metrics = [
            Metric(name, value, now, step)
            for step, values in points
            for name, value in values.items()
        ]
        parameters = [Param(*item) for item in (params or {}).items()]
        labels = [RunTag(*item) for item in (tags or {}).items()]
        while len(metrics) > LIMIT:
            self.client.log_batch(run_id, metrics=metrics[:LIMIT])
            metrics = metrics[LIMIT:]
        # tags with the last metrics: what has a fingerprint has them all
        if metrics or parameters or labels:
            self.client.log_batch(
                run_id, metrics=metrics, params=parameters, tags=labels
            )


def dvc_experiment() -> str:
    """The name of the experiment of DVC (`dvc exp run`) that this process is part of;
    empty in an ordinary build.
    """
    return os.environ.get("DVC_EXP_NAME", "") if os.environ.get("DVC_ROOT") else ""


def home(workspace: Workspace) -> Workspace:
    """The workspace that keeps the records: this one, or that which DVC copied it from,
    to throw the copy away.
    """
    return Workspace(Path(os.environ["DVC_ROOT"])) if dvc_experiment() else workspace


def database(workspace: Workspace) -> Path:
    """The workspace's own store."""
    return home(workspace).root.resolve() / "mlflow.db"


def experiment_lock(
    workspace: Workspace, name: str, variant: str | None = None
) -> Path:
    """Held by whoever records an experiment (of this experiment of DVC), so that none
    is recorded while it trains.

    `name` is whole, such as waves/gru.
    """
    variant = dvc_experiment() if variant is None else variant
    return (
        home(workspace).scratch
        / "tracking"
        / f"{name}{'.' * bool(variant)}{variant}.lock"
    )


def connect(workspace: Workspace) -> Store:
    """Open the store, and set it up if it is new.

    Raises:
        UnrollError: it cannot be reached, is locked, damaged, or of another version of
            MLflow.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    own = not os.environ.get("MLFLOW_TRACKING_URI")
    uri = (
        f"sqlite:///{database(workspace).as_posix()}"
        if own
        else os.environ["MLFLOW_TRACKING_URI"]
    )
    file = (
        Path(uri.removeprefix("sqlite:///")).absolute()
        if uri.startswith("sqlite:///")
        else None
    )
    lock = (
        home(workspace).scratch / "mlflow.lock"
        if own or not file
        else file.with_name(f"{file.name}.lock")
    )
    with guard(uri), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own dependencies
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with hold(lock, PATIENCE):
            if file and file.exists():
                _check(file)
            elif own:
                _set_up(database(workspace), home(workspace).scratch)
            if own:
                _do_not_wait_for_the_disk()
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    where = f"{platform.node()} {home(workspace).root.resolve()}"
    place = OWN if own else hashlib.sha256(where.encode()).hexdigest()[:12]
    return Store(client, uri, file.with_name("mlartifacts") if file else None, place)


@contextlib.contextmanager
def guard(uri: str) -> Iterator[None]:
    """Whatever MLflow raises becomes a StoreError of one line, without a password that
    the URI may hold.
    """
    try:
        yield
    except UnrollError:
        raise
    except Exception as error:
        first: BaseException = error
        remote = uri.startswith(("http://", "https://"))
        # Of a server's failure MLflow says all that the libraries in between had to
        # say.
        while remote and (cause := first.__cause__ or first.__context__):
            first = cause
        lines = (
            getattr(first, "strerror", None) or str(first)
        ).strip().splitlines() or [type(first).__name__]
        text = f"MLflow's store {uri} failed ({lines[0]:.300})"
        if (
            "malformed" in text
            or "not a database" in text
            or "out-of-date database schema" in text
        ):
            text += "; move it away and run `unroll track`, which records every run on disk anew"
        elif "locked" in text:
            text += "; wait until the process that holds it has ended"
        elif remote:
            text += "; check that the server of MLFLOW_TRACKING_URI runs"
        raise StoreError(without_password(text)) from error


def hold(path: Path, patience: float) -> AbstractContextManager[None]:
    """Hold one of the store's locks; raises UnrollError if another process does for
    longer than `patience` seconds.
    """
    return alone(path, f"another process holds {path.name}", patience=patience)


def _check(file: Path) -> None:
    """Fail at once on a file that is damaged, locked or read-only; MLflow tries for 100
    s before it does.
    """
    with contextlib.closing(
        sqlite3.connect(file, timeout=BUSY, isolation_level=None)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.execute("ROLLBACK")


@functools.cache
def _do_not_wait_for_the_disk() -> None:
    """A record takes ten transactions of 10 ms. What a failure of power damages is
    recorded anew (`guard`).
    """
    from sqlalchemy import Engine, event

    event.listen(
        Engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA synchronous = OFF"),
    )


def _set_up(file: Path, scratch: Path) -> None:
    """Make a new database apart and put it in place whole: MLflow cannot go on with
    tables that it made in part.
    """
    from mlflow import MlflowClient

    with scratch_folder(scratch, file.name) as folder:
        MlflowClient(tracking_uri=f"sqlite:///{(folder / file.name).as_posix()}")
        (folder / file.name).replace(file)
