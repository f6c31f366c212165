"""`unroll track`: record in MLflow every run on disk that is not there yet. `unroll ui`: show them."""

import os
import sys
from collections.abc import Iterator, Sequence

from pipeline.config import params
from pipeline.errors import UnrollError, without_password
from pipeline.tracking import runs, store
from pipeline.workspace import Workspace

SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Of MLflow's server, where the user has not set it: jobs are for language models."""


def track(workspace: Workspace) -> list[tuple[str, str]]:
    """Replay the runs on disk into MLflow, with a progress bar on a terminal; see `pipeline.tracking.runs.replay`."""
    from rich import progress
    from rich.console import Console

    wanted, console = params.load(workspace.params), Console(stderr=True)
    done, hidden = runs.replay(workspace, wanted), not console.is_terminal
    count = len(wanted.experiments)
    return [*progress.track(done, "MLflow", count, console=console, transient=True, disable=hidden)]


def lines(replayed: Sequence[tuple[str, str]]) -> Iterator[str]:
    """What was done, in a line, and one for each run that was skipped."""
    counts = {action: [name for name, one in replayed if one == action] for action in ("recorded", "updated")}
    said = [f"{len(names)} {action}" for action, names in counts.items() if names]
    said.append(f"{sum(action == 'present' for _, action in replayed)} there already")
    if missing := sum(action == "not built" for _, action in replayed):
        said.append(f"{missing} not built (`unroll list` names them)")
    yield f"MLflow: of {len(replayed)} experiments {', '.join(said)}"
    yield from (f"{name}: {action}" for name, action in replayed if action.startswith("skipped"))


def ui(workspace: Workspace, port: int) -> None:
    """Record what is not there yet, print where each data set's scores are shown, and become MLflow's server.

    Raises:
        UnrollError: nothing is built or recorded, or the store cannot be used.
    """
    print("\n".join(lines(track(workspace))))
    if not os.environ.get("MLFLOW_TRACKING_URI") and not store.database(workspace).exists():
        raise UnrollError("there is nothing to show: nothing is built here; `unroll demo` takes some minutes")
    opened = store.connect(workspace)
    places = runs.addresses(opened, workspace)
    shared = opened.uri.startswith(("http://", "https://"))
    server = f"{without_password(opened.uri).rstrip('/')}/" if shared else f"http://127.0.0.1:{port}/"
    width = max(map(len, places), default=0)
    print("Scores by data set, best first; the button beside the list's shows charts:")
    print("\n".join(f"  {name:<{width}}  {server}{place}" for name, place in places.items()))
    print(f"All: {server}#/experiments?workflowType=machine_learning", flush=True)
    if shared:
        return
    print("Ctrl-C ends the server.", flush=True)
    # Of several workers MLflow ends those that take more than 5 s to start, again and again.
    options = ["--backend-store-uri", opened.uri, "--port", str(port), "--workers", "1"]
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", "ui", *options], SETTINGS | os.environ)  # noqa: S606
