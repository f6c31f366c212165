import re

import numpy as np
import pytest

from pipeline.evaluation import answers
from pipeline.evaluation.schema import Evaluation


def test_holm_keeps_false_finds_of_a_table_below_one_in_twenty():
    assert answers.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    found = np.mean([min(answers.holm(np.random.default_rng(seed).uniform(size=6))) < 0.05 for seed in range(1000)])
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
    difference = {"mean": -0.2, "mean_ci": (-0.3, -0.1), "mean_ci_90": (-0.3, -0.1), "p_value": 0.001}
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
            r"no network is better \(cannot tell of gru: 5 weeks of test rows rank nothing\)",
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


def test_where_nothing_is_scored_there_is_no_champion():
    assert answers.champion(evaluated(40, None, None)) is None
