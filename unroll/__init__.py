"""The command line `unroll`, and the interface in Python.

A series of one's own, in a DataFrame or a file:

>>> answer = unroll.answer(frame, target="load", horizon=24)
>>> answer.sentence, answer.models, answer.forecasts      # text, a row for each model, every forecast of the past
>>> answer.forecast(levels=(0.5, 0.8, 0.9))               # what comes next, with prediction intervals
>>> answer.save("meter")
>>> unroll.load("meter").forecast(horizon=48)

Forecasts of your own on the same cutoffs, judged by the same rule:

>>> rows = answer.forecasts.drop_duplicates(["unique_id", "ds", "cutoff"])
>>> unroll.judge(rows.assign(model="mine", y_hat=my_forecasts(rows)), against=answer).sentence

A project, with what was built in it:

>>> unroll.open(".").compare("waves/gru", "waves/rnn20").outcome
"""

import sys

if (
    sys.argv[:1] == ["-m"]
    and not sys.flags.safe_path
    and sys.path[0] != __file__[: -len("/unroll/__init__.py")]
):
    # By `python -m unroll` a file of the user's that is called as a module of the
    # standard library would stand for it.
    del sys.path[0]

from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.errors import UnrollError, UsageError
    from series.answer import answer, load
    from series.judge import judge
    from unroll.project import Project

__all__ = ["UnrollError", "UsageError", "answer", "judge", "load", "open"]

LIBRARY = {
    "UnrollError": "pipeline.errors",
    "UsageError": "pipeline.errors",
    "answer": "series.answer",
    "judge": "series.judge",
    "load": "series.answer",
}
"""The names of the library for a series of one's own -> their modules, which take a
second to import."""


def __getattr__(name: str) -> Any:
    """Import a function of the library when it is first asked for."""
    if name not in LIBRARY:
        raise AttributeError(f"module 'unroll' has no attribute {name!r}")
    return getattr(import_module(LIBRARY[name]), name)


def open(folder: str | PathLike[str] = ".") -> "Project":  # noqa: A001 - as in shelve.open
    """The project in a folder: what `unroll.project.Project` documents.

    >>> import unroll
    >>> unroll.open(".").compare("waves/gru", "waves/rnn20").outcome
    'better'
    """
    from pathlib import Path

    # pandas takes half a second, which no help text needs
    from unroll.project import (
        Project,
    )

    return Project(Path(folder))
