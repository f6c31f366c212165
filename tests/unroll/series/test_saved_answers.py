"""What holds for every saved answer, whether of one series or of several, cut into
windows or seen as a whole, with late ones or without."""

import datetime as dt
import functools
import shutil
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import unroll
from pipeline.errors import UnrollError, UsageError
from tests.support.answered import answered
from unroll.series import saved, seal
from unroll.series.forecaster import ARRAYS, SPEC

LEVEL = {"A": 50, "B": 80, "C": 20}


def daily(names="A", count=200):
    """Daily sales with a week, one series after the other."""
    days = pd.date_range("2022-01-01", periods=count)
    frames = []
    for name in names:
        noise = np.random.default_rng(ord(name)).normal(size=count)
        sales = LEVEL.get(name, 10) + np.resize([0, 4, 5, 3, 2, 8, 9], count) + noise
        family = "food" if name in "AD" else "toys"
        frame = pd.DataFrame({"unique_id": name, "ds": days, "sales": sales})
        frames.append(frame.assign(family=family))
    return pd.concat(frames, ignore_index=True)


def with_late_ones():
    """Two long series, one that begins late, one with three rows, one without a
    value."""
    rows = daily("ABCDE")
    day = rows.groupby("unique_id").cumcount()
    begins = rows["unique_id"].map({"C": 160, "D": 197}).fillna(0)
    rows.loc[rows["unique_id"] == "E", "sales"] = np.nan
    return rows[day >= begins]


def monthly(names, count=40):
    """Months with a trend and a season, each series at a level of its own."""
    time = np.arange(count)
    stamps = pd.date_range(end="2024-12-01", periods=count, freq="MS")
    frames = []
    for name in names:
        random = np.random.default_rng(ord(name))
        season = 1 + 0.2 * np.sin(2 * np.pi * time / 12)
        sales = 10.0 ** (ord(name) - 65) * (20 + 0.3 * time) * season
        sales *= np.exp(random.normal(0, 0.03, count))
        frames.append(pd.DataFrame({"unique_id": name, "ds": stamps, "sales": sales}))
    return pd.concat(frames, ignore_index=True)


KINDS = {
    "one": (daily().drop(columns=["unique_id", "family"]), ["ridge"], "last_value"),
    "several": (daily("AB"), ["ridge"], "cycle_7"),
    "short": (monthly("ABC"), ["theta"], "cycle_12"),
    "one short": (monthly("A", 11).drop(columns="unique_id"), ["theta"], "last_value"),
    "late": (with_late_ones(), ["ridge"], "cycle_7"),
}
"""Kind of series -> rows, the models that are tried, and a naive one."""


@functools.cache
def answer_of(kind):
    """The answer for the series of a kind."""
    rows, models, _ = KINDS[kind]
    return answered(rows, target="sales", horizon=4, models=models)


@pytest.fixture(scope="module", params=KINDS)
def kind(request, tmp_path_factory):
    """The name of a kind, the answer, and the folder that it was saved in."""
    made = answer_of(request.param)
    folder = tmp_path_factory.mktemp("answers") / "shop"
    made.save(folder)
    return request.param, made, folder


@pytest.fixture
def loaded(kind, tmp_path):
    """The answer as it is read from another place."""
    moved = tmp_path / "moved"
    shutil.copytree(kind[2], moved)
    return unroll.load(moved)


def test_it_says_and_forecasts_the_same_wherever_it_lies(kind, loaded):
    _, made, _ = kind
    assert loaded.sentence == made.sentence
    assert loaded.hint == made.hint
    assert loaded.left_out == made.left_out
    for table in ("models", "forecasts"):
        pd.testing.assert_frame_equal(getattr(loaded, table), getattr(made, table))
    pd.testing.assert_frame_equal(loaded.scores(), made.scores())
    pd.testing.assert_frame_equal(loaded.forecast(), made.forecast())


