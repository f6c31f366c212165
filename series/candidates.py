"""The models that are tried on a series. (Interim: without networks, until the helper on candidates has them.)"""

from typing import Any

import numpy as np

from pipeline.config.params import Experiment
from series.question import Proposal
from series.reading.profile import FileProfile

YEARS = 2 * np.timedelta64(365, "D")
"""The rows below which models are not told the time of the year: they would learn single weeks by heart."""

RECENT = 24
"""The last values of the target that boosting of the target alone sees."""

JOINT = {"strategy": "joint", "trees": 200, "learning_rate": 0.08, "examples": 40, "rows": 100_000}
"""Options of one boosting of all steps ahead, from a subset of the values."""


def candidates(
    profile: FileProfile, proposal: Proposal, *, networks: bool = True, series: int = 1, origins: int = 182
) -> dict[str, Experiment]:
    """Return the models by name."""
    del networks, series, origins
    cycles = proposal.cycles
    history: dict[str, Any] = {"history": proposal.history} if proposal.history else {}
    known: dict[str, Any] = {}
    count = len(proposal.future) + bool(proposal.holidays)
    if count:
        known["known"] = count
    if profile.last - profile.first < YEARS:
        known["season"] = False
    own = {"cycles": cycles[:1], **known, "own": True, "recent": RECENT}
    models = {"last_value": _experiment("baselines", "last_value", {}, "none")}
    for cycle in cycles:
        if cycle <= proposal.lookback:
            models[f"cycle_{cycle}"] = _experiment("baselines", "seasonal_naive", {"timesteps": cycle}, "none")
    models["ridge"] = _experiment("seasonal", "linear", known, "least_squares", {"ridge": 100.0})
    models["boosting"] = _experiment("seasonal", "boosting", {"cycles": cycles[:1], **known}, "boosting", JOINT)
    slow = {**JOINT, "trees": 300, "learning_rate": 0.05}
    models["boosting_own"] = _experiment("seasonal", "boosting", {**own, "base": "zero"}, "boosting", slow)
    if cycles:
        quick = {**JOINT, "trees": 150, "learning_rate": 0.1}
        models["boosting_cycle"] = _experiment("seasonal", "boosting", {**own, "base": "cycle"}, "boosting", quick)
    season = {"cycle": cycles[0]} if cycles else {}
    models["ets"] = _experiment("statistical", "ets", {**season, **history}, "none")
    if cycles:
        models["mstl"] = _experiment("statistical", "mstl", {"cycles": cycles, **history}, "none")
    return models


def _experiment(
    family: str, name: str, options: dict[str, Any], method: str, training: dict[str, Any] | None = None
) -> Experiment:
    return Experiment.model_validate(
        {
            "dataset": "series",
            "calendar": method != "none",
            "model": {"family": family, "name": name, **options},
            "training": {"method": method, **(training or {})},
        }
    )
