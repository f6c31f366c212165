import json
import shutil

from stages.evaluate import evaluate
from stages.train import train, trial


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_training_by_hand_gives_the_bytes_of_the_one_in_the_build(built, miniature):
    shutil.rmtree(miniature.root / "runs/waves/waves_node")
    folder = train(miniature.workspace, "waves_node")
    assert folder == miniature.workspace.run("waves", "waves_node")
    found = contents(folder)
    whole = {"history.csv", "predictions.npz", "run.json"}
    assert whole | {f"weights/seed_0_{point}.weights.h5" for point in ("best", "final")} == found.keys()
    assert found == contents(built.workspace.run("waves", "waves_node"))
    assert set(json.loads(found["run.json"])["fingerprint"]) == {"params", "data", "code", "lock"}
    assert not miniature.workspace.checkpoint("waves_node").exists()


def test_a_trial_leaves_the_run_and_its_records_alone(miniature):
    def all_else():
        return {name: found for name, found in contents(miniature.root).items() if not name.startswith(".unroll/")}

    before = all_else()
    folder = trial(miniature.workspace, "waves_node", epochs=1, seeds=[8])
    assert folder == miniature.workspace.trial("waves_node")
    facts = miniature.json(".unroll/trials/waves_node/run.json")
    assert (facts["seeds"], facts["epochs"]) == ([8], 1)
    assert all_else() == before


def test_only_a_model_that_asks_for_the_calendar_is_told_it(miniature):
    section = {
        "dataset": "jena",
        "model": {"family": "baselines", "name": "linear", "last": 2},
        "training": {"method": "least_squares", "ridge": 1.0},
    }
    told = section | {"calendar": True}
    miniature.change(lambda data: data["experiments"].update(jena_ridge=section, jena_ridge_calendar=told))
    for name, parameters in (("jena_ridge", 2 * 14 + 1), ("jena_ridge_calendar", 2 * 14 + 8 + 1)):
        train(miniature.workspace, name)
        assert miniature.json(f"runs/jena/{name}/run.json")["parameters"] == parameters
    evaluation = evaluate(miniature.workspace, "jena")
    assert {"jena_ridge", "jena_ridge_calendar"} < set(evaluation.experiments)
    assert evaluation.dataset.input_shape == [4, 14]
