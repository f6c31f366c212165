"""Series that are seen as a whole: panels, and one series of a few dozen rows."""

import gc

import numpy as np
import pandas as pd
import pytest

from pipeline.data.problem import Problem
from pipeline.errors import UnrollError
from tests.support.answered import answered
from tests.unroll.series.test_saved_answers import monthly
from unroll.series import answer_page, candidates, saved
from unroll.series.backtest import folds, plan, recent, rows_at, windows
from unroll.series.forecaster import OutsideRangeWarning
from unroll.series.judge import between
from unroll.series.models import panel, statistical
from unroll.series.options import Options
from unroll.series.preparation import as_wholes, usual_change
from unroll.series.question import propose
from unroll.series.reading.detect import detect
from unroll.series.row_options import scales
from unroll.series.user_data import CsvFormat, rows_of


def prepared(frame, **options):
    profile = detect(rows_of(frame, CsvFormat()), Options(**options))
    return as_wholes("a", profile, propose(profile, Options(**options)))


def test_a_data_set_of_wholes_has_a_window_up_to_each_row_and_none_of_two_series():
    frame = monthly("AB", 8)
    frame = frame[~(frame["unique_id"].eq("B") & (frame["ds"] < "2024-08-01"))]
    made = prepared(frame, horizon=3)
    data = made.dataset
    assert np.bincount(data.series_id).tolist() == [8 + 3, 5 + 3]
    every = windows(data)
    assert every.rows.tolist() == [*range(1, 9), *range(12, 17)]
    np.testing.assert_allclose(data.truth[11:16], frame["sales"][-5:])
    scale = [*scales(data).values()][1].std
    np.testing.assert_allclose(every.series[11:16, 0] * scale, frame["sales"][-5:])
    assert np.isnan(data.truth[[8, 9, 10, 16, 17, 18]]).all()
    assert data.stamps[8] == np.datetime64("2025-01-01")
    inputs, targets = every.take(np.array([7, 12]))
    assert inputs.shape == (2, 1, len(data.fitted.columns))
    assert np.isnan(targets).all(), "nothing is known of what comes"


def test_cutoffs_lie_a_row_apart_and_nothing_after_the_first_is_learnt_from():
    made = prepared(monthly("AB", 40), horizon=6)
    chosen = plan(made.dataset)
    assert (chosen.origins, chosen.stride, chosen.refits) == (24, 1, 1)
    of_six = plan(prepared(monthly("ABCDEF", 9), horizon=6).dataset)
    assert of_six.origins == 20
    [fold] = folds(made.dataset, chosen)
    first = 40 - 6 - 24 + 1
    of_one = fold.test.rows[fold.test.rows <= 40]
    assert of_one.tolist() == [*range(first, first + 24)]
    assert fold.train.rows.max() == 46 + first - 1
    known = fold.train.measured
    assert known[:first].all()
    assert not known[first:46].any()
    few = prepared(monthly("A", 8), horizon=6)
    [fold] = folds(few.dataset, plan(few.dataset))
    assert fold.test.rows.tolist() == [4, 5, 6, 7], "at least four rows before each"


def test_the_recent_change_up_to_a_cutoff_sees_nothing_after_it():
    frame = monthly("AB", 9)
    values = 100 + np.cumsum([*range(9), *range(0, 36, 4)])
    made = prepared(frame.assign(sales=values), horizon=3)
    chosen = plan(made.dataset)
    [fold] = folds(made.dataset, chosen)
    lasts = fold.test.rows - 1
    number = np.asarray(made.dataset.series_id)[lasts]
    cutoffs = np.asarray(made.dataset.stamps)[lasts]
    rows = rows_at(made.dataset, number, cutoffs)
    np.testing.assert_array_equal(rows, lasts)
    found = recent(made.dataset, chosen)[rows, 0].reshape(2, -1)
    changes = [np.mean(range(1, rows)) for rows in range(4, 4 + len(found[0]))]
    np.testing.assert_allclose(found, [changes, 4 * np.array(changes)])


def test_every_series_of_a_panel_is_forecast_also_one_of_ten_rows():
    frame = monthly("ABCDEF")
    short = frame["unique_id"].eq("F") & (frame["ds"] < "2024-03-01")
    answer = answered(frame[~short], target="sales", horizon=6, without=["auto_ets"])
    forecast = answer.forecast(levels=0.9)
    counts = forecast["unique_id"].value_counts().to_dict()
    assert counts == dict.fromkeys("ABCDEF", 6)
    assert np.isfinite(forecast[["lo-90", "hi-90"]]).all(axis=None)
    assert (forecast["lo-90"] < forecast["hi-90"]).all()
    assert answer.series_left_out == {}
    assert answer.findings.titles["cycle_12"] == "last year's month"
    assert "6 series" in answer.sentence
    assert answer.forecaster.reach == 40 + candidates.ROOM


