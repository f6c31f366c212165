"""The first two years of the official Jena file, byte for byte.

The extract is from a mirror, or is cut from the official file.
"""

from itertools import islice
from pathlib import Path

from pipeline.data.sources import Context, jena
from pipeline.errors import UnrollError
from pipeline.files import sha256

FILE = "jena_2009_2010.csv"
SHA256 = "634d1e92c37a0ceb9f85810fd3984343c502c4804bba779092eaaadbb3ebc023"
ROWS = 106_727


def produce(folder: Path, context: Context) -> None:
    """Write `jena_2009_2010.csv`, and check its hash. Errors are as in `jena.extract`."""
    path = folder / FILE
    if jena.extract(path, context, SHA256) is None:
        return
    whole = folder / jena.FILE
    with whole.open("rb") as source, path.open("wb") as target:
        target.writelines(islice(source, 1 + ROWS))
    whole.unlink()
    if sha256(path) != SHA256:
        raise UnrollError(
            f"the first {ROWS:,} rows of {jena.FILE} do not have the known sha256, so "
            "it is another copy of the data; get the official file"
        )
