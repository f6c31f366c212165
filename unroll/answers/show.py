"""An answer on the terminal, and as plain data."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UnknownAheadError, printable
from series import table
from series.answer import Answer
from unroll import tables
from unroll.answers import pages

if TYPE_CHECKING:
    import pandas as pd

IMPORTANT = ("Change", "95 % interval", "90 % held")
"""Columns that a narrow terminal shows before others."""


def show(answer: Answer, level: float) -> None:
    """Print the answer, the models, the forecast, where the files are, and what to type
    next.
    """
    show_models(answer)
    print()
    where = Path(os.path.relpath(answer.folder))
    try:
        rows = pages.read_forecast(answer, level)
    except UnknownAheadError as error:
        print(
            printable(
                f"No forecast yet: {error}. Next: unroll predict {where} --future FILE"
            )
        )
        return
    show_forecast(rows, level, answer.forecaster.spec.fitted.windows.unit)
    files = (pages.FORECAST, pages.AHEAD, pages.WEEKS, pages.PAGE)
    there = [name for name in files if (answer.folder / name).is_file()]
    print(f"\nFiles: {', '.join(str(where / name) for name in there)}")
    print(f"Next: unroll predict {where}")


def show_models(answer: Answer) -> None:
    """Print the sentence, the hint and the table of models."""
    print(printable(f"{answer.name}: {answer.sentence}"))
    if answer.hint:
        print(printable(answer.hint))
    models = table.models(answer.models, answer.unit)
    caption = (
        "Scores are of the later half of the cutoffs. Change: of the error, against the best model "
        "without recurrence of the earlier half."
    )
    for name, why in answer.about.left_out.items():
        caption += f"\nLeft out: {name}, {why}"
    print()
    tables.show(
        models.headings,
        models.rows,
        numeric=models.numeric,
        important=IMPORTANT,
        caption=caption,
    )


def show_forecast(rows: "pd.DataFrame", level: float, unit: str) -> None:
    """Print a forecast, of many rows the first ones."""
    forecast = table.forecast(rows, level, unit)
    shown = forecast.rows[: tables.MOST_LINES]
    caption = ""
    if len(shown) < len(forecast.rows):
        caption = f"The first {len(shown)} of {len(forecast.rows):,} rows; `--csv` prints all."
    tables.show(forecast.headings, shown, numeric=forecast.numeric, caption=caption)


def about(answer: Answer) -> dict[str, Any]:
    """Return the answer and its models as plain data."""
    return {
        "name": answer.name,
        "answer": answer.sentence,
        "outcome": answer.outcome,
        "hint": answer.hint,
        "error_unit": answer.unit,
        "models": plain(answer.models),
        "members": answer.board.members,
    }


def as_data(answer: Answer, level: float) -> dict[str, Any]:
    """Return the answer and the forecast as plain data; an empty forecast where there
    is none.
    """
    try:
        rows = plain(table.with_text_stamps(pages.read_forecast(answer, level)))
    except UnknownAheadError:
        rows = []
    return {**about(answer), "level": level, "forecasts": rows}


def plain(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return the rows of a table as plain data; a number that is not finite is None."""
    rows: list[dict[str, Any]] = frame.to_dict("records")
    for row in rows:
        for key, value in row.items():
            if isinstance(value, float) and not math.isfinite(value):
                row[key] = None
    return rows


def csv(rows: "pd.DataFrame") -> str:
    """Return a forecast as comma-separated values, numbers in full."""
    return str(table.with_text_stamps(rows).to_csv(index=False, lineterminator="\n"))
