"""Every sixth row of the official Jena file, with all of its columns.

The extract is from a mirror, is joined from three files of a public repository, or is
thinned from the official file.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.download import UnavailableError
from pipeline.data.sources import Context, jena
from pipeline.files import scratch_folder, write_table

if TYPE_CHECKING:
    import pandas as pd

FILE = "jena_every_6th_row_2009_2016.csv"
SHA256 = "9d4006838ada2050bda3f7bbed4d51de6a8389eca87d228cea4b9d06be16976e"
"""The hash of a mirror's extract. The joined file has the same bytes."""

STEP = 6

URL = (
    "https://raw.githubusercontent.com/phdinds-aim/time_series_handbook/"
    "9d22cf901c094035934359e2cbe98183b0cb41e0/data"
)
PARTS = {
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
"""The public files, in the order of their rows -> SHA-256. A line of theirs begins with
the row's number in the official file."""


def produce(folder: Path, context: Context) -> None:
    """Write `jena_every_6th_row_2009_2016.csv`.

    Raises:
        UnrollError: none of the files that give it is available, or one of them is
            damaged.
    """
    path = folder / FILE
    try:
        context.fetch(FILE, None, path, folder="jena", sha256=SHA256)
    except UnavailableError:
        _make(path, context)


def _make(path: Path, context: Context) -> None:
    """Join the public files, or else thin the official file."""
    try:
        _join(path, context)
    except UnavailableError:
        official = path.with_name(jena.FILE)
        try:
            rows = jena.whole(official, context)
        except UnavailableError as error:
            raise UnavailableError(
                f"jena/{FILE} is in no mirror, the files of {URL} are not available, "
                f"and the file that it is made from: {error}"
            ) from None
        official.unlink()
        write_table(path, thin(rows))


def _join(path: Path, context: Context) -> None:
    """Write the rows of the public files, without their numbers."""
    lines: list[str] = []
    with scratch_folder(context.scratch, "parts") as temporary:
        for name, sha256 in PARTS.items():
            part = temporary / name
            context.fetch(name, f"{URL}/{name}", part, folder="jena", sha256=sha256)
            header, *rows = part.read_text(encoding="utf-8").splitlines(keepends=True)
            if not lines:
                lines.append(header)
            lines.extend(rows)
    text = "".join(line.partition(",")[2] for line in lines)
    path.write_text(text, encoding="utf-8", newline="")


def thin(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return every sixth row of the official file, from the first row on.

    Nothing is dropped or cleaned. Of two years at hand the result is the extract, byte
    for byte. The other years are not at hand, so the hash of a thinned file is not
    checked.
    """
    return table.iloc[::STEP]
