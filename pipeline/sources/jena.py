"""The weather station at Jena, 2009 to 2016, every ten minutes: the official file of documents 001 and 002.

Its hash is not published and other copies are in circulation, so its structure is checked.
"""

import csv
import errno
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.errors import UnrollError
from pipeline.sources import Context
from pipeline.sources.download import Url, fetch
from pipeline.storage import scratch_folder
from pipeline.transfer import CHUNK, Progress

FILE = "jena_climate_2009_2016.csv"
URL = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{FILE}.zip"
COLUMNS = (
    "Date Time",
    "p (mbar)",
    "T (degC)",
    "Tpot (K)",
    "Tdew (degC)",
    "rh (%)",
    "VPmax (mbar)",
    "VPact (mbar)",
    "VPdef (mbar)",
    "sh (g/kg)",
    "H2OC (mmol/mol)",
    "rho (g/m**3)",
    "wv (m/s)",
    "max. wv (m/s)",
    "wd (deg)",
)
STAMP = "%d.%m.%Y %H:%M:%S"
LIMIT = 256 * 1024**2
"""The bytes that a zip may have, and may unpack to: six times the official file."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a zip may be compressed. Others may ask for gigabytes before their first byte."""

DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, OverflowError, struct.error),
)
"""What `zipfile` raises of damaged bytes."""

_STAMP = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d):(\d\d):(\d\d)")
_Stamp = Annotated[str, pydantic.StringConstraints(pattern=r"^\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d$")]
_Count = Annotated[int, pydantic.Field(ge=1)]


class Structure(pydantic.BaseModel):
    """What a file in the official format must look like; the defaults are the official file's.

    Attributes:
        rows: below the header.
        first, last: the stamps of the first and the last row.
        csv_bytes: of the unpacked file.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: _Count = 420_551
    first: _Stamp = "01.01.2009 00:10:00"
    last: _Stamp = "01.01.2017 00:00:00"
    csv_bytes: _Count = 43_164_220


OFFICIAL = Structure()


def produce(
    folder: Path,
    context: Context,
    *,
    url: Url = URL,
    rows: _Count = OFFICIAL.rows,
    first: _Stamp = OFFICIAL.first,
    last: _Stamp = OFFICIAL.last,
    csv_bytes: _Count = OFFICIAL.csv_bytes,
) -> None:
    """Fetch the zip, unpack `jena_climate_2009_2016.csv` into `folder` and check it. Errors as in `official`.

    Args:
        folder: an empty folder.
        context: its mirror may hold `jena/jena_climate_2009_2016.csv.zip`.
        url: the zip's address.
        rows: as in `Structure`.
        first: as in `Structure`.
        last: as in `Structure`.
        csv_bytes: as in `Structure`.
    """
    official(folder / FILE, context, url, Structure(rows=rows, first=first, last=last, csv_bytes=csv_bytes))


def official(path: Path, context: Context, url: str, structure: Structure) -> None:
    """Put the unpacked, checked official file at `path`.

    Raises:
        UnrollError: it cannot be had, is no sound zip, or is not of this structure.
    """
    with scratch_folder(context.scratch, "zip") as temporary:
        archive = temporary / f"{FILE}.zip"
        origin = fetch(archive.name, url, archive, context, folder="jena")
        unpack(archive, path, origin, context.progress)
    check(path, structure, origin)


def unpack(archive: Path, path: Path, origin: str, progress: Progress) -> None:
    """Write the one file that the zip `archive` holds to `path`.

    Args:
        archive: the zip. Its entry's name must be the file's own: no folder, no way out of one.
        path: where to write.
        origin: where the zip is from, for the error text.
        progress: told of every chunk.

    Raises:
        UnrollError: the zip is damaged, holds anything else, or is or unpacks to more than 256 MiB.
    """
    advice = "get it again, or name a mirror with a sound one (UNROLL_MIRROR)"
    if archive.stat().st_size > LIMIT:
        raise UnrollError(f"{origin} has more than {LIMIT:,} bytes; {advice}")
    try:
        with zipfile.ZipFile(archive) as file:
            entries = [entry for entry in file.infolist() if not entry.filename.startswith("__MACOSX/")]
            names = [entry.filename for entry in entries]
            if names != [FILE]:
                raise UnrollError(f"{origin} must hold {FILE} and nothing else. Received: {names!r:.100}; {advice}")
            if entries[0].compress_type not in METHODS:
                raise UnrollError(f"{origin} is compressed by another method than deflate; {advice}")
            # What an entry says of its size is the most that is read of it.
            if entries[0].file_size > LIMIT:
                raise UnrollError(f"{origin} unpacks to more than {LIMIT:,} bytes; {advice}")
            with file.open(entries[0]) as source, path.open("wb") as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    progress(FILE, target.tell(), entries[0].file_size)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a place before the first byte
            raise
        raise UnrollError(f"{origin} is damaged or cut off ({error}); {advice}") from None


def check(path: Path, structure: Structure, origin: str) -> None:
    """Read `path` once, line by line, and compare it with what it must look like.

    Raises:
        UnrollError: it differs; the text names the first difference and the `origin`.
    """
    count, first, last = 0, "", ""
    for count, fields in enumerate(rows(path, origin), 1):  # noqa: B007 - the last count is the result
        last = fields[0]
        first = first or last
    found = {"rows": count, "first stamp": first, "last stamp": last, "bytes": path.stat().st_size}
    expected = (structure.rows, structure.first, structure.last, structure.csv_bytes)
    for (what, value), right in zip(found.items(), expected, strict=True):
        if value != right:
            raise UnrollError(
                f"{path.name} from {origin} is another copy of the data: {what} {value}, not {right}; get the official "
                "file, or state your copy's structure (rows, first, last, csv_bytes) in params.yaml"
            )


def rows(path: Path, origin: str) -> Iterator[list[str]]:
    """The fields of each row below the header: a readable stamp and 14 texts.

    Raises:
        UnrollError: a column is missing, a row is cut off, or a stamp cannot be read.
    """
    name, advice = f"{path.name} from {origin}", "the file is damaged, get it again"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = next(csv.reader([file.readline().rstrip("\r\n")]), [])
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            raise UnrollError(f"{name}: column {missing[0]!r} is missing. Received: {header!r:.200}; {advice}")
        if tuple(header) != COLUMNS:
            raise UnrollError(f"{name}: the columns are not {len(COLUMNS)} in their order. Received: {header!r:.400}")
        for number, line in enumerate(file, 2):
            fields = line.rstrip("\r\n").split(",")
            if len(fields) != len(COLUMNS):
                raise UnrollError(f"{name}, line {number}: {len(fields)} fields, not {len(COLUMNS)}; {advice}")
            if not _readable(fields[0]):
                text = f"{fields[0]!r:.40}"
                raise UnrollError(f"{name}, line {number}: the stamp cannot be read. Received: {text}; {advice}")
            yield fields


def _readable(stamp: str) -> bool:
    """Whether a stamp is a time in the official form (five times as fast as strptime)."""
    match = _STAMP.fullmatch(stamp)
    if not match:
        return False
    day, month, year, hour, minute, second = map(int, match.groups())
    try:
        datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the station's clock, no zone
    except ValueError:
        return False
    return True
