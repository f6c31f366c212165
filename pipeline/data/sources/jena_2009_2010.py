"""The first two years of the official Jena file, byte for byte: an extract from a mirror, or cut off here."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.data.sources import Context, jena
from pipeline.data.sources.download import Sha256, Url
from pipeline.errors import UnrollError
from pipeline.files import sha256 as hash_of

FILE = "jena_2009_2010.csv"
ROWS = 106_727


def produce(
    folder: Path,
    context: Context,
    *,
    sha256: Sha256 = "634d1e92c37a0ceb9f85810fd3984343c502c4804bba779092eaaadbb3ebc023",
    rows: Annotated[int, pydantic.Field(ge=1)] = ROWS,
    url: Url = jena.URL,
    official: jena.Structure = jena.OFFICIAL,
) -> None:
    """Write `jena_2009_2010.csv`, with so many rows and this hash wherever it is from; the rest as in `jena`.

    Raises:
        UnrollError: neither the extract nor the official file can be had, or one of them is damaged.
    """
    path = folder / FILE
    made_from = jena.extract(path, context, sha256, url, official)
    if made_from is None:
        return
    whole, _ = made_from
    with whole.open("rb") as source, path.open("wb") as target:
        target.writelines(islice(source, 1 + rows))
    whole.unlink()
    if hash_of(path) != sha256:
        raise UnrollError(
            f"the first {rows:,} rows of the official file are others than those known; is it another copy?"
        )
