"""What DVC builds again after which change, on the miniature."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.config import params
from pipeline.provenance import record
from pipeline.provenance.fingerprint import sources
from stages.repro import dvc_graph

EXEMPT = {
    "source": {
        "pipeline/data/download.py": "what it brings is checked by hash or structure",
        "pipeline/data/sources/download.py": "likewise; other kinds take types from it",
        "pipeline/data/sources/jena.py": "fetches and unpacks for jena_hourly, and changes no byte",
        "pipeline/data/sources/jena_2009_2010.py": "a stand-in takes its name and its rows from it",
        "pipeline/data/sources/jena_hourly.py": "its rule is used by a stand-in, which no result comes from",
        "pipeline/data/examples.py": "only the type of an array",
    },
    "train": {"pipeline/models/baselines.py": "a training method tells baselines from networks by it"},
}
"""Stage -> the modules that its command imports and that it does not depend on, besides `fingerprint.EXEMPT`."""


@pytest.fixture(scope="module")
def stages(built):
    with Repo(str(built.root)) as repo:
        return {stage.name: stage for stage in repo.index.stages}


def code(stage):
    """What a stage depends on of the project's code, folders as the files in them."""
    found = set()
    for path in (dep.def_path for dep in stage.deps):
        if path.startswith(("pipeline/", "stages/")):
            whole = stage.repo.fs.isdir(dep := stage.repo.fs.join(stage.repo.root_dir, path))
            files = [file for file in stage.repo.fs.find(dep) if file.endswith(".py")] if whole else [dep]
            found |= {stage.repo.fs.relpath(file, stage.repo.root_dir) for file in files}
    return {file for file in found if not file.endswith("__init__.py")}


def imported(name, wanted):
    """The files that a stage's command consists of, by its import statements and the names in params.yaml."""
    verb, _, key = name.partition("@")
    modules = [f"stages.{verb}"]
    if verb == "source":
        modules.append(f"pipeline.data.sources.{wanted.sources[key].kind}")
    if verb == "prepare":
        modules.append(f"pipeline.data.preparations.{wanted.datasets[key].preparation.name}")
    if verb == "train":
        experiment = wanted.experiments[key]
        modules.append(f"pipeline.models.{experiment.model.family}")
        modules.append(f"pipeline.training.methods.{experiment.training.method}")
    return {f"{module.replace('.', '/')}.py" for module in sources(modules)}


def test_every_stage_depends_on_the_code_that_it_imports(built, stages):
    wanted = params.load(built.workspace.params)
    missing = {}
    for name, stage in stages.items():
        exempt = EXEMPT.get(name.partition("@")[0], {}).keys()
        missing[name] = sorted(imported(name, wanted) - code(stage) - exempt)
    assert {name: files for name, files in missing.items() if files} == {}, "add to dvc.yaml, or exempt with a reason"


def test_no_stage_depends_on_code_that_no_stage_of_its_kind_imports(built, stages):
    wanted = params.load(built.workspace.params)
    for verb in ("source", "prepare", "train", "evaluate", "report"):
        names = [name for name in stages if name.partition("@")[0] == verb]
        used = set().union(*(imported(name, wanted) for name in names))
        assert set().union(*(code(stages[name]) for name in names)) - used == set(), verb


def test_every_run_has_a_record_of_all_that_it_was_made_of(built):
    for name, experiment in params.load(built.workspace.params).experiments.items():
        found = record.read(built.workspace, experiment.dataset, name)
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
    head, *rows = built.dvc("metrics", "show").splitlines()
    assert head.split() == ["Path", "high", "low", "score"]
    names = [Path(row.split()[0]).stem for row in rows]
    assert sorted(names) == sorted(params.load(built.workspace.params).experiments), "a line for each"
    built.dvc("plots", "show", "--out", str(tmp_path))
    shown = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "evaluations/jena/history.csv" in shown.replace("\\", "/")


def due(miniature):
    return set(dvc_graph.read(miniature.root).due())


def test_what_killed_processes_left_beside_outputs_changes_nothing(miniature):
    for folder in ("data/prepared/waves", "runs/waves", "runs/waves/waves_linear", "evaluations/waves", "metrics"):
        (miniature.root / folder / ".EaZqxlTMTQZ5b8J-qDRc_A.tmp").touch()
    assert due(miniature) == set()


