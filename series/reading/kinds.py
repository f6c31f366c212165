"""The kinds of files: text, workbooks, and what is no table of rows."""

import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UnrollError, one_line

KINDS: Mapping[bytes, str] = {
    rb"PK\x03\x04": "a damaged archive or workbook",
    rb"\x1f\x8b|BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd|7z\xbc\xaf|Rar!\x1a": "a packed file",
    rb"\xd0\xcf\x11\xe0": "a file of an old Office, such as .xls",
    rb"ARROW1|FEA1": "a Feather file",
    rb"SQLite format 3": "an SQLite database",
    rb"%PDF-": "a PDF",
    rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\x00|MM\x00\*": "a picture",
    rb"\x89HDF|CDF[\x01\x02\x05]": "an HDF5 or netCDF file",
    rb"\x80[\x02-\x05]": "a pickle of Python's",
    rb"\x93NUMPY": "an array of NumPy's",
    rb"Obj\x01": "an Avro file",
    rb"(\xef\xbb\xbf)?\s*(\{\s*[\"}]|\[\s*[\[{\"])": "JSON",
    rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|head|body|table|svg)": "HTML or XML",
}
"""Patterns of a file's first bytes -> what the file is."""

PACKED = {
    "xl/workbook.xml": "a workbook that takes more than 2 GB when it is unpacked",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "xl/workbook.bin": "an .xlsb workbook",
    "content.xml": "an OpenDocument file, such as .ods",
}
"""Names in a zip archive -> what the archive is, if it is no workbook to be read."""

MOST_BYTES = 2_000_000_000
"""Largest size of a workbook's parts when they are unpacked."""


def workbook(path: Path, data: bytes) -> bool:
    """Return whether a file is an .xlsx workbook.

    Raises:
        UnrollError: it is known to be something else than a workbook or text.
    """
    kind = next((KINDS[begin] for begin in KINDS if re.match(begin, data)), None)
    with suppress(zipfile.BadZipFile):
        sizes = {
            member.filename: member.file_size
            for member in zipfile.ZipFile(io.BytesIO(data)).infolist()
        }
        if "xl/workbook.xml" in sizes and sum(sizes.values()) <= MOST_BYTES:
            return True
        kind = next((PACKED[name] for name in PACKED if name in sizes), "a zip archive")
    if kind is not None:
        cures = dict.fromkeys(["a packed file", "a zip archive"], "unpack it")
        cure = cures.get(kind, "save its rows as CSV, Parquet or .xlsx")
        raise UnrollError(f"{path} is {kind}; {cure}, and name that")
    return False


def sheet(path: Path, data: bytes) -> tuple[str, str]:
    """Return the first sheet with rows as the text of a CSV file, and which it is.

    Timestamps are written by ISO 8601.

    Raises:
        UnrollError: the workbook is damaged or has no rows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and such
            sheets = pd.read_excel(
                io.BytesIO(data),
                sheet_name=None,
                header=None,
                dtype=object,
                na_filter=False,
                engine="openpyxl",
            )
    except Exception as error:  # noqa: BLE001 - of zip, of XML, or openpyxl's
        raise UnrollError(
            f"{path} is no whole workbook ({one_line(str(error)):.160}); save it again"
        ) from None
    for title, cells in sheets.items():
        filled = (cells != "").sum(axis=1)
        if (filled > 1).sum() > 1:  # notes fill one column
            of = (
                f", the first of {len(sheets)} that has rows" if len(sheets) > 1 else ""
            )
            return cells.map(_text).to_csv(header=False, index=False), f"{title!r}{of}"
    raise UnrollError(f"{path} has no sheet with rows; name a file with rows")


def _text(cell: Any) -> Any:
    """Return a cell as CSV has it, with numbers that cannot be read in two ways."""
    if isinstance(cell, dt.datetime):
        return str(pd.Timestamp(cell).round("ms")).removesuffix(" 00:00:00")
    if isinstance(cell, float) and not cell.is_integer():
        return f"{cell!r}0" if "e" not in repr(cell) else repr(cell)
    return cell
