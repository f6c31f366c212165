"""The commands `track`, `ui` and `register`: what is on disk, in MLflow's records,
pages and registry.
"""

import os
import secrets
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence

from pipeline import numerics
from pipeline.config import params
from pipeline.errors import UnrollError, without_password
from pipeline.evaluation import answers_file
from pipeline.provenance.machine import CODE, documents
from pipeline.tracking import login, runs, store
from pipeline.workspace import Workspace
from series.answer import load
from series.forecaster import Forecaster
from unroll.answers.find import find
from unroll.registry import model_registry
from unroll.registry.model_registry import ALIAS, Registered
from unroll.results import predict

SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Settings of MLflow's server, where the user has not set them: jobs are for language
models."""


def track(workspace: Workspace) -> list[tuple[str, str]]:
    """Replay the runs on disk into MLflow, with a progress bar on a terminal; see
    `pipeline.tracking.runs.replay`.
    """
    from rich import progress
    from rich.console import Console

    experiments = params.load(workspace.params).runs
    console = Console(stderr=True)
    replayed = runs.replay(workspace, experiments)
    hidden = not console.is_terminal
    return [
        *progress.track(
            replayed,
            "MLflow",
            len(experiments),
            console=console,
            transient=True,
            disable=hidden,
        )
    ]


def lines(replayed: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What was done, in a line, and one for each run that was skipped."""
    actions = [action for _, action in replayed]
    counts = [
        f"{actions.count(action)} {action}"
        for action in ("recorded", "updated")
        if action in actions
    ]
    counts.append(f"{actions.count('present')} there already")
    if "not built" in actions:
        counts.append(
            f"{actions.count('not built')} not built (`unroll list` names them)"
        )
    yield f"MLflow: of {len(replayed)} experiments {', '.join(counts)}"
    yield from (
        f"{name}: {action}" for name, action in replayed if action.startswith("skipped")
    )


def ui(workspace: Workspace, port: int, whole: Workspace | None = None) -> None:
    """Record what is not there yet, print where each data set's scores are shown, and
    become MLflow's server.

    Beside the runs stand the answers of the `whole` build, where these are a part of
    it.

    Raises:
        UnrollError: nothing is built or recorded, the store cannot be used, or the
            port.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
        require_free(port)
    if workspace.params.is_file():
        print("\n".join(lines(track(workspace))))
    if (
        not os.environ.get("MLFLOW_TRACKING_URI")
        and not store.database(workspace).exists()
    ):
        report = Workspace(documents(workspace.root)).report
        shown = (
            f" The page of the four documents' results: {report}"
            if report.is_file()
            else ""
        )
        raise UnrollError(
            f"there is nothing to show: nothing is built here; `unroll demo` takes some minutes.{shown}"
        )
    answered = {}
    if workspace.params.is_file():
        answered = answers_file.every(workspace)
        if whole:
            answered |= answers_file.every(whole)
    opened = store.connect(workspace)
    lines_of = {
        name: [answer.line for answer in of_dataset]
        for name, of_dataset in answered.items()
    }
    addresses = runs.describe(opened, workspace, lines_of)
    shared = opened.uri.startswith(("http://", "https://"))
    token = secrets.token_urlsafe()
    here = f"http://127.0.0.1:{port}/?token={token}"
    server = f"{without_password(opened.uri).rstrip('/')}/" if shared else here
    width = max(map(len, addresses), default=0)
    print(
        "Each data set's table of experiments, best first; the second button above it has charts:"
    )
    print(
        "\n".join(
            f"  {name:<{width}}  {server}{address}"
            for name, address in addresses.items()
        )
    )
    print(
        f"All data sets: {server}#/experiments?workflowType=machine_learning",
        flush=True,
    )
    if shared:
        return
    print(
        "The addresses answer in half a minute, when the server says that it is running; Ctrl-C ends it."
    )
    print("Other users of this machine see nothing without the token.", flush=True)
    # Of several workers MLflow ends those that take more than 5 s to start, again and
    # again.
    options = [
        "--backend-store-uri",
        opened.uri,
        "--port",
        str(port),
        "--workers",
        "1",
        "--app-name",
        login.APP,
    ]
    # Nothing is imported from this folder, where a file may be called as a module of
    # the standard library is.
    safe = {
        "PYTHONSAFEPATH": "1",
        "UVICORN_APP_DIR": str(CODE),
    } | numerics.python_path()
    variables = SETTINGS | os.environ | safe | {login.TOKEN: token}
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", "mlflow", "ui", *options], variables
    )


def require_free(port: int) -> None:
    """Raise UnrollError if no server of this user's can listen at a port of this
    machine.
    """
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UnrollError(
            f"port {port} of this machine cannot be used: {os.strerror(error.errno or 0)}; pass another --port"
        ) from None


def register(workspace: Workspace, name: str) -> tuple[Registered, Forecaster]:
    """Put a model into MLflow's registry: an answer's, a data set's best experiment, or
    the one that is named.

    Raises:
        UsageError: there is no such name, or it is no series with timestamps.
        UnrollError: something is not built, or MLflow's store cannot be used.
    """
    folder = find(name, workspace)
    if folder is not None:
        answer = load(folder)
        return model_registry.register_answer(workspace, answer), answer.forecaster
    source = predict.source_of(workspace, name)
    registered = model_registry.register_experiment(
        workspace, source.forecaster, source.files
    )
    return registered, source.forecaster


def registered_lines(registered: Registered, forecaster: Forecaster) -> Iterator[str]:
    """What was registered, what changed, and how to serve it."""
    spec = forecaster.spec
    seeds = f", the mean of {spec.seeds} seeds" if spec.seeds > 1 else ""
    before = "" if registered.new else ", registered before"
    model = spec.name if spec.name != registered.name else spec.why
    yield f"{registered.name}, version {registered.version}: {model}{seeds}{before}"
    if registered.before not in {None, registered.version}:
        yield f"{ALIAS} was version {registered.before} and is now version {registered.version}"
    yield f"It takes the last {spec.reach:,} rows and answers on this machine, once served:"
    yield f"  unroll serve {shlex.quote(registered.name)}"


def serve(workspace: Workspace, name: str, port: int) -> None:
    """Answer requests for forecasts by the champion of a registered model, until
    Ctrl-C.

    Raises:
        UsageError: no such model is registered.
        UnrollError: it is none of Unroll's, or MLflow's store or the port cannot be
            used.
    """
    import uvicorn

    require_free(port)
    if workspace.params.is_file():
        params.load(workspace.params)  # its models may be of the user's own modules
    app = model_registry.app(workspace, name)
    print(
        f"{name} answers at http://127.0.0.1:{port}/invocations. Ctrl-C ends the server.",
        flush=True,
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
