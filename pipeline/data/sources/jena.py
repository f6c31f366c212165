"""The weather station at Jena, 2009 to 2016, every ten minutes: the official file of
documents 001 and 002.

Its hash is not published and other copies are in circulation, so its structure is
checked.
"""

import shutil
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pydantic

from pipeline.data.download import UnavailableError
from pipeline.data.sources import Context
from pipeline.data.sources.download import Url
from pipeline.errors import UnrollError, one_line
from pipeline.files import scratch_folder
from pipeline.validation import Strict

if TYPE_CHECKING:
    import pandas as pd

FILE = "jena_climate_2009_2016.csv"
URL = f"https://storage.googleapis.com/tensorflow/tf-keras-datasets/{FILE}.zip"
STAMP = "Date Time"
COLUMNS = (
    STAMP,
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
STAMP_FORMAT = "%d.%m.%Y %H:%M:%S"

_Stamp = Annotated[
    str, pydantic.StringConstraints(pattern=r"^\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d$")
]
_Count = Annotated[int, pydantic.Field(ge=1)]


class Structure(Strict):
    """What a file in the official format must look like; the defaults are the official
    file's.

    Attributes:
        rows: below the header.
        first, last: the timestamps of the first and the last row.
        csv_bytes: of the unpacked file.
    """

    rows: _Count = 420_551
    first: _Stamp = "01.01.2009 00:10:00"
    last: _Stamp = "01.01.2017 00:00:00"
    csv_bytes: _Count = 43_164_220


OFFICIAL = Structure()


def produce(
    folder: Path, context: Context, *, url: Url = URL, official: Structure = OFFICIAL
) -> None:
    """Fetch the zip, also from a mirror's `jena/`, unpack it and check its structure.
    Errors as in `whole`.
    """
    whole(folder / FILE, context, url, official)


def whole(
    path: Path, context: Context, url: str, structure: Structure
) -> "pd.DataFrame":
    """Put the unpacked, checked official file at `path`; its rows, as `read` gives
    them.

    Raises:
        UnrollError: it cannot be had, is no sound zip, or is not of this structure.
    """
    with scratch_folder(context.scratch, "zip") as temporary:
        archive = temporary / f"{FILE}.zip"
        origin = context.fetch(archive.name, url, archive, folder="jena")
        _unpack(archive, path, origin)
    table = read(path, origin)
    timestamps = table[STAMP]
    ends = (timestamps.iloc[0], timestamps.iloc[-1]) if len(table) else ("none", "none")
    received = {
        "rows": len(table),
        "first stamp": ends[0],
        "last stamp": ends[1],
        "bytes": path.stat().st_size,
    }
    expected = (structure.rows, structure.first, structure.last, structure.csv_bytes)
    for (what, value), right in zip(received.items(), expected, strict=True):
        if value != right:
            raise UnrollError(
                f"{path.name} from {origin} is another copy of the data: {what} {value}, not {right}; get the official "
                "file, or state your copy's structure in params.yaml (official: rows, first, last, csv_bytes)"
            )
    return table


def extract(path: Path, context: Context, sha256: str) -> "pd.DataFrame | None":
    """Put an extract of the official file at `path`, from a mirror's `jena/`, or get
    what it can be made from.

    Returns:
        None if the mirror had it; else the rows of the official file, which lies beside
        it and is to be removed.

    Raises:
        UnrollError: neither can be had, or one of them is damaged.
    """
    try:
        context.fetch(path.name, None, path, folder="jena", sha256=sha256)
    except UnavailableError:
        try:
            return whole(path.with_name(FILE), context, URL, OFFICIAL)
        except UnavailableError as error:
            raise UnavailableError(
                f"jena/{path.name} is in no mirror, and the file that it is made from: {error}"
            ) from None
    return None


def read(path: Path, origin: str) -> "pd.DataFrame":
    """The rows of a file in the official format: timestamps as text, which `prepare`
    reads, and 14 columns of float64.

    Raises:
        UnrollError: a column is missing, or a cell is no number; the text names
            `origin`.
    """
    import pandas as pd

    name = f"{path.name} from {origin}"
    advice = "the file is damaged, get it again"
    types = {column: str if column == STAMP else np.float64 for column in COLUMNS}
    try:
        table = pd.read_csv(path, dtype=types, encoding_errors="replace")
    except ValueError as error:  # pandas' own errors among them
        raise UnrollError(f"{name}: {one_line(str(error)):.200}; {advice}") from None
    if tuple(table.columns) != COLUMNS:
        missing = [column for column in COLUMNS if column not in table.columns]
        what = (
            f"column {missing[0]!r} is missing"
            if missing
            else f"the columns are not {len(COLUMNS)} in their order"
        )
        raise UnrollError(
            f"{name}: {what}. Received: {list(table.columns)!r:.300}; {advice}"
        )
    return table


def _unpack(archive: Path, path: Path, origin: str) -> None:
    advice = "get it again, or name a mirror with a sound one (UNROLL_MIRROR)"
    try:
        with (
            zipfile.ZipFile(archive) as file,
            file.open(FILE) as source,
            path.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
    except KeyError:
        raise UnrollError(f"{origin} must hold {FILE}; {advice}") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise UnrollError(
            f"{origin} is damaged or cut off ({error}); {advice}"
        ) from None
