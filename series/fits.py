"""Fits of the candidates in processes of their own, kept in a cache: what was fitted
before is taken from there.

A cache is a folder. It holds the prepared data set, and for each model KEY.parquet, its
table of forecasts, and KEY.json, its options as they were settled; KEY is made of all
that these depend on.
"""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import processes, tables
from pipeline.config.params import Experiment
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.problem import problem
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, read_checked, read_json, sha256, write_json
from pipeline.provenance import fingerprint
from series import backtest, costs, training
from series.backtest import Plan
from series.forecaster import Forecaster
from series.spec import Member

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]
"""Called with lines that say how far the work is."""

PRELOAD = (
    "pandas",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "pipeline.models.residual",
    "pipeline.training.methods.backpropagation",
    "statsmodels.tsa.holtwinters",
    "statsmodels.tsa.seasonal",
    "series.fits",
)
"""Modules that every fit of a candidate imports."""


@dataclass(frozen=True)
class Fit:
    """A model's forecasts from all origins.

    Attributes:
        experiment: the model as it was trained, with epochs and options that were
            chosen on the way.
        table: its forecasts, as `backtest.cross_validate` returns them.
        seconds: CPU seconds that it took; 0 where it came from the cache of another
            machine.
    """

    experiment: Experiment
    table: "pd.DataFrame"
    seconds: float


@dataclass(frozen=True)
class Store:
    """The prepared data set and what was fitted to it, in a folder.

    Attributes:
        folder: the cache.
        key: of the data set and the code.
    """

    folder: Path
    key: str

    @classmethod
    def of(cls, folder: Path, dataset: Dataset) -> "Store":
        """Write a data set into a cache, unless it is there."""
        prepared = folder / "prepared"
        with atomic_folder(prepared, folder) as new:
            datasets.save(dataset, new)
        hashes = [sha256(path) for path in sorted(prepared.iterdir())]
        return cls(folder, _digest([*hashes, fingerprint.package()]))

    @property
    def prepared(self) -> Path:
        """The folder of the data set."""
        return self.folder / "prepared"

    def path(self, name: str, *made_of: Any) -> Path:
        """Return the path, without its suffix, of what is made of the data set and of
        plain data.
        """
        return self.folder / f"{name}-{_digest([self.key, *made_of])[:16]}"


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def cross_validated(
    store: Store,
    dataset: Dataset,
    experiments: Mapping[str, Experiment],
    plan: Plan,
    server: processes.Server,
    *,
    jobs: int,
    minutes: float | None,
    say: Say,
) -> tuple[dict[str, Fit], dict[str, str]]:
    """Forecast with each model from all origins.

    Args:
        store: where the data set lies.
        dataset: the series.
        experiments: the models.
        plan: the origins.
        server: starts the processes.
        jobs: how many processes work at a time.
        minutes: after which what still runs is left out; None for no limit.
        say: told of each model that is done.

    Returns:
        The fits by name; and the models that are left out, with the reason.

    Raises:
        UnrollError: no model could be fitted; the text is that of the first one's
            error.
    """
    folds = backtest.folds(dataset, plan)
    paths = {}
    calls = []
    expected = {}
    for name, experiment in experiments.items():
        path = store.path(name, experiment.model_dump(), asdict(plan))
        paths[name] = path
        if not path.with_suffix(".parquet").exists():
            arguments = (store.prepared, name, experiment, plan, path)
            calls.append(
                processes.Call(name, fit_one, arguments, store.folder / f"{name}.log")
            )
            expected[name] = costs.expected_seconds(experiment, folds)
    # The longest first, so that none runs alone at the end; but the quick ones where
    # time may run out.
    calls.sort(key=lambda call: expected[call.name], reverse=minutes is None)
    left_out = _performed(calls, server, costs.TimeLeft(expected, jobs), minutes, say)
    fits = {}
    for name, path in paths.items():
        if name not in left_out:
            fits[name] = _read(path)
    if not fits:
        if minutes is not None:
            raise UnrollError(
                f"no model was done in {minutes:g} minutes; give more minutes"
            )
        raise UnrollError(next(iter(left_out.values())))
    return fits, left_out


