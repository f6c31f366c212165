"""The errors of the opponents' models, beside those of the models that our searches found."""

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from bench.opponents import imdb, jena_hourly_exact, shapes_seq2vec
from pipeline.config import params
from pipeline.data import dataset
from pipeline.evaluation import schema, verdicts
from pipeline.evaluation.schema import Split
from pipeline.evaluation.verdicts import Networks
from pipeline.files import read_npz
from pipeline.metrics import score
from pipeline.workspace import Workspace
from unroll import terminal

Array = npt.NDArray[Any]
Train = Callable[[dict[str, Array], int], dict[str, Array]]

QUESTIONS: Mapping[str, Mapping[str, Train]] = {
    "shapes_seq2vec": shapes_seq2vec.SIDES,
    "jena_hourly_exact": jena_hourly_exact.SIDES,
    "imdb": imdb.SIDES,
}
"""Data set -> side ("with recurrence", "without") -> what trains that side's model."""

SEEDS = (0, 1, 2)

SPLITS: tuple[Split, ...] = ("validation", "test")

HEADINGS = [
    "Data set",
    "Side",
    "Ours",
    "Ours, validation",
    "Theirs, validation",
    "Ours, test",
    "Theirs, test",
    "CPU seconds, three seeds",
]


def show(workspace: Workspace) -> None:
    """Train the opponents' models, and print their errors beside ours, a row for a side.

    Ours is the mean over the searches of the side's best model, theirs the mean over
    seeds, both in the data set's measure.

    Raises:
        UnrollError: a data set is not prepared here, or not evaluated.
    """
    config = params.load(workspace.params)
    print("This takes about half an hour of CPU.", file=sys.stderr, flush=True)
    rows = []
    for name, sides in QUESTIONS.items():
        folder = workspace.prepared(name)
        examples = dataset.load(folder)
        arrays = read_npz(folder / "arrays.npz")
        arrays.pop("test_targets", None)
        evaluation = schema.load_built(workspace, config, name)
        answer = verdicts.answer(evaluation, Networks.TUNED)
        metric = evaluation.dataset.metric
        for (side, train), own in zip(sides.items(), answer.compared, strict=True):
            start = time.process_time()
            forecasts = [train(arrays, seed) for seed in SEEDS]
            seconds = time.process_time() - start
            row = [name, side, own]
            for split in SPLITS:
                targets = examples.splits[split].targets
                errors = [score(metric, each[split], targets) for each in forecasts]
                ours = evaluation.mean_score(split, own, metric)
                row += [f"{value:.4g}" for value in (ours, statistics.fmean(errors))]
            rows.append([*row, f"{seconds:,.0f}"])
            print(", ".join(rows[-1]), file=sys.stderr, flush=True)
    terminal.show_table(HEADINGS, rows, numeric=HEADINGS[3:])
