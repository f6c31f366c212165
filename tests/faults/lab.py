"""A workspace with results of each kind, built within this process, and what must hold of it after a fault."""

import contextlib
import hashlib
import io
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from unroll import exits
from unroll.commands import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NOWHERE = "http://127.0.0.1:9"
"""Where no MLflow is. To record a run takes seconds, and is no part of most faults."""

OWN = {"file": "own.csv", "stamp": "time", "target": "value", "train": 60, "validation": 20, "lookback": 4, "delay": 1}
NODE = {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False}
EXPERIMENTS = {
    "waves_linear": ("waves", {"family": "baselines", "name": "linear"}, {"method": "least_squares"}),
    "waves_node": ("waves", NODE, {"method": "by_hand", "learning_rate": 0.01, "epochs": 200}),
    "sine_last_value": ("sine", {"family": "baselines", "name": "last_value"}, {"method": "none"}),
    "own_last_value": ("own", {"family": "baselines", "name": "last_value"}, {"method": "none"}),
}
PARAMS = {
    "sources": {
        "waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30},
        "sine": {"kind": "sine", "points": 60, "test_points": 40},
    },
    "files": {"own": {"path": "own.csv"}},
    "datasets": {
        "waves": {"source": "waves", "preparation": {"name": "waves"}},
        "sine": {"source": "sine", "preparation": {"name": "sine_windows", "lookback": 20}},
        "own": {"source": "own", "preparation": {"name": "series", **OWN}},
    },
    "experiments": {
        name: {"dataset": dataset, "seeds": 2, "model": model, "training": training}
        for name, (dataset, model, training) in EXPERIMENTS.items()
    },
}
HOURS = [f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00,{math.sin(hour):.4f}" for hour in range(120)]
CLAIM = {"document": "003", "words": "0.02", "experiment": "waves_linear", "metric": "final.test.mse", "value": "0.02"}
CLAIM["width"] = 2.0
STAGES = [f"{stage} {name}" for stage in ("source", "prepare") for name in PARAMS["datasets"]]
STAGES += [f"train {name}" for name in EXPERIMENTS] + [f"evaluate {name}" for name in PARAMS["datasets"]] + ["report"]


class Ended(NamedTuple):
    """How a command ended: its exit code, its last line on standard error, and all that it said."""

    code: int
    line: str
    said: str


@dataclass(frozen=True)
class Lab:
    """The workspace, and what a test asks of it."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    def run(self, command: str) -> Ended:
        """One `unroll` command line; a traceback is raised. Paths are as seen from the workspace."""
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            code = exits.run(lambda: main.invoke(["--root", str(self.root), *command.split()]))
        text = errors.getvalue().replace(f"{self.root}/", "").replace(str(self.root), ".")
        return Ended(code, (text.strip().splitlines() or [""])[-1], said.getvalue() + text)

    def succeeds(self, *commands: str) -> Ended:
        """How the last one ended."""
        for command in commands:
            ended = self.run(command)
            assert ended.code == 0, f"{command}: {ended.line}"
        return ended

    def refuses(self, command: str, words: str, code: int = 1) -> None:
        """It ends with this code and one line with these words, and changes nothing."""
        before = self.outputs()
        ended = self.run(command)
        assert words in ended.line, ended.line
        assert (ended.code, ended.line.startswith("unroll: ")) == (code, True), ended.line
        assert self.outputs() == before
        assert self.unfinished() == []

    def outputs(self) -> dict[str, str]:
        """File -> hash, of every output of a stage."""
        folders = ("data", "runs", "evaluations", "metrics", "report")
        files = [path for name in folders for path in sorted((self.root / name).rglob("[!.]*")) if path.is_file()]
        return {str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def unfinished(self) -> list[Path]:
        return [path for path in self.root.rglob(".*.tmp") if ".dvc" not in path.parts]

    def change(self, place: str, value: object) -> None:
        """Put a value somewhere in params.yaml, such as at `sources.waves.train`."""
        whole = inner = plain_yaml.read(self.workspace.params)
        *above, last = place.split(".")
        for key in above:
            inner = inner[key]
        inner[last] = value
        plain_yaml.write(whole, self.workspace.params)


def build(root: Path) -> Lab:
    """Every stage, in the order of the graph."""
    root.mkdir(parents=True)
    lab = Lab(root)
    plain_yaml.write(PARAMS, lab.workspace.params)
    lab.workspace.claims.write_text(json.dumps([CLAIM]))
    (root / "own.csv").write_text("\n".join(["time,value", *HOURS, ""]))
    lab.succeeds(*STAGES)
    return lab


def on_page(words: str) -> bool:
    """Whether docs/reliability.md says these words, however its lines are broken."""
    return " ".join(words.split()) in re.sub(r"\s+", " ", PAGE)
