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
from pipeline.training.job import Callback, Trained
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace

HOUSE = Workspace(Path(__file__).resolve().parents[1])


class Lesson:
    """A data set, generated or from a file that lies here, and what can be trained on it; `data` has its splits.

    Args:
        name: of the data set, a key of `datasets` in params.yaml.
        workspace: where params.yaml is.

    Raises:
        UsageError: there is no such data set.
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
        """Train an experiment, or one like it.

        Args:
            name: of the experiment.
            callbacks: told of every epoch.
            seeds: those of the replicates, or how many.
            model: options in place of those in params.yaml, such as {"units": 8}.
            training: the same for the training, such as epochs=20.

        Raises:
            UsageError: a name or an option is wrong; the text lists the valid ones.
        """
        section = self._params.experiment(name)
        asked = {"model": dict(model or {}), "training": training, "seeds": seeds}
        chosen = recipe(name, Experiment.model_validate(merged(section.model_dump(), asked)))
        return chosen.train(chosen.job(self._with_calendar if section.calendar else self.data, *callbacks))
