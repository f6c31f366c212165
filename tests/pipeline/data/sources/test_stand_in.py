"""Stand-ins have the official form, to the columns, numbers and faults that
preparations have to bear."""

import io
from collections import Counter

import pandas as pd
import pytest

from pipeline.data.preparations.imdb import prepare
from pipeline.data.sources import jena, stand_in
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
    return Counter(
        pd.to_datetime(timestamps.drop_duplicates(), format=jena.STAMP_FORMAT)
        .diff()
        .dropna()
    )


def test_jena_has_the_official_form_and_faults(make):
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


def test_imdb_is_read_as_the_official_file_is(make, folder):
    make("imdb", 400)
    dataset = prepare("imdb", folder, words=10_000, length=50, validation=0.25)
    assert [len(examples) for examples in dataset.splits.values()] == [300, 100, 400]
    assert dataset.splits["test"].targets.mean() == 0.5
    assert len({*dataset.words}) > 9_990, "each number has its word"
