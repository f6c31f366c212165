"""A workbook to hand on: history and forecast, sums, what to order, last month's errors."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Font

from pipeline.errors import UsageError, printable
from pipeline.files import atomic_file
from pipeline.report.formatting import capital
from series import hierarchy
from series.rows import Window
from series.saved import Answer
from series.table import ORDER, cell

FEWEST_PAST = 52
"""The rows of history that each series has at least, if it has as many."""

MOST_ROWS = 1_000_000
"""Rows of a sheet, about; programs of tables read no more."""

MOST_WIDTH = 60
"""The width of the widest column, in characters."""

LONGEST_TITLE = 31
"""Characters of a sheet's name, at most."""

FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
"""Characters that no sheet's name may have."""


def write(
    path: Path,
    answer: Answer,
    windows: Mapping[str, Window],
    forecast: pd.DataFrame,
    of_series: pd.DataFrame | None = None,
    sums: pd.DataFrame | None = None,
) -> None:
    """Write a workbook.

    Times are those of the series' clock. Numbers have the decimals that the intervals
    leave; what to order is rounded up.

    Args:
        path: the path of the workbook.
        answer: the answer.
        windows: name of a series -> its last rows.
        forecast: the forecast of each series, as `Answer.forecast` returns it.
        of_series: the groups of series, as `hierarchy.groups` returns them.
        sums: the forecasts of these, as `hierarchy.sums` returns them.

    Raises:
        UsageError: the path has another suffix.
    """
    require_suffix(path)
    ahead = forecast.assign(
        unique_id=forecast["unique_id"].astype(str), ds=_plain(forecast["ds"])
    )
    past = _history(answer, windows, ahead)
    orders = [name for name in ahead if name.startswith(ORDER)]
    decimals = _decimals(ahead)
    is_whole = bool((past["measured"].dropna() % 1 == 0).all())

    def rounded(rows: pd.DataFrame) -> pd.DataFrame:
        numbers = rows.select_dtypes(float).replace([np.inf, -np.inf], np.nan)
        numbers = numbers.round(decimals)
        for name in orders:
            digits = 0 if is_whole else decimals
            up = np.ceil(rows[name].round(9) * 10.0**digits) / 10.0**digits
            numbers[name] = up.replace(np.inf, np.nan)
        return rows.assign(**numbers)

    tables = {"Forecast": rounded(_joined(past, ahead))}
    if of_series is not None and sums is not None:
        words = [*sums.columns[: sums.columns.get_loc("ds")]]
        measured = hierarchy.measured(past, of_series)
        measured.columns = [*words, "ds", "measured"]
        coming = sums.assign(ds=_plain(sums["ds"])).drop(columns="series")
        every = rounded(_joined(measured, coming))
        crossed = every[words].ne(sums[words].iloc[0])
        for level, rows in every.groupby([*crossed.to_numpy().T], sort=False):
            shown = [name for name, own in zip(words, level, strict=True) if own]
            others = [name for name in words if name not in shown]
            tables[" and ".join(shown) or "total"] = rows.drop(columns=others)
    for name in orders:
        values = rounded(ahead).set_index(["unique_id", "ds"])[name]
        wide = values.unstack()  # noqa: PD010 - there is one value for each
        wide = wide.reindex(ahead["unique_id"].unique())
        wide.loc["sum"] = wide.sum()
        tables[f"what to order {name.removeprefix(ORDER)} %"] = wide.assign(
            sum=wide.sum(axis=1)
        ).reset_index()
    errors = answer.scores(last_month=True).astype({"unique_id": str})
    errors = errors[errors["unique_id"].isin(ahead["unique_id"])]
    decimal = errors.select_dtypes(float).drop(columns="bias").round(decimals + 1)
    tables["last month"] = errors.assign(**decimal, bias=errors["bias"].round(3))
    headings = _headings(ahead, answer)
    book = Workbook()
    book.remove(book.active)
    about = pd.DataFrame(_about(answer, orders), columns=["what", "is"])
    for name, table in {"about": about, **tables}.items():
        _write(book, name, table, headings)
    with atomic_file(path) as temporary:
        book.save(temporary)


def require_suffix(path: Path) -> None:
    """Raise UsageError if a path does not name a workbook."""
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"--xlsx must name a .xlsx file. Received: {path.name!r}")


