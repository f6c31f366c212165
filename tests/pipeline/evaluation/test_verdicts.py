import math

import numpy as np
import pytest
from scipy import stats

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.evaluation import verdict_rule, verdicts
from pipeline.evaluation.schema import Evaluation, Stat
from pipeline.evaluation.verdict_rule import Word
from pipeline.evaluation.verdicts import Note


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
        "layers": [],
        "varies": True,
        "epochs": 9,
        "loss": "mae",
        "seeds": [0, 1, 2],
        "fingerprint": "",
        "best_epoch": None,
        "best": None,
        "groups": {},
        "rollout": None,
        "final": {},
    }
    gru = entry | {"kind": "recurrent"}
    dense = entry | {"kind": "network"}
    for one, mean, on_test in ((gru, network, 0.3), (dense, opponent, 0.5)):
        if mean:
            test = {"mae": stat(on_test, on_test)}
            one["final"] = {"validation": {"mae": stat(mean)}, "test": test}
    about = {
        "name": "d",
        "kind": "forecast",
        "metric": "mae",
        "scale": {},
        "stand_in": False,
        "floors": {},
        "examples": {"validation": 9, "test": 9},
        "input_shape": [4, 1],
        "layout": "windows",
        "days": days,
        "facts": {},
    }
    rows = {"test": {"gru": {"dense": 0.01}} if network and opponent else {}}
    return Evaluation.model_validate(
        {
            "dataset": about,
            "experiments": {"gru": gru | changes, "dense": dense},
            "blocks": {"test": 40},
            "rows": rows,
        }
    )


WORSE = {"validation": {"mae": stat(0.3)}, "test": {"mae": stat(0.6, 0.8)}}


@pytest.mark.parametrize(
    ("evaluation", "compared", "words", "notes"),
    [
        (evaluated(280, 0.3, 0.5), ["gru", "dense"], {Word.HELPS}, []),
        (evaluated(35, 0.3, 0.5), ["gru", "dense"], {Word.HELPS}, [Note.TOO_SHORT]),
        (
            evaluated(280, 0.3, 0.5, final=WORSE),
            ["gru", "dense"],
            {Word.HURTS, Word.OPEN},
            [],
        ),
        (evaluated(280, None, 0.5), ["dense"], {Word.NOT_ASKED}, []),
        (evaluated(280, 0.3, None), ["gru"], {Word.NOT_ASKED}, []),
        (evaluated(280, None, None), [], {Word.NOT_ASKED}, []),
    ],
    ids=["helps", "too short", "hurts", "no network", "nothing else", "no score"],
)
def test_the_best_network_is_compared_with_the_strongest_opponent(
    evaluation, compared, words, notes
):
    answer = verdicts.answer(evaluation)
    assert answer.compared == compared
    assert answer.outcome in words
    assert answer.notes == notes


def answered(**entries):
    """The answers of a data set with a GRU, and with others that differ from it as
    said."""
    evaluation = evaluated(280, 0.3, 0.5)
    experiments = {
        name: evaluation.experiments["gru"].model_copy(update=changes)
        for name, changes in entries.items()
    }
    rows = {"test": {key: {"dense": 0.01} for key in ("gru", *entries)}}
    return verdicts.answers(
        evaluation.model_copy(
            update={"experiments": evaluation.experiments | experiments, "rows": rows}
        )
    )


def test_documents_networks_those_on_segments_and_tuned_ones_are_questions_of_their_own():
    (alone,) = answered(part={"share": 0.5})
    assert (alone.networks, alone.network, alone.outcome, alone.notes) == (
        verdicts.Networks.UNTUNED,
        "gru",
        Word.HELPS,
        [Note.UNTUNED],
    )
    tuned, documents, segments = answered(
        tuned={"trials": 12}, patches={"model": "segments"}
    )
    assert (tuned.networks, tuned.network, tuned.notes) == (
        "tuned networks",
        "tuned",
        [Note.ONE_SEARCH],
    )
    assert (segments.networks, segments.network) == ("networks on segments", "patches")
    assert documents == alone, "no answer depends on how many there are"


@pytest.mark.parametrize("score", [0.1, 0.6])
def test_a_model_that_is_told_the_formula_is_no_opponent_and_is_named(score):
    final = {"validation": {"mae": Stat(**stat(score))}}
    changes = {"kind": "statistical", "told": True, "final": final}
    (answer,) = answered(formula=changes)
    assert (answer.opponent, answer.outcome) == ("dense", Word.HELPS)
    assert answer.told == "formula"
    assert Note.NOT_TOLD in answer.notes
    (alone,) = answered()
    assert alone.told is None
    assert Note.NOT_TOLD not in alone.notes


def test_what_a_reader_has_to_know_stands_beside_the_word_and_never_replaces_it():
    worse = {
        "validation": {"mae": Stat(**stat(0.3))},
        "test": {"mae": Stat(**stat(5.0, 5.0))},
    }
    for scores, word in (({}, Word.HELPS), ({"final": worse}, Word.HURTS)):
        (tuned, _) = answered(tuned={"trials": 12, "converged": False} | scores)
        assert (tuned.outcome, tuned.notes) == (
            word,
            [Note.NOT_CONVERGED, Note.ONE_SEARCH],
        )
    short = evaluated(35, 0.3, 0.5)
    made = short.model_copy(
        update={"dataset": short.dataset.model_copy(update={"stand_in": True})}
    )
    answer = verdicts.answer(made)
    assert (answer.outcome, answer.notes) == (
        Word.HELPS,
        [Note.TOO_SHORT, Note.STAND_IN],
    )


