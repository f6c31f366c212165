"""The official file of documents 001 and 002: the weather station at Jena, 2009 to
2016, every ten minutes.

Its hash is not published, and other copies are in circulation. So the structure of the
file is checked.
"""

import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.download import UnavailableError
from pipeline.data.sources import Context
from pipeline.errors import UnrollError, one_line
from pipeline.files import scratch_folder

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

ROWS = 420_551
"""Rows of the official file, below its header."""

ENDS = ("01.01.2009 00:10:00", "01.01.2017 00:00:00")
"""The timestamps of the official file's first and last row."""

BYTES = 43_164_220
"""Bytes of the official file, unpacked."""

SENTINEL = -9999.0
"""The wind of a row without a reading."""


def produce(folder: Path, context: Context) -> None:
    """Fetch the official zip file, unpack it and check its structure.

    Errors are as in `whole`.
    """
    whole(folder / FILE, context)


def whole(path: Path, context: Context) -> "pd.DataFrame":
    """Write the official file, unpacked and checked, to `path`; return its rows.

    A mirror has the zip file in its folder `jena`.

    Raises:
        UnrollError: the file is not available, is a damaged zip file, or has another
            structure.
    """
    with scratch_folder(context.scratch, "zip") as temporary:
        archive = temporary / f"{FILE}.zip"
        origin = context.fetch(archive.name, URL, archive, folder="jena")
        _unpack(archive, path, origin)
    table = read(path, origin)
    timestamps = table[STAMP].tolist()
    received = (len(table), *timestamps[:1], *timestamps[-1:], path.stat().st_size)
    expected = (ROWS, *ENDS, BYTES)
    if received != expected:
        raise UnrollError(
            f"{path.name} from {origin} is another copy of the data: rows, first and "
            f"last timestamp, and bytes are {received}, not {expected}; get the "
            "official file"
        )
    return table


def extract(path: Path, context: Context, sha256: str) -> "pd.DataFrame | None":
    """Fetch an extract of the official file from a mirror, or else the official file.

    A mirror has the extract in its folder `jena`; it is written to `path`.

    Returns:
        None if a mirror had the extract. Otherwise the rows of the official file, which
        was written beside `path`; the caller removes it.

    Raises:
        UnrollError: neither file is available, or one of them is damaged.
    """
    try:
        context.fetch(path.name, None, path, folder="jena", sha256=sha256)
    except UnavailableError:
        try:
            return whole(path.with_name(FILE), context)
        except UnavailableError as error:
            raise UnavailableError(
                f"jena/{path.name} is in no mirror, and the file that it is made from: "
                f"{error}"
            ) from None
    return None


def read(path: Path, origin: str) -> "pd.DataFrame":
    """Return the rows of a file in the official format.

    Timestamps stay text, which `prepare` reads. All other columns are float64.

    Raises:
        UnrollError: a column is missing, or a cell is no number. The text names
            `origin`.
    """
    import pandas as pd

    name = f"{path.name} from {origin}"
    advice = "the file is damaged, get it again"
    types = {column: str if column == STAMP else np.float64 for column in COLUMNS}
    try:
        table = pd.read_csv(path, dtype=types, encoding_errors="replace")
    except ValueError as error:  # also the base of pandas' errors
        raise UnrollError(f"{name}: {one_line(str(error)):.200}; {advice}") from None
    if tuple(table.columns) != COLUMNS:
        raise UnrollError(
            f"{name}: the columns must be {list(COLUMNS)}. "
            f"Received: {list(table.columns)!r:.300}; {advice}"
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
    # zipfile raises half a dozen kinds of errors for damaged bytes.
    except Exception as error:  # noqa: BLE001
        raise UnrollError(
            f"{origin} is damaged or cut off ({error}); {advice}"
        ) from None
