import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation import answers
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Difference, Evaluation, Stat


def test_holm_keeps_false_finds_of_a_table_below_one_in_twenty():
    assert answers.holm([0.01, 0.04, 0.03]) == pytest.approx([0.05 / 3, 0.025, 0.025])
    assert answers.holm([]) == []
    tables = [np.random.default_rng(seed).uniform(size=6) for seed in range(1000)]
    found = np.mean([np.any(table < answers.holm(table)) for table in tables])
    assert found == pytest.approx(0.05, abs=0.02)


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
        (
            evaluated(5, 0.3, 0.5),
            "dense",
            r"no network is better \(cannot tell of gru: test period too short to rank \(5 of 12 weeks\)\)",
        ),
        (evaluated(40, None, 0.5), "dense", "the strongest without recurrence$"),
        (evaluated(40, 0.3, None), "gru", "the only kind here"),
    ],
    ids=["better", "too short", "no network", "nothing else"],
)
def test_a_network_is_champion_only_where_it_is_better(evaluation, champion, why):
    name, said = answers.champion(evaluation)
    assert name == champion
    assert re.search(why, said)


def test_documents_and_tuned_networks_are_asked_about_apart_and_decided_together():
    evaluation = evaluated(40, 0.3, 0.5)
    gru = evaluation.experiments["gru"]
    of_gru = evaluation.differences["test"]["gru"]["dense"]

    def table(**more):
        entries = evaluation.experiments | {name: gru.model_copy(update=changes) for name, (changes, _) in more.items()}
        pairs = {"gru": {"dense": of_gru}} | {
            name: {"dense": of_gru.model_copy(update={"p_value": p_value})} for name, (_, p_value) in more.items()
        }
        whole = evaluation.model_copy(update={"experiments": entries, "differences": {"test": pairs}})
        return answers.front_page({"one": whole})["one"]

    def width(answer):
        return answer.interval[1] - answer.interval[0]

    (alone,) = table(part=({"share": 0.5}, 0.0))
    assert (alone.networks, alone.network, alone.outcome) == (answers.Networks.DOCUMENTS, "gru", Outcome.YES)
    both = table(tuned=({"trials": 12}, 0.9))
    assert [(one.networks, one.network) for one in both] == [
        ("the documents' networks", "gru"),
        ("tuned networks", "tuned"),
    ]
    assert width(both[0]) > width(alone)
    assert both[1].outcome == Outcome.YES, "its interval decides, and is the one that is shown"


@pytest.mark.parametrize(
    ("metric", "error", "mean", "interval", "change"),
    [
        ("mae", 0.5, -0.02, (-0.04, 0.01), (-0.04, (-0.08, 0.02))),
        ("accuracy", 0.9, -0.03, (-0.04, -0.02), (0.3, (0.2, 0.4))),
        ("mae", 0.5, -0.4, (-0.6, -0.2), (-0.8, (-1.0, -0.4))),
        ("mse", 1e-9, 0.1, (0.0, 0.2), None),
        ("mse", 0.0, 0.1, (0.0, 0.2), None),
    ],
    ids=["an error", "of what is wrong", "no error is less than none", "too far", "nothing to divide by"],
)
def test_a_change_is_a_share_of_the_opponents_error(metric, error, mean, interval, change):
    evaluation = evaluated(40, 0.3, 0.5)
    about = evaluation.dataset.model_copy(update={"metric": metric})
    stat = Stat(mean=error, std=None, min=error, max=error, values=[error])
    dense = evaluation.experiments["dense"].model_copy(update={"final": {"test": {metric: stat}}})
    evaluation = evaluation.model_copy(update={"dataset": about, "experiments": {"dense": dense}})
    difference = Difference(mean=mean, error=1.0, freedom=None, p_value=1.0)
    found = answers.change(evaluation, "dense", difference, interval)
    assert (found and (found.mean, found.interval)) == (change and (pytest.approx(change[0]), pytest.approx(change[1])))


@given(thousandths=st.lists(st.integers(0, 100), min_size=1, max_size=8))
def test_a_p_value_is_below_its_level_where_holms_adjusted_one_is_below_alpha(thousandths):
    p_values = np.array(thousandths) / 1000
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    assert (p_values < answers.holm(p_values)).tolist() == (adjusted < answers.ALPHA).tolist()


def test_where_nothing_is_scored_there_is_no_champion():
    assert answers.champion(evaluated(40, None, None)) is None
