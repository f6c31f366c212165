import re

import numpy as np
import pytest

from pipeline.evaluation import answers
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Evaluation, Stat
from pipeline.evaluation.scores import blocks
from pipeline.evaluation.verdicts import decide
from pipeline.metrics import losses
from tests.pipeline.evaluation import scored
from tests.pipeline.evaluation.scored import of, small


def stat(*values):
    return {
        "mean": float(np.mean(values)),
        "std": None,
        "min": min(values),
        "max": max(values),
        "values": [*values],
    }


def evaluated(days, network, opponent, **changes):
    """A dense and a recurrent network with these scores on validation; on test the
    latter has 0.3, the other 0.5."""
    entry = {
        "parameters": 1,
        "baseline": False,
        "varies": True,
        "epochs": 9,
        "loss": "mae",
        "seeds": [0, 1, 2],
    }
    entry |= {
        "fingerprint": "",
        "best_epoch": None,
        "best": None,
        "groups": {},
        "rollout": None,
    }
    experiments = {}
    for name, kind, mean, on_test in (
        ("gru", "GRU", network, 0.3),
        ("dense", "Dense", opponent, 0.5),
    ):
        layer = {"name": "x_1", "type": kind, "output": [None, 1], "parameters": 1}
        final = (
            {"validation": {"mae": stat(mean)}, "test": {"mae": stat(on_test, on_test)}}
            if mean
            else {}
        )
        experiments[name] = entry | {"layers": [layer], "final": final}
    experiments["gru"] |= changes
    about = {
        "name": "d",
        "kind": "forecast",
        "metric": "mae",
        "scale": {},
        "stand_in": False,
        "floors": {},
    }
    about |= {
        "examples": {"validation": 9, "test": 9},
        "input_shape": [4, 1],
        "layout": "windows",
    }
    rows = {"test": {"gru": {"dense": 0.01}} if network and opponent else {}}
    whole = {"dataset": about | {"days": days, "facts": {}}, "experiments": experiments}
    return Evaluation.model_validate(whole | {"blocks": {"test": 40}, "rows": rows})


WORSE = {"validation": {"mae": stat(0.3)}, "test": {"mae": stat(0.6, 0.8)}}


@pytest.mark.parametrize(
    ("evaluation", "champion", "why"),
    [
        (
            evaluated(280, 0.3, 0.5),
            "gru",
            "better than dense, the strongest without recurrence",
        ),
        (
            evaluated(35, 0.3, 0.5),
            "dense",
            r"no network is better \(of gru: too short, .* 35 days, less than 84",
        ),
        (
            evaluated(280, 0.3, 0.5, final=WORSE),
            "dense",
            r"no network is better \(of gru: (is worse|cannot tell,)",
        ),
        (evaluated(280, None, 0.5), "dense", "the strongest without recurrence$"),
        (evaluated(280, 0.3, None), "gru", "the only kind here"),
    ],
    ids=["better", "too short", "worse or unsure", "no network", "nothing else"],
)
def test_a_network_is_champion_only_where_it_is_better(evaluation, champion, why):
    name, reason = answers.champion(evaluation)
    assert name == champion
    assert re.search(why, reason)
    assert answers.champion(evaluated(280, None, None)) is None, "nothing is scored"


def front_page(**entries):
    """The answers of a data set with a GRU, and with others that differ from it as
    said."""
    evaluation = evaluated(280, 0.3, 0.5)
    experiments = {
        name: evaluation.experiments["gru"].model_copy(update=changes)
        for name, changes in entries.items()
    }
    rows = {"test": {key: {"dense": 0.01} for key in ("gru", *entries)}}
    whole = evaluation.model_copy(
        update={"experiments": evaluation.experiments | experiments, "rows": rows}
    )
    return answers.front_page({"d": whole})["d"]


def test_documents_networks_those_on_segments_and_tuned_ones_are_questions_decided_together():
    (alone,) = front_page(part={"share": 0.5})
    assert (alone.networks, alone.network, alone.outcome) == (
        answers.Networks.UNTUNED,
        "gru",
        Outcome.YES,
    )
    documents, segments, tuned = front_page(
        tuned={"trials": 12}, patches={"model": "segments"}
    )
    assert (documents.networks, documents.network) == ("untuned networks", "gru")
    assert (segments.networks, segments.network) == ("networks on segments", "patches")
    assert (tuned.networks, tuned.network) == ("tuned networks", "tuned")
    assert np.ptp(documents.interval) > np.ptp(alone.interval)
    assert documents.level > alone.level == 0.95


def test_a_network_that_had_not_converged_wins_but_does_not_lose():
    documents, tuned = front_page(tuned={"trials": 12, "converged": False})
    assert documents.outcome == tuned.outcome == Outcome.YES
    worse = {
        "validation": {"mae": Stat(**stat(0.3))},
        "test": {"mae": Stat(**stat(5.0, 5.0))},
    }
    _, tuned = front_page(tuned={"trials": 12, "converged": False, "final": worse})
    assert (tuned.outcome, tuned.reason) == (
        Outcome.UNSURE,
        "tuned had not converged after 9 epochs",
    )


def test_the_naive_error_is_that_of_the_best_model_without_a_fit():
    assert answers.naive_error(evaluated(280, 0.3, 0.5)) is None
    assert answers.naive_error(evaluated(280, 0.3, 0.5, method="none")) == 0.3


def test_predictions_of_any_origin_get_the_verdict_that_an_experiment_gets():
    truth = np.arange(40.0) % 2
    rng = np.random.default_rng(0)
    predictions = {
        "ours": truth + 0.3 * rng.normal(size=(3, 40)),
        "other": truth + 0.9 * rng.normal(size=(3, 40)),
    }
    runs = {
        name: of({"final_train": values, "final_test": values})
        for name, values in predictions.items()
    }
    dataset = small(targets=truth, kind="regress")
    of_rows = [losses(dataset.metric, values, truth) for values in predictions.values()]
    (comparison,) = decide(
        [answers.pair(dataset.metric, *of_rows, blocks(dataset, "test"))]
    )
    expected = answers.against(scored.evaluated(dataset, runs), "other")["ours"]
    assert comparison.interval == pytest.approx(expected.interval)
    assert comparison.outcome == expected.outcome == Outcome.BETTER
    assert comparison.change.mean == pytest.approx(expected.change.mean)
