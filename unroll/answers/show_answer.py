"""An answer on the terminal, and as plain data."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import UnknownAheadError, UsageError, printable
from pipeline.report.formatting import capital
from unroll import terminal
from unroll.series import answer_page, judge, text_tables
from unroll.series.forecaster import quantiles_of
from unroll.series.saved import LEVELS, SHOWN, Answer, load, typed
from unroll.series.text_tables import Table

IMPORTANT = ("Coverage", "CPU s")
"""Columns that a narrow terminal shows before others, besides the change in error."""


def warn(text: str) -> None:
    """Print a line on standard error, unless it is empty."""
    if text:
        print(printable(f"unroll: {text}"), file=sys.stderr)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print the library's warnings as lines on standard error, at the end."""
    with warnings.catch_warnings(record=True, action="always") as told:
        yield
    for warning in told or ():
        warn(f"warning: {warning.message}")


def show(answer: Answer, level: float) -> None:
    """Print the answer, the models, the forecast, the files, and the next command."""
    show_models(answer)
    print()
    where = Path(os.path.relpath(answer.folder))
    plan = ""
    try:
        rows = forecast_at(answer, level)
    except UnknownAheadError as error:
        print(printable(f"No forecast yet: {error.what}. {cure(where)}"))
        plan = " --future FILE"
    else:
        unit = answer.forecaster.fitted.windows.unit
        show_table(text_tables.forecast(rows, level, unit))
    there = [str(where / name) for name in SHOWN if (answer.folder / name).is_file()]
    print(f"\nFiles: {', '.join(there)}")
    print(f"{where}/ holds the rows, too: who is sent the folder gets them.")
    print(f"Next: unroll predict {where}{plan}")


def forecast_at(answer: Answer, level: float) -> pd.DataFrame:
    """Return the forecast with intervals of one level.

    Raises:
        UnknownAheadError: a value that must be known beforehand is not.
    """
    windows, rows = answer.coming
    if level not in LEVELS:
        rows = answer.forecaster.after(windows, (level,))
    columns = ["unique_id", "ds", "y_hat", *quantiles_of((level,))]
    return typed(rows[columns], answer.findings.integers)


def cure(answer: Path | str) -> str:
    """Return how the page of an answer gets its forecast, as a sentence."""
    return f"{answer_page.CURE} `unroll answer {answer}` draws it."


def show_models(answer: Answer) -> None:
    """Print the sentence, and the table of models with what explains it."""
    print(printable(f"{answer.name}: {answer.sentence}"))
    models = text_tables.models(answer.models, answer.unit, answer.board.objective)
    left_out: dict[str, list[str]] = {}
    for name, why in answer.findings.models_left_out.items():
        left_out.setdefault(why, []).append(name)
    caption = [
        *filter(None, [printable(answer.hint), text_tables.explained(answer.board)])
    ]
    for why, names in left_out.items():
        caption.append(printable(f"Left out: {', '.join(names)}: {why}"))
    print()
    terminal.show_table(
        models.headings,
        models.rows,
        numeric=models.numeric,
        important=[*models.numeric[1:3], *IMPORTANT],
        caption="\n".join(caption),
    )


def verdict(answer: Answer, against: Answer) -> str:
    """Return the verdict on the models that forecast in two answers, or why there is
    none.
    """
    try:
        text = judge.of_answers(answer, against).sentence
    except UsageError as error:
        text = f"{capital(str(error))}."
    return printable(text)


def show_table(forecast: Table) -> None:
    """Print a table of timestamps, at most its first `terminal.MOST_LINES` rows."""
    shown = forecast.rows[: terminal.MOST_LINES]
    caption = ""
    if len(shown) < len(forecast.rows):
        caption = f"The first {len(shown)} of {len(forecast.rows):,} rows; `--csv` prints all."
    terminal.show_table(
        forecast.headings, shown, numeric=forecast.numeric, caption=caption
    )


def about(answer: Answer) -> dict[str, Any]:
    """Return the answer and its models as plain data."""
    return {
        "name": answer.name,
        "folder": answer.folder.name,
        "target": answer.target,
        "answer": answer.sentence,
        "outcome": answer.outcome,
        "hint": answer.hint,
        "left_out": answer.left_out,
        "error_unit": answer.unit,
        "models": plain(answer.models),
        "members": answer.board.members,
    }


def facts_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is known about the answer in a folder, as `unroll show` prints it."""
    answer = load(folder)
    known = about(answer)
    known["horizon"] = answer.rows_ahead
    known["models"] = [row["model"] for row in known["models"]]
    known["files"] = [file.path for file in answer.findings.files]
    known["options"] = answer.findings.asked.given
    return {"answer": known}


def as_data(answer: Answer, level: float) -> dict[str, Any]:
    """Return the answer and the forecast as plain data.

    The forecast is empty if a value that must be known beforehand is not.
    """
    try:
        rows = plain(text_tables.with_text_stamps(forecast_at(answer, level)))
    except UnknownAheadError:
        rows = []
    return {**about(answer), "level": level, "forecasts": rows}


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain data; a number that is not finite is None."""
    finite = frame.replace([np.inf, -np.inf], np.nan)
    rows = finite.astype(object).where(finite.notna(), None)
    return list(rows.to_dict("records"))
