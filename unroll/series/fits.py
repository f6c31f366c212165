"""Fits of the candidates in processes of their own, with a cache of earlier fits.

The cache lies in the user's own cache folder, where nobody else puts files. It has a
folder for each prepared data set, with two files for each model. KEY.json has the
model's settled options, or the reason why it cannot be fitted.
KEY.parquet is the model's table of forecasts. KEY is a digest of all that the two files
depend on.
"""

import contextlib
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import platformdirs
import pydantic

from pipeline.config.params import Experiment
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.data.problem import problem
from pipeline.data.windowing import DAY
from pipeline.errors import UnrollError, explain
from pipeline.files import (
    read_checked,
    read_json,
    read_npz,
    read_parquet,
    remove,
    scratch_folder,
    sha256,
    write_json,
    write_npz,
    write_parquet,
)
from pipeline.processes import Children, Ended, Here, Server, TimeLeft, Work
from pipeline.provenance import fingerprint
from pipeline.validation import Strict
from unroll.series import backtest, training
from unroll.series.backtest import Plan
from unroll.series.leaderboard import of_role
from unroll.series.row_options import Preprocessing
from unroll.series.spec import Member, Shapes

Say = Callable[[str], None]
"""A function that is called with lines of progress."""

PRELOAD = (
    "pandas",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "statsmodels.tsa.holtwinters",
    "statsmodels.tsa.seasonal",
    "unroll.series.fits",
)
"""Modules that every fit of a candidate imports."""

SECONDS = {
    "none": 0.1,
    "least_squares": 0.5,
    "boosting": 5.0,
    "poisson": 5.0,
    "numpy_adam": 4.0,
    "gru": 16.0,
    "lstm": 16.0,
    "statistical": 2.5,
}
"""The name of a model, else its family, else its training method -> usual CPU seconds
of a backtest. A statistical model is fitted anew for each forecast."""


COLUMNS = {
    "unique_id": "O",
    "ds": "M",
    "cutoff": "M",
    "model": "O",
    "seed": "iu",
    "y": "f",
    "y_hat": "f",
}
"""The columns of KEY.parquet -> the kinds of their values, as for
`read_parquet`."""

CURE = "remove its folder, and run the command again"
"""What mends a damaged file of the cache."""

MOST_BYTES = 1_000_000_000
"""The most bytes that the cache keeps between two answers."""


class Cached(Strict):
    """The content of KEY.json.

    Attributes:
        experiment: the model as it was trained.
        seconds: CPU seconds that the backtest took.
    """

    experiment: Experiment
    seconds: Annotated[float, pydantic.Field(ge=0)]


@dataclass(frozen=True)
class Workers:
    """What fits models in processes.

    Attributes:
        server: the server that starts the processes; None for this process.
        jobs: number of processes that work at a time.
        minutes: the time budget; models that are not done by then are left out, except
            naive ones. None for no limit.
        say: called with lines of progress.
        started: when the time budget began, on `time.monotonic`.
    """

    server: Server | None
    jobs: int
    minutes: float | None
    say: Say
    started: float = field(default_factory=time.monotonic)

    def work(self, deadline: float = math.inf) -> Work:
        """Return what performs calls, until `deadline` on `time.monotonic`."""
        if self.server is None:
            return Here(deadline=deadline)
        return Children(server=self.server, jobs=self.jobs, deadline=deadline)

    def tell(self, line: str) -> None:
        """Say a line, unless it is empty."""
        if line:
            self.say(line)


@dataclass(frozen=True)
class Fit:
    """A model's forecasts from all origins.

    Attributes:
        experiment: the model as it was trained, with the options that were chosen.
        table: the forecasts, as `training.cross_validate` returns them.
        seconds: CPU seconds that the backtest took.
    """

    experiment: Experiment
    table: pd.DataFrame
    seconds: float


