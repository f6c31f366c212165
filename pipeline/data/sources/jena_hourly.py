"""Every sixth row of the official Jena file.

The extract is from a mirror, or is thinned from the official file.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.data.sources import Context, jena
from pipeline.errors import UnrollError

if TYPE_CHECKING:
    import pandas as pd

FILE = "jena_hourly_2009_2016.csv"
SHA256 = "75a9edcba9e346fbda0d612abbf5277d4667a66924123b2cdc475f64e2557f16"
"""The hash of a mirror's extract. A thinned file is not checked by a hash (`thin`)."""

ROWS = 70_038
WIND = "wv (m/s)"
COLUMNS = [
    jena.STAMP,
    "p (mbar)",
    "T (degC)",
    "Tdew (degC)",
    "rh (%)",
    "VPmax (mbar)",
    WIND,
]
STEP = 6


def produce(folder: Path, context: Context) -> None:
    """Write `jena_hourly_2009_2016.csv`. Errors are as in `jena.extract`."""
    official = jena.extract(folder / FILE, context, SHA256)
    if official is None:
        return
    (folder / jena.FILE).unlink()
    hours = thin(official)
    if len(hours) != ROWS:
        raise UnrollError(
            f"{jena.FILE} gives {len(hours):,} hourly rows, not {ROWS:,}, so it is "
            "another copy of the data; get the official file"
        )
    tables.write(folder / FILE, hours)


def thin(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return six of the columns of every sixth row of the official file.

    Rows with a repeated timestamp are dropped first. A wind of -9999 (no reading)
    becomes 0.0, because the extract in circulation has 0.0 there. The first 1,000
    official rows give the extract's first 167 rows, byte for byte. The rest is a
    reconstruction, so the hash of a thinned file is not checked.
    """
    hours = table.drop_duplicates(jena.STAMP).iloc[::STEP][COLUMNS].copy()
    hours[WIND] = hours[WIND].replace(jena.SENTINEL, 0.0)
    return hours
