"""What DVC builds again after which change, on the miniature, and what DVC's own commands say."""

import re
import shlex
from datetime import datetime
from pathlib import Path

from dvc.cli import main
from dvc.repo import Repo

from pipeline.config import params
from pipeline.provenance import record
from unroll.runner import dvc_graph
from unroll.workspaces import checkout

ROOT = Path(__file__).parents[1]


def due(miniature):
    return set(dvc_graph.read(miniature.root).due())


def test_every_run_has_a_record_of_all_that_it_was_made_of(built):
    for name, experiment in params.load(built.workspace.params).experiments.items():
        run = record.read(built.workspace, experiment.dataset, name)
        resolved = built.json(f"resolved/train/{name}.json")
        assert resolved == {"params": run.params, "modules": run.modules, "lock": run.lock}
        assert run.params == experiment.model_dump()
        assert f"pipeline.models.{experiment.model.family}" in run.modules
        assert "arrays.npz" in run.files
        assert "numpy" in run.packages
        assert datetime.fromisoformat(run.started) <= datetime.fromisoformat(run.ended)


DOCS = [ROOT / "README.md", *(path for path in (ROOT / "docs").glob("*.md") if path.name != "CHANGELOG.md")]

HERE = {
    "experiments.sine_windows.dense4.model.hidden=[8]": "experiments.waves.linear.training.ridge=5.0",
    "sine_windows/lstm": "waves/node",
    "sine_windows": "waves",
}
"""What the docs name -> what the miniature has in its place."""

ELSEWHERE = "vega.html", "add -d NAME", "dvc push", "s3", "exp run -S experiments.waves.lstm"
"""In commands that need a library, a place to store, or minutes."""


def documented():
    """Every DVC command in the docs, as typed, without those that need what is `ELSEWHERE`."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
    typed = re.findall(r"^dvc .*|(?<=`)dvc [^`\n]+(?=`)", text, re.MULTILINE)
    commands = [line.partition("  #")[0].strip() for line in typed]
    return dict.fromkeys(command for command in commands if not any(word in command for word in ELSEWHERE))


def test_every_dvc_command_of_the_docs_runs_in_a_demo(miniature, monkeypatch, capsys):
    checkout.commit(ROOT, miniature.root, "all")
    before = (miniature.root / "dvc.lock").read_bytes()
    monkeypatch.chdir(miniature.root)
    for name, value in miniature.environment.items():
        monkeypatch.setenv(name, value)
    with Repo() as repo:
        assert repo.reproduce() == [], "what `unroll repro` has built"
        scores = {Path(path).stem: file["data"]["score"] for path, file in repo.metrics.show()[""]["data"].items()}
        assert scores.keys() == params.load(miniature.workspace.params).experiments.keys()
    assert (miniature.root / "dvc.lock").read_bytes() == before
    commands = list(documented())
    assert {"dvc params diff", "dvc exp diff --precision 9"} <= {*commands}
    for command in commands:
        for theirs, ours in HERE.items():
            command = command.replace(theirs, ours)  # noqa: PLW2901
        assert main(shlex.split(command)[1:]) == 0, command
    assert "results/evaluations/waves/history.csv" in (miniature.root / "plots/index.html").read_text(encoding="utf-8")
    output = capsys.readouterr().out
    assert "experiments.waves.linear.training.ridge" in output
    with Repo() as repo:
        assert repo.status(["evaluate@waves"], with_deps=True) == {}
        (changed,) = repo.params.diff()["diff"].values()
        assert changed == {"experiments.waves.linear.training.ridge": {"old": 0.0, "new": 5.0, "diff": 5.0}}
        changed = repo.metrics.diff()["diff"]
        assert list(changed) == ["results/metrics/waves/linear.json"]


def lookback_of_jena(data):
    data["templates"]["series"]["preparation"]["windows"].update(lookback=12)


def training_of_waves(data):
    data["datasets"]["waves"].update(seeds=2, training={"method": "by_hand", "patience": 1})


JENA = {"prepare@jena", "train@jena", "train@jena", "evaluate@jena", "report"}
WAVES = {"prepare@waves", "train@waves", "train@waves", "evaluate@waves", "report"}
EVALUATED = {"evaluate@waves", "evaluate@jena", "report"}
EDITS = {
    ("pipeline/models/recurrent.py",): {"train@waves", "train@jena"} | EVALUATED,
    ("pipeline/metrics/mae.py",): {"train@jena"} | EVALUATED,
    ("pipeline/data/preparations/waves.py",): WAVES,
    ("pipeline/report/page.css", "pipeline/tracking/live.py"): {"report"},  # of the second nothing
}


def test_an_option_a_model_a_loss_a_preparation_rerun_what_uses_them_and_nothing_else(miniature):
    before = miniature.workspace.params.read_bytes()
    for change, rerun in (
        (training_of_waves, WAVES - {"prepare@waves", "train@waves"}),
        (lookback_of_jena, JENA),
    ):
        miniature.change(change)
        assert due(miniature) == rerun
        miniature.workspace.params.write_bytes(before + b"# a comment\n")
    for paths, rerun in EDITS.items():
        texts = {miniature.root / path: (miniature.root / path).read_bytes() for path in paths}
        for file, text in texts.items():
            file.write_bytes(text + b"\n")
        assert due(miniature) == rerun, paths
        for file, text in texts.items():
            file.write_bytes(text)
    made = ("data/prepared/waves", "runs/waves", "runs/waves/linear")
    for folder in (*made, "results/evaluations/waves", "results/metrics"):
        (miniature.root / folder / ".EaZqxlTMTQZ5b8J-qDRc_A.tmp").touch()  # of a killed process
    assert due(miniature) == set()
    (miniature.root / "claims.yaml").write_text("[]\n", encoding="utf-8")
    assert due(miniature) == {"report"}


def test_a_file_of_ones_own_is_what_its_source_depends_on(miniature):
    (miniature.root / "meter.csv").touch()
    miniature.change(lambda data: data.update(files={"meter": {"path": "meter.csv"}}))
    with dvc_graph.opened(miniature.root) as dvc:
        assert [dep.def_path for dep in dvc.stages["file@meter"].deps] == ["resolved/source/meter.json", "meter.csv"]
