"""Series that are too short for windows: panels, and one series of a few dozen rows."""

import contextlib
import csv
import gc
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from series.short import backtest, local, networks
from series.short.histories import Histories
from series.short.offsets import offsets

import unroll
from pipeline.errors import UnrollError, UsageError
from pipeline.locks import alone
from series import answer as answers
from series import fits, page, seal
from series.forecaster import OutsideRangeWarning
from series.judge import between
from tests.series.here import run_here
from tests.series.test_strangers import changed_arrays, changed_json

M3 = Path(os.environ.get("UNROLL_MIRROR", "")) / "m3" / "M3.csv"


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.setattr(fits.processes, "run", run_here)
    monkeypatch.setattr(answers, "Server", lambda *_, **__: contextlib.nullcontext())


def panel(count=6, rows=40, seed=0):
    """Months with a trend and a season, each series at a level of its own."""
    random = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        time = np.arange(rows)
        season = 1 + 0.2 * np.sin(2 * np.pi * time / 12)
        values = 10.0**number * (20 + 0.3 * time) * season
        values *= np.exp(random.normal(0, 0.03, rows))
        stamps = pd.date_range(end="2024-12-01", periods=rows, freq="MS")
        frames.append(
            pd.DataFrame({"unique_id": f"s{number}", "ds": stamps, "y": values})
        )
    return pd.concat(frames)


def test_every_series_of_a_panel_is_forecast_also_one_of_ten_rows():
    frame = panel()
    short = frame["unique_id"].eq("s5") & (frame["ds"] < "2024-03-01")
    answer = unroll.answer(frame[~short], target="y", horizon=6, without=["ets"])
    forecast = answer.forecast(levels=0.9)
    assert forecast["unique_id"].value_counts().to_dict() == {
        f"s{n}": 6 for n in range(6)
    }
    assert np.isfinite(forecast[["lo-90", "hi-90"]]).all(axis=None)
    assert (forecast["lo-90"] < forecast["hi-90"]).all()
    assert answer.series_left_out == {}
    assert answer.board.naive == "seasonal_naive"
    assert answer.findings.titles["seasonal_naive"] == "the value 12 timesteps before"
    assert "6 series" in answer.sentence


def test_a_saved_answer_forecasts_the_same_and_another_model_if_it_is_named(tmp_path):
    answer = unroll.answer(panel(3), target="y", horizon=4, models="theta")
    assert {*answer.models["model"]} == {"last_value", "seasonal_naive", "theta"}
    again = unroll.load(answer.save(tmp_path / "panel"))
    pd.testing.assert_frame_equal(again.forecast(), answer.forecast())
    naive = again.forecast(model="last_value")
    last = panel(3).groupby("unique_id")["y"].last()
    expected = naive["unique_id"].map(last)
    np.testing.assert_allclose(naive["y_hat"], expected, rtol=1e-6)
    with pytest.raises(UsageError, match="model must be one of"):
        again.forecast(model="ets")
    longer = again.forecast(horizon=9, levels=0.9)
    widths = (longer["hi-90"] - longer["lo-90"]).to_numpy().reshape(3, 9)
    assert (widths[:, -1] > widths[:, 3]).all()


def test_the_mean_can_be_chosen_where_a_single_model_forecasts(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "STEPS", 20)
    monkeypatch.setattr(networks, "FEWEST_WINDOWS", 100)
    frame = panel(8, rows=60)
    answer = unroll.answer(frame, target="y", horizon=4, models=["theta", "mlp"])
    assert answer.board.champion != "mean"
    assert answer.sentence.startswith("Recurrence was not tried")
    again = unroll.load(answer.save(tmp_path / "panel"))
    named = unroll.answer(frame, target="y", horizon=4, models=["theta", "ets", "gru"])
    assert np.isfinite(named.by_model("gru").forecast()["y_hat"]).all()
    assert again.forecaster.models == [
        *["last_value", "seasonal_naive", "theta", "mlp", "mean"]
    ]
    parts = [again.forecast(model=name)["y_hat"] for name in ("theta", "mlp", "mean")]
    np.testing.assert_allclose(parts[2], (parts[0] + parts[1]) / 2)


def test_an_answer_saved_again_leaves_the_notes_beside_it(tmp_path):
    answer = unroll.answer(panel(1, rows=11), target="y", models="theta")
    folder = answer.save(tmp_path / "panel")
    (folder / "notes.txt").write_text("mine")
    answer.save(folder)
    assert (folder / "notes.txt").read_text() == "mine"
    other = unroll.load(folder).by_model("last_value")
    assert np.isfinite(other.forecast()["y_hat"]).all()


