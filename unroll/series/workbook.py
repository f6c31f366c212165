"""A workbook to hand on: history and forecast, sums, what to order, last month's errors."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pandas as pd

from pipeline.errors import UsageError, printable
from pipeline.report.formatting import capital
from unroll.series.rows import Window
from unroll.series.saved import Answer
from unroll.series.text_tables import ORDER, cell, is_order

FEWEST_PAST = 52
"""The rows of history that each series has at least, if models see as many."""

MOST_ROWS = 900_000
"""Rows of history on a sheet, about; programs of tables read a million."""

MOST_WIDTH = 60
"""The width of the widest column, in characters."""

LONGEST_TITLE = 31
"""Characters of a sheet's name, at most."""

DATE = len("2024-12-31")
"""Characters of a date without a time."""

ERRORS = ("mae", "rmse", "naive_mae", "naive_rmse")
"""Columns with one decimal more than forecasts have."""

READINGS = ("measured", "y")
"""Columns of what was measured."""

PROPERTIES = "docProps/core.xml"
"""The part of a workbook with the times of its making and its last change."""

TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

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
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"--xlsx must name a .xlsx file. Received: {path.name!r}")
    ahead = forecast.astype({"unique_id": str})
    past = _history(windows, ahead)
    orders = [name for name in ahead if is_order(name)]
    digits = _decimals(ahead)
    is_whole = (past["measured"].dropna() % 1 == 0).all()
    ahead = _rounded_up(ahead, orders, 0 if is_whole else digits)
    tables = {"Forecast": _joined(past, ahead)}
    if of_series is not None and sums is not None:
        columns = [*of_series.columns]
        coming = _rounded_up(sums, orders, 0 if is_whole else digits)
        coming = coming.drop(columns="series")
        in_all = coming[columns].eq(coming[columns].iloc[0])  # the total is first
        for summed, rows in coming.groupby([*in_all.to_numpy().T], sort=False):
            others = [name for name, own in zip(columns, summed, strict=True) if own]
            shown = [name for name in columns if name not in others]
            of_group = past.join(of_series, on="unique_id").groupby([*shown, "ds"])
            measured = of_group["measured"].sum().reset_index()
            title = " and ".join(shown) or "Total"
            tables[title] = _joined(measured, rows.drop(columns=others))
    for name in orders:
        wide = ahead.assign(ds=ahead["ds"].astype(str)).pivot_table(
            name, "unique_id", "ds", sort=False
        )
        wide.loc["sum of the orders"] = wide.sum()
        wide["sum of the orders"] = wide.sum(axis=1)
        tables[f"What to order {name.removeprefix(ORDER)} %"] = wide.reset_index()
    month = answer.scores(last_month=True)
    tables["Last month"] = month[month["unique_id"].isin(forecast["unique_id"])]
    about = _about(answer, orders)
    written = io.BytesIO()
    with pd.ExcelWriter(written, "openpyxl") as book:
        _write(book, "About", about, {}, 0)
        for name, rows in tables.items():
            _write(book, name, rows, _headings(ahead, answer), digits)
    # equal rows make equal bytes: no clock is in them
    with ZipFile(written) as old, ZipFile(path, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == PROPERTIES:
                content = TIME.sub(b"1980-01-01T00:00:00Z", content)
            new.writestr(ZipInfo(name), content, ZIP_DEFLATED)


def _history(windows: Mapping[str, Window], ahead: pd.DataFrame) -> pd.DataFrame:
    """Return unique_id, ds and measured of the last rows that models see."""
    names = ahead["unique_id"].drop_duplicates()
    most = max(FEWEST_PAST, 2 * len(ahead) // len(names))
    most = min(most, MOST_ROWS // len(names))
    frames = []
    for name, window in zip(names, windows.values(), strict=True):
        clock = window.on_clock(window.stamps[-most:])
        frame = pd.DataFrame({"ds": clock, "measured": window.target[-most:]})
        frames.append(frame.assign(unique_id=name))
    return pd.concat(frames, ignore_index=True)


def _joined(past: pd.DataFrame, ahead: pd.DataFrame) -> pd.DataFrame:
    """Return what was measured and then the forecast, for one series after the other."""
    names = [*ahead.columns[: ahead.columns.get_loc("ds")]]
    rows = pd.concat([past, ahead], ignore_index=True)
    number = rows.groupby(names, sort=False).ngroup() if names else rows["ds"]
    rows = rows.iloc[np.argsort(number, kind="stable")]
    values = [name for name in ahead if name not in {*names, "ds"}]
    return rows[[*names, "ds", "measured", *values]]


def _decimals(ahead: pd.DataFrame) -> int:
    """Return the number of decimals that intervals give meaning to."""
    ends = ahead.drop(columns=["unique_id", "ds"]).replace(np.inf, np.nan)
    width = (ends.max(axis=1) - ends.min(axis=1)).median()
    return int(np.clip(1 - np.floor(np.log10(width)), 0, 6)) if width > 0 else 2


def _rounded_up(rows: pd.DataFrame, orders: Sequence[str], digits: int) -> pd.DataFrame:
    """Return a forecast with what to order rounded up."""
    scale = 10**digits
    return rows.assign(
        **{name: np.ceil(rows[name].round(9) * scale) / scale for name in orders}
    )


def _headings(ahead: pd.DataFrame, answer: Answer) -> dict[str, str]:
    """Return name of a column -> its heading."""
    words = {
        "unique_id": answer.forecaster.fitted.csv.series_id or "Series",
        "ds": "Date",
        "measured": answer.target,
        "values": "Number of values",
        "y": answer.target,
        "y_hat": "Forecast",
        "bias": "Error of the sum, %",
        "mae": "Mean absolute error",
        "rmse": "Root of the mean squared error",
        "naive_mae": "Naive mean absolute error",
        "naive_rmse": "Naive root of the mean squared error",
    }
    kinds = {"lo": "Low", "hi": "High", "order": "Order"}
    for name in ahead.columns.drop(["unique_id", "ds", "y_hat"]):
        kind, percent = name.split("-")
        words[name] = f"{kinds[kind]} {percent} %"
    return words


def _about(answer: Answer, orders: Sequence[str]) -> pd.DataFrame:
    """Return what a reader of the workbook has to know."""
    order = (
        "what suffices in so many of the periods, rounded up; for a sum of series it is "
        "less than the sum of their orders, since their highs and lows cancel out in part"
    )
    words = {
        "forecast of": f"{answer.target}, {answer.name}",
        "in words": answer.sentence,
        "low and high": "the ends of intervals that hold so many of the values",
        **{f"order {name.removeprefix(ORDER)} %": order for name in orders},
        "last month": "the last forecasts of the past, made before the values were known",
    }
    return pd.DataFrame({"What": [*words], "Is": [*words.values()]})


def _write(
    book: pd.ExcelWriter,
    name: str,
    rows: pd.DataFrame,
    headings: Mapping[str, str],
    digits: int,
) -> None:
    """Write a table on a sheet of its own, with real dates, as wide as its cells."""
    from openpyxl.utils import get_column_letter

    title = FORBIDDEN.sub(" ", printable(capital(name)))[:LONGEST_TITLE].strip("' ")
    shown = rows.copy()
    for column in rows:
        own = rows[column]
        if isinstance(own.dtype, pd.DatetimeTZDtype):
            shown[column] = own.dt.tz_localize(None)
        elif column == "bias":
            shown[column] = (100 * own).round(1)
        elif pd.api.types.is_float_dtype(own):
            # Readings stay as they are, but for the noise of their sums.
            shown[column] = own.round(
                9 if column in READINGS else digits + (column in ERRORS)
            )
        elif not pd.api.types.is_numeric_dtype(own) and own.dtype.kind != "M":
            shown[column] = [cell(str(word)) for word in own]
    shown = shown.replace(np.inf, np.nan).replace(-np.inf, np.nan)
    shown.columns = [cell(capital(headings.get(own, own))) for own in shown]
    shown.to_excel(book, sheet_name=title, index=False, freeze_panes=(1, 0))
    for place, column in enumerate(shown.columns):
        own = shown.iloc[:, place]
        texts = own.astype(str)  # dates alone, if all are midnight
        width = min(max(len(column), texts.str.len().max()), MOST_WIDTH)
        letter = get_column_letter(place + 1)
        book.sheets[title].column_dimensions[letter].width = width + 2
        if own.dtype.kind == "M":
            form = "yyyy-mm-dd" if len(texts.iloc[0]) == DATE else "yyyy-mm-dd hh:mm"
            for one in book.sheets[title][letter][1:]:
                one.number_format = form
