import pytest

from pipeline.evaluation.margin import Word
from series.comparison import ModelComparison
from series.leaderboard import ENSEMBLE, Board, ModelScores
from series.sentence import (
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


@pytest.mark.parametrize(
    ("comparison", "champion", "start", "figures"),
    [
        (
            compared(-0.08, -0.11, -0.06),
            "gru",
            "Yes, recurrence helps: over the last 24 weeks",
            "GRU(32), had 8.0 % less error than the best model without recurrence, ",
        ),
        (
            compared(0.2, 0.1, 0.3),
            ENSEMBLE,
            "No, recurrence hurts here:",
            "the weighted median of six models (95 % interval: 10 to 30 % more).",
        ),
        (
            compared(-0.01, -0.03, 0.02),
            ENSEMBLE,
            "Recurrence makes no difference that matters:",
            "(95 % interval: 3.0 % less to 2.0 % more).",
        ),
        (
            compared(-0.08, -0.11, -0.06),
            "gru",
            "Yes, recurrence helps:",
            "(95 % interval: 11 to 6.0 % less).",
        ),
        (
            compared(-0.04, -0.11, 0.03),
            ENSEMBLE,
            "It is open whether recurrence helps:",
            "11 % less to 3.0 % more",
        ),
        (
            compared(-0.04, -0.11, 0.03),
            ENSEMBLE,
            "It is open whether recurrence helps:",
            "3.0 % more). That is too uncertain to say more: even",
        ),
        (
            compared(0.071, 0.011, 0.13),
            ENSEMBLE,
            "Recurrence has more error, perhaps by less than 5 %: over the last",
            "(95 % interval: 1.1 to 13 % more). That is too uncertain to say more: even twice",
        ),
        (
            compared(-0.071, -0.13, -0.011),
            ENSEMBLE,
            "Recurrence has less error, perhaps by less than 5 %: over the last",
            "(95 % interval: 13 to 1.1 % less). That is too uncertain to say more: even twice",
        ),
        (
            compared(7.2, 3.9, 12.6),
            ENSEMBLE,
            "No,",
            "8.2 times the error of the best model",
        ),
    ],
)
def test_the_sentence_has_the_verdict_its_figures_and_who_forecasts(
    comparison, champion, start, figures
):
    text = sentence(board(comparison, champion), TITLES)
    assert text.startswith(start)
    assert figures in text
    named = "GRU(32)" if champion == "gru" else "the weighted median of six models"
    assert text.endswith(f"The forecast is by {named}.")


def test_a_difference_that_is_sure_and_does_not_matter_is_told_with_its_sign():
    text = sentence(board(compared(-0.02, -0.03, -0.01)), TITLES)
    assert "2.0 % less error" in text
    assert "hardly chance" in text
    assert "hardly chance" not in sentence(board(compared(0.0, -0.03, 0.02)), TITLES)


def test_of_a_few_weeks_it_says_who_was_ahead_and_no_figure():
    short = board(compared(-0.9999, ahead=3), days=28.0)
    text = sentence(short, TITLES)
    assert text.startswith(
        "It is open whether recurrence helps: in 3 of 4 weeks the best recurrent "
        "network, GRU(32), had less error than the best model without recurrence, the "
        "weighted median of six models. A verdict takes 12 weeks"
    )
    assert "%" not in text
    assert "about a year of rows; this file has too few" in text
    longer = board(compared(-0.1, ahead=5, blocks=8), days=60.0)
    assert "so about 1.4 times the rows of this file" in sentence(longer, TITLES)
    one = board(compared(0.3, ahead=0, blocks=1), days=5.0)
    assert (
        "over the last 5 days the best recurrent network, GRU(32), had 30 % more"
        in (sentence(one, TITLES))
    )
    none = board(compared(0.1, ahead=0), days=28.0)
    assert "in none of 4 weeks the best recurrent" in sentence(none, TITLES)
    years = board(compared(-0.1, ahead=2, blocks=2), days=730.0, block_days=365.0)
    assert "in 2 of 2 stretches of 365 days" in sentence(years, TITLES)
    assert "four stretches of 365 days" in sentence(years, TITLES)


def test_nothing_beats_the_last_value():
    close = {"gru": compared(0.05, 0.01, 0.09), ENSEMBLE: compared(0.01, -0.01, 0.03)}
    unbeaten = board(compared(0.04, 0.0, 0.08), "last", with_naive=close)
    text = sentence(unbeaten, TITLES)
    assert text.startswith("Nothing beats the last value: over the last 24 weeks")
    assert "1.0 % more error than it (95 % interval: 1.0 % less to 3.0 % more)" in text
    assert "GRU(32), had 5.0 % more error than it" in text
    assert text.endswith("The forecast is by the last value.")
    ahead = {"gru": compared(-0.03, -0.08, 0.02)}
    surely = board(None, "last", with_naive=ahead)
    assert sentence(surely, TITLES).startswith("Nothing surely beats the last value:")
    assert (
        hint(board(unbeaten.comparison, "last", "last", with_naive=close), TITLES) == ""
    )
    alone = board(None, "last", with_naive={ENSEMBLE: compared(0.01)}, days=20.0)
    assert sentence(alone, TITLES).startswith("Nothing beats the last value so far:")
    assert "Recurrence was not tried." in sentence(alone, TITLES)


def test_without_networks_it_names_the_best_model():
    text = sentence(board(), TITLES)
    assert text.startswith(
        "Recurrence was not tried. The best model is the weighted median of six models: over the "
        "last 24 weeks it had 30 % less error than the best naive model, the last value (95 %"
    )
    only = board(None, "last", opponent="last", rival=None, with_naive={})
    assert sentence(only, TITLES) == (
        "Recurrence was not tried. The best model is the last value. "
        "The forecast is by the last value."
    )


def errors(found, **maes):
    """The board with other errors of some models."""
    models = {
        name: found.models[name].model_copy(
            update={"mae": mae, "recurrent": name in ("gru", "lstm")}
        )
        for name, mae in maes.items()
    }
    return found.model_copy(update={"models": {**found.models, **models}})


def test_a_model_that_another_of_its_kind_is_ahead_of_is_called_chosen():
    why = ", since models were chosen on the earlier half of the cutoffs, and the table shows the later half."
    two = {"models": dict.fromkeys([ENSEMBLE, "last", "cycle"], SCORES)}
    alone = errors(
        board(None, naives=["last", "cycle"], **two), **{ENSEMBLE: 1}, last=3, cycle=2
    )
    text = sentence(alone, TITLES)
    assert "The best model is the weighted median" in text
    assert "less error than the chosen naive model, the last value" in text
    assert hint(alone, TITLES) == (
        f"In the table cycle has less error than the last value{why}"
    )
    close = {"gru": compared(0.05, 0.01, 0.09), ENSEMBLE: compared(0.01, -0.01, 0.03)}
    two = {"models": dict.fromkeys([ENSEMBLE, "last", "gru", "lstm"], SCORES)}
    networks = board(compared(0.04, 0.0, 0.08), "last", with_naive=close, **two)
    networks = errors(networks, gru=1.2, lstm=1.1)
    assert "the chosen recurrent network, GRU(32), had" in sentence(networks, TITLES)
    assert (
        hint(networks, TITLES) == f"In the table lstm has less error than GRU(32){why}"
    )


def test_the_sentence_says_what_would_decide_and_never_more_than_twice_the_rows():
    assert "about 1.4 times the rows may decide it" in (
        sentence(board(compared(-0.04, -0.11, 0.03, more=1.4)), TITLES)
    )
    assert "about twice the rows may decide it." in sentence(
        board(compared(-0.04, -0.11, 0.03, more=2.0)), TITLES
    )
    undecided = sentence(board(compared(-0.04, -0.4, 0.5)), TITLES)
    assert "even twice the rows may not decide it" in undecided
    assert undecided.count(". ") == 2, "three sentences"
    assert hint(board(compared(-0.2, -0.3, -0.1), "gru", "gru"), TITLES) == ""


def test_the_hint_says_why_the_best_of_the_table_does_not_forecast():
    other = board(compared(0.2, 0.1, 0.3), best="ridge")
    scores = other.models["ridge"].model_copy(
        update={"mae": 0.5 * other.models[other.opponent].mae}
    )
    ahead = other.model_copy(update={"models": {**other.models, "ridge": scores}})
    assert hint(ahead, TITLES).startswith(
        "In the table ridge regression has less error than the weighted median"
    )
    alike = scores.model_copy(update={"mae": 0.9998 * other.models[other.opponent].mae})
    same = other.model_copy(update={"models": {**other.models, "ridge": alike}})
    assert "In the table" not in hint(same, TITLES), "a change of -0.0 %"
    network = board(compared(-0.04, -0.11, 0.03), best="gru")
    assert "In the table" not in hint(network, TITLES)


@pytest.mark.parametrize(
    ("count", "mostly_zero", "words"),
    [
        (1, 1, "Most values are 0, so their median is 0, which the mean absolute"),
        (1, 0, "Many values are 0. To keep something in stock"),
        (40, 14, "In 14 of 40 series most values are 0, so their median is 0"),
        (40, 0, "Many values are 0. To keep"),
        (40, None, "Many values are 0. To keep"),
    ],
)
def test_the_hint_counts_the_series_that_are_mostly_0(count, mostly_zero, words):
    names = dict.fromkeys(map(str, range(count)), 1.0)
    rare = board(best="zero", deviations=names)
    assert hint(rare, TITLES, mostly_zero).startswith(words)


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
