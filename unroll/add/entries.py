"""The sections of params.yaml for a series: what was found and asked -> data and comments."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.config.plain_yaml import Place
from pipeline.data.series_options import CsvFormat
from pipeline.data.sniff.profile import FileProfile
from unroll.add.question import DAY, TRAIN, Question

FEW, BATCH = 5_000, 128
"""Rows to train on, below which networks take more epochs of smaller batches."""

MOST_WINDOWS = 25_000
"""That models learn from, evenly drawn: of more an epoch takes longer than it is worth."""

DAYS = 3
"""That networks look back, at most; a week of rows that are a day apart or more, four times."""

ORIGINS, REFITS = 182, 3
"""Of the backtest: half a year of days, so that twelve weeks are left to compare on after twelve to choose on."""

RECENT = 24
"""Last values of the target that boosting of the target alone sees; the other one has six, so that they err apart."""

JOINT = {"strategy": "joint", "trees": 200, "learning_rate": 0.08, "examples": 40, "rows": 150_000}
"""One boosting of all values ahead, from a subset of them."""

YEARS = 2 * np.timedelta64(365, "D")
"""Of rows, below which models are not told the time of the year: they would learn single weeks by heart."""

WRITTEN = (
    *("stamp_format", "time_zone", "encoding", "delimiter", "decimal", "thousands", "names", "skip"),
    "units_rows",
)
"""Options of a file's form that stand in the entry where they are not the usual ones."""


