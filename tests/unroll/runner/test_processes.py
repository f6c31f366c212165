"""Commands of stages are as those of a process of their own."""

import os
import signal
import subprocess
import sys
import time
from importlib import metadata

import psutil
import pytest

from tests.support import REPOSITORY, still_there
from unroll.runner.build import environment
from unroll.runner.processes import Process


def variables(**more):
    return {**os.environ, **environment(), **more}


def ended(process):
    while (status := process.poll()) is None:
        time.sleep(0.01)
    return status


@pytest.mark.parametrize("command", ["unroll train nothing", "unroll list"])
def test_unroll_says_and_returns_the_same(tmp_path, command):
    status = ended(Process(command, REPOSITORY, tmp_path / "logs" / "log.txt", variables()))
    alone = subprocess.run(
        [sys.executable, "-m", "unroll", *command.split()[1:]],
        cwd=REPOSITORY,
        env=variables(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert (status, (tmp_path / "logs" / "log.txt").read_bytes()) == (alone.returncode, alone.stdout)


def test_what_is_not_unroll_is_run_by_the_shell_in_its_folder_and_environment(tmp_path):
    command = 'pwd; echo "$WORD" | tr a-z A-Z; cat; exit 7'
    assert ended(Process(command, tmp_path, tmp_path / "log.txt", {"PATH": os.defpath, "WORD": "a b"})) == 7
    assert (tmp_path / "log.txt").read_text() == f"{tmp_path}\nA B\n", "and there is nothing to read"


STAGE = """
import os, time
from pathlib import Path
from unroll.runner.processes import Process
process = Process("unroll --version", Path(), Path("log.txt"), os.environ)
while process.poll() is None:
    time.sleep(0.01)
print(Path("log.txt").read_text(), end="")
"""


@pytest.mark.parametrize("start", [["bin/start"], ["-m", "unroll", "--version"]])
def test_a_file_called_as_a_module_of_the_standard_library_stands_for_none(tmp_path, start):
    for name in ("queue", "random", "signal", "subprocess", "tempfile", "typing"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('a file of the user stands for {name}')\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "start").write_text(STAGE)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run([sys.executable, *start], cwd=tmp_path, env=variables(), check=False, **streams)
    assert done.stdout == f"unroll {metadata.version('unroll')}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
def test_nothing_but_the_allocators_thread_runs_before_a_fork():
    code = """
import os, tensorflow, keras, unroll.runner.preload
own = str(os.getpid())
print(*{open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task") if task != own})
"""
    listing = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=variables(), check=True, capture_output=True
    )
    assert listing.stdout.split() in ([], [b"jemalloc_bg_thd"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_ends_a_command_ends_all_that_it_has_started(tmp_path, number):
    process = Process("sleep 600; :", tmp_path, tmp_path / "log.txt", variables())
    shell = psutil.Process(process._process.pid)
    # Between its fork and its exec the shell's child would take SIGINT for the shell, and go on.
    while not (started := [child for child in shell.children() if child.name() == "sleep"]):
        time.sleep(0.01)
    process.send_signal(number)
    assert ended(process) != 0
    assert still_there(started) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no server")
def test_the_fork_server_ends_even_while_it_imports():
    code = """
import os, time
from multiprocessing import forkserver
from unroll.runner import processes
processes.prepare({}, networks=True)
processes.end()
print(os.waitpid(forkserver._forkserver._forkserver_pid, 0)[1])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True)
    assert done.stdout.split() == [b"9"]
