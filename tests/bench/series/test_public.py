"""Which rows are held out, and that nothing else is."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from bench.series import ours, public
from bench.series.forecast_scores import LEVELS
from bench.series.public import FILES, ORIGINS, PublicFile
from pipeline.errors import UnrollError


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A function that loads a table as a public file."""

    def loaded(frame: pd.DataFrame, **about) -> public.HeldOut:
        path = tmp_path / "mirror" / "file.csv"
        path.parent.mkdir()
        frame.to_csv(path, index=False)
        monkeypatch.setenv("UNROLL_MIRROR", str(path.parent))
        usual = {
            "name": "file",
            "kind": "",
            "licence": "",
            "stamp": "time",
            "target": "y",
            "series": "",
            "every": "D",
            "day": 1,
            "cycle": 7,
            "place": path.name,
            "url": "",
        }
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return public.load(PublicFile(**(usual | about), sha256=sha256), tmp_path)

    return loaded


def days(count: int) -> pd.DataFrame:
    """Rows of so many days, the target the day's number."""
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=count),
            "y": np.arange(float(count)),
        }
    )


def test_the_list_has_a_hash_a_licence_and_an_address_for_each_file():
    assert len(FILES) >= 18
    for file in FILES.values():
        assert len(file.sha256) == 64
        assert file.licence
        assert file.horizon >= 4
        assert file.url.startswith("https://") or file.place.startswith("weather/")


def test_the_last_origins_are_held_out_and_rows_after_them_are_not_known(load):
    held = load(days(100))
    assert held.target.shape == (1, 100)
    assert held.origins.tolist() == list(range(80, 80 + ORIGINS))
    assert held.truth[0, 0].tolist() == list(range(80, 87))
    assert held.truth[0, -1, -1] == 99
    assert held.training()["y"].tolist() == list(range(80))
    assert held.until(int(held.origins[3]))["y"].max() == 82


def test_a_gap_stays_a_gap_and_the_grid_has_none(load):
    held = load(days(100).drop(index=[50, 90]))
    assert np.isnan(held.target[0, [50, 90]]).all()
    assert len(held.training()) == 79
    assert held.until(91)["y"].max() == 89


def test_only_the_last_timesteps_are_kept(load, monkeypatch):
    monkeypatch.setattr(public, "TIMESTEPS", 30)
    held = load(days(100))
    assert held.training()["y"].tolist() == list(range(50, 80))
    assert held.truth[0, 0, 0] == 80


def test_columns_that_make_a_day_are_read_together(load):
    frame = pd.concat([days(60).assign(kind="x"), days(60).assign(kind="y")])
    for part in ("year", "month", "day"):
        frame[part] = getattr(frame["time"].dt, part)
    frame = frame.drop(columns="time")
    held = load(frame, series="kind", stamp="year+month+day")
    assert held.names == ["x", "y"]
    assert held.training().columns.tolist() == ["y", "kind", "year", "month", "day"]
    assert held.truth.shape == (2, ORIGINS, 7)


def test_timestamps_in_milliseconds_are_read(load):
    frame = days(60)
    frame["time"] = frame["time"].astype("datetime64[ms]").astype("int64")
    assert load(frame).grid[0] == pd.Timestamp("2024-01-01")


def forecasts(held: public.HeldOut) -> pd.DataFrame:
    """The truth as a table of forecasts."""
    rows = [
        (name, held.grid[origin - 1], held.grid[origin + step], y)
        for name, of_series in zip(held.names, held.truth, strict=True)
        for origin, ahead in zip(held.origins, of_series, strict=True)
        for step, y in enumerate(ahead)
    ]
    table = pd.DataFrame(rows, columns=["unique_id", "cutoff", "ds", "y_hat"])
    for level in LEVELS:
        table[f"lo-{100 * level:.0f}"] = table["y_hat"] - level
        table[f"hi-{100 * level:.0f}"] = table["y_hat"] + level
    return table


def test_forecasts_are_arranged_as_the_truth_is(load):
    both = [days(60).assign(id=name) for name in ("b", "a")]
    held = load(pd.concat(both), series="id")
    table = forecasts(held).sample(frac=1, random_state=0)
    found = ours.aligned(held, table)
    assert found.shape == (2, ORIGINS, 7, 7)
    np.testing.assert_allclose(
        found, held.truth[..., None] + [-0.9, -0.8, -0.5, 0, 0.5, 0.8, 0.9]
    )


def test_a_value_without_a_forecast_is_told(load):
    held = load(days(100).drop(index=[81]))
    table = forecasts(held)
    gap = table["ds"] == "2024-03-22"
    assert np.isnan(ours.aligned(held, table[~gap])[0, 0, 1]).all()
    lost = (table["ds"] == "2024-03-25") & (table["cutoff"] == "2024-03-21")
    with pytest.raises(
        UnrollError, match="1 of 98 values have no forecast; the first is 2024-03-25"
    ):
        ours.aligned(held, table[~lost])
