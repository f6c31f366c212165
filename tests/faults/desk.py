"""Workspaces in which commands run that tests kill, and what can be said of them afterwards."""

import contextlib
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from pipeline.tracking import store
from stages.repro import client, scheduler, server
from stages.workspaces.miniature import make_workspace
from tests.faults.killing import ended
from tests.support.web_server import reply, serving

ROOT = Path(__file__).parents[2]
OUTPUTS = ("data", "runs", "evaluations", "metrics", "report")
FAR = random.Random(0).randbytes(1 << 20)  # noqa: S311
NODE = {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False}
GRU = {"family": "recurrent", "name": "gru", "units": 4, "dropout": 0.2, "recurrent_dropout": 0.2}
COMPILED = {"method": "compiled", "optimizer": "adam", "loss": "mse", "batch_size": 16, "order": "batches"}
EXPERIMENTS = {
    "linear": ({"family": "baselines", "name": "linear"}, {"method": "least_squares"}),
    "last_value": ({"family": "baselines", "name": "last_value"}, {"method": "none"}),
}
TRAINED = {
    "node": (NODE, {"method": "by_hand", "learning_rate": 0.01, "epochs": 400}),
    "gru": (GRU, COMPILED | {"epochs": 40}),
}


class Desk:
    """Workspaces in which stages are built, and what runs in them."""

    def __init__(self, folder, address, environment, web):
        self.web = web
        self._folder, self._address, self._environment = folder, address, environment
        self._made = 0

    def copy(self, case):
        """A new workspace, with what the command needs."""
        base = self._folder / ("base" if case.command.startswith("repro") else "-".join(case.built) or "fresh")
        if not base.exists():
            shutil.copytree(self._folder / "fresh", base)
            for command in case.built:
                assert ended(self._serve(base, command)) == 0, self.said(base)
        self._made += 1
        root = self._folder / f"copy {self._made}"
        shutil.copytree(base, root)
        # What MLflow recorded of the base belongs there.
        shutil.copyfile(self._folder / "fresh" / "mlflow.db", root / "mlflow.db")
        return root

    def start(self, root, case):
        return (self._run if case.command.startswith("repro") else self._serve)(root, case.command)

    def track(self, root):
        """What `unroll track` does: MLflow may have been too busy for a training, which costs a warning only."""
        return self._serve(root, "track")

    def said(self, root):
        return root.with_suffix(".txt").read_text(encoding="utf-8")

    def _serve(self, root, command):
        """As a fork of a server that has imported TensorFlow, which takes seconds."""
        with root.with_suffix(".txt").open("ab") as log, Path(os.devnull).open("rb") as nothing:
            streams = (nothing.fileno(), log.fileno(), log.fileno())
            return client.ask(self._address, command.split(), self._environment, str(root), streams)

    def _run(self, root, command):
        environment = self._environment | {"PYTHONPATH": str(root), "DVC_SITE_CACHE_DIR": f"{root}.site"}
        with root.with_suffix(".txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "stages", *command.split()],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


@contextlib.contextmanager
def open_desk(folder):
    """Start what serves commands and a file; no variable of the user's own workspace reaches them."""
    with pytest.MonkeyPatch.context() as patch, serving() as web:
        for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_", "UNROLL_"))]:
            patch.delenv(name)
        for name, value in ({"NO_PROXY": "*"} | store.SETTINGS).items():
            patch.setenv(name, value)
        environment = scheduler.environment()
        web.files["far.bin"], web.serve = FAR, slowly
        make(folder, web.url("far.bin"))
        name = server.address()
        with server.serving("networks", name, environment, folder / "server.txt"):
            yield Desk(folder, name, environment, web)
        assert (folder / "server.txt").read_text() == ""


def make(folder, address):
    """Two workspaces with nothing built: "fresh" for single commands, "base" for a whole build."""
    file = {"url": address, "bytes": len(FAR), "sha256": hashlib.sha256(FAR).hexdigest()}
    sections = {
        "sources": {"waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30}},
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": described("waves", EXPERIMENTS),
    }
    base = make_workspace(ROOT, folder / "base")
    plain_yaml.write(sections, base.params)
    (base.root / "claims.yaml").write_text("[]")
    # Setting it up takes seconds, and is tested apart.
    store.connect(base)
    fresh = Workspace(folder / "fresh")
    fresh.root.mkdir()
    shutil.copyfile(base.root / "mlflow.db", fresh.root / "mlflow.db")
    sections["sources"]["far"] = {"kind": "download", "files": {"far.bin": file}}
    sections["datasets"]["trained"] = sections["datasets"]["waves"]
    sections["experiments"] |= described("trained", TRAINED)
    plain_yaml.write(sections, fresh.params)


def described(dataset, experiments):
    return {
        name: {"dataset": dataset, "seeds": [0, 3], "model": model, "training": training}
        for name, (model, training) in experiments.items()
    }


def slowly(handler, body):
    """All of a file, or the rest of it, at 3 MB/s."""
    start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    headers = {"Content-Length": str(len(body) - start), "ETag": '"one"'}
    headers |= {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
    reply(handler, 206 if start else 200, b"", headers)
    for place in range(start, len(body), 1 << 14):
        handler.wfile.write(body[place : place + (1 << 14)])
        time.sleep(0.005)


def outputs(root):
    files = [path for name in OUTPUTS for path in (root / name).rglob("*")] + list(root.glob("dvc.lock"))
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in files
    }


def scratch(root):
    """What is in .unroll, but for XLA's programs, whose names differ."""
    files = [path.relative_to(root / ".unroll") for path in (root / ".unroll").rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if path.suffix != ".pb")


def statuses(root):
    """Of the runs in MLflow."""
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database:
        return {status for (status,) in database.execute("SELECT status FROM runs")}
