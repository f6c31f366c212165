"""What an owner of a series waits for: the answer, a forecast over HTTP, and a file of ten million rows.

The files are generated, since their shapes and sizes are what counts. The commands are those that a user types.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests

from bench import REPOSITORY, results
from bench.own_series import files
from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.workspaces import make

Say = Callable[[str], None]

ROWS, LARGE_ROWS, REQUESTS = 10_000, 10_000_000, 400
QUICK_ROWS, QUICK_LARGE_ROWS, QUICK_REQUESTS = 800, 100_000, 32

SERVED = ("ridge", "gru")
"""The models that answer over HTTP: one that is a product, and a network with three seeds."""

AT_ONCE = (1, 4, 16)
"""How many requests are on their way at the same time."""

LARGE = ("add minutes.csv --target load --yes", "answer minutes --jobs 2")
"""What is run on the large file: a look at it, then all."""

PATIENCE = 120
"""Seconds in which a server must begin to answer."""

PRINTED = REPOSITORY / ".unroll" / "bench" / "printed.txt"
"""All that the last command printed."""


def measure(quick: bool, say: Say) -> dict[str, Any]:
    """`answers`, `served` and `large`, as `performance.md.j2` takes them; what is done next is said in words.

    `quick` takes the first file only, with fewer rows, fewer requests and fewer rows of the large file. Raises
    UnrollError if a command failed.
    """
    rows, requests_sent = (QUICK_ROWS, QUICK_REQUESTS) if quick else (ROWS, REQUESTS)
    forms = files.FORMS[:1] if quick else files.FORMS
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as name:
        workspace = empty(Path(name) / "workspace")
        answers = {form.name: answered(workspace, form, rows, say) for form in forms}
        served = [row for model in SERVED for row in latencies(workspace, forms[0], rows, model, requests_sent, say)]
        measured = {"answers": answers, "served": served, "large": large(Path(name), quick, say)}
    return {part: results.rounded(values, 3) for part, values in measured.items()}


def empty(folder: Path) -> Workspace:
    """A fresh workspace in which nothing is built yet."""
    workspace = make.with_params(REPOSITORY, folder, {"sources": {}, "datasets": {}, "experiments": {}})
    workspace.claims.write_text("[]\n", encoding="utf-8")
    return workspace


def environment(workspace: Workspace) -> dict[str, str]:
    """The variables of a process in a workspace, which has nothing of the user's own."""
    own = ("DVC_", "MLFLOW_", "PYTHON", "TF_", "UNROLL_")
    others = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return others | {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(workspace.scratch / "site-cache")}


def unroll(workspace: Workspace, *command: str) -> dict[str, float]:
    """What one command costs: its `seconds`, its `cpu` seconds and its `peak` in MiB, by `bench/meter.py`.

    Raises:
        UnrollError: it ended with another status than 0; says the last line that it printed, and where all is.
    """
    PRINTED.parent.mkdir(parents=True, exist_ok=True)
    with PRINTED.open("wb") as printed:  # no pipe, which could hold it up where nobody reads
        done = subprocess.run(
            [sys.executable, "-I", "-S", REPOSITORY / "bench" / "meter.py", "unroll", *command],
            cwd=workspace.root,
            env=environment(workspace),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=printed,
            check=False,
        )
    if done.returncode:
        last = PRINTED.read_text(encoding="utf-8", errors="replace").splitlines()[-1:] or ["it printed nothing"]
        raise UnrollError(
            f"`unroll {' '.join(command)}` ended with status {done.returncode}: {last[0]} (all: {PRINTED})"
        )
    costs: dict[str, float] = json.loads(done.stdout)
    return costs


def answered(workspace: Workspace, form: files.Form, rows: int, say: Say) -> dict[str, Any]:
    """From a generated file to its answer."""
    form.write(workspace.root, rows)
    costs = commands(workspace, form.name, form.target, say)
    models = params.load(workspace.params).experiments_of(form.name)
    return {"form": form.text, "rows": rows, "models": len(models), **costs}


def commands(workspace: Workspace, name: str, target: str, say: Say) -> dict[str, float]:
    """Seconds and CPU seconds from NAME.csv to its answer, and seconds of a forecast after it."""
    answer = "answer", f"{name}.csv", "--yes", "--target", target, "--jobs", "2"
    say(f"unroll {' '.join(answer)}")
    costs = unroll(workspace, *answer)
    return {"answer": costs["seconds"], "cpu": costs["cpu"], "predict": unroll(workspace, "predict", name)["seconds"]}


def latencies(
    workspace: Workspace, form: files.Form, rows: int, model: str, count: int, say: Say
) -> Iterator[dict[str, Any]]:
    """How long the served champion takes to answer, with one and with more requests on their way."""
    experiment, config = f"{form.name}/{model}", params.load(workspace.params)
    say(f"unroll register {experiment}")
    unroll(workspace, "register", experiment)
    window = form.frame(rows).tail(config.datasets[form.name].preparation.options["windows"]["lookback"])
    records = json.dumps({"dataframe_records": window.to_dict("records")})
    with server(workspace, form.name) as address:
        for clients in AT_ONCE:
            say(f"{experiment}: {count} requests, {clients} at once")
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(request, [address] * clients, [records] * clients))  # the first ones import
                start = time.perf_counter()
                seconds = list(pool.map(request, [address] * count, [records] * count))
                total = time.perf_counter() - start
            yield {
                "experiment": experiment,
                "seeds": len(config.runs[experiment].seeds),
                "at_once": clients,
                "requests": count,
                "rows": len(window),
                "median": 1000 * median(seconds),
                "p95": 1000 * quantiles(seconds, n=20)[-1],
                "per_second": count / total,
            }


def request(address: str, records: str) -> float:
    """The seconds until one answer is there. Raises UnrollError if it is an error."""
    start, headers = time.perf_counter(), {"Content-Type": "application/json"}
    answer = requests.post(f"{address}/invocations", data=records, headers=headers, timeout=PATIENCE)
    if not answer.ok:
        raise UnrollError(f"the server says {answer.status_code}: {answer.text:.200}")
    return time.perf_counter() - start


@contextmanager
def server(workspace: Workspace, name: str) -> Iterator[str]:
    """MLflow's server of a registered model, with one worker; where it answers. Raises UnrollError if it never does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address, until, null = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE, subprocess.DEVNULL
    command = ["mlflow", "models", "serve", "-m", f"models:/{name}@champion", "--env-manager", "local", "--port", port]
    own = environment(workspace) | {"MLFLOW_TRACKING_URI": f"sqlite:///{workspace.root}/mlflow.db"}
    with subprocess.Popen(command, cwd=workspace.root, env=own, stdout=null, stderr=null) as process:
        try:
            while not answers_at(address):
                if process.poll() is not None or time.monotonic() > until:
                    raise UnrollError(f"`mlflow models serve` of {name} does not start")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()


def answers_at(address: str) -> bool:
    """Whether a server is up."""
    try:
        return requests.get(f"{address}/ping", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def large(folder: Path, quick: bool, say: Say) -> dict[str, Any]:
    """What the commands take of a file that is large."""
    workspace, rows = empty(folder / "large"), QUICK_LARGE_ROWS if quick else LARGE_ROWS
    say(f"generate {rows:,} rows")
    path = workspace.root / "minutes.csv"
    files.minutes(path, rows)
    costs = {}
    for command in LARGE:
        say(f"unroll {command}")
        costs[command] = unroll(workspace, *command.split())
    return {"rows": rows, "megabytes": path.stat().st_size / 1e6, "commands": costs}
