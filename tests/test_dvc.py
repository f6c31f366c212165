"""What DVC builds again after which change, on the miniature, and what DVC's own commands say."""

import shutil
from pathlib import Path

from dvc.repo import Repo

from pipeline.config import params
from pipeline.provenance import record
from tests.unroll.workspaces.test_checkout import git
from unroll.runner import dvc_graph

ROOT = Path(__file__).parents[1]


def due(miniature):
    return set(dvc_graph.read(miniature.root).due())


def test_every_run_has_a_record_of_all_that_it_was_made_of(built):
    for name, experiment in params.load(built.workspace.params).experiments.items():
        found = record.read(built.workspace, experiment.dataset, name)
        resolved = built.json(f"resolved/train/{name}.json")
        assert resolved == {"params": found.params, "modules": found.modules, "lock": found.lock}
        assert found.params == experiment.model_dump()
        assert f"pipeline.models.{experiment.model.family}" in found.modules
        assert "arrays.npz" in found.files
        assert "numpy" in found.packages


def test_dvc_shows_metrics_and_plots(built, tmp_path):
    with Repo(str(built.root)) as repo:
        shown = repo.metrics.show()[""]["data"]
        assert all("score" in one["data"] for one in shown.values())
        names = [Path(path).stem for path in shown]
        assert sorted(names) == sorted(params.load(built.workspace.params).experiments), "one for each"
    built.dvc("plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "results/evaluations/jena/history.csv" in page.replace("\\", "/")


def test_dvc_runs_an_experiment_and_says_what_it_changed(miniature, monkeypatch):
    (miniature.root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (miniature.root / ".dvc/.gitignore").write_text("/cache\ntmp\n")
    shutil.copy(ROOT / ".gitignore", miniature.root)
    git(miniature.root, "init", "-q")
    git(miniature.root, "add", "-A")
    git(miniature.root, "commit", "-q", "-m", "all")
    before = (miniature.root / "dvc.lock").read_bytes()
    monkeypatch.chdir(miniature.root)
    with Repo() as repo:
        assert repo.reproduce() == [], "what `unroll repro` has built"
    assert (miniature.root / "dvc.lock").read_bytes() == before
    change = "experiments.waves_linear.training.ridge=5.0"
    output = miniature.dvc("exp", "run", "-S", change, "evaluate@waves")
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["resolve", "train@waves_linear", "evaluate@waves"]
    with Repo() as repo:
        assert repo.status(["evaluate@waves"], with_deps=True) == {}
        (changed,) = repo.params.diff()["diff"].values()
        assert changed == {"experiments.waves_linear.training.ridge": {"old": 0.0, "new": 5.0, "diff": 5.0}}
        changed = repo.metrics.diff()["diff"]
        assert list(changed) == ["results/metrics/waves/waves_linear.json"]
        assert changed["results/metrics/waves/waves_linear.json"]["score"]["diff"] != 0


CHANGES = [
    (
        lambda data: data["datasets"]["waves"].update(seeds=2, training={"method": "by_hand", "patience": 1}),
        {"train@waves_node", "evaluate@waves", "report"},
    ),
    (
        lambda data: data["templates"]["series"]["preparation"].update(lookback=12),
        {"prepare@jena", "train@jena_last_value", "train@jena_gru", "evaluate@jena", "report"},
    ),
]
EVALUATED = {"evaluate@waves", "evaluate@jena", "report"}
EDITS = {
    "pipeline/models/recurrent.py": {"train@waves_node", "train@jena_gru"} | EVALUATED,
    "pipeline/metrics/mae.py": {"train@jena_gru"} | EVALUATED,
    "pipeline/data/preparations/waves.py": {"prepare@waves", "train@waves_linear", "train@waves_node"}
    | (EVALUATED - {"evaluate@jena"}),
    "pipeline/report/page.css": {"report"},
    "pipeline/tracking/live.py": set(),
}


def test_an_option_a_model_a_loss_a_preparation_rerun_what_uses_them_and_nothing_else(miniature):
    before = miniature.workspace.params.read_bytes()
    for change, rerun in CHANGES:
        miniature.change(change)
        assert due(miniature) == rerun
        miniature.workspace.params.write_bytes(before + b"# a comment\n")
    for path, rerun in EDITS.items():
        file = miniature.root / path
        text = file.read_bytes()
        file.write_bytes(text + b"\n")
        assert due(miniature) == rerun, path
        file.write_bytes(text)
    made = ("data/prepared/waves", "runs/waves", "runs/waves/waves_linear")
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
