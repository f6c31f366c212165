"""What an owner of a series waits for: the first forecast, an answer over HTTP, and a file of ten million rows.

The files are generated, since their shapes and sizes are what counts. The commands are those that a user types.
"""

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests

from bench import process_cost, results, workspaces
from bench.own_series import files
from bench.process_cost import CommandFailedError
from pipeline.config import params
from pipeline.workspace import Workspace

OnStep = Callable[[str], None]

EMPTY: dict[str, Any] = {"sources": {}, "datasets": {}, "experiments": {}}

ROWS, LARGE_ROWS = 4_320, 10_000_000
QUICK_ROWS, QUICK_LARGE_ROWS = 800, 100_000

SERVED = ("ridge", "gru")
"""The models that answer over HTTP: one that is a product, and a network with three seeds."""

AT_ONCE = (1, 4, 16)
"""How many requests are on their way at the same time."""

REQUESTS, QUICK_REQUESTS = 400, 32

LARGE = ("add minutes.csv --target load --yes", "source minutes", "prepare minutes", "train minutes_last_value")
"""What is run on the large file."""

PATIENCE = 120
"""Seconds in which a server must begin to answer."""


def measure(quick: bool, on_step: OnStep) -> dict[str, Any]:
    """Measure everything; JSON-able.

    Args:
        quick: the first file only, with fewer rows; fewer requests and fewer rows of the large file.
        on_step: told in words what is done next.

    Returns:
        forecasts (file -> `form`, `rows`, `experiments`, and seconds of `add`, `repro` and `predict`), served (rows of
        `experiment`, `seeds`, `at_once`, `requests`, milliseconds `median` and `p95`, answers `per_second`), large
        (`rows`, `megabytes`, and of each of `commands` its seconds, CPU seconds and peak in MiB).

    Raises:
        CommandFailedError: a command failed, or a server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
        folder = Path(name)
        workspace = workspaces.make_workspace(folder / "workspace", EMPTY)
        forms = files.FORMS[:1] if quick else files.FORMS
        forecasts = {
            form.name: first_forecast(workspace, form, QUICK_ROWS if quick else ROWS, on_step) for form in forms
        }
        requested = QUICK_REQUESTS if quick else REQUESTS
        served = [one for model in SERVED for one in answers(workspace, forms[0], model, requested, on_step)]
        result = {"forecasts": forecasts, "served": served, "large": large(folder, quick, on_step)}
    return results.rounded(result, digits=3)


def unroll(workspace: Workspace, *command: str) -> dict[str, float]:
    """What one command costs; see `process_cost.run`."""
    python = str(process_cost.interpreter())
    return process_cost.run([python, "-m", "stages", *command], workspace.root, workspaces.environment(workspace))


def first_forecast(workspace: Workspace, form: files.Form, rows: int, on_step: OnStep) -> dict[str, Any]:
    """The three commands from a file to its forecast, with nothing edited between them."""
    form.write(workspace.root / form.file, rows)
    commands = {
        "add": ["add", form.file, "--target", form.target, "--yes"],
        "repro": ["repro", "--jobs", "2", f"evaluate@{form.name}"],
        "predict": ["predict", form.name],
    }
    found: dict[str, Any] = {"form": form.text, "rows": rows}
    for name, command in commands.items():
        on_step(f"unroll {' '.join(command)}")
        found[name] = unroll(workspace, *command)["seconds"]
    wanted = params.load(workspace.params).experiments.values()
    return found | {"experiments": sum(one.dataset == form.name for one in wanted)}


def answers(
    workspace: Workspace, form: files.Form, model: str, requested: int, on_step: OnStep
) -> Iterator[dict[str, Any]]:
    """How long the served champion takes to answer, with one and with more requests on their way."""
    experiment, wanted = f"{form.name}_{model}", params.load(workspace.params)
    on_step(f"unroll register {experiment}")
    unroll(workspace, "register", experiment)
    window = form.frame(ROWS).tail(wanted.datasets[form.name].preparation.options["lookback"])
    records = json.dumps({"dataframe_records": window.to_dict("records")})
    with server(workspace, form.name) as address:
        for at_once in AT_ONCE:
            on_step(f"{experiment}: {requested} requests, {at_once} at once")
            with ThreadPoolExecutor(at_once) as clients:
                list(clients.map(partial(ask, address), [records] * at_once))  # the first answers import
                began = time.perf_counter()
                seconds = list(clients.map(partial(ask, address), [records] * requested))
                whole = time.perf_counter() - began
            yield {
                "experiment": experiment,
                "seeds": len(wanted.experiments[experiment].seeds),
                "at_once": at_once,
                "requests": requested,
                "rows": len(window),
                "median": 1000 * median(seconds),
                "p95": 1000 * quantiles(seconds, n=20)[-1],
                "per_second": requested / whole,
            }


def ask(address: str, records: str) -> float:
    """The seconds until one answer is there."""
    began = time.perf_counter()
    answer = requests.post(address, data=records, headers={"Content-Type": "application/json"}, timeout=PATIENCE)
    if not answer.ok:
        raise CommandFailedError(f"the server says {answer.status_code}: {answer.text:.200}")
    return time.perf_counter() - began


@contextmanager
def server(workspace: Workspace, name: str) -> Iterator[str]:
    """MLflow's server of a registered model, with one worker; where it answers.

    Raises:
        CommandFailedError: it does not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    python = str(process_cost.interpreter())
    options = ["-m", f"models:/{name}@champion", "--env-manager", "local", "--port", address.rpartition(":")[2]]
    variables = workspaces.environment(workspace) | {"MLFLOW_TRACKING_URI": f"sqlite:///{workspace.root}/mlflow.db"}
    with subprocess.Popen(
        [python, "-m", "mlflow", "models", "serve", *options],
        cwd=workspace.root,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until = time.monotonic() + PATIENCE
            while not answers_at(address):
                if process.poll() is not None or time.monotonic() > until:
                    raise CommandFailedError(f"`mlflow models serve {' '.join(options)}` does not start")
                time.sleep(0.2)
            yield f"{address}/invocations"
        finally:
            process.terminate()


def answers_at(address: str) -> bool:
    """Whether a server is up."""
    try:
        return requests.get(f"{address}/ping", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def large(folder: Path, quick: bool, on_step: OnStep) -> dict[str, Any]:
    """What the commands take of a file that is large."""
    rows = QUICK_LARGE_ROWS if quick else LARGE_ROWS
    workspace = workspaces.make_workspace(folder / "large", EMPTY)
    on_step(f"generate {rows:,} rows")
    path = workspace.root / "minutes.csv"
    files.write_minutes(path, rows)
    costs = {}
    for command in LARGE:
        on_step(f"unroll {command}")
        costs[command] = unroll(workspace, *command.split())
    return {"rows": rows, "megabytes": path.stat().st_size / 1e6, "commands": costs}
