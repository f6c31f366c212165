"""Tables as CSV and Parquet files: read and written by pandas, with the same bytes each
time.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import atomic_file, damaged, missing, write_text

if TYPE_CHECKING:
    import pandas as pd


def write(path: Path, table: "pd.DataFrame") -> None:
    """Write one line per row, numbers with as many digits as it takes to read the same
    number again, no value as nothing.
    """
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read(path: Path, **columns: type) -> "pd.DataFrame":
    """Return a table that `write` wrote.

    Args:
        path: the file.
        columns: name -> int, float or str: columns that must be there. All others hold
            numbers, NaN where there is no value.

    Raises:
        UnrollError: the file is missing, or it does not hold such columns.
    """
    import pandas as pd

    try:
        # A number that lost its last digits is still a number.
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("its last line has no end")
        table = pd.read_csv(path, dtype=columns, na_values=[""], keep_default_na=False)
        # `columns` are there, and the others are numbers.
        table.drop(columns=[*columns]).astype(float)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, TypeError, KeyError) as error:
        # pandas' own errors are ValueErrors, but for a column that is not there.
        raise damaged(path, error) from None
    return table


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write a table that `read_parquet` reads, without its index, atomically."""
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_parquet(path: Path) -> "pd.DataFrame":
    """Return a table that `write_parquet` wrote. Raises UnrollError if it is missing or
    damaged.
    """
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:  # Arrow's are both
        raise damaged(path, error) from None
