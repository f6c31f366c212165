import pytest

from pipeline.evaluation.verdict_rule import Word
from unroll.series.leaderboard import ENSEMBLE, Board, ModelScores
from unroll.series.pairwise import ModelComparison
from unroll.series.sentence import (
    amount,
    hint,
    interval,
    needed_for_interval,
    sentence,
    span,
    title,
)

TITLES = {"gru": "GRU(32)", "last": "the last value", "ridge": "ridge regression"}

SCORES = ModelScores(
    mae=1.0,
    rmse=1.0,
    bias=None,
    earlier=1.0,
    wql=None,
    coverage=None,
    recurrent=False,
    seeds=1,
    seed_variance=0.0,
    change=None,
    low=None,
    high=None,
)


def compared(change, low=None, high=None, *, ahead=3, blocks=4, more=None):
    return ModelComparison(
        change=change, low=low, high=high, ahead=ahead, blocks=blocks, more=more
    )


def board(comparison=None, champion=ENSEMBLE, best=ENSEMBLE, **changes):
    """A board of a network, a combination and a naive model, which the others beat."""
    names = dict.fromkeys([best, ENSEMBLE, "gru", "last", "ridge"])
    beaten = compared(-0.3, -0.4, -0.2)
    values = {
        "unit": "kW",
        "middle": "2023-07-01 00:00:00",
        "days": 168.0,
        "block_days": 7.0,
        "deviations": {"meter": 2.0},
        "models": dict.fromkeys(names, SCORES),
        "members": ["a", "b", "c", "d", "e", "f"],
        "network": "gru" if comparison else None,
        "opponent": ENSEMBLE,
        "naive": "last",
        "rival": ENSEMBLE,
        "comparison": comparison,
        "with_naive": {"gru": beaten, ENSEMBLE: beaten}
        if comparison
        else {ENSEMBLE: beaten},
        "champion": champion,
    }
    return Board.model_validate(values | changes)


def errors(found, **maes):
    """The board with other errors of some models."""
    models = {
        name: found.models[name].model_copy(
            update={"mae": mae, "recurrent": name in ("gru", "lstm")}
        )
        for name, mae in maes.items()
    }
    return found.model_copy(update={"models": {**found.models, **models}})


CLOSE = {"gru": compared(0.05, 0.01, 0.09), ENSEMBLE: compared(0.01, -0.01, 0.03)}
AHEAD = {ENSEMBLE: compared(-0.03, -0.08, 0.02)}
UNBEATEN = {"comparison": compared(0.04, 0.0, 0.08), "with_naive": CLOSE}
NAIVE = {
    "naives": ["last", "cycle"],
    "models": dict.fromkeys([ENSEMBLE, "last", "cycle"], SCORES),
}
NETWORKS = {"models": dict.fromkeys([ENSEMBLE, "last", "gru", "lstm"], SCORES)}
HURTS = board(compared(0.2, 0.1, 0.3), best="ridge")
BOARDS = {
    "it helps": board(compared(-0.08, -0.11, -0.06), "gru"),
    "it hurts": board(compared(0.2, 0.1, 0.3)),
    "no difference": board(compared(-0.01, -0.03, 0.02)),
    "a sure difference that does not matter": board(compared(-0.02, -0.03, -0.01)),
    "open": board(compared(-0.04, -0.11, 0.03)),
    "more error, perhaps little": board(compared(0.071, 0.011, 0.13)),
    "less error, perhaps little": board(compared(-0.071, -0.13, -0.011)),
    "many times the error": board(compared(7.2, 3.9, 12.6)),
    "1.4 times the rows may decide": board(compared(-0.04, -0.11, 0.03, more=1.4)),
    "twice the rows may decide": board(compared(-0.04, -0.11, 0.03, more=2.0)),
    "twice the rows may not decide": board(compared(-0.04, -0.4, 0.5)),
    "a few weeks, no figure": board(compared(-0.9999, ahead=3), days=28.0),
    "60 days": board(compared(-0.1, ahead=5, blocks=8), days=60.0),
    "five days": board(compared(0.3, ahead=0, blocks=1), days=5.0),
    "ahead in none of four weeks": board(compared(0.1, ahead=0), days=28.0),
    "two years": board(compared(-0.1, ahead=2, blocks=2), days=730.0, block_days=365.0),
    "nothing beats the last value": board(champion="last", **UNBEATEN),
    "the last value is the best": board(champion="last", best="last", **UNBEATEN),
    "nothing surely beats it": board(champion="last", with_naive=AHEAD),
    "nothing beats it so far": board(
        champion="last", with_naive={ENSEMBLE: compared(0.01)}, days=20.0
    ),
    "without networks": board(),
    "without an interval": board(with_naive={ENSEMBLE: compared(-0.3)}),
    "a naive model alone": board(
        champion="last", opponent="last", rival=None, with_naive={}
    ),
    "another naive model is ahead": errors(
        board(**NAIVE), **{ENSEMBLE: 1}, last=3, cycle=2
    ),
    "another network is ahead": errors(
        board(champion="last", **UNBEATEN, **NETWORKS), gru=1.2, lstm=1.1
    ),
    "the network forecasts": board(compared(-0.2, -0.3, -0.1), "gru", "gru"),
    "the network is ahead and open": board(compared(-0.04, -0.11, 0.03), best="gru"),
    "ridge is ahead": errors(HURTS, ridge=0.5),
    "ridge is alike, by -0.0 %": errors(HURTS, ridge=0.9998),
}
ZEROS = [(1, 1), (1, 0), (40, 14), (40, 0), (40, None)]
"""How many series there are, and how many of them are mostly 0."""


