"""Where trials are kept: in an SQLite file of this machine, or in a database that the machines of a cluster share."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UnrollError, UsageError, one_line

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy import URL

STUDIES = "UNROLL_STUDIES"
"""Names the shared database. Its password is in the environment alone, where each machine has its own."""

FORM = "postgresql://HOST/DATABASE with a user's name and password before the host"

PATIENCE = 60
"""Seconds to wait for another process that writes; that takes milliseconds, the first time a second."""

ANSWER = 15
"""Seconds to wait for a server."""

BEAT, SILENCE = 5, 30
"""Seconds between two words of whoever asked for a trial, and of silence after which that one is taken to be dead."""


def file(path: Path) -> "URL":
    """A database of this machine alone."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=path.as_posix())


def shared() -> "URL":
    """The database that the machines of a cluster share. As text it has no password.

    Raises:
        UsageError: none is named, or one that they cannot share.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not os.environ.get(STUDIES):
        raise UsageError(
            f"trials on a cluster are kept in a database that all machines reach; set {STUDIES} to its address, "
            f"{FORM}, here and where the workers are started"
        )
    try:
        url = make_url(os.environ[STUDIES])
    except (ArgumentError, ValueError):  # what these say may hold a part of the password
        raise UsageError(f"{STUDIES} must be like {FORM}; in a password @ is %40") from None
    if url.get_backend_name() == "sqlite":
        raise UsageError(f"{STUDIES} names SQLite, a file, which machines cannot share; it must be like {FORM}")
    return url.set(drivername="postgresql+psycopg2") if url.drivername == "postgresql" else url


def connect(url: "URL", stale: "Callable[[Study, FrozenTrial], None] | None" = None) -> "RDBStorage":
    """Open a database of trials; its tables are made where there are none.

    Args:
        url: by `file` or `shared`.
        stale: what becomes of a trial of a shared database that nobody vouches for any more.

    Raises:
        UnrollError: the package for this kind of database is not installed, or the database is something else's.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    address, kind = url.render_as_string(hide_password=False), url.get_backend_name()
    if kind == "sqlite":
        return optuna.storages.RDBStorage(address, {"connect_args": {"timeout": PATIENCE}})
    options = {"connect_args": {"connect_timeout": ANSWER}} if kind == "postgresql" else {}
    beats: dict[str, Any] = {
        "heartbeat_interval": BEAT,
        "grace_period": SILENCE,
        "heartbeat_stale_trial_callback": stale,
    }
    try:
        with unproven():
            return optuna.storages.RDBStorage(address, {"pool_pre_ping": True, **options}, **beats)
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) or error
        raise UnrollError(
            f"{STUDIES}: {missing} is not installed, which {kind} needs; `.ci/venv cluster` installs PostgreSQL's"
        ) from None
    except RuntimeError:  # it has tables of another version of Optuna, or MLflow's, which number theirs alike
        raise UnrollError(
            f"{STUDIES}: the database is in use by something else, such as MLflow; make one for the trials alone"
        ) from None


@contextlib.contextmanager
def explained(url: "URL") -> Iterator[None]:
    """The errors of a database in one line."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OptunaError) as error:
        said = one_line(str(getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error))
        if url.get_backend_name() == "sqlite":
            raise UnrollError(f"{url.database} cannot be used ({said:.200}); move it away to begin anew") from error
        raise UnrollError(f"{STUDIES}: the database cannot be used ({said:.200}); trials that ended are kept") from None


@contextlib.contextmanager
def unproven() -> Iterator[None]:
    """Heartbeats, of which Optuna says each time that they are experimental, and that it would rather send them."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "Heartbeat of storage")
        yield
