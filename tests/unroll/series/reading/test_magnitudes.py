"""Numbers that do not belong to the others: what means no value, and what is told."""

import numpy as np
import pandas as pd

from unroll.series.options import Options
from unroll.series.reading import magnitudes
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import described

RANDOM = np.random.default_rng(0)
DAILY = (43 + RANDOM.normal(0, 4, 900)).round(1)
HOURLY = (54 + 20 * np.sin(np.arange(2000) * np.pi / 12)).round(2)
HOURLY += RANDOM.normal(0, 1, 2000).round(2)
SALES = RANDOM.poisson(20, 900).astype(float)
SUN = np.maximum(0, 800 * np.sin(np.arange(-6, 1994) * np.pi / 12))
SUN = (SUN * RANDOM.uniform(0.2, 1, 2000)).round(1)
CLOSED = np.where(np.arange(900) % 7 == 6, 0, DAILY + 40)


def with_(values, *changes):
    """A copy of values in which some rows hold other numbers."""
    values = values.copy()
    for rows, number in changes:
        values[rows] = number
    return values


SAMPLES = {
    "two codes": with_(HOURLY, (slice(0, 400, 10), 999.9), (slice(5, 405, 10), 1999.9)),
    "codes at the end": with_(
        HOURLY, (slice(9, 99), -9999), (slice(1990, 2000), 65535)
    ),
    "codes of three kinds": with_(
        HOURLY, (slice(0, 60, 3), 2046), (1, 1e20), (2, -999)
    ),
    "large values": with_(SALES * 900, (slice(0, 60, 3), -9999)),
    "one typing error": with_(DAILY, (898, 52000), (400, 95)),
    "two typing errors": with_(DAILY, (898, 52000), (400, 48000)),
    "a point that lacks": with_(DAILY, (899, 430)),
    "a zero more": with_(DAILY.round(), (899, 430), (400, 95)),
    "the first row": with_(DAILY, (0, -52000)),
    "few different numbers": with_(np.arange(900) % 4 + 1.0, (898, 52000)),
    "days of sales": with_(SALES, (slice(0, 900, 30), 200)),
    "a day of each year": with_(SALES, ([327, 692], [300, 350])),
    "one day": with_(SALES, (327, 150)),
    "a sign": with_(DAILY, (898, -43)),
    "a new level": with_(DAILY, ([897, 898, 899], [530, 540, 551])),
    "another number": with_(HOURLY, (slice(0, 400, 10), 150)),
    "closed days": CLOSED,
    "a rare 0": with_(HOURLY + 99, (slice(0, 2000, 40), 0)),
    "a common 0": np.where(np.arange(900) % 9, 0, SALES),
    "many large numbers": with_(SALES, (slice(0, 900, 90), np.arange(60, 260, 20))),
    "a counter": np.cumsum(SALES),
    "nights": SUN,
    "a limit": np.minimum(with_(HOURLY + 40, (slice(900, 930), 100)), 100),
    "stuck at the end": with_(HOURLY, (slice(1664, 2000), 38.44)),
    "stuck for three days": with_(HOURLY, (slice(1928, 2000), 38.44)),
    "stuck in the middle": with_(HOURLY, (slice(500, 700), 38.44)),
    "stuck twice": with_(HOURLY, (slice(500, 700), 38.44), (slice(900, 1200), 40)),
    "stuck days": with_(DAILY.round(), (slice(840, 900), 44)),
    "stuck at 0": with_(HOURLY, (slice(1664, 2000), 0)),
    "stuck at night": with_(SUN, (slice(1900, 1980), 38.44)),
}


def looked_at(folder, values, **columns):
    """The profile of a file, and its lines on numbers that do not belong to it."""
    freq = "h" if len(values) == 2000 else "D"
    stamps = pd.date_range("2022-01-01", periods=len(values), freq=freq)
    frame = pd.DataFrame({"time": stamps})
    frame.assign(load=values, **columns).to_csv(folder / "a.csv", index=False)
    profile = detect([folder / "a.csv"], Options())
    lines = [*described(profile)]
    return profile, [line for line in lines if line.startswith("unusual")]


def test_what_is_told_of_unusual_numbers_is_as_approved(tmp_path, file_regression):
    """Codes and typing errors mean no value; what may be right is kept and told, as are
    sensors that are stuck."""
    told = []
    for name, values in SAMPLES.items():
        profile, lines = looked_at(tmp_path, values)
        told += ["", name, *lines]
        known = values[~np.isin(values, [*map(float, profile.missing)])]
        measured = profile.columns["load"].measured
        assert known.tolist() == measured[np.isfinite(measured)].tolist(), name
    file_regression.check("\n".join(told))


def test_a_code_of_one_column_or_series_is_found_there(tmp_path):
    rows = np.arange(0, 900, 30)
    profile, _ = looked_at(tmp_path, DAILY, wind=with_(DAILY + 9, (rows, -9999)))
    assert profile.missing == {"-9999": 30}
    pressure = (1000 + RANDOM.normal(0, 5, 900)).round()
    profile, lines = looked_at(
        tmp_path, with_(DAILY, (rows[:5], 999)), pressure=pressure
    )
    assert not profile.missing, "999 is usual in another column"
    assert "load: 999 5 times" in lines[0]
    parts = [with_(DAILY, (rows, 999.9)), SALES * 50]
    frame = pd.DataFrame({"shop": np.repeat(["a", "b"], 900)})
    frame["day"] = [*pd.date_range("2022-01-01", periods=900)] * 2
    frame.assign(y=np.concatenate(parts)).to_csv(tmp_path / "b.csv", index=False)
    profile = detect([tmp_path / "b.csv"], Options())
    assert profile.missing == {"999.9": 30}
    assert any("y of a: 999.9" in line for line in described(profile))


BASES = {
    "daily": DAILY[:200],
    "sales": SALES[:200],
    "few": np.arange(200) % 4 + 1.0,
    "ten": np.arange(200) % 10 - 4.0,
}
NUMBERS = (-9999, -99, -4, 0, 99, 120, 200, 255, 510, 999, 1999.9, 4300, 1e5, 1e15)


def found(values):
    """The odd numbers of a column in words: the number, its rows, what is beside it, and
    whether it means no value."""
    days = np.arange(len(values)).astype("datetime64[D]")
    odd = magnitudes.odd({"x": values}, days, None)
    return "; ".join(
        f"{one.number:g} in {one.rows[0]} and {len(one.rows) - 1} more beside "
        f"{one.beside}{' is none' if one.missing else ''}"
        for one in odd
    )


def test_odd_numbers_are_as_approved(file_regression):
    """In one to three rows, in a tenth of the rows and in more; and stuck at a middle or
    the lowest number for so many rows."""
    lines = []
    for name, values in BASES.items():
        for number in NUMBERS:
            for rows in (1, 2, 3, 20, 21, 120):
                changed = with_(values, (slice(5, 5 + rows), number))
                lines.append(f"{name}, {rows} of {number:g}: {found(changed)}")
        for length in (9, 10, 11, 12, 13, 20, 29, 30, 31, 40):
            odd = [
                found(with_(values, (slice(9, 9 + length), stuck)))
                for stuck in (np.median(values), values.min())
            ]
            lines.append(f"{name}, stuck for {length}: {' | '.join(odd)}")
    file_regression.check("\n".join(lines))


def test_only_some_lines_are_printed(tmp_path):
    values = with_(DAILY, (898, 52000))
    _, lines = looked_at(tmp_path, values, **dict.fromkeys("bcdefgh", values))
    assert len(lines) == 7
    assert lines[-1] == "unusual   2 more numbers like these"
