"""The loop over seeds and epochs: histories, the best epoch, checkpoints. What an epoch does is up to the method."""

from dataclasses import asdict
from typing import Annotated, Any, Protocol

from pydantic import Field

from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.metrics import MEASURES
from pipeline.training.job import Job, Replicate

Patience = Annotated[int | None, Field(ge=1, le=100_000)]
"""Epochs in a row without a better validation score after which a replicate ends; None: it never ends early."""


class Learner(Protocol):
    """A training method's own part: one replicate after the other."""

    def begin(self, seed: int, done: int = 0, state: list[Array] | None = None) -> None:
        """Start the replicate of `seed`, or go on with it after `done` epochs from what `state()` said then."""

    def epoch(self, number: int) -> dict[str, float]:
        """Train for one epoch, counted from 1; its line of the history. Raises DivergedError."""

    def state(self) -> list[Array]:
        """All that the following epochs depend on, but for what comes from the seed."""

    def weights(self) -> Any:
        """A copy of what predictions are made with; arrays, or lists and dicts of them."""

    def predictions(self, point: str, weights: Any) -> dict[str, Array]:
        """Predictions with `weights`, "POINT_SPLIT" -> (n,) or (n, values)."""


def train(job: Job, epochs: int, learner: Learner, patience: int | None = None) -> list[Replicate]:
    """Train every replicate; after a crash from the job's checkpoint on, with the same results.

    Args:
        job: its seeds, and who is told of what.
        epochs: of each replicate, at most.
        learner: trains.
        patience: see `Patience`. How long it was is what the history says; replicates may differ in it.

    Raises:
        DivergedError: a loss is not finite.
        UnrollError: `patience` without validation.
    """
    if patience and "validation" not in job.dataset.scored:
        raise UnrollError(f"{job.experiment}: patience needs a data set whose validation split is scored")
    resumed = job.checkpoint.read() if job.checkpoint else None
    trained = [Replicate(**replicate) for replicate in resumed["trained"]] if resumed else []
    if resumed:
        for callback in job.callbacks:
            callback.resumed({r.seed: r.history for r in trained} | {resumed["seed"]: resumed["history"]})
    for seed in job.seeds[len(trained) :]:
        start = resumed or {"seed": seed, "history": [], "best": None, "best_weights": {}, "state": None}
        trained.append(_replicate(job, epochs, learner, patience, trained, start))
        resumed = None
    return trained


def _replicate(
    job: Job, epochs: int, learner: Learner, patience: int | None, trained: list[Replicate], start: dict[str, Any]
) -> Replicate:
    """Train one replicate, from what a checkpoint says of it; `trained` are those before."""
    seed, history, best, best_weights = (start[name] for name in ("seed", "history", "best", "best_weights"))
    metric, score = job.dataset.metric, f"validation_{job.dataset.metric}"
    learner.begin(seed, len(history), start["state"])

    def state() -> dict[str, Any]:
        return {
            "trained": [asdict(replicate) for replicate in trained],
            "seed": seed,
            "history": history,
            "best": best,
            "best_weights": best_weights,
            "state": learner.state(),
        }

    for epoch in range(len(history) + 1, epochs + 1):
        if patience and best and epoch - best > patience:
            break
        line = learner.epoch(epoch)
        history.append(line)
        # Of equals the first.
        if score in line and (best is None or MEASURES[metric].better(line[score], history[best - 1][score])):
            best, best_weights = epoch, {"best": learner.weights()}
        for callback in job.callbacks:
            callback.epoch(seed, epoch, line)
        if job.checkpoint:
            # After the callbacks: a crash in between tells them of this epoch twice, and not never.
            job.checkpoint.write(state)
    weights = {"final": learner.weights()} | best_weights
    predictions = {
        name: values for point in weights for name, values in learner.predictions(point, weights[point]).items()
    }
    return Replicate(seed, history, best, predictions, weights)
