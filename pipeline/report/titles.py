"""Titles of experiments and data sets, made from their options in params.yaml."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.config.model_card import ModelCard, card
from pipeline.config.params import DatasetParams, Experiment
from pipeline.evaluation.schema import About

DAY = 86_400
YEAR = 365.25 * 86_400

FREQUENCIES = {3600: "hourly", DAY: "daily", 7 * DAY: "weekly"}
"""Seconds between rows -> an adjective for such rows."""

QUESTIONS = {
    "sine_points": "sin x from x: {part}",
    "sine_windows": "the next value of a sine",
    "waves": "the next value of noisy waves",
    "imdb": "a film review: good or bad",
    "shapes": "sines: {shape}",
    "long_forecast": "all 21 columns of the weather, {horizon} rows ahead",
}
"""Name of a preparation -> the question of its data sets. Other questions are made from
the facts of a data set."""

QUANTITIES = {
    "sine_points": "sin x",
    "sine_windows": "sine",
    "waves": "wave, without a unit",
    "shapes": "sum of sines, without a unit",
    "long_forecast": "column, standardised",
}
"""Name of a preparation -> the quantity that its data sets forecast. Other data sets
have the quantity in their scale."""


ARTICLES = {
    "adaptive filter": "an",
    "dense network": "a",
    "perceptron": "a",
    "transformer": "a",
}
"""The beginning of a title -> the article before it in a sentence."""

GLOSSARY = {
    "adaptive filter": "An adaptive filter is a weighted sum of the values, whose "
    "weights a small network computes.",
    "minGRU": "A minGRU is a GRU with one gate.",
    "boosted trees": "Boosted trees are many small decision trees, each fitted to the "
    "error of those before it.",
    "transformer": "A transformer weighs all timesteps by attention.",
    "GRU over segments": "A GRU over segments reads many rows in one step.",
    "linear map": "A linear map forecasts each row by a weighted sum of all rows seen.",
    "DLinear": "DLinear adds up a linear map of the trend and one of the rest.",
    "least absolute": "Least absolute deviation is a linear regression that minimises "
    "the absolute error.",
    "shapes matched": "In the document's code the loss compares each output with the "
    "target of every row in the batch; with shapes matched, it is compared with its own.",
    "TCN": "A TCN is a stack of convolutions over timesteps that lie ever farther apart.",
    "harmonic regression": "Harmonic regression is told that each series is two sines "
    "and noise. It learns their frequencies and sizes.",
    "kernel ridge": "Kernel ridge regression weighs the train examples by how alike they "
    "are.",
    "of sines": "A dense network of sines has sin(x) as its activation.",
}
"""A part of a title that one course in statistics does not teach -> what it is."""


def with_article(title: str) -> str:
    """Return a model's title as it stands in a sentence."""
    for start, article in ARTICLES.items():
        if title == start or title.startswith(f"{start} "):
            return f"{article} {title}"
    return title


def explained(titles: Iterable[str]) -> str:
    """Return a sentence on each kind of model that few readers know."""
    text = " ".join(titles).lower()
    return " ".join(says for part, says in GLOSSARY.items() if part.lower() in text)


def quantity(section: DatasetParams, about: About) -> str:
    """Return the forecast quantity with its unit."""
    own = f"{about.scale.quantity}, {about.scale.unit or 'without a unit'}"
    return QUANTITIES.get(section.preparation.name, own)


def question(section: DatasetParams, about: About) -> str:
    """Return the question that a data set asks, in a few words."""
    options: Mapping[str, Any] = section.preparation.model_dump()
    template = QUESTIONS.get(section.preparation.name)
    if template:
        words = template.format_map(defaultdict(str, options))
        return words.replace("_", " ").removesuffix(": ")
    hours = about.facts.get("horizon in hours")
    seconds = about.facts.get("seconds between rows")
    ahead = f"{_span(hours * 3600, seconds)} ahead" if hours else "later on"
    words = f"{about.scale.quantity} {ahead}"
    if not seconds:
        return words
    lookback = _span(options["windows"]["lookback"] * seconds, seconds)
    frequency = FREQUENCIES.get(seconds)
    if frequency is None:
        days = f"{seconds / DAY:g}-day"
        frequency = f"{seconds / 60:g}-minute" if seconds < DAY else days
    years = round(about.facts.get("rows", 0) * seconds / YEAR)
    of_years = f"{years} years of " if years > 1 else ""
    return f"{words} from {lookback}, {of_years}{frequency} rows"


def _span(seconds: float, spacing: float | None) -> str:
    """Return a duration in words; in weeks if the rows are weeks apart."""
    if spacing and spacing % (7 * DAY) == 0:
        weeks = seconds / (7 * DAY)
        return "1 week" if weeks == 1 else f"{weeks:g} weeks"
    if spacing == DAY == seconds:
        return "1 day"
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:.3g} days"
    return f"{seconds / 3600:.3g} hours"


def experiment(
    section: Experiment,
    dataset: DatasetParams | None = None,
    described: ModelCard | None = None,
) -> str:
    """Return the title of an experiment, such as "LSTM(32), dropout 0.2".

    Options that are shared by the whole data set are left out. `described` is the card
    of the model; by default it is looked up.
    """
    title = (described or card(section.model)).full_title(section)
    shared = dataset.training.options if dataset and dataset.training else {}
    return ", ".join([title, *_remarks(section, shared)])


def _remarks(section: Experiment, shared: Mapping[str, Any]) -> list[str]:
    """Return what an experiment's title says besides its model."""
    model = section.model.options
    training = section.training.options
    dropout = model.get("dropout") or model.get("recurrent_dropout") or 0
    steps = training.get("steps_per_epoch")
    pairs = training.get("loss") == "pairwise_mse"
    by_hand = section.training.method == "by_hand"
    means = (section.features or {}).get("means")
    rows = section.rows or {}
    last = rows.get("last")
    remarks = [
        (dropout, f"dropout {dropout:g}"),
        (
            model.get("input_dropout"),
            f"input dropout {model.get('input_dropout', 0):g}",
        ),
        (model.get("head") is False, "no output layer"),
        (pairs, "loss over all pairs"),
        (model.get("sequences") and not pairs, "shapes matched"),
        (by_hand, f"by hand, rate {training.get('learning_rate', '')}"),
        (steps and steps != shared.get("steps_per_epoch"), f"{steps} steps an epoch"),
        (training.get("optimizer") == "rmsprop_keras2", "as in Keras 2"),
        (section.share < 1, f"{section.share:.3g} of the rows"),
        (section.features and not means, "on lags"),
        (means, "on lags, differences and means"),
        (last, "1 timestep" if last == 1 else f"{last} timesteps"),
        (rows.get("changes"), "with differences and means"),
        (
            (section.features or rows or model).get("extremes"),
            "with extremes of 24 timesteps",
        ),
        (section.residual, "from the last value"),
        (training.get("every_step"), "a loss at every timestep"),
        (training.get("extra_targets"), "extra targets"),
        (section.mirrored, "mirrored series"),
        (section.in_unit, "targets not standardised"),
        (section.calendar, "calendar"),
        (section.trials, f"best of {section.trials} trials"),
        # Two searches of one model may end at the same sizes, and have seeds of their own.
        (
            section.repeats and section.seeds[0],
            f"seeds {section.seeds[0]} to {section.seeds[-1]}",
        ),
    ]
    return [text for holds, text in remarks if holds]
