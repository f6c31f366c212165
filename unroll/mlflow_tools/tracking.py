"""The commands `track`, `ui`, `register` and `serve`, which use MLflow."""

import os
import secrets
import shlex
import socket
import sys
from collections.abc import Collection, Iterator

from pipeline import numeric_settings
from pipeline.config import params
from pipeline.errors import UnrollError, UsageError, without_password
from pipeline.provenance.places import CODE
from pipeline.report import built_results, titles
from pipeline.report.wording import AnswerText
from pipeline.tracking import login, runs, store
from pipeline.workspace import Workspace
from unroll.answers.find_answer import find
from unroll.mlflow_tools import model_registry
from unroll.mlflow_tools.model_registry import ALIAS
from unroll.results.compare import committed_params
from unroll.series.saved import load

JOBS = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"
"""The variable that lets MLflow's server start jobs. Only language models need them."""


def track(workspace: Workspace) -> dict[str, str]:
    """Log runs that are not logged yet, and describe each data set by its answers.

    Print what was done, with a progress bar on a terminal.

    Returns:
        The name of each data set in MLflow -> the end of its address on MLflow's page.

    Raises:
        UnrollError: the store cannot be used.
    """
    from rich import progress
    from rich.console import Console

    answered = {}
    if workspace.params.is_file():
        experiments = params.load(workspace.params).runs
        console = Console(stderr=True)
        logged = progress.track(
            runs.track(workspace, experiments),
            "MLflow",
            len(experiments),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        actions = dict(logged)
        shown: list[str] = []
        if "not built" in actions.values():
            try:
                config = committed_params(workspace)
            except (UnrollError, OSError):
                config = params.load_all(workspace.params)
            # MLflow's store takes seconds to set up.
            if any(workspace.evaluation("").glob("*/evaluation.json")):
                with store.opened(workspace) as opened:
                    shown = runs.log_committed(opened, workspace, config)
        _print_actions(actions, shown)
        answered = _answers(workspace)
    if store.is_empty(workspace):
        return {}
    with store.opened(workspace) as opened:
        return runs.describe(opened, workspace, answered)


def _answers(workspace: Workspace) -> dict[str, list[str]]:
    """Return data set -> its answers, a sentence each, and the models of several
    searches that they compare.
    """
    built = built_results.load(workspace, params.load_all(workspace.params)).built
    return {
        dataset.name: [
            *(f"{AnswerText(dataset, answer).line}." for answer in dataset.answers),
            *(f"{text}." for text in dataset.behind),
        ]
        for dataset in built
        if dataset.answers
    }


def _print_actions(actions: dict[str, str], shown: Collection[str]) -> None:
    """Print a line with the counts, and a line for each run that was skipped.

    `shown` are the experiments whose committed results are shown.
    """
    done = list(actions.values())
    new = done.count("recorded")
    logged = new + done.count("present")
    counts = [f"{logged} trained here ({new} of them logged now)"]
    if shown:
        counts.append(f"{len(shown)} with the committed figures alone")
    neither = [
        name
        for name, action in actions.items()
        if action == "not built" and name not in shown
    ]
    if neither:
        counts.append(f"{len(neither)} not built, such as {neither[0]}")
    print(f"MLflow: {len(done)} experiments: {', '.join(counts)}")
    for name, action in actions.items():
        if action.startswith("skipped"):
            print(f"{name}: {action}")


def ui(workspace: Workspace, port: int) -> None:
    """Log runs that are not logged yet, print the addresses of the data sets' tables,
    and become MLflow's server.

    Args:
        workspace: the workspace whose records are shown.
        port: the port of the server on this machine.

    Raises:
        UnrollError: nothing is built or logged, or the store or the port cannot be
            used.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    shared = uri.startswith("http")
    if not shared:
        require_free(port)
    addresses = track(workspace)
    if store.is_empty(workspace):
        raise UnrollError(
            "there is nothing to show, because nothing is built here; "
            "run `unroll demo`, which takes some minutes"
        )
    token = secrets.token_urlsafe()
    server = f"http://127.0.0.1:{port}/?token={token}"
    if shared:
        server = f"{without_password(uri).rstrip('/')}/"
    width = max(map(len, addresses), default=0)
    print(
        "Each data set's table of experiments, best first; "
        "the second button above it has charts:",
        *(f"  {name:<{width}}  {server}{end}" for name, end in addresses.items()),
        f"All data sets: {server}#/experiments?workflowType=machine_learning",
        sep="\n",
    )
    if not shared:
        _serve_page(workspace, port, token)


def _serve_page(workspace: Workspace, port: int, token: str) -> None:
    """Become MLflow's server, which asks for the token."""
    print(
        "The addresses answer in half a minute, when the server says that it is "
        "running; Ctrl-C ends it.\n"
        "Other users of this machine see nothing without the token.",
        flush=True,
    )
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port)]
    command += ["--backend-store-uri", store.uri_of(workspace)]
    # With several workers, MLflow would end and restart each one that takes more than
    # 5 s to start.
    command += ["--workers", "1", "--app-name", login.APP]
    # Nothing is imported from this folder, whose files could hide modules of the
    # standard library.
    own = {
        "PYTHONSAFEPATH": "1",
        "UVICORN_APP_DIR": str(CODE),
        **numeric_settings.python_path(),
        login.TOKEN: token,
    }
    os.execve(sys.executable, command, {JOBS: "false", **os.environ, **own})  # noqa: S606


def require_free(port: int) -> None:
    """Raise UnrollError if no server can listen at a port of this machine."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UnrollError(
            f"port {port} of this machine cannot be used: {why}; pass another --port"
        ) from None


def register(
    workspace: Workspace, name: str, model: str | None = None
) -> Iterator[str]:
    """Put the champion of an answer, or the model of an experiment, into MLflow's
    registry.

    Args:
        workspace: the workspace of the answer or of the run.
        name: an answer, or an experiment with its data set, such as waves/gru.
        model: the model of an answer; by default the one that was chosen.

    Yields:
        Lines about what was registered, what changed, and how to serve it.

    Raises:
        UsageError: there is no such answer or experiment.
        UnrollError: the experiment has no run or no model here, or MLflow's store
            cannot be used.
    """
    folder = find(name, workspace)
    if folder is None:
        if model is not None:
            raise UsageError(f"--model is for an answer, and {name} is none")
        experiment = params.load(workspace.params).experiment(name)
        registered = model_registry.register_experiment(workspace, name, experiment)
        words = [f"{titles.experiment(experiment)}, seed {experiment.seeds[0]}"]
        takes = "It takes windows as they are prepared"
    else:
        answer = load(folder).by_model(model)
        registered = model_registry.register(workspace, answer)
        words = [answer.forecaster.why]
        name = answer.name
        takes = f"It takes the last {answer.forecaster.reach:,} rows"
    if not registered.new:
        words.append("registered before")
    title = model_registry.title(name)
    yield f"{title}, version {registered.version}: {', '.join(words)}"
    if registered.before not in {None, registered.version}:
        yield f"{ALIAS} was version {registered.before} and is now {registered.version}"
    yield f"{takes} and answers on this machine, once served:"
    yield f"  unroll serve {shlex.quote(name)}"


def serve(workspace: Workspace, name: str, port: int) -> None:
    """Answer requests by the champion of a registered model, until Ctrl-C.

    Raises:
        UsageError: no such model is registered.
        UnrollError: the model was not registered by Unroll, or MLflow's store or the
            port cannot be used.
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