def test_half_of_the_combination_is_the_global_network(tmp_path, monkeypatch):
    few = {**candidates.GLOBAL_NETWORK, "steps": 20}
    monkeypatch.setattr(candidates, "GLOBAL_NETWORK", few)
    monkeypatch.setattr(candidates, "FEWEST_GLOBAL_WINDOWS", 20)
    options = {"target": "sales", "horizon": 4}
    models = ["theta", "auto_ets", "global_mlp", "global_gru"]
    answer = answered(monthly("ABCD", 60), **options, models=models)
    assert answer.board.members == ["theta", "auto_ets", "global_mlp"]
    again = saved.load(answer.save(tmp_path / "panel"))
    theta, ets, mlp, gru = (again.forecast(model=name)["y_hat"] for name in models)
    combined = again.forecast(model="combination")["y_hat"]
    np.testing.assert_allclose(combined, (theta + ets) / 4 + mlp / 2)
    assert np.isfinite(gru).all()
    assert answer.outcome is not None
    by_model = answer.forecasts.groupby("model", sort=False)["y_hat"]
    values = {name: own.to_numpy() for name, own in by_model}
    mean = (values["theta"] + values["auto_ets"]) / 4 + values["global_mlp"] / 2
    np.testing.assert_allclose(values["combination"], mean)


def test_two_models_have_half_each_and_forecast_when_the_whole_answer_is_gone():
    models = ["theta", "auto_ets"]
    answer = answered(monthly("AB"), target="sales", horizon=4, models=models)
    alone = [answer.by_model(name) for name in models]
    combined = answer.forecast()["y_hat"]
    del answer
    gc.collect()
    theta, ets = (one.forecast()["y_hat"] for one in alone)
    np.testing.assert_allclose(combined, (theta + ets) / 2)


def test_counts_above_sixteen_million_are_forecast_to_the_unit():
    frame = monthly("A", 24).assign(sales=1_000_000_003 + 9 * np.arange(24))
    answer = answered(frame, target="sales", models="last_value")
    last = frame["sales"].iloc[-1]
    assert answer.forecast()["y_hat"].iloc[0] == pytest.approx(last, abs=1e-3)


def test_a_single_series_with_a_number_may_have_a_name(tmp_path):
    path = tmp_path / "m.parquet"
    monthly("A", 11).assign(unique_id=7).to_parquet(path)
    answer = answered(path, target="sales", models="theta", name="m")
    assert answer.forecast()["unique_id"].unique().tolist() == ["m"]


def test_a_column_with_signs_of_a_formula_has_a_picture(tmp_path):
    frame = monthly("A", 11).rename(columns={"sales": "sales_$_net_$"})
    answer = answered(frame, target="sales_$_net_$", models="theta")
    answer_page.write(saved.load(answer.save(tmp_path / "panel")))
    assert "sales_$_net_$" in (tmp_path / "panel" / "forecast.svg").read_text()


def test_new_rows_are_forecast_from_and_a_series_without_a_value_is_named():
    frame = monthly("ABC")
    early = frame[frame["ds"] < "2024-10-01"]
    options = {"target": "sales", "horizon": 4, "models": "theta"}
    answer = answered(early, **options)
    found = answer.forecast(frame, levels=0.9)
    assert found["ds"].min() == pd.Timestamp("2025-01-01")
    again = answered(frame, **options)
    np.testing.assert_allclose(found["y_hat"], again.forecast()["y_hat"], rtol=1e-2)
    lacking = frame["unique_id"].eq("A")
    lacking |= frame["unique_id"].eq("B") & frame["ds"].eq(frame["ds"].max())
    with pytest.warns(OutsideRangeWarning) as told:
        answer.forecast(frame.assign(sales=frame["sales"].mask(lacking)))
    left_out, ended = [str(warning.message) for warning in told]
    assert [warning.message.series for warning in told] == ["A", ""]
    assert left_out == "A is left out: there is no row with a value"
    assert ended.startswith("rows to come of B: 'sales' was measured last at")


