from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.evaluation.claims import FAILS, HOLDS, NOT_BUILT, SCALED, STAND_IN, judge, look_up
from pipeline.errors import UsageError
from pipeline.evaluation.scores import evaluate, load_run, statistics
from pipeline.config.params import Claim
from pipeline.workspace import Workspace
from tests.support import fake_runs

ROOT = Path(__file__).parents[2]


def evaluation(values, other=(5.0,), **about):
    entry = {
        "parameters": 51,
        "layers": [
            {"type": "SimpleRNN", "output": [None, 32], "parameters": 2080},
            {"type": "SimpleRNN", "output": [None, 7], "parameters": 1},
        ],
        "final": {"test": {"mse": statistics(values)}},
        "best": None,
    }
    also = {**entry, "final": {"test": {"mse": statistics(other)}}}
    found = {
        "dataset": {"stand_in": False, "unit": "", "examples": {"test": 9}, **about},
        "experiments": {"e": entry, "o": also},
    }
    return {"e": found, "o": found}


def claim(**fields):
    return Claim(**{"document": "000", "words": "w", "experiment": "e", "metric": "final.test.mse", **fields})


@pytest.mark.parametrize(
    ("values", "value", "tolerance", "outcome"),
    [
        ([0.0049], 0.005, 0.0005, HOLDS),
        ([0.0045], 0.005, 0.0005, HOLDS),  # on the edge, whatever the last bit
        ([0.0044], 0.005, 0.0005, FAILS),
        ([0.004, 0.0065], 0.005, 0.0001, HOLDS),  # between the least and the greatest seed
        ([0.006, 0.0065], 0.005, 0.0001, FAILS),
        ([0.004, 0.0061], 0.005, 0.0001, HOLDS),  # the mean is within tolerance too
        ([51.0], 51.0, 0.0, HOLDS),
        ([51.0], 52.0, 0.0, FAILS),
    ],
)
def test_about_holds_within_tolerance_or_inside_the_seeds(values, value, tolerance, outcome):
    assert judge(claim(value=value, tolerance=tolerance), evaluation(values)).outcome == outcome


@pytest.mark.parametrize(
    ("relation", "mean", "outcome"),
    [
        ("below", 3.9, HOLDS),
        ("below", 4.0, HOLDS),
        ("below", 4.1, FAILS),
        ("above", 6.1, HOLDS),
        ("above", 6.0, HOLDS),
        ("above", 5.9, FAILS),
        ("about", 5.9, HOLDS),
        ("about", 6.1, FAILS),
    ],
)
def test_a_comparison_with_another_experiment(relation, mean, outcome):
    verdict = judge(claim(against="o", relation=relation, tolerance=1.0), evaluation([mean]))
    assert verdict.outcome == outcome
    assert verdict.reference == 5.0


def test_below_a_published_value_is_not_met_by_one_lucky_seed():
    assert judge(claim(value=2.0, relation="below"), evaluation([1.0, 9.0])).outcome == FAILS


def test_a_comparison_is_not_met_by_the_range_of_the_seeds():
    assert judge(claim(against="o", tolerance=0.1), evaluation([1.0, 6.0])).outcome == FAILS


@pytest.mark.parametrize(
    ("shape", "outcome"), [([None, 32], HOLDS), ([None, None, 32], FAILS), ([None, 31], FAILS), ([4, 32], FAILS)]
)
def test_shapes(shape, outcome):
    verdict = judge(claim(metric="layers.SimpleRNN.output", value=shape), evaluation([0.0]))
    assert verdict.outcome == outcome
    assert verdict.shape == [None, 32]


def test_without_an_evaluation_a_claim_is_not_built():
    known = evaluation([1.0])
    assert judge(claim(value=1.0, experiment="x"), known).outcome == NOT_BUILT
    assert judge(claim(against="x"), known).outcome == NOT_BUILT


@pytest.mark.parametrize("value", [1.0, 7.0])
def test_stand_in_data_never_give_a_verdict(value):
    assert judge(claim(value=value), evaluation([1.0], stand_in=True)).outcome == STAND_IN
    assert judge(claim(value=value), evaluation([1.0], stand_in=True), scaled=True).outcome == STAND_IN


def test_a_scaled_workspace_never_gives_a_verdict():
    assert judge(claim(value=1.0), evaluation([1.0]), scaled=True).outcome == SCALED


def test_best_means_final_where_no_epoch_was_chosen():
    assert look_up(evaluation([3.0])["e"], "e", "best.test.mse")["mean"] == 3.0


@pytest.mark.parametrize(
    ("path", "value"), [("parameters", 51), ("layers.SimpleRNN.parameters", 2080), ("dataset.examples.test", 9)]
)
def test_paths_to_plain_numbers(path, value):
    assert look_up(evaluation([3.0])["e"], "e", path)["values"] == [value]


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("final.test.accuracy", "e has no metric final.test.accuracy: 'accuracy' is not one of mse"),
        ("final.validation.mse", "'validation' is not one of test"),
        ("layers.LSTM.parameters", "'LSTM' is not one of SimpleRNN"),
        ("final.test", "not a number"),
        ("parameters.test", "nothing"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(path, match):
    with pytest.raises(UsageError, match=match):
        look_up(evaluation([3.0])["e"], "e", path)


def test_a_number_is_not_compared_with_a_shape():
    with pytest.raises(UsageError, match="another kind"):
        judge(claim(value=[None, 32]), evaluation([1.0]))
    with pytest.raises(UsageError, match="another kind"):
        judge(claim(metric="layers.SimpleRNN.output", value=1.0), evaluation([1.0]))


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Every experiment of the repository's params.yaml, evaluated from fake runs."""
    root = tmp_path_factory.mktemp("everything")
    (root / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    workspace = fake_runs.fill(Workspace(root))
    wanted = params.load(workspace.params)
    found = {}
    for name, entry in wanted.datasets.items():
        dataset = fake_runs.dataset(name, entry.preparation.name)
        runs = [
            load_run(workspace.run(name, key), name, key, experiment.seeds, baseline=False)
            for key, experiment in wanted.experiments_of(name).items()
        ]
        scores = evaluate(dataset, runs)
        found |= dict.fromkeys(scores["experiments"], scores)
    return found


CLAIMS = params.load_claims(ROOT / "claims.yaml")


@pytest.mark.parametrize("one", CLAIMS, ids=[f"{c.experiment}-{c.metric}" for c in CLAIMS])
def test_every_claim_of_the_repository_names_an_experiment_and_a_metric_that_it_has(one, everything):
    assert judge(one, everything).outcome in {HOLDS, FAILS}


def test_the_claims_come_from_the_four_documents_and_lie_document_by_document():
    documents = [c.document for c in CLAIMS]
    assert sorted(documents) == documents
    assert set(documents) == {"000", "001", "002", "003"}
