"""Document 003's assignment, in the form that its specification asks for: N, D or R."""

from collections.abc import Mapping
from typing import Any

from pipeline.config import params
from pipeline.metrics import score
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.lessons import Lesson

PARTS = {"N": "waves_last_value", "D": "waves_perceptron", "R": "waves_node"}
"""The letter of the assignment -> the experiment that answers it."""


def lab(workspace: Workspace, part: str, *, epochs: int = 10, rate: float | None = None, seed: int = 0) -> None:
    """Generate the waves of params.yaml, train, and print the test set's mean squared error after every epoch.

    `part` is a letter of `PARTS`, small ones too; `rate` None is that of params.yaml; `seed` is of the first weights.

    Raises:
        UsageError: another letter, or the experiment behind it was removed from params.yaml.
    """
    name = PARTS[one_of(part.upper(), PARTS, "the part")]
    lesson = Lesson(params.load(workspace.params).experiment(name).dataset, workspace)
    splits = lesson.data.splits
    print(f"{len(splits['train']):,} series to train on, {len(splits['test']):,} to test on")
    if part.upper() == "N":
        predictions = lesson.train(name).replicates[0].predictions["final_test"]
        print(f"last value: test MSE {score('mse', predictions, splits['test'].targets):.6f}")
        return
    training: dict[str, Any] = {"epochs": epochs} | ({} if rate is None else {"learning_rate": rate})
    lesson.train(name, _Said(), seeds=[seed], **training)


class _Said:
    """Says the test set's error after every epoch (`pipeline.training.job.Callback`)."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Nothing is ever resumed here."""

    def epoch(self, _seed: int, epoch: int, values: Mapping[str, float]) -> None:
        print(f"epoch {epoch}: test MSE {values['test_mse']:.6f}")
