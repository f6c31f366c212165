"""Document 003's assignment: the last value, a perceptron and one recurrent node on two noisy sines."""

from collections.abc import Mapping
from typing import Any

from pipeline.metrics import score
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.project import Project

PARTS = {"N": "waves_last_value", "D": "waves_perceptron", "R": "waves_node"}
"""The letter of the assignment -> the experiment that answers it."""


def lab(workspace: Workspace, part: str, *, epochs: int = 10, rate: float | None = None, seed: int = 0) -> None:
    """Generate the waves, train, and print the mean squared error on test after every epoch.

    `part` is a letter of `PARTS`, small ones too; `rate` None is that of params.yaml; `seed` is of the first weights.

    Raises:
        UsageError: another letter, or the experiment behind it was removed from params.yaml.
    """
    experiment = PARTS[one_of(part.upper(), PARTS, "the part")]
    project = Project(workspace.root)
    splits = project.data(project.params.experiment(experiment).dataset).splits
    print(f"{len(splits['train']):,} series to train on, {len(splits['test']):,} to test on")
    if part.upper() == "N":
        predictions = project.train(experiment).replicates[0].predictions["final_test"]
        print(f"last value: test MSE {score('mse', predictions, splits['test'].targets):.6f}")
        return
    options: dict[str, Any] = {"epochs": epochs} | ({} if rate is None else {"learning_rate": rate})
    project.train(experiment, _PrintedErrors(), seeds=[seed], **options)


class _PrintedErrors:
    """Prints the test set's error after every epoch (`pipeline.training.job.Callback`)."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Nothing is ever resumed here."""

    def epoch(self, _seed: int, epoch: int, values: Mapping[str, float]) -> None:
        print(f"epoch {epoch}: test MSE {values['test_mse']:.6f}")
