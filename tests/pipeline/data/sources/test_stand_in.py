import csv
import io
import itertools
import json
from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest

from pipeline.config import registry
from pipeline.data.sources import jena, jena_hourly, stand_in

MINUTES = timedelta(minutes=10)


@pytest.fixture
def make(folder, context):
    """The files that stand in for a source."""

    def make(of, rows, seed=0):
        for file in folder.iterdir():
            file.unlink()
        options = registry.options(stand_in.produce, {"of": of, "rows": rows, "seed": seed}, "sources.x")
        stand_in.produce(folder, context, **options)
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

    return make


def table(body, form):
    """The header, the timestamps, how often two of them lie so far from each other, and the values."""
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    timestamps = [row[0] for row in rows]
    times = [datetime.strptime(text, form) for text in dict.fromkeys(timestamps)]  # noqa: DTZ007 - the station's clock
    steps = Counter(later - earlier for earlier, later in itertools.pairwise(times))
    return header, timestamps, steps, np.array([[float(text) for text in row[1:]] for row in rows])


def test_jena_has_the_official_form_and_its_faults(make):
    (body,) = make("jena", 6000).values()
    assert body != make("jena", 6000, seed=1)[jena.FILE]
    header, timestamps, steps, values = table(body, jena.STAMP_FORMAT)
    assert tuple(header) == jena.COLUMNS
    assert (len(timestamps), len(set(timestamps)), timestamps[0]) == (6000, 6000 - 4, "01.01.2009 00:10:00")
    assert all(text == repr(float(text)) for line in body.decode().splitlines()[1:] for text in line.split(",")[1:])
    assert steps == {MINUTES: 5994, timedelta(days=3, hours=18, minutes=50): 1}
    wind = values[:, [jena.COLUMNS.index(name) - 1 for name in ("wv (m/s)", "max. wv (m/s)")]]
    assert (wind == -9999).sum(axis=0).tolist() == [3, 3]
    assert (wind[wind != -9999] >= 0).all()


def test_weather_has_the_official_form_and_its_faults(make):
    ((name, body),) = make("weather", 5000).items()
    assert name == "weather.csv"
    assert body.count(b"\r\n") == body.count(b"\n") == 5001
    header, timestamps, steps, values = table(body, "%Y-%m-%d %H:%M:%S")
    assert (header[0], header[-1], len(header), ",".join(header).count("\ufffd")) == ("date", "OT", 22, 5)
    assert (timestamps[0], len(set(timestamps))) == ("2020-01-01 00:10:00", 4999)
    assert steps == {MINUTES: 4996, 2 * MINUTES: 1, 10 * MINUTES: 1}
    lost = dict(zip(header[1:], (values == -9999).sum(axis=0).tolist(), strict=True))
    assert +Counter(lost) == {"wv (m/s)": 1, "max. PAR (\ufffdmol/m\ufffd/s)": 2, "OT": 4}


def test_imdb_has_the_official_form(make):
    files = make("imdb", 400)
    assert list(files) == ["imdb.npz", "imdb_word_index.json"]
    with np.load(io.BytesIO(files["imdb.npz"]), allow_pickle=True) as archive:
        sets = {name: archive[name] for name in archive.files}
    assert sorted(sets) == ["x_test", "x_train", "y_test", "y_train"]
    x, y = sets["x_train"], sets["y_train"]
    assert (x.dtype, y.tolist()) == (object, [1] * 200 + [0] * 200)
    assert {(type(review), type(review[0])) for review in x} == {(list, int)}
    assert 1 <= min(map(min, x)) <= max(map(max, x)) <= 20_000
    index = json.loads(files["imdb_word_index.json"])
    assert sorted(index.values()) == list(range(1, 20_001))
    assert sum(name.startswith("good") for name in index) == sum(name.startswith("bad") for name in index) == 50


def test_jena_hourly_is_its_jena_thinned(make):
    (body,) = make("jena_hourly", 1000).values()
    header, timestamps, steps, values = table(body, jena.STAMP_FORMAT)
    assert header == jena_hourly.COLUMNS
    assert len(timestamps) == len(set(timestamps)) == 1000
    assert steps.most_common(1) == [(timedelta(hours=1), 998)]
    assert (values[:, -1] >= 0).all(), "the sentinel is gone"