def test_its_intervals_are_known_nested_and_wider_further_ahead(loaded):
    forecast = loaded.forecast(levels=(0.5, 0.9), horizon=12)
    ends = forecast[["lo-90", "lo-50", "y_hat", "hi-50", "hi-90"]].to_numpy()
    assert np.isfinite(ends).all()
    assert (np.diff(ends, axis=1) >= 0).all()
    widths = (ends[:, -1] - ends[:, 0]).reshape(-1, 12)
    assert (widths[:, -1] > widths[:, 3]).all()
    first = forecast.groupby("unique_id", sort=False).head(4).reset_index(drop=True)
    pd.testing.assert_frame_equal(loaded.forecast(levels=(0.5, 0.9)), first)


def test_another_of_its_models_forecasts_if_it_is_named(kind, loaded):
    rows, _, naive = KINDS[kind[0]]
    by_naive = loaded.forecast(model=naive).groupby("unique_id")["y_hat"].first()
    names = (
        rows["unique_id"] if "unique_id" in rows else pd.Series("series", rows.index)
    )
    back = -1 if naive == "last_value" else -int(naive.removeprefix("cycle_"))
    for name, own in rows["sales"].groupby(names):
        if name not in loaded.left_out:
            value = own.iloc[back] if len(own) > 7 else own.mean()
            assert by_naive[name] == pytest.approx(value, rel=1e-6)
    with pytest.raises(UsageError, match="model must be one of: "):
        loaded.forecast(model="foo")


def test_it_forecasts_from_new_rows_of_the_same_form(kind, loaded):
    rows, _, _ = KINDS[kind[0]]
    usual = loaded.forecast()
    earlier = loaded.forecast(rows[rows["ds"] < rows["ds"].max()])
    assert {*earlier["unique_id"]} == {*usual["unique_id"]}
    assert earlier["ds"].min() == rows["ds"].max()
    pd.testing.assert_frame_equal(loaded.forecast(rows), usual)
    with pytest.raises(UnrollError, match="^the DataFrame has no column 'sales'"):
        loaded.forecast(rows.rename(columns={"sales": "sold"}))


def test_it_is_refused_in_one_line_if_a_file_is_damaged(loaded):
    for name in (SPEC, ARRAYS, saved.TABLE):
        file = loaded.folder / name
        content = file.read_bytes()
        file.write_bytes(content[:-1])
        with pytest.raises(UnrollError, match=f"{name} has another SHA-256") as told:
            unroll.load(loaded.folder)
        assert "\n" not in str(told.value)
        file.write_bytes(content)
    arrays = dict(np.load(loaded.folder / ARRAYS))
    arrays["truth"] = arrays["truth"][:, :2]
    np.savez(loaded.folder / ARRAYS, **arrays)
    seal.write(loaded.folder, saved.SECONDS, *saved.SHOWN)
    with pytest.raises(UnrollError, match=r"forecaster\.npz .*arrays must be of"):
        unroll.load(loaded.folder)


def test_saved_again_it_leaves_what_lies_beside_it(loaded):
    (loaded.folder / ".hidden").mkdir()
    (loaded.folder / "notes.txt").write_text("mine")
    loaded.save(loaded.folder)
    assert (loaded.folder / ".hidden").is_dir()
    assert (loaded.folder / "notes.txt").read_text() == "mine"


@pytest.fixture
def late():
    return answer_of("late")


def test_every_series_is_forecast_or_named_with_its_reason(late):
    assert late.series_left_out == {"E": "there is no row with a value"}
    sizes = late.forecast().groupby("unique_id").size()
    assert sizes.to_dict() == dict.fromkeys("ABCD", 4)
    assert "1 of 5 series is not forecast (E: there is no row" in late.hint
    only = with_late_ones().query("unique_id in ['C', 'D']")
    assert {*late.forecaster.forecast(only)["unique_id"]} == {"C", "D"}
    with pytest.raises(UnrollError, match="'Z', a word that"):
        late.forecaster.forecast(only.assign(unique_id="Z"))


def test_scores_are_those_of_the_compared_cutoffs_in_the_unit_of_the_file(late):
    scores = late.scores().set_index("unique_id")
    assert [*scores.index] == ["A", "B", "C"], "D has three rows, and no cutoff"
    own = late.board.later(late.forecasts)
    own = own[(own["model"] == late.board.champion) & (own["unique_id"] == "A")]
    errors = own["y_hat"] - own["y"]
    assert scores.loc["A", "mae"] == pytest.approx(errors.abs().mean())
    assert scores.loc["A", "rmse"] == pytest.approx((errors**2).mean() ** 0.5)
    assert scores.loc["A", "bias"] == pytest.approx(errors.sum() / own["y"].sum())
    assert scores.loc["A", "naive_mae"] > 0


