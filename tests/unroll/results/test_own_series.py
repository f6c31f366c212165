"""A daily series with what is known beforehand, from `add` to `remove`, and one of months; no networks."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.models import statistical
from series.forecaster import Forecaster
from tests.support.training import added
from unroll.commands.main import invoke

DAYS, AHEAD, MONTHS = 300, 7, 80
MODELS = ("last_value", "ridge")


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


def forecasts(shop, capsys, *arguments):
    capsys.readouterr()
    run(shop, "predict", "shop", "--json", *arguments)
    return [row["forecast"] for row in json.loads(capsys.readouterr().out)["forecasts"]]


def test_what_is_known_beforehand_counts_from_a_file_and_from_rows_behind_the_last(
    shop, file, capsys, tmp_path, monkeypatch
):
    options = params.load(shop.params).datasets["shop"].preparation.options
    assert (options["windows"]["future"], options["windows"]["holidays"]) == (["price"], "DE")
    with pytest.raises(UnrollError, match="price must be known beforehand, .* 2022-12-26; pass --future FILE"):
        forecasts(shop, capsys)
    monkeypatch.setattr("unroll.answer.repro", lambda *_, **__: 0)
    run(shop, "answer", "shop")
    assert "No forecast yet: price must be known beforehand" in capsys.readouterr().out, "the answer stands"
    forecast = forecasts(shop, capsys, "--future", plan(tmp_path))
    truth = rows(DAYS + AHEAD)["sales"].tail(AHEAD)
    assert np.abs(forecast - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean(), "by the prices of these days"
    rows(DAYS + AHEAD).assign(sales=[*rows()["sales"], *[None] * AHEAD]).to_csv(file, index=False)
    assert forecasts(shop, capsys) == forecast


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("add shop.csv --name x --target sales --yes --holidays XX", "a country such as DE or US. Received: 'XX'"),
        (
            "add shop.csv --name x --target sales --yes --future prise",
            "--future, .* one of: price. .* Did you mean price",
        ),
        ("renew shop", "shop has no row after 2022-12-25 00:00:00, so there is nothing to renew"),
        ("renew shops", "the data set with an entry in `forecasts` must be one of: shop"),
        ("remove shop", "pass --yes to remove all this"),
        ("remove shopp", "the file must be one of: shop"),
    ],
)
def test_what_cannot_be_done_gets_one_line(shop, monkeypatch, arguments, message):
    monkeypatch.chdir(shop.root)
    with pytest.raises(UnrollError, match=message):
        run(shop, *arguments.split())
    assert shop.forecaster("shop").is_dir()


def test_the_served_champion_says_what_predict_says(shop, capsys, tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own types
        from unroll.registry import served

    forecast = forecasts(shop, capsys, "--future", plan(tmp_path))
    Forecaster.load(shop.forecaster("shop")).save(tmp_path / "model")
    monkeypatch.setattr(served.scoring_server, "_decode_json_input", served.scoring_server._decode_json_input)
    model = served._load_pyfunc(str(tmp_path / "model"))
    known = rows(DAYS + AHEAD).assign(sales=[*rows()["sales"], *[np.nan] * AHEAD])
    assert model.predict(known.tail(40 + AHEAD))["forecast"].tolist() == pytest.approx(forecast, rel=1e-6)
    with pytest.raises(served.RefusedError, match="price must be known beforehand"):
        model.predict(known.tail(40 + AHEAD).iloc[:-1])


def test_renew_moves_the_end_of_the_evaluation_and_predict_says_when_it_is_time(shop, file, capsys, tmp_path):
    rows(DAYS + 40).to_csv(file, index=False)
    rows(DAYS + 40 + AHEAD).tail(AHEAD)[["day", "price"]].to_csv(tmp_path / "plan.csv", index=False)
    capsys.readouterr()
    run(shop, "predict", "shop", "--future", tmp_path / "plan.csv")
    printed = capsys.readouterr()
    assert "hint: 13 % more rows have come since the evaluation; `unroll renew shop &&" in printed.err
    assert "After 2023-02-03, the last row of shop.csv" in printed.out, "new rows count without a new build"
    run(shop, "renew", "shop")
    assert "shop: 40 rows more, until 2023-02-03 00:00:00. Next: unroll answer shop" in capsys.readouterr().out
    assert params.load(shop.params).datasets["shop"].preparation.options["cleaning"]["until"] == "2023-02-03T00:00:00"


def test_tune_says_what_the_test_says_of_earlier_trials(shop, capsys):
    run(shop, "tune", "shop/ridge", "--name", "last_value", "--dry-run")
    assert "mae on test, of the last build: shop/ridge 0." in capsys.readouterr().out


def test_remove_leaves_nothing_but_the_file(shop, file, capsys):
    run(shop, "remove", "shop", "--yes")
    assert "shop/ridge" in capsys.readouterr().out
    left = params.load(shop.params)
    assert not {**left.files, **left.datasets, **left.experiments, **left.forecasts}
    assert "forecasts" not in shop.params.read_text(encoding="utf-8")
    assert file.is_file()
    files = {path.relative_to(shop.root).parts[0] for path in shop.root.rglob("*shop*") if ".unroll" not in path.parts}
    assert files == {"shop.csv"}


def months(count=MONTHS):
    """Sales that grow and have a season, with noise."""
    time, noise = np.arange(count), np.random.default_rng(0).normal(size=count)
    month = pd.date_range("2015-01-01", periods=count, freq="MS")
    return pd.DataFrame({"month": month, "sales": 200 + time + 30 * np.sin(time * np.pi / 6) + 4 * noise})


def test_statistical_models_are_fitted_to_all_months_that_there_are(tmp_path):
    models = ("last_value", "cycle_12", "ets")
    workspace = added(tmp_path, "sales", months(), models, "--target", "sales", refits=1)
    options = params.load(workspace.params).datasets["sales"].preparation.options["windows"]
    assert (options["lookback"], options["horizon"]) == (24, 12), "two years, so that a year repeats in them"
    forecaster = Forecaster.load(workspace.forecaster("sales"))
    index = [member.name for member in forecaster.spec.members].index("ets")
    scale = forecaster.spec.question.scale
    for count in (MONTHS, 30):
        (window,) = forecaster.windows(months(count)).values()
        values = (months(count)["sales"].to_numpy() - scale.mean) / scale.std
        expected = statistical._ets(values.astype(np.float32).astype(float), 12, 12)
        np.testing.assert_allclose(forecaster.members.forecast(window.inputs)[index], expected)
    # Months before a gap are not seen, else a season would not fall on its months.
    (window,) = forecaster.windows(months().drop(index=range(40, 42))).values()
    (rest,) = forecaster.windows(months()[42:]).values()
    np.testing.assert_array_equal(window.inputs, rest.inputs)
    assert np.isnan(window.inputs).any(axis=1).sum() == 120 - (MONTHS - 42)


def test_after_closing_time_the_next_opening_hours_are_forecast(tmp_path, capsys):
    hours = pd.date_range("2024-01-01", periods=24 * 42, freq="h")
    hours = hours[(hours.hour >= 7) & (hours.hour <= 17) & (hours.day_of_week < 6)]
    noise = np.random.default_rng(0).normal(size=len(hours))
    load = 60 + 20 * np.sin((hours.hour - 7) / 10 * np.pi) + noise
    table = pd.DataFrame({"time": hours, "load": load})
    workspace = added(tmp_path, "cafe", table[:-11], ("last_value", "cycle_11"), origins=10, refits=1)
    assert "Sat 07:00-17:00, and no others" in capsys.readouterr().out
    table.to_csv(tmp_path / "new.csv", index=False)
    for arguments, day in (((), "2024-02-10"), (("--data", tmp_path / "new.csv"), "2024-02-12")):
        run(workspace, "predict", "cafe", "--json", *arguments)
        found = json.loads(capsys.readouterr().out)["forecasts"]
        assert [row["stamp"] for row in found] == [f"{day} {hour:02}:00:00" for hour in range(7, 18)]
    truth = 60 + 20 * np.sin(np.arange(11) / 10 * np.pi)
    assert np.abs([row["forecast"] for row in found] - truth).mean() < 3, "no hour is another one's"
