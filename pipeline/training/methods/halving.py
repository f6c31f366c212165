"""Gradient descent as the long forecasts' repository has it (cure-lab/LTSF-Linear): Adam at a rate that halves."""

from functools import partial
from typing import Annotated

from pydantic import Field

from pipeline.metrics import Loss
from pipeline.training import keras_models, trainer
from pipeline.training.job import Job, Trained
from pipeline.training.methods.gradient_descent import Learner, epoch_orders
from pipeline.training.program import Program

TRAINS = ("network",)


def train(
    job: Job,
    *,
    epochs: Annotated[int, Field(ge=1, le=1000)] = 10,
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 16,
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.0001,
    loss: Loss = "mse",
    patience: trainer.Patience = 3,
) -> Trained:
    """Train every replicate of a job; the program is compiled once for all of them.

    Args:
        job: its `build` makes a `keras.Model`.
        epochs: how many at most.
        batch_size: examples per step.
        learning_rate: of the first two epochs; each later one has half of the one before. The repository means to halve
            it after each, and counts from 0 where its formula counts from 1.
        loss: what is minimised.
        patience: as for `trainer.train`.

    Raises:
        DivergedError: the loss is not finite; names epoch and step.
    """
    train_rows = job.dataset.splits["train"]
    model = keras_models.seeded(job.build, job.seeds[0])
    measures = [loss] if job.dataset.metric == loss else [loss, job.dataset.metric]
    program = Program(model, train_rows, "adam", learning_rate, measures)
    rates = [learning_rate * 0.5 ** max(epoch - 1, 0) for epoch in range(epochs)]
    orders = partial(epoch_orders, len(train_rows), min(batch_size, len(train_rows)), "permutation", None)
    replicates = trainer.train(job, epochs, Learner(job, program, measures, rates, orders), patience)
    return Trained(
        replicates,
        model.count_params(),
        lambda numbers, path: keras_models.save_weights(model, numbers, path),
        keras_models.layers(model),
        loss,
    )
