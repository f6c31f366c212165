"""A small answer with a model of each kind, in seconds."""

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from series import answer as answers
from series import candidates, fits, leaderboard, page, windowed
from series.answer import Answer
from tests.series.here import run_here

FEW = ("last_value", "ridge", "boosting_own", "mlp", "gru")


def rows(count: int = 300) -> pd.DataFrame:
    """Daily sales of a shop, with a week."""
    days = pd.date_range("2022-01-01", periods=count)
    noise = np.random.default_rng(0).normal(size=count)
    week = np.resize([0, 4, 5, 3, 2, 8, 9], count)
    return pd.DataFrame({"day": days, "sales": 50 + 5 * week + 3 * noise})


def small_answer(folder: Path) -> Answer:
    """Answer `rows`, in a file beside the folder; load what was saved."""
    every = candidates.candidates

    def few(*arguments, **options):
        models = every(*arguments, **options)
        return {name: models[name] for name in FEW}

    file = folder.with_suffix(".csv")
    rows().to_csv(file, index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(windowed, "candidates", few)
        patched.setattr(answers, "Server", lambda *_, **__: contextlib.nullcontext())
        patched.setattr(fits.processes, "run", run_here)
        patched.setattr(candidates, "STEPS", (4, 5))
        patched.setattr(leaderboard, "MARGIN", 0.0)
        made = answers.answer(
            file, target="sales", horizon=7, jobs=1, say=lambda _: None
        )
    made.save(folder)
    saved = answers.load(folder)
    page.write(saved)
    return saved
