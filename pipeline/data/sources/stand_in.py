"""Generated stand-ins for the downloads, in their official formats.

They serve on machines without the downloads. No figure from a stand-in is a result.
"""

import io
import zipfile
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array
from pipeline.data.fetch import Context
from pipeline.data.sources import Seed, jena
from pipeline.files import write_json, write_table

if TYPE_CHECKING:
    import pandas as pd

GAP = 544 * 600
"""Seconds by which Jena's clock jumps once. The official file has gaps of the same
length in all, so a stand-in of full size ends at the same time."""

VOCABULARY = 20_000
"""Number of different words in the reviews."""

TELLING = 50
"""Number of words that tell a good review, and of words that tell a bad one."""


def produce(
    folder: Path,
    context: Context,  # noqa: ARG001 - every source is called alike
    *,
    of: Literal["imdb", "jena"],
    rows: Annotated[int, Field(ge=100, le=jena.ROWS)],
    seed: Seed = 0,
) -> None:
    """Write stand-ins for the files of the source `of`, with the same names, columns and
    number formats.

    `rows` is the number of rows below the header, or for `imdb` the number of reviews
    in each half. The same seed and rows give the same bytes.
    """
    random = np.random.default_rng(seed)
    if of == "imdb":
        _imdb(folder, random, rows)
    else:
        write_table(folder / jena.FILE, _jena(random, rows))


def station(
    random: np.random.Generator, start: str, rows: int, gap: tuple[int, int]
) -> tuple[Array, dict[str, Array]]:
    """Draw the readings of a weather station every ten minutes.

    They have a yearly and a daily cycle, and weather that lasts days. Vapour pressure
    follows Magnus's formula. The other moist columns follow from temperature, pressure
    and humidity. `gap` is the row before which the clock jumps, and the seconds of the
    jump.

    Returns:
        Timestamps (rows,) datetime64[s], and column -> readings (rows,), in the order
        of the official file.
    """
    seconds = 600 * np.arange(rows) + np.where(np.arange(rows) >= gap[0], gap[1], 0)
    stamps = np.datetime64(start, "s") + seconds
    days = (stamps - stamps[0].astype("datetime64[Y]")) / np.timedelta64(1, "D")
    year = np.cos(2 * np.pi * (days - 200) / 365.25)
    day = np.cos(2 * np.pi * (days - 0.62))
    front = drift(random, rows, 60)
    p = 989 + 7 * drift(random, rows, 70) - 4 * front
    t = (
        9.5
        + 9.5 * year
        + (2.7 + 1.3 * year) * day
        + 3.5 * front
        + 0.8 * drift(random, rows, 4)
    )
    rh = np.clip(76 - 5 * year - 13 * day + 9 * drift(random, rows, 12), 14, 100)
    wind = np.abs(1.8 + 0.5 * day + 1.6 * drift(random, rows, 8))
    top = 6.1094 * np.exp(17.625 * t / (t + 243.04))
    vapour = rh / 100 * top
    log = np.log(vapour / 6.1094)
    sh = 622 * vapour / (p - 0.378 * vapour)
    values = (
        p,
        t,
        (t + 273.15) * (1000 / p) ** 0.286,
        243.04 * log / (17.625 - log),
        rh,
        top,
        vapour,
        top - vapour,
        sh,
        1000 * vapour / p,
        1e5 * p / (287.05 * (t + 273.15) * (1 + 0.00061 * sh)),
        wind,
        wind * 1.5 + np.abs(drift(random, rows, 1)),
        (170 + 80 * drift(random, rows, 24)) % 360,
    )
    return stamps, dict(zip(jena.COLUMNS[1:], values, strict=True))


def drift(random: np.random.Generator, rows: int, hours: float) -> Array:
    """Draw a first-order autoregression (rows,) of mean 0 and variance 1.

    Its autocorrelation falls to 1/e after `hours`.
    """
    keep = float(np.exp(-1 / (6 * hours)))
    shocks = random.standard_normal(rows)
    shocks[1:] *= np.sqrt(1 - keep**2)
    return np.fromiter(
        accumulate(shocks.tolist(), lambda value, shock: keep * value + shock),
        np.float64,
        rows,
    )


def _jena(random: np.random.Generator, rows: int) -> "pd.DataFrame":
    """Return a table in the official format, with a gap, a repeated block of rows and
    sentinels for wind.
    """
    import pandas as pd

    # The official file repeats 327 rows.
    repeated = max(3, 327 * rows // jena.ROWS)
    unique = rows - repeated
    written, readings = station(
        random, "2009-01-01T00:10:00", unique, (11 * unique // 20, GAP)
    )
    lost = slice(4 * unique // 5, 4 * unique // 5 + max(3, unique // 20_000))
    readings["wv (m/s)"][lost] = readings["max. wv (m/s)"][lost] = jena.SENTINEL
    end = 3 * unique // 10
    order = np.concatenate([np.arange(end), np.arange(end - repeated, unique)])
    stamps = pd.Series(written[order]).dt.strftime(jena.STAMP_FORMAT)
    columns = {
        name: np.round(column[order], 2) + 0.0 for name, column in readings.items()
    }
    return pd.DataFrame({jena.STAMP: stamps, **columns})


def _imdb(folder: Path, random: np.random.Generator, reviews: int) -> None:
    """Write `imdb.npz` and `imdb_word_index.json` in Keras's format.

    Word numbers begin at 1, and positive reviews come first.
    """
    # (2, TELLING): frequent words that tell a bad review, and a good one
    telling = 20 + random.choice(400, (2, TELLING), replace=False)
    arrays = {}
    for half in ("test", "train"):
        labels = np.repeat([1, 0], [reviews // 2, reviews - reviews // 2])
        arrays[f"x_{half}"] = _reviews(random, labels, telling)
        arrays[f"y_{half}"] = labels.astype(np.int64)
    with zipfile.ZipFile(folder / "imdb.npz", "w") as archive:
        for name in ("x_test", "x_train", "y_train", "y_test"):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, arrays[name], allow_pickle=True)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())
    words = {number: f"word{number}" for number in range(1, VOCABULARY + 1)}
    for numbers, name in zip(telling.tolist(), ("bad", "good"), strict=True):
        words.update({number: f"{name}{number}" for number in numbers})
    write_json(
        folder / "imdb_word_index.json",
        {word: number for number, word in words.items()},
    )


def _reviews(random: np.random.Generator, labels: Array, telling: Array) -> Array:
    """Draw reviews (reviews,), which are lists of word numbers.

    Words follow Zipf's law. One word in twelve tells a label, which is the true label
    four times in five.
    """
    drawn = np.exp(random.normal(5.2, 0.7, len(labels)))
    lengths = np.clip(drawn, 10, 2494).astype(int)
    total = int(lengths.sum())
    fractions = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    words = 1 + np.searchsorted(
        fractions, random.random(total) * fractions[-1], side="right"
    )
    side = np.repeat(labels, lengths) ^ (random.random(total) < 0.2)
    words = np.where(
        random.random(total) < 1 / 12,
        telling[side, random.integers(TELLING, size=total)],
        words,
    ).tolist()
    reviews = np.empty(len(labels), object)
    end = 0
    for index, length in enumerate(lengths.tolist()):
        reviews[index] = words[end : end + length]
        end += length
    return reviews