@dataclass(frozen=True)
class FitCache:
    """A folder with the prepared data set and the models fitted to it.

    Attributes:
        folder: the folder, whose name is a digest of the data set and the code.
    """

    folder: Path

    @classmethod
    def of(cls, kept: Path, dataset: Dataset) -> "FitCache":
        """Write the data set into a folder of its own in `kept`, unless it is there."""
        with scratch_folder(kept, "prepared") as new:
            datasets.save(dataset, new)
            hashes = [sha256(path) for path in sorted(new.iterdir())]
            folder = kept / _digest([*hashes, fingerprint.package()])
            folder.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):  # it is there
                new.replace(folder / "prepared")
        os.utime(folder)  # `trim` removes what was not used for the longest time
        return cls(folder)

    def path(self, name: str, *made_of: Any) -> Path:
        """Return the path, without suffix, of a result.

        Args:
            name: the name of the model.
            made_of: plain data that the result depends on, besides the data set.
        """
        return self.folder / f"{name}-{_digest(made_of)[:16]}"

    def submit(
        self, work: Work, function: Callable[..., None], name: str, *arguments: Any
    ) -> None:
        """Let a function be called with the data set's folder, a name and more."""
        log = self.folder / f"{name}.log"
        work.submit(name, log, function, self.folder / "prepared", name, *arguments)


@contextlib.contextmanager
def kept() -> Iterator[Path]:
    """Yield the folder of all caches: the user's own, else a temporary one."""
    own = platformdirs.user_cache_path("unroll") / "fits"
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: no home
        own.expanduser().mkdir(parents=True, exist_ok=True)
    if not os.access(own, os.W_OK):
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    try:
        yield own
    finally:
        with contextlib.suppress(FileNotFoundError):  # another process trims
            trim(own, MOST_BYTES)


def trim(kept: Path, most: int) -> None:
    """Remove caches that nobody used for a day, those used last at the end, until all
    have at most `most` bytes. Another answer may be using the others.
    """
    size = 0
    a_day_ago = time.time() - DAY
    for folder in sorted(
        kept.iterdir(), key=lambda path: path.lstat().st_mtime, reverse=True
    ):
        size += sum(file.lstat().st_size for file in folder.rglob("*"))
        if size > most and folder.lstat().st_mtime < a_day_ago:
            remove(folder)


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def cross_validated(
    cache: FitCache,
    experiments: Mapping[str, Experiment],
    plan: Plan,
    workers: Workers,
) -> tuple[dict[str, Fit], dict[str, str]]:
    """Forecast with each model from all origins.

    Args:
        cache: the folder with the data set.
        experiments: the models.
        plan: the origins.
        workers: what fits models.

    Returns:
        Name -> fit; and name of a model that is left out -> reason.

    Raises:
        UnrollError: no model could be fitted, or the disk is full.
    """
    paths = {}
    expected = {}
    for name, experiment in experiments.items():
        paths[name] = cache.path(name, experiment.model_dump(), asdict(plan))
        if not paths[name].with_suffix(".parquet").exists():
            expected[name] = _expected_seconds(experiment)
    # The longest first, so that none runs alone at the end. With a time budget the
    # quickest first, so that many are done.
    order = sorted(expected, key=expected.__getitem__, reverse=workers.minutes is None)
    rounds = [(order, math.inf)]
    if workers.minutes is not None:
        # There is always a naive forecast, however little time there is.
        unfitted = of_role("naive", experiments)
        naive = [name for name in order if name in unfitted]
        others = [name for name in order if name not in unfitted]
        limit = workers.started + 60 * workers.minutes
        rounds = [(naive, math.inf), (others, limit)]
    left = TimeLeft(expected, workers.jobs)
    left_out = {}
    for names, deadline in rounds:
        with workers.work(deadline) as work:
            for name in names:
                arguments = (experiments[name], plan, paths[name])
                cache.submit(work, fit_one, name, *arguments)
            for ended in work.ended():
                what = f"{ended.cpu_seconds:.1f} CPU s"
                reason = _left_out_because(ended, paths[ended.key])
                if reason:
                    left_out[ended.key] = reason
                    what = "left out"
                left.ended(ended.key, ended.seconds)
                done = f"{len(order) - len(expected)}/{len(order)}"
                time_left = left.words()
                workers.say(f"{done}  {ended.key}  {what}  {time_left}".rstrip())
    for name in sorted(expected):
        left_out[name] = f"there was no time for it in {workers.minutes:g} min"
    fits = {}
    for name, path in paths.items():
        if name not in left_out:
            about = read_checked(path.with_suffix(".json"), Cached, CURE)
            table = read_parquet(path.with_suffix(".parquet"), COLUMNS, CURE)
            fits[name] = Fit(about.experiment, table, about.seconds)
    if not fits:
        raise UnrollError(next(iter(left_out.values())))
    return fits, left_out


