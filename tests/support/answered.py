"""A small answer with a model of each kind, in seconds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unroll.series import answer as answers
from unroll.series import answer_page, leaderboard, saved, training
from unroll.series.saved import Answer

FEW = ("ridge", "boosting_own", "mlp", "gru")


def rows(count: int = 300) -> pd.DataFrame:
    """Daily sales of a shop, with a week."""
    days = pd.date_range("2022-01-01", periods=count)
    noise = np.random.default_rng(0).normal(size=count)
    week = np.resize([0, 4, 5, 3, 2, 8, 9], count)
    return pd.DataFrame({"day": days, "sales": 50 + 5 * week + 3 * noise})


def answered(data, question=None, **options) -> Answer:
    """Answer in this process, without a word."""
    return answers.answer(
        data, question, in_process=True, say=lambda _line: None, **options
    )


def small_answer(folder: Path) -> Answer:
    """Answer `rows`, in a file beside the folder; load what was saved."""
    file = folder.with_suffix(".csv")
    rows().to_csv(file, index=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "STEPS", (4, 5))
        patched.setattr(leaderboard, "MARGIN", 0.0)
        made = answered(file, target="sales", horizon=7, models=FEW)
    made.save(folder)
    read = saved.load(folder)
    answer_page.write(read)
    return read
