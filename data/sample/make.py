"""Makes jena_hourly.csv beside this file: `python data/sample/make.py
MIRROR/jena/jena_2009_2010.csv`.
"""

import sys
from pathlib import Path

import pandas as pd

ROWS = 17_520
"""Two years of hours."""


def make(official: Path, target: Path) -> None:
    """Keep three readings of every sixth row of the first two official years, with a
    stamp that sorts.
    """
    table = pd.read_csv(official).drop_duplicates("Date Time").iloc[::6].head(ROWS)
    stamp = pd.to_datetime(table["Date Time"], format="%d.%m.%Y %H:%M:%S").dt.strftime(
        "%Y-%m-%d %H:%M"
    )
    sample = pd.DataFrame(
        {"time": stamp, "temperature": table["T (degC)"], "pressure": table["p (mbar)"]}
    )
    sample["humidity"] = table["rh (%)"]
    sample.to_csv(target, index=False, lineterminator="\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(__file__).with_name("jena_hourly.csv"))
