"""The documents' questions on every sixth row of the official file at Jena: real rows,
from a mirror."""

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import params
from pipeline.data.sources import jena
from pipeline.data.timestamps import shown
from tests.support import REPOSITORY

MIRROR = Path(os.environ.get("UNROLL_MIRROR", "")) / "jena"
EVERY = 6
"""Official rows from one row of the file to the next."""

pytestmark = pytest.mark.skipif(
    not (MIRROR / jena.PARTS["hourly"][0]).is_file(),
    reason="every sixth row of the official file is in no mirror (UNROLL_MIRROR)",
)


@pytest.fixture(scope="module")
def prepared():
    """A data set of params.yaml, made of the mirror's rows."""
    config = params.load(REPOSITORY / "params.yaml")
    made = {}

    def prepared(name):
        if name not in made:
            made[name] = config.preparer(name)(name, MIRROR)
        return made[name]

    return prepared


def last_value(dataset, split):
    """The mean absolute error of the last temperature, in °C."""
    windows = dataset.splits[split]
    column = windows.series[:, windows.target].astype(float)
    last = column[windows.rows - windows.step]
    return np.abs(last - windows.targets).mean() * dataset.scale.std


def official_rows(dataset, split):
    """The official rows of the first input of the first window, of the first input of
    the last window, and of the target of the last window."""
    windows = dataset.splits[split]
    first = windows.rows[[0, -1]] - windows.lookback
    target = windows.rows[-1] + windows.delay
    return [EVERY * int(row) for row in (*first, target)]


def test_the_last_value_has_the_errors_that_document_006_publishes(prepared):
    dataset = prepared("jena_hourly_chapter")
    assert round(last_value(dataset, "validation"), 2) == 2.44
    assert round(last_value(dataset, "test"), 2) == 2.62


def test_the_last_value_has_the_error_that_documents_001_to_004_publish(prepared):
    dataset = prepared("jena_hourly")
    assert round(last_value(dataset, "validation") / dataset.scale.std, 2) == 0.29


BLOCKS = {
    # From 210,225 rows, 105,112 and 105,114, Keras' function cuts 209,511 windows,
    # 104,398 and 103,542. The target lies 144 rows after the last of 120 inputs.
    "jena_hourly_chapter": (
        {
            "train": (range(0, 209_511, EVERY), [0, 209_508, 209_508 + 858]),
            "validation": (
                range(210_228, 314_623, EVERY),
                [210_228, 314_622, 314_622 + 858],
            ),
            "test": (
                range(315_342, 418_879, EVERY),
                [315_342, 418_878, 418_878 + 858],
            ),
        },
        120,
        {"horizon in hours": 24},
    ),
    # The generator draws rows of 1,440 to 199,999, and scores 769 batches from row
    # 201,441 and 929 from row 301,441. The target of row r is row r + 144, its last
    # input row r - 6.
    "jena_hourly": (
        {
            "train": (range(1_440, 200_000, EVERY), [0, 198_558, 199_998 + 144]),
            "validation": (
                range(201_444, 201_441 + 769 * 128, EVERY),
                [200_004, 298_428, 299_868 + 144],
            ),
            "test": (
                range(301_446, 301_441 + 929 * 128, EVERY),
                [300_006, 418_908, 420_348 + 144],
            ),
        },
        240,
        {"horizon in hours": 25, "validation batches": 769},
    ),
}
"""Data set -> of each split the official rows at which its windows are cut, and some of
those that they hold; the inputs of a window; and facts."""


@pytest.mark.parametrize(("name", "blocks"), BLOCKS.items(), ids=BLOCKS)
def test_windows_are_a_sixth_of_those_of_the_official_rows(prepared, name, blocks):
    splits, lookback, facts = blocks
    dataset = prepared(name)
    for split, (cut, rows) in splits.items():
        assert len(dataset.splits[split]) == len(cut)
        assert official_rows(dataset, split) == rows
    assert dataset.splits["test"].input_shape == (lookback, 14 + dataset.calendar)
    assert facts.items() <= dataset.facts.items()


def test_a_sixth_of_the_rows_has_the_official_mean_and_deviation(prepared):
    """Those of all official rows before 200,000 are known to three decimals."""
    scale = prepared("jena_hourly").scale
    assert scale.mean == pytest.approx(9.077, abs=0.001)
    assert scale.std == pytest.approx(8.853, abs=0.001)


def test_the_exact_blocks_begin_at_the_documents_rows(prepared):
    """Without 24 repeated rows the numbers in params.yaml are smaller."""
    dataset = prepared("jena_hourly_exact")
    facts = dataset.facts
    stamps = prepared("jena_hourly").stamps
    assert facts["validation from"] == shown(stamps[200_004 // EVERY])
    assert facts["test from"] == shown(stamps[300_000 // EVERY])
    assert facts["horizon in hours"] == 24
    assert facts["sentinels"] == 7
    assert [len(windows) for windows in dataset.splits.values()] == [
        32_784,
        15_554,
        19_303,
    ]
