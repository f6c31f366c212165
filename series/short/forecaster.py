"""The forecaster of short series, saved as a folder of plain files."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic

from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.files import damaged, read_checked, read_npz, write_json, write_npz
from pipeline.validation import one_of
from series import intervals, rows, seal
from series.forecaster import (
    ARRAYS,
    BaseForecaster,
    beyond,
    floored,
    require_levels,
    steps_of,
)
from series.leaderboard import MEAN
from series.rows import History, Window
from series.short import local, networks
from series.short.board import mean
from series.short.histories import Histories, known
from series.short.offsets import offsets
from series.spec import Spec

SPEC = "short.json"
"""The file of a `ShortSpec`."""

FORECASTS = "ahead"
"""The array (series, models, horizon) of what is forecast after the rows of the answer.

To fit the models again would give the same."""

DIGESTS = "digests"
"""The array (series, 32) of the SHA-256 of these rows."""


class ShortSpec(Spec):
    """The content of short.json.

    Attributes:
        cycle: timesteps of a year; 1 if rows have no cycle.
        names: the models that can forecast, besides the mean of `members`.
        members: the models whose mean is forecast.
        champion: the model that forecasts if none is named.
    """

    cycle: Annotated[int, pydantic.Field(ge=1, le=366)]
    names: Annotated[list[str], pydantic.Field(min_length=1)]
    members: list[str]
    champion: str

    @pydantic.model_validator(mode="after")
    def _of_models(self) -> "ShortSpec":
        """Check the names of the models."""
        unknown = {*self.names} - {*local.MODELS, *networks.NETWORKS}
        unknown |= {*self.members} - {*self.names}
        unknown |= {self.champion} - {*self.models}
        if unknown:
            raise ValueError(f"names, members and champion: {min(unknown)!r:.80}")
        return self

    @property
    def models(self) -> list[str]:
        """The models that can forecast."""
        return [*self.names, *([MEAN] if self.members else [])]

    @property
    def reach(self) -> int:
        """Rows to send for a forecast; models look at whole series."""
        return 1_000


@dataclass(frozen=True)
class ShortForecaster(BaseForecaster):
    """Models of short series with all that a forecast from raw rows takes.

    Attributes:
        spec: the forecaster as plain data.
        arrays: what networks learnt (NETWORK.PART), the errors of each model at the
            cutoffs (scores.MODEL, `board.scores`), `FORECASTS` and `DIGESTS`.
        cache: digest of a series' rows -> name of a model -> its forecast.
        ends: name of a model and levels -> its `offsets`.
    """

    spec: ShortSpec
    arrays: dict[str, Array]
    cache: dict[bytes, dict[str, Array]] = field(default_factory=dict, repr=False)
    ends: dict[tuple[str, tuple[float, ...]], Array] = field(
        default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        digests = self.arrays[DIGESTS]
        for digest, forecasts in zip(digests, self.arrays[FORECASTS], strict=True):
            self.cache[digest.tobytes()] = dict(
                zip(self.spec.names, forecasts, strict=True)
            )

    @classmethod
    def checked(cls, folder: Path) -> "ShortForecaster":
        """Read a folder whose files were compared with their hashes (`seal.check`).

        Raises:
            UnrollError: a file is missing or damaged.
        """
        spec = read_checked(folder / SPEC, ShortSpec, seal.CURE)
        arrays = read_npz(folder / ARRAYS, seal.CURE)
        try:
            _check(arrays, spec)
            return cls(spec, arrays)
        except (ValueError, KeyError) as error:
            raise damaged(folder / ARRAYS, error, seal.CURE) from None

    def save(self, folder: Path) -> None:
        """Write short.json and forecaster.npz into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SPEC, self.spec.model_dump())
        write_npz(folder / ARRAYS, self.arrays)

    @property
    def models(self) -> list[str]:
        """The models that can forecast."""
        return self.spec.models

    def of_model(self, model: str, why: str) -> "ShortForecaster":
        """Return the forecaster by another model. Raises as that of the base."""
        one_of(model, self.models, "model")
        changed = {"champion": model, "why": why}
        return replace(self, spec=self.spec.model_copy(update=changed))

    def load_models(self) -> None:
        """There is nothing to read."""

    def latest(self, history: History) -> Window:
        """Return all rows of a series.

        Raises:
            UnrollError: there is no row.
        """
        return whole(history, self.spec.until)

    def ahead(
        self,
        window: Window,
        levels: Sequence[float] = (intervals.USUAL,),
        horizon: int | str | None = None,
    ) -> tuple[Array, Array]:
        """Forecast the timesteps after a window.

        Beyond the horizon that networks were trained for, the models of one series
        forecast alone.
        """
        require_levels(levels)
        name = self.spec.champion
        count = steps_of(self.spec, horizon)
        trained = self.spec.fitted.windows.horizon
        values = known(window)
        forecast = self._forecast(name, values, trained)
        if count > trained:
            names = self.spec.members if name == MEAN else [name]
            names = [each for each in names if each in local.MODELS] or ["theta"]
            longer = [
                local.MODELS[each](values, count, self.spec.cycle) for each in names
            ]
            forecast = np.append(forecast, np.mean(longer, axis=0)[trained:])
        [scale] = Histories([values], self.spec.cycle, trained).scales
        growth, nearest = beyond(count, trained)
        ends = growth[:, None] * self._offsets(name, tuple(levels))[nearest]
        forecast = forecast[:count]
        quantiles = forecast[:, None] + scale * ends
        return floored(forecast, quantiles, window.question.lowest)

    def _offsets(self, name: str, levels: tuple[float, ...]) -> Array:
        """Return `offsets` of a model, which are the same for all series."""
        if (name, levels) not in self.ends:
            self.ends[name, levels] = offsets(self.arrays[f"scores.{name}"], levels)
        return self.ends[name, levels]

    def _forecast(self, name: str, values: Array, horizon: int) -> Array:
        """Return the forecast (horizon,) of a model, or of the mean of the members."""
        if name == MEAN:
            return mean(
                {
                    each: self._forecast(each, values, horizon)
                    for each in self.spec.members
                }
            )
        found = self.cache.setdefault(digest(values), {})
        if name not in found:
            found[name] = self._computed(name, values, horizon)
        return found[name]

    def _computed(self, name: str, values: Array, horizon: int) -> Array:
        if name in local.MODELS:
            return local.MODELS[name](values, horizon, self.spec.cycle)
        one = Histories([values], self.spec.cycle, horizon)
        learnt = networks.learnt_of(name, self.arrays)
        forecasts = networks.forecast(name, learnt, one)
        return np.asarray(forecasts.mean(axis=0)[0])


