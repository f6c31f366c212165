"""The sections of params.yaml for a series: what was found and asked -> data and comments."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.config.plain_yaml import Place
from pipeline.data.row_files import Form
from pipeline.data.sniff.found import Found
from unroll.add.question import DAY, TRAIN, VALIDATION, Question

FEW, MANY = 5_000, 100_000
"""Rows to train on, above which an epoch takes longer than it is worth, and is cut to a number of steps."""

STEPS, BATCH = 500, 128
DAYS = 3
"""That networks look back, at most; a week of rows that are a day apart or more, four times."""

ORIGINS, REFITS = 56, 3
"""Of the backtest."""

RECENT = 24
"""Last values of the target that boosting of the target alone sees; the other one has six, so that they err apart."""

JOINT = {"strategy": "joint", "trees": 200, "learning_rate": 0.08, "examples": 40, "rows": 150_000}
"""One boosting of all values ahead, from a subset of them."""

YEARS = 2 * np.timedelta64(365, "D")
"""Of rows, below which models are not told the time of the year: they would learn single weeks by heart."""

WRITTEN = ("stamp_format", "time_zone", "encoding", "delimiter", "decimal", "thousands", "names", "skip")
"""Options of a file's form that stand in the entry where they are not the usual ones."""


def entries(
    name: str, files: Mapping[str, Any], pattern: str, found: Found, question: Question
) -> tuple[dict[str, dict[str, Any]], dict[Place, str]]:
    """What is added to params.yaml: section -> name -> data, and comments as `plain_yaml.added` takes them.

    `name` is that of the files, of the data set, and the beginning of the experiments' names; `files` says where they
    lie, and `pattern` is the file's name, or one for several.
    """
    form, usual, stamp = found.form, Form(stamp=[], target=""), list(found.form.stamp)
    quantity, unit = question.target, found.columns[question.target].unit
    if unit:
        quantity = quantity[: max(map(quantity.rfind, "[("))].rstrip() or quantity
    others = [column for column in found.columns if column not in {question.target, found.series_id}]
    left_out = {column: why for column in others if (why := found.why_not(column))}
    words = [column for column in others if column not in left_out and not found.columns[column].numeric]
    spacing, gaps = found.clock.spacing, found.missing or found.gaps or found.series_id
    options = {
        "file": pattern,
        "stamp": stamp[0] if len(stamp) == 1 else stamp,
        **{option: getattr(form, option) for option in WRITTEN if getattr(form, option) != getattr(usual, option)},
        "series_id": found.series_id,
        "target": question.target,
        "unit": unit or None,
        "quantity": quantity,
        "drop": [*left_out] or None,
        "categories": words or None,
        # Else a word such as None would mean nothing, and rows with what is known beforehand have no target.
        "missing": [*found.missing] or ([""] if words or question.future else None),
        "fill": max(1, DAY // 4 // spacing) if gaps else None,
        "repeat": question.cycles[0] * question.step if gaps and question.cycles else None,
        "rows": found.uneven,
        "ends": form.ends or None,
        "train": TRAIN,
        "validation": VALIDATION,
        "lookback": question.lookback * question.step,
        "step": question.step if question.step > 1 else None,
        "horizon": question.horizon if question.horizon > 1 else None,
        "spacing": spacing,
        "week": True if question.day or found.uneven == "business" else None,
        "overlap": True,
        "future": [*question.future] or None,
        "holidays": question.holidays,
        "until": str(found.last.astype("datetime64[s]")),
    }
    preparation = {"name": "series"} | {option: value for option, value in options.items() if value is not None}
    seen = ", ".join(f"{word or 'nothing'!s} {count:,} times" for word, count in found.missing.items())
    reasons = {
        "unit": "from the heading",
        "quantity": "what reports call it",
        "drop": "; ".join(f"{column}: {why}" for column, why in left_out.items()),
        "categories": "columns of words: a column of 0 and 1 for each word",
        "missing": f"no value, found: {seen}",
        "fill": "rows; proposed: what is missing for up to a quarter of a day takes the last value",
        "repeat": "rows; what is missing for longer takes the value of a cycle before; after seven, windows are cut",
        "train": "proposed: shares of the rows, in the order of time",
        "spacing": "seconds from row to row",
        "until": "later rows are for the refit alone; `unroll renew NAME` moves this on",
        **found.guesses,
        **question.reasons,
    }
    comments: dict[Place, str] = {
        ("files",): "Your own files, which DVC watches: an edit of one rebuilds what it can change.",
        ("datasets", name): "Added by `unroll add`; what was guessed or proposed says so.",
        **{("datasets", name, "preparation", option): reasons[option] for option in preparation if option in reasons},
    }
    sections = {
        "files": {name: dict(files)},
        "datasets": {
            name: {"source": name, "preparation": preparation, "seeds": 3, "training": _training(found.rows * TRAIN)}
        },
        "experiments": {f"{name}_{model}": entry for model, entry in _experiments(name, found, question).items()},
        "forecasts": {name: {"origins": ORIGINS, "refits": REFITS, "models": _statistical(question)}},
    }
    return sections, comments


def _training(rows: float) -> dict[str, Any]:
    """How networks are trained: until validation has not improved for some epochs."""
    found: dict[str, Any] = {"method": "gradient_descent", "optimizer": "adam", "loss": "mae"}
    found |= {"epochs": 100 if rows < FEW else 50, "batch_size": 32 if rows < FEW else BATCH, "patience": 5}
    return found | ({"order": "draws", "steps_per_epoch": STEPS} if rows > MANY else {})


def _experiments(dataset: str, found: Found, question: Question) -> dict[str, dict[str, Any]]:
    """The naive answers of each cycle, the strongest models without a network, and networks."""
    last = {"last": min(DAYS * question.day if question.day > 1 else 4 * DAYS, question.lookback)}
    known = {"known": count} if (count := len(question.future) + bool(question.holidays)) else {}
    known |= {} if found.last - found.first >= YEARS else {"season": False}
    none, network = {"method": "none"}, {"method": "gradient_descent"}
    ridge, boosting = {"method": "least_squares", "ridge": 100.0}, {"method": "boosting", **JOINT}
    cycles = {"cycles": question.cycles[:1], **known}
    own = {**cycles, "cycles": question.cycles[:1], "own": True, "base": "zero", "recent": RECENT}
    slow = {**boosting, "trees": 300, "learning_rate": 0.05}
    models: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
        "last_value": ("baselines", "last_value", {}, none),
        **{
            f"cycle_{cycle}": ("baselines", "seasonal_naive", {"timesteps": cycle}, none)
            for cycle in question.cycles
            if cycle <= question.lookback
        },
        "ridge": ("seasonal", "linear", known, ridge),
        "boosting": ("seasonal", "boosting", cycles, boosting),
        "boosting_own": ("seasonal", "boosting", own, slow),
        "mlp": ("dense", "mlp", {"hidden": [64, 32], "dropout": 0.1, **last}, network),
        "gru": ("seasonal", "gru", {"units": 32, **last}, network),
    }
    return {
        key: {
            "dataset": dataset,
            **({"calendar": True} if training is not none else {}),
            "model": {"family": family, "name": name, **options},
            "training": dict(training),
        }
        for key, (family, name, options, training) in models.items()
    }


def _statistical(question: Question) -> dict[str, dict[str, Any]]:
    """Models that are fitted to each window, in the backtest alone."""
    long = {"history": question.history} if question.history else {}
    first = {"cycle": question.cycles[0]} if question.cycles else {}
    models = {"ets": {"name": "ets", **first, **long}}
    for cycle in question.cycles:
        if long or 2 * cycle <= question.lookback:
            models[f"ets_{cycle}"] = {"name": "ets", "cycle": cycle, "trend": False, **long}
    if question.cycles:
        models["mstl"] = {"name": "mstl", "cycles": [*question.cycles], **long}
    return {name: {"family": "statistical", **options} for name, options in models.items()}
