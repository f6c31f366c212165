"""Commands that a server runs are as those of a process of their own."""

import ast
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.repro import client, preload, scheduler, server
from stages.__main__ import SERVER
from stages.workspaces.demo import CONFIG
from stages.prepare import prepare
from stages.source import source

pytestmark = pytest.mark.skipif(not server.possible(), reason="forks after imports only on Linux")

ROOT = Path(__file__).parents[2]
RECURRENT = {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False}
EXPERIMENTS = {
    "lstm": (
        {"family": "recurrent", "name": "lstm", "units": 2},
        {"method": "compiled", "optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 20},
    ),
    "long": (RECURRENT, {"method": "by_hand", "learning_rate": 0.001, "epochs": 100_000}),
    "last_value": ({"family": "baselines", "name": "last_value"}, {"method": "none"}),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    sections = {
        "sources": {"waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30}},
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": {
            name: {"dataset": "waves", "seeds": [0], "model": model, "training": training}
            for name, (model, training) in EXPERIMENTS.items()
        },
    }
    plain_yaml.write(sections, workspace.params)
    source(workspace, "waves")
    prepare(workspace, "waves")
    return workspace.root


@pytest.fixture(scope="module")
def environment():
    return scheduler.environment() | {SERVER: server.address()}


@pytest.fixture(scope="module")
def served(environment, tmp_path_factory):
    """A server of `unroll`, and what it has said."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with server.serving("networks", environment[SERVER], environment, log):
        yield log
    assert log.read_text() == ""


@pytest.fixture
def dvc(environment, tmp_path):
    """Start a server of `dvc` for one test: its address, which ends with it."""
    address = server.address()
    with server.serving("dvc", address, environment, tmp_path / "log.txt"):
        yield address
    assert (tmp_path / "log.txt").read_text() == ""


def unroll(root, environment, *arguments):
    """Run `unroll` in a process: its exit status, standard output and error."""
    command = [sys.executable, "-m", "stages", "--root", str(root), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def alone(environment):
    return {name: value for name, value in environment.items() if name != SERVER}


def start(root, environment, *arguments):
    """Start a client that does nothing by itself: without a server, it exits with 99."""
    code = "import sys; from stages import client; status = client.run(sys.argv[1], sys.argv[2:]); "
    code += "sys.exit(99 if status is None else status)"
    command = [sys.executable, "-c", code, environment[SERVER], "--root", str(root), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def status(*arguments):
    """How `start` ends."""
    process = start(*arguments)
    process.communicate()
    return process.returncode


def children(process):
    """The processes that are there for a command: those that name it, but for its client."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.ppid() == process and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
    return found


def server_of(environment):
    """The process that was started with this environment and no client's."""
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (
                "server.serve('networks'" in " ".join(one.cmdline())
                and one.environ().get(SERVER) == environment[SERVER]
            ):
                return one.pid
    raise AssertionError("no server")


def until(condition):
    while not condition():
        time.sleep(0.02)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("arguments", [["list"], ["show", "lstm"], ["train", "nothing"], ["train"], ["-h"], []])
def test_a_command_says_and_returns_the_same(root, environment, arguments):
    assert status(root, environment, *arguments) != 99, "the server has run it"
    assert unroll(root, environment, *arguments) == unroll(root, alone(environment), *arguments)


@pytest.mark.usefixtures("served")
def test_a_training_leaves_the_same_bytes_and_keeps_its_programs(root, environment):
    found = []
    for variables in (environment, environment, alone(environment)):
        shutil.rmtree(root / "runs", ignore_errors=True)
        assert unroll(root, variables, "train", "lstm")[0] == 0
        assert list((root / ".unroll/programs/lstm").glob("*.pb"))
        files = sorted(path for path in (root / "runs").rglob("*") if path.is_file())
        found.append({path.relative_to(root): path.read_bytes() for path in files})
    assert found[0]
    assert found[0] == found[1] == found[2]


@pytest.mark.usefixtures("served")
def test_two_at_once_both_end_well(root, environment):
    processes = [start(root, environment, "train", name) for name in ("lstm", "last_value")]
    for process in processes:
        process.communicate()
        assert process.returncode == 0


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_signal_reaches_the_command(root, environment, number, status):
    # In a shell's background Ctrl-C is ignored, and so it would be in the client.
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    client_ = start(root, environment, "train", "long")
    signal.signal(signal.SIGINT, old)
    assert "epoch" in client_.stderr.readline()
    client_.send_signal(number)
    said = client_.communicate()[1]
    assert client_.returncode == status
    assert ("unroll: stopped" in said) == (number == signal.SIGINT)
    assert children(server_of(environment)) == []


@pytest.mark.usefixtures("served")
def test_a_client_that_is_killed_takes_its_command_with_it(root, environment):
    client_ = start(root, environment, "train", "long")
    assert "epoch" in client_.stderr.readline()
    client_.kill()
    client_.communicate()
    until(lambda: children(server_of(environment)) == [])


@pytest.mark.usefixtures("served")
def test_a_client_that_does_not_ask_harms_nobody(root, environment):
    for said in (b"", b"\0", b"\0\0\0\1{"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"\0{environment[SERVER]}")
            assert connection.recv(1) == client.HELLO
            connection.sendall(said)
    assert status(root, environment, "list") == 0


def test_a_server_that_cannot_be_is_done_without(root, environment, tmp_path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"\0{environment[SERVER]}.taken")
        with server.serving("dvc", f"{environment[SERVER]}.taken", environment, tmp_path / "log.txt"):
            assert client.ask(f"{environment[SERVER]}.taken", ["list"], environment, str(root), (0, 1, 2)) is None
    assert "in use" in (tmp_path / "log.txt").read_text()


def test_without_a_server_a_command_runs_by_itself(root, environment):
    gone = environment | {SERVER: server.address()}
    assert status(root, gone, "list") == 99
    assert unroll(root, gone, "list") == unroll(root, alone(environment), "list")


@pytest.mark.usefixtures("served")
def test_another_environment_is_refused(root, environment):
    assert status(root, environment | {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}, "list") == 99
    assert status(root, environment | {"DVC_STAGE": "train@lstm", "PWD": "/"}, "list") == 0


@pytest.mark.parametrize("kind", preload.IMPORTS)
def test_nothing_but_the_allocators_thread_runs_before_a_fork(environment, kind):
    code = f"""
import os
from stages import preload
preload.prepare({kind!r})
print(*{{open(f"/proc/self/task/{{task}}/comm").read().strip() for task in os.listdir("/proc/self/task")
       if task != str(os.getpid())}})
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() in ([], ["jemalloc_bg_thd"])
    assert done.stderr == ""


def test_the_server_imports_tensorflow_with_the_settings_of_a_process_of_its_own(environment):
    code = "import os; from pipeline import networks; from stages import preload; before = dict(os.environ); "
    code += "{}; print({{k: v for k, v in os.environ.items() if before.get(k) != v and not k.startswith('MLFLOW')}})"
    free = {name: value for name, value in alone(environment).items() if name not in preload.QUIET}
    said = []
    for start_ in ("networks.start()", "preload.prepare('networks')"):
        command = [sys.executable, "-c", code.format(start_)]
        said.append(subprocess.run(command, cwd=ROOT, env=free, check=True, capture_output=True, text=True).stdout)
    alone_, served_ = (ast.literal_eval(text) for text in said)
    assert preload.QUIET.items() <= alone_.items() <= served_.items()


def graph(root, command):
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(CONFIG)
    (root / "dvc.yaml").write_text(f"stages:\n  a:\n    cmd: {command}\n    outs:\n      - out\n")
    return root


def ask(address, root, environment, *arguments):
    with (root / "said.txt").open("wb") as said:
        streams = (said.fileno(),) * 3
        return client.ask(address, arguments, environment, str(root), streams)


def test_dvc_builds_and_says_what_went_wrong(dvc, environment, tmp_path):
    root = graph(tmp_path / "workspace", "echo 1 > out")
    assert ask(dvc, root, environment, "repro").wait() == 0
    assert (root / "out").read_text() == "1\n"
    process = ask(dvc, root, environment, "repro", "b")
    assert process.wait() == 255
    assert "Stage 'b' not found" in (root / "said.txt").read_text()


def test_a_server_that_is_killed_takes_its_commands_with_it(dvc, environment, tmp_path):
    root = graph(tmp_path / "workspace", "echo $$ > pid; sleep 60; echo 1 > out")
    process = ask(dvc, root, environment, "repro")
    until(lambda: (root / "pid").exists() and (root / "pid").read_text().strip())
    assert process.poll() is None
    os.kill(psutil.Process(process.pid).ppid(), signal.SIGKILL)
    until(lambda: process.poll() is not None)
    assert process.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    os.kill(int((root / "pid").read_text()), signal.SIGKILL)  # what DVC had started is on its own


def test_a_build_that_is_killed_ends_what_dvc_runs_and_dvc_ends_by_itself(dvc, environment, tmp_path):
    root = graph(tmp_path / "workspace", "echo $$ > pid; sleep 60; echo 1 > out")
    process = ask(dvc, root, environment, "repro")
    until(lambda: (root / "pid").exists() and (root / "pid").read_text().strip())
    process.close()
    until(lambda: not psutil.pid_exists(process.pid) and not psutil.pid_exists(int((root / "pid").read_text())))
    assert "failed to run" in (root / "said.txt").read_text()


def test_an_edit_of_the_code_counts_from_the_next_command_on(environment, tmp_path):
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, tmp_path / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    root = graph(tmp_path / "workspace", "echo 1 > out")
    code = """
import os, sys
from pathlib import Path
from stages import client, lock, server
address, root, variables = server.address(), sys.argv[1], dict(os.environ)
with server.serving("dvc", address, variables, Path(root, "log.txt")):
    for text in ("first", "second"):
        with Path(lock.__file__).open("a") as file:
            file.write(f"\\nprint('{text} edit', flush=True)\\n")
        print(client.ask(address, ["repro"], variables, root, (0, 1, 2)).wait(), flush=True)
"""
    variables = alone(environment) | {"PYTHONPATH": str(tmp_path / "code"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, str(root)]
    done = subprocess.run(command, cwd=tmp_path, env=variables, check=True, capture_output=True, text=True)
    first, second = done.stdout.split("0\n")[:2]
    assert "first edit" in first
    assert "second edit" not in first
    assert "second edit" in second
    assert (root / "log.txt").read_text() == ""
