"""What DVC builds again after which change, on the miniature."""

import pytest

from pipeline.config import params
from pipeline.provenance import record
from pipeline.workspace import Workspace
from stages.repro import dvc_graph

EXPERIMENTS = {
    "sine_dense",
    "waves_linear",
    "waves_node",
    "jena_last_value",
    "jena_gru",
    "imdb_bag_of_words",
    "imdb_rnn",
}

EXEMPT = {
    "pipeline/errors.py": "the words of an error change no result",
    "pipeline/config/params.py": "reads and checks; the values themselves are DVC's params",
    "pipeline/provenance/record.py": "records where a run was made, in no output",
    "pipeline/config/registry.py": "looks names up",
    "pipeline/tracking": "MLflow is a view of what was built",
    "__init__.py": "a package's own file; what `sources` has in it is handed over, not computed",
}
"""Modules of `pipeline` that a stage imports and does not depend on."""

EXEMPT_IN = {
    "source": {
        "pipeline/data/transfer.py": "what it brings is checked by hash or structure",
        "pipeline/data/sources/download.py": "fetches for other kinds; what they make of it is in their own module",
        "pipeline/data/sources/jena.py": "fetches and unpacks for other kinds, and changes no byte",
        "pipeline/data/sources/jena_hourly.py": "its rule is used by a stand-in, which no result comes from",
        "pipeline/data/examples.py": "only the type of an array",
    },
    "evaluate": {"pipeline/provenance/fingerprint.py": "only for MLflow's tags"},
    "train": {
        "pipeline/models/baselines.py": "a training method tells baselines from networks by it",
    },
}
"""The same, for one kind of stage."""


@pytest.fixture(scope="module")
def declared(built):
    """Stage -> the code that it depends on."""
    from dvc.repo import Repo

    code = ("pipeline/", "stages/")
    with Repo(str(built.root)) as repo:
        return {
            stage.name: {dep.def_path for dep in stage.deps if dep.def_path.startswith(code)}
            for stage in repo.index.stages
        }


@pytest.fixture(scope="module")
def imported(built):
    """Stage -> the files of `pipeline` that its command really imported."""
    found = {}
    for file in (built.root / "imported").iterdir():
        names = [name for name in built.json(f"imported/{file.name}") if name.startswith("pipeline")]
        modules = [built.root / name.replace(".", "/") for name in names]
        found[file.stem] = {
            str((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).relative_to(built.root))
            for path in modules
        }
    return found


def covered(file, paths):
    return any(file == path or file.startswith(f"{path}/") or file.endswith(f"/{path}") for path in paths)


def test_every_stage_depends_on_the_code_that_it_imports(declared, imported):
    assert imported.keys() == declared.keys()
    missing = {}
    for stage, files in imported.items():
        known = [*declared[stage], *EXEMPT, *EXEMPT_IN.get(stage.partition("@")[0], ())]
        unknown = {file for file in files if not covered(file, known)}
        if unknown:
            missing[stage] = sorted(unknown)
    assert missing == {}, "add these to the deps of dvc.yaml, or to EXEMPT with the reason"


def test_no_stage_depends_on_code_that_no_stage_of_its_kind_imports(declared, imported):
    for kind in ("source", "prepare", "train", "evaluate", "report"):
        stages = [stage for stage in declared if stage.partition("@")[0] == kind]
        used = set().union(*(imported[stage] for stage in stages))
        idle = {
            path
            for stage in stages
            for path in declared[stage]
            if path.startswith("pipeline/") and not any(covered(file, {path}) for file in used)
        }
        assert idle == set(), f"no {kind} stage imports these"


def test_every_stage_depends_on_its_own_script(declared):
    for stage, paths in declared.items():
        assert f"stages/{stage.partition('@')[0]}.py" in paths


def test_every_run_has_a_record_of_all_that_it_was_made_of(built):
    workspace = Workspace(built.root)
    for name, experiment in params.load(workspace.params).experiments.items():
        record = record.read(workspace, experiment.dataset, name)
        assert record.params == experiment.model_dump()
        assert f"pipeline.models.{experiment.model.family}" in record.modules
        assert "arrays.npz" in record.files
        assert "numpy" in record.packages


