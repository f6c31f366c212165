"""Gradient descent with a whole epoch as one XLA program.

The data lie on the device once. The program gathers examples, loops over batches and
updates weights. NumPy draws the order of the examples from the replicate's seed, so the
order is the same everywhere. Epochs are those of Keras' `fit`: the last, partial batch
is trained on, too.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array, ceil_div
from pipeline.errors import DivergedError, UnrollError
from pipeline.metrics import Loss
from pipeline.training import keras_models
from pipeline.training.epochs import Epochs, Patience, train_replicates
from pipeline.training.job import Job, Trained, rollout

if TYPE_CHECKING:
    import keras

    from pipeline.training.program import Program

TRAINS = ("network",)

Order = Literal["permutation", "batches", "draws"]
Schedule = Literal["constant", "cosine"]


def train(
    job: Job,
    *,
    optimizer: Literal["adam", "rmsprop", "rmsprop_keras2", "sgd"],
    loss: Loss,
    epochs: Epochs,
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)],
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.001,
    schedule: Schedule = "constant",
    halve_after: Annotated[int | None, Field(ge=1, le=1000)] = None,
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0,
    order: Order = "permutation",
    steps_per_epoch: Annotated[int | None, Field(ge=1, le=1_000_000)] = None,
    patience: Patience = None,
    every_step: bool = False,
    extra_targets: bool = False,
    gradients: bool = False,
) -> Trained:
    """Train every replicate of a job; the program is compiled once for all of them.

    Args:
        job: its `build` makes a `keras.Model`.
        optimizer: how a gradient changes the weights, with Keras' defaults except for
            the learning rate. `rmsprop_keras2` has epsilon outside of the root.
        loss: the loss that is minimised. `pairwise_mse` is the mean over all pairs of
            an output and a target of the batch. Keras computes it for outputs (batch,
            1, 1) and targets (batch,).
        epochs: the most epochs.
        batch_size: examples of a step.
        learning_rate: the learning rate of the first epoch.
        schedule: `constant`, or `cosine`: the rate falls from epoch to epoch, to 0
            after the last of `epochs`.
        halve_after: epochs after which the rate halves in each epoch; None for a rate
            that stays.
        weight_decay: a step takes this fraction, times the rate, off each weight. It is
            no part of the loss (AdamW: Loshchilov and Hutter 2019, arXiv 1711.05101).
        order: of the examples in an epoch: `permutation` of all examples (Keras' `fit` on arrays), whole `batches`
            in shuffled order (`fit` on a sequence), or `draws` with replacement (the
            generator of documents 001 and 002).
        steps_per_epoch: steps of an epoch, for `draws`; None for as many as cover the
            examples once.
        patience: epochs without a better validation error after which a replicate ends;
            None for never.
        every_step: whether the network also learns the next input at each timestep
            before the last one. The mean loss of these timesteps is added to the loss,
            with the weight `weight_before`. Histories and predictions are of the last
            timestep only. `job.build` makes a model from (batch, timesteps, 1) to
            (batch, timesteps, 1), and a target is the input's next value.
        extra_targets: whether the network also learns the job's extra targets, which
            stand before the target of each train example
            (`inputs.with_extra_targets`). Their mean loss is added to the loss, with
            the weight `weight_before`. Histories and predictions are of the target
            only.
        gradients: whether the predictions also hold "gradients" (timesteps,), from the
            first timestep to the last: how much the output depends on each
            (`Program.gradients`), with the weights that validation chose, or else the
            final ones. Inputs are 256 test windows, evenly spaced.

    Raises:
        DivergedError: the loss is not finite; names epoch and step.
        UnrollError: `halve_after` with a cosine, `steps_per_epoch` without `draws`,
            `every_step` or `extra_targets` with a loss over pairs of examples, `gradients` for other than
            one value from timesteps of values, or a model without one output for each
            target.
    """
    if steps_per_epoch is not None and order != "draws":
        raise UnrollError(
            f"{job.experiment}: steps_per_epoch needs order: draws. Received: {order}"
        )
    if halve_after is not None and schedule != "constant":
        raise UnrollError(
            f"{job.experiment}: halve_after needs schedule: constant. Received: "
            f"{schedule}"
        )
    if (every_step or extra_targets) and loss == "pairwise_mse":
        raise UnrollError(
            f"{job.experiment}: every_step and extra_targets need a loss of one example at a time. "
            f"Received: {loss}"
        )
    if gradients and (len(job.train.input_shape), job.train.targets.ndim) != (2, 1):
        raise UnrollError(
            f"{job.experiment}: gradients needs one target, and inputs of timesteps "
            f"with values. Received: inputs {job.train.input_shape}"
        )
    examples = len(job.train)
    if order != "draws":
        # A larger batch would be padded, which only takes memory.
        batch_size = min(batch_size, examples)
    model = keras_models.seeded(job.build, job.seeds[0])
    _require_an_output_for_each_target(job, model, every_step=every_step)
    from pipeline.training.program import Program

    measures = [loss] if job.dataset.metric == loss else [loss, job.dataset.metric]
    program = Program(
        model,
        job.train,
        optimizer,
        learning_rate,
        measures,
        weight_decay,
        every_step=every_step,
        extra_targets=extra_targets,
    )
    orders = partial(epoch_orders, examples, batch_size, order, steps_per_epoch)
    rate = partial(rate_of, learning_rate, schedule, epochs, halve_after)
    before = partial(weight_before, epochs)
    learner = ProgramLearner(job, program, rate, orders, before, gradients=gradients)
    return Trained(
        train_replicates(job, epochs, learner, patience),
        keras_models.parameters(model),
        partial(keras_models.save_weights, model),
        keras_models.layers(model),
        loss,
    )


def _require_an_output_for_each_target(
    job: Job, model: "keras.Model", *, every_step: bool
) -> None:
    if every_step:
        outputs = model.output_shape[1:]
        shape: tuple[int, ...] = (job.dataset.input_shape[0], 1)
        advice = "at each timestep with every_step"
    else:
        outputs = tuple(size for size in model.output_shape[1:] if size != 1)
        shape = job.train.take(np.arange(1))[1].shape[1:]
        advice = "so head: true or units: 1, and sequences: false"
    if outputs != shape:
        raise UnrollError(
            f"{job.experiment}: a model that is trained must have one output for each "
            f"of {shape or 1} targets, {advice}. Received: outputs of the shape "
            f"{model.output_shape}"
        )


def weight_before(epochs: int, epoch: int) -> float:
    """Return the weight of what is learnt beside the target, in the loss.

    It is that of the timesteps before the last one with `every_step`, and of the other
    targets with `extra_targets`.

    The weight is 1 in the first half of `epochs`. In the second half it falls linearly
    to 0. `epoch` counts from 1.
    """
    return min(max(2 - 2 * (epoch - 1) / epochs, 0.0), 1.0)


def rate_of(
    start: float, schedule: Schedule, epochs: int, halve_after: int | None, epoch: int
) -> float:
    """Return the learning rate of an epoch, counted from 1.

    `start` is the first rate. The other arguments are those of `train`.
    """
    if schedule == "cosine":
        return start * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))
    return start * 0.5 ** max(epoch - (halve_after or epochs), 0)


class ProgramLearner:
    """A trainer of one replicate after the other with one program (an `epochs.Learner`).

    Args:
        job: the training job.
        program: the program of the job's model.
        rate: epoch, from 1 -> learning rate.
        orders: seed -> the example numbers (steps, batch) of one epoch after the other.
        weight_before: epoch, from 1 -> the program's `weight_before`.
        gradients: as for `train`.
    """

    def __init__(
        self,
        job: Job,
        program: "Program",
        rate: Callable[[int], float],
        orders: Callable[[int], Iterator[Array]],
        weight_before: Callable[[int], float] = lambda _: 0.0,
        *,
        gradients: bool = False,
    ) -> None:
        self._job = job
        self._program = program
        self._rate = rate
        self._orders = orders
        self._weight_before = weight_before
        self._gradients = gradients
        self._seed = 0
        self._batches: Iterator[Array] = iter(())

    def begin(self, seed: int, done: int = 0, state: list[Array] | None = None) -> None:
        model = keras_models.seeded(self._job.build, seed)
        self._program.reset(keras_models.values(model))
        self._seed = seed
        self._batches = islice(self._orders(seed), done, None)
        if state is not None:
            self._program.restore(state)

    def epoch(self, number: int) -> dict[str, float]:
        program = self._program
        program.optimizer.learning_rate.assign(self._rate(number))
        program.weight_before.assign(self._weight_before(number))
        rows = next(self._batches)  # (steps, batch) example numbers, -1 for none
        measured = program.epoch(rows)  # (steps, measures)
        finite = np.isfinite(measured).all(axis=1)
        if not finite.all():
            step = int(np.argmin(finite)) + 1
            job = self._job
            raise DivergedError(
                job.dataset.name, job.experiment, self._seed, number, step
            )
        # Train measures are means over the epoch, with dropout on, as in Keras.
        sizes = (rows >= 0).sum(axis=1)
        means = np.average(measured.astype(np.float64), axis=0, weights=sizes)
        loss, *others = program.measures
        line = {"train_loss": float(means[0])}
        for measure, mean in zip(others, means[1:], strict=True):
            line[f"train_{measure}"] = float(mean)
        splits = self._job.dataset.splits
        scores = self._job.scores(loss, lambda split: program.predict(splits[split]))
        return {**line, **scores}

    def state(self) -> list[Array]:
        return self._program.state()

    def weights(self) -> list[Array]:
        return keras_models.values(self._program.model)

    def predictions(self, point: str, weights: list[Array]) -> dict[str, Array]:
        program = self._program
        keras_models.assign(program.model, weights)
        splits = self._job.predicted
        predictions = {
            f"{point}_{split}": program.predict(examples)
            for split, examples in splits.items()
        }
        if point == "final" and self._job.dataset.rollout:
            predictions["rollout"] = rollout(program.predict_one, splits["test"])
        if self._gradients:
            predictions["gradients"] = program.gradients(splits["test"])
        return predictions


def epoch_orders(
    examples: int, batch_size: int, order: Order, steps: int | None, seed: int
) -> Iterator[Array]:
    """Yield the example numbers (steps, batch_size) of one epoch after the other.

    The last, partial batch is filled up with -1.
    """
    random = np.random.default_rng(seed)
    full = ceil_div(examples, batch_size)
    while True:
        if order == "draws":
            shape = (steps or full, batch_size)
            yield random.integers(0, examples, shape, dtype=np.int32)
            continue
        rows = np.full(full * batch_size, -1, np.int32)
        rows[:examples] = np.arange(examples)
        if order == "permutation":
            rows[:examples] = random.permutation(examples)
        batches = rows.reshape(full, batch_size)
        yield random.permutation(batches) if order == "batches" else batches
