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
from pipeline.errors import UsageError

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


def table(body):
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    return header, [row[0] for row in rows], np.array([[float(text) for text in row[1:]] for row in rows])


def steps(stamps, form):
    times = [datetime.strptime(stamp, form) for stamp in stamps]  # noqa: DTZ007 - the station's clock
    return Counter(later - earlier for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("of", ["imdb", "jena", "jena_2009_2010", "jena_hourly", "weather"])
def test_a_seed_gives_the_same_bytes_and_another_others(make, of):
    first = make(of, 150)
    assert make(of, 150) == first
    other = make(of, 150, seed=1)
    assert all(other[name] != body for name, body in first.items())


def test_jena_has_the_official_form_and_its_faults(make):
    (body,) = make("jena", 6000).values()
    header, stamps, values = table(body)
    assert tuple(header) == jena.COLUMNS
    assert len(stamps) == 6000
    assert stamps[0] == "01.01.2009 00:10:00"
    assert all(text == repr(float(text)) for line in body.decode().splitlines()[1:] for text in line.split(",")[1:])
    assert len(set(stamps)) == 6000 - 4
    spaces = steps(dict.fromkeys(stamps), jena.STAMP_FORMAT)
    assert spaces == {MINUTES: 5994, timedelta(days=3, hours=18, minutes=50): 1}
    wind = values[:, [jena.COLUMNS.index(name) - 1 for name in ("wv (m/s)", "max. wv (m/s)")]]
    assert (wind == -9999).sum(axis=0).tolist() == [3, 3]
    assert (wind[wind != -9999] >= 0).all()


def test_the_station_is_like_a_real_one():
    rows = 2 * 52_560
    data = stand_in.station(np.random.default_rng(0), "2009-01-01T00:10:00", rows, (rows, 0))
    t = data.readings["T (degC)"]
    days = t[: 730 * 144].reshape(730, 144)
    months = days.mean(axis=1)
    assert months[180:210].mean() - months[:30].mean() > 10, "summer is warmer"
    assert days[:, 87].mean() - days[:, 24].mean() > 3, "so is the afternoon"
    assert 6 < t.std() < 10
    assert abs(np.corrcoef(months[:-1], months[1:])[0, 1]) > 0.9, "tomorrow is like today"
    assert (data.readings["Tdew (degC)"] <= t + 1e-9).all(), "air holds no more water than it can"
    assert (data.readings["VPact (mbar)"] <= data.readings["VPmax (mbar)"] + 1e-9).all()
    assert 1000 < data.readings["rho (g/m**3)"].mean() < 1400


def test_drift_has_variance_one_and_forgets():
    found = stand_in.drift(np.random.default_rng(0), 400_000, 2)
    assert abs(found.var() - 1) < 0.05
    assert abs(np.mean(found[:-12] * found[12:]) - np.exp(-1)) < 0.03


def test_jena_hourly_is_its_jena_thinned(make):
    (body,) = make("jena_hourly", 1000).values()
    header, stamps, values = table(body)
    assert header == jena_hourly.COLUMNS
    assert len(stamps) == len(set(stamps)) == 1000
    assert steps(stamps, jena.STAMP_FORMAT).most_common(1) == [(timedelta(hours=1), 998)]
    assert (values[:, -1] >= 0).all(), "the sentinel is gone"


def test_weather_has_the_official_form_and_its_faults(make):
    ((name, body),) = make("weather", 5000).items()
    assert name == "weather.csv"
    assert body.count(b"\r\n") == body.count(b"\n") == 5001
    header, stamps, values = table(body)
    assert header[0] == "date"
    assert header[-1] == "OT"
    assert len(header) == 22
    assert ",".join(header).count("\ufffd") == 5
    assert stamps[0] == "2020-01-01 00:10:00"
    assert steps(stamps, "%Y-%m-%d %H:%M:%S") == {
        MINUTES: 4996,
        timedelta(0): 1,
        2 * MINUTES: 1,
        timedelta(minutes=100): 1,
    }
    lost = dict(zip(header[1:], (values == -9999).sum(axis=0).tolist(), strict=True))
    assert {column: count for column, count in lost.items() if count} == {
        "wv (m/s)": 1,
        "max. PAR (\ufffdmol/m\ufffd/s)": 2,
        "OT": 4,
    }


def test_imdb_has_the_official_form(make):
    files = make("imdb", 200)
    assert list(files) == ["imdb.npz", "imdb_word_index.json"]
    with np.load(io.BytesIO(files["imdb.npz"]), allow_pickle=True) as archive:
        assert sorted(archive.files) == ["x_test", "x_train", "y_test", "y_train"]
        x, y = archive["x_train"], archive["y_train"]
    assert x.dtype == object
    assert y.tolist() == [1] * 100 + [0] * 100
    assert {type(review) for review in x} == {list}
    assert {type(word) for word in x[0]} == {int}
    index = json.loads(files["imdb_word_index.json"])
    assert sorted(index.values()) == list(range(1, 20_001))
    assert min(map(min, x)) >= 1
    assert max(map(max, x)) <= 20_000
    assert sum(name.startswith("good") for name in index) == sum(name.startswith("bad") for name in index) == 50


def test_the_label_of_a_review_can_be_learnt_from_its_words(make):
    files = make("imdb", 400)
    with np.load(io.BytesIO(files["imdb.npz"]), allow_pickle=True) as archive:
        sets = {name: archive[name] for name in archive.files}

    def bags(reviews):
        return np.array([np.bincount(review, minlength=20_001)[:500] for review in reviews])

    x, y = bags(sets["x_train"]), sets["y_train"]
    direction = x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)
    frequent = x.mean(axis=0) + 1
    score = bags(sets["x_test"]) @ (direction / frequent)
    correct = ((score > np.median(score)) == sets["y_test"]).mean()
    assert correct > 0.8


@pytest.mark.parametrize("section", [{"of": "sine"}, {"rows": 10}, {"seed": -1}])
def test_a_wrong_option_is_named(section):
    with pytest.raises(UsageError, match=rf"sources\.x\.{next(iter(section))}"):
        registry.options(stand_in.produce, {"of": "jena", "rows": 1000} | section, "sources.x")
