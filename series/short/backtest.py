"""Forecasts of all models from cutoffs of the past and from the end of each series.

Each series has cutoffs of its own, a row apart; the last of them lies a horizon before
its end. A panel of many series needs one, a single series gets many. Networks are
trained once for all cutoffs, on the rows before the first of them. Models work in
processes of their own, which keep their forecasts in a cache.
"""

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipeline import processes
from pipeline.data.examples import Array, ceil_div
from pipeline.errors import UnrollError
from pipeline.files import read_npz, sha256, write_npz
from pipeline.processes import TimeLeft
from pipeline.provenance import fingerprint
from series.fits import CURE, FitCache, Workers, require_no_mistake
from series.options import Options
from series.short import local, networks
from series.short.histories import FEWEST_ROWS, Histories

FORECASTS = 120
"""Number of cutoffs of all series together; a series has at least one."""

MOST_CUTOFFS = 24
"""Largest number of cutoffs of a series."""

SERIES_AT_ONCE = 500
"""Number of series that a process forecasts."""

MOST_WITH_ETS = 200
"""Largest number of series with a cycle that ETS is fitted to.

Of more series CES has the error of ETS in a fifth of the time."""

CARDS = {**local.CARDS, **networks.CARDS}
"""Name of a model -> what is said of it; {cycle} in a title is a number of timesteps."""

SECONDS = {"theta": 0.01, "ets": 0.07, "ces": 0.01}
"""Usual CPU seconds of a forecast by a model of one series."""

NETWORK_SECONDS = {"mlp": 8.0, "gru": 40.0}
"""Usual CPU seconds of a network's training."""


