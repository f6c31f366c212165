"""What the notebooks use (docs/notebooks): a data set of params.yaml and trainings on it, in memory, nothing kept."""

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.config import params, registry
from pipeline.config.params import Experiment
from pipeline.config.templates import merged
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.sources import Context
from pipeline.training.job import Trained
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]


class Lesson:
    """A data set, generated or from a file that lies here, and what can be trained on it.

    Args:
        name: of the data set, a key of `datasets` in params.yaml.

    Raises:
        UsageError: there is no such data set.
    """

    def __init__(self, name: str) -> None:
        self._params = params.load(Workspace(ROOT).params)
        self._params.dataset(name)
        self._name = name
        self._calendars: dict[bool, Dataset] = {}

    @property
    def data(self) -> Dataset:
        """Its splits: inputs, targets and what they are."""
        return self._data(calendar=False)

    def train(self, name: str, *, seeds: int = 1, model: Mapping[str, Any] | None = None, **training: Any) -> Trained:
        """Train an experiment, or one like it.

        Args:
            name: of the experiment.
            seeds: how many replicates.
            model: options in place of those in params.yaml, such as {"units": 8}.
            training: the same for the training, such as epochs=20.

        Raises:
            UsageError: a name or an option is wrong; the text lists the valid ones.
        """
        section = self._params.experiment(name)
        asked = {"model": dict(model or {}), "training": training, "seeds": seeds}
        chosen = recipe(name, Experiment.model_validate(merged(section.model_dump(), asked)))
        return chosen.train(chosen.job(self._data(calendar=section.calendar)))

    def _data(self, *, calendar: bool) -> Dataset:
        if calendar not in self._calendars:
            self._calendars[calendar] = dataset.load(Path(self._prepared.name), calendar=calendar)
        return self._calendars[calendar]

    @cached_property
    def _prepared(self) -> "tempfile.TemporaryDirectory[str]":
        source = self._params.dataset(self._name).source
        folder = tempfile.TemporaryDirectory()
        with tempfile.TemporaryDirectory() as raw:
            context = Context(source, ROOT, Path(raw), None, lambda _file, _bytes, _total: None)
            registry.source(self._params, source)(Path(raw), context)
            made = registry.preparation(self._params, self._name)(self._name, Path(raw))
            dataset.save(made, Path(folder.name))
        return folder