def whole(history: History, until: str | None) -> Window:
    """Return all rows of a series as a window.

    Args:
        history: the rows.
        until: the last row that models were fitted to; None if they are not yet.

    Raises:
        UnrollError: there is no row.
    """
    measured = history.measured.series
    first = measured.start  # before it nothing was measured
    count = len(measured.values) - first
    if count < 1:
        raise UnrollError(f"{history.name}: there is no row with a value")
    window = rows.latest(history, count, None, 1)
    new = 0.0
    if until is not None:
        later = int((measured.timestamps > np.datetime64(until)).sum())
        new = later / max(1, count - later)
    target = history.measured.target(history.target)[first:]
    # 32 bits do not hold a count above 16 million, and these values are not scaled.
    inputs = window.inputs.astype(np.float64)
    exact = measured.values[first:, history.target][:: -window.question.windows.step]
    column = inputs[-len(exact) :, history.target]
    column[:] = np.where(np.isfinite(column), exact[::-1], column)
    stamps = measured.timestamps[first:]
    return replace(window, stamps=stamps, target=target, inputs=inputs, new=new)


def digest(values: Array) -> bytes:
    """Return the SHA-256 of a series' values."""
    return hashlib.sha256(values.tobytes()).digest()


def _check(arrays: Mapping[str, Array], spec: ShortSpec) -> None:
    """Raise ValueError or KeyError unless the arrays are those of a forecaster."""
    horizon = spec.fitted.windows.horizon
    for name in spec.models:
        scores = arrays[f"scores.{name}"]
        if scores.ndim != 2 or scores.shape[1] != horizon or scores.dtype.kind != "f":
            raise ValueError(f"scores.{name} must have {horizon} steps")
    forecasts = arrays[FORECASTS]
    digests = arrays[DIGESTS]
    shape = (len(digests), len(spec.names), horizon)
    if forecasts.shape != shape or forecasts.dtype.kind != "f":
        raise ValueError(f"{FORECASTS} must have the shape {shape}")
    if digests.shape[1:] != (32,) or digests.dtype != np.uint8:
        raise ValueError(f"{DIGESTS} must have rows of 32 bytes")
    one = Histories([np.arange(1.0, 4.0)], spec.cycle, horizon)
    for name in spec.names:
        if name in networks.NETWORKS:
            learnt = networks.learnt_of(name, arrays)
            if not np.isfinite(networks.forecast(name, learnt, one)).all():
                raise ValueError(f"{name} forecasts no number")
