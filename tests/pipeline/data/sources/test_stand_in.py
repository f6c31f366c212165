"""Stand-ins have the official form, to the columns, numbers and faults that
preparations have to bear."""

import io
from collections import Counter

import pandas as pd
import pytest

from pipeline.data.preparations.imdb import prepare
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
    return Counter(
        pd.to_datetime(timestamps.drop_duplicates(), format=form).diff().dropna()
    )


def test_jena_and_its_extract_have_the_official_form_and_faults(make):
    body = make("jena", 6000)[jena.FILE]
    assert body != make("jena", 6000, seed=1)[jena.FILE]
    table = pd.read_csv(io.BytesIO(body))
    timestamps = table[jena.STAMP]
    assert tuple(table) == jena.COLUMNS
    assert (len(timestamps), timestamps.nunique(), timestamps[0]) == (
        6000,
        6000 - 4,
        "01.01.2009 00:10:00",
    )
    assert steps(timestamps) == {
        MINUTES: 5994,
        pd.Timedelta(days=3, hours=18, minutes=50): 1,
    }
    assert (table[["wv (m/s)", "max. wv (m/s)"]] == -9999).sum().tolist() == [3, 3]
    hourly = pd.read_csv(io.BytesIO(make("jena_hourly", 1000)[jena_hourly.FILE]))
    assert list(hourly) == jena_hourly.COLUMNS
    assert steps(hourly[jena.STAMP])[pd.Timedelta(hours=1)] == 998
    assert (hourly[jena_hourly.WIND] >= 0).all(), "the sentinel is gone"


def test_weather_has_the_official_form_and_its_faults(make):
    body = make("weather", 5000)["weather.csv"]
    assert body.count(b"\r\n") == body.count(b"\n") == 5001
    table = pd.read_csv(io.BytesIO(body))
    assert (table.columns[0], table.columns[-1], len(table.columns)) == (
        "date",
        "OT",
        22,
    )
    assert ",".join(table).count("\ufffd") == 5
    assert (table["date"][0], table["date"].nunique()) == ("2020-01-01 00:10:00", 4999)
    assert steps(table["date"]) == {MINUTES: 4996, 2 * MINUTES: 1, 10 * MINUTES: 1}
    lost = (table.iloc[:, 1:] == -9999).sum()
    assert lost[lost > 0].to_dict() == {
        "wv (m/s)": 1,
        "max. PAR (\ufffdmol/m\ufffd/s)": 2,
        "OT": 4,
    }


def test_imdb_is_read_as_the_official_file_is(make, folder):
    make("imdb", 400)
    dataset = prepare("imdb", folder, words=10_000, length=50, validation=0.25)
    assert [len(examples) for examples in dataset.splits.values()] == [300, 100, 400]
    assert dataset.splits["test"].targets.mean() == 0.5
    assert len({*dataset.words}) > 9_990, "each number has its word"
