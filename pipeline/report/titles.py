"""Titles of experiments and data sets, made from their options in params.yaml."""

from collections.abc import Mapping
from typing import Any

from pipeline.config.params import DatasetParams, Experiment
from pipeline.evaluation.schema import About
from pipeline.models.ngrams import LONGEST

CELLS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU", "min_gru": "minGRU"}

DIRECTIONS = {"backward": "backward ", "both": "bidirectional "}

DAY = 86_400
YEAR = 365.25 * 86_400

FREQUENCIES = {3600: "hourly", DAY: "daily"}
"""Seconds between rows -> an adjective for such rows."""

FAMILIES = {
    "gru": ("gru", "segments"),
    "lstm": ("lstm",),
    "rnn": ("simple_rnn", "min_gru"),
    "dense": ("mlp", "adaptive_filter", "transformer"),
    "convolution": ("tcn", "convolutions"),
    "linear": (
        "linear",
        "nlinear",
        "dlinear",
        "shared",
        "bag_of_words",
        "tfidf",
        "ngrams",
    ),
    "trees": ("lags",),
}
"""Family of models -> names of its models. All others are of the family "simple".

A family has one colour in all plots."""

QUESTIONS = {
    "sine_points": "sin x from x",
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


def quantity(section: DatasetParams, about: About) -> str:
    """Return the forecast quantity with its unit."""
    own = f"{about.scale.quantity}, {about.scale.unit or 'without a unit'}"
    return QUANTITIES.get(section.preparation.name, own)


def question(section: DatasetParams, about: About) -> str:
    """Return the question that a data set asks, in a few words."""
    options: Mapping[str, Any] = section.preparation.model_dump()
    template = QUESTIONS.get(section.preparation.name)
    if template:
        shape = str(options.get("shape", "")).replace("_", " ")
        words = template.format(shape=shape, horizon=options.get("horizon"))
        return f"{words}: {options['part']}" if "part" in options else words
    hours = about.facts.get("horizon in hours")
    ahead = f"{_span(hours * 3600)} ahead" if hours else "later on"
    words = f"{about.scale.quantity} {ahead}"
    seconds = about.facts.get("seconds between rows")
    if seconds:
        lookback = options["windows"]["lookback"] * seconds
        frequency = FREQUENCIES.get(seconds, f"{seconds / 60:g}-minute")
        years = round(about.facts.get("rows", 0) * seconds / YEAR)
        of_years = f"{years} years of " if years > 1 else ""
        words += f" from {_span(lookback)}, {of_years}{frequency} rows"
    return words


def family(section: Experiment) -> str:
    """Return the family of an experiment's model: one of `FAMILIES`, or "simple"."""
    for family, names in FAMILIES.items():
        if section.model.name in names:
            return family
    return "simple"


def _span(seconds: float) -> str:
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:.3g} days"
    return f"{seconds / 3600:.3g} hours"


def short(section: Experiment) -> str:
    """Return the title of an experiment's model, such as "LSTM(32)"."""
    model: Mapping[str, Any] = section.model.model_dump()
    if model["name"] in CELLS:
        return DIRECTIONS.get(model.get("direction") or "", "") + _recurrent(model)
    return _other(model, section.training.model_dump())


def experiment(section: Experiment, dataset: DatasetParams | None = None) -> str:
    """Return the title of an experiment, such as "LSTM(32), dropout 0.2".

    Options that are shared by the whole data set are left out.
    """
    model: Mapping[str, Any] = section.model.model_dump()
    training: Mapping[str, Any] = section.training.model_dump()
    dropout = model.get("dropout") or model.get("recurrent_dropout") or 0
    shared = dataset.training.options if dataset and dataset.training else {}
    steps = training.get("steps_per_epoch")
    pairs = training.get("loss") == "pairwise_mse"
    by_hand = training.get("method") == "by_hand"
    lags = "on lags"
    if section.features and section.features.get("means"):
        lags = "on lags, differences and means"
    rows = section.rows or {}
    remarks = [
        (dropout, f"dropout {dropout:g}"),
        (model.get("head") is False, "no output layer"),
        (pairs, "loss over all pairs"),
        (model.get("sequences") and not pairs, "shapes matched"),
        (by_hand, f"by hand, rate {training.get('learning_rate', '')}"),
        (steps and steps != shared.get("steps_per_epoch"), f"{steps} steps an epoch"),
        (training.get("optimizer") == "rmsprop_keras2", "as in Keras 2"),
        (section.share < 1, f"{section.share:.3g} of the rows"),
        (section.features, lags),
        (rows.get("last"), f"{rows.get('last')} timesteps"),
        (rows.get("changes"), "with differences and means"),
        (section.residual, "from the last value"),
        (training.get("every_step"), "a loss at every timestep"),
        (section.in_unit, "targets not standardised"),
        (section.calendar, "calendar"),
        (section.trials, f"best of {section.trials} trials"),
    ]
    said = [text for holds, text in remarks if holds]
    return ", ".join([short(section) + _detail(model, training), *said])


