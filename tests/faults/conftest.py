"""Faults are caused for real: damaged files, full disks, dead servers, killed processes
(docs/reliability.md)."""

import contextlib
import hashlib
import io
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.tracking import store
from pipeline.workspace import Workspace
from tests.conftest import Miniature
from unroll.commands import main


class Ended(NamedTuple):
    """How a command ended: its exit code, its last line on standard error, and all its
    output."""

    code: int
    line: str
    output: str


class FaultyWorkspace(Miniature):
    """A workspace that was built, commands in it without a process of their own, and
    what must hold after a fault."""

    def run(self, command: str) -> Ended:
        """One `unroll` command line; a traceback is raised. Paths are as seen from the
        workspace."""
        output = io.StringIO()
        errors = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = main.run(
                lambda: main.invoke(["--root", str(self.root), *command.split()])
            )
        text = (
            errors.getvalue().replace(f"{self.root}/", "").replace(str(self.root), ".")
        )
        return Ended(
            code, (text.strip().splitlines() or [""])[-1], output.getvalue() + text
        )

    def succeeds(self, *commands: str) -> Ended:
        """How the last one ended."""
        for command in commands:
            ended = self.run(command)
            assert ended.code == 0, f"{command}: {ended.line}"
        return ended

    def refuses(self, command: str, words: str) -> None:
        """It ends with 1 and one line with these words, and changes nothing."""
        before = self.outputs()
        ended = self.run(command)
        assert words in ended.line, ended.line
        assert (ended.code, ended.line.startswith("unroll: ")) == (1, True), ended.line
        assert self.outputs() == before
        assert self.unfinished() == []

    def outputs(self) -> dict[str, str]:
        """File -> hash, of every output of a stage."""
        folders = ("data", "runs", "results")
        files = [
            path
            for name in folders
            for path in sorted((self.root / name).rglob("[!.]*"))
            if path.is_file()
        ]
        return {
            str(path.relative_to(self.root)): hashlib.sha256(
                path.read_bytes()
            ).hexdigest()
            for path in files
        }

    def unfinished(self) -> list[Path]:
        return [path for path in self.root.rglob(".*.tmp") if ".dvc" not in path.parts]


@pytest.fixture(autouse=True, scope="session")
def unaffected(tmp_path_factory):
    """No variable of the user's own workspace counts, and no test waits for MLflow or
    for imports that it needs not."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [
            name
            for name in os.environ
            if name.startswith(("DVC_", "MLFLOW_", "UNROLL_"))
        ]:
            patch.delenv(name)
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("notes")))
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.fixture
def faulty(miniature, tmp_path, monkeypatch) -> FaultyWorkspace:
    """A copy of the built workspace that a test may change, with notes of DVC's of its
    own."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "notes"))
    shutil.rmtree(miniature.workspace.scratch / "logs")
    return FaultyWorkspace(miniature.root)


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """An MLflow store with nothing in it: to set one up takes seconds."""
    root = tmp_path_factory.mktemp("database")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        with store.opened(Workspace(root)):
            pass
    return root / "mlflow.db"