def test_every_experiment_has_figures(built):
    scored = {}
    for file in (built.root / "metrics").glob("*.json"):
        scored |= built.json(f"metrics/{file.name}")
    assert scored.keys() == EXPERIMENTS
    page = (built.root / "report/index.html").read_text(encoding="utf-8")
    assert all(name in page for name in EXPERIMENTS)


def test_dvc_shows_metrics_and_plots(miniature):
    assert "jena_gru" in miniature.dvc("metrics", "show")
    miniature.dvc("plots", "show", "--out", "dvc_plots")
    shown = (miniature.root / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    assert "evaluations/jena/history.csv" in shown.replace("\\", "/")


def test_a_second_repro_runs_nothing_whatever_killed_processes_left_beside_outputs(miniature):
    for folder in ("data/prepared/waves", "runs/waves", "runs/waves/waves_linear", "evaluations/waves", "metrics"):
        (miniature.root / folder / ".EaZqxlTMTQZ5b8J-qDRc_A.tmp").touch()
    assert miniature.repro() == set()


def test_more_epochs_of_one_experiment_rerun_its_train_its_evaluate_and_the_report(miniature):
    miniature.change(lambda data: data["experiments"]["waves_node"]["training"].update(epochs=3))
    assert miniature.repro() == {"train@waves_node", "evaluate@waves", "report"}


def test_other_seeds_of_one_experiment_rerun_the_same_of_its_own(miniature):
    miniature.change(lambda data: data["experiments"]["jena_gru"].update(seeds=[0, 1]))
    assert set(dvc_graph.read(miniature.root).due()) == {"train@jena_gru", "evaluate@jena", "report"}


def test_another_published_figure_reruns_only_the_report(miniature):
    claims = miniature.root / "claims.yaml"
    claims.write_text(claims.read_text(encoding="utf-8").replace("0.02", "0.03"), encoding="utf-8")
    assert miniature.repro() == {"report"}


def test_an_edit_of_the_recurrent_models_retrains_only_recurrent_experiments(miniature):
    with (miniature.root / "pipeline/models/recurrent.py").open("a", encoding="utf-8") as file:
        file.write("\n# an edit\n")
    due = dvc_graph.read(miniature.root).due()
    trains = {stage for stage in due if stage.startswith("train@")}
    assert trains == {"train@waves_node", "train@jena_gru", "train@imdb_rnn"}
    assert not {stage for stage in due if stage.startswith(("source@", "prepare@"))}


def test_an_unreachable_source_leaves_everything_else_built_the_page_included(miniature):
    file = {"url": None, "bytes": 1, "sha256": "0" * 64}
    miniature.change(lambda data: data["sources"].update(jena={"kind": "download", "files": {"far.csv": file}}))
    for path in ("metrics/jena.json", "metrics/waves.json", "report/index.html", "evaluations/jena/evaluation.json"):
        (miniature.root / path).unlink()
    output = miniature.unroll("repro", "--jobs", "2", status=255)
    assert (miniature.root / "metrics/waves.json").exists()
    assert "source@jena  FAILED: " in output
    assert "far.csv" in output
    page = (miniature.root / "report/index.html").read_text(encoding="utf-8")
    assert "waves_node" in page
    assert "far.csv" in page, "the page says what was not built and why"


def test_a_removed_experiment_leaves_every_table(miniature):
    miniature.change(lambda data: data["experiments"].pop("waves_linear"))
    (miniature.root / "claims.yaml").write_text("[]")
    miniature.unroll("repro", "--jobs", "2")
    assert not (miniature.root / "runs/waves/waves_linear").exists()
    assert set(miniature.json("metrics/waves.json")) == {"waves_node"}
    assert set(miniature.json("evaluations/waves/evaluation.json")["experiments"]) == {"waves_node"}
    for path in ("evaluations/waves/history.csv", "evaluations/waves/predictions.csv", "report/index.html", "dvc.lock"):
        assert "waves_linear" not in (miniature.root / path).read_text(encoding="utf-8"), path
    assert "waves_linear" not in miniature.dvc("metrics", "show")
    assert miniature.repro() == set()
