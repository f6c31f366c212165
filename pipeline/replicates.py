"""The loop over seeds and epochs: histories, the best epoch, checkpoints. What an epoch is, a method says."""

from dataclasses import asdict
from typing import Any, Protocol

from pipeline import run
from pipeline.run import Job, Replicate
from pipeline.windows import Array


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
        """Predictions with `weights`, "POINT_SPLIT" -> (n,)."""


def train(job: Job, epochs: int, learner: Learner) -> list[Replicate]:
    """Train every replicate; after a crash from the job's checkpoint on, with the same results.

    Args:
        job: its seeds, and who is told of what.
        epochs: of each replicate.
        learner: trains.

    Raises:
        DivergedError: a loss is not finite.
    """
    found = job.checkpoint.read() if job.checkpoint else None
    trained = [Replicate(**replicate) for replicate in found["trained"]] if found else []
    if found:
        job.on_resume({r.seed: r.history for r in trained} | {found["seed"]: found["history"]})
    for seed in job.seeds[len(trained) :]:
        history: list[dict[str, float]] = []
        best, kept = None, {}
        if found:
            history, best, kept = found["history"], found["best"], found["kept"]
            learner.begin(seed, len(history), found["state"])
            found = None
        else:
            learner.begin(seed)
        for epoch in range(len(history) + 1, epochs + 1):
            line = learner.epoch(epoch)
            history.append(line)
            best = run.best(history, job.dataset.metric, best)
            if best == epoch:
                kept = {"best": learner.weights()}
            job.on_epoch(seed, epoch, line)
            if job.checkpoint:
                job.checkpoint.write(
                    lambda: {
                        "trained": [asdict(replicate) for replicate in trained],
                        "seed": seed,  # noqa: B023 - called at once
                        "history": history,  # noqa: B023
                        "best": best,  # noqa: B023
                        "kept": kept,  # noqa: B023
                        "state": learner.state(),
                    }
                )
        weights = {"final": learner.weights()} | kept
        predictions = {
            name: values
            for point, numbers in weights.items()
            for name, values in learner.predictions(point, numbers).items()
        }
        trained.append(Replicate(seed, history, best, predictions, weights))
    return trained
