"""M4's scores beside a naive loop, the places, and the row that is left out."""

import hashlib
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from bench import figures_file
from bench.series import m4, ours, panels
from pipeline.errors import UnrollError

RANDOM = np.random.default_rng(0)
LENGTHS = {"W1": 30, "W2": 12}
STEPS = 3


def drawn():
    """Rows of two series, of which the last three of each are held out."""
    frames = []
    for name, count in LENGTHS.items():
        stamps = pd.date_range(end="2000-01-31", periods=count, freq="7D")
        values = RANDOM.uniform(5, 9, count).round(2)
        part = ["train"] * (count - STEPS) + ["test"] * STEPS
        frames.append(
            pd.DataFrame({"unique_id": name, "ds": stamps, "y": values, "part": part})
        )
    return pd.concat(frames, ignore_index=True)


def forecast_of(rows):
    """A forecast of the rows held out, in another order."""
    ahead = rows[rows["part"] == "test"].drop(columns=["part", "y"])
    ahead = ahead.assign(y_hat=RANDOM.uniform(5, 9, len(ahead)))
    return ahead.assign(**{"lo-95": ahead.y_hat - 0.5, "hi-95": ahead.y_hat + 1})[::-1]


def by_a_loop(rows, forecast):
    """sMAPE, MASE and MSIS, one row at a time."""
    found = {"smape": [], "mase": [], "msis": []}
    for name in LENGTHS:
        own = rows[rows["unique_id"] == name]
        past = own[own["part"] == "train"]["y"].tolist()
        changes = [abs(b - a) for a, b in pairwise(past)]
        scale = sum(changes) / len(changes)
        of_rows = {score: [] for score in found}
        for row in own[own["part"] == "test"].itertuples():
            made = forecast[
                (forecast["unique_id"] == name) & (forecast["ds"] == row.ds)
            ]
            y_hat, low, high = made[["y_hat", "lo-95", "hi-95"]].iloc[0]
            error = abs(row.y - y_hat)
            of_rows["smape"].append(200 * error / (abs(row.y) + abs(y_hat)))
            of_rows["mase"].append(error / scale)
            loss = high - low
            if row.y < low:
                loss += 40 * (low - row.y)
            if row.y > high:
                loss += 40 * (row.y - high)
            of_rows["msis"].append(loss / scale)
        for score, values in of_rows.items():
            found[score].append(sum(values) / len(values))
    return {score: sum(values) / len(values) for score, values in found.items()}


class Answered:
    """An answer that has a forecast already."""

    def __init__(self, forecast):
        self._forecast = forecast

    def forecast(self, levels):
        assert levels == (0.95,)
        return self._forecast


def test_scores_are_those_of_the_competition_and_the_rows_held_out_are_not_seen(
    tmp_path, monkeypatch
):
    rows = drawn()
    forecast = forecast_of(rows)
    path = tmp_path / m4.PLACE
    path.parent.mkdir()
    rows.to_csv(path, index=False)
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path))
    monkeypatch.setattr(m4, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())

    def saved(_folder, frame, options):
        assert [*frame] == ["unique_id", "ds", "y"]
        assert frame["y"].tolist() == rows[rows["part"] == "train"]["y"].tolist()
        assert (options["target"], options["horizon"]) == ("y", STEPS)
        return Answered(forecast), {"cpu": 7.0}

    monkeypatch.setattr(ours, "saved", saved)
    found = m4.measure()
    expected = by_a_loop(rows, forecast)
    expected["owa"] = (expected["smape"] / 9.161 + expected["mase"] / 2.777) / 2
    assert {name: row["value"] for name, row in found["scores"].items()} == (
        pytest.approx(expected)
    )
    inside = rows.merge(forecast)
    held = (inside["lo-95"] <= inside["y"]) & (inside["y"] <= inside["hi-95"])
    assert found["coverage"] == pytest.approx(held.mean())
    assert (found["series"], found["cpu"]) == (2, 7.0)
    forecast = forecast[1:]
    with pytest.raises(UnrollError, match="1 values of M4 have no forecast"):
        m4.measure()


def test_a_place_counts_those_who_are_better_among_those_who_have_the_score():
    found = m4.places({"owa": 0.74, "msis": 0.1})
    assert found["owa"] == {"value": 0.74, "place": 2, "of": 60, "best": 0.7386}
    assert (found["msis"]["place"], found["msis"]["of"]) == (1, 22)


def test_without_its_rows_the_competition_is_left_out_with_a_line(monkeypatch):
    monkeypatch.setattr(panels, "COMPETITIONS", ())
    monkeypatch.delenv("UNROLL_MIRROR", raising=False)
    said = []
    assert panels.measure(quick=True, say=said.append) == {"panels": {}}
    (line,) = said
    assert line == (
        "m4_weekly is left out: m4_weekly.csv.xz cannot be had: it has no official "
        "address. To go on, set UNROLL_MIRROR to a folder or an https address that holds "
        "m4/m4_weekly.csv.xz"
    )


def test_the_page_has_the_places():
    row = {
        "series": 9,
        "coverage": 0.945,
        "cpu": 30.0,
        "scores": m4.places({"owa": 0.7}),
    }
    measured = figures_file.merge({}, "panels", {"panels": {}, "m4": row}, 1.0)
    page = figures_file.page(measured)
    assert "\n| OWA | 0.700 | 1 of 60 | 0.739 |\n" in page
    assert "Timestamps are not known: the competition published none" in page