def _history(
    answer: Answer, windows: Mapping[str, Window], ahead: pd.DataFrame
) -> pd.DataFrame:
    """Return unique_id, ds and measured of the last rows of each series.

    They are those that models see, and those of the past cutoffs before them.
    """
    horizon = len(ahead) // len(windows)
    most = max(FEWEST_PAST, 2 * horizon)
    most = max(1, min(most, MOST_ROWS // len(windows) - horizon))
    spec = answer.forecaster.first
    past = answer.past().astype({"unique_id": str}).sort_values("ds", kind="stable")
    if len(spec.fitted.windows.ahead) * spec.fitted.windows.step < spec.stride:
        past = past[:0]  # there are gaps between the cutoffs
    of_name = dict(iter(past.groupby("unique_id")))
    frames = []
    names = ahead["unique_id"].drop_duplicates()
    for name, window in zip(names, windows.values(), strict=True):
        values = pd.Series(window.target, pd.DatetimeIndex(window.stamps))
        if name in of_name:
            before = of_name[name].set_index("ds")["y"]
            values = pd.concat([before[before.index < values.index[0]], values])
        values = values[~values.index.duplicated()][-most:]
        clock = window.question.on_clock(values.index.to_numpy("datetime64[ms]"))
        rows = {"ds": clock.tz_localize(None), "measured": values.to_numpy()}
        frames.append(pd.DataFrame({"unique_id": name, **rows}))
    return pd.concat(frames, ignore_index=True)


def _joined(past: pd.DataFrame, ahead: pd.DataFrame) -> pd.DataFrame:
    """Return what was measured and then the forecast, for one series after the other."""
    rows = pd.concat([past, ahead], ignore_index=True)
    names = [*rows.columns[: rows.columns.get_loc("ds")]]
    number = rows.groupby(names, sort=False).ngroup()
    return rows.iloc[np.argsort(number, kind="stable")]


def _plain(stamps: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return timestamps without a time zone, on the same clock."""
    return stamps.dt.tz_localize(None)


def _decimals(ahead: pd.DataFrame) -> int:
    """Return the number of decimals that intervals give meaning to."""
    ends = ahead.drop(columns=["unique_id", "ds"]).replace(np.inf, np.nan)
    width = (ends.max(axis=1) - ends.min(axis=1)).median()
    if not width > 0:
        return 2
    return int(np.clip(1 - np.floor(np.log10(width)), 0, 6))


def _headings(ahead: pd.DataFrame, answer: Answer) -> dict[str, str]:
    """Return name of a column -> its heading."""
    words = {
        "unique_id": answer.forecaster.question.csv.series_id or "series",
        "ds": "date",
        "measured": answer.target,
        "y": answer.target,
        "y_hat": "forecast",
        "bias": "error of the sum",
        "mae": "mean absolute error",
        "rmse": "root of the mean squared error",
        "naive_mae": "naive mean absolute error",
        "naive_rmse": "naive root of the mean squared error",
    }
    kinds = {"lo": "low", "hi": "high", "order": "order"}
    for name in ahead.columns.drop(["unique_id", "ds", "y_hat"]):
        kind, percent = name.split("-")
        words[name] = f"{kinds[kind]} {percent} %"
    return words


def _about(answer: Answer, orders: Sequence[str]) -> list[tuple[str, str]]:
    """Return what a reader of the workbook has to know."""
    found = [
        ("forecast of", f"{answer.target}, {answer.name}"),
        ("in words", answer.sentence),
        ("low and high", "the ends of intervals that hold so many of the values"),
    ]
    for name in orders:
        percent = name.removeprefix(ORDER)
        words = f"what suffices in {percent} % of the periods, rounded up; for a "
        words += "sum it is less than the sum of what each series needs"
        found.append((f"order {percent} %", words))
    month = "the last forecasts of the past, made before their values were known"
    return [*found, ("last month", month)]


def _write(
    book: Any, name: str, rows: pd.DataFrame, headings: Mapping[str, str]
) -> None:
    """Write a table on a sheet of its own, with real dates, as wide as its cells."""
    title = FORBIDDEN.sub(" ", printable(capital(name)))[:LONGEST_TITLE].strip("' ")
    sheet = book.create_sheet(title or "sums")
    columns = []
    for column in rows:
        heading = column
        if isinstance(column, str):
            heading = cell(capital(headings.get(column, column)))
        values = [heading, *rows[column].astype(object)]
        columns.append([_value(value) for value in values])
    for row in zip(*columns, strict=True):
        sheet.append(row)
    sheet.freeze_panes = "A2"
    for own, column, values in zip(sheet.columns, rows, columns, strict=True):
        moments = [value for value in values if isinstance(value, datetime)]
        is_day = all(moment.time() == time() for moment in moments)
        stamp = "yyyy-mm-dd" if is_day else "yyyy-mm-dd hh:mm"
        for one in own:
            if isinstance(one.value, datetime):
                one.number_format = stamp
            elif column == "bias":
                one.number_format = "0.0%"
        own[0].font = Font(bold=True)
        texts = [stamp if moments else str(value) for value in values]
        width = min(max(map(len, texts)), MOST_WIDTH)
        sheet.column_dimensions[own[0].column_letter].width = width + 2


def _value(value: Any) -> Any:
    """Return a value for a cell: None if there is none, text without formulas."""
    if isinstance(value, str):
        return cell(value)
    if pd.isna(value):
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
