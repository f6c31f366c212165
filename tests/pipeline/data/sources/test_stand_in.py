"""Stand-ins have the official form, to the columns, numbers and faults that preparations have to bear."""

import io
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pipeline.data.sources import jena, jena_hourly, stand_in
from tests.support import content

MINUTES = pd.Timedelta(minutes=10)


@pytest.fixture
def make(folder, context):
    """The files that stand in for a source."""

    def make(of, rows, seed=0):
        for file in folder.iterdir():
            file.unlink()
        stand_in.produce(folder, context, of=of, rows=rows, seed=seed)
        return content(folder)

    return make


def steps(timestamps):
    """How often two timestamps lie so far from each other, repeated ones left out."""
    form = jena.STAMP_FORMAT if "." in timestamps[0] else "%Y-%m-%d %H:%M:%S"
    return Counter(pd.to_datetime(timestamps.drop_duplicates(), format=form).diff().dropna())


def test_jena_and_its_extract_have_the_official_form_and_faults(make):
    body = make("jena", 6000)[jena.FILE]
    assert body != make("jena", 6000, seed=1)[jena.FILE]
    table = pd.read_csv(io.BytesIO(body))
    timestamps = table[jena.STAMP]
    assert tuple(table) == jena.COLUMNS
    assert (len(timestamps), timestamps.nunique(), timestamps[0]) == (6000, 6000 - 4, "01.01.2009 00:10:00")
    assert steps(timestamps) == {MINUTES: 5994, pd.Timedelta(days=3, hours=18, minutes=50): 1}
    assert (table[["wv (m/s)", "max. wv (m/s)"]] == -9999).sum().tolist() == [3, 3]
    hourly = pd.read_csv(io.BytesIO(make("jena_hourly", 1000)[jena_hourly.FILE]))
    assert list(hourly) == jena_hourly.COLUMNS
    assert steps(hourly[jena.STAMP])[pd.Timedelta(hours=1)] == 998
    assert (hourly[jena_hourly.WIND] >= 0).all(), "the sentinel is gone"


def test_weather_has_the_official_form_and_its_faults(make):
    body = make("weather", 5000)["weather.csv"]
    assert body.count(b"\r\n") == body.count(b"\n") == 5001
    table = pd.read_csv(io.BytesIO(body))
    assert (table.columns[0], table.columns[-1], len(table.columns)) == ("date", "OT", 22)
    assert ",".join(table).count("\ufffd") == 5
    assert (table["date"][0], table["date"].nunique()) == ("2020-01-01 00:10:00", 4999)
    assert steps(table["date"]) == {MINUTES: 4996, 2 * MINUTES: 1, 10 * MINUTES: 1}
    lost = (table.iloc[:, 1:] == -9999).sum()
    assert lost[lost > 0].to_dict() == {"wv (m/s)": 1, "max. PAR (\ufffdmol/m\ufffd/s)": 2, "OT": 4}


def test_imdb_has_the_official_form(make):
    files = make("imdb", 400)
    with np.load(io.BytesIO(files["imdb.npz"]), allow_pickle=True) as archive:
        assert sorted(archive.files) == ["x_test", "x_train", "y_test", "y_train"]
        x, y = archive["x_train"], archive["y_train"]
    assert (x.dtype, y.tolist()) == (object, [1] * 200 + [0] * 200)
    assert {(type(review), type(review[0])) for review in x} == {(list, int)}
    assert 1 <= min(map(min, x)) <= max(map(max, x)) <= 20_000
    assert sorted(json.loads(files["imdb_word_index.json"]).values()) == list(range(1, 20_001))
