"""How many times as fast as the fastest peer Unroll should be, and what the time of a row consists of that is not.

Data of the page alone: a goal that is missed ends nothing.
"""

from collections.abc import Mapping
from typing import Any

GOALS: dict[tuple[str, str], float] = {
    ("jena_lstm", "train"): 1.55,
    ("jena_lstm", "evaluate"): 1.2,
    ("jena_lstm_dropout", "train"): 1.6,
    ("jena_lstm_dropout", "evaluate"): 1.0,
    ("jena_gru", "train"): 1.85,
    ("jena_gru", "evaluate"): 1.4,
    ("jena_gru_dropout", "train"): 1.55,
    ("jena_gru_dropout", "evaluate"): 1.0,
    ("imdb_simple_rnn", "train"): 2.8,
    ("imdb_simple_rnn", "evaluate"): 1.9,
    ("imdb_lstm", "train"): 1.9,
    ("imdb_lstm", "evaluate"): 1.9,
    ("imdb_gru", "train"): 2.1,
    ("imdb_gru", "evaluate"): 1.9,
    ("sine_dense", "train"): 1.0,
    # One call into TensorFlow costs more than PyTorch needs for 96 points: no more than 1.2 times PyTorch's time.
    ("sine_dense", "evaluate"): 1 / 1.2,
    ("sine_windowed", "train"): 1.0,
    ("sine_windowed", "evaluate"): 1.0,
    ("waves_by_hand", "train"): 1.0,
    ("waves_by_hand", "evaluate"): 1.0,
    ("waves_by_hand_dense", "train"): 1.0,
    ("waves_by_hand_dense", "evaluate"): 1.0,
}
"""(workload, phase) -> the fastest peer's time over Unroll's, all with the same settings."""

BEFORE = 2.0
"""The goal on Jena and IMDB before: twice as fast as the fastest peer."""

Row = Mapping[str, Any]


def products(row: Row, peaks: Mapping[str, Any]) -> tuple[float, float]:
    """Milliseconds that the matrix products of a row of Unroll take at the measured peak, at least and at most.

    The two differ where texts are padded: the words alone, and every place. How much of the padding is computed is not
    known from outside.
    """
    most = row["flops"] / peaks["sgemm_peak_gflops"] / 1e6
    return most * row.get("filled", 1.0), most


def consists(key: tuple[str, str], row: Row, best: Row, peaks: Mapping[str, Any] | None) -> str:
    """A sentence on a row that is under its goal: the time that the goal leaves, and what is known of its own time."""
    own, left = row["ms_per_step"]["median"], best["ms_per_step"]["median"] / GOALS[key]
    text = f"{key[0]}, {key[1]}: a batch takes {own:.3g} ms, the goal leaves {left:.3g}."
    if not peaks or not row["flops"]:
        return f"{text} What its products take is not known."
    least, most = products(row, peaks)
    if f"{least:.3g}" == f"{most:.3g}":
        return f"{text} Products {most:.3g} ms ({most / own:.0%}), the rest {own - most:.3g} ms."
    return (
        f"{text} Products from {least:.3g} ms ({least / own:.0%}; words) to {most:.3g} ms ({most / own:.0%}; places)."
    )


def budget(
    groups: Mapping[tuple[str, str], tuple[Row, Row]], peaks: Mapping[str, Any]
) -> dict[str, tuple[float, float]]:
    """Phase -> the least and the greatest share of the time under the goal before that Jena's products take alone.

    Args:
        groups: (workload, phase) -> Unroll's row and the fastest peer's.
        peaks: of `roofline`.
    """
    found: dict[str, list[float]] = {}
    for (workload, phase), (row, best) in groups.items():
        if workload.startswith("jena"):
            share = products(row, peaks)[1] * BEFORE / best["ms_per_step"]["median"]
            found.setdefault(phase, []).append(share)
    return {phase: (min(shares), max(shares)) for phase, shares in found.items()}
