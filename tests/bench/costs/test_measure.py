import pytest

from bench import process_cost
from bench.costs import cpu_accounts, measure
from bench.repository import REPOSITORY
from pipeline.config import params, plain_yaml
from stages.workspaces import scaled

WAVES = {
    "sources": {"waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {
        "linear": {
            "dataset": "waves",
            "model": {"family": "baselines", "name": "linear"},
            "training": {"method": "least_squares"},
        }
    },
}


def test_a_quick_build_has_each_method_once_and_all_that_it_needs(tmp_path):
    small = measure.one_of_each(scaled.scale(plain_yaml.read(REPOSITORY / "params.yaml")))
    plain_yaml.write(small, tmp_path / "params.yaml")
    methods = [one.training.method for one in params.load(tmp_path / "params.yaml").experiments.values()]
    every = [
        "boosting",
        "by_hand",
        "gradient_descent",
        "least_absolute",
        "least_squares",
        "logistic_regression",
        "none",
    ]
    assert sorted(methods) == every


def test_the_stages_of_a_build_its_imports_and_dvc_are_told_apart(tmp_path):
    workspace = measure.make_workspace(tmp_path / "made", WAVES)
    used = measure.run(workspace, "-m", "stages", "repro", "--jobs", "2")["cpu"]
    found = cpu_accounts.read(workspace.scratch / measure.ACCOUNTS)
    assert set(found) == {"", "source waves", "prepare waves", "train linear", "evaluate waves", "report"}
    assert found["train linear"].phases["train"] > 0
    assert found["train linear"].phases["MLflow"] > 0
    assert found[""].phases["DVC"] > 0
    # The fork server has imported it for all.
    assert found[""].phases["import MLflow"] > found["train linear"].phases.get("import MLflow", 0.0)
    assert all(10 < cost.peak < 2000 for cost in found.values())
    assert 0.5 * used < sum(cpu_accounts.total(found).values()) <= used
    kinds = measure.memory(found, workspace)
    assert kinds["train, least_squares"]["stage"] == "train linear"
    assert kinds.keys() == {"source", "prepare", "train, least_squares", "evaluate", "report"}


def test_a_stage_that_fails_is_told_by_its_own_line(tmp_path):
    workspace = measure.make_workspace(tmp_path / "made", {"sources": {}, "datasets": {}, "experiments": {}})
    with pytest.raises(process_cost.CommandFailedError, match="ended with status 2: unroll: .*nothing"):
        measure.run(workspace, "-m", "stages", "train", "nothing")
