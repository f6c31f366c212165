import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation import answers
from pipeline.evaluation.intervals import Difference
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Evaluation
from pipeline.evaluation.scores import blocks, evaluate
from pipeline.metrics import losses
from tests.pipeline.evaluation.scored import of, params_of, small


def evaluated(weeks, network, opponent):
    """A dense and a recurrent network with these scores on validation; the latter errs less on test."""
    stat = {"std": None, "min": 0.0, "max": 1.0, "values": [0.5]}
    layer = {"name": "x_1", "output": [None, 1], "parameters": 1}
    entry = {"parameters": 1, "baseline": False, "varies": True, "epochs": 1, "loss": "mae", "seeds": [0]}
    entry |= {"fingerprint": "", "best_epoch": None, "best": None, "groups": {}, "rollout": None}
    experiments = {
        name: entry
        | {"layers": [layer | {"type": kind}], "final": {"validation": {"mae": stat | {"mean": mean}}} if mean else {}}
        for name, kind, mean in (("gru", "GRU", network), ("dense", "Dense", opponent))
    }
    difference = {"mean": -0.2, "error": 0.05, "freedom": None, "p_value": 0.001}
    about = {"name": "d", "kind": "forecast", "metric": "mae", "scale": {}, "stand_in": False, "floors": {}}
    about |= {"examples": {"validation": 9, "test": 9}, "input_shape": [4, 1], "layout": "windows"}
    about |= {"weeks": weeks, "facts": {}}
    differences = {"test": {"gru": {"dense": difference}}} if weeks >= 12 else {}
    return Evaluation.model_validate({"dataset": about, "experiments": experiments, "differences": differences})


@pytest.mark.parametrize(
    ("evaluation", "champion", "why"),
    [
        (evaluated(40, 0.3, 0.5), "gru", "better than dense, the strongest without recurrence"),
        (evaluated(5, 0.3, 0.5), "dense", r"no network is better \(cannot tell of gru: .*\(5 of 12 weeks\)\)"),
        (evaluated(40, None, 0.5), "dense", "the strongest without recurrence$"),
        (evaluated(40, 0.3, None), "gru", "the only kind here"),
    ],
    ids=["better", "too short", "no network", "nothing else"],
)
def test_a_network_is_champion_only_where_it_is_better(evaluation, champion, why):
    name, reason = answers.champion(evaluation)
    assert name == champion
    assert re.search(why, reason)
    assert answers.champion(evaluated(40, None, None)) is None, "nothing is scored"


def test_documents_and_tuned_networks_are_two_questions_decided_together():
    evaluation = evaluated(40, 0.3, 0.5)
    gru, difference = evaluation.experiments["gru"], evaluation.differences["test"]["gru"]["dense"]

    def front_page(name, p_value, **changes):
        entries = evaluation.experiments | {name: gru.model_copy(update=changes)}
        pairs = {"gru": {"dense": difference}, name: {"dense": difference.model_copy(update={"p_value": p_value})}}
        whole = evaluation.model_copy(update={"experiments": entries, "differences": {"test": pairs}})
        return answers.front_page({"d": whole})["d"]

    (alone,) = front_page("part", 0.0, share=0.5)
    assert (alone.networks, alone.network, alone.outcome) == (answers.Networks.DOCUMENTS, "gru", Outcome.YES)
    documents, tuned = front_page("tuned", 0.9, trials=12)
    assert (documents.networks, documents.network) == ("the documents' networks", "gru")
    assert (tuned.networks, tuned.network) == ("tuned networks", "tuned")
    assert np.ptp(documents.comparison.interval) > np.ptp(alone.comparison.interval)
    assert tuned.outcome == Outcome.YES, "its interval decides, and is the one that is shown"


@pytest.mark.parametrize(
    ("metric", "error", "mean", "reach", "change"),
    [
        ("mae", 0.5, -0.02, 0.02, (-0.04, -0.08, 0.0)),
        ("accuracy", 0.9, -0.03, 0.01, (0.3, 0.2, 0.4)),
        ("mae", 0.5, -0.4, 0.2, (-0.8, -1.0, -0.4)),
        ("mse", 1e-9, 0.1, 0.1, None),
        ("mse", 0.0, 0.1, 0.1, None),
    ],
    ids=["an error", "of what is wrong", "no error is less than none", "too far", "nothing to divide by"],
)
def test_a_change_is_a_fraction_of_the_opponents_error(metric, error, mean, reach, change):
    difference = Difference(mean=mean, error=reach / 1.959964, freedom=None, p_value=1.0)
    comparison = answers.decide(metric, difference, error)
    assert comparison.interval == pytest.approx((mean - reach, mean + reach), abs=1e-6)
    computed = comparison.change and (comparison.change.mean, *comparison.change.interval)
    assert computed == (change and pytest.approx(change, abs=1e-6))


def test_predictions_of_any_origin_get_the_verdict_that_an_experiment_gets():
    truth = np.arange(40.0) % 2
    rng = np.random.default_rng(0)
    predictions = {"ours": truth + 0.3 * rng.normal(size=(3, 40)), "other": truth + 0.9 * rng.normal(size=(3, 40))}
    runs = {name: of({"final_train": values, "final_test": values}) for name, values in predictions.items()}
    dataset = small(targets=truth, kind="regress")
    evaluation = evaluate(dataset, runs, {"ours": params_of(), "other": params_of()})
    of_rows = [losses(dataset.metric, values, truth) for values in predictions.values()]
    comparison = answers.compare(dataset.metric, *of_rows, blocks(dataset, "test"))
    expected = answers.against(evaluation, "other")["ours"]
    assert (comparison.difference, comparison.interval) == (expected.difference, expected.interval)
    assert comparison.outcome == expected.outcome == Outcome.BETTER
    assert comparison.change.mean == pytest.approx(expected.change.mean)


@given(thousandths=st.lists(st.integers(0, 100), min_size=1, max_size=8))
def test_a_p_value_is_below_its_level_where_holms_adjusted_one_is_below_alpha(thousandths):
    p_values = np.array(thousandths) / 1000
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    assert (p_values < answers.holm(p_values)).tolist() == (adjusted < answers.ALPHA).tolist()


def test_holm_keeps_false_discoveries_of_a_table_below_one_in_twenty():
    assert answers.holm([0.01, 0.04, 0.03]) == pytest.approx([0.05 / 3, 0.025, 0.025])
    tables = [np.random.default_rng(seed).uniform(size=6) for seed in range(1000)]
    rate = np.mean([np.any(table < answers.holm(table)) for table in tables])
    assert rate == pytest.approx(0.05, abs=0.02)
