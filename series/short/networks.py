"""Networks that learn from all series at once, in NumPy.

A window is the last timesteps of a series up to a cutoff: two cycles, or four timesteps
if they are more. A network sees the window and forecasts all steps ahead, both less the
mean of the last cycle. If all values are above 0 their logarithms are taken, so that a
window of a large series looks like that of a small one; else values are divided by the
size of the series' errors (`Histories.scales`). The loss is the mean absolute error in
units of these sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.config.model_card import ModelCard
from pipeline.data.examples import Array
from series.models import numpy_adam
from series.models.numpy_networks import LAYERS, Network
from series.short.histories import Histories

SEEDS = 3
"""Networks that are trained side by side; the forecast is their mean."""

STEPS = 2500
"""Largest number of steps."""

EPOCHS = 15
"""Largest number of times that a network learns from each window."""

BATCH_SIZE = 256
"""The windows of a step."""

LEARNING_RATE = 0.003
"""The highest learning rate."""

FEWEST_WINDOWS = 500
"""Smallest number of windows to train on."""

LARGEST_SIZE = 10.0
"""How much a window counts at most, in means over all windows."""

FARTHEST = 5.0
"""Standard deviations from the mean at which inputs are clipped."""


@dataclass(frozen=True)
class Layout:
    """The kind and the widths of a network's hidden layers."""

    kind: Literal["Dense", "GRU"]
    sizes: list[int]


PARTS = ("flat", "mean", "std", "unit", "logarithms")
"""What a network learns: weights, scaling and unit of its inputs, and whether
logarithms are taken."""

NETWORKS = {"mlp": Layout("Dense", [256, 128]), "gru": Layout("GRU", [32])}

CARDS = {
    "mlp": ModelCard(kind="network", title="MLP(256, 128)"),
    "gru": ModelCard(kind="recurrent", title="GRU(32)"),
}


@dataclass(frozen=True)
class _Windows:
    """All windows of some series.

    Attributes:
        inputs: (windows, timesteps).
        targets: (windows, horizon), NaN after the last row of a series.
        sizes: (windows,) a unit of inputs and targets, in sizes of usual errors.
        last: (series,) the window of each series that ends at its last row.
    """

    inputs: Array
    targets: Array
    sizes: Array
    last: Array


def lookback(cycle: int) -> int:
    """Return the number of timesteps that a network sees."""
    return max(4, 2 * cycle)


def enough(histories: Histories) -> bool:
    """Return whether the series have windows enough to train a network."""
    rows = sum(len(values) for values in histories.series)
    return rows - len(histories.series) * lookback(histories.cycle) >= FEWEST_WINDOWS


def train(name: str, histories: Histories) -> dict[str, Array]:
    """Train a network and return its weights, scaling and unit by name."""
    logarithms = all((values > 0).all() for values in histories.series)
    windows = _windows(histories, logarithms=logarithms)
    level = _level(windows.inputs, histories.cycle)
    known = np.isfinite(windows.targets).any(axis=1)
    inputs = (windows.inputs - level)[known]
    targets = (windows.targets - level)[known]
    mean = inputs.mean(axis=0)
    std = inputs.std(axis=0) + numpy_adam.SMALLEST
    unit = np.nanstd(targets) or 1.0
    sizes = windows.sizes[known]
    sizes = np.minimum(sizes / sizes.mean(), LARGEST_SIZE)
    network = _network(name, histories)
    randoms = [np.random.default_rng(seed) for seed in range(SEEDS)]
    flat = np.concatenate([network.fresh(random) for random in randoms])
    epoch = max(1, len(inputs) // BATCH_SIZE)
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        numpy_adam.minimise(
            network,
            flat,
            _rows(name, (inputs - mean) / std),
            (targets / unit).astype(np.float32),
            randoms,
            np.sign,
            min(STEPS, EPOCHS * epoch),
            BATCH_SIZE,
            LEARNING_RATE,
            sizes.astype(np.float32),
        )
    return {
        "flat": flat,
        "mean": mean,
        "std": std,
        "unit": np.array(unit),
        "logarithms": np.array(logarithms),
    }


def learnt_of(name: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return what a network learnt from arrays that are called NAME.PART."""
    return {part: arrays[f"{name}.{part}"] for part in PARTS}


def forecast(name: str, learnt: dict[str, Array], histories: Histories) -> Array:
    """Return the forecasts (seeds, series, horizon) of a trained network."""
    logarithms = bool(learnt["logarithms"])
    windows = _windows(histories, logarithms=logarithms)
    inputs = windows.inputs[windows.last]
    level = _level(inputs, histories.cycle)
    rows = _rows(name, (inputs - level - learnt["mean"]) / learnt["std"])
    network = _network(name, histories)
    weights = network.views(learnt["flat"])
    repeated = np.repeat(rows[None], len(learnt["flat"]), axis=0)
    with threadpool_limits(1):
        outputs, _ = network.forward(weights, numpy_adam.batched(repeated))
    # (seeds, series, horizon)
    values = outputs.swapaxes(1, 2) * learnt["unit"] + level
    if logarithms:
        return np.asarray(np.exp(values))
    return np.asarray(values * histories.scales[:, None])


def _network(name: str, histories: Histories) -> Network:
    layout = NETWORKS[name]
    values = lookback(histories.cycle) if layout.kind == "Dense" else 1
    return LAYERS[layout.kind](values, layout.sizes, histories.horizon)


def _rows(name: str, inputs: Array) -> Array:
    """Standardised inputs (windows, timesteps) as a network takes them."""
    rows = np.clip(inputs, -FARTHEST, FARTHEST).astype(np.float32)
    return rows if NETWORKS[name].kind == "Dense" else rows[..., None]


def _level(inputs: Array, cycle: int) -> Array:
    """The mean (windows, 1) of the last cycle."""
    return np.asarray(inputs[:, -cycle:].mean(axis=1, keepdims=True))


def _windows(histories: Histories, *, logarithms: bool) -> _Windows:
    """Cut all windows. Where a series begins inside of a window, its first value stands
    for what was before.
    """
    timesteps = lookback(histories.cycle)
    fewest = histories.cycle + 2
    windows = []
    sizes = []
    for values, scale in zip(histories.series, histories.scales, strict=True):
        before = max(0, timesteps - len(values))
        units = values / scale
        size = np.ones(len(values))
        if logarithms:
            size = units
            units = np.log(np.maximum(values, np.finfo(float).tiny))
        after = np.full(histories.horizon, np.nan)
        padded = np.concatenate([np.repeat(units[:1], before), units, after])
        of_series = np.lib.stride_tricks.sliding_window_view(
            padded, timesteps + histories.horizon
        )
        # the first windows would hold the first value alone
        first = min(max(0, before + fewest - timesteps), len(of_series) - 1)
        windows.append(of_series[first:])
        sizes.append(size[-len(of_series[first:]) :])
    whole = np.concatenate(windows)
    return _Windows(
        inputs=whole[:, :timesteps],
        targets=whole[:, timesteps:],
        sizes=np.concatenate(sizes),
        last=np.cumsum([len(of_series) for of_series in windows]) - 1,
    )
