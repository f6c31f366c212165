"""The command `predict`: a forecast of what follows the last row of a series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UsageError, one_line, printable
from pipeline.validation import one_of
from unroll.answers.show_answer import (
    cure,
    plain,
    show_table,
    warn,
    warnings_as_lines,
)
from unroll.series import answer_page, hierarchy, text_tables, workbook
from unroll.series.forecaster import quantiles_of, share_of
from unroll.series.prediction_intervals import USUAL
from unroll.series.rows import Window, when
from unroll.series.saved import Answer
from unroll.terminal import print_json

MANY = 0.1
"""The share of new rows, of the old ones, from which a new answer is recommended."""


@dataclass(frozen=True)
class Predicted:
    """A forecast.

    Attributes:
        answer: the answer whose champion forecasts.
        file: the name of the last file of the rows that were read.
        windows: name of a series -> its last rows.
        level: the coverage of the intervals.
        table: unique_id, ds, y_hat, the ends of the interval, and what to order, as
            `Forecaster.after` returns them; or the table of `Answer.why`.
        explains: whether it is the latter.
        of_series: the groups of series, if sums were asked for.
        sums: the forecasts of their sums.
    """

    answer: Answer
    file: str
    windows: dict[str, Window]
    level: float
    table: pd.DataFrame
    explains: bool
    of_series: pd.DataFrame | None = None
    sums: pd.DataFrame | None = None

    @property
    def shown(self) -> pd.DataFrame:
        """The table that is printed: of the sums, if they were asked for."""
        return self.table if self.sums is None else self.sums

    @property
    def origin(self) -> str:
        """The timestamp of the last row with a target."""
        return when(
            self.answer.forecaster.fitted,
            max(window.stamps[-1] for window in self.windows.values()),
        )

    @property
    def note(self) -> str:
        """A warning if the horizon is longer than the trained one; else ""."""
        trained = self.answer.forecaster.fitted.windows.horizon
        if len(self.table) <= trained * len(self.windows):
            return ""
        return (
            f"From step {trained + 1} on, each forecast is made from the forecasts "
            "before it. Intervals there grow with the square root of the time ahead; "
            "they were not tested."
        )


def predict(
    whole: Answer,
    name: str,
    data: Path | None = None,
    level: float = USUAL,
    plan: Sequence[Path] = (),
    horizon: int | str | None = None,
    series: str | None = None,
    model: str | None = None,
    *,
    why: bool = False,
    by: Sequence[str] = (),
    service_levels: Sequence[float] = (),
) -> Predicted:
    """Forecast what comes after the last row of a series.

    Args:
        whole: the answer.
        name: its name, for messages.
        data: a file of rows; by default `Answer.rows`.
        level: the coverage of the intervals.
        plan: files of future rows with the columns that are known beforehand.
        horizon: rows ahead, or a duration such as "24h"; by default the horizon of the training.
        series: the name of a series, if there are several.
        model: the model that forecasts; by default the one that was chosen.
        why: whether the table has the contributions to the forecast (`Answer.why`).
        by: columns whose values have sums of series.
        service_levels: percents of periods in which what is ordered suffices.

    Raises:
        UsageError: a name, the level or the horizon is wrong.
        UnrollError: the rows cannot be used.
    """
    orders = [*map(share_of, service_levels)]
    quantiles = quantiles_of((level,), orders)
    if by and (series is not None or why):
        raise UsageError("--by adds up all series; leave --series and --why out")
    answer = whole.by_model(model)
    if series is not None:
        _require_series(answer, name, series)
    if why and horizon is not None:
        raise UsageError("--why is for the horizon of the answer; leave --horizon out")
    explained = whole.explained
    chosen = model or whole.board.champion
    if why and explained and chosen not in explained:
        raise UsageError(
            f"--why is available for one of the models {', '.join(explained)} at a time, "
            f"and not for {chosen}; try `unroll predict {name} --why --model "
            f"{explained[0]}`"
        )
    with warnings_as_lines():
        read, windows = answer.read(data, [*plan], horizon, series)
    new = max(window.new for window in windows.values())
    if data is None and new >= MANY:
        warn(
            f"hint: {100 * new:.0f} % more rows have come since the answer; "
            f"`unroll answer {name}` judges the models on them, too"
        )
    if plan and not answer_page.has_forecast(answer):
        warn(f"hint: {name}/{answer_page.PAGE} has no forecast. {cure(name)}")
    rows = (
        whole.why_after(windows, model)
        if why
        else answer.forecaster.after(windows, (level,), horizon, orders)
    )
    file = read.paths[-1].name
    found = Predicted(answer, file, windows, level, rows, explains=why)
    if not by:
        return found
    form = answer.forecaster.fitted.csv
    of_series = hierarchy.groups(read.cells, form.series_id, by)
    sums = hierarchy.sums(rows, whole.past(model), of_series, quantiles)
    return replace(found, of_series=of_series, sums=sums)


def _require_series(answer: Answer, name: str, series: str) -> None:
    """Raise UsageError unless an answer called `name` forecasts a series."""
    several = [key for key in answer.forecaster.names if key]
    if not several:
        raise UsageError(
            f"--series is for a file of several series, and {name} is one series; "
            "leave it out"
        )
    if series in answer.series_left_out:
        reason = answer.series_left_out[series]
        raise UsageError(one_line(f"--series {series} is not forecast: {reason}"))
    one_of(series, several, "--series")


def as_data(predicted: Predicted) -> dict[str, Any]:
    """Return the forecast as plain data. An unknown end of an interval is None."""
    forecaster = predicted.answer.forecaster
    windows = forecaster.fitted.windows
    return {
        "name": forecaster.name,
        "why": forecaster.why,
        "quantity": windows.quantity,
        "unit": windows.unit,
        "origin": predicted.origin,
        "level": predicted.level,
        "note": predicted.note,
        "forecasts": plain(text_tables.with_text_stamps(predicted.shown)),
    }


def put_out(
    predicted: Predicted,
    *,
    plot_path: Path | None = None,
    xlsx: Path | None = None,
    as_csv: bool = False,
    as_json: bool = False,
) -> None:
    """Print a forecast, and write its files.

    With a workbook a picture of several series is left out, with a line.

    Args:
        predicted: the forecast.
        plot_path: a picture.
        xlsx: a workbook.
        as_csv: whether comma-separated values are printed.
        as_json: whether data for programs is printed.

    Raises:
        UsageError: a path has another suffix, or there are several series in a picture.
    """
    if xlsx and predicted.explains:
        raise UsageError("--xlsx has the forecast; leave --why out")
    if xlsx:
        workbook.write(
            xlsx,
            predicted.answer,
            predicted.windows,
            predicted.table,
            predicted.of_series,
            predicted.sums,
        )
    if plot_path and xlsx and len(predicted.windows) > 1:
        warn(f"{xlsx} is written; a plot shows one series: pass --series for --plot")
    elif plot_path:
        draw(predicted, plot_path)
    if as_json:
        print_json(as_data(predicted))
    elif as_csv:
        warn(predicted.note)
        print(text_tables.csv(predicted.shown), end="")
    else:
        show(predicted)


def show(predicted: Predicted) -> None:
    """Print the forecaster, the last timestamp, and the forecast as a table."""
    forecaster = predicted.answer.forecaster
    print(printable(f"{forecaster.name}: {forecaster.why}"))
    print(printable(f"After {predicted.origin}, in {predicted.file}:"))
    if predicted.note:
        print(predicted.note)
    print()
    unit = forecaster.fitted.windows.unit
    if predicted.explains:
        show_table(text_tables.why(predicted.table, unit))
        return
    show_table(text_tables.forecast(predicted.shown, predicted.level, unit))
    if (
        len(predicted.windows) > 1
        and predicted.sums is None
        and any(map(text_tables.is_order, predicted.table))
    ):
        print()
        show_table(text_tables.orders(predicted.table))


def draw(predicted: Predicted, path: Path) -> None:
    """Draw the last measured values, and the forecast with its interval.

    Raises:
        UsageError: the path has another suffix, or there are several series.
    """
    from unroll.series import plot  # Matplotlib takes a second

    if len(predicted.windows) > 1:
        first = next(iter(predicted.windows))
        raise UsageError(
            f"a plot shows one series, and there are {len(predicted.windows)}; "
            f"pass --series, such as --series {first}"
        )
    if path.suffix.lower() not in plot.SUFFIXES:
        raise UsageError(
            f"--plot must name a .png, .svg or .pdf file. Received: {path.name!r}"
        )
    [(name, window)] = predicted.windows.items()
    shown = name or predicted.answer.forecaster.name
    if predicted.explains:
        title = f"{shown}, by {predicted.answer.forecaster.why}"
        figure = plot.why(predicted.table, title=title)
    else:
        title = f"{shown}, intervals of {100 * predicted.level:.0f} %"
        figure = plot.forecast(
            window, predicted.table, level=predicted.level, title=title
        )
    plot.save(figure, path)
