"""Tables as CSV and Parquet files. The same table gives the same bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import atomic_file, damaged, missing, write_text

if TYPE_CHECKING:
    import pandas as pd


def write(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as CSV. Numbers keep all their digits; a missing value is empty."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read(path: Path, **columns: type) -> "pd.DataFrame":
    """Return a table that `write` wrote.

    Args:
        path: the file.
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
        raise damaged(path, error) from None
    return table


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write a table that `read_parquet` reads, without its index, atomically."""
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_parquet(path: Path) -> "pd.DataFrame":
    """Return a table that `write_parquet` wrote.

    Raises UnrollError if the file is missing or damaged.
    """
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError) as error:  # Arrow raises both
        raise damaged(path, error) from None
