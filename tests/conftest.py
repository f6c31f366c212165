"""What all tests share: a small built workspace, options, and TensorFlow with one
thread."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from pipeline import numeric_settings

# pytest imports readline, which sets COLUMNS for its child processes, as no shell does
os.environ.pop("COLUMNS", None)

# before NumPy is imported: what is computed in this process has the bytes of `unroll`
numeric_settings.set_environment()

from pipeline.config import plain_yaml  # noqa: E402
from pipeline.workspace import Workspace  # noqa: E402

hypothesis.settings.register_profile(
    "brief", max_examples=6, deadline=None, derandomize=True
)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None)


def pytest_addoption(parser):
    parser.addoption(
        "--long",
        action="store_true",
        help="Random trials (kills, damaged bytes) in full, not in brief.",
    )
    parser.addoption(
        "--rebuilds",
        action="store_true",
        help="The miniature built in every way has the same bytes.",
    )


def pytest_configure(config):
    hypothesis.settings.load_profile("long" if config.getoption("--long") else "brief")


REPORTED = pytest.StashKey[float]()
"""The CPU seconds at the last report."""

MOST = 25
"""Files whose CPU seconds are printed."""

SLOW = (
    "test_verify.py",
    "test_dvc.py",
    "test_check.py",
    "test_train.py",
    "test_cluster.py",
    "test_repro.py",
    "test_strangers.py",
)
"""Files that take about a minute each, the slowest first."""


def pytest_collection_modifyitems(items):
    """Let the slow files begin, so that no core waits for the last one."""

    def place(item):
        name = item.path.name
        return SLOW.index(name) if name in SLOW else len(SLOW)

    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=place)


def cpu_seconds():
    """Those of this process, and of the processes that it has waited for."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Note the CPU seconds since the last report, with those of fixtures."""
    report = yield
    now = cpu_seconds()
    report.user_properties = [("cpu", now - item.session.stash.get(REPORTED, now))]
    item.session.stash[REPORTED] = now
    return report


def pytest_terminal_summary(terminalreporter):
    """Print the CPU seconds of the files that take most."""
    of_file = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            seconds = dict(getattr(report, "user_properties", [])).get("cpu", 0.0)
            of_file[getattr(report, "nodeid", "").partition("::")[0]] += seconds
    shown = [f"{seconds:.0f} {name}" for name, seconds in of_file.most_common(MOST)]
    terminalreporter.write_line(f"CPU seconds: {of_file.total():.0f}")
    terminalreporter.write_line("\n".join(shown))


@dataclass(frozen=True)
class Miniature:
    """A DVC workspace with its own copy of the code, and the commands that run in it."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    @property
    def environment(self) -> dict[str, str]:
        """This process's, without variables of the user's own workspace, and without
        MLflow, which takes seconds."""
        own = ("DVC_", "MLFLOW_", "PIP_", "UNROLL_")
        return {
            key: value for key, value in os.environ.items() if not key.startswith(own)
        } | {
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "PYTHONPATH": str(self.root),
            "DVC_NO_ANALYTICS": "1",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "site-cache"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def run(self, *command: str, status: int = 0) -> str:
        """The output, both streams, of a command that has to end with `status`."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, check=False, **streams
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def unroll(self, *arguments: str, status: int = 0) -> str:
        return self.run(sys.executable, "-m", "unroll", *arguments, status=status)

    def change(self, change: Callable[[Any], object]) -> None:
        """Edit params.yaml: `change` gets its data."""
        data = plain_yaml.read(self.workspace.params)
        change(data)
        plain_yaml.write(data, self.workspace.params)

    def json(self, path: str) -> Any:
        return json.loads((self.root / path).read_text(encoding="utf-8"))


def make_half(folder: Path) -> Miniature:
    """Half the miniature, with one network: what most tests need of a workspace that
    DVC builds."""
    from tests.support import miniature
    from unroll.builds.demo import without

    half = Miniature(miniature.make(folder).root)
    half.change(lambda data: data.update(without(data, ("sine", "imdb"))))
    return half


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
    """What Unroll keeps between commands lies in the folder of the tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """TensorFlow takes its number of threads before its first use only: files of tests
    that use it import it on top."""
    if "tensorflow" in sys.modules:
        from pipeline.training import keras_models

        keras_models.start()


@pytest.fixture(scope="session")
def built(tmp_path_factory, worker_id) -> Miniature:
    """Half the miniature, built by `unroll repro`, once for all processes. Do not
    change it: `miniature` is a copy."""
    from filelock import FileLock

    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    folder.mkdir(exist_ok=True)
    miniature = Miniature(folder / "built")
    with FileLock(folder / "built.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(miniature.root, ignore_errors=True)
            make_half(miniature.root).unroll("repro", "--jobs", "2")
            (folder / "done").touch()
    return miniature


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory) -> Workspace:
    """Every data set of `fake_runs` but jena, evaluated and answered. Who changes it
    puts it back."""
    from pipeline.config import params
    from pipeline.evaluation import verdicts
    from stages.evaluate import evaluate
    from tests.support import fake_runs

    workspace = fake_runs.build(tmp_path_factory.mktemp("evaluated"))
    config = params.load(workspace.params)
    for name in config.datasets:
        if name != "jena":
            evaluate(workspace, name)
    verdicts.write(workspace, config)
    return workspace


@pytest.fixture
def miniature(built, tmp_path) -> Miniature:
    """A copy of the built miniature that a test may change."""
    shutil.copytree(built.root, tmp_path / "copy", symlinks=True)
    return Miniature(tmp_path / "copy")