def test_one_of_its_models_forecasts_when_the_whole_answer_is_gone():
    answer = unroll.answer(panel(1, rows=11), target="y", models="theta")
    other = answer.by_model("last_value")
    del answer
    gc.collect()
    assert np.isfinite(other.forecast()["y_hat"]).all()


def test_counts_above_sixteen_million_are_forecast_to_the_unit():
    frame = panel(1, rows=24).assign(y=1_000_000_003 + 9 * np.arange(24))
    answer = unroll.answer(frame, target="y", models="last_value")
    assert answer.forecast()["y_hat"].iloc[0] == frame["y"].iloc[-1]


def test_a_single_series_with_a_number_may_have_a_name(tmp_path):
    path = tmp_path / "m.parquet"
    panel(1, rows=11).assign(unique_id=7).to_parquet(path)
    answer = unroll.answer(path, target="y", models="theta", name="m")
    assert answer.forecast()["unique_id"].unique().tolist() == ["m"]


def test_a_column_with_signs_of_a_formula_has_a_picture(tmp_path):
    frame = panel(1, rows=11).rename(columns={"y": "sales_$_net_$"})
    answer = unroll.answer(frame, target="sales_$_net_$", models="theta")
    page.write(unroll.load(answer.save(tmp_path / "panel")))
    assert "sales_$_net_$" in (tmp_path / "panel" / "forecast.svg").read_text()


def test_one_cache_serves_one_answer_at_a_time(tmp_path):
    busy = alone(tmp_path / "cache" / "lock", "")
    with busy, pytest.raises(UnrollError, match="another process fits models in"):
        unroll.answer(panel(1, rows=11), target="y", cache=tmp_path / "cache")


def test_less_than_a_year_has_no_value_a_year_before():
    answer = unroll.answer(panel(1, rows=11), target="y", models="theta")
    assert {*answer.models["model"]} == {"last_value", "theta"}


def test_new_rows_are_forecast_from():
    frame = panel(3)
    early = frame[frame["ds"] < "2024-10-01"]
    answer = unroll.answer(early, target="y", horizon=4, models="theta")
    found = answer.forecast(frame, levels=0.9)
    assert found["ds"].min() == pd.Timestamp("2025-01-01")
    again = unroll.answer(frame, target="y", horizon=4, models="theta")
    np.testing.assert_allclose(found["y_hat"], again.forecast()["y_hat"], rtol=1e-9)
    first, second, _ = frame["unique_id"].unique()
    lacking = frame["unique_id"].eq(first)
    lacking |= frame["unique_id"].eq(second) & frame["ds"].eq(frame["ds"].max())
    with pytest.warns(OutsideRangeWarning) as told:
        answer.forecast(frame.assign(y=frame["y"].mask(lacking)))
    left_out, ended = [str(warning.message) for warning in told]
    assert [warning.message.series for warning in told] == [first, ""]
    assert left_out == f"{first} is left out: there is no row with a value"
    assert ended.startswith(f"rows to come of {second}: 'y' was measured last at")


def test_four_years_of_months_are_forecast_and_no_verdict_is_given():
    frame = panel(1, rows=51).drop(columns="unique_id")
    answer = unroll.answer(frame, target="y", horizon=18)
    assert answer.outcome is None
    assert answer.sentence.startswith("Whether recurrence helps cannot be said")
    forecast = answer.forecast(levels=0.9)
    assert len(forecast) == 18
    assert np.isfinite(forecast[["lo-90", "hi-90"]]).all(axis=None)
    judged = between(answer, "theta", "ets")
    assert judged.mae == pytest.approx(answer.board.models["theta"].mae)
    assert judged.sentence.endswith("A verdict takes 20 series, and here are fewer.")
    truth = panel(1, rows=69)["y"].to_numpy()
    assert abs(forecast["y_hat"].mean() / truth[-18:].mean() - 1) < 0.25


@pytest.mark.skipif(not M3.is_file(), reason="the mirror has no M3")
def test_sixty_series_of_m3_are_forecast_better_than_by_naive_models():
    with M3.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["period"] == "QUARTERLY"]
    frames = []
    truths = []
    for row in rows[::13][:60]:
        values = np.array([float(value) for value in row["x"].split(";")])
        stamps = pd.date_range(end="2000-01-01", periods=len(values), freq="QS")
        frames.append(pd.DataFrame({"unique_id": row["sn"], "ds": stamps, "y": values}))
        truth = np.array([float(value) for value in row["xx"].split(";")])
        scale = np.abs(values[4:] - values[:-4]).mean()
        truths.append((truth, scale))
    answer = unroll.answer(pd.concat(frames), target="y", horizon=8)
    scaled = {}
    for model in ("mean", "last_value", "seasonal_naive"):
        forecast = answer.forecast(levels=0.9, model=model)
        by_series = forecast.groupby("unique_id", sort=False)
        errors = []
        inside = []
        for (_, own), (truth, scale) in zip(by_series, truths, strict=True):
            errors.append(np.abs(own["y_hat"].to_numpy() - truth).mean() / scale)
            inside.append((own["lo-90"] <= truth) & (truth <= own["hi-90"]))
        scaled[model] = np.mean(errors)
    assert answer.board.champion == "mean"
    assert scaled["mean"] < 0.85 * min(scaled["last_value"], scaled["seasonal_naive"])
    assert 0.8 < np.mean(inside) < 0.97


