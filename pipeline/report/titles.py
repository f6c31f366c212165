"""Titles of experiments and data sets, made from their options in params.yaml."""

from collections.abc import Mapping
from typing import Any

from pipeline.config.params import DatasetParams, Experiment
from pipeline.evaluation.schema import About

CELLS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU", "min_gru": "minGRU"}

DIRECTIONS = {"backward": "backward ", "both": "bidirectional "}

DAY = 86_400
YEAR = 365.25 * 86_400

FAMILIES = {
    "gru": ("gru", "segments"),
    "lstm": ("lstm",),
    "rnn": ("simple_rnn", "min_gru"),
    "dense": ("mlp", "adaptive_filter", "transformer"),
    "convolution": ("tcn", "convolutions"),
    "linear": ("linear", "nlinear", "dlinear", "shared", "bag_of_words", "tfidf"),
    "trees": ("lags",),
}
"""Family, which has one colour in all plots -> names of its models; all other models
are of the family "simple"."""

QUESTIONS = {
    "sine_points": "sin x from x",
    "sine_windows": "the next value of a sine",
    "waves": "the next value of noisy waves",
    "imdb": "a film review: good or bad",
    "shapes": "sines: {shape}",
    "long_forecast": "all 21 columns of the weather, {horizon} rows ahead",
}
"""Name of a preparation -> the question that its data sets ask; others are described by
their facts."""

QUANTITIES = {
    "sine_points": "sin x",
    "sine_windows": "sine",
    "waves": "wave, without a unit",
    "shapes": "sum of sines, without a unit",
    "long_forecast": "column, standardised",
}
"""Name of a preparation -> what its data sets forecast; others say it themselves."""


def quantity(section: DatasetParams, about: About) -> str:
    """What is forecast, with its unit."""
    own = f"{about.scale.quantity}, {about.scale.unit or 'without a unit'}"
    return QUANTITIES.get(section.preparation.name, own)


def question(section: DatasetParams, about: About) -> str:
    """The question that a data set asks, in a few words."""
    options: Mapping[str, Any] = section.preparation.model_dump()
    if template := QUESTIONS.get(section.preparation.name):
        part = f": {options['part']}" if "part" in options else ""
        shape = str(options.get("shape", "")).replace("_", " ")
        return template.format(shape=shape, horizon=options.get("horizon")) + part
    hours = about.facts.get("horizon in hours")
    seconds = about.facts.get("seconds between rows")
    words = f"{about.scale.quantity} {f'{_span(hours * 3600)} ahead' if hours else 'later on'}"
    if seconds:
        words += f" from {_span(options['windows']['lookback'] * seconds)}"
        frequency = {3600: "hourly", DAY: "daily"}.get(
            seconds, f"{seconds / 60:g}-minute"
        )
        years = round(about.facts.get("rows", 0) * seconds / YEAR)
        words += f", {f'{years} years of ' if years > 1 else ''}{frequency} rows"
    return words


def family(section: Experiment) -> str:
    """One of `FAMILIES`, or "simple"."""
    return next(
        (family for family, names in FAMILIES.items() if section.model.name in names),
        "simple",
    )


def _span(seconds: float) -> str:
    return (
        f"{seconds / DAY:.3g} days"
        if seconds >= 2 * DAY
        else f"{seconds / 3600:.3g} hours"
    )


def experiment(section: Experiment, dataset: DatasetParams | None = None) -> str:
    """An experiment in words, such as "LSTM(32), dropout 0.2"; options that its whole
    data set shares are left out.
    """
    model: Mapping[str, Any] = section.model.model_dump()
    training: Mapping[str, Any] = section.training.model_dump()
    direction = DIRECTIONS.get(model.get("direction") or "", "")
    words = [
        direction
        + (_recurrent(model) if model["name"] in CELLS else _other(model, training))
    ]
    if model.get("dropout") or model.get("recurrent_dropout"):
        words.append(f"dropout {model.get('dropout') or model['recurrent_dropout']:g}")
    if model.get("head") is False:
        words.append("no output layer")
    if training.get("loss") == "pairwise_mse":
        words.append("loss over all pairs")
    elif model.get("sequences"):
        words.append("shapes matched")
    if training.get("method") == "by_hand":
        words.append(f"by hand, rate {training.get('learning_rate', '')}")
    shared = dataset.training.options if dataset and dataset.training else {}
    if (steps := training.get("steps_per_epoch")) and steps != shared.get(
        "steps_per_epoch"
    ):
        words.append(f"{steps} steps an epoch")
    if training.get("optimizer") == "rmsprop_keras2":
        words.append("as in Keras 2")
    if section.share < 1:
        words.append(f"{section.share:.3g} of the rows")
    if section.features:
        words.append(
            "on lags, differences and means"
            if section.features.get("means")
            else "on lags"
        )
    if section.in_unit:
        words.append("targets not standardised")
    if section.calendar:
        words.append("calendar")
    if section.trials:
        words.append(f"best of {section.trials} trials")
    return ", ".join(words)


