"""What an owner of a series waits for: an answer, a forecast, a forecast over HTTP.

The files are generated, since their shapes and sizes are what counts. The commands are
those that a user types, in a folder of their own.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests

from bench.series import generated
from bench.series.costs import environment, metered
from bench.series.generated import Form
from bench.series.public import Say
from pipeline.errors import UnrollError

QUICK = 10
"""A trial has one file, with this fraction of its rows, and of the requests."""

REQUESTS = 400

WINDOW = 700
"""Rows of a request: four weeks of hours, and some."""

AT_ONCE = (1, 4, 16)
"""How many requests are on their way at the same time."""

PATIENCE = 120
"""Seconds in which a server must begin to answer."""


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """Measure generated files, and a server of the first one's forecaster.

    Args:
        quick: takes the first file alone, with a tenth of its rows and requests.
        say: called with what is done next.

    Returns:
        `answers`, a row for each file, and `served`, a row for each number of requests
        at once.

    Raises:
        UnrollError: a command failed.
    """
    part = QUICK if quick else 1
    forms = generated.FORMS[:1] if quick else generated.FORMS
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
        folder = Path(name)
        answers = {
            form.name: answered(folder, form, form.rows // part, say) for form in forms
        }
        served = list(
            latencies(folder, forms[0], forms[0].rows // part, REQUESTS // part, say)
        )
    return {"answers": answers, "served": served}


def answered(folder: Path, form: Form, rows: int, say: Say) -> dict[str, Any]:
    """Measure a file's answer, the same answer again, and a forecast."""
    path = form.write(folder, rows)
    answer = ["unroll", "answer", path.name, "--yes", "--target", form.target]
    say(" ".join(answer))
    costs = metered(answer, folder)
    again = metered(answer, folder)
    forecast = metered(["unroll", "predict", form.name], folder)
    return {
        "form": form.text,
        "rows": rows,
        **costs,
        "again": again["seconds"],
        "predict": forecast["seconds"],
    }


def latencies(
    folder: Path, form: Form, rows: int, count: int, say: Say
) -> Iterator[dict[str, Any]]:
    """Measure how long the served forecaster takes, with one and with more requests at
    once.
    """
    say(f"unroll register {form.name}")
    metered(["unroll", "register", form.name], folder, registry(folder))
    records = form.frame(rows).tail(WINDOW).to_json(orient="records")
    body = f'{{"dataframe_records": {records}}}'
    with server(folder, form.name) as address:
        for clients in AT_ONCE:
            say(f"{form.name}: {count} requests, {clients} at once")
            with ThreadPoolExecutor(clients) as pool:
                # The first ones import.
                list(pool.map(request, [address] * clients, [body] * clients))
                start = time.perf_counter()
                seconds = list(pool.map(request, [address] * count, [body] * count))
                total = time.perf_counter() - start
            yield {
                "at_once": clients,
                "requests": count,
                "rows": WINDOW,
                "median": 1000 * median(seconds),
                "p95": 1000 * quantiles(seconds, n=20)[-1],
                "per_second": count / total,
            }


def request(address: str, body: str) -> float:
    """Return the seconds until one answer is there.

    Raises:
        UnrollError: the server answers with an error.
    """
    headers = {"Content-Type": "application/json"}
    start = time.perf_counter()
    answer = requests.post(
        f"{address}/invocations", data=body, headers=headers, timeout=PATIENCE
    )
    if not answer.ok:
        raise UnrollError(f"the server says {answer.status_code}: {answer.text:.200}")
    return time.perf_counter() - start


def registry(folder: Path) -> dict[str, str]:
    """Return the variables of a process that uses a registry in a folder."""
    return environment() | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}


@contextmanager
def server(folder: Path, name: str) -> Iterator[str]:
    """Serve a registered model by MLflow with one worker; yields its address.

    Raises:
        UnrollError: it never begins to answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + PATIENCE
    model = ["-m", f"models:/{name}@champion", "--env-manager", "local", "--port", port]
    with subprocess.Popen(
        ["mlflow", "models", "serve", *model],
        cwd=folder,
        env=registry(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not answers_at(address):
                if process.poll() is not None or time.monotonic() > until:
                    raise UnrollError(f"`mlflow models serve` of {name} does not start")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()


def answers_at(address: str) -> bool:
    """Return whether a server is up."""
    try:
        return requests.get(f"{address}/ping", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False
