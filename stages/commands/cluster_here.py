"""A cluster on this machine, to try: scheduler, two workers, an S3 server, PostgreSQL and MLflow's server.

Everything listens on the loopback interface, at ports that are free, and lies in `.cluster`. A file for each process
says which it is, so that `down` ends these and no others.
"""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import write_text
from pipeline.workspace import Workspace
from stages.repro import connection
from stages.repro.build import repro
from stages.repro.connection import Address
from stages.repro.dvc_lock import LOCK
from stages.tune.storage import STUDIES
from stages.workspaces import scaled

FOLDER, DEMO = ".cluster", ".demo"

HOST = "127.0.0.1"

WORKERS = ("a", "b")

BUCKET = "unroll"

TRIALS = "trials"
"""A database beside MLflow's, which has tables of the same names as Optuna's."""

PATIENCE = 90
"""Seconds to wait for a server."""

GRACE = 20
"""Seconds that a process gets to end by itself."""

POSTGRES = "usr/lib/postgresql/*/bin"
"""Where Debian has PostgreSQL's programs, off PATH; below the root folder."""


def up(workspace: Workspace) -> None:
    """Start what does not run yet.

    Raises:
        UnrollError: something is not installed, or does not start; its last line is quoted.
    """
    connection.require()
    home = workspace.root / FOLDER
    programs = _postgres()
    (home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
    home.chmod(0o711)  # PostgreSQL, which root has to run as someone else, must get through
    known = _known(home)
    variables = {**os.environ, **_variables(known)}
    variables.pop("UNROLL_SCHEDULER", None)
    unroll = [sys.executable, "-m", "stages"]

    _set_up_database(home, programs, known["password"])
    options = ["-D", str(home / "postgres"), "-h", HOST, "-p", str(known["postgres"]), "-k", ""]
    _start(home, "postgres", [str(programs / "postgres"), *options], variables, known["postgres"], user=_user())
    _add_database(known)
    (home / "s3" / BUCKET).mkdir(parents=True, exist_ok=True)
    serve = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", "--addr", f"{HOST}:{known['s3']}"]
    keys = {"RCLONE_AUTH_KEY": f'"unroll,{known["password"]}"', "RCLONE_CONFIG": ""}
    _start(home, "s3", [*serve, str(home / "s3")], variables | keys, known["s3"])
    # The password stands in the environment, not in a command that every user of the machine can list.
    uri = f"postgresql+psycopg2://unroll:{known['password']}@{HOST}:{known['postgres']}/postgres"
    records = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    records |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_TRACKING_URI": ""}
    mlflow = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(known["mlflow"])]
    mlflow += ["--workers", "1", "--serve-artifacts", "--artifacts-destination", str(home / "mlartifacts")]
    _start(home, "mlflow", mlflow, variables | records, known["mlflow"])
    _start(home, "scheduler", [*unroll, "cluster", "scheduler", _address(known)], variables, known["scheduler"])
    for name in WORKERS:
        own = [*unroll, "cluster", "worker", _address(known), "--name", name, "--home", str(home / f"worker-{name}")]
        _start(home, f"worker-{name}", own, variables, None)
    file = home / "environment"
    file.touch(mode=0o600)
    needed = _variables(known) | {"UNROLL_SCHEDULER": _address(known)}
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in needed.items()))
    print(f"MLflow: http://{HOST}:{known['mlflow']}   scheduler: {_address(known)}   logs: {FOLDER}/run/*.log")
    print(f"`. {FOLDER}/environment` gives a shell what `unroll repro` and `unroll tune` need, in {FOLDER}/workspace")


def demo(workspace: Workspace) -> int:
    """Build the demo on the cluster, and compare its dvc.lock with that of `make demo`; the build's exit status."""
    home = workspace.root / FOLDER
    known = _known(home)
    os.environ.update(_variables(known))
    small = scaled.make_workspace(workspace.root, home / "workspace", scaled.TWINS, once=True)
    remote = f"    remote = store\n['remote \"store\"']\n    url = s3://{BUCKET}\n"
    remote += f"    endpointurl = http://{HOST}:{known['s3']}\n"
    write_text(small.root / ".dvc" / "config", scaled.CONFIG + remote)
    status = repro(small, [], 1, on=Address(_address(known)))
    local = workspace.root / DEMO / LOCK
    if not local.exists():
        print(f"`make demo` builds the same on this machine alone, in {DEMO}; then `make cluster` compares.")
    elif local.read_bytes() == (small.root / LOCK).read_bytes():
        print(f"{FOLDER}/workspace/{LOCK} is, byte for byte, the one of {DEMO}, which this machine built alone.")
    else:
        print(f"{FOLDER}/workspace/{LOCK} is not that of {DEMO}; `make demo` brings that up to date, if it is older.")
    print("`make cluster-down` ends the servers.")
    return status