def test_where_a_floor_is_known_the_band_is_of_the_error_above_it():
    evaluation = evaluated(280, 0.3, 0.5)
    known = evaluation.model_copy(
        update={"dataset": evaluation.dataset.model_copy(update={"floor": 0.1})}
    )
    expected = verdict_rule.band_above_floor(0.5, 0.1)
    assert verdicts.answer(known).band == pytest.approx(expected, rel=1e-3)
    assert verdicts.answer(evaluation).band == verdict_rule.BAND


def test_two_experiments_are_compared_if_they_are_of_one_data_set(evaluated):
    config = params.load(evaluated.params)
    pair = ("waves/perceptron", "waves/last_value")
    found = verdicts.evaluation_of(evaluated, config, *pair)
    compared = verdicts.compare(found, "perceptron", "last_value")
    assert compared.change == pytest.approx(-0.8617, abs=1e-4)
    with pytest.raises(UsageError, match="waves/node and imdb/rnn belong to two data"):
        verdicts.evaluation_of(evaluated, config, "waves/node", "imdb/rnn")


def searched(errors):
    """A tuned GRU whose searches have these errors on test, and an untuned network."""
    whole = evaluated(280, 0.3, 0.5, trials=12).model_dump()
    first = whole["experiments"]["gru"]
    for number, of_seeds in enumerate(errors, 1):
        final = {"validation": {"mae": stat(0.2)}, "test": {"mae": stat(*of_seeds)}}
        name = "gru" if number == 1 else f"gru_{number}"
        repeats = None if number == 1 else "gru"
        whole["experiments"][name] = first | {"final": final, "repeats": repeats}
        whole["rows"]["test"][name] = {"dense": 0.01 * number}
    return Evaluation.model_validate(whole)


def test_a_search_that_was_lucky_on_validation_does_not_choose():
    whole = searched([[0.3, 0.31], [0.3, 0.31]]).model_dump()
    experiments = whole["experiments"]
    experiments["lstm"] = experiments["gru"]
    for name, score in {"gru": 0.20, "gru_2": 0.30, "lstm": 0.24}.items():
        final = experiments[name]["final"] | {"validation": {"mae": stat(score)}}
        experiments[name] = experiments[name] | {"final": final}
    evaluation = Evaluation.model_validate(whole)
    assert verdicts.strongest(evaluation, ["gru", "lstm"]) == "lstm"


def test_a_search_that_did_not_converge_is_told_of_the_first_one():
    whole = searched([[0.3, 0.31]] * 3).model_dump()
    whole["experiments"]["gru_3"]["converged"] = False
    reply = verdicts.answer(Evaluation.model_validate(whole))
    assert (reply.network, reply.notes) == ("gru", [Note.NOT_CONVERGED])


@pytest.mark.parametrize(
    ("epochs", "notes"), [([9, 9], [Note.NOT_CONVERGED]), ([8, 9], [])]
)
def test_a_network_whose_last_epoch_is_the_best_for_every_seed_may_gain(epochs, notes):
    whole = searched([[0.3, 0.31]] * 3).model_dump()
    gru = whole["experiments"]["gru"]
    gru["best_epoch"] = stat(*map(float, epochs))
    found = Evaluation.model_validate(whole)
    assert verdicts.answer(found).notes == [], "its search says that it converged"
    gru["trials"] = 0
    found = Evaluation.model_validate(whole)
    assert verdicts.cautions(found, "gru", "dense") == [Note.UNTUNED, *notes]


def test_a_tuned_network_stands_for_all_its_searches_and_their_scatter():
    """Seeds of a search agree to .1 %, the five searches differ by up to 10 %."""
    errors = [[mean, 1.001 * mean] for mean in (0.3, 0.33, 0.27, 0.31, 0.29)]
    whole = searched(errors)
    assert verdicts.strongest(whole, ["gru", "gru_2", "gru_3"]) == "gru"
    of_searches = whole.difference("test", "gru", "dense")
    means = [np.mean(of_seeds) for of_seeds in errors]
    assert whole.errors("test", "gru") == pytest.approx(means)
    assert of_searches.rows.variance == pytest.approx(0.03), "the mean of the pairs"
    assert of_searches.seeds.draws == 5
    # by parts: t(4) for each model's searches, t(n - 1) for the rows
    parts = (of_searches.seeds, of_searches.other_seeds, of_searches.rows)
    squares = [
        stats.t.ppf(0.985, part.draws - 1) ** 2 * part.variance
        for part in parts
        if part.variance
    ]
    low, high = of_searches.interval()
    assert (high - low) / 2 == pytest.approx(math.sqrt(sum(squares)))
    assert of_searches.seeds.variance == pytest.approx(
        np.var(np.log(means), ddof=1) / 5
    )
    assert whole.difference("test", "gru_2", "dense").seeds.draws == 2, "it alone"
    tuned = verdicts.answers(whole)[0]
    assert Note.ONE_SEARCH not in tuned.notes
    assert tuned.change == pytest.approx(
        np.exp(np.mean(np.log(means))) / 0.5 - 1, rel=1e-3
    )
    one = verdicts.answers(searched(errors[:1]))[0]
    assert one.searches == {}
    (two, _) = verdicts.answers(searched([[0.3, 0.31], [0.4, 0.42]]))
    assert two.searches == {"gru": {"gru": 0.305, "gru_2": 0.41}}
    assert Note.ONE_SEARCH in one.notes
    assert one.low > tuned.low
    assert one.high < tuned.high