def _left_out_because(ended: Ended, path: Path) -> str:
    """Return the reason why a model is left out; "" if the model was fitted.

    Raises:
        UnrollError: something is wrong with the machine, such as a full disk.
        RuntimeError: there is a mistake in the code.
    """
    require_no_mistake(ended)
    if ended.error and not ended.killed:
        raise UnrollError(f"{ended.key}: {ended.error}")
    if ended.error:
        return ended.error
    about = read_json(path.with_suffix(".json"))
    return str(about.get("left_out", ""))


def require_no_mistake(ended: Ended) -> None:
    """Raise RuntimeError, with the log, if there is a mistake in the code.

    The folder of the log may be temporary.
    """
    if ended.mistake:
        log = ended.log.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{ended.key}: {ended.error}\n{log}")


def _expected_seconds(experiment: Experiment) -> float:
    """Return the usual CPU seconds of a model's backtest."""
    model = experiment.model
    kinds = [model.name, model.family, experiment.training.method]
    return next(SECONDS[kind] for kind in kinds if kind in SECONDS)


def fit_one(
    prepared: Path, name: str, experiment: Experiment, plan: Plan, path: Path
) -> None:
    """Cross-validate a model in a process of its own.

    PATH.json is written first, then PATH.parquet. A model that these rows do not suit
    gets PATH.json alone.
    """
    started = time.process_time()
    dataset = datasets.load(
        prepared, calendar=experiment.calendar, fitted=Preprocessing
    )
    try:
        table, settled = training.cross_validate(name, experiment, dataset, plan)
    except (UnrollError, MemoryError) as error:
        write_json(path.with_suffix(".json"), {"left_out": explain(error)})
        return
    write_json(
        path.with_suffix(".json"),
        {"experiment": settled.model_dump(), "seconds": time.process_time() - started},
    )
    write_parquet(path.with_suffix(".parquet"), table)


def refitted(
    cache: FitCache,
    experiments: Mapping[str, Experiment],
    plan: Plan,
    folder: Path,
    workers: Workers,
) -> tuple[list[Member], dict[str, Array]]:
    """Fit models on all rows.

    Args:
        cache: the data set.
        experiments: the models as they were settled by `cross_validated`.
        plan: the origins of `cross_validated`.
        folder: a new folder; the weights of each model are written to FOLDER/NAME.
        workers: what fits models.

    Returns:
        The models as members of a forecaster, in the order of `experiments`; and name
        -> (windows, steps) what it forecasts after the last windows
        (`backtest.to_refit`), in model units.

    Raises:
        UnrollError: a model could not be fitted.
        RuntimeError: there is a mistake in the code.
    """
    with workers.work() as work:
        for name, experiment in experiments.items():
            cache.submit(work, refit_one, name, experiment, plan, folder / name)
        for ended in work.ended():
            require_no_mistake(ended)
            if ended.error:
                raise UnrollError(f"{ended.key}: {ended.error}")
    members = []
    ahead = {}
    for name in experiments:
        file = folder / name / "member.json"
        members.append(read_checked(file, Member))
        forecasts = folder / name / "ahead.npz"
        ahead[name] = read_npz(forecasts)["ahead"]
        # forecaster.json and forecaster.npz have them
        file.unlink()
        forecasts.unlink()
    return members, ahead


def refit_one(
    prepared: Path, name: str, experiment: Experiment, plan: Plan, folder: Path
) -> None:
    """Fit a model on all windows in a process of its own.

    The weights, member.json and ahead.npz are written into the folder.
    """
    dataset = datasets.load(
        prepared, calendar=experiment.calendar, fitted=Preprocessing
    )
    fold = backtest.to_refit(dataset, plan)
    trained, job = training.fit(name, experiment, dataset, fold.train, fold.test)
    folder.mkdir(parents=True)
    for replicate in trained.replicates:
        trained.save(
            replicate.weights["final"], folder / f"seed_{replicate.seed}_final"
        )
    member = Member(
        name=name,
        experiment=experiment,
        problem=Shapes.of(problem(job.dataset)),
        seeds=[replicate.seed for replicate in trained.replicates],
        point="final",
    )
    write_json(folder / "member.json", member.model_dump())
    ahead = [
        np.broadcast_to(
            replicate.predictions["final_test"].reshape(len(fold.test), -1),
            (len(fold.test), fold.test.outputs),
        )
        for replicate in trained.replicates
    ]
    mean = np.asarray(sum(ahead, np.zeros(()))) / len(ahead)
    write_npz(folder / "ahead.npz", {"ahead": mean})