def test_last_month_has_forecasts_that_follow_one_another(late):
    scores = late.scores(last_month=True).set_index("unique_id")
    own = late.past().query("unique_id == 'A'")
    last = own[own["cutoff"] == own["cutoff"].max()]
    assert scores.loc["A", "to"] == last["ds"].max()
    assert scores.loc["A", "values"] == 4 * (31 // 4 + 1)
    days = (scores.loc["A", "to"] - scores.loc["A", "from"]).days + 1
    assert days == scores.loc["A", "values"], "no day counts twice"
    assert scores.loc["A", "y"] == pytest.approx(
        own.drop_duplicates("ds")
        .set_index("ds")["y"]
        .loc[scores.loc["A", "from"] :]
        .sum()
    )


def test_a_table_of_all_series_is_judged_by_those_of_the_board(late):
    table = late.forecasts[late.forecasts["model"] == "last_value"]
    assert {*table["unique_id"]} == {"A", "B", "C"}
    judgement = unroll.judge(table[["unique_id", "ds", "cutoff", "y_hat"]], late)
    error = late.models.set_index("model").loc["last_value", "mae"]
    assert judgement.mae == pytest.approx(error)


def test_sums_are_of_the_columns_that_the_rows_have(late):
    sums = late.forecast(by="family", quantiles=[0.95])
    forecast = late.forecast()
    by_hand = forecast[forecast["unique_id"].isin(["A", "D"])].groupby("ds")["y_hat"]
    food = sums[sums["family"] == "food"]
    np.testing.assert_allclose(food["y_hat"], by_hand.sum())
    assert (food["series"] == 2).all()
    total = sums[sums["family"] == "total"]["y_hat"].sum()
    assert total == pytest.approx(forecast["y_hat"].sum())
    np.testing.assert_allclose(sums["order-95"], sums["hi-90"])
    with pytest.raises(UnrollError, match="sales of the series A is '.*' and '.*'; "):
        late.forecast(by=["family", "sales"])
    pd.testing.assert_frame_equal(
        late.forecast(by="family", model=late.board.champion),
        late.forecast(by="family"),
    )


def test_a_service_level_is_a_quantile(loaded):
    forecast = loaded.forecast(levels=0.8, service_level=[90, 99.5], quantiles=0.1)
    np.testing.assert_allclose(forecast["order-90"], forecast["hi-80"])
    np.testing.assert_allclose(forecast["order-10"], forecast["lo-80"])
    assert (forecast["order-99.5"] >= forecast["order-90"]).all()
    for wrong in (0, 100, "95"):
        with pytest.raises(
            UsageError, match="service_level must lie above 0 and below"
        ):
            loaded.forecast(service_level=[wrong])
    with pytest.raises(UsageError, match=r"service_level is in percent: 95, not 0\.95"):
        loaded.forecast(service_level=0.95)
    with pytest.raises(UsageError, match="a quantile above 0 and below 1"):
        loaded.forecast(quantiles=95)


def test_a_frame_with_columns_of_any_plain_type_is_forecast_again(tmp_path):
    count = 120
    frame = pd.DataFrame(
        {
            "ds": pd.date_range("2024-01-01", periods=count),
            "y": 50.0 + np.arange(count) % 7,
            "word": pd.Categorical(["a", "b"] * 60),
            "price": [Decimal("1.5") + number % 7 for number in range(count)],
            "time": [dt.time(number % 24) for number in range(count)],
            "span": pd.to_timedelta(np.arange(count) % 5, "h"),
            "half": (np.arange(count) % 3).astype(np.float16),
            "flag": np.arange(count) % 2 == 0,
        }
    )
    made = answered(frame, target="y", horizon=7, models="ridge")
    again = unroll.load(made.save(tmp_path / "plain"))
    pd.testing.assert_frame_equal(again.forecast(), made.forecast())
