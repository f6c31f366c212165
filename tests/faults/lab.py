"""A workspace of baselines that is built within this process, and what can be said of it after a fault."""

import contextlib
import hashlib
import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.commands import main
from stages.console import exits

PARAMS = {
    "sources": {
        "waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30},
        "sine": {"kind": "sine", "points": 60, "test_points": 40},
    },
    "datasets": {
        "waves": {"source": "waves", "preparation": {"name": "waves"}},
        "sine": {"source": "sine", "preparation": {"name": "sine_windows", "lookback": 20}},
    },
    "experiments": {
        "waves_linear": {
            "dataset": "waves",
            "seeds": [0],
            "model": {"family": "baselines", "name": "linear"},
            "training": {"method": "least_squares"},
        },
        "sine_last_value": {
            "dataset": "sine",
            "seeds": [0],
            "model": {"family": "baselines", "name": "last_value"},
            "training": {"method": "none"},
        },
    },
}
CLAIM = """
- {document: "003", words: close to 0.02, experiment: waves_linear, metric: final.test.mse, value: 0.02}
"""
STAGES = ["source waves", "source sine", "prepare waves", "prepare sine", "train waves_linear", "train sine_last_value"]
STAGES += ["evaluate waves", "evaluate sine", "report"]
OUTPUTS = ("data", "runs", "evaluations", "metrics", "report")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and its last line on standard error, paths as seen from the workspace."""

    code: int
    line: str


@dataclass(frozen=True)
class Lab:
    """The workspace, and what a test asks of it."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    def run(self, command: str) -> Ended:
        """One `unroll` command line; a traceback would be raised here."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = exits.run(lambda: main.invoke(["--root", str(self.root), *command.split()]))
        lines = said.getvalue().strip().splitlines()
        return Ended(code, self.relative(lines[-1]) if lines else "")

    def relative(self, line: str) -> str:
        """A line as it is on any machine."""
        line = line.replace(f"{self.root}/", "").replace(str(self.root), ".")
        line = re.sub(r"line \d+ column \d+ \(char \d+\)", "line N", line)  # it depends on the code's hashes
        line = re.sub(r"\(PID \d+\)", "(PID N)", line)
        return re.sub(r"(127\.0\.0\.1):\d+", r"\1:PORT", line)

    def outputs(self) -> dict[str, str]:
        """File -> hash, of every output of a stage."""
        files = [path for name in OUTPUTS for path in sorted((self.root / name).rglob("[!.]*")) if path.is_file()]
        return {str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def unfinished(self) -> list[Path]:
        return list(self.root.rglob(".*.tmp"))

    def remove(self, name: str) -> None:
        path = self.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def build(root: Path) -> Lab:
    """Every stage, in the order of the graph."""
    root.mkdir(parents=True)
    plain_yaml.write(PARAMS, root / "params.yaml")
    (root / "claims.yaml").write_text(CLAIM)
    lab = Lab(root)
    for stage in STAGES:
        with contextlib.chdir(root):
            ended = lab.run(stage)
        assert ended.code == 0, ended
    return lab
