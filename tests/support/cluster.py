"""Scheduler, workers and head of a cluster, as processes of their own on this machine."""

import signal
import socket
import subprocess
import sys
import time

import psutil

from tests.conftest import Miniature
from unroll.cluster import connection
from unroll.workspaces.make import CONFIG

IMPATIENT = """
from unroll.__main__ import main
from unroll.cluster import connection
connection.QUIET["distributed.scheduler.worker-ttl"] = "5s"
main()
"""
"""`unroll`, whose scheduler does not wait for a minute until a silent worker counts as dead."""


def set_remote(root, store):
    """Let a workspace have a folder as DVC's remote."""
    (root / ".dvc" / "config").write_text(f"{CONFIG}    remote = store\n['remote \"store\"']\n    url = {store}\n")


class ClusterProcesses:
    """Starts processes in a head's workspace, and ends them. Their logs lie in `folder`, and the workers' homes."""

    def __init__(self, folder, root):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.address = f"tls://127.0.0.1:{server.getsockname()[1]}"
        self.folder, self.root, self.processes = folder, root, {}
        connection.make_certificates(folder / "certificates")
        self.start("scheduler", "cluster", "scheduler", self.address)
        self.wait_for("scheduler", "scheduler at")

    def start(self, name, *command):
        environment = {**Miniature(self.root).environment, "MLFLOW_TRACKING_URI": ""}
        environment["UNROLL_CERTIFICATES"] = str(self.folder / "certificates")
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", IMPATIENT, *command],
                cwd=self.root,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def work(self, name):
        self.start(name, "cluster", "worker", self.address, "--name", name, "--home", str(self.folder / name))

    def build(self):
        self.start("head", "repro", "--on", self.address)

    def kill(self, name):
        """As if its machine was switched off; the processes that its stage consisted of."""
        family = psutil.Process(self.processes[name].pid).children(recursive=True)
        self.processes[name].kill()
        self.processes[name].wait()
        return family

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def wait_for(self, name, text):
        """Wait until a process has printed a text."""
        self.until(lambda: text in self.log(name), name)

    def until(self, condition, name="head"):
        """Wait for a condition, while a process runs."""
        limit = time.monotonic() + 120
        while not condition():
            assert self.processes[name].poll() is None, self.log(name)
            assert time.monotonic() < limit, self.log(name)
            time.sleep(0.02)

    def build_ends(self, status=0):
        """Wait until the head has ended, as it should; its log."""
        assert self.processes["head"].wait() == status, self.log("head")
        return self.log("head")

    def close(self):
        for process in self.processes.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a stopped one does not end
        for process in self.processes.values():
            process.wait()
