"""A data set of params.yaml and trainings on it, in memory, nothing kept: for docs/notebooks and `unroll lab`."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import params, registry
from pipeline.config.params import Experiment
from pipeline.config.templates import merged
from pipeline.data import dataset
from pipeline.data.sources import Context
from pipeline.metrics import score
from pipeline.training.job import Callback, Trained
from pipeline.training.recipe import recipe
from pipeline.validation import one_of
from pipeline.workspace import Workspace

HOUSE = Workspace(Path(__file__).resolve().parents[1])

PARTS = {"N": "waves_last_value", "D": "waves_perceptron", "R": "waves_node"}
"""The letter of the assignment -> the experiment that answers it."""


class Lesson:
    """A data set, generated or from a file that lies here, and what can be trained on it; `data` has its splits.

    Raises:
        UsageError: params.yaml has no such data set.
    """

    def __init__(self, name: str, workspace: Workspace = HOUSE) -> None:
        self._params = params.load(workspace.params)
        source = self._params.dataset(name).source
        with tempfile.TemporaryDirectory() as raw, tempfile.TemporaryDirectory() as prepared:
            context = Context(source, workspace.root, Path(raw), None, lambda _file, _bytes, _total: None)
            registry.source(self._params, source)(Path(raw), context)
            made = registry.preparation(self._params, name)(name, Path(raw))
            dataset.save(made, Path(prepared))
            self.data = dataset.load(Path(prepared))
            self._with_calendar = dataset.load(Path(prepared), calendar=bool(made.calendar))

    def train(
        self,
        name: str,
        *callbacks: Callback,
        seeds: int | Sequence[int] = 1,
        model: Mapping[str, Any] | None = None,
        **training: Any,
    ) -> Trained:
        """Train an experiment, or one with other options, such as model={"units": 8} and epochs=20.

        `callbacks` are told of every epoch; `seeds` are those of the replicates, or how many.

        Raises:
            UsageError: a name or an option is wrong; the text lists the valid ones.
        """
        section = self._params.experiment(name)
        asked = {"model": dict(model or {}), "training": training, "seeds": seeds}
        chosen = recipe(name, Experiment.model_validate(merged(section.model_dump(), asked)))
        return chosen.train(chosen.job(self._with_calendar if section.calendar else self.data, *callbacks))


def lab(workspace: Workspace, part: str, *, epochs: int = 10, rate: float | None = None, seed: int = 0) -> None:
    """Document 003's assignment: generate the waves, train, and print the mean squared error on test after every epoch.

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
