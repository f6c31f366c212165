"""Document 003's assignment, in the form that its specification asks for: N, D or R."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.config import params, registry
from pipeline.config.params import Params, Training
from pipeline.data.dataset import Dataset
from pipeline.data.sources import Context
from pipeline.metrics import score
from pipeline.training.recipe import recipe
from pipeline.validation import one_of
from pipeline.workspace import Workspace

PARTS = {"N": "waves_last_value", "D": "waves_perceptron", "R": "waves_node"}
"""The letter of the assignment -> the experiment that answers it."""


def lab(workspace: Workspace, part: str, *, epochs: int = 10, rate: float | None = None, seed: int = 0) -> None:
    """Generate the waves, train, and print the test set's mean squared error after every epoch.

    Args:
        workspace: params.yaml gives the waves, the models and the learning rates.
        part: N (naive: the last value), D (dense: a perceptron) or R (one recurrent node); small letters too.
        epochs: passes over the train set.
        rate: learning rate; None for that of params.yaml.
        seed: of the first weights. The data are always those of params.yaml.

    Raises:
        UsageError: another letter, or the experiment behind it was removed from params.yaml.
    """
    name = PARTS[one_of(part.upper(), PARTS, "the part")]
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    dataset = _waves(every, experiment.dataset)
    print(f"{len(dataset.splits['train']):,} series to train on, {len(dataset.splits['test']):,} to test on")
    if part.upper() == "N":
        chosen = recipe(name, experiment)
        predictions = chosen.train(chosen.job(dataset)).replicates[0].predictions["final_test"]
        print(f"last value: test MSE {score('mse', predictions, dataset.splits['test'].targets):.6f}")
        return
    options = experiment.training.model_dump() | {"epochs": epochs} | ({} if rate is None else {"learning_rate": rate})
    training = Training.model_validate(options)
    chosen = recipe(name, experiment.model_copy(update={"training": training, "seeds": [seed]}))
    chosen.train(chosen.job(dataset, _Said()))


class _Said:
    """Says the test set's error after every epoch (`pipeline.training.job.Callback`)."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Nothing is ever resumed here."""

    def epoch(self, _seed: int, epoch: int, values: Mapping[str, float]) -> None:
        print(f"epoch {epoch}: test MSE {values['test_mse']:.6f}")


def _waves(every: Params, name: str) -> Dataset:
    """The data set, made in a folder that is thrown away."""
    source = every.dataset(name).source
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        context = Context(source, folder, folder, None, lambda _file, _bytes, _total: None)
        registry.source(every, source)(folder, context)
        dataset: Dataset = registry.preparation(every, name)(name, folder)
    return dataset