def test_sentences_and_hints_are_as_approved(file_regression):
    """First the forecast, then recurrence, of which a few weeks give no figure; never more than twice the
    rows; a model that another of its kind is ahead of is called chosen."""
    lines = []
    for name, found in BOARDS.items():
        lines += ["", name, sentence(found, TITLES), hint(found, TITLES)]
    for count, mostly_zero in ZEROS:
        names = dict.fromkeys(map(str, range(count)), 1.0)
        rare = board(best="zero", deviations=names)
        told = hint(rare, TITLES, mostly_zero)
        lines += ["", f"{mostly_zero} of {count} series are mostly 0", told]
    file_regression.check("\n".join(lines))


@pytest.mark.parametrize(
    ("bias", "words"),
    [
        (-0.234, "; its sum was 23 % below the truth's"),
        (0.06, "; its sum was 6.0 % above the truth's"),
        (-0.05, ""),
        (None, ""),
    ],
)
def test_a_sum_that_is_far_off_is_told(bias, words):
    models = {ENSEMBLE: SCORES.model_copy(update={"bias": bias}), "last": SCORES}
    told = sentence(board(models=models), TITLES)
    assert f"20 % less){words}. Recurrence" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (-0.08, "8.0 % less error than"),
        (0.234, "23 % more error than"),
        (0.0994, "9.9 % more error than"),
        (0.0003, "the same error as"),
        (0.99, "99 % more error than"),
        (1.0, "2 times the error of"),
        (40.4, "41 times the error of"),
        (1e5, "more than 100 times the error of"),
        (-0.999, "less than a hundredth of the error of"),
        (-1.0, "less than a hundredth of the error of"),
    ],
)
def test_a_change_in_words(change, words):
    assert amount(change) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.3, -0.2, " (95 % interval: 30 to 20 % less)"),
        (-0.099, 0.3, " (95 % interval: 9.9 % less to 30 % more)"),
        (None, None, ""),
        (-0.9999, 999.0, " (it varies too much for an interval)"),
        (-0.9999, -0.9998, ""),
    ],
)
def test_an_interval_in_words_is_never_absurd(low, high, words):
    change = -0.25 if low is None else max(low, min(high, 0.1))
    assert interval(compared(change, low, high)) == words


@pytest.mark.parametrize(
    ("days", "series", "words"),
    [
        (1.0, 1, "the last 1 day"),
        (13.0, 1, "the last 13 days"),
        (91.0, 20, "the last 13 weeks of 20 series"),
        (914.0, 1, "the last 2.5 years"),
        (3652.5, 1200, "the last 10 years of 1,200 series"),
    ],
)
def test_how_long_models_are_compared(days, series, words):
    deviations = {f"s{number}": 1.0 for number in range(series)}
    assert span(board(days=days, deviations=deviations)) == words


def test_rows_of_months_are_counted_in_months():
    months = board(days=245.0, block_days=92.0, monthly=True)
    assert span(months) == "the last 8 months"
    assert span(board(days=20.0, monthly=True)) == "the last month"
    assert needed_for_interval(months) == "four stretches of 3 months to compare on"


def test_titles():
    assert title(board(members=list("abcdefghijkl")), TITLES, ENSEMBLE).endswith(
        "of 12 models"
    )
    assert title(board(), TITLES, "ridge") == "ridge regression"
    assert title(board(), {}, "ridge") == "ridge"
    assert board(compared(-0.2, -0.3, -0.1)).word == Word.HELPS
