"""The sections of params.yaml for a series: what was found and asked -> data and comments."""

from collections.abc import Mapping
from typing import Any

from pipeline.config.plain_yaml import Place
from pipeline.data.sniff.look import Found
from stages.add.question import DAY, TRAIN, VALIDATION, Question

FEW, MANY = 5_000, 100_000
"""Rows to train on, above which an epoch takes longer than it is worth, and is cut to a number of steps."""

STEPS, BATCH = 500, 128
LAST = 48
"""Timesteps that ridge regression and boosting look back, at most."""

DEFAULTS = {"encoding": "utf-8", "delimiter": ",", "decimal": ".", "skip": 0, "stamp_format": "ISO8601"}


def entries(
    name: str, files: Mapping[str, Any], pattern: str, found: Found, question: Question
) -> tuple[dict[str, dict[str, Any]], dict[Place, str]]:
    """What is added to params.yaml.

    Args:
        name: of the files, of the data set, and the beginning of the experiments' names.
        files: where they lie.
        pattern: the name of the file, or a pattern for several.
        found: what was seen in them.
        question: what is asked.

    Returns:
        Section -> name -> data, and comments as `plain_yaml.added` takes them.
    """
    form, step = found.form, question.step
    stamp = list(form.stamp)
    preparation: dict[str, Any] = {"name": "series", "file": pattern, "stamp": stamp[0] if len(stamp) == 1 else stamp}
    options = ("stamp_format", "time_zone", "encoding", "delimiter", "decimal", "thousands", "names", "skip")
    chosen = {option: getattr(form, option) for option in options}
    preparation |= {option: value for option, value in chosen.items() if value not in (None, DEFAULTS.get(option))}
    preparation |= {"target": question.target}
    quantity = question.target
    if unit := found.columns[question.target].unit:
        preparation["unit"] = unit
        quantity = quantity[: max(map(quantity.rfind, "[("))].rstrip() or quantity
    preparation["quantity"] = quantity
    left_out = {column: why for column in found.columns if (why := found.why_not(column)) and column != question.target}
    words = [column for column in found.columns if column not in left_out and not found.columns[column].numeric]
    preparation |= {"drop": list(left_out)} if left_out else {}
    preparation |= {"categories": words} if words else {}
    preparation |= {"missing": list(found.missing)} if found.missing else {}
    reasons = dict(found.guesses) | question.reasons
    if found.missing or found.gaps:
        preparation["fill"] = max(1, DAY // 4 // found.clock.spacing)
        reasons["fill"] = (
            "rows; proposed: gaps up to a quarter of a day are filled from the past, longer ones cut windows"
        )
    preparation |= {"train": TRAIN, "validation": VALIDATION, "lookback": question.lookback * step}
    preparation |= {"step": step} if step > 1 else {}
    preparation |= {"horizon": question.horizon} if question.horizon > 1 else {}
    preparation["spacing"] = found.clock.spacing
    reasons |= {"spacing": "seconds from row to row", "train": "proposed: shares of the rows, in the order of time"}
    reasons |= {"unit": "from the heading", "quantity": "what reports call it"}
    reasons |= {"drop": "; ".join(f"{column}: {why}" for column, why in left_out.items())}
    reasons |= {"categories": "columns of words: a column of 0 and 1 for each word"}
    seen = ", ".join(f"{word or 'nothing'!s} {count:,} times" for word, count in found.missing.items())
    reasons |= {"missing": f"no value, found: {seen}"}
    comments: dict[Place, str] = {
        ("files",): "Your own files, which DVC watches: an edit of one rebuilds what it can change.",
        ("datasets", name): "Added by `unroll add`; what was guessed or proposed says so.",
    }
    comments |= {
        ("datasets", name, "preparation", option): reasons[option] for option in preparation if option in reasons
    }
    sections = {
        "files": {name: dict(files)},
        "datasets": {
            name: {"source": name, "preparation": preparation, "seeds": 3, "training": _training(found.rows * TRAIN)}
        },
        "experiments": {f"{name}_{model}": entry for model, entry in _experiments(name, question).items()},
    }
    return sections, comments


def _training(rows: float) -> dict[str, Any]:
    """How networks are trained: until validation has not improved for some epochs."""
    found: dict[str, Any] = {"method": "gradient_descent", "optimizer": "adam", "loss": "mae"}
    found |= {"epochs": 100 if rows < FEW else 50, "batch_size": 32 if rows < FEW else BATCH, "patience": 5}
    return found | ({"order": "draws", "steps_per_epoch": STEPS} if rows > MANY else {})


def _experiments(dataset: str, question: Question) -> dict[str, dict[str, Any]]:
    """The plainest answers, the strongest ones without a network, and recurrent networks."""

    def of(
        family: str,
        name: str,
        method: str,
        *,
        calendar: bool = False,
        training: Mapping[str, Any] | None = None,
        **model: Any,
    ) -> dict[str, Any]:
        told = {"calendar": True} if calendar else {}
        chosen = {"family": family, "name": name, **model}
        return {"dataset": dataset, **told, "model": chosen, "training": {"method": method, **(training or {})}}

    last = min(LAST, question.lookback)
    boosting = {"trees": 200, "leaves": 16, "learning_rate": 0.05, "examples": 50}
    found = {
        "last_value": of("baselines", "last_value", "none"),
        "daily_cycle": of("baselines", "daily_cycle", "none"),
        "weekly_cycle": of("baselines", "seasonal_naive", "none", timesteps=7 * question.day),
        "ridge": of("baselines", "linear", "least_squares", calendar=True, training={"ridge": 10.0}, last=last),
        "boosting": of("baselines", "lags", "boosting", calendar=True, training=boosting, last=last),
        "rnn": of("recurrent", "simple_rnn", "gradient_descent", calendar=True, units=32),
        "gru": of("recurrent", "gru", "gradient_descent", calendar=True, units=32),
        "lstm": of("recurrent", "lstm", "gradient_descent", calendar=True, units=32),
        "gru_dropout": of(
            "recurrent", "gru", "gradient_descent", calendar=True, units=32, dropout=0.1, recurrent_dropout=0.1
        ),
    }
    if question.day < 2 or question.lookback < question.day:
        del found["daily_cycle"]
    if not question.day or question.lookback < 7 * question.day:
        del found["weekly_cycle"]
    return found
