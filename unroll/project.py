"""Unroll in Python: a project's experiments, scores, answers, trainings and forecasts.

The commands `list`, `show`, `compare`, `claims` and `doctor` read a project by it, too.
They start without the libraries that only some methods need.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import params
from pipeline.config.params import Experiment, Params, merged, own_name
from pipeline.errors import UnrollError, UsageError
from pipeline.validation import one_of
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from pipeline.data.dataset import Dataset
    from pipeline.evaluation.schema import Evaluation
    from pipeline.evaluation.verdict_rule import Comparison
    from pipeline.evaluation.verdicts import Answer
    from pipeline.report.built_results import Results
    from pipeline.training.job import Callback, Trained

    Predictions = npt.ArrayLike | Trained | str
    """Predictions of the test examples: an array, a result of `train`, or the name of
    an experiment whose run lies on disk. An array is (seeds, n) or (seeds, n, values)
    in model units; for one seed it may be (n,) or (n, values).
    """

DEMO = ".demo"
"""The folder of the demo, a project with few of the experiments."""


class Project:
    """A folder with a params.yaml, and what was built in it. No method writes into the
    folder.

    Every method raises UsageError for a wrong name or option; the message lists the
    valid ones. It raises UnrollError if a file is missing or damaged; the message names
    the command that helps.
    """

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(folder.resolve())
        # TensorFlow takes its number of threads only before its first operation.
        if "tensorflow" in sys.modules:
            from pipeline.training import keras_models

            with suppress(UsageError):
                keras_models.start()

    @property
    def params(self) -> Params:
        """params.yaml, checked."""
        return params.load(self.workspace.params)

    @property
    def every(self) -> Params:
        """params.yaml and official.yaml as one, checked: all that has results."""
        return params.load_all(self.workspace.params)

    @property
    def results(self) -> "Results":
        """The results of all data sets that are built, as page and terminal show them."""
        from pipeline.report import built_results

        return built_results.load(self.workspace, self.every)

    def scores(self, dataset: str) -> "pd.DataFrame":
        """Return each experiment's measures on each split: the mean over seeds and its
        95 % interval.

        They use the weights that validation has chosen, if there is a validation split.
        Measures are in model units, `mae_unit` and `rmse_unit` in the data's unit.

        >>> scores = project.scores("waves").query("split == 'test' and measure == 'mse'")
        >>> scores.loc[scores["mean"].idxmin(), "experiment"]
        'waves/tuned_lstm_5'
        """
        import pandas as pd

        rows = []
        for name, entry in self._evaluation(dataset).experiments.items():
            for split, by_measure in entry.chosen.items():
                for measure, stat in by_measure.items():
                    low, high = stat.mean_ci or (None, None)
                    rows.append(
                        {
                            "experiment": f"{dataset}/{name}",
                            "recurrent": entry.recurrent,
                            "split": split,
                            "measure": measure,
                            "mean": stat.mean,
                            "low": low,
                            "high": high,
                            "seeds": len(stat.values),
                        }
                    )
        return pd.DataFrame(rows)

    def answer(self, dataset: str) -> "list[Answer]":
        """Answer whether a recurrent network helps: first for tuned networks, if there
        are any, then for untuned ones.

        >>> answer = project.answer("waves")[0]
        >>> answer.outcome, answer.network, answer.opponent
        (<Word.HELPS: 'helps'>, 'tuned_gru', 'tuned_filter')
        >>> round(answer.change, 2), round(answer.low, 2), round(answer.high, 2)
        (-0.12, -0.17, -0.06)
        """
        from pipeline.evaluation import verdicts

        return verdicts.answers(self._evaluation(dataset))

    def compare(self, experiment: str, other: str) -> "Comparison":
        """Compare two experiments of one data set on test, the first against the other,
        like `unroll compare`.

        >>> comparison = project.compare("waves/gru", "waves/tuned_kernel_ridge")
        >>> print(comparison)
        helps: -18 % error (-23 to -12 %)
        >>> comparison.outcome, round(comparison.change, 2)
        (<Word.HELPS: 'helps'>, -0.18)
        """
        from pipeline.evaluation import verdicts
        from pipeline.report.wording import Pair

        evaluation = verdicts.evaluation_of(
            self.workspace, self.every, experiment, other
        )
        pair = Pair(evaluation, experiment, other)
        if pair.comparison is None:
            raise UnrollError(
                f"{experiment} and {other} are not compared, because {pair.unknown}"
            )
        return pair.comparison

    def data(self, dataset: str, *, calendar: bool = False) -> "Dataset":
        """Return the examples of a data set.

        A data set that is not prepared yet is made in memory, from UNROLL_MIRROR or the
        web.

        >>> project.data("waves").splits["test"].inputs.shape
        (6000, 50, 1)
        """
        from pipeline.data import dataset as datasets
        from pipeline.data.fetch import Context

        every = self.params
        section = every.dataset(dataset)
        folder = self.workspace.prepared(dataset)
        if (folder / "dataset.json").is_file():
            return datasets.load(folder, calendar=calendar)
        mirror = os.environ.get("UNROLL_MIRROR") or None
        stand_in = every.sources[section.source].kind == "stand_in"
        with tempfile.TemporaryDirectory() as temporary:
            raw = Path(temporary) / "raw"
            raw.mkdir()
            context = Context(section.source, self.workspace.root, raw, mirror)
            every.producer(section.source)(raw, context)
            made = every.preparer(dataset)(dataset, raw)
            prepared = Path(temporary) / "prepared"
            datasets.save(made, prepared)
            return replace(
                datasets.load(prepared, calendar=calendar), stand_in=stand_in
            )

    def train(
        self,
        experiment: str,
        *callbacks: "Callback",
        data: "Dataset | None" = None,
        seeds: int | Sequence[int] = 1,
        model: Mapping[str, Any] | None = None,
        **training: Any,
    ) -> "Trained":
        """Train an experiment in memory, also with other options:
        `model={"units": 8}, epochs=20`.

        `callbacks` are told of every epoch. `data` replaces the data set. `seeds` are
        the seeds of the replicates, or their number.

        >>> trained = project.train("waves/node", epochs=2, seeds=2)
        >>> trained.parameters, len(trained.replicates)
        (3, 2)
        """
        from pipeline.data.dataset import shortened
        from pipeline.training.recipe import recipe

        section = self._experiment(experiment)
        options = {"model": dict(model or {}), "training": training, "seeds": seeds}
        chosen = recipe(
            own_name(experiment),
            Experiment.model_validate(merged(section.model_dump(), options)),
        )
        if data is None:
            whole = self.data(section.dataset, calendar=section.calendar)
            data = shortened(whole, section.share)
        return chosen.train(chosen.job(data, *callbacks))

    def predictions(self, experiment: str, split: str = "test") -> "npt.NDArray[Any]":
        """Return the predictions of a run on disk for a split, in model units.

        The array is (seeds, n) or (seeds, n, values).

        >>> project.predictions("waves/node").shape[1:] == project.data("waves").splits["test"].targets.shape
        True
        """
        from pipeline.training import run_folder

        section = self._experiment(experiment)
        folder = self.workspace.run(section.dataset, own_name(experiment))
        run = run_folder.load_for(folder, section.dataset, section.seeds)
        splits = [
            name.removeprefix("final_")
            for name in run.predictions
            if name.startswith("final_")
        ]
        one_of(split, splits, "the split")
        return run.predictions[f"{run.points[-1]}_{split}"]

    def judge(
        self,
        dataset: str,
        predictions: "Predictions",
        against: "Predictions | None" = None,
    ) -> "Comparison":
        """Compare predictions of any library by the rule that compares experiments.

        By default they are compared with the strongest model without recurrence, whose
        run has to be on disk.

        >>> inputs = project.data("waves").splits["test"].inputs[..., 0]
        >>> on_a_line = 2 * inputs[:, -1] - inputs[:, -2]
        >>> print(project.judge("waves", on_a_line, against=project.train("waves/last_value")))
        helps: -56 % error (-57 to -54 %)
        """
        from pipeline.evaluation import intervals, scores, verdict_rule, verdicts
        from pipeline.report.wording import REASONS

        data = self.data(dataset)
        if scores.few_blocks(data, "test") is not None:
            raise UnrollError(f"{dataset}: {REASONS[verdicts.FEW_WEEKS]}; add rows")
        if against is None:
            opponent = verdicts.strongest_opponent(self._evaluation(dataset))
            if opponent is None:
                raise UnrollError(
                    f"{dataset} has no model without recurrence to compare with; "
                    "pass `against`, an experiment or predictions"
                )
            against = f"{dataset}/{opponent}"
        losses = intervals.as_errors(data.metric, self._losses(data, predictions))
        others = intervals.as_errors(data.metric, self._losses(data, against))
        difference = intervals.difference(losses, others, scores.blocks(data, "test"))
        return verdict_rule.compare(
            difference, float(others.mean()), self.params.dataset(dataset).floor
        )

    def _experiment(self, name: str) -> Experiment:
        """Return an experiment of params.yaml by its full name."""
        config = self.params
        if self.workspace.root.name == DEMO and name not in config.runs:
            raise UsageError(
                f"{DEMO} holds few experiments, and {name} is not one of them; "
                'take the repository, whose folder lies above: unroll.open(".")'
            )
        return config.experiment(name)

    def _evaluation(self, dataset: str) -> "Evaluation":
        from pipeline.evaluation import schema

        every = self.every
        every.dataset(dataset)  # raises UsageError for an unknown name
        return schema.load_built(self.workspace, every, dataset)

    def _losses(
        self, data: "Dataset", predictions: "Predictions"
    ) -> "npt.NDArray[np.float64]":
        """Return the loss of each test example (seeds, n)."""
        import numpy as np

        from pipeline import metrics
        from pipeline.data.examples import compared
        from pipeline.training.job import Trained

        targets = compared(data.splits["test"])
        if isinstance(predictions, str):
            values = self.predictions(predictions)
        elif isinstance(predictions, Trained):
            of_seeds = [replicate.predictions for replicate in predictions.replicates]
            point = "best_test" if "best_test" in of_seeds[0] else "final_test"
            values = np.stack([of_seed[point] for of_seed in of_seeds])
        else:
            values = np.asarray(predictions)
        if targets is not None:
            if values.shape == targets.shape:
                values = values[None]
            if values.shape[1:] != targets.shape:
                expected = ", ".join(map(str, ["seeds", *targets.shape]))
                raise UsageError(
                    f"predictions of {data.name} must have shape ({expected}), in the "
                    f"order of the test examples. Received: {values.shape}"
                )
        if not np.isfinite(values).all():
            raise UsageError(
                f"predictions of {data.name} must be finite; some are NaN or infinite"
            )
        return metrics.losses(data.metric, values, targets)
