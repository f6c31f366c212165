"""Scheduler, workers and head of a cluster, as processes of their own on this machine."""

import signal
import socket
import subprocess
import sys
import time

import psutil

from tests.conftest import Miniature
from tests.support import REPOSITORY
from unroll.cluster import connection

HELD = """
import os
import time
from pathlib import Path

from pipeline.models.baselines import Baseline


def held(problem, *, folder: str):
    def features(inputs):
        (Path(folder) / ("began-" + os.environ.get("UNROLL_WORKER", "here"))).touch()
        while not (Path(folder) / "go").exists():
            time.sleep(0.02)
        return inputs[:, -1, problem.target]

    return Baseline(features)


MODELS, KINDS = {"held": held}, {"held": "predictions"}
"""
"""A model of one's own: the last value, once there is a file `go` in a folder."""


class ClusterProcesses:
    """Starts processes, and ends them. Their logs lie in `folder`, and the workers'
    homes."""

    def __init__(self, folder, root):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.address = f"tls://127.0.0.1:{server.getsockname()[1]}"
        self.folder = folder
        self.root = root
        self.processes = {}
        connection.make_certificates(folder / "certificates")
        self.schedule()

    def start(self, name, *command, code=REPOSITORY, **variables):
        environment = {
            **Miniature(self.root).environment,
            "MLFLOW_TRACKING_URI": "",
            "UNROLL_CERTIFICATES": str(self.folder / "certificates"),
            "PYTHONPATH": str(code),
            **variables,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-P", "-m", "unroll", *command],
                cwd=self.root,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def schedule(self):
        self.start("scheduler", "cluster", "scheduler", self.address)
        self.wait_for("scheduler", "scheduler at")

    def work(self, name, **options):
        home = self.folder / "homes" / name
        self.start(
            name,
            "cluster",
            "worker",
            self.address,
            "--name",
            name,
            "--home",
            str(home),
            **options,
        )

    def train(self, records="http://127.0.0.1:9"):
        """Start a head, which records nowhere if nothing else is said: that takes
        seconds."""
        self.start(
            "head",
            "train",
            "waves",
            UNROLL_SCHEDULER=self.address,
            MLFLOW_TRACKING_URI=records,
        )

    def kill(self, name):
        """As if its machine was switched off; the processes that it had started."""
        family = self.children(name)
        self.processes[name].kill()
        self.processes[name].wait()
        return family

    def children(self, name):
        return psutil.Process(self.processes[name].pid).children(recursive=True)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def wait_for(self, name, text):
        """Wait until a process has printed a text."""
        self.until(lambda: text in self.log(name), name)

    def wait_for_training(self, name):
        """Wait until a worker has begun to train the held experiment, anew."""
        began = self.folder / f"began-{name}"
        self.until(began.exists, name)
        began.unlink()

    def until(self, condition, name="head"):
        """Wait for a condition, while a process runs."""
        limit = time.monotonic() + 120
        while not condition():
            assert self.processes[name].poll() is None, self.log(name)
            assert time.monotonic() < limit, self.log(name)
            time.sleep(0.02)

    def ends(self, name="head", status=0):
        """Wait until a process has ended, as it should; its log."""
        assert self.processes[name].wait() == status, self.log(name)
        return self.log(name)

    def close(self):
        for process in self.processes.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a stopped one does not end
        for process in self.processes.values():
            process.wait()
