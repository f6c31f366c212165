"""Take the pictures of docs/mlflow.md and docs/serve.md: docs/mlflow-*.png.

Run it by `make mlflow-pictures`. It shows the runs of the demo, so `make demo` comes
first. It needs Chromium or Chrome.
"""

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import MlflowClient

from tests.support import REPOSITORY, chromium
from tests.support.meter import hourly_load

DEMO = REPOSITORY / ".demo"
DATASET = "waves"
COMPARED = ("rnn6", "rnn20", "lstm", "gru")
SHOWN = "gru"
PORT = 5799
SECONDS_TO_DRAW = 15
OF_TRAINING = "workflowType=machine_learning"  # not of language models
# MLflow opens the panel of its assistant on a first visit.
WITHOUT_ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""


@contextlib.contextmanager
def user_interface(root: Path) -> Iterator[tuple[str, str]]:
    """Serve the records of a folder.

    Yields the server's address, and all that `unroll ui` prints.
    """
    command = ["-m", "unroll", "--root", str(root), "ui", "--port", str(PORT)]
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as server:
        printed = ""
        for line in server.stdout or ():
            printed += line
            if "startup complete" in line:
                break
        try:
            found = re.search(r"http\S+#", printed)
            if found is None:
                raise SystemExit(f"`unroll ui` printed no address:\n{printed}")
            yield found[0], printed
        finally:
            server.terminate()


def register_a_model(folder: Path) -> None:
    """Answer an hourly series of sixty days, and register its model."""
    hours = pd.date_range("2024-01-01", periods=24 * 60, freq="h", name="time")
    random = np.random.default_rng(0)
    load = hourly_load(len(hours), random)
    pd.DataFrame({"load": load.round(2)}, hours).to_csv(folder / "meter.csv")
    unroll = [sys.executable, "-m", "unroll"]
    answer = ["answer", "meter.csv", "--yes", "--no-networks"]
    subprocess.run([*unroll, *answer], cwd=folder, check=True)
    subprocess.run([*unroll, "register", "meter"], cwd=folder, check=True)


def pages(start: str, printed: str) -> dict[str, tuple[str, int]]:
    """Return the pages of the demo's runs: name -> address and height.

    Args:
        start: the server's address.
        printed: what `unroll ui` printed.
    """
    client = MlflowClient(f"sqlite:///{DEMO}/mlflow.db")
    found = client.get_experiment_by_name(DATASET)
    if found is None:
        raise SystemExit("the demo has no runs; first type: make demo")
    group = found.experiment_id
    runs = {
        run.data.tags["experiment"]: run.info.run_id
        for run in client.search_runs([group], "tags.`current` = 'true'")
    }
    compared = ",".join(f'"{runs[name]}"' for name in COMPARED)
    several = f'runs=[{compared}]&experiments=["{group}"]'
    (table,) = re.findall(rf"  {DATASET} +(http\S+)", printed)
    logged = client.get_run(runs[SHOWN]).outputs.model_outputs[0].model_id
    of_group = f"{start}/experiments/{group}"
    return {
        "scores": (table, 800),
        "compare": (f"{start}/compare-runs?{several}&{OF_TRAINING}", 900),
        "run": (f"{of_group}/runs/{runs[SHOWN]}?{OF_TRAINING}", 1300),
        "model": (f"{of_group}/models/{logged}?{OF_TRAINING}", 900),
    }


def take(tab: chromium.Tab, name: str, address: str, height: int) -> None:
    """Save a picture of a page in docs, as mlflow- and the name."""
    tab.open(address, width=1500, height=height)
    time.sleep(SECONDS_TO_DRAW)
    (REPOSITORY / "docs" / f"mlflow-{name}.png").write_bytes(tab.picture())


def main() -> None:
    """Take the four pictures of the demo's runs, and that of a registered model."""
    chromium.require()
    new = partial(tempfile.TemporaryDirectory, ignore_cleanup_errors=True)
    with new() as profile, new() as folder, chromium.tab(Path(profile)) as tab:
        tab.ask("Page.addScriptToEvaluateOnNewDocument", source=WITHOUT_ASSISTANT)
        with user_interface(DEMO) as (start, printed):
            for name, (address, height) in pages(start, printed).items():
                take(tab, name, address, height)
        register_a_model(Path(folder))
        with user_interface(Path(folder)) as (start, _):
            version = f"{start}/models/meter/versions/1"
            take(tab, "registry", f"{version}?{OF_TRAINING}", 900)


if __name__ == "__main__":
    main()
