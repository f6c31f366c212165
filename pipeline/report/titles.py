"""Experiments and data sets in words, from what params.yaml says of them."""

from collections.abc import Mapping
from typing import Any

from pipeline.config.params import DatasetParams, Experiment
from pipeline.evaluation.schema import About

CELLS = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU", "min_gru": "minGRU"}

DIRECTIONS = {"backward": "backward", "both": "in both directions"}

DAY = 86_400

QUESTIONS = {
    "sine_points": "sin x from x",
    "sine_windows": "the next value of a sine",
    "waves": "the next value of noisy waves",
    "imdb": "the sentiment of a film review",
    "shapes": "sines, {shape}",
    "long_forecast": "21 columns of the weather, the next {horizon} rows",
}
"""The name of a preparation -> what is asked."""


def question(section: DatasetParams, about: About) -> str:
    """What a data set asks, in a few words."""
    options: Mapping[str, Any] = section.preparation.model_dump()
    if words := QUESTIONS.get(section.preparation.name):
        part = f", {options['part']}" if "part" in options else ""
        shape = str(options.get("shape", "")).replace("_", " ")
        return words.format(shape=shape, horizon=options.get("horizon")) + part
    hours, seconds = about.facts.get("horizon in hours"), about.facts.get("seconds between rows")
    words = f"{about.scale.quantity} {f'{_span(hours * 3600)} ahead' if hours else 'later on'}"
    if seconds:
        words += f" from {_span(options['lookback'] * seconds)}"
        every = {3600: "hourly", DAY: "daily"}.get(seconds, f"{seconds / 60:g}-minute")
        words += f", {every} rows"
    return words + (", as published" if about.facts.get("protocol") == "as_published" else "")


def _span(seconds: float) -> str:
    return f"{seconds / DAY:.3g} days" if seconds >= 2 * DAY else f"{seconds / 3600:.3g} hours"


def experiment(section: Experiment, dataset: DatasetParams) -> str:
    """An experiment in words, but for what all of its data set have: LSTM(32), dropout 0.2."""
    model: Mapping[str, Any] = section.model.model_dump()
    training: Mapping[str, Any] = section.training.model_dump()
    words = [_network(model) if model["name"] in CELLS else _other(model, training)]
    if model.get("dropout") or model.get("recurrent_dropout"):
        words.append(f"dropout {model.get('dropout') or model['recurrent_dropout']:g}")
    if model.get("direction"):
        words.append(DIRECTIONS[model["direction"]])
    if model.get("head") is False:
        words.append("no output layer")
    if training.get("loss") == "pairwise_mse":
        words.append("loss over all pairs")
    elif model.get("sequences"):
        words.append("shapes matched")
    if training.get("method") == "by_hand":
        words.append(f"by hand, rate {training.get('learning_rate', '')}")
    common = dataset.training.options if dataset.training else {}
    if (steps := training.get("steps_per_epoch")) and steps != common.get("steps_per_epoch"):
        words.append(f"{steps} steps an epoch")
    if training.get("optimizer") == "rmsprop_keras2":
        words.append("as in Keras 2")
    if section.share < 1:
        words.append(f"{section.share:.3g} of the rows")
    if section.calendar:
        words.append("calendar")
    if section.trials:
        words.append(f"the best of {section.trials} trials")
    return ", ".join(words)


def _network(model: Mapping[str, Any]) -> str:
    layers = model.get("layers") or 1
    if widths := model.get("widths"):
        return " and ".join(f"{CELLS[model['name']]}({each})" for each in widths)
    cell = f"{f'{layers} stacked ' if layers > 1 else ''}{CELLS[model['name']]}({model.get('units', '')})"
    return f"Dense({model['before']}) and {cell}" if model.get("before") else cell


def _other(model: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    last = f" of the last {model['last']} steps" if model.get("last") else ""
    fit = "ridge" if training.get("ridge") else "least squares"
    if training.get("method") == "least_absolute":
        fit = "least absolute deviation"
    match model["name"]:
        case "mlp":
            hidden = "-".join(str(width) for width in model.get("hidden", ()))
            words = f"dense {hidden}" if hidden else "perceptron"
            return f"{words} on the mean of word vectors" if model.get("embedding") else words
        case "constant":
            return f"always {model.get('value', 0):g}"
        case "linear" if training.get("method") != "gradient_descent":
            return f"linear{last}, {fit}"
        case "lags":
            return f"boosted trees{last}"
        case "seasonal_naive":
            return f"the value {model['timesteps']} timesteps before"
        case name:
            return KNOWN.get(str(name), str(name).replace("_", " "))


KNOWN = {
    "last_value": "the last value",
    "daily_cycle": "the value a day before",
    "majority": "the more frequent class",
    "linear": "one linear map for all columns",
    "nlinear": "NLinear",
    "dlinear": "DLinear",
    "tcn": "TCN",
    "shared": "one linear map for all columns, least squares",
    "segments": "a GRU on segments",
    "bag_of_words": "logistic regression on words",
    "tfidf": "logistic regression on tf-idf of words and pairs",
}
"""Models without a size."""
