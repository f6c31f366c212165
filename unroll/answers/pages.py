"""The files of an answer for people: the forecast as a table, pictures, and the page."""

import warnings
from collections.abc import Mapping

import pandas as pd

from pipeline.files import write_text
from series import page, plot, table
from series.answer import LEVELS, Answer
from series.forecaster import OutsideRangeWarning
from series.intervals import USUAL
from series.leaderboard import errors_by_block
from series.rows import Window
from series.sentence import title

FORECAST = "forecast.csv"
"""The file of the forecast."""

AHEAD = "forecast.svg"
"""The picture of what was measured last, and of the forecast."""

WEEKS = "weeks.svg"
"""The picture of the errors that the sides of the comparison had."""

PAGE = "index.html"
"""The page."""


def write(answer: Answer) -> None:
    """Write the files of an answer into its folder, as far as there is something to
    show.

    Args:
        answer: as it was loaded from its folder.

    Raises:
        UnknownAheadError: there is no forecast, since what must be known beforehand is
            not.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutsideRangeWarning)  # `unroll predict` says it
        windows = answer.forecaster.read(answer.files)
    rows = answer.forecaster.after(windows, LEVELS)
    text = table.with_text_stamps(rows).to_csv(index=False, lineterminator="\n")
    write_text(answer.folder / FORECAST, text)
    captions = {}
    if len(windows) == 1:
        captions[AHEAD] = _draw_forecast(answer, windows, rows)
    if answer.board.comparison is not None:
        captions[WEEKS] = _draw_weeks(answer)
    pictures = {}
    for name, caption in captions.items():
        pictures[caption] = (answer.folder / name).read_text(encoding="utf-8")
    write_text(answer.folder / PAGE, page.page(answer, rows, USUAL, pictures))


def _draw_forecast(
    answer: Answer, windows: Mapping[str, Window], rows: pd.DataFrame
) -> str:
    """Draw what was measured and the forecast; the caption."""
    percent = f"{100 * USUAL:.0f} %"
    [window] = windows.values()
    about = f"{answer.name}, intervals of {percent}"
    plot.forecast(answer.folder / AHEAD, window, rows, level=USUAL, title=about)
    return f"What was measured, and the forecast with its {percent} interval."


def _draw_weeks(answer: Answer) -> str:
    """Draw the error of both sides in each week; the caption."""
    board = answer.board
    names = [name for name in (board.network, board.opponent) if name is not None]
    sides = {name: title(board, answer.about.titles, name) for name in names}
    errors = errors_by_block(answer.forecasts, board)
    plot.by_week(answer.folder / WEEKS, errors, sides, unit=board.unit)
    return f"The error of both, in the {errors.index.name} that compare them."


def read_forecast(answer: Answer, level: float) -> pd.DataFrame:
    """Return what comes next, with intervals of one level: as it was written, else
    computed now.

    Raises:
        UnknownAheadError: what must be known beforehand is not.
    """
    columns = ["unique_id", "ds", "y_hat", f"lo-{100 * level:g}", f"hi-{100 * level:g}"]
    if (answer.folder / FORECAST).is_file():
        rows = pd.read_csv(
            answer.folder / FORECAST, dtype={"unique_id": str, "ds": str}
        )
        if set(columns) <= set(rows.columns):
            return rows[columns]
    return answer.forecast(levels=(level,))