@dataclass(frozen=True)
class Work:
    """The models of some series, and where their forecasts are kept.

    Attributes:
        histories: the series.
        names: the models.
        cache: the folder of the forecasts.
        untrained: networks that are wanted and have too few rows to be trained.
        seconds: name of a model -> CPU seconds that it took here.
    """

    histories: Histories
    names: Sequence[str]
    cache: FitCache
    untrained: Sequence[str] = ()
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @classmethod
    def of(cls, histories: Histories, folder: Path, asked: Options) -> "Work":
        """Write the series into a folder, and choose the models that suit them."""
        file = folder / "histories.npz"
        write_npz(file, histories.arrays())
        names = [*local.MODELS]
        if histories.cycle == 1 or max(histories.lengths) <= histories.cycle:
            names.remove("seasonal_naive")  # it would be the last value
        is_large = histories.cycle > 1 and len(histories.series) > MOST_WITH_ETS
        names.remove("ets" if is_large else "ces")
        if asked.networks:
            names += networks.NETWORKS
        tried = asked.tried(names, [name for name in names if _is_naive(name)])
        untrained = [name for name in tried if name in networks.NETWORKS]
        if networks.enough(histories.until(first_cutoffs(histories))):
            untrained = []
        names = [name for name in tried if name not in untrained]
        key = f"{sha256(file)} {fingerprint.package()}"
        return cls(histories, names, FitCache(folder, key), untrained)

    def past(self, workers: Workers) -> dict[str, Array]:
        """Forecast with each model from all cutoffs.

        Returns:
            Name of a model -> (seeds, series, cutoffs, horizon) forecasts, NaN where a
            series has no such cutoff.
        """
        calls = {name: self._calls(name, "past") for name in self.names}
        expected = {}
        for name, parts in calls.items():
            for call in parts:
                expected[call.name] = self._seconds(name, len(parts))
        order = sorted(
            (call for parts in calls.values() for call in parts),
            key=lambda call: expected[call.name],
            reverse=workers.minutes is None,
        )
        self._perform(order, expected, workers)
        return {
            name: _joined(parts, "past")
            for name, parts in calls.items()
            if all(_path(call).exists() for call in parts)
        }

    def ahead(
        self, names: Sequence[str], workers: Workers
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Fit models to all rows.

        Returns:
            Name of a model -> (series, horizon) what it forecasts next; and NAME.PART
            -> a part of what a network learnt.
        """
        calls = {name: self._calls(name, "ahead") for name in names}
        every = [call for parts in calls.values() for call in parts]
        expected = {call.name: 1.0 for call in every}
        self._perform(every, expected, replace(workers, minutes=None))
        forecasts = {name: _joined(parts, "ahead") for name, parts in calls.items()}
        learnt = dict[str, Array]()
        for name in names:
            if name in networks.NETWORKS:
                arrays = read_npz(_path(calls[name][0]), CURE)
                learnt |= {f"{name}.{part}": arrays[part] for part in networks.PARTS}
        return forecasts, learnt

    def _calls(self, name: str, when: str) -> list[processes.Call]:
        """Return the calls that make a model's forecasts, for some series each."""
        count = len(self.histories.series)
        size = count if name in networks.NETWORKS else SERIES_AT_ONCE
        calls = []
        for first in range(0, count, size):
            some = (first, min(first + size, count))
            path = self.cache.path(f"{name}-{when}", *some).with_suffix(".npz")
            shown = name if size >= count else f"{name} of series {first + 1} on"
            log = path.with_suffix(".log")
            arguments = (self.cache.folder, name, when, some, path)
            calls.append(processes.Call(shown, forecast_some, arguments, log))
        return calls

    def _perform(
        self,
        calls: Sequence[processes.Call],
        expected: dict[str, float],
        workers: Workers,
    ) -> None:
        """Perform the calls whose files are not there, as far as there is time.

        Raises:
            UnrollError: something is wrong with the machine, such as a full disk.
            RuntimeError: there is a mistake in the code.
        """
        missing = [call for call in calls if not _path(call).exists()]
        seconds = {call.name: expected[call.name] for call in missing}
        left = TimeLeft(seconds, workers.jobs)
        naive = [call for call in missing if _is_naive(call.arguments[1])]
        others = [call for call in missing if call not in naive]
        done = 0
        deadline = math.inf
        if workers.minutes is not None:
            deadline = time.monotonic() + 60 * workers.minutes
        for some, until in ((naive, math.inf), (others, deadline)):
            runs = processes.run(some, workers.jobs, workers.server, deadline=until)
            with contextlib.closing(runs):
                for ended in runs:
                    require_no_mistake(ended)
                    if ended.error:
                        raise UnrollError(f"{ended.call.name}: {ended.error}")
                    left.ended(ended.call.name, ended.seconds)
                    self.seconds[ended.call.arguments[1]] += ended.cpu_seconds
                    done += 1
                    what = f"{ended.call.name}  {ended.cpu_seconds:.1f} CPU s"
                    workers.say(
                        f"{done}/{len(missing)}  {what}  {left.words()}".rstrip()
                    )

    def _seconds(self, name: str, parts: int) -> float:
        if name in NETWORK_SECONDS:
            return NETWORK_SECONDS[name]
        forecasts = max(FORECASTS, len(self.histories.series)) / parts
        return 0.1 + forecasts * SECONDS.get(name, 0.0)


def _path(call: processes.Call) -> Path:
    """Return the file that a call writes."""
    path: Path = call.arguments[-1]
    return path


def _joined(calls: Sequence[processes.Call], when: str) -> Array:
    """Return the forecasts of some calls, one part of the series after the other."""
    parts = [read_npz(_path(call), CURE)[when] for call in calls]
    return np.concatenate(parts, axis=-3 if when == "past" else 0)


def _is_naive(name: str) -> bool:
    """Return whether a model learns nothing, and so takes no time."""
    return CARDS[name].kind == "naive"


def first_cutoffs(histories: Histories, count: int | None = None) -> list[int]:
    """Return the rows of each series before its first cutoff.

    Args:
        histories: the series, or some of a file.
        count: the largest number of cutoffs of a series; None for `cutoffs`.
    """
    count = count or cutoffs(histories)
    return [
        max(FEWEST_ROWS, len(values) - histories.horizon - count + 1)
        for values in histories.series
    ]


def cutoffs(histories: Histories) -> int:
    """Return the largest number of cutoffs of a series."""
    return min(int(ceil_div(FORECASTS, len(histories.series))), MOST_CUTOFFS)


def forecast_some(
    folder: Path, name: str, when: str, some: tuple[int, int], path: Path
) -> None:
    """Forecast some series with a model, and write the forecasts.

    Args:
        folder: the cache.
        name: the name of the model.
        when: "past" for all cutoffs, "ahead" for what comes next.
        some: the first series, and the one after the last.
        path: the file to write.
    """
    histories = Histories.from_arrays(read_npz(folder / "histories.npz", CURE))
    chosen = Histories(
        histories.series[slice(*some)], histories.cycle, histories.horizon
    )
    if name in networks.NETWORKS:
        made = _by_network(name, when, chosen)
    else:
        made = {when: _by_local(name, when, chosen, cutoffs(histories))}
    write_npz(path, made)


def _by_local(name: str, when: str, histories: Histories, count: int) -> Array:
    """Return the forecasts of a model of one series."""
    model = local.MODELS[name]

    def forecast(values: Array) -> Array:
        return model(values, histories.horizon, histories.cycle)

    if when == "ahead":
        return np.stack([forecast(values) for values in histories.series])
    shape = (1, len(histories.series), count, histories.horizon)
    forecasts = np.full(shape, np.nan)
    for number, first in enumerate(first_cutoffs(histories, count)):
        values = histories.series[number]
        for place, rows in enumerate(range(first, min(first + count, len(values)))):
            forecasts[0, number, place] = forecast(values[:rows])
    return forecasts


def _by_network(name: str, when: str, histories: Histories) -> dict[str, Array]:
    """Return the forecasts of a network, and for "ahead" what it learnt."""
    if when == "ahead":
        learnt = networks.train(name, histories)
        return {
            **learnt,
            "ahead": networks.forecast(name, learnt, histories).mean(axis=0),
        }
    first = first_cutoffs(histories)
    learnt = networks.train(name, histories.until(first))
    count = cutoffs(histories)
    forecasts = []
    for place in range(count):
        rows = [number + place for number in first]
        made = networks.forecast(name, learnt, histories.until(rows))
        made[:, histories.lengths <= rows] = np.nan
        forecasts.append(made)
    return {"past": np.stack(forecasts, axis=2)}
