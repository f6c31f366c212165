"""A cluster on this machine, to try: scheduler, two workers, an S3 server, PostgreSQL and MLflow's server.

Everything listens on the loopback interface, at ports that are free, asks for a certificate or a password, and lies in
`.cluster`, which nobody else can enter. A file for each process says which it is, so that `down` ends these alone.
"""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance.machine import CODE
from pipeline.workspace import Workspace
from unroll.cluster import connection, head
from unroll.runner.build import repro
from unroll.runner.dvc_graph import LOCK
from unroll.workspaces import make

FOLDER = ".cluster"

HOST = "127.0.0.1"

WORKERS = ("a", "b")

BUCKET = USER = "unroll"

PATIENCE = 180
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
    home, programs = workspace.root / FOLDER, _postgres()
    (home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.chown(home, group=_postgres_user().get("group", os.getegid()))
    home.chmod(0o710 if _postgres_user() else 0o700)  # PostgreSQL as someone else must get through
    settings = _settings(home)
    variables = _variables(home, settings)
    if not (home / "certificates" / connection.CERTIFICATE).exists():
        connection.make_certificates(home / "certificates")
    _set_up_database(home, programs, settings["password"])
    (home / "s3" / BUCKET).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, command, secret_variables in _servers(home, programs, settings):
        if _process(home, name) is None:
            _start(home, name, command, {**os.environ, **variables, **secret_variables}, settings.get(name))
    file = home / "environment"
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
    print(f"MLflow: {variables['MLFLOW_TRACKING_URI']} (user, password: {FOLDER}/environment)   logs: {FOLDER}/run")
    print(f"`. {FOLDER}/environment` gives a shell what `unroll repro` needs, in {FOLDER}/workspace")


def demo(workspace: Workspace) -> int:
    """Build the demo on the cluster, and compare its dvc.lock with that of `make demo`; the build's exit status."""
    home = workspace.root / FOLDER
    settings = _settings(home)
    os.environ.update(_variables(home, settings))
    small = make.chosen(workspace.root, home / "workspace")
    remote = f"    remote = store\n['remote \"store\"']\n    url = s3://{BUCKET}\n"
    remote += f"    endpointurl = http://{HOST}:{settings['s3']}\n"
    write_text(small.root / ".dvc" / "config", make.CONFIG + remote)
    cluster = partial(head.opened, address=os.environ["UNROLL_SCHEDULER"], certificates=home / "certificates")
    status = repro(small, [], 1, on=cluster)
    local = workspace.root / make.DEMO / LOCK
    if local.exists() and local.read_bytes() == (small.root / LOCK).read_bytes():
        print(f"{FOLDER}/workspace/{LOCK} is, byte for byte, the one of {make.DEMO}, which this machine built alone.")
    else:
        print(f"{make.DEMO}/{LOCK} is not there, or not the same; `make demo` builds it on this machine alone.")
    print("`make cluster-down` ends the servers.")
    return status


def down(workspace: Workspace) -> None:
    """End the processes that `up` has started, the last one first."""
    home = workspace.root / FOLDER
    files = sorted((home / "run").glob("*.pid"), key=lambda file: -file.stat().st_mtime_ns)
    for file in files:
        if process := _process(home, file.stem):
            family = [process, *process.children(recursive=True)]
            process.terminate()
            for survivor in psutil.wait_procs(family, GRACE)[1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    survivor.kill()
        file.unlink()
        print(f"{file.stem} {'ended' if process else 'had ended before'}")
    if not files:
        print("nothing runs")


def _servers(
    home: Path, programs: Path, settings: Mapping[str, Any]
) -> Iterator[tuple[str, list[Any], dict[str, str]]]:
    """Of each server its name, the command, and its own variables: passwords, since all users see commands."""
    store = f"postgresql+psycopg2://{USER}:{settings['password']}@{HOST}:{settings['postgres']}/postgres"
    records = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_TRACKING_URI": ""}
    records |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    records |= {"MLFLOW_AUTH_CONFIG_PATH": str(CODE / "deploy" / "mlflow.ini"), "MLFLOW_AUTH_ADMIN_USERNAME": USER}
    records |= dict.fromkeys(("MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"), settings["password"])
    keys = {"RCLONE_AUTH_KEY": f'"{USER},{settings["password"]}"', "RCLONE_CONFIG": ""}
    postgres = [programs / "postgres", "-D", home / "postgres", "-h", HOST, "-p", settings["postgres"], "-k", ""]
    rclone = [Path(sys.executable).parent / "rclone", "serve", "s3", "--addr", f"{HOST}:{settings['s3']}", home / "s3"]
    mlflow = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", 1]
    mlflow += ["--host", HOST, "--port", settings["mlflow"], "--artifacts-destination", home / "mlartifacts"]
    unroll, scheduler = [sys.executable, "-m", "unroll", "cluster"], _variables(home, settings)["UNROLL_SCHEDULER"]
    yield "postgres", postgres, {}
    yield "s3", rclone, keys
    yield "mlflow", mlflow, records
    yield "scheduler", [*unroll, "scheduler", scheduler], {}
    for name in WORKERS:
        own = ["worker", scheduler, "--name", name, "--home", home / f"worker-{name}"]
        yield f"worker-{name}", [*unroll, *own], {}


def _start(home: Path, name: str, command: list[Any], variables: Mapping[str, str], port: int | None) -> None:
    """Start a process, and wait until its port answers."""
    log, started = home / "run" / f"{name}.log", time.monotonic()
    with log.open("wb") as output:
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        options |= _postgres_user() if name == "postgres" else {}
        words = [str(word) for word in command]
        process = subprocess.Popen(words, env=variables, cwd=home, start_new_session=True, umask=0o077, **options)
    write_text(home / "run" / f"{name}.pid", json.dumps([process.pid, psutil.Process(process.pid).create_time()]))
    # Once dead it is a zombie until somebody waits for it, and PostgreSQL does not start beside its own.
    threading.Thread(target=process.wait, daemon=True).start()
    while port and not _answers(port):
        if process.poll() is not None or time.monotonic() - started > PATIENCE:
            last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["without a word"]
            raise UnrollError(f"{name} does not start: {last[0]}; its output is in {FOLDER}/run/{name}.log")
        time.sleep(0.1)
    print(f"{name} started in {time.monotonic() - started:.0f} s", flush=True)


def _process(home: Path, name: str) -> Any:
    """A server, if it still runs."""
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        number, created = json.loads((home / "run" / f"{name}.pid").read_text(encoding="utf-8"))
        process = psutil.Process(number)
        if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def _settings(home: Path) -> dict[str, Any]:
    """Ports and a password, made once, in a folder that only its owner may read."""
    file = home / "run" / "known.json"
    if not file.exists():
        with contextlib.ExitStack() as stack:
            names = ("postgres", "s3", "mlflow", "scheduler")
            servers = {name: stack.enter_context(socket.create_server((HOST, 0))) for name in names}
            ports = {name: server.getsockname()[1] for name, server in servers.items()}
        write_text(file, json.dumps({"password": secrets.token_hex(16), **ports}))
    settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return settings


def _variables(home: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": settings["password"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_TRACKING_URI": f"http://{HOST}:{settings['mlflow']}",
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": settings["password"],
        "UNROLL_SCHEDULER": f"tls://{HOST}:{settings['scheduler']}",
        "UNROLL_CERTIFICATES": str(home / "certificates"),
    }


def _postgres() -> Path:
    """The folder of PostgreSQL's programs."""
    folders = map(str, sorted(Path("/").glob(POSTGRES), reverse=True))
    initdb = shutil.which("initdb") or shutil.which("initdb", path=os.pathsep.join(folders))
    if initdb is None:
        raise UnrollError("PostgreSQL is not installed; Debian, Ubuntu: apt install postgresql; macOS: brew")
    return Path(initdb).parent


def _postgres_user() -> dict[str, Any]:
    """Whom PostgreSQL runs as, if not as us: it refuses root, whose packages bring a user for it."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _set_up_database(home: Path, programs: Path, password: str) -> None:
    new, secret, user = home / "postgres.new", home / "password", _postgres_user()
    if (home / "postgres").exists():
        return
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text(password)
    for path in (new, secret):
        shutil.chown(path, user.get("user", os.geteuid()))
    initdb: list[Any] = [programs / "initdb", "-D", new, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}"]
    result = subprocess.run(initdb, capture_output=True, text=True, cwd="/", check=False, **user)
    if result.returncode:
        raise UnrollError(f"PostgreSQL cannot set up {new}: {' '.join(result.stderr.split())}")
    secret.unlink()
    new.rename(home / "postgres")
