"""One small workspace with an experiment of each kind, built once by DVC itself, and how tests share cores."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

OF_MINIATURE = {"tests/stages/test_quick.py", "tests/test_bytes.py", "tests/test_dvc.py"}
"""Files that share one built miniature."""

# Python runs this file when it starts: every stage leaves behind which modules of ours it imported.
WITNESS = """
import atexit, json, os, sys
from pathlib import Path

def leave():
    folder = Path(os.environ["UNROLL_TEST_MODULES"])
    names = sorted(name for name in sys.modules if name.split(".")[0] in ("pipeline", "stages"))
    (folder / (os.environ["DVC_STAGE"] + ".json")).write_text(json.dumps(names))

if "DVC_STAGE" in os.environ and "UNROLL_TEST_MODULES" in os.environ:
    atexit.register(leave)
"""


@dataclass(frozen=True)
class Miniature:
    """A DVC workspace with its own copy of the code, and the commands that run in it."""

    root: Path

    def run(self, *command: str, status: int = 0) -> str:
        """The output, both streams, of a command that has to end with `status`."""
        own = ("DVC_", "MLFLOW_", "UNROLL_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        environment |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(self.root),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "site-cache"),
            "UNROLL_TEST_MODULES": str(self.root / "imported"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=self.root, env=environment, check=False, **streams)
        assert done.returncode == status, done.stdout
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def unroll(self, *arguments: str, status: int = 0) -> str:
        return self.run(sys.executable, "-m", "stages", *arguments, status=status)

    def repro(self) -> set[str]:
        """The stages that a `dvc repro` ran."""
        lines = self.dvc("repro").splitlines()
        return {line.split("'")[1] for line in lines if line.startswith("Running stage")}

    def change(self, change) -> None:
        """Edit params.yaml: `change` gets its data."""
        from pipeline.config import params
        from pipeline.config import plain_yaml

        data = plain_yaml.read(self.root / "params.yaml")
        change(data)
        plain_yaml.write(data, self.root / "params.yaml")

    def json(self, path: str):
        return json.loads((self.root / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """TensorFlow takes its number of threads before its first use only, and any test may be the first to use it."""
    from pipeline.training import keras_models

    keras_models.start()


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Miniature:
    """The miniature, built with a plain `dvc repro`. Do not change it: `miniature` is a copy to work on."""
    from stages.workspaces.miniature import make_workspace

    root = tmp_path_factory.mktemp("miniature") / "built"
    make_workspace(ROOT, root)
    (root / "imported").mkdir()
    (root / "sitecustomize.py").write_text(WITNESS)
    miniature = Miniature(root)
    miniature.dvc("repro")
    return miniature


@pytest.fixture
def miniature(built, tmp_path) -> Miniature:
    """A copy of the built miniature that a test may change."""
    shutil.copytree(built.root, tmp_path / "copy", symlinks=True)
    return Miniature(tmp_path / "copy")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """On several cores (`pytest -n 2`) a file stays with one process, and so do all tests of the built miniature.

    Not by groups of pytest-xdist: 3.8.0 writes them where pytest 9.2 does not read them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "miniature" if file in OF_MINIATURE else file

    return Scheduling(config, log)
