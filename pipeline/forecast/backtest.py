"""What a backtest says: the errors of each model from rolling origins, and why one is the champion."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data import several
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array
from pipeline.data.stamps import shown
from pipeline.evaluation import conformal
from pipeline.evaluation.scaled_error import seasonal_naive
from pipeline.files import read_checked
from pipeline.forecast import combination, intervals, origins, rolling
from pipeline.validation import Strict

COMBINED = "weighted median of models"

FEWEST = 3
"""Models of a kind of their own that a median is taken of."""

MARGIN = 2 / 3
"""A model must lower the median's MAE by a third to be champion by itself: smaller leads, of some weeks of one season,
did not last on any of the files that were tried (docs/decisions/own-series.md)."""


class Scored(Strict):
    """A model's forecasts from all origins: the MAE of each step ahead, in the target's unit, and MASE of all.

    `coverage` is of intervals of `conformal.USUAL` that are made of the origins before; None where those are too few.
    """

    mae: list[float]
    coverage: list[float | None]
    mase: float | None

    @property
    def whole(self) -> float:
        """The MAE over all steps."""
        return float(np.mean(self.mae))

    @property
    def held(self) -> float | None:
        """The coverage over all steps."""
        known = [share for share in self.coverage if share is not None]
        return float(np.mean(known)) if known else None


class Backtest(Strict):
    """What backtest.json holds.

    Attributes:
        first, last: origins: the last row that was known.
        models: each one's scores, the weighted median of several among them.
        naive: which of them need no fit.
        members: the models whose weighted median the champion is, or itself.
        why: it is the champion, in words with figures.
        each: of several series the champion's scores on each one, in the target's unit; `models` have multiples of
            each one's standard deviation then, and `scale` is that of the first.
    """

    dataset: str
    scale: Scale
    first: str
    last: str
    origins: int
    refits: int
    models: dict[str, Scored]
    naive: list[str]
    champion: str
    members: list[str]
    why: str
    each: dict[str, Scored]


def load(folder: Path) -> Backtest:
    """The backtest.json of backtests/DATASET. Raises UnrollError if it is missing or damaged."""
    return read_checked(folder / "backtest.json", Backtest)


def judged(
    dataset: Dataset,
    folds: Sequence[rolling.Fold],
    forecasts: Mapping[str, Sequence[Array]],
    candidates: Mapping[str, Experiment],
    networks: set[str],
) -> tuple[Backtest, dict[str, Array]]:
    """Score the forecasts and choose.

    Args:
        dataset: with its stamps.
        folds: the origins.
        forecasts: of each model for each fold, (origins, steps) in model units.
        candidates: the models.
        networks: those that take TensorFlow, which is slow to start: they are champions by themselves or not at all.

    Returns:
        What was found, and `truth`, each model's forecasts and `errors`, the champion's, all (origins, steps); of
        several series one after the other in each fold, and `series` (origins,) says which.
    """
    truth = np.concatenate([fold.asked.targets.reshape(len(fold.asked), -1) for fold in folds]).astype(np.float64)
    each = {name: np.concatenate(list(parts)) for name, parts in forecasts.items()}
    unfitted = {name for name in each if candidates[name].training.method == "none"}
    plain = {name for name in unfitted if candidates[name].model.family == "baselines"}  # naive, not statistical
    scores = {name: float(np.abs(values - truth).mean()) for name, values in each.items()}
    kinds: dict[str, str] = {}
    for name in sorted(set(each) - networks, key=scores.__getitem__):
        # Of naive and of statistical models the best speaks for all.
        kinds.setdefault(candidates[name].model.family if name in unfitted else name, name)
    members = sorted(kinds.values())
    best = min(scores, key=scores.__getitem__)
    known = origins.later(folds[0].asked.outputs, folds[0].asked.step, rolling.stride(dataset))
    rows = np.concatenate([fold.asked.rows for fold in folds]) - folds[0].asked.step
    whose, moments = several.of(dataset, rows), np.unique(rows % several.length(dataset))
    first, last = ("", "") if dataset.stamps is None else map(shown, dataset.stamps[moments[[0, -1]]])
    found = dict(each)
    if len(members) >= FEWEST:
        said, found[COMBINED] = np.stack([each[name] for name in members]), np.empty_like(truth)
        for mine in (whose == one for one in np.unique(whose)):
            found[COMBINED][mine] = combination.combined(said[:, mine], truth[mine], known)
        scores[COMBINED] = float(np.abs(found[COMBINED] - truth).mean())
        beaten = any(scores[name] < scores[COMBINED] for name in plain)
        if not beaten and scores[best] > MARGIN * scores[COMBINED]:
            best = COMBINED
    naive, errors, scales = seasonal_naive(dataset), found[best] - truth, several.scales(dataset)
    whole = "of a series' standard deviation" if len(scales) > 1 else dataset.scale.unit
    made = Backtest(
        dataset=dataset.name,
        scale=next(iter(scales.values())),
        first=first,
        last=last,
        origins=len(moments),
        refits=len(folds),
        models={name: _scored(values - truth, whose, known, dataset.scale, naive) for name, values in found.items()},
        naive=sorted(plain),
        champion=best,
        members=members if best == COMBINED else [best],
        why=_why(best, scores, plain, dataset.scale, whole),
        each={
            word: _scored(errors[whose == place], whose[whose == place], known, scale, None)
            for place, (word, scale) in enumerate(scales.items() if len(scales) > 1 else ())
        },
    )
    return made, {"truth": truth, "errors": errors, **({"series": whose} if made.each else {}), **each}


def _scored(errors: Array, whose: Array, known: Array, scale: Scale, naive: float | None) -> Scored:
    off = np.abs(errors)
    each = [intervals.adaptive(off[whose == one], conformal.USUAL, known)[1] for one in np.unique(whose)]
    held = np.concatenate(each)
    share: list[Any] = np.nanmean(held, axis=0).tolist() if len(held) else [None] * off.shape[1]
    mae = off.mean(axis=0)
    return Scored(mae=(mae * scale.std).tolist(), coverage=share, mase=float(mae.mean() / naive) if naive else None)


def _why(best: str, scores: Mapping[str, float], plain: set[str], scale: Scale, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    others = sorted((name for name in scores if name not in {best, COMBINED}), key=scores.__getitem__)
    naive = min(plain, key=scores.__getitem__, default=None)
    said = [name for name in (others[0] if others else None, naive) if name not in {None, best}]
    beside = ", ".join(f"{name} {scores[name] * scale.std:.4g}" for name in dict.fromkeys(said) if name)
    if best == COMBINED and others and scores[others[0]] < scores[COMBINED]:
        beside += "; a lead below a third rarely lasts"
    return f"MAE {scores[best] * scale.std:.4g}{unit} from rolling origins" + (f"; {beside}" if beside else "")
