"""Models of series that repeat by the day, the week or the year: what they see are lags
of these cycles.

A cycle is a number of timesteps. The last `known` columns before the calendar's are
known beforehand: each row has their values of `problem.outputs` timesteps later (the
preparation `series`), so a window's last rows have those of its targets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array, ceil_div
from pipeline.data.problem import Problem
from pipeline.models import Last
from pipeline.models.baselines import Baseline

Cycles = Annotated[list[Annotated[int, Field(ge=2)]], Field(max_length=4)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]

HARMONICS = (1, 2, 3, 6, 7, 8, 13, 14, 15, 21)
"""Of the week: its own, and those around the day's."""

REPEATS = 7
"""How many cycles are looked back."""


@dataclass(frozen=True)
class Direct:
    """A model that predicts each value ahead from features of its own.

    Attributes:
        features: inputs (n, timesteps, columns) -> (n, outputs, features) float32, and
            a base (n, outputs) that trees correct, since they predict nothing beyond
            the values that they were trained on. Given predictions of the first values
            ahead (n, predicted), those of the next one alone: (n, 1, features) and (n,
            1).
        outputs: values ahead.
    """

    features: Callable[..., tuple[Array, Array]]
    outputs: int


def linear(
    problem: Problem,
    *,
    last: Last = None,
    others: Count = 6,
    known: Count = 0,
    season: bool = True,
) -> Baseline:
    """A weighted sum, for `least_squares`: the target's past, a little of the others',
    what is known beforehand.

    With the calendar of the last timestep: harmonics of the day and the week, and their
    products with the season.

    Args:
        problem: of a series.
        last: timesteps of the target; None for all.
        others: timesteps of the other columns, and as many past ones of those that are
            known beforehand.
        known: columns that are known beforehand.
        season: whether it sees the time of the year.
    """
    timesteps = problem.input_shape[0]
    last = min(last or timesteps, timesteps)
    others = min(others, timesteps)

    def features(inputs: Array) -> Array:
        target, rest, beforehand = _columns(problem, inputs, known)
        columns = [
            target[:, -last:],
            rest[:, rest.shape[1] - others :].reshape(len(inputs), -1),
        ]
        columns += [beforehand[:, -problem.outputs - others :].reshape(len(inputs), -1)]
        return np.concatenate([*columns, *_harmonics(problem, inputs, season)], axis=1)

    return Baseline(features, intercept=True)


def _columns(problem: Problem, inputs: Array, known: int) -> tuple[Array, Array, Array]:
    """The target (n, timesteps), and (n, timesteps, columns) the others and those that
    are known beforehand.
    """
    measured = inputs.shape[2] - problem.calendar
    others = [column for column in range(measured - known) if column != problem.target]
    return (
        inputs[:, :, problem.target],
        inputs[:, :, others],
        inputs[:, :, measured - known : measured],
    )


def _harmonics(problem: Problem, inputs: Array, season: bool) -> list[Array]:
    """The calendar of the last timestep, (n, ...) each; of one with a week its
    harmonics, too.
    """
    if not problem.calendar:
        return []
    now = inputs[:, -1, inputs.shape[2] - problem.calendar :]
    year = now[:, 2:4]
    if now.shape[1] > 4:
        turn = now[:, 5] + 1j * now[:, 4]
        powers = np.stack([turn**power for power in HARMONICS], axis=1)
        daily = np.concatenate([powers.real, powers.imag], axis=1)
    else:
        daily = now[:, :2]
    if not season:
        return [daily]
    return [daily, year, (daily[:, :, None] * year[:, None]).reshape(len(now), -1)]