def test_more_epochs_of_one_experiment_rerun_its_train_its_evaluate_and_the_report(miniature):
    miniature.change(lambda data: data["experiments"]["waves_node"]["training"].update(epochs=3))
    output = miniature.dvc("repro")
    ran = {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}
    assert ran == {"train@waves_node", "evaluate@waves", "report"}


@pytest.mark.parametrize(
    ("change", "rerun"),
    [
        (
            lambda data: data["experiments"]["jena_gru"].update(seeds=2),
            {"train@jena_gru", "evaluate@jena", "report"},
        ),
        (
            lambda data: data["datasets"]["waves"].update(seeds=2),
            {"train@waves_linear", "train@waves_node", "evaluate@waves", "report"},
        ),
        (
            lambda data: data["datasets"]["jena"]["preparation"].update(lookback=12),
            {"prepare@jena", "train@jena_last_value", "train@jena_gru", "evaluate@jena", "report"},
        ),
    ],
    ids=["its seeds", "its data set's seeds", "its data set"],
)
def test_a_change_of_params_reruns_what_it_reaches(miniature, change, rerun):
    miniature.change(change)
    assert due(miniature) == rerun


def test_another_published_figure_reruns_only_the_report(miniature):
    claims = miniature.root / "claims.yaml"
    claims.write_text(claims.read_text(encoding="utf-8").replace("0.02", "0.03"), encoding="utf-8")
    assert due(miniature) == {"report"}


def test_an_edit_of_the_recurrent_models_retrains_only_recurrent_experiments(miniature):
    with (miniature.root / "pipeline/models/recurrent.py").open("a", encoding="utf-8") as file:
        file.write("\n# an edit\n")
    rerun = due(miniature)
    assert {stage for stage in rerun if stage.startswith("train@")} == {
        "train@waves_node",
        "train@jena_gru",
        "train@imdb_rnn",
    }
    assert not {stage for stage in rerun if stage.startswith(("source@", "prepare@"))}


def test_an_unreachable_source_leaves_everything_else_built_the_page_included(miniature):
    far = {"kind": "download", "files": {"far.csv": "0" * 64}}
    miniature.change(lambda data: data["sources"].update(jena=far))
    for path in ("metrics/jena/jena_gru.json", "metrics/waves/waves_node.json", "report/index.html"):
        (miniature.root / path).unlink()
    (miniature.root / "evaluations/jena/evaluation.json").unlink()
    output = miniature.unroll("repro", "--jobs", "2", status=1)
    assert (miniature.root / "metrics/waves/waves_node.json").exists()
    assert "source@jena  FAILED: " in output
    assert "far.csv" in output
    page = miniature.workspace.report.read_text(encoding="utf-8")
    assert "waves_node" in page
    assert "far.csv" in page, "the page says what was not built and why"


def test_a_removed_experiment_leaves_every_table(miniature):
    miniature.change(lambda data: data["experiments"].pop("waves_linear"))
    (miniature.root / "claims.yaml").write_text("[]")
    miniature.unroll("repro", "--jobs", "2")
    assert not (miniature.root / "runs/waves/waves_linear").exists()
    assert [file.name for file in miniature.workspace.metrics("waves").iterdir()] == ["waves_node.json"]
    assert set(miniature.json("evaluations/waves/evaluation.json")["experiments"]) == {"waves_node"}
    evaluation = [f"evaluations/waves/{name}.csv" for name in ("history", "tables/predictions")]
    for path in (*evaluation, "report/index.html", "dvc.lock"):
        assert "waves_linear" not in (miniature.root / path).read_text(encoding="utf-8"), path
    assert due(miniature) == set()


def test_an_edit_of_a_file_of_ones_own_reruns_what_it_reaches(miniature):
    file = miniature.root / "meter.csv"
    rows = [f"2020-01-{1 + hour // 24:02d} {hour % 24:02d}:00,{hour % 24}" for hour in range(480)]
    file.write_text("\n".join(["time,load", *rows[:-1]]) + "\n", encoding="utf-8")
    miniature.unroll("add", "meter.csv", "--yes", "--horizon", "2", "--lookback", "4")
    miniature.unroll("repro", "prepare@meter")
    assert not {"file@meter", "prepare@meter"} & due(miniature)
    with file.open("a", encoding="utf-8") as text:
        text.write(f"{rows[-1]}\n")
    assert {"file@meter", "prepare@meter", "train@meter_gru", "evaluate@meter"} <= due(miniature)