def entries(
    name: str, files: Mapping[str, Any], pattern: str, found: FileProfile, question: Question
) -> tuple[dict[str, dict[str, Any]], dict[Place, str]]:
    """What is added to params.yaml: section -> name -> data, and comments as `plain_yaml.added` takes them.

    `name` is that of the files, of the data set, and the beginning of the experiments' names; `files` says where they
    lie, and `pattern` is the file's name, or one for several.
    """
    form, usual, stamp = found.form, CsvFormat(), list(found.form.stamp)
    quantity, unit = found.columns[question.target].quantity, found.columns[question.target].unit
    others = [column for column in found.columns if column not in {question.target, found.series_id}]
    left_out = {column: why for column in others if (why := found.why_not(column))}
    words = [column for column in others if column not in left_out and not found.columns[column].numeric]
    spacing, gaps = found.freq, found.missing or found.gaps or found.series_id
    csv = {
        "file": pattern,
        "stamp": stamp[0] if len(stamp) == 1 else stamp,
        "target": question.target,
        **{option: getattr(form, option) for option in WRITTEN if getattr(form, option) != getattr(usual, option)},
        "series_id": found.series_id,
        "drop": [*left_out] or None,
        "categories": words or None,
        # Else a word such as None would mean nothing, and rows with what is known beforehand have no target.
        "missing": [*found.missing] or ([""] if words or question.future else None),
        "ends": form.ends or None,
    }
    cleaning = {
        "spacing": spacing,
        "fill": max(1, DAY // 4 // spacing) if gaps else None,
        "repeat": question.cycles[0] * question.step if gaps and question.cycles else None,
        "rows": found.offset,
        "until": str(found.last.astype("datetime64[s]")),
    }
    stride = -(-found.rows // MOST_WINDOWS)
    windows = {
        "lookback": question.lookback * question.step,
        "step": question.step if question.step > 1 else None,
        "horizon": question.horizon if question.horizon > 1 else None,
        "stride": stride if stride > 1 else None,
        "unit": unit or None,
        "quantity": quantity,
        "week": True if question.day or found.offset == "business" else None,
        "overlap": True,
        "partial": True,
        "future": [*question.future] or None,
        "holidays": question.holidays,
    }
    sections: dict[str, dict[str, Any]] = {
        section: {option: value for option, value in options.items() if value is not None}
        for section, options in (("csv", csv), ("cleaning", cleaning), ("windows", windows))
    }
    preparation = {"name": "series", **sections, "train": TRAIN}
    seen = ", ".join(f"{word or 'nothing'!s} {count:,} times" for word, count in found.missing.items())
    reasons = {
        "unit": "from the heading",
        "quantity": "what reports call it",
        "drop": "; ".join(f"{column}: {why}" for column, why in left_out.items()),
        "categories": "columns of words: a column of 0 and 1 for each word",
        "missing": f"no value, found: {seen}",
        "fill": "rows; proposed: what is missing for up to a quarter of a day takes the last value",
        "repeat": "rows; what is missing for longer takes the value of a cycle before; after seven, windows are cut",
        "train": "of the rows, in the order of time; origins of the backtest lie in the rest",
        "stride": "rows from one window to the next that models learn from",
        "spacing": "seconds from row to row",
        "until": "later rows are for the refit alone; `unroll renew NAME` moves this on",
        **found.reasons,
        **question.reasons,
    }
    comments: dict[Place, str] = {
        ("files",): "Your own files, which DVC watches: an edit of one rebuilds what it can change.",
        ("datasets", name): "Added by `unroll add`; what was guessed or proposed says so.",
        **{
            ("datasets", name, "preparation", section, option): reasons[option]
            for section, options in sections.items()
            for option in options
            if option in reasons
        },
        ("datasets", name, "preparation", "train"): reasons["train"],
    }
    made = {
        "files": {name: dict(files)},
        "datasets": {
            name: {"source": name, "preparation": preparation, "seeds": 3, "training": _training(found.rows * TRAIN)}
        },
        "experiments": {f"{name}_{model}": entry for model, entry in _experiments(name, found, question).items()},
        "forecasts": {name: {"origins": ORIGINS, "refits": REFITS}},
    }
    return made, comments


def _training(rows: float) -> dict[str, Any]:
    """How networks are trained: until validation has not improved for some epochs."""
    found: dict[str, Any] = {"method": "gradient_descent", "optimizer": "adam", "loss": "mae"}
    found |= {"epochs": 100 if rows < FEW else 50, "batch_size": 32 if rows < FEW else BATCH, "patience": 5}
    return found


def _experiments(dataset: str, found: FileProfile, question: Question) -> dict[str, dict[str, Any]]:
    """The naive answers of each cycle, the strongest models without a network, and networks."""
    last = {"last": min(DAYS * question.day if question.day > 1 else 4 * DAYS, question.lookback)}
    known = {"known": count} if (count := len(question.future) + bool(question.holidays)) else {}
    known |= {} if found.last - found.first >= YEARS else {"season": False}
    none, network = {"method": "none"}, {"method": "gradient_descent"}
    ridge, boosting = {"method": "least_squares", "ridge": 100.0}, {"method": "boosting", **JOINT}
    cycles = {"cycles": question.cycles[:1], **known}
    own = {**cycles, "cycles": question.cycles[:1], "own": True, "base": "zero", "recent": RECENT}
    slow = {**boosting, "trees": 300, "learning_rate": 0.05}
    differences, quick = {**own, "base": "cycle"}, {**boosting, "trees": 150, "learning_rate": 0.1}
    differences["cycles"] = question.cycles[:1]  # its own list: YAML would refer from one to the other
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
        **({"boosting_cycle": ("seasonal", "boosting", differences, quick)} if question.cycles else {}),
        "mlp": ("dense", "mlp", {"hidden": [64, 32], "dropout": 0.1, **last}, network),
        "gru": ("seasonal", "gru", {"units": 32, **last}, network),
        **{name: ("statistical", kind, options, none) for name, (kind, options) in _statistical(question).items()},
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


def _statistical(question: Question) -> dict[str, tuple[str, dict[str, Any]]]:
    """Models that are fitted to each window: name -> kind and options."""
    long = {"history": question.history} if question.history else {}
    first = {"cycle": question.cycles[0]} if question.cycles else {}
    models: dict[str, tuple[str, dict[str, Any]]] = {"ets": ("ets", {**first, **long})}
    for cycle in question.cycles:
        if long or 2 * cycle <= question.lookback:
            models[f"ets_{cycle}"] = ("ets", {"cycle": cycle, "trend": False, **long})
    if question.cycles:
        models["mstl"] = ("mstl", {"cycles": [*question.cycles], **long})
    return models
