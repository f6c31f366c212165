"""The public files of public.csv, with the last 14 origins of each held out."""

from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.fetch import Context

ORIGINS = 14
"""The number of origins that are held out."""

TIMESTEPS = 10_000
"""The most timesteps that are kept before the first origin."""

SEVERAL = "+"
"""The mark between the names of several columns that make a timestamp."""


class PublicFile(NamedTuple):
    """A public file.

    Attributes:
        name: the name of the file here.
        kind: a description of its content.
        licence: its licence, or where the data are from.
        stamp: the column of timestamps; `year+month+day` for three columns.
        target: the column to forecast.
        series: the column that names a row's series; "" for a single series.
        every: the time between two timesteps, as pandas writes it.
        day: timesteps between two origins: those of a day, or 1.
        cycle: timesteps of the longest cycle: a week, or a year of months or quarters.
        place: the file's path in a mirror.
        sha256: its hash.
        url: its address; "" if it has none.
    """

    name: str
    kind: str
    licence: str
    stamp: str
    target: str
    series: str
    every: str
    day: int
    cycle: int
    place: str
    sha256: str
    url: str

    @property
    def horizon(self) -> int:
        """Timesteps ahead: a day, a week of daily rows, or a year of longer ones."""
        return self.day if self.day > 1 else self.cycle

    @property
    def cycles(self) -> list[int]:
        """Cycles in timesteps, the shortest first."""
        return [self.day, self.cycle] if self.day > 1 else [self.cycle]


LISTED = pd.read_csv(Path(__file__).with_suffix(".csv"), keep_default_na=False)
FILES = {str(file.name): PublicFile(*file) for file in LISTED.itertuples(index=False)}


@dataclass(frozen=True)
class HeldOut:
    """A file's rows, and the origins at which forecasts are compared.

    Attributes:
        file: the public file.
        frame: the rows of the file by timestamp, in the order of time.
        grid: (timesteps,) the timestamps of all timesteps, without gaps.
        names: the series, one name "" for a single series.
        target: (series, timesteps) the target, NaN where it is missing.
        origins: (origins,) the index in `grid` of the first timestep ahead.
    """

    file: PublicFile
    frame: pd.DataFrame
    grid: pd.DatetimeIndex
    names: list[str]
    target: Array
    origins: Array

    @property
    def ahead(self) -> Array:
        """The indices in `grid` of the timesteps ahead (origins, steps)."""
        return np.asarray(self.origins[:, None] + np.arange(self.file.horizon))

    @property
    def truth(self) -> Array:
        """The target ahead (series, origins, steps), NaN where it is missing."""
        return np.asarray(self.target[:, self.ahead])

    @property
    def known(self) -> Array:
        """The target before the first origin (series, timesteps)."""
        return self.target[:, : self.origins[0]]

    def until(self, origin: int) -> pd.DataFrame:
        """Return the rows that are known at an origin, an index of `grid`."""
        return self.frame[self.frame.index <= self.grid[origin - 1]].reset_index(
            drop=True
        )

    def training(self) -> pd.DataFrame:
        """Return the rows before the first origin."""
        return self.until(int(self.origins[0]))


def load(file: PublicFile, folder: Path) -> HeldOut:
    """Fetch a file and hold its last origins out.

    Args:
        file: the file.
        folder: where the file is stored while it is read.

    Raises:
        UnrollError: the file cannot be fetched, or has another hash.
    """
    frame = read(file.place, file.sha256, file.url, folder)
    frame = frame.set_index(_timestamps(frame, file)).sort_index(kind="stable")
    grid = pd.date_range(frame.index[0], frame.index[-1], freq=file.every)
    first = len(grid) - file.horizon - (ORIGINS - 1) * file.day
    start = max(0, first - TIMESTEPS)
    grid = grid[start:]
    # Nobody sees the rows between two timesteps.
    frame = frame[frame.index.isin(grid)]
    names, target = _by_series(frame, grid, file)
    origins = first - start + np.arange(ORIGINS) * file.day
    return HeldOut(file, frame, grid, names, target, origins)


def read(place: str, sha256: str, url: str, folder: Path) -> pd.DataFrame:
    """Return the table of a file, by its path in a mirror or its address ("" for none).

    Raises:
        UnavailableError: neither has it.
        UnrollError: the file has another hash.
    """
    path = folder / Path(place).name
    parent = str(Path(place).parent)
    context = Context(parent, folder, folder, environ.get("UNROLL_MIRROR"))
    context.fetch(path.name, url or None, path, sha256=sha256)
    frame = pd.read_csv(path, encoding="latin-1")
    path.unlink()
    return frame


def _timestamps(frame: pd.DataFrame, file: PublicFile) -> pd.Series:
    columns = file.stamp.split(SEVERAL)
    if len(columns) > 1:
        return pd.to_datetime(frame[columns].set_axis(["year", "month", "day"], axis=1))
    return wall_clock(frame[file.stamp])


def wall_clock(times: pd.Series) -> pd.Series:
    """Return timestamps without their time zone; integers are milliseconds."""
    unit = "ms" if pd.api.types.is_integer_dtype(times) else None
    return pd.to_datetime(times, unit=unit).dt.tz_localize(None)


def _by_series(
    frame: pd.DataFrame, grid: pd.DatetimeIndex, file: PublicFile
) -> tuple[list[str], Array]:
    """Return the names of the series, and their targets (series, timesteps)."""
    series = frame[file.series].to_numpy() if file.series else np.full(len(frame), "")
    table = frame.pivot_table(
        file.target, series, frame.index, aggfunc="first"
    ).reindex(columns=grid)
    return [str(name) for name in table.index], table.to_numpy(float)