def test_panels_of_many_series_have_ces_in_place_of_ets(monkeypatch):
    monkeypatch.setattr(backtest, "MOST_WITH_ETS", 2)
    monkeypatch.setitem(local.MODELS, "ces", local.theta)
    answer = unroll.answer(panel(3), target="y", horizon=4, networks=False)
    assert answer.board.members == ["theta", "ces"]
    assert "ets" not in {*answer.models["model"]}


@pytest.mark.parametrize("name", [*local.MODELS])
def test_a_model_of_one_series_forecasts_from_one_row_on(name):
    # to compile CES takes 20 s
    for count in (1, 3, 9) if name == "ces" else (1, 3, 9, 30):
        values = 5.0 + np.arange(count) % 3
        found = local.MODELS[name](values, 7, 12)
        assert found.shape == (7,)
        assert np.isfinite(found).all()


def test_networks_learn_a_season_in_logarithms_and_in_differences():
    time = np.arange(60)
    up = [
        level * (3 + np.sin(np.pi * time / 2)) for level in (1.0, 100.0) for _ in "ab"
    ]
    through = [values - 3 * values.max() / 4 for values in up]
    for series in (up * 4, through * 4):
        histories = Histories(series, 4, 4)
        assert networks.enough(histories)
        learnt = networks.train("mlp", histories)
        found = networks.forecast("mlp", learnt, histories).mean(axis=0)
        expected = np.array([values[:4] for values in series])
        errors = np.abs(found - expected).mean(axis=1) / expected.std(axis=1)
        assert errors.max() < 0.1


def test_intervals_are_quantiles_of_the_errors_around_a_step():
    scores = np.linspace(-1, 1, 201)[:, None] * np.array([1.0, 2.0, 3.0])
    ends = offsets(scores, [0.5, 0.9])
    assert (np.diff(ends, axis=1) >= 0).all()
    np.testing.assert_allclose(ends[1, 0], -ends[1, -1])
    assert ends[2, -1] > ends[0, -1]
    late = np.where(np.arange(3) < 1, scores, np.nan)
    np.testing.assert_allclose(
        offsets(late, [0.9])[2], np.sqrt(3) * offsets(late, [0.9])[0]
    )
    assert np.isinf(offsets(np.full((4, 3), np.nan), [0.9])).all()


def test_a_file_of_another_forecaster_is_refused(tmp_path):
    answer = unroll.answer(panel(2), target="y", horizon=4, models="theta")
    folder = answer.save(tmp_path / "panel")
    arrays = dict(np.load(folder / "forecaster.npz"))
    arrays["ahead"] = arrays["ahead"][:, :, :2]
    np.savez(folder / "forecaster.npz", **arrays)
    seal.write(folder, "seconds.json")
    with pytest.raises(
        UnrollError, match=r"forecaster\.npz.*ahead must have the shape"
    ):
        unroll.load(folder)


def test_a_changed_answer_forecasts_the_same_or_says_what_is_wrong(tmp_path):
    """By somebody who makes the hashes again."""
    file = tmp_path / "panel.csv"
    panel(4).to_csv(file, index=False)
    whole = unroll.answer(file, target="y", horizon=4, models="theta")
    whole.save(tmp_path / "whole")
    told = []
    for number in range(60):
        chance = random.Random(number)  # noqa: S311 - no secret
        folder = tmp_path / "panel"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", folder)
        changed = folder / chance.choice(
            ["short.json", "forecaster.npz", "answer.json"]
        )
        change = changed_json if changed.suffix == ".json" else changed_arrays
        change(changed, chance)
        seal.write(folder, answers.SECONDS, *answers.SHOWN)
        try:
            answer = unroll.load(folder)
            assert {*answer.forecast()["unique_id"]} <= {"s0", "s1", "s2", "s3"}
            assert answer.name in f"{answer!r} {answer.hint} {answer.models}"
            assert answer.scores()["mae"].notna().any()
        except UnrollError as error:
            told.append(str(error))
    assert len(told) > 30
    assert not any("\n" in line for line in told)
