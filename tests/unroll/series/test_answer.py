"""The library as a user calls it: an answer, its tables, its forecasts; and nothing
that comes later is learnt from."""

import errno
import os
import tempfile

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_text
from tests.support.answered import answered as in_process
from tests.support.answered import rows
from unroll.series import answer as answers
from unroll.series import fits, saved
from unroll.series.forecaster import OutsideRangeWarning
from unroll.series.judge import judge

DAYS = 420

FEW = ("last_value", "cycle_7", "ridge", "ets")
"""Models that are fitted in a moment."""


def answered(frame=None, models=("ridge", "ets"), **options):
    data = rows(DAYS) if frame is None else frame
    return in_process(data, models=models, **options)


@pytest.fixture(scope="module")
def week():
    """The answer for the next seven days."""
    return answered(target="sales", horizon=7.0)


def test_folders_of_killed_answers_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "unroll-answer-0a"
    write_text(left / "weights/ridge", "")
    left.with_suffix(".lock").touch()
    mine, lock = answers._scratch()
    another, other_lock = answers._scratch()
    assert not left.exists()
    assert {path.stem for path in tmp_path.iterdir()} == {mine.name, another.name}
    for folder, own in ((mine, lock), (another, other_lock)):
        answers._remove(folder, own)
    assert [*tmp_path.iterdir()] == []


def test_an_answer_has_a_sentence_a_row_for_each_model_and_every_forecast(week):
    assert week.target == "sales"
    assert week.sentence.startswith("The forecast")
    assert week.sentence.endswith("Recurrence was not tried.")
    assert {*week.models["model"]} == {*FEW, "combination"}
    assert week.models["forecasts"].sum() == 1
    assert (week.models["mae"].diff().dropna() >= 0).all(), "the best first"
    assert week.models["coverage"].between(0.8, 1).all()
    assert [*week.forecasts] == ["unique_id", "ds", "cutoff", "model", "y", "y_hat"]
    by_hand = week.forecasts.query("model == 'cycle_7'").merge(
        rows(DAYS), left_on="ds", right_on="day"
    )
    np.testing.assert_allclose(by_hand["y"], by_hand["sales"])
    sales = rows(DAYS).set_index("day")["sales"]
    np.testing.assert_allclose(
        by_hand["y_hat"], sales[by_hand["ds"] - pd.Timedelta(days=7)], rtol=1e-5
    )


def test_no_forecast_at_an_earlier_cutoff_changes_by_a_digit_when_later_rows_do(week):
    before = week.forecasts
    planted = rows(DAYS)
    planted.loc[360:, "sales"] = np.random.default_rng(1).uniform(3000, 5000, 60)
    after = answered(planted, target="sales").forecasts
    known = before["cutoff"] < planted["day"][360]
    early = before[known & (before["ds"] < planted["day"][360])]
    same = after.loc[early.index]
    assert len(early) > 1000
    assert {*early["model"]} == {*FEW, "combination"}
    pd.testing.assert_frame_equal(same, early, check_exact=True)
    assert not after["y_hat"].equals(before["y_hat"])


def test_what_comes_next_goes_on_beyond_the_horizon(week):
    """tests/unroll/series/test_saved_answers.py has its intervals."""
    longer = week.forecast(levels=np.array([0.5, 0.9]), horizon=30.0)
    ends = ["lo-50", "hi-50", "lo-90", "hi-90"]
    assert [*longer] == ["unique_id", "ds", "y_hat", *ends]
    assert [*longer["ds"]] == [*pd.date_range("2023-02-25", periods=30)]
    expected = 50 + 5 * np.tile([0, 4, 5, 3, 2, 8, 9], 5)[:30]  # day 420 begins a week
    assert np.abs(longer["y_hat"] - expected).mean() < 3
    some = week.forecast(levels=0.9, horizon="10d")
    pd.testing.assert_frame_equal(some, longer.head(10)[[*some]])
    assert [*some] == ["unique_id", "ds", "y_hat", "lo-90", "hi-90"]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"horizon": 0}, UsageError, "horizon must be .* 1.* Received: 0"),
        ({"horizon": 7.5}, UsageError, r"Received: 7\.5"),
        ({"horizon": 701}, UsageError, "1 to 700, and a .* a row. Received: 701"),
        ({"levels": (0.0,)}, UsageError, r"Received: 0\.0"),
        ({"levels": "0.9"}, UsageError, "the level must be .* Received: '0.9'"),
        ({"frame": rows(DAYS).tail(3)}, UnrollError, "add earlier rows"),
    ],
)
def test_a_forecast_that_cannot_be_made_says_what_is_expected(
    week, options, error, text
):
    with pytest.raises(error, match=text):
        week.forecast(**options)


