"""What is proposed where nobody says."""

import pandas as pd
import pytest

from pipeline.data.row_files import unseen
from pipeline.data.sniff.detect import detect
from pipeline.data.sniff.profile import Overrides
from unroll.add.question import propose


def asked(folder, columns, freq="h", count=200):
    stamps = pd.date_range("2021-01-01", periods=count, freq=freq)
    lines = (
        f"{stamp}," + ",".join(str(place * k % 29) for k in range(2, len(columns) + 2))
        for place, stamp in enumerate(stamps)
    )
    (folder / "a.csv").write_text("\n".join([",".join(["time", *columns]), *lines]), encoding="utf-8")
    return propose(detect([folder / "a.csv"], Overrides(), unseen), None, None, None, None)


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ("temp wind load", "load"),
        ("Last kW|Temp C", "Last kW"),
        ("HUFL HULL OT", "OT"),
        ("temp rain_1h snow_1h traffic_volume", "traffic_volume"),
        ("No year month pm2.5 DEWP TEMP", "pm2.5"),
        ("season hum windspeed casual registered cnt", "cnt"),
        ("Temperature Humidity PowerConsumption_Zone1 PowerConsumption_Zone2", "PowerConsumption_Zone1"),
        ("Temp (°C)|Stromverbrauch [kWh]", "Stromverbrauch [kWh]"),
        ("Temp (°C)|Netz (kW)", "Netz (kW)"),
        ("load_forecast load", "load"),
        ("price y", "price"),
        ("holiday a b", "a"),
    ],
)
def test_the_target_is_a_column_that_looks_like_one(tmp_path, columns, target):
    columns = columns.split("|") if "|" in columns else columns.split()
    question = asked(tmp_path, columns)
    assert question.target == target
    assert "--target names another" in question.reasons["target"]


@pytest.mark.parametrize(
    ("freq", "count", "lookback"),
    [
        ("h", 1960, 336),
        ("h", 200, 24),
        ("D", 100, 14),
        ("B", 60, 10),
        ("QS", 60, 12),
        ("YS", 40, 8),
        ("10min", 9999, 168),
    ],
)
def test_it_is_looked_back_by_whole_cycles(tmp_path, freq, count, lookback):
    question = asked(tmp_path, ["load"], freq, count)
    assert (question.lookback, "target" in question.reasons) == (lookback, False)
