"""Models of series that repeat by the day, the week or the year.

Their features are lags of these cycles. A cycle is a number of timesteps. The last
`known` columns before the calendar's are known beforehand. The preparation `series`
puts their values of `problem.outputs` timesteps later into each row. So a window's last
rows have the values that belong to its targets.
"""

from typing import Literal

import numpy as np

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.models import Count, Cycles, Last, Positive
from pipeline.models.baselines import (
    Baseline,
    Direct,
    back_to_cycle,
    last_title,
    measured_and_calendar,
    regression_title,
)

HARMONICS = (1, 2, 3, 6, 7, 8, 13, 14, 15, 21)
"""Harmonics of the week: its own, and those around the day's."""

LEAST = 0.2
"""What is added to each base, in standard deviations."""

REPEATS = 7
"""The most repetitions of a cycle that a model looks back."""


def linear(
    problem: Problem,
    *,
    last: Last = None,
    others: Count = 6,
    known: Count = 0,
    season: bool = True,
) -> Baseline:
    """A weighted sum of past and calendar, for `least_squares`.

    It takes the target's past, a little of the other columns' past, and the columns
    that are known beforehand. A calendar adds harmonics of the day and the week at the
    last timestep, and their products with the season.

    Args:
        problem: of a series.
        last: timesteps of the target; None for all.
        others: past timesteps of the other columns and of the columns that are known
            beforehand.
        known: how many columns are known beforehand.
        season: whether the model sees the time of the year.
    """
    timesteps = problem.input_shape[0]
    last = min(last or timesteps, timesteps)
    others = min(others, timesteps)

    def features(inputs: Array) -> Array:
        target, rest, beforehand = _columns(problem, inputs, known)
        rest = rest[:, rest.shape[1] - others :]
        beforehand = beforehand[:, -problem.outputs - others :]
        count = len(inputs)
        columns = [
            target[:, -last:],
            rest.reshape(count, -1),
            beforehand.reshape(count, -1),
            *_harmonics(problem, inputs, season),
        ]
        return np.concatenate(columns, axis=1)

    return Baseline(features, intercept=True)


def _columns(problem: Problem, inputs: Array, known: int) -> tuple[Array, Array, Array]:
    """The target (n, timesteps), the others, and the columns known beforehand.

    The second and the third are (n, timesteps, columns).
    """
    measured = inputs.shape[2] - problem.calendar
    others = [column for column in range(measured - known) if column != problem.target]
    return (
        inputs[:, :, problem.target],
        inputs[:, :, others],
        inputs[:, :, measured - known : measured],
    )


def _harmonics(problem: Problem, inputs: Array, season: bool) -> list[Array]:
    """The calendar of the last timestep, in arrays (n, columns).

    A calendar with weekdays gives harmonics of the week instead of the day's hour.
    """
    if not problem.calendar:
        return []
    _, now = measured_and_calendar(problem, inputs)
    daily = now[:, :2]
    year = now[:, 2:4]
    if now.shape[1] > 4:
        week = now[:, 5] + 1j * now[:, 4]  # a point on the unit circle
        powers = np.stack([week**power for power in HARMONICS], axis=1)
        daily = np.concatenate([powers.real, powers.imag], axis=1)
    if not season:
        return [daily]
    products = daily[:, :, None] * year[:, None]
    return [daily, year, products.reshape(len(now), -1)]


