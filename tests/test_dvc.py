"""What DVC builds again after which change, on the miniature, and what DVC's own commands say."""

import shutil
from pathlib import Path

import pytest
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


def test_every_experiment_has_figures(built):
    experiments = params.load(built.workspace.params).experiments
    scored = {(file.parent.name, file.stem) for file in (built.root / "metrics").rglob("*.json")}
    assert scored == {(experiment.dataset, name) for name, experiment in experiments.items()}
    page = built.workspace.report.read_text(encoding="utf-8")
    assert all(name in page for name in experiments)


def test_dvc_shows_metrics_and_plots(built, tmp_path):
    with Repo(str(built.root)) as repo:
        shown = repo.metrics.show()[""]["data"]
        assert all("score" in one["data"] for one in shown.values())
        names = [Path(path).stem for path in shown]
        assert sorted(names) == sorted(params.load(built.workspace.params).experiments), "one for each"
    built.dvc("plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "evaluations/jena/history.csv" in page.replace("\\", "/")


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
        assert list(changed) == ["metrics/waves/waves_linear.json"]
        assert changed["metrics/waves/waves_linear.json"]["score"]["diff"] != 0


@pytest.fixture(scope="module")
def copy(built, tmp_path_factory):
    """In which one file after the other is edited."""
    root = tmp_path_factory.mktemp("edited") / "copy"
    shutil.copytree(built.root, root, symlinks=True)
    return type(built)(root)


@pytest.fixture
def edited(copy):
    """The copy as it was; files are put back."""
    places = [copy.root / path for path in (*NOTHING, *EDITS)]
    before = {path: path.read_bytes() for path in places}
    yield copy
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


def users(miniature, uses):
    """The trainings of some experiments, and what reads them."""
    found = params.load(miniature.workspace.params).experiments.items()
    names = {(name, one.dataset) for name, one in found if uses(one)}
    return {f"train@{name}" for name, _ in names} | {f"evaluate@{dataset}" for _, dataset in names} | {"report"}


def everybody(miniature):
    return {name for name in users(miniature, lambda _: True) if not name.startswith("train@")}


CHANGES = {
    "its data set's": (
        lambda data: data["datasets"]["waves"].update(seeds=2, training={"method": "by_hand", "patience": 1}),
        {"train@waves_node", "evaluate@waves", "report"},
    ),
    "a template's": (
        lambda data: data["templates"]["series"]["preparation"].update(lookback=12),
        {"prepare@jena", "train@jena_last_value", "train@jena_gru", "evaluate@jena", "report"},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_option_reruns_what_it_reaches(edited, name):
    change, rerun = CHANGES[name]
    edited.change(change)
    assert due(edited) == rerun


EDITS = {
    "pipeline/models/recurrent.py": lambda made: users(made, lambda one: one.model.family == "recurrent"),
    "pipeline/metrics/mae.py": lambda made: (
        users(made, lambda one: one.training.options.get("loss") == "mae") | everybody(made)
    ),
    "pipeline/data/preparations/waves.py": lambda made: (
        users(made, lambda one: one.dataset == "waves") | {"prepare@waves"}
    ),
    "pipeline/report/page.css": lambda _: {"report"},
}

NOTHING = ("unroll/commands/main.py", "claims.yaml", "params.yaml")


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_reruns_what_uses_it_and_nothing_else(edited, path):
    with (edited.root / path).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert due(edited) == EDITS[path](edited)


def test_what_no_stage_reads_reruns_nothing(edited):
    (edited.root / "unroll/commands/main.py").write_text("# another command\n", encoding="utf-8")
    with edited.workspace.params.open("a", encoding="utf-8") as file:
        file.write("# a comment\n")
    for folder in ("data/prepared/waves", "runs/waves", "runs/waves/waves_linear", "evaluations/waves", "metrics"):
        (edited.root / folder / ".EaZqxlTMTQZ5b8J-qDRc_A.tmp").touch()  # of a killed process
    assert due(edited) == set()
    (edited.root / "claims.yaml").write_text("[]\n", encoding="utf-8")
    assert due(edited) == {"report"}


@pytest.fixture(scope="module")
def rebuilt(built, tmp_path_factory):
    """A build once an experiment was removed, a source cannot be reached and a file was added; what it says; a row."""
    root = tmp_path_factory.mktemp("rebuilt") / "copy"
    shutil.copytree(built.root, root, symlinks=True)
    changed = type(built)(root)
    file = root / "meter.csv"
    rows = [f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00,{hour % 24}" for hour in range(480)]
    file.write_text("\n".join(["time,load", *rows[:-1]]) + "\n", encoding="utf-8")
    changed.unroll("add", "meter.csv", "--yes", "--horizon", "2", "--lookback", "4")
    far = {"kind": "download", "files": {"far.csv": "0" * 64}}
    changed.change(lambda data: data["sources"].update(jena=far))
    changed.change(lambda data: data["experiments"].pop("waves_linear"))
    (root / "claims.yaml").write_text("[]")
    for path in ("metrics/jena/jena_gru.json", "report/index.html", "evaluations/jena/evaluation.json"):
        (root / path).unlink()
    targets = ("prepare@meter", "prepare@jena", "evaluate@waves")
    return changed, changed.unroll("repro", "--jobs", "2", *targets, status=1), rows[-1]


def test_an_unreachable_source_leaves_everything_else_built_the_page_included(rebuilt):
    changed, output, _ = rebuilt
    assert (changed.root / "data/prepared/meter/arrays.npz").exists()
    assert "source@jena  FAILED: " in output
    page = changed.workspace.report.read_text(encoding="utf-8")
    assert "waves_node" in page
    assert "far.csv" in page, "the page says what was not built and why"


def test_a_removed_experiment_leaves_every_table(rebuilt):
    changed, _, _ = rebuilt
    assert not (changed.root / "runs/waves/waves_linear").exists()
    assert [file.name for file in changed.workspace.metrics("waves").iterdir()] == ["waves_node.json"]
    assert set(changed.json("evaluations/waves/evaluation.json")["experiments"]) == {"waves_node"}
    evaluation = [f"evaluations/waves/{name}.csv" for name in ("history", "tables/predictions")]
    for path in (*evaluation, "report/index.html", "dvc.lock"):
        assert "waves_linear" not in (changed.root / path).read_text(encoding="utf-8"), path
    assert not {"train@waves_node", "evaluate@waves"} & due(changed)


def test_an_edit_of_a_file_of_ones_own_reruns_what_it_reaches(rebuilt):
    changed, _, row = rebuilt
    assert not {"file@meter", "prepare@meter"} & due(changed)
    with (changed.root / "meter.csv").open("a", encoding="utf-8") as text:
        text.write(f"{row}\n")
    assert {"file@meter", "prepare@meter", "train@meter_gru", "evaluate@meter"} <= due(changed)
