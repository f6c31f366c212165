from stages.evaluate import evaluate
from stages.train import train, trial
from tests.support import content


def test_a_trial_leaves_the_run_and_its_records_alone(miniature):
    def all_else():
        return {name: data for name, data in content(miniature.root).items() if not name.startswith(".unroll/")}

    before = all_else()
    folder = trial(miniature.workspace, "waves_node", epochs=1, seeds=[8])
    assert folder == miniature.workspace.trial("waves_node")
    facts = miniature.json(".unroll/trials/waves_node/run.json")
    assert (facts["seeds"], facts["epochs"]) == ([8], 1)
    assert all_else() == before


def test_only_a_model_that_asks_for_the_calendar_is_told_it(miniature):
    model, training = {"family": "baselines", "name": "linear", "last": 2}, {"method": "least_squares", "ridge": 1.0}
    section = {"dataset": "jena", "model": model, "training": training}
    sections = {"jena_ridge": section, "jena_ridge_calendar": section | {"calendar": True}}
    miniature.change(lambda data: data["experiments"].update(sections))
    for name, parameters in (("jena_ridge", 2 * 14 + 1), ("jena_ridge_calendar", 2 * 14 + 8 + 1)):
        train(miniature.workspace, name)
        assert miniature.json(f"runs/jena/{name}/run.json")["parameters"] == parameters
    assert evaluate(miniature.workspace, "jena").dataset.input_shape == [4, 14]
