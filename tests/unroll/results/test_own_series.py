"""A daily series with what is known beforehand, from `add` to `remove`; no networks."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from tests.support.training import added
from unroll.commands.main import invoke

DAYS, AHEAD = 300, 7
MODELS = ("shop_last_value", "shop_ridge")


def rows(count=DAYS, start="2022-03-01"):
    """Sales that follow the weekday and the price, which is planned."""
    days = pd.date_range(start, periods=count)
    price = 3 + np.sin(np.arange(count) ** 2)
    sales = np.round(100 + 5 * days.day_of_week - 10 * price + 0.1 * np.cos(7.0 * np.arange(count)), 2)
    return pd.DataFrame({"day": days.strftime("%Y-%m-%d"), "sales": sales, "price": price.round(3)})


def run(workspace, *arguments):
    invoke(["--root", str(workspace.root), *map(str, arguments)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    known = ("--target", "sales", "--future", "price", "--holidays", "DE", "--lookback", "21")
    return added(tmp_path_factory.mktemp("shop"), "shop", rows(), MODELS, *known, origins=20, refits=1)


@pytest.fixture
def file(shop):
    """One's own file, as it was afterwards."""
    path = shop.root / "shop.csv"
    before = path.read_bytes(), shop.params.read_bytes()
    yield path
    path.write_bytes(before[0])
    shop.params.write_bytes(before[1])


def plan(tmp_path):
    """The prices of the rows to come."""
    path = tmp_path / "plan.csv"
    rows(DAYS + AHEAD).tail(AHEAD)[["day", "price"]].to_csv(path, index=False)
    return path


def said(shop, capsys, *arguments):
    capsys.readouterr()
    run(shop, "predict", "shop", "--json", *arguments)
    return [row["forecast"] for row in json.loads(capsys.readouterr().out)["forecasts"]]


def test_what_is_known_beforehand_counts_from_a_file_and_from_rows_behind_the_last(shop, file, capsys, tmp_path):
    options = params.load(shop.params).datasets["shop"].preparation.options
    assert (options["windows"]["future"], options["windows"]["holidays"]) == (["price"], "DE")
    with pytest.raises(UnrollError, match="price must be known beforehand, .* 2022-12-26 .*; pass --future FILE"):
        said(shop, capsys)
    found = said(shop, capsys, "--future", plan(tmp_path))
    truth = rows(DAYS + AHEAD)["sales"].tail(AHEAD)
    assert np.abs(found - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean(), "by the prices of these days"
    rows(DAYS + AHEAD).assign(sales=[*rows()["sales"], *[None] * AHEAD]).to_csv(file, index=False)
    assert said(shop, capsys) == found


def test_a_country_and_a_column_that_are_not_there_are_said(shop):
    for options, message in (
        (("--holidays", "XX"), "--holidays must be a country such as DE or US. Received: 'XX'"),
        (("--future", "prise"), "--future, .* must be one of: price. .* Did you mean price"),
    ):
        with pytest.raises(UsageError, match=message):
            run(shop, "add", shop.root / "shop.csv", "--name", "other", "--target", "sales", *options, "--yes")


def test_the_served_champion_says_what_predict_says(shop, capsys, tmp_path, monkeypatch):
    from pipeline.forecast.forecaster import Forecaster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own types
        from pipeline.tracking import served

    found = said(shop, capsys, "--future", plan(tmp_path))
    Forecaster.load(shop.forecaster("shop")).save(tmp_path / "model")
    monkeypatch.setattr(served.scoring_server, "_decode_json_input", served.scoring_server._decode_json_input)
    model = served._load_pyfunc(str(tmp_path / "model"))
    come = rows(DAYS + AHEAD).assign(sales=[*rows()["sales"], *[np.nan] * AHEAD])
    assert model.predict(come.tail(40 + AHEAD))["forecast"].tolist() == pytest.approx(found, rel=1e-6)
    with pytest.raises(served.RefusedError, match="price must be known beforehand"):
        model.predict(come.tail(40 + AHEAD).iloc[:-1])


def test_renew_moves_the_end_of_the_evaluation_and_predict_says_when_it_is_time(shop, file, capsys, tmp_path):
    with pytest.raises(UnrollError, match="shop has no row after 2022-12-25 00:00:00, so there is nothing to renew"):
        run(shop, "renew", "shop")
    with pytest.raises(UsageError, match="the data set with an entry in `forecasts` must be one of: shop"):
        run(shop, "renew", "shops")
    rows(DAYS + 40).to_csv(file, index=False)
    rows(DAYS + 40 + AHEAD).tail(AHEAD)[["day", "price"]].to_csv(tmp_path / "plan.csv", index=False)
    capsys.readouterr()
    run(shop, "predict", "shop", "--future", tmp_path / "plan.csv")
    printed = capsys.readouterr()
    assert "hint: 13 % more rows have come since the evaluation; `unroll renew shop &&" in printed.err
    assert "After 2023-02-03 00:00:00, the last row of shop.csv" in printed.out, "new rows count without a new build"
    run(shop, "renew", "shop")
    assert "shop: 40 rows more, until 2023-02-03 00:00:00. Next: unroll repro refit@shop" in capsys.readouterr().out
    assert params.load(shop.params).datasets["shop"].preparation.options["cleaning"]["until"] == "2023-02-03T00:00:00"


def test_tune_says_what_the_test_says_of_earlier_trials(shop, capsys):
    run(shop, "tune", "shop_ridge", "--name", "shop_last_value", "--dry-run")
    assert "mae on test, of the last build: shop_ridge 0." in capsys.readouterr().out


def test_remove_asks_and_leaves_nothing_but_the_file(shop, file, capsys):
    with pytest.raises(UsageError, match="pass --yes to remove all this"):
        run(shop, "remove", "shop")
    with pytest.raises(UsageError, match="the file must be one of: shop"):
        run(shop, "remove", "shopp")
    assert shop.forecaster("shop").is_dir()
    run(shop, "remove", "shop", "--yes")
    assert "shop_ridge" in capsys.readouterr().out
    left = params.load(shop.params)
    assert not {**left.files, **left.datasets, **left.experiments, **left.forecasts}
    assert "forecasts" not in shop.params.read_text(encoding="utf-8")
    assert file.is_file()
    kept = {path.relative_to(shop.root).parts[0] for path in shop.root.rglob("*shop*") if ".unroll" not in path.parts}
    assert kept == {"shop.csv"}
