"""What is proposed where nobody says."""

import numpy as np
import pandas as pd
import pytest

from pipeline.data.row_files import no_progress
from series.question import Wanted, entries, propose
from series.reading.detect import detect
from series.reading.profile import Overrides


def proposed(folder, columns, freq="h", count=200):
    stamps = pd.date_range("2021-01-01", periods=count, freq=freq)
    values = {column: np.arange(count) * number % 29 for number, column in enumerate(columns, 2)}
    pd.DataFrame({"time": stamps, **values}).to_csv(folder / "a.csv", index=False)
    profile = detect([folder / "a.csv"], Overrides(), no_progress)
    return profile, propose(profile, Wanted())


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ("Last kW|Temp C", "Last kW"),
        ("HUFL HULL OT", "OT"),
        ("temp rain_1h snow_1h traffic_volume", "traffic_volume"),
        ("No year month pm2.5 DEWP TEMP", "pm2.5"),
        ("season hum windspeed casual registered cnt", "cnt"),
        ("Temperature Humidity PowerConsumption_Zone1 PowerConsumption_Zone2", "PowerConsumption_Zone1"),
        ("Temp (°C)|Stromverbrauch [kWh]", "Stromverbrauch [kWh]"),
        ("load_forecast load", "load"),
        ("price y", "price"),
        ("holiday a b", "a"),
    ],
)
def test_the_target_is_a_column_that_looks_like_one(tmp_path, columns, target):
    columns = columns.split("|" if "|" in columns else None)
    _, proposal = proposed(tmp_path, columns)
    assert proposal.target == target
    assert "--target names another" in proposal.reasons["target"]


def test_a_target_may_lack_half_of_its_values(tmp_path):
    hours, load = pd.date_range("2021-01-01", periods=200, freq="h"), np.where(np.arange(200) % 2, np.nan, 1.0)
    pd.DataFrame({"time": hours, "wind": hours.hour, "load": load + hours.hour}).to_csv(tmp_path / "a.csv", index=False)
    proposal = propose(detect([tmp_path / "a.csv"], Overrides(), no_progress), Wanted())
    assert (proposal.target, proposal.reasons["target"]) == ("load", "by its name; --target names another")


@pytest.mark.parametrize(
    ("freq", "count", "horizon", "lookback", "two_years"),
    [
        ("h", 1960, 24, 336, False),
        ("h", 200, 20, 24, False),
        ("D", 600, 7, 56, False),
        ("B", 600, 5, 40, True),
        ("W", 600, 4, 52, True),
        ("MS", 600, 12, 96, True),
        ("QS", 60, 4, 12, True),
        ("YS", 40, 1, 8, True),
        ("10min", 9999, 24, 168, False),
    ],
)
def test_it_is_looked_back_by_whole_cycles_and_a_season_takes_two_years(
    tmp_path, freq, count, horizon, lookback, two_years
):
    profile, proposal = proposed(tmp_path, ["load"], freq, count)
    assert (proposal.horizon, proposal.lookback, "target" in proposal.reasons) == (horizon, lookback, False)
    experiments = entries("a", {}, "a.csv", profile, proposal)[0]["experiments"]["a"]
    seasons = {experiments[name]["model"].get("season", True) for name in ("ridge", "boosting", "boosting_own")}
    assert seasons == {two_years}
