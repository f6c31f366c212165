"""The workbook of a forecast: history, dates, sums, orders, last month's errors."""

import datetime as dt
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook

from pipeline.errors import UsageError
from tests.support.answered import answered
from unroll.series import hierarchy, workbook
from unroll.series.forecaster import quantiles_of


class Later(dt.datetime):
    """A clock of another day."""

    @classmethod
    def now(cls, tz=None):
        return cls(2033, 1, 2, tzinfo=tz)


FAMILY = {"=1+1": "food", "@B": "food", "C": "toys"}


def sales(zone=None):
    """Whole numbers a day of three series, two of which have names like formulas."""
    days = pd.date_range("2022-01-01", periods=200, tz=zone)
    frames = []
    for name, family in FAMILY.items():
        values = 50 + np.resize([0, 4, 5, 3, 2, 8, 9], 200)
        values += np.random.default_rng(len(frames)).poisson(9, 200)
        frame = pd.DataFrame({"unique_id": name, "ds": days, "sales": values})
        frames.append(frame.assign(family=family))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module", params=[None, "Europe/Berlin"])
def book(request, tmp_path_factory):
    """The forecast, and the workbook of it."""
    path = tmp_path_factory.mktemp("book") / "order.xlsx"
    answer = answered(sales(request.param), target="sales", horizon=4, models=["ridge"])
    rows, windows = answer.read()
    orders = [0.95]
    forecast = answer.forecaster.after(windows, (0.9,), None, orders)
    of_series = hierarchy.groups(rows.cells, "unique_id", ["family"])
    quantiles = quantiles_of((0.9,), orders)
    sums = hierarchy.sums(forecast, answer.past(), of_series, quantiles)
    again = path.with_name("again.xlsx")
    workbook.write(path, answer, windows, forecast, of_series, sums)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: 2e9)
        clock = SimpleNamespace(datetime=Later, timezone=dt.timezone)
        patch.setattr("openpyxl.packaging.core.datetime", clock)
        patch.setattr("openpyxl.writer.excel.datetime", clock)
        workbook.write(again, answer, windows, forecast, of_series, sums)
    assert path.read_bytes() == again.read_bytes()
    return forecast, load_workbook(path)


def table_of(book, name):
    rows = book[1][name].iter_rows(values_only=True)
    return pd.DataFrame(rows, columns=next(rows))


def test_history_and_forecast_stand_together_with_real_dates(book):
    names = ["About", "Forecast", "Total", "Family", "What to order 95 %", "Last month"]
    assert book[1].sheetnames == names
    rows = table_of(book, "Forecast")
    headings = ["Unique_id", "Date", "Sales", "Forecast", "Low 90 %", "High 90 %"]
    assert [*rows.columns] == [*headings, "Order 95 %"]
    assert [*rows["Unique_id"].unique()] == ["'=1+1", "'@B", "C"]
    own = rows[rows["Unique_id"] == "C"]
    assert own["Date"].is_monotonic_increasing
    is_past = own["Sales"].notna().tolist()
    assert is_past == [True] * (len(own) - 4) + [False] * 4
    assert len(own) > 10
    assert own["Forecast"].isna().tolist() == is_past
    assert isinstance(own["Date"].iloc[-1], dt.datetime)
    assert own["Date"].iloc[-1] == dt.datetime(2022, 7, 23)  # noqa: DTZ001 - as in Excel
    sheet_of = book[1]["Forecast"]
    assert sheet_of["B2"].number_format == "yyyy-mm-dd"
    assert sheet_of.column_dimensions["B"].width == 12


def test_orders_are_whole_and_suffice_and_are_added_up(book):
    orders = table_of(book, "What to order 95 %").set_index("Unique_id")
    forecast = book[0]
    needed = forecast[forecast["unique_id"] == "C"]["order-95"].to_numpy()
    assert orders.loc["C"].to_numpy()[:-1].tolist() == np.ceil(needed).tolist()
    assert (
        orders.loc["sum of the orders", "Sum of the orders"]
        == orders.iloc[:3, :4].to_numpy().sum()
    )


def test_sums_have_a_sheet_for_each_level(book):
    forecast = table_of(book, "Forecast")
    by_family = table_of(book, "Family")
    for column in ("Sales", "Forecast"):
        expected = forecast.groupby("Date")[column].sum()
        found = by_family.groupby("Date")[column].sum()
        np.testing.assert_allclose(found, expected, atol=1)
    orders = table_of(book, "Total")["Order 95 %"].sum()
    assert forecast["Forecast"].sum() < orders < forecast["Order 95 %"].sum()


def test_it_says_how_good_last_month_was(book):
    month = table_of(book, "Last month").set_index("Unique_id")
    assert [*month.index] == ["'=1+1", "'@B", "C"]
    assert (month["Number of values"] == 32).all()
    rows = sales().query("unique_id == 'C'")["sales"].to_numpy()
    assert month.loc["C", "Sales"] == rows[-32:].sum()
    assert month["Error of the sum, %"].abs().max() < 20


def test_a_workbook_has_its_suffix(tmp_path):
    with pytest.raises(UsageError, match="--xlsx must name a .xlsx file"):
        workbook.write(tmp_path / "a.xls", None, {}, None)


def test_readings_are_not_rounded(tmp_path):
    path = tmp_path / "next.xlsx"
    rows = pd.DataFrame({"measured": [-13.31], "y": [0.1 + 0.2], "y_hat": [2.345]})
    with pd.ExcelWriter(path, "openpyxl") as opened:
        workbook._write(opened, "Forecast", rows, {}, 0)
    cells = load_workbook(path)["Forecast"].iter_rows(min_row=2, values_only=True)
    assert next(cells) == (-13.31, 0.3, 2)
