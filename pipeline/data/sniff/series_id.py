"""Several series in one file: the column that says whose each row is."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.sniff.columns import Column
from pipeline.data.timestamps import distinct
from pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

SURE = 0.99
"""The share of rows that must tell series apart; the others are of the nights when clocks are put back."""


def series_id(
    head: "pd.DataFrame", written: Array, columns: dict[str, Column], heads: list[Array]
) -> tuple[str | None, list[str]]:
    """Where stamps repeat, the column that says whose each row is, with its values: each has a stamp once.

    But for hours that come twice in autumn.

    Raises:
        UsageError: none does, and rows of one stamp differ.
    """
    if not heads or len(distinct(written)) > 0.7 * len(written):
        return None, []
    numbers = np.concatenate(heads)
    for place, (name, column) in enumerate(columns.items()):
        cells = numbers[:, place] if column.numeric else head[name].to_numpy()
        names = Counter(cells.tolist()) if column.numeric else column.words
        apart = len({*zip(written, cells, strict=False)}) >= SURE * len(cells)
        most = len(distinct(written[: names.total()]))
        if (
            apart
            and min(most, len(names)) > 1
            and SURE * max(names.values()) <= most
            and 2 * names.total() >= most * len(names)
        ):
            return name, [f"{one:g}" if column.numeric else one for one in names]
    stamps, places = np.unique(written[: len(numbers)], return_inverse=True)
    if len(np.unique(np.column_stack([places, np.nan_to_num(numbers)]), axis=0)) > 2 * len(stamps):
        raise UsageError(
            f"each stamp stands {len(numbers) / len(stamps):.3g} times, with other numbers, and no column alone says "
            "whose a row is; join those that do into one, or leave all but one series out"
        )
    return None, []