def _detail(model: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """Return the end of a model's title: its inputs, or how it is fitted."""
    name = model["name"]
    activation = model.get("activation", "tanh")
    if name in CELLS:
        return "" if activation == "tanh" else f", {activation}"
    if name == "mlp" and model.get("embedding"):
        return " on the mean of word vectors"
    if name == "tfidf" and model.get("reviews"):
        return f" on words, and pairs in {model['reviews']} reviews or more, tf-idf"
    if name == "ngrams":
        longest = model.get("longest", LONGEST)
        words = (
            f" on up to {longest} neighbouring words" if longest > 1 else " on words"
        )
        fewest = model.get("reviews")
        words += f" in {fewest} reviews or more" if fewest else ""
        words += ", naive Bayes" if training.get("naive_bayes") else ""
        return f"{words}, C {training.get('c', 1):g}"
    last = model.get("last")
    if last and name in FITTED and training.get("method") != "gradient_descent":
        return f" on the last {f'{last} steps' if last > 1 else 'step'}"
    return DETAILS.get(name, "")


def _recurrent(model: Mapping[str, Any]) -> str:
    cell = CELLS[model["name"]]
    if model.get("widths"):
        return " and ".join(f"{cell}({width})" for width in model["widths"])
    layers = model.get("layers") or 1
    words = f"{cell}({model.get('units', '')})"
    if layers > 1:
        words = f"{layers} stacked {words}"
    if model.get("before"):
        words = f"Dense({model['before']}) and {words}"
    if model.get("hidden"):
        words += f" and Dense({model['hidden']})"
    return words


def _other(model: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    name = model["name"]
    method = training.get("method")
    if name in FITTED and method != "gradient_descent":
        if method == "sklearn":
            return str(training.get("estimator"))
        penalised = "ridge" if training.get("ridge") else "linear"
        return METHODS.get(str(method), f"{penalised} regression")
    if name == "mlp":
        hidden = "-".join(str(width) for width in model.get("hidden", ()))
        kind = f"dense network {hidden}" if hidden else "perceptron"
        return f"{kind} of sines" if model.get("activation") == "sine" else kind
    if name in SIZES:
        sizes = [
            words.format(model[option])
            for option, words in SIZES[name].items()
            if option in model
        ]
        listed = f" with {', '.join(sizes)}" if sizes else ""
        return f"{name.replace('_', ' ')}{listed}"
    words: str = NAMES.get(name, name.replace("_", " "))
    words = words.format(**{"value": 0.0, **model})
    if name == "ets" and model.get("cycle"):
        words += f" by {model['cycle']}"
    if model.get("own"):
        by_cycle = model.get("base") == "cycle"
        words += " of the target's differences" if by_cycle else " of the target alone"
    if not model.get("trend", True):
        words += " without a trend"
    return words


FITTED = ("linear", "lags")
"""Models whose title is the title of their training method, except with gradient
descent."""

METHODS = {
    "least_absolute": "least absolute deviation",
    "kernel_ridge": "kernel ridge regression",
    "boosting": "boosted trees",
}
"""Training method -> its title."""

SIZES = {
    "adaptive_filter": {"powers": "{} powers", "hidden": "{} hidden units"},
    "transformer": {"layers": "{} layers", "heads": "{} heads", "size": "head size {}"},
}
"""Model -> the options that follow its name in the title, with their words."""

NAMES = {
    "last_value": "the last value",
    "daily_cycle": "the value a day before",
    "constant": "always {value:g}",
    "seasonal_naive": "the value {timesteps} timesteps before",
    "delayed": "the value {timesteps} timesteps before",
    "majority": "the more frequent class",
    "linear": "a linear map for all columns",
    "nlinear": "NLinear",
    "dlinear": "DLinear",
    "tcn": "TCN",
    "ets": "ETS",
    "mstl": "MSTL",
    "tsb": "TSB",
    "shared": "a linear map for all columns",
    "segments": "a GRU over segments",
    "bag_of_words": "logistic regression",
    "tfidf": "logistic regression",
    "ngrams": "logistic regression",
}
"""Model -> its short title, with options in braces. The title of other models is their
name with spaces."""

DETAILS = {
    "shared": ", least squares",
    "bag_of_words": " on words",
    "tfidf": " on words and pairs, tf-idf",
}
"""Model -> the end of its title, after the short title."""
