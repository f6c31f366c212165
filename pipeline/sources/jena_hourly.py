"""Every sixth row of the official Jena file: an extract from a mirror, or the official file thinned by itself."""

from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.errors import UnrollError
from pipeline.sources import Context, jena
from pipeline.sources.download import Sha256, UnavailableError, Url, fetch

FILE = "jena_hourly_2009_2016.csv"
COLUMNS = ("Date Time", "p (mbar)", "T (degC)", "Tdew (degC)", "rh (%)", "VPmax (mbar)", "wv (m/s)")
WIND = "wv (m/s)"
SENTINEL = -9999.0
STEP = 6


def produce(
    folder: Path,
    context: Context,
    *,
    sha256: Sha256 = "75a9edcba9e346fbda0d612abbf5277d4667a66924123b2cdc475f64e2557f16",
    rows: Annotated[int, pydantic.Field(ge=1)] = 70_038,
    url: Url = jena.URL,
    official: jena.Structure = jena.OFFICIAL,
) -> None:
    """Write `jena_hourly_2009_2016.csv` into `folder`.

    Args:
        folder: an empty folder.
        context: its mirror may hold `jena/jena_hourly_2009_2016.csv`.
        sha256: of the extract that a mirror holds.
        rows: of the extract, and of the official file when it is thinned.
        url: the official zip's address.
        official: the structure of the official file.

    Raises:
        UnrollError: neither the extract nor the official file can be had, or one of them is damaged.
    """
    path = folder / FILE
    try:
        fetch(FILE, None, path, context, folder="jena", sha256=sha256)
    except UnavailableError:
        pass
    else:
        return
    whole = folder / jena.FILE
    try:
        jena.official(whole, context, url, official)
    except UnavailableError as error:
        raise UnavailableError(f"jena/{FILE} is in no mirror, and the file that it is thinned from: {error}") from None
    found = thin(whole, path)
    whole.unlink()
    if found != rows:
        raise UnrollError(
            f"the official file gives {found:,} hourly rows, not {rows:,}; is it another copy of the data?"
        )


def thin(source: Path, target: Path) -> int:
    """Write six of the columns of every sixth row of a file in the official format.

    A row whose stamp was there before is dropped, then rows 0, 6, 12, ... are kept. Numbers are written as `repr`
    writes them. A wind of -9999 (no reading) becomes 0.0: the extract in circulation holds none, and has 0.0 where
    the official file is said to have them. On the first 1,000 official rows this gives the extract's first 167 rows,
    byte for byte; beyond them it is a reconstruction, so the hash of a thinned file is not checked.

    Returns:
        The rows written.
    """
    places = [jena.COLUMNS.index(column) for column in COLUMNS[1:]]
    seen: set[str] = set()
    count = 0
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(COLUMNS) + "\n")
        for number, fields in enumerate(jena.rows(source, str(source)), 2):
            if fields[0] in seen:
                continue
            if len(seen) % STEP == 0:
                file.write(",".join([fields[0], *_values(fields, places, number)]) + "\n")
                count += 1
            seen.add(fields[0])
    return count


def _values(fields: list[str], places: list[int], number: int) -> list[str]:
    try:
        values = [float(fields[place]) for place in places]
    except ValueError as error:
        raise UnrollError(f"{jena.FILE}, line {number}: {error}; the file is damaged, get it again") from None
    wind = COLUMNS.index(WIND) - 1
    if values[wind] == SENTINEL:
        values[wind] = 0.0
    return [repr(value) for value in values]
