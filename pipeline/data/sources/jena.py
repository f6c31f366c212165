"""The file of documents 001 and 002: the weather station at Jena, 2009 to 2016, every
ten minutes; and two extracts of it.

Its hash is not published, and other copies are in circulation. So the size of the file
is checked.
"""

import shutil
import zipfile
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.data.fetch import Context, UnavailableError
from pipeline.errors import UnrollError
from pipeline.files import scratch_folder, write_table
from pipeline.files import sha256 as hash_of

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

BYTES = 43_164_220
"""Bytes of the official file, unpacked."""

SENTINEL = -9999.0
"""The wind of a row without a reading."""


STEP = 6
"""Rows of the official file for each row of its hourly extract."""

PARTS = {
    "hourly": (
        "jena_every_6th_row_2009_2016.csv",
        "9d4006838ada2050bda3f7bbed4d51de6a8389eca87d228cea4b9d06be16976e",
    ),
    "first_years": (
        "jena_2009_2010.csv",
        "634d1e92c37a0ceb9f85810fd3984343c502c4804bba779092eaaadbb3ebc023",
    ),
}
"""Extract -> its file and SHA-256."""

FIRST_ROWS = 106_727
"""Rows of the years 2009 and 2010."""

HANDBOOK = (
    "https://raw.githubusercontent.com/phdinds-aim/time_series_handbook/"
    "9d22cf901c094035934359e2cbe98183b0cb41e0/data"
)
HANDBOOK_FILES = {
    "train_series_datetime.csv": (
        "234b889a095d2a7092913930d466ddc6079d2342f7a54762c873d1b5bba33337"
    ),
    "val_series_datetime.csv": (
        "e0fb43d68be4920451cb070da27d5eaa46d2e5ecfbd6881111cb940f2b835904"
    ),
    "test_series_datetime.csv": (
        "704b97db6cdfc0f1918d96186e6fc9a080e45ee5dc434e95b4b0419ab24271e7"
    ),
}
"""The public files that make up the hourly extract, in the order of their rows ->
SHA-256. A line of theirs begins with the row's number in the official file."""


def produce(
    folder: Path,
    context: Context,
    *,
    part: Literal["all", "hourly", "first_years"] = "all",
) -> None:
    """Write the official file, or an extract of it with all columns.

    The official file is unpacked from its zip file. An extract comes from a mirror.
    Without one, every sixth row ("hourly") is joined from three public files, and else
    taken from the official file, as the first two years are.

    Args:
        folder: the folder to fill.
        context: the context of the source. A mirror has all files in its folder `jena`.
        part: the official file, every sixth row, or the first two years.

    Raises:
        UnrollError: none of the files that give it is available, or one is damaged.
    """
    if part == "all":
        whole(folder / FILE, context)
        return
    name, sha256 = PARTS[part]
    path = folder / name
    try:
        context.fetch(name, None, path, folder="jena", sha256=sha256)
    except UnavailableError:
        hourly = part == "hourly"
        if not hourly or not _joined(path, context):
            _extract(path, context, hourly=hourly)
        if not hourly and hash_of(path) != sha256:
            raise UnrollError(
                f"the first {FIRST_ROWS:,} rows of {FILE} do not have the known "
                "sha256, so it is another copy of the data; get the official file"
            ) from None


def _joined(path: Path, context: Context) -> bool:
    """Write the rows of the public files, without their numbers, if these are there."""
    lines: list[str] = []
    with scratch_folder(context.scratch, "parts") as temporary:
        for name, sha256 in HANDBOOK_FILES.items():
            url = f"{HANDBOOK}/{name}"
            part = temporary / name
            try:
                context.fetch(name, url, part, folder="jena", sha256=sha256)
            except UnavailableError:
                return False
            header, *rows = part.read_text(encoding="utf-8").splitlines(keepends=True)
            lines += rows if lines else [header, *rows]
    text = "".join(line.partition(",")[2] for line in lines)
    path.write_text(text, encoding="utf-8", newline="")
    return True


def _extract(path: Path, context: Context, *, hourly: bool) -> None:
    """Write an extract of the official file: every sixth row, or the first two years.

    Nothing is dropped or cleaned. Of two years at hand every sixth row is a mirror's
    extract, byte for byte. The other years are not at hand, so the hash of those rows
    is not checked.
    """
    import pandas as pd

    official = path.with_name(FILE)
    try:
        whole(official, context)
    except UnavailableError as error:
        raise UnavailableError(
            f"jena/{path.name} is in no mirror, and the file that it is made from: "
            f"{error}"
        ) from None
    if hourly:
        types = {column: str if column == STAMP else np.float64 for column in COLUMNS}
        write_table(path, pd.read_csv(official, dtype=types).iloc[::STEP])
    else:
        with official.open("rb") as source, path.open("wb") as target:
            target.writelines(islice(source, 1 + FIRST_ROWS))
    official.unlink()


def whole(path: Path, context: Context) -> None:
    """Write the official file, unpacked and checked, to `path`.

    A mirror has the zip file in its folder `jena`.

    Raises:
        UnrollError: the file is not available, is a damaged zip file, or has another
            size.
    """
    with scratch_folder(context.scratch, "zip") as temporary:
        archive = temporary / f"{FILE}.zip"
        origin = context.fetch(archive.name, URL, archive, folder="jena")
        _unpack(archive, path, origin)
    received = path.stat().st_size
    if received != BYTES:
        raise UnrollError(
            f"{path.name} from {origin} is another copy of the data: it has "
            f"{received:,} bytes, not {BYTES:,}; get the official file"
        )


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
