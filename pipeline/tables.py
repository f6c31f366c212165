"""Tables as CSV and Parquet files. The same table gives the same bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import REBUILD, atomic_file, damaged, missing, write_text

if TYPE_CHECKING:
    import pandas as pd

BYTES = 8
"""The bytes of a value of a table in memory."""

EXPANSION = 200
"""The most bytes in memory for each byte of a Parquet file. Forecasts of one value in
all rows take 30."""

MOST_BYTES = 1 << 24
"""The bytes in memory that any Parquet file may take."""


def write(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as CSV. Numbers keep all their digits; a missing value is empty."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read(path: Path, cure: str = REBUILD, /, **columns: type) -> "pd.DataFrame":
    """Return a table that `write` wrote.

    Args:
        path: the file.
        cure: what helps if the file is damaged.
        columns: name -> int, float or str, for the columns that the file must have. All
            other columns hold numbers, NaN where a value is missing.

    Raises:
        UnrollError: the file is missing or has other columns.
    """
    import pandas as pd

    try:
        # A file that was cut in a number would still be read.
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("its last line has no end")
        table = pd.read_csv(path, dtype=columns, na_values=[""], keep_default_na=False)
        # Raises if one of `columns` is missing or another column holds no numbers.
        table.drop(columns=[*columns]).astype(float)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, TypeError, KeyError) as error:
        # pandas raises KeyError for a missing column, else a kind of ValueError.
        raise damaged(path, error, cure) from None
    return table


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write a table that `read_parquet` reads, without its index, atomically."""
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_parquet(
    path: Path, columns: Mapping[str, str], cure: str = REBUILD
) -> "pd.DataFrame":
    """Return a table that `write_parquet` wrote.

    Args:
        path: the file.
        columns: name -> the kinds of NumPy that its values may have, such as "iu" for
            integers, "O" for text; the file must have these columns in this order.
        cure: what helps if the file is damaged.

    Raises:
        UnrollError: the file is missing or damaged.
    """
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        needed = file.metadata.num_rows * len(columns) * BYTES
        if needed > MOST_BYTES + EXPANSION * path.stat().st_size:
            raise ValueError(f"its rows take {needed:,} bytes")
        # pandas' own notes in the file could name any type.
        table = file.read().to_pandas(ignore_metadata=True)
        kinds = {name: table[name].dtype.kind for name in table}
        fits = [*kinds] == [*columns]
        if not fits or any(kinds[name] not in columns[name] for name in columns):
            raise ValueError(f"it must have the columns {', '.join(columns)}")
    except FileNotFoundError:
        raise missing(path) from None
    # Arrow raises these for damaged bytes.
    except (OSError, ValueError, TypeError, NotImplementedError, KeyError) as error:
        raise damaged(path, error, cure) from None
    return table
