"""A command that is killed (kill -9) at random moments, and given again, ends with the bytes of one that never was."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stages.repro import processes
from stages.repro.build import environment
from tests.faults.lab import Lab
from tests.support.web_server import reply, serving

DEADLINE = 300.0
"""Seconds after which something hangs."""

FAR = random.Random(0).randbytes(1 << 20)  # noqa: S311
GRU = {"family": "recurrent", "name": "gru", "units": 4, "dropout": 0.2, "recurrent_dropout": 0.2}
COMPILED = {"method": "gradient_descent", "optimizer": "adam", "loss": "mse", "batch_size": 16, "epochs": 40}


@pytest.fixture(scope="module")
def stages(finished, database, fork_server, tmp_path_factory, request) -> Lab:  # noqa: ARG001 - it has to run
    """A workspace with what single stages need and make, and a server of what one of them fetches."""
    long = request.config.getoption("--long")
    lab = Lab(shutil.copytree(finished.root, tmp_path_factory.mktemp("kills") / "stages"))
    shutil.copyfile(database, lab.root / "mlflow.db")
    with serving() as web:
        web.script["far.bin"] = [slowly] * 1000
        known = {"far.bin": hashlib.sha256(FAR).hexdigest()}
        lab.change("sources.far", {"kind": "download", "url": web.address, "files": known})
        lab.succeeds("source far")
        if long:
            lab.change("experiments.sine_gru", {"dataset": "sine", "seeds": 2, "model": GRU, "training": COMPILED})
            lab.succeeds("train sine_gru")
        yield lab


def slowly(handler):
    """The file, at 3 MB/s."""
    reply(handler, 200, b"", {"Content-Length": str(len(FAR))})
    for place in range(0, len(FAR), 1 << 14):
        handler.wfile.write(FAR[place : place + (1 << 14)])
        time.sleep(0.005)


def start(root: Path, command: str, log: Path):
    """A stage as `unroll repro` starts it, a build in a process of its own."""
    variables = {**os.environ, **environment(), "PYTHONPATH": str(root)}
    if not command.startswith("repro"):
        return processes.Process(f"unroll {command}", root, log, variables)
    with log.open("wb") as said:
        line = [sys.executable, "-m", "stages", *command.split()]
        return subprocess.Popen(line, cwd=root, env=variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said)


def wait(process, seconds=DEADLINE, happened=lambda: False):
    """The exit status; None if time is up, or something happens, before the process ends."""
    limit = time.monotonic() + seconds
    while process.poll() is None and not happened() and time.monotonic() < limit:
        time.sleep(0.02)
    return process.poll()


def at_work(root: Path) -> list[psutil.Process]:
    """The processes that run in a workspace: a command, and all that it has started."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def state(root: Path):
    """What must not depend on kills: outputs, dvc.lock, and which files are in .unroll (XLA's vary)."""
    lock = [path.read_bytes() for path in root.glob("dvc.lock")]
    scratch = (path.relative_to(root) for path in (root / ".unroll").rglob("*") if path.is_file())
    return Lab(root).outputs(), lock, sorted(str(path) for path in scratch if path.suffix != ".pb")


CHECKPOINT, GOES_ON = ".unroll/checkpoints/*.npz", r"goes on after epoch \d+ of seed \d+, where it was interrupted"


@pytest.mark.parametrize(
    ("command", "output", "seconds", "kept", "goes_on"),
    [
        ("source far", "data/raw/far", 0.8, "", ""),
        ("prepare waves", "data/prepared/waves", 0.4, "", ""),
        ("evaluate waves", "evaluations/waves", 0.6, "", ""),
        ("train waves_node", "runs/waves/waves_node", 0.4, CHECKPOINT, GOES_ON),
        ("train sine_gru", "runs/sine/sine_gru", 5, CHECKPOINT, GOES_ON),
        ("repro --jobs 2", "", 2, "dvc.lock", r"Built [0-5] of 6 stages|Everything is up to date"),
    ],
)
def test_it_goes_on_to_the_same_bytes(command, output, seconds, kept, goes_on, tmp_path, monkeypatch, request):
    """`kept`: files that say that there is something to go on from; `seconds`: what is then still to do, about."""
    long = request.config.getoption("--long")
    if command in {"prepare waves", "train sine_gru"} and not long:
        pytest.skip("with --long only: much as another, or 20 s")
    if output:
        base = whole = request.getfixturevalue("stages")
    else:
        base, whole = request.getfixturevalue("unbuilt"), request.getfixturevalue("built_by_dvc")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for number in range(10 if long else 1):
        lab = Lab(shutil.copytree(base.root, tmp_path / f"killed {number}"))
        if output:
            shutil.rmtree(lab.root / output)
        ended = set()
        for kill in range(random.randint(1, 4) if long else 1):  # noqa: S311
            process = start(lab.root, command, tmp_path / "log.txt")
            if kill == 0 and kept:
                wait(process, happened=lambda lab=lab: any(lab.root.glob(kept)))
            wait(process, random.uniform(0, seconds))  # noqa: S311
            process.kill()  # what it has started has to end by itself
            ended.add(wait(process))
            limit = time.monotonic() + DEADLINE
            while at_work(lab.root):
                assert time.monotonic() < limit, at_work(lab.root)
                time.sleep(0.05)
        assert ended <= {-9, 0}, (tmp_path / "log.txt").read_text()
        said = lab.succeeds(command).said
        assert 0 in ended or re.search(goes_on, said)  # 0: it had come to its end
        assert state(lab.root) == state(whole.root)
        assert lab.unfinished() == []
        if kept:
            lab.succeeds("track")  # MLflow may have been too busy for a training, which costs a warning only
            with contextlib.closing(sqlite3.connect(lab.root / "mlflow.db")) as runs:
                assert {status for (status,) in runs.execute("SELECT status FROM runs")} <= {"FINISHED", "KILLED"}
