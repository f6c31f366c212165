"""A file of several series: one model of all, and for each one the forecast and the scores that it would have alone."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.data.preparations import series
from pipeline.data.series_options import Cleaning, CsvFormat, Windowing
from pipeline.errors import UnrollError
from series.backtest import folds
from series.forecaster import Forecaster
from tests.support.training import added
from unroll.commands.main import invoke

DAYS = 240
MODEL = {"csv": CsvFormat, "cleaning": Cleaning, "windows": Windowing}
MODELS = ("last_value", "cycle_7", "ridge")
LEVELS = {"north": 1000.0, "south": 3.0, "west": 50.0}


def rows():
    """Three shops of different size; one opens late, one is shut for three days, and rows stand in no order."""
    random, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=DAYS)
    parts = []
    for index, (name, level) in enumerate(LEVELS.items()):
        week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(DAYS) / 7 + index)
        sales = level * week * np.exp(0.05 * random.standard_normal(DAYS))
        parts.append(pd.DataFrame({"day": days, "shop": name, "sales": sales}))
    parts[1], parts[2] = parts[1].drop(index=range(1, 30)), parts[2].drop(index=range(60, 63))
    return pd.concat(parts).sample(frac=1, random_state=0)


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """A workspace after `unroll add` and all stages, with the quickest of the models that it wrote."""
    return added(tmp_path_factory.mktemp("shops"), "shops", rows(), MODELS, "--lookback", "14", origins=14, refits=2)


def run(capsys, workspace, *arguments):
    capsys.readouterr()
    invoke(["--root", str(workspace.root), *arguments])
    return capsys.readouterr()


def test_each_series_is_prepared_as_if_it_were_alone(shops, tmp_path):
    whole = dataset.load(shops.prepared("shops"), calendar=True)
    options = plain_yaml.read(shops.params)["datasets"]["shops"]["preparation"]
    csv = options["csv"]
    assert (options.pop("name"), csv.pop("series_id"), csv["target"]) == ("series", "shop", "sales")
    assert "drop" not in csv
    csv["missing"] = [""]
    days = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=DAYS)})
    for number, name in enumerate(LEVELS):
        own = rows().query("shop == @name").drop(columns="shop")
        days.merge(own, how="left").to_csv(tmp_path / "shops.csv", index=False)
        given = {key: MODEL[key].model_validate(value) if key in MODEL else value for key, value in options.items()}
        alone = series.prepare("shops", tmp_path, **given)
        for split, windows in alone.splits.items():
            every = whole.splits[split]
            mine = np.flatnonzero(whole.series_id[every.rows] == number)
            for a, b in zip(every.take(mine), windows.take(np.arange(len(windows))), strict=True):
                np.testing.assert_array_equal(a, b)
        assert whole.scales[name] == alone.scale


def test_origins_are_those_of_all_and_nothing_later_is_learnt(shops):
    whole = dataset.load(shops.prepared("shops"))
    for fold in folds(whole, params.load(shops.params).forecast("shops")):
        asked = [fold.test.rows[whole.series_id[fold.test.rows] == number] % DAYS for number in range(3)]
        assert len(asked[0]) == 7
        np.testing.assert_array_equal(asked[0], asked[1])
        np.testing.assert_array_equal(asked[0], asked[2])
        assert (fold.train.rows % DAYS).max() + 6 < asked[0][0]


def test_a_series_that_ends_earlier_is_forecast_from_its_own_end(shops, capsys, tmp_path):
    table = rows()
    table[(table["shop"] != "south") | (table["day"] < "2024-08-23")].to_csv(tmp_path / "new.csv", index=False)
    printed = run(capsys, shops, "predict", "shops", "--data", str(tmp_path / "new.csv"), "--csv")
    first = pd.read_csv(io.StringIO(printed.out)).groupby("shop")["stamp"].min()
    assert first.to_dict() == {"north": "2024-08-28", "south": "2024-08-23", "west": "2024-08-28"}
    told = "south: 'sales' was measured last at 2024-08-22; the forecast starts there (5 rows have none after that)"
    assert told in printed.err


def test_errors_over_all_are_in_no_series_own_unit(shops, capsys):
    (table,) = json.loads(run(capsys, shops, "compare", "shops", "--json").out)
    assert "MAE, standard deviations, last 7 days" in [column["title"] for column in table["columns"]]


def test_a_forecast_of_each_and_of_one(shops, capsys):
    table = pd.read_csv(io.StringIO(run(capsys, shops, "predict", "shops", "--csv").out))
    assert table["shop"].tolist() == [name for name in LEVELS for _ in range(7)]
    assert table["stamp"].iloc[0] == "2024-08-28"
    assert ((table["low"] < table["forecast"]) & (table["forecast"] < table["high"])).all()
    for name, level in LEVELS.items():
        assert table[table["shop"] == name]["forecast"].mean() == pytest.approx(level, rel=0.1)
    south = json.loads(run(capsys, shops, "predict", "shops", "--series", "south", "--horizon", "2", "--json").out)
    assert [row["step"] for row in south["forecasts"]] == [1, 2]
    assert [row["forecast"] for row in south["forecasts"]] == table[table["shop"] == "south"]["forecast"].tolist()[:2]
    assert run(capsys, shops, "predict", "shops/ridge", "--csv").out.count("\n") == 1 + 3 * 7, "one model of all"
    assert "north" in run(capsys, shops, "predict", "shops").out
    served = Forecaster.load(shops.forecaster("shops")).forecast(rows().astype({"day": str}))
    np.testing.assert_array_equal(served["forecast"], table["forecast"])
    assert list(served) == ["shop", "stamp", "forecast", "low", "high"]


def test_new_rows_of_some_forecast_those(shops, capsys, tmp_path):
    rows().query("shop != 'west'").to_csv(tmp_path / "new.csv", index=False)
    printed = run(capsys, shops, "predict", "shops", "--csv", "--data", str(tmp_path / "new.csv"))
    assert printed.out.count("\n") == 1 + 2 * 7
    assert "unroll: warning: west: left out: new.csv, west: a forecast needs the last" in printed.err


def test_series_with_too_few_rows_are_left_out_by_name_and_the_others_are_answered(tmp_path, capsys):
    days = pd.date_range("2024-01-01", periods=DAYS).strftime("%Y-%m-%d")
    late = rows().query("shop == 'south'").assign(shop="late").query("day >= '2024-07-20'")
    early = rows().query("shop == 'south'").assign(shop="early").query("day < '2024-03-01'")
    models = ("last_value", "ridge")
    few = added(tmp_path, "few", pd.concat([rows(), late, early]), models, "--lookback", "14", origins=8, refits=1)
    told = "left out  2 of 5 series: early: 31 rows, none of them from 2024-04-30 00:00:00 on; "
    told += "late: 39 rows, 0 of them before 2024-04-30 00:00:00, where 21 are needed"
    assert told in capsys.readouterr().out
    assert plain_yaml.read(few.params)["datasets"]["few"]["preparation"]["csv"]["leave_out"] == ["early", "late"]
    found = json.loads(run(capsys, few, "predict", "few", "--json").out)["forecasts"]
    assert {row["shop"] for row in found} == {*LEVELS}
    assert found[0]["stamp"] > days[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("add few.csv --yes", "none of the series can be used .north: 4 rows, 2 of them before .*west: .*; add rows"),
        ("add low.csv --target sales --yes", "a forecast has a column 'low'; rename it"),
        (
            "add shops.csv --name x --yes --target sales --future sales",
            "--future is for one series; shops.csv has 3, by",
        ),
        ("predict shops --series nort", "--series must be one of: north, south, west. Received: 'nort'"),
        ("predict shops --plot next.png", "a plot shows one series; pass --series, such as north"),
        ("predict shops --data east.csv", "column 'shop' holds 'east', a word that shops does not have"),
    ],
)
def test_what_cannot_be_done_gets_one_line(shops, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(shops.root)
    rows().query("day < '2024-01-05' and shop != 'south'").to_csv("few.csv", index=False)
    rows().rename(columns={"shop": "low"}).to_csv("low.csv", index=False)
    rows().assign(shop="east").to_csv("east.csv", index=False)
    with pytest.raises(UnrollError, match=message):
        run(capsys, shops, *arguments.split())