def down(workspace: Workspace) -> None:
    """End the processes that `up` has started, the last one first."""
    import psutil

    files = sorted((workspace.root / FOLDER / "run").glob("*.pid"), key=lambda file: -file.stat().st_mtime_ns)
    for file in files:
        process = _process(file)
        if process is not None:
            family = [process, *process.children(recursive=True)]
            process.send_signal(signal.SIGTERM)
            _, left = psutil.wait_procs(family, GRACE)
            for one in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        file.unlink()
        print(f"{file.stem} {'ended' if process else 'had ended before'}")
    if not files:
        print("nothing runs")


def _start(
    home: Path, name: str, command: Sequence[str], variables: Mapping[str, str], port: int | None, *, user: Any = None
) -> None:
    """Start a process, unless it runs, and wait until its port answers."""
    import psutil

    file, log = home / "run" / f"{name}.pid", home / "run" / f"{name}.log"
    if _process(file) is not None:
        return
    started = time.monotonic()
    with log.open("wb") as said:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, env=variables, cwd=home, start_new_session=True, user=user, **streams)
    write_text(file, json.dumps([process.pid, psutil.Process(process.pid).create_time()]))
    while port and not _answers(port):
        if process.poll() is not None or time.monotonic() - started > PATIENCE:
            last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["without a word"]
            raise UnrollError(f"{name} does not start: {last[0]}; its output is in {FOLDER}/run/{name}.log")
        time.sleep(0.1)
    print(f"{name} started in {time.monotonic() - started:.0f} s", flush=True)


def _process(file: Path) -> Any:
    """The process that a file names, if it is still that one."""
    import psutil

    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        number, created = json.loads(file.read_text(encoding="utf-8"))
        process = psutil.Process(number)
        if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


def _known(home: Path) -> dict[str, Any]:
    """Ports and a password, made once, in a file that only its owner may read."""
    file = home / "run" / "known.json"
    if not file.exists():
        known: dict[str, Any] = {"password": secrets.token_hex(16)}
        with contextlib.ExitStack() as stack:
            for name in ("postgres", "s3", "mlflow", "scheduler"):
                one = stack.enter_context(socket.socket())
                one.bind((HOST, 0))
                known[name] = one.getsockname()[1]
        file.touch(mode=0o600)
        file.write_text(json.dumps(known))
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _variables(known: Mapping[str, Any]) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "unroll", "AWS_SECRET_ACCESS_KEY": known["password"]}
    keys[STUDIES] = f"postgresql://unroll:{known['password']}@{HOST}:{known['postgres']}/{TRIALS}"
    return {**keys, "AWS_DEFAULT_REGION": "us-east-1", "MLFLOW_TRACKING_URI": f"http://{HOST}:{known['mlflow']}"}


def _address(known: Mapping[str, Any]) -> str:
    return f"tcp://{HOST}:{known['scheduler']}"


def _postgres() -> Path:
    """The folder of PostgreSQL's programs."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(Path("/").glob(POSTGRES))
    if not folders:
        raise UnrollError("PostgreSQL is not installed; Debian, Ubuntu: apt install postgresql; macOS: brew")
    return folders[-1]


def _user() -> str | None:
    """Whom PostgreSQL runs as: it refuses root, whose packages bring a user for it."""
    return "postgres" if os.geteuid() == 0 else None


def _set_up_database(home: Path, programs: Path, password: str) -> None:
    folder = home / "postgres"
    if (folder / "PG_VERSION").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if user := _user():
        shutil.chown(folder, user)
    secret = home / "password"
    secret.touch(mode=0o600)
    try:
        secret.write_text(password)
        if user:
            shutil.chown(secret, user)
        command = [str(programs / "initdb"), "-D", str(folder), "-U", "unroll", "-A", "scram-sha-256"]
        command += [f"--pwfile={secret}"]
        done = subprocess.run(command, capture_output=True, text=True, user=user, cwd="/", check=False)
    finally:
        secret.unlink()
    if done.returncode:
        raise UnrollError(f"PostgreSQL cannot set up {folder}: {' '.join(done.stderr.split())}")


def _add_database(known: Mapping[str, Any]) -> None:
    """Add `TRIALS` to a PostgreSQL that has just been started, or has it already."""
    import psycopg2

    address = {"host": HOST, "port": known["postgres"], "user": "unroll", "password": known["password"]}
    started = time.monotonic()
    while True:
        try:
            opened = psycopg2.connect(**address, dbname="postgres")
            break
        except psycopg2.OperationalError as error:  # it says that it is starting
            if time.monotonic() - started > PATIENCE:
                raise UnrollError(f"PostgreSQL does not answer: {one_line(str(error))}") from None
            time.sleep(0.1)
    with contextlib.closing(opened), opened.cursor() as cursor:
        opened.autocommit = True  # a database cannot be made in a transaction
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TRIALS])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {TRIALS}")