def test_what_is_no_answer_is_neither_replaced_nor_read(week, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds something else than an answer"):
        week.save(tmp_path / "other")
    with pytest.raises(UnrollError, match="so it is no answer"):
        saved.load(tmp_path / "other")
    (tmp_path / "precious.csv").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        week.save(tmp_path / "precious.csv")
    assert (tmp_path / "precious.csv").is_file()


@pytest.fixture(autouse=True)
def empty_cache(tmp_path_factory, monkeypatch):
    """No test finds the models that another one has fitted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_the_same_call_goes_on_and_notices_other_rows(monkeypatch):
    options = {"models": "ridge", "horizon": 7}
    answer = answered(**options)
    fitted = []
    usual = fits.training.cross_validate

    def counted(name, *arguments):
        fitted.append(name)
        return usual(name, *arguments)

    monkeypatch.setattr(fits.training, "cross_validate", counted)
    again = answered(**options)
    assert fitted == []
    pd.testing.assert_frame_equal(again.forecasts, answer.forecasts)
    changed = rows(DAYS)
    changed.loc[3, "sales"] += 1
    answered(changed, **options)
    assert {*fitted} == {"last_value", "cycle_7", "ridge"}


def test_without_a_cache_folder_everything_is_fitted(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with fits.kept() as folder:
        assert tmp_path not in folder.parents
        assert not [*folder.iterdir()]
    assert not folder.exists()


def test_of_the_cache_the_newest_gigabyte_stays(tmp_path):
    for age, name in enumerate(["new", "old", "older"]):
        (tmp_path / name / "prepared").mkdir(parents=True)
        (tmp_path / name / "prepared" / "rows").write_bytes(bytes(40_000))
        os.utime(tmp_path / name, (0, 1e9 - age))
    fits.trim(tmp_path, 100_000)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "old"}
    fits.trim(tmp_path, 0)
    assert not [*tmp_path.iterdir()]


def test_the_long_format_of_one_series_keeps_its_name():
    frame = (
        rows(DAYS).rename(columns={"day": "ds", "sales": "y"}).assign(unique_id="north")
    )
    answer = answered(frame, "ridge", horizon=np.int64(7))
    assert {*answer.forecasts["unique_id"], *answer.forecast()["unique_id"]} == {
        "north"
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"target": "sails"}, r"one of: .*sales.*Received: 'sails'"),
        ({"horizon": 0}, "horizon must be .* 1.* Received: 0"),
        ({"horizon": 7.5}, r"horizon must be .* Received: 7\.5"),
        (
            {"horizon": "7 x"},
            ": horizon must be a number of rows, 1 or more, or a duration",
        ),
        ({"minutes": 0}, "minutes must be .* 0.* Received: 0"),
        ({"jobs": -1}, "jobs must be .* 1.* Received: -1"),
        ({"day_first": "no"}, "day_first must be .* Received: 'no'"),
        ({"future": "temp"}, "future must name columns .* Received: 'temp'"),
        ({"holidays": "XX"}, "Received: 'XX'"),
        ({"horizont": 7}, r"Did you mean horizon\?"),
    ],
)
def test_wrong_arguments_say_what_is_expected_and_what_was_received(options, text):
    with pytest.raises(UsageError, match=text):
        answered(**options)


def test_rows_are_read_and_a_question_is_proposed_before_it_is_answered():
    said = []
    whole = answers.answer(
        rows(DAYS), horizon=7, models="ridge", in_process=True, say=said.append
    )
    profile = answers.read(rows(DAYS))
    question = answers.propose(profile, horizon=7)
    assert (question.target, question.lookback) == ("sales", 56)
    assert question.reasons["lookback"] == "eight weeks"
    in_steps = in_process(profile, question, models="ridge")
    pd.testing.assert_frame_equal(in_steps.forecasts, whole.forecasts)
    assert any(line.startswith("column    sales: from") for line in said)
    assert "guessed   lookback: 56, eight weeks" in said
    assert whole.findings.asked.given == {"horizon": 7, "models": ["ridge"]}
    assert in_steps.findings.asked == whole.findings.asked
    for wrong, text in (
        ({"data": profile, "question": question, "horizon": 3}, "horizon is part of"),
        ({"data": profile, "question": "load"}, "what unroll.propose returns"),
    ):
        with pytest.raises(UsageError, match=text):
            answers.answer(**wrong)
    with pytest.raises(UsageError, match="must be what unroll.read returns"):
        answers.propose("sales.csv")


def test_an_error_in_a_dataframe_names_no_file():
    with pytest.raises(UsageError, match="^the DataFrame: no column holds times"):
        in_process(pd.DataFrame({"sales": [1.5, 2.5, 3.5]}))


def fit_with_error(monkeypatch, model, error):
    """Let the backtest of a model raise an error."""
    usual = fits.training.cross_validate

    def failing(name, *arguments):
        if name == model:
            raise error
        return usual(name, *arguments)

    monkeypatch.setattr(fits.training, "cross_validate", failing)


def test_a_model_that_cannot_be_fitted_is_left_out(monkeypatch):
    fit_with_error(monkeypatch, "ets", UnrollError("it does not converge"))
    answer = answered(horizon=7)
    assert answer.left_out == {"ets": "it does not converge"}
    assert "ets" not in {*answer.models["model"]}


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (OSError(errno.ENOSPC, "full"), UnrollError, "ets: the disk is full"),
        (
            KeyError("no"),
            RuntimeError,
            "ets: a mistake in the code, KeyError\nTraceback",
        ),
    ],
)
def test_what_is_no_fault_of_a_model_ends_the_answer(monkeypatch, error, kind, text):
    fit_with_error(monkeypatch, "ets", error)
    with pytest.raises(kind, match=text) as caught:
        answered(horizon=7)
    assert type(caught.value) is kind


def test_a_mistake_in_a_last_fit_shows_its_log(monkeypatch):
    def failing(*_):
        raise KeyError("no")

    monkeypatch.setattr(fits, "refit_one", failing)
    with pytest.raises(
        RuntimeError, match="a mistake in the code, KeyError\nTraceback"
    ):
        answered(horizon=7, minutes=1e-9)


def test_however_little_time_there_is_naive_models_are_fitted():
    answer = answered(horizon=7, minutes=1e-9)
    assert {*answer.models["model"]} == {"last_value", "cycle_7"}
    told = "there was no time for it in 1e-09 min"
    assert answer.left_out == {"ridge": told, "ets": told}
    assert answered(horizon=7, minutes=60).left_out == {}


def test_series_that_are_told_apart_by_integers_keep_them(tmp_path):
    sales = rows(DAYS)["sales"]
    frames = [
        rows(DAYS).assign(shop=number, sales=sales * number) for number in (7, 12)
    ]
    frame = pd.concat(frames)
    options = {"models": "ridge", "target": "sales", "horizon": 7}
    answer = answered(frame, **options)
    answer.save(tmp_path / "shops")
    loaded = saved.load(tmp_path / "shops")
    for table in (answer.forecasts, answer.forecast(), loaded.forecasts):
        assert table["unique_id"].dtype == np.int64
        assert {*table["unique_id"]} == {7, 12}
    frame.to_parquet(tmp_path / "shops.pq", index=False)
    of_file = answered(tmp_path / "shops.pq", **options)
    pd.testing.assert_frame_equal(of_file.forecasts, answer.forecasts)
    ridge = loaded.forecasts.query("model == 'ridge'").drop(columns="model")
    assert judge(ridge, loaded).mae == pytest.approx(answer.board.models["ridge"].mae)


def test_a_short_gap_in_new_rows_is_filled_though_the_train_rows_had_none(week):
    later = rows(490)
    lacking = later.assign(sales=later["sales"].where(later.index != 480))
    held = later.assign(sales=later["sales"].where(later.index != 480).ffill())
    expected = week.forecast(held)
    # The error of that day is not known.
    found = week.forecast(lacking)
    np.testing.assert_allclose(found["y_hat"], expected["y_hat"], rtol=1e-2)
    pd.testing.assert_frame_equal(week.forecast(later.drop(index=480)), found)
    long = later.assign(sales=later["sales"].where(~later.index.isin([480, 481])))
    with pytest.raises(UnrollError, match="no more than 1 in a row are filled"):
        week.forecast(long)


def test_intervals_follow_the_errors_since_the_answer():
    """Noise grows fivefold after the answer; the models are not fitted again."""
    random = np.random.default_rng(0)
    size = np.where(np.arange(330) < 300, 1.0, 5.0)
    days = pd.date_range("2022-01-01", periods=330)
    sales = (
        100 + np.resize([0, 14, 5, 23, 2, 38, 9], 330) + size * random.normal(size=330)
    )
    frame = pd.DataFrame({"day": days, "sales": sales})
    answer = answered(frame[:300], target="sales", horizon=7, models=["ridge"])
    before = answer.forecast(frame[:300], levels=0.9)
    after = answer.forecast(frame, levels=0.9)
    widths = [(found["hi-90"] - found["lo-90"]).mean() for found in (before, after)]
    assert widths[1] > 1.5 * widths[0]
    short = answer.forecast(frame[:310], levels=0.9)
    assert (short["hi-90"] - short["lo-90"]).mean() > 1.1 * widths[0]


def quarters(count=6_002):
    """Energy of quarters of an hour by a local clock; the last hour has two."""
    stamps = pd.date_range(
        "2024-03-01", periods=count, freq="15min", tz="Europe/Berlin"
    )
    day = np.sin(2 * np.pi * np.arange(count) / 96)
    noise = np.random.default_rng(0).normal(size=count)
    return pd.DataFrame({"time": stamps, "kwh": 50 + 9 * day + noise})


def test_hours_of_quarters_are_forecast_as_hours_that_were_summed_by_hand(tmp_path):
    frame = quarters()
    shape = {"horizon": "6h", "lookback": "2d"}
    answer = answered(frame, "ridge", step=4, aggregate="sum", **shape)
    hours = frame[:6_000].resample("h", on="time")["kwh"].sum().reset_index()
    by_hand = answered(hours, "ridge", **shape)
    pd.testing.assert_frame_equal(
        answer.forecasts.drop(columns="unique_id"),
        by_hand.forecasts.drop(columns="unique_id"),
        rtol=1e-5,
    )
    later = quarters(6_242)
    of_hours = later[:6_240].resample("h", on="time")["kwh"].sum().reset_index()
    [window] = by_hand.forecaster.windows(of_hours).values()
    last = hours["time"].max().tz_convert("UTC").tz_localize(None)
    days = (pd.DatetimeIndex(window.since.stamps) - last) / pd.Timedelta("1D")
    assert days.tolist() == [0, 1, 2], "origins since the fit"
    answer = saved.load(answer.save(tmp_path / "meter"))
    with pytest.warns(OutsideRangeWarning, match=r"1 timestep has none after that"):
        found = answer.forecast(later, horizon="12h")
    expected = by_hand.forecast(of_hours, horizon=12)
    columns = ["ds", "y_hat", "lo-90", "hi-90"]
    pd.testing.assert_frame_equal(found[columns], expected[columns], rtol=1e-4)
    reach = answer.forecaster.reach
    last = answer.forecaster.forecast(later[-reach - 2 : -2])
    assert [*last["ds"]] == [*found["ds"][:6]], "so many rows suffice"
    with pytest.raises(UsageError, match="a timestep is 4 rows. Received: 30"):
        answer.forecast(later[:-2], horizon=30)
    with pytest.raises(
        UnrollError, match="rows lie an hour apart, .* 15 minutes apart"
    ):
        answer.forecast(of_hours)


def test_a_shop_that_is_closed_on_sundays_forecasts_0_there_and_nothing_else():
    frame = rows(DAYS)
    sunday = frame["day"].dt.day_of_week == 6
    busy = np.random.default_rng(5).normal(scale=12, size=len(frame))
    frame["sales"] += np.where(frame["day"].dt.day_of_week == 5, busy, 0)
    frame.loc[sunday, "sales"] = 0.0
    made = answered(frame, "ridge", horizon=7)
    forecast = made.forecast(levels=0.9, horizon=14)
    is_sunday = forecast["ds"].dt.day_of_week == 6
    values = ["y_hat", "lo-90", "hi-90"]
    assert (forecast.loc[is_sunday, values] == 0).all(axis=None)
    assert (forecast.loc[~is_sunday, values[::2]] > 0).all(axis=None)
    width = forecast["hi-90"] - forecast["lo-90"]
    saturday = forecast["ds"].dt.day_of_week == 5
    assert (width[saturday] > 1.5 * width[~saturday & ~is_sunday].mean()).all()
    # one row fewer: the same weekday at another step
    earlier = made.forecast(frame[:-3], levels=0.9)
    closed = earlier["ds"].dt.day_of_week == 6
    assert ((earlier["hi-90"] == 0) == closed).all()