def _performed(
    calls: Sequence[processes.Call],
    server: processes.Server,
    left: costs.TimeLeft,
    minutes: float | None,
    say: Say,
) -> dict[str, str]:
    """Perform calls; return those that failed or for which there was no time, with the
    reason.
    """
    waiting = {call.name for call in calls}
    started = time.monotonic()
    deadline = math.inf if minutes is None else started + 60 * minutes
    left_out = {}
    runs = processes.run(calls, left.jobs, server, deadline=deadline)
    with contextlib.closing(runs):
        for done, ended in enumerate(runs, 1):
            name = ended.call.name
            waiting.remove(name)
            text = f"{done}/{len(calls)}  {name}"
            left.ended(name, ended.seconds)
            if ended.error:
                left_out[name] = ended.error
                text += f": left out: {ended.error}"
            else:
                text += f"  {ended.cpu_seconds:.1f} CPU s"
            if waiting:
                text += f"  (about {costs.in_words(left.seconds)} left)"
            say(text)
    for name in sorted(waiting):
        left_out[name] = f"there was no time for it in {minutes:g} minutes"
        say(f"{name}: left out: {left_out[name]}")
    return left_out


def fit_one(
    prepared: Path, name: str, experiment: Experiment, plan: Plan, path: Path
) -> None:
    """Cross-validate a model, in a process of its own; write PATH.json, then
    PATH.parquet.
    """
    started = time.process_time()
    dataset = datasets.load(prepared, calendar=experiment.calendar)
    table, settled = backtest.cross_validate(name, experiment, dataset, plan)
    seconds = time.process_time() - started
    write_json(
        path.with_suffix(".json"),
        {"experiment": settled.model_dump(), "seconds": seconds},
    )
    tables.write_parquet(path.with_suffix(".parquet"), table)


def _read(path: Path) -> Fit:
    about = read_json(path.with_suffix(".json"))
    experiment = Experiment.model_validate(about["experiment"])
    return Fit(
        experiment, tables.read_parquet(path.with_suffix(".parquet")), about["seconds"]
    )


def refitted(
    store: Store,
    experiments: Mapping[str, Experiment],
    folder: Path,
    server: processes.Server,
    *,
    jobs: int,
) -> list[Member]:
    """Fit models on all rows.

    Args:
        store: the data set.
        experiments: the models as they were settled by `cross_validated`.
        folder: a new folder; each model's weights are written into a folder in there.
        server: starts the processes.
        jobs: how many processes work at a time.

    Returns:
        The models as members of a forecaster, in their order.

    Raises:
        UnrollError: one could not be fitted.
    """
    calls = []
    for name, experiment in experiments.items():
        arguments = (store.prepared, name, experiment, folder / name)
        calls.append(
            processes.Call(name, refit_one, arguments, store.folder / f"{name}.log")
        )
    _require(calls, server, jobs)
    return [read_checked(folder / name / "member.json", Member) for name in experiments]


def remembered(
    store: Store, folder: Path, paths: Sequence[Path], server: processes.Server
) -> None:
    """Let a saved forecaster keep what follows the last row of files; a process has its
    models imported already.
    """
    arguments = (folder, paths)
    _require(
        [
            processes.Call(
                "forecast", remember_one, arguments, store.folder / "forecast.log"
            )
        ],
        server,
        1,
    )


def _require(
    calls: Sequence[processes.Call], server: processes.Server, jobs: int
) -> None:
    """Perform calls. Raises UnrollError if one of them fails."""
    with contextlib.closing(processes.run(calls, jobs, server)) as runs:
        for ended in runs:
            if ended.error:
                raise UnrollError(f"{ended.call.name}: {ended.error}")


def remember_one(folder: Path, paths: Sequence[Path]) -> None:
    """Keep what follows the last row of files, in a process of its own."""
    forecaster = Forecaster.load(folder)
    forecaster.remember(paths)
    forecaster.save(folder)


def refit_one(prepared: Path, name: str, experiment: Experiment, folder: Path) -> None:
    """Fit a model on all windows, in a process of its own; write its weights and
    member.json.
    """
    dataset = datasets.load(prepared, calendar=experiment.calendar)
    train = _every_window(dataset)
    last = replace(train, rows=train.rows[-1:])
    trained, job = training.fit(name, experiment, dataset, train, last)
    folder.mkdir(parents=True)
    for replicate in trained.replicates:
        trained.save(
            replicate.weights["final"], folder / f"seed_{replicate.seed}_final"
        )
    member = Member(
        name=name,
        experiment=experiment,
        problem=asdict(problem(job.dataset)),
        seeds=[replicate.seed for replicate in trained.replicates],
        point="final",
    )
    write_json(folder / "member.json", member.model_dump())


def _every_window(dataset: Dataset) -> Windows:
    """The windows of all rows, the newest included; of very many every second, third,
    ...
    """
    whole = backtest.windows(dataset)
    stride = dataset.fitted.windows.stride if dataset.fitted else 1
    return replace(whole, rows=whole.rows[::-stride][::-1])
