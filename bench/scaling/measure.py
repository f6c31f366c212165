"""Cost against size: rows, timesteps, units and replicates of a training, and rows of a preparation.

Each size is doubled a few times. Every value is measured once per round, so that whatever else the machine does meets
all of them alike. The exponent is the slope of a straight line through the medians, in logarithms: 1 is proportional.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.repository import REPOSITORY
from bench.scaling import prepare
from bench.scaling.power_law import summary
from pipeline.config import plain_yaml
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.training.job import Job

OnStep = Callable[[str], None]

CELL, BATCH, DELAY = "lstm", 128, 24
OPTIONS: dict[str, Any] = {"optimizer": "rmsprop", "learning_rate": 0.001, "loss": "mae"}


@dataclass(frozen=True)
class Sizes:
    """What is doubled, and what stays while another is doubled.

    Attributes:
        rows, lookback, units, replicates, preparation: the values of each.
        examples, timesteps, width: of an epoch, where they are not what is doubled.
        epochs: of a replicate.
        rounds: how often each value is measured.
    """

    rows: tuple[int, ...] = (2_000, 4_000, 8_000, 16_000, 32_000)
    lookback: tuple[int, ...] = (30, 60, 120, 240, 480)
    units: tuple[int, ...] = (8, 16, 32, 64, 128)
    replicates: tuple[int, ...] = (1, 2, 4, 8)
    preparation: tuple[int, ...] = (52_569, 105_138, 210_276, 420_551)
    examples: int = 2_560
    timesteps: int = 60
    width: int = 32
    epochs: int = 4
    rounds: int = 5


QUICK = Sizes(
    rows=(256, 512, 1_024),
    lookback=(15, 30, 60),
    units=(8, 16, 32),
    replicates=(1, 2, 4),
    preparation=(13_142, 26_284, 52_569),
    examples=256,
    timesteps=15,
    width=8,
    epochs=2,
    rounds=3,
)


def measure(quick: bool, on_step: OnStep) -> dict[str, Any]:
    """Measure everything; JSON-able.

    Args:
        quick: small sizes, to see that all works; nobody should cite its figures.
        on_step: told in words what is done next.

    Returns:
        rows, lookback, units, replicates, preparation -> `work` (what is timed), `values`, `seconds` (least, median
        and greatest for each value) and `exponent` (estimate, and its 95 % interval); preparation also `peak` (MiB)
        and `peak_exponent`.

    Raises:
        CommandFailedError: a command of the preparation failed.
    """
    import tensorflow as tf

    from pipeline.training import keras_models

    keras_models.start()
    tf.get_logger().setLevel("ERROR")  # it warns where many programs are traced; here each has a shape of its own
    sizes = QUICK if quick else Sizes()
    return {
        "rows": rows(sizes, on_step),
        "lookback": lookback(sizes, on_step),
        "units": units(sizes, on_step),
        "replicates": replicates(sizes, on_step),
        "preparation": preparation(sizes, on_step),
    }


def rows(sizes: Sizes, on_step: OnStep) -> dict[str, Any]:
    """Seconds of an epoch against its examples, one window that starts at each row."""
    epochs = {value: epoch(value, sizes.timesteps, sizes.width) for value in sizes.rows}
    work = f"one epoch of {CELL.upper()}({sizes.width}) on that many windows of {sizes.timesteps} timesteps"
    return {"work": work, **_timed("rows", epochs, sizes.rounds, on_step)}


def lookback(sizes: Sizes, on_step: OnStep) -> dict[str, Any]:
    """Seconds of an epoch against the timesteps of a window."""
    epochs = {value: epoch(sizes.examples, value, sizes.width) for value in sizes.lookback}
    work = f"one epoch of {CELL.upper()}({sizes.width}) on {sizes.examples:,} windows of that many timesteps"
    return {"work": work, **_timed("lookback", epochs, sizes.rounds, on_step)}


def units(sizes: Sizes, on_step: OnStep) -> dict[str, Any]:
    """Seconds of an epoch against the width of the layer."""
    epochs = {value: epoch(sizes.examples, sizes.timesteps, value) for value in sizes.units}
    work = f"one epoch of that many {CELL.upper()} units on {sizes.examples:,} windows of {sizes.timesteps} timesteps"
    return {"work": work, **_timed("units", epochs, sizes.rounds, on_step)}


def replicates(sizes: Sizes, on_step: OnStep) -> dict[str, Any]:
    """Seconds of a whole training, compiling included, against how many seeds it is repeated with."""
    examples = windows(sizes.examples, sizes.timesteps)
    splits = {"train": examples, "validation": examples}
    dataset = Dataset("generated", "forecast", "mae", splits)  # type: ignore[arg-type]

    def training(count: int) -> None:
        from pipeline.training.methods.gradient_descent import train

        build = partial(network, examples, sizes.width)
        train(Job("generated", dataset, build, tuple(range(count))), epochs=sizes.epochs, batch_size=BATCH, **OPTIONS)

    trainings = {value: partial(training, value) for value in sizes.replicates}
    work = (
        f"one training with that many seeds, from building to predicting: {sizes.epochs} epochs of {CELL.upper()}"
        f"({sizes.width}) on {sizes.examples:,} windows of {sizes.timesteps} timesteps"
    )
    return {"work": work, **_timed("replicates", trainings, min(3, sizes.rounds), on_step, first=False)}


def preparation(sizes: Sizes, on_step: OnStep) -> dict[str, Any]:
    """Seconds and peak memory of `unroll prepare jena` against the rows of the generated file, a process each time."""
    plain = plain_yaml.read(REPOSITORY / "params.yaml")
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        workspaces = {value: Path(folder) / str(value) for value in sizes.preparation}
        for value, workspace in workspaces.items():
            on_step(f"preparation: generate {value:,} rows")
            workspace.mkdir()
            plain_yaml.write(prepare.stand_in(plain, value), workspace / "params.yaml")
            prepare.measure(workspace, "source", "jena")
        peaks: dict[int, list[float]] = {value: [] for value in workspaces}
        seconds: dict[int, list[float]] = {value: [] for value in workspaces}
        rounds = min(3, sizes.rounds)
        for number in range(rounds):
            for value, workspace in workspaces.items():
                on_step(f"preparation: {value:,}, round {number + 1} of {rounds}")
                found = prepare.measure(workspace, "prepare", "jena")
                seconds[value].append(found["seconds"])
                peaks[value].append(found["peak"])
    timed, memory = summary(seconds), summary(peaks)
    work = "`unroll prepare jena`, interpreter included, on a generated file of that many rows of 15 columns"
    return {"work": work, **timed, "peak": memory["seconds"], "peak_exponent": memory["exponent"]}


def epoch(examples: int, timesteps: int, width: int) -> Callable[[], object]:
    """An epoch of one network on so many windows; the first call compiles it."""
    from pipeline.training import keras_models
    from pipeline.training.methods.gradient_descent import epoch_orders
    from pipeline.training.program import Program

    data = windows(examples, timesteps)
    program = Program(keras_models.seeded(partial(network, data, width), 0), data, **OPTIONS)
    batches = next(epoch_orders(examples, BATCH, "permutation", None, 0))
    return lambda: program.epoch(batches)


def windows(examples: int, timesteps: int) -> Windows:
    """So many windows over a generated series in the columns of the Jena station, normalised."""
    from pipeline.data.sources.stand_in import station

    length = examples + timesteps + DELAY
    readings = station(np.random.default_rng(0), "2009-01-01T00:10:00", length, (length, 0)).readings
    series = np.stack(list(readings.values()), axis=1)
    series = ((series - series.mean(axis=0)) / series.std(axis=0)).astype(np.float32)
    return Windows(series, np.arange(timesteps, timesteps + examples), timesteps, 1, DELAY, target=1)


def network(examples: Windows, width: int) -> Any:
    """The network that every measurement of a training is made with."""
    from pipeline.data.problem import Problem
    from pipeline.models.recurrent import MODELS

    return MODELS[CELL](Problem(examples.input_shape), units=width)


def _timed(
    what: str, works: Mapping[int, Callable[[], object]], rounds: int, on_step: OnStep, *, first: bool = True
) -> dict[str, Any]:
    """Time each work once per round; with `first` after a run that is not counted, since it compiles."""
    for value, work in works.items() if first else ():
        on_step(f"{what}: compile {value:,}")
        work()
    seconds: dict[int, list[float]] = {value: [] for value in works}
    for number in range(rounds):
        for value, work in works.items():
            on_step(f"{what}: {value:,}, round {number + 1} of {rounds}")
            start = time.perf_counter()
            work()
            seconds[value].append(time.perf_counter() - start)
    return summary(seconds)
