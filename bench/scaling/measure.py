"""Cost against size: rows, timesteps, units and replicates of a training, and rows of a preparation.

Each size is doubled a few times. Every value is measured once per round, so that whatever else the machine does meets
all of them alike. The exponent is the slope of a straight line through the medians, in logarithms: 1 is proportional.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.repository import REPOSITORY
from bench.scaling import prepare
from bench.scaling.power_law import summary
from pipeline.config import plain_yaml
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Examples, Windows
from pipeline.training.job import Job

OnStep = Callable[[str], None]
Found = TypeVar("Found")

CELL, BATCH, DELAY = "lstm", 128, 24
LOSS = "mae"
OPTIONS: dict[str, Any] = {"optimizer": "rmsprop", "learning_rate": 0.001}


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
    steps, width, examples = sizes.timesteps, sizes.width, sizes.examples
    layer, some = f"{CELL.upper()}({width})", f"{examples:,} windows"
    rows = {value: epoch(value, steps, width) for value in sizes.rows}
    lookback = {value: epoch(examples, value, width) for value in sizes.lookback}
    units = {value: epoch(examples, steps, value) for value in sizes.units}
    trainings = {value: partial(training, sizes, value) for value in sizes.replicates}
    few = min(3, sizes.rounds)
    return {
        "rows": {
            "work": f"one epoch of {layer} on that many windows of {steps} timesteps",
            **timed("rows", rows, sizes.rounds, on_step),
        },
        "lookback": {
            "work": f"one epoch of {layer} on {some} of that many timesteps",
            **timed("lookback", lookback, sizes.rounds, on_step),
        },
        "units": {
            "work": f"one epoch of that many {CELL.upper()} units on {some} of {steps} timesteps",
            **timed("units", units, sizes.rounds, on_step),
        },
        "replicates": {
            "work": f"one training with that many seeds, from building to predicting: {sizes.epochs} epochs of {layer} "
            f"on {some} of {steps} timesteps",
            **timed("replicates", trainings, few, on_step, first=False),
        },
        "preparation": {
            "work": "`unroll prepare jena`, interpreter included, on a generated file of that many rows of 15 columns",
            **preparation(sizes.preparation, few, on_step),
        },
    }


def training(sizes: Sizes, seeds: int) -> None:
    """A whole training with so many seeds, compiling included."""
    from pipeline.training.methods.gradient_descent import train

    examples = windows(sizes.examples, sizes.timesteps)
    splits: dict[str, Examples] = {"train": examples, "validation": examples}
    build = partial(network, examples, sizes.width)
    job = Job("generated", Dataset("generated", "forecast", LOSS, splits), build, tuple(range(seeds)))
    train(job, epochs=sizes.epochs, batch_size=BATCH, loss=LOSS, **OPTIONS)


def preparation(sizes: Sequence[int], rounds: int, on_step: OnStep) -> dict[str, Any]:
    """Seconds and peak memory of `unroll prepare jena` against the rows of the generated file, a process each time."""
    plain = plain_yaml.read(REPOSITORY / "params.yaml")
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        commands = {}
        for value in sizes:
            on_step(f"preparation: generate {value:,} rows")
            workspace = Path(folder) / str(value)
            plain_yaml.write(prepare.stand_in(plain, value), workspace / "params.yaml")
            prepare.measure(workspace, "source", "jena")
            commands[value] = partial(prepare.measure, workspace, "prepare", "jena")
        found = in_rounds("preparation", commands, rounds, on_step)
    timed, memory = (
        summary({value: [one[cost] for one in each] for value, each in found.items()}) for cost in ("seconds", "peak")
    )
    return {**timed, "peak": memory["seconds"], "peak_exponent": memory["exponent"]}


def epoch(examples: int, timesteps: int, width: int) -> Callable[[], object]:
    """An epoch of one network on so many windows; the first call compiles it."""
    from pipeline.training import keras_models
    from pipeline.training.methods.gradient_descent import epoch_orders
    from pipeline.training.program import Program

    data = windows(examples, timesteps)
    program = Program(keras_models.seeded(partial(network, data, width), 0), data, measures=[LOSS], **OPTIONS)
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


def timed(
    what: str, works: Mapping[int, Callable[[], object]], rounds: int, on_step: OnStep, *, first: bool = True
) -> dict[str, Any]:
    """Time each work once per round; with `first` after a run that is not counted, since it compiles."""
    for value, work in works.items() if first else ():
        on_step(f"{what}: compile {value:,}")
        work()
    return summary(in_rounds(what, {value: partial(seconds, work) for value, work in works.items()}, rounds, on_step))


def in_rounds(
    what: str, works: Mapping[int, Callable[[], Found]], rounds: int, on_step: OnStep
) -> dict[int, list[Found]]:
    """What each work gives, called once per round."""
    found: dict[int, list[Found]] = {value: [] for value in works}
    for number in range(rounds):
        for value, work in works.items():
            on_step(f"{what}: {value:,}, round {number + 1} of {rounds}")
            found[value].append(work())
    return found


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