def test_four_years_of_months_are_forecast_and_no_verdict_is_given():
    frame = monthly("A", 51).drop(columns="unique_id")
    answer = answered(frame, target="sales", horizon=18)
    assert answer.outcome is None
    assert "Whether recurrence helps cannot be said" in answer.sentence
    assert answer.left_out == dict.fromkeys(
        ["global_mlp", "global_gru"], "the series have too few rows to train a network"
    )
    forecast = answer.forecast(levels=0.9)
    assert len(forecast) == 18
    assert np.isfinite(forecast[["lo-90", "hi-90"]]).all(axis=None)
    judged = between(answer, "theta", "auto_ets")
    assert judged.mae == pytest.approx(answer.board.models["theta"].mae)
    assert judged.sentence.endswith("A verdict takes 20 series, and here are fewer.")
    truth = monthly("A", 69)["sales"].to_numpy()
    assert abs(forecast["y_hat"].mean() / truth[-18:].mean() - 1) < 0.25


def test_no_row_suffices_for_a_cutoff_of_four():
    frame = monthly("AB", 4)
    frame = pd.concat([frame, monthly("C", 6).assign(sales=np.nan)])
    with pytest.raises(UnrollError, match="no series has rows enough for a cutoff"):
        answered(frame, target="sales", horizon=2)


def models_of(frame, **options):
    """The models that are tried, and the networks that have too few rows."""
    made = prepared(frame, horizon=4)
    proposal = propose(detect(rows_of(frame, CsvFormat()), Options()), Options())
    chosen = plan(made.dataset)
    every, too_few = candidates.candidates(None, proposal, made, chosen, **options)
    return [*every], too_few


def test_panels_of_many_series_have_ces_in_place_of_ets(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_WITH_ETS", 2)
    every, _ = models_of(monthly("ABC"), networks=False)
    assert every == ["last_value", "cycle_12", "theta", "ces"]


@pytest.mark.parametrize("whole_windows", [99, 100])
def test_global_networks_are_trained_on_five_hundred_whole_windows(whole_windows):
    """Of each of five series: two cycles, and cutoffs, are no more of them."""
    every, too_few = models_of(monthly("ABCDE", 23 + whole_windows + 24 + 4))
    networks = ["global_mlp", "global_gru"]
    expected = ([], networks) if whole_windows == 99 else (networks, [])
    assert (every[4:], too_few) == expected


@pytest.mark.parametrize("name", ["seasonal_naive", *statistical.FEWEST])
def test_a_model_of_one_series_forecasts_from_one_row_on(name):
    # to compile CES takes 20 s
    for count in (1, 3, 9) if name == "ces" else (1, 3, 9, 30):
        found = statistical.forecast(name, 5.0 + np.arange(count) % 3, 7, 12)
        assert found.shape == (7,)
        assert np.isfinite(found).all()
    cycle = statistical.forecast("seasonal_naive", np.arange(5.0), 7, 3)
    assert cycle.tolist() == [2, 3, 4, 2, 3, 4, 2]


def test_a_network_sees_changes_and_counts_large_series_more():
    problem = Problem((4, 1), outputs=2)
    inputs = np.array([[np.nan, 2.0, 4.0, 8.0], [1.0, 1.0, 1.0, 1.0]])[..., None]
    view = panel.View(problem, cycle=2, logarithms=False, history=4)
    assert view.values(inputs)[0].tolist() == [2, 2, 4, 8], "the first value is before"
    assert view.level(inputs).ravel().tolist() == [6, 1]
    assert view.changes(inputs)[0].tolist() == [-4, -4, -2, 2]
    assert view.naive(inputs).tolist() == [[6, 6], [1, 1]]
    assert view.weights(inputs).tolist() == [0, 1], "three values teach nothing"
    view = panel.View(problem, cycle=1, logarithms=True, history=4)
    np.testing.assert_allclose(view.level(inputs).ravel(), [np.log(8), 0])
    assert view.weights(inputs).tolist() == [8, 1]
    model = panel.mlp(problem, cycle=1, logarithms=True, history=4, hidden=[3])
    targets = np.array([[16.0, np.nan], [1.0, 2.0]])
    residuals = model.residuals(inputs, targets)
    np.testing.assert_allclose(residuals, np.log([[2, np.nan], [1, 2]]))
    np.testing.assert_allclose(model.forecasts(inputs, residuals), targets)


@pytest.mark.parametrize(
    ("values", "cycle", "expected"),
    [([1, 3, 2, 5], 2, 1.5), ([1, 3, 1, 3], 2, 2), ([4, 4, 4], 1, 4), ([0], 1, 1)],
)
def test_the_usual_change_is_that_of_a_cycle_or_of_a_row_or_the_size(
    values, cycle, expected
):
    assert usual_change(np.array(values, float), cycle) == expected