def boosting(
    problem: Problem,
    *,
    cycles: Cycles,
    known: Count = 0,
    own: bool = False,
    base: Literal["mean", "cycle", "zero"] = "mean",
    multiples: bool = False,
    recent: Positive = 6,
    season: bool = True,
) -> Direct:
    """The features of each value ahead, for the trees of `boosting`.

    Features of a value ahead are:

    - how far ahead it is, with its hour, weekday and season;
    - the target one, two and more cycles before, and means of these values;
    - the target's last values, means of them, and their change since a cycle before;
    - of each other column the last value, the mean of the last cycle and the value a
      cycle before;
    - the values of the columns that are known beforehand.

    Args:
        problem: of a series.
        cycles: lengths of cycles in timesteps, the shortest first.
        known: how many columns are known beforehand.
        own: whether the features of the other columns are left out.
        base: trees predict the difference from the mean of the last cycle (`mean`), the
            difference from the value a cycle before (`cycle`), or the value itself
            (`zero`). With `cycle` they see the target's past as such differences.
        multiples: whether the trees see the target's past as multiples of its `level`.
        recent: how many of the target's last values are features.
        season: whether the trees see the time of the year.
    """
    timesteps = problem.input_shape[0]
    shortest = min(cycles[0] if cycles else 1, timesteps - 1)
    if base == "cycle":
        timesteps -= shortest  # so many differences are left
    cycles = [cycle for cycle in cycles if cycle + problem.horizon <= timesteps]
    first = cycles[0] if cycles else min(7, timesteps)
    lengths = {max(2, first // 8), first, 2 * first, *cycles[1:]}
    if 2 * first > timesteps:  # there is no second cycle to compare with
        lengths.add(first // 2)
    spans = sorted({min(length, timesteps) for length in lengths})
    outputs = problem.outputs
    ahead = problem.horizon + np.arange(outputs)  # timesteps to each value

    def features(inputs: Array) -> tuple[Array, Array]:
        target, rest, beforehand = _columns(problem, inputs, known)
        shape = (len(inputs), outputs)

        def repeated(values: Array) -> Array:
            return np.broadcast_to(values[:, None], shape)

        columns = [np.broadcast_to(ahead, shape)]
        columns += _moments(problem, inputs, ahead, season)
        if base == "cycle":
            corrected = _repeats(problem, target, shortest)[:, :, 0]
            target = target[:, shortest:] - target[:, :-shortest]
        elif base == "mean":
            corrected = np.array(repeated(target[:, -first:].mean(axis=1)))
        else:
            corrected = np.zeros(shape, target.dtype)
        if multiples:
            target = target / level(corrected[:, :1])
        for cycle in cycles:
            same = _repeats(problem, target, cycle)  # (n, outputs, cycles before)
            columns += [*np.moveaxis(same, 2, 0), same.mean(axis=2)]
            columns += [same[:, :, :3].mean(axis=2), np.median(same, axis=2)]
        for back in range(min(recent, timesteps)):
            columns.append(repeated(target[:, -1 - back]))
        columns += [repeated(target[:, -span:].mean(axis=1)) for span in spans]
        if cycles:
            few = spans[0]
            now = target[:, -few:].mean(axis=1)
            before = target[:, -few - first : -first].mean(axis=1)
            columns.append(repeated(target[:, -1] - target[:, -1 - first]))
            columns.append(repeated(now - before))
        for column in [] if own else np.moveaxis(rest, 2, 0):
            columns.append(repeated(column[:, -1]))
            columns.append(repeated(column[:, -first:].mean(axis=1)))
            if cycles:
                columns.append(_repeats(problem, column, first)[:, :, 0])
        if beforehand.shape[1] >= outputs:
            columns += [*np.moveaxis(beforehand[:, -outputs:], 2, 0)]
        seen = np.stack(columns, axis=2, dtype=np.float32, casting="same_kind")
        return seen, corrected

    return Direct(features)


def level(base: Array) -> Array:
    """What demand is a multiple of: a base (n, ...), and a little more, since it may be 0."""
    return np.asarray(LEAST + np.maximum(base, 0))  # returns lie below 0


def _repeats(problem: Problem, values: Array, cycle: int) -> Array:
    """Values one, two and more cycles before each value ahead: (n, outputs, cycles).

    `values` is (n, timesteps).
    """
    # (outputs,) the latest timestep of the input that is whole cycles before
    latest = values.shape[1] - 1 - back_to_cycle(problem, cycle)
    count = max(1, min(REPEATS, 1 + int(latest.min()) // cycle))
    return values[:, latest[:, None] - cycle * np.arange(count)]


def _moments(
    problem: Problem, inputs: Array, ahead: Array, season: bool
) -> list[Array]:
    """Hour, season and weekday of each time ahead, in arrays (n, ahead).

    Without a calendar the list is empty.
    """
    if not problem.calendar:
        return []
    now = measured_and_calendar(problem, inputs)[1].astype(np.float64)
    turn = np.zeros(len(ahead))
    week_turn = 2 * np.pi * ahead / 7
    if problem.period:
        turn = 2 * np.pi * ahead / problem.period
        week_turn = turn / 7
    day = np.mod(np.arctan2(now[:, :1], now[:, 1:2]) + turn, 2 * np.pi)
    moments: list[Array] = [np.round(day, 3)]
    if season:
        moments += [np.broadcast_to(now[:, [column]], day.shape) for column in (2, 3)]
    if now.shape[1] > 4:
        week = np.arctan2(now[:, 4:5], now[:, 5:6]) + week_turn + 1e-4
        week = np.mod(week, 2 * np.pi)
        moments += [np.round(week, 3), np.floor(7 * week / (2 * np.pi))]
    return moments


def boosting_title(model: Options, _training: Options) -> str:
    """Return the title, with what the trees see of the past of the target alone."""
    if not model.get("own"):
        return "boosting"
    by_cycle = model.get("base") == "cycle"
    seen = "the target's differences" if by_cycle else "the target's last values"
    return f"boosting of {seen}"


MODELS = {"linear": linear, "boosting": boosting}

CARDS = {
    "linear": ModelCard(
        kind="statistical",
        gives="features",
        title=regression_title,
        detail=last_title,
    ),
    "boosting": ModelCard(
        kind="statistical", gives="features ahead", title=boosting_title
    ),
}
