"""Rows with gaps, repeated stamps and missing values, and a naive loop that cuts them."""

import datetime as dt
import math

import numpy as np
from hypothesis import strategies as st

START = dt.datetime(2020, 3, 1, tzinfo=dt.UTC)


def hour_and_season(seconds):
    """(rows, 4) the calendar of rows so many seconds after the start, one by one."""
    rows = []
    for second in seconds:
        stamp = START + dt.timedelta(seconds=int(second))
        day = (
            2
            * math.pi
            * (stamp.hour * 3600 + stamp.minute * 60 + stamp.second)
            / 86_400
        )
        year = 2 * math.pi * stamp.timestamp() / (365.2425 * 86_400)
        rows.append([math.sin(day), math.cos(day), math.sin(year), math.cos(year)])
    return np.array(rows)


def numbers(dataset, split):
    """The row numbers behind a split's inputs and targets, where every value of T is
    its row's number; -1 for no value.

    Returns (windows, timesteps) and (windows, ...), read from the values that a model
    would see.
    """
    windows = dataset.splits[split]
    inputs, targets = windows.take(np.arange(len(windows)))
    return (
        np.nan_to_num(
            np.rint(values.astype(float) * dataset.scale.std + dataset.scale.mean),
            nan=-1,
        ).astype(int)
        for values in (inputs[:, :, windows.target], targets)
    )


STEPS = st.integers(1, 4)

DELAYS = st.integers(1, 8)


@st.composite
def problems(draw, steps=STEPS, delays=DELAYS):
    """A series with gaps, repeated stamps and sentinels, and how to cut it."""
    length = draw(st.integers(40, 160))
    spaces = np.full(length, 600)
    spaces[draw(st.lists(st.integers(1, length - 1), max_size=4))] += draw(
        st.sampled_from([-1, 1, 600, 90_000])
    )
    step = draw(steps)
    part = [
        st.integers(12, length // 2)
        | st.integers(30, 60).map(lambda percent: percent / 100)
    ]
    part += [
        st.integers(8, length // 4 + 8)
        | st.integers(15, 30).map(lambda percent: percent / 100)
    ]
    indices = st.integers(0, length - 1)
    return {
        "seconds": np.cumsum(spaces),
        "again": draw(st.lists(indices, max_size=4)),
        "bad": sorted(draw(st.sets(indices, max_size=8))),
        "bad_targets": sorted(draw(st.sets(indices, max_size=4))),
        "order": np.random.default_rng(draw(st.integers(0, 99))).permutation(length),
        "blocks": {"train": draw(part[0]), "validation": draw(part[1])},
        "options": {
            "step": step,
            "lookback": step * draw(st.integers(1, 3)),
            "delay": draw(delays),
            "horizon": draw(st.integers(1, 3)),
            "spacing": 600,
            "sentinel": -9999.0,
        },
    }


def written(problem):
    """The rows as a file has them: the seconds, and the columns, of which each value is
    its row's number.

    Rows stand in any order; a stamp that comes again has other values, which must not
    be seen.
    """
    seconds = problem["seconds"]
    p = np.arange(len(seconds), dtype=float)
    target = np.arange(len(seconds), dtype=float)
    p[problem["bad"]], target[problem["bad_targets"]] = np.nan, -9999.0
    order = problem["order"]
    again = np.array(problem["again"], int)
    columns = {
        name: np.append(values[order], np.full(len(again), 5e6))
        for name, values in (("p", p), ("T", target))
    }
    return np.append(seconds[order], seconds[again]), columns


def naive(problem, blocks, *, overlap=False):
    """What is promised, one window at a time: split -> (the row numbers seen as inputs,
    the targets'). With `overlap` a window may begin in the block before, and one
    measured target is enough."""
    seconds = problem["seconds"]
    bad = problem["bad"]
    bad_targets = problem["bad_targets"]
    options = problem["options"]
    length = len(seconds)
    step = options["step"]
    sizes = blocks["train"], blocks.get("validation", 0)
    first, second = (
        size if size >= 1 else round(100 * size) * length // 100 for size in sizes
    )
    second += first
    # The first row from which every column has had a good value.
    start = max(min(set(range(length)) - set(column)) for column in (bad, bad_targets))

    def seen(row):
        return row if row not in bad_targets else seen(row - 1)

    def windows(low, high):
        for begin in range(start if overlap else low, high):
            inputs = range(begin, begin + options["lookback"], step)
            targets = [
                inputs[-1] + options["delay"] + later * step
                for later in range(options["horizon"])
            ]
            measured = [row for row in targets if row not in bad_targets]
            if (
                targets[0] < low
                or targets[-1] >= high
                or len(measured) < (1 if overlap else len(targets))
            ):
                continue
            if all(
                seconds[row + 1] - seconds[row] == 600
                for row in range(begin, targets[-1])
            ):
                yield (
                    [seen(row) for row in inputs],
                    [row if row in measured else -1 for row in targets],
                )

    parts = {
        "train": (start, first),
        "validation": (first, second),
        "test": (second, length),
    }
    return {split: list(windows(*block)) for split, block in parts.items()}
