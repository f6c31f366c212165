"""Gradient descent with a whole epoch as one XLA program.

The data lie on the device once; examples are gathered, batches looped over, and weights updated inside
the program. The order of the examples comes from NumPy with the replicate's seed, so it is known and
the same everywhere. Epochs are those of Keras' `fit`: the last, partial batch is trained on too.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from pipeline import networks, run
from pipeline.errors import DivergedError, UnrollError
from pipeline.metrics import METRICS
from pipeline.program import Program
from pipeline.run import Job, Replicate, Trained
from pipeline.windows import Array

TRAINS = ("network",)
"""The kinds of model that this method takes; see `models.baselines.KINDS`. All that have layers are networks."""

Order = Literal["permutation", "batches", "draws"]


def train(
    job: Job,
    *,
    optimizer: Literal["adam", "rmsprop", "sgd"],
    loss: Literal["mse", "mae", "binary_crossentropy", "pairwise_mse"],
    epochs: Annotated[int, Field(ge=1, le=100_000)],
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)],
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.001,
    order: Order = "permutation",
    steps_per_epoch: Annotated[int | None, Field(ge=1, le=1_000_000)] = None,
) -> Trained:
    """Train every replicate of a job; the program is compiled once for all of them.

    Args:
        job: its `build` makes a `keras.Model`.
        optimizer: with Keras' defaults but for the learning rate.
        loss: `pairwise_mse` is what Keras makes of outputs (batch, 1, 1) and targets (batch,): the mean over
            all pairs of an output and a target of the batch.
        epochs: how many.
        batch_size: examples per step.
        learning_rate: of the optimizer.
        order: `permutation` of all examples (Keras' `fit` on arrays), whole `batches` in shuffled order (`fit` on
            a sequence), or `draws` with replacement (the generator of documents 001 and 002).
        steps_per_epoch: for `draws`; None for as many as cover the examples once.

    Raises:
        DivergedError: the loss is not finite; names epoch and step.
        UnrollError: `steps_per_epoch` with another order than `draws`.
    """
    if steps_per_epoch is not None and order != "draws":
        raise UnrollError(f"{job.experiment}: steps_per_epoch needs order: draws. Received: {order}")
    dataset, metric = job.dataset, job.dataset.metric
    model = networks.seeded(job.build, job.seeds[0])
    program = Program(model, dataset.splits["train"], optimizer, learning_rate, loss)
    replicates = []
    for seed in job.seeds:
        program.reset(networks.values(networks.seeded(job.build, seed)))
        batches = epoch_orders(len(dataset.splits["train"]), batch_size, order, steps_per_epoch, seed)
        history: list[dict[str, float]] = []
        weights: dict[str, list[Array]] = {}
        best = None
        for epoch, rows in zip(range(1, epochs + 1), batches, strict=False):
            losses = program.epoch(rows)
            if not np.isfinite(losses).all():
                raise DivergedError(job.experiment, seed, epoch, int(np.argmin(np.isfinite(losses))) + 1)
            counts = (rows >= 0).sum(axis=1)
            line = {"train_loss": float(np.average(losses.astype(np.float64), weights=counts))}
            for split in dataset.scored:
                if split in dataset.splits:
                    predictions = program.predict(dataset.splits[split])
                    targets = dataset.splits[split].targets
                    line[f"{split}_loss"] = METRICS[loss](predictions, targets)
                    line[f"{split}_{metric}"] = METRICS[metric](predictions, targets)
            history.append(line)
            best = run.best(history, metric, best)
            if best == epoch:
                weights["best"] = networks.values(model)
            job.on_epoch(seed, epoch, line)
        weights = {"final": networks.values(model)} | weights
        predictions_at: dict[str, Array] = {}
        for point, numbers in weights.items():
            networks.assign(model, numbers)
            for split, examples in dataset.splits.items():
                predictions_at[f"{point}_{split}"] = program.predict(examples)
            if point == "final" and dataset.rollout:
                predictions_at["rollout"] = run.rollout(program.predict_one, dataset.splits["test"])
        replicates.append(Replicate(seed, history, best, predictions_at, weights))
    return Trained(
        replicates,
        model.count_params(),
        lambda numbers, path: networks.save_weights(model, numbers, path),
        networks.layers(model),
        loss,
    )


def epoch_orders(
    examples: int, batch_size: int, order: Order, steps: int | None, seed: int
) -> Iterator[Array]:
    """For every epoch the example numbers (steps, batch_size); -1 fills up the last, partial batch."""
    random = np.random.default_rng(seed)
    full = -(-examples // batch_size)
    while True:
        if order == "draws":
            yield random.integers(0, examples, (steps or full, batch_size), dtype=np.int32)
            continue
        rows = np.full(full * batch_size, -1, np.int32)
        rows[:examples] = random.permutation(examples) if order == "permutation" else np.arange(examples)
        batches = rows.reshape(full, batch_size)
        yield random.permutation(batches) if order == "batches" else batches