def boosting(
    problem: Problem,
    *,
    cycles: Cycles,
    known: Count = 0,
    own: bool = False,
    base: Literal["mean", "cycle", "zero"] = "mean",
    recent: Positive = 6,
    season: bool = True,
) -> Direct:
    """What trees see of each value ahead, for `boosting`.

    How far ahead it is; the hour, the weekday and the season then; the target 1, 2, 3
    and more cycles before, and their means; its last values, their means and how they
    differ from those a cycle before; of the other columns the last value, the mean of
    the last cycle and the value a cycle before; and what is known beforehand.

    Args:
        problem: of a series.
        cycles: of the series, the shortest first.
        known: columns that are known beforehand.
        own: whether it sees the target's past alone, and what is known beforehand.
        base: trees predict the difference from the mean of the last cycle, that from
            the value a cycle before (then they see the target's past as such
            differences, too), or the value itself.
        recent: how many of the target's last values it sees.
        season: whether it sees the time of the year.
    """
    timesteps = problem.input_shape[0]
    outputs = problem.outputs
    shortest = min(cycles[0] if cycles else 1, timesteps - 1)
    timesteps -= shortest * (base == "cycle")
    cycles = [cycle for cycle in cycles if cycle + problem.horizon <= timesteps]
    first = cycles[0] if cycles else min(7, timesteps)
    spans = sorted(
        {
            min(span, timesteps)
            for span in (max(2, first // 8), first, 2 * first, *cycles[1:])
        }
    )

    def features(inputs: Array, predicted: Array | None = None) -> tuple[Array, Array]:
        target, rest, beforehand = _columns(problem, inputs, known)
        steps = np.arange(outputs)
        if predicted is not None:
            target = np.concatenate(
                [target[:, predicted.shape[1] :], predicted], axis=1, dtype=target.dtype
            )
            steps = steps[[predicted.shape[1]]]
        times = problem.horizon + steps
        count = len(inputs)
        ahead = times if predicted is None else times - predicted.shape[1]

        def repeated(values: Array) -> Array:
            return np.broadcast_to(values[:, None], (count, len(ahead)))

        columns = [
            np.broadcast_to(ahead, (count, len(ahead))),
            *_moments(problem, inputs, times, season),
        ]
        if base == "cycle":
            corrected = _repeats(target, ahead, shortest)[:, :, 0]
            target = target[:, shortest:] - target[:, :-shortest]
        else:
            corrected = np.array(
                repeated(target[:, -first:].mean(axis=1) * (base == "mean"))
            )
        for cycle in cycles:
            same = _repeats(target, ahead, cycle)
            columns += [
                *np.moveaxis(same, 2, 0),
                same.mean(axis=2),
                same[:, :, :3].mean(axis=2),
            ]
            columns += [np.median(same, axis=2)]
        columns += [
            repeated(target[:, -1 - back]) for back in range(min(recent, timesteps))
        ]
        columns += [repeated(target[:, -span:].mean(axis=1)) for span in spans]
        if cycles:
            few = spans[0]
            columns.append(repeated(target[:, -1] - target[:, -1 - first]))
            columns.append(
                repeated(
                    target[:, -few:].mean(axis=1)
                    - target[:, -few - first : -first].mean(axis=1)
                )
            )
        for column in () if own else np.moveaxis(rest, 2, 0):
            columns += [
                repeated(column[:, -1]),
                repeated(column[:, -first:].mean(axis=1)),
            ]
            columns += [_repeats(column, ahead, first)[:, :, 0]] if cycles else []
        if beforehand.shape[1] >= outputs:
            columns += [
                column[:, -outputs:][:, steps]
                for column in np.moveaxis(beforehand, 2, 0)
            ]
        return np.stack(
            columns, axis=2, dtype=np.float32, casting="same_kind"
        ), corrected

    return Direct(features, outputs)


def _repeats(values: Array, ahead: Array, cycle: int) -> Array:
    """Values (n, timesteps) one, two, ... cycles before each of the times ahead: (n,
    ahead, how many).
    """
    last = values.shape[1] - 1
    # at the last input or before it
    latest = last + ahead - ceil_div(ahead, cycle) * cycle
    count = max(1, min(REPEATS, 1 + int(latest.min()) // cycle))
    return values[:, latest[:, None] - cycle * np.arange(count)]


def _moments(
    problem: Problem, inputs: Array, ahead: Array, season: bool
) -> list[Array]:
    """Hour, season and weekday of each time ahead, (n, ahead) each; none without a
    calendar.
    """
    if not problem.calendar:
        return []
    now = inputs[:, -1, inputs.shape[2] - problem.calendar :].astype(np.float64)
    turn = (
        2 * np.pi * ahead / problem.period if problem.period else np.zeros(len(ahead))
    )
    day = np.mod(np.arctan2(now[:, :1], now[:, 1:2]) + turn, 2 * np.pi)
    moments: list[Array] = [np.round(day, 3)]
    moments += [
        np.broadcast_to(now[:, [column]], day.shape) for column in (2, 3) if season
    ]
    if now.shape[1] > 4:
        days = turn / 7 if problem.period else 2 * np.pi * ahead / 7
        week = np.mod(np.arctan2(now[:, 4:5], now[:, 5:6]) + days + 1e-4, 2 * np.pi)
        moments += [np.round(week, 3), np.floor(7 * week / (2 * np.pi))]
    return moments


MODELS = {"linear": linear, "boosting": boosting}

KINDS = {"linear": "features", "boosting": "features ahead"}
"""What `features` gives, and so which training methods can take a model."""