def brief(words: str) -> str:
    """A title without how it was trained and what it sees."""
    return words.split(", ", maxsplit=1)[0].split(" on ", maxsplit=1)[0]


def _recurrent(model: Mapping[str, Any]) -> str:
    layers = model.get("layers") or 1
    if widths := model.get("widths"):
        return " and ".join(f"{CELLS[model['name']]}({width})" for width in widths)
    cell = f"{f'{layers} stacked ' if layers > 1 else ''}{CELLS[model['name']]}({model.get('units', '')})"
    activation = (
        f", {activation}"
        if (activation := model.get("activation", "tanh")) != "tanh"
        else ""
    )
    read = f" and Dense({model['hidden']})" if model.get("hidden") else ""
    return (
        (f"Dense({model['before']}) and {cell}" if model.get("before") else cell)
        + activation
        + read
    )


def _other(model: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    count = model.get("last")
    last = (
        ""
        if not count
        else " on the last step"
        if count == 1
        else f" on the last {count} steps"
    )
    method = training.get("method")
    fits = {
        "least_absolute": "least absolute deviation",
        "kernel_ridge": "kernel ridge regression",
        "boosting": "boosted trees",
        "sklearn": str(training.get("estimator")),
    }
    fit = fits.get(
        str(method), f"{'ridge' if training.get('ridge') else 'linear'} regression"
    )
    match model["name"]:
        case "mlp":
            hidden = "-".join(str(width) for width in model.get("hidden", ()))
            words = f"dense network {hidden}" if hidden else "perceptron"
            words += " of sines" * (model.get("activation") == "sine")
            return (
                f"{words} on the mean of word vectors"
                if model.get("embedding")
                else words
            )
        case "adaptive_filter" | "transformer" as name:
            sizes = "-".join(
                str(model[option]) for option in SIZES[name] if option in model
            )
            return f"{name.replace('_', ' ')} {sizes}".rstrip()
        case "constant":
            return f"always {model.get('value', 0):g}"
        case "linear" | "lags" if method != "gradient_descent":
            return f"{fit}{last}"
        case "seasonal_naive" | "delayed":
            return f"the value {model['timesteps']} timesteps before"
        case name:
            words = NAMES.get(str(name), str(name).replace("_", " "))
            suffixes = {
                " of the target alone": model.get("own")
                and model.get("base") != "cycle",
                " of the target's differences": model.get("own")
                and model.get("base") == "cycle",
                " without a trend": not model.get("trend", True),
            }
            cycle = (
                f" by {model['cycle']}" if name == "ets" and model.get("cycle") else ""
            )
            return (
                words
                + cycle
                + "".join(suffix for suffix, present in suffixes.items() if present)
            )


SIZES = {
    "adaptive_filter": ("powers", "hidden"),
    "transformer": ("layers", "heads", "size"),
}
"""Model -> options that stand behind its name."""

NAMES = {
    "last_value": "the last value",
    "daily_cycle": "the value a day before",
    "majority": "the more frequent class",
    "linear": "a linear map for all columns",
    "nlinear": "NLinear",
    "dlinear": "DLinear",
    "tcn": "TCN",
    "ets": "ETS",
    "mstl": "MSTL",
    "tsb": "TSB",
    "shared": "a linear map for all columns, least squares",
    "segments": "a GRU over segments",
    "bag_of_words": "logistic regression on words",
    "tfidf": "logistic regression on words and pairs, tf-idf",
}
"""Model -> its title, for those whose name with spaces would not do."""
