"""DVC's remote on S3 and MLflow's server on PostgreSQL, as docs/many-machines.md sets
them up, on this machine."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pipeline.config import params
from stages import perform, prepare, source, train
from unroll.workspaces import make

RCLONE = shutil.which("rclone", path=Path(sys.executable).parent)
# off PATH
DEBIAN = sorted(map(str, Path("/").glob("usr/lib/postgresql/*/bin")), reverse=True)
INITDB = shutil.which("initdb", path=os.pathsep.join([*DEBIAN, os.environ["PATH"]]))
OTHER = (
    {"user": "postgres", "group": "postgres", "extra_groups": []}
    if os.geteuid() == 0
    else {}
)
"""Whom PostgreSQL runs as: it refuses root, whose packages bring a user for it."""


@pytest.fixture
def servers(tmp_path):
    """Starts a server with a free port, and waits until it answers; returns the port."""
    with contextlib.ExitStack() as stack:

        def start(command, **options):
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            words = [str(word).replace("PORT", str(port)) for word in command]
            log = stack.enter_context((tmp_path / f"{port}.log").open("w"))
            process = subprocess.Popen(words, stdout=log, stderr=log, **options)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            limit = time.monotonic() + 120
            while True:
                with socket.socket() as client:
                    if client.connect_ex(("127.0.0.1", port)) == 0:
                        return port
                assert process.poll() is None, Path(log.name).read_text()
                assert time.monotonic() < limit, Path(log.name).read_text()
                time.sleep(0.1)

        yield start


@pytest.mark.skipif(
    RCLONE is None, reason="the extra for clusters is not installed: .ci/venv cluster"
)
def test_outputs_come_back_from_s3(tmp_path, servers, monkeypatch):
    from dvc.repo import Repo

    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    keys = {
        **os.environ,
        "RCLONE_AUTH_KEY": '"unroll,a-long-secret"',
        "RCLONE_CONFIG": "",
    }
    port = servers(
        [RCLONE, "serve", "s3", "--addr", "127.0.0.1:PORT", tmp_path / "s3"], env=keys
    )
    for name, value in {
        "ACCESS_KEY_ID": "unroll",
        "SECRET_ACCESS_KEY": "a-long-secret",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    with Repo.init(no_scm=True) as repo:
        with repo.config.edit() as config:
            config["core"]["remote"] = "store"
            config["remote"]["store"] = {
                "url": "s3://bucket/path",
                "endpointurl": f"http://127.0.0.1:{port}",
            }
        Path("output").write_text("trained")
        repo.add("output")
        assert repo.push() == 1
        shutil.rmtree(repo.cache.local.path)
        Path("output").unlink()
        repo.pull()
    assert Path("output").read_text() == "trained"


@pytest.mark.skipif(INITDB is None, reason="PostgreSQL is not installed")
def test_mlflow_records_in_postgresql(tmp_path, servers, monkeypatch):
    pytest.importorskip(
        "psycopg2", reason="the extra for clusters is not installed: .ci/venv cluster"
    )
    from mlflow import MlflowClient

    # pytest's own may be entered by its owner alone
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        for folder in (data.parent, data):
            shutil.chown(folder, OTHER.get("user", os.geteuid()))
        subprocess.run(
            [INITDB, "-D", data, "-U", "me"],
            check=True,
            capture_output=True,
            cwd=name,
            **OTHER,
        )
        postgres = [
            Path(INITDB).with_name("postgres"),
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            "PORT",
            "-k",
            "",
        ]
        database = f"postgresql+psycopg2://me@127.0.0.1:{servers(postgres, cwd=name, **OTHER)}/postgres"
        mlflow = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--backend-store-uri",
            database,
            "--workers",
            1,
        ]
        mlflow += [
            "--host",
            "127.0.0.1",
            "--port",
            "PORT",
            "--artifacts-destination",
            tmp_path / "artifacts",
        ]
        quiet = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        port = servers(mlflow, cwd=tmp_path, env={**os.environ, **quiet})
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        workspace = make.miniature(tmp_path / "workspace")
        source.source(workspace, "waves")
        prepare.prepare(workspace, "waves")
        (task,) = train.tasks_of(
            workspace, params.load(workspace.params), "waves", "linear"
        )
        perform.perform(workspace, task)
        client = MlflowClient(f"http://127.0.0.1:{port}")
        groups = [group.experiment_id for group in client.search_experiments()]
        (run,) = client.search_runs(groups, "tags.`current` = 'true'")
        assert (run.info.status, run.data.tags["experiment"]) == ("FINISHED", "linear")
        assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {
            "run.json",
            "history.csv",
        }
