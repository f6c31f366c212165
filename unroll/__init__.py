"""The command line `unroll`, and the interface in Python.

Answer a series of your own, in a DataFrame or a file:

>>> answer = unroll.answer(frame, target="load", horizon=24)
>>> answer.sentence, answer.models, answer.forecasts      # text, a row for each model, the forecasts at earlier cutoffs
>>> answer.forecast(levels=(0.5, 0.8, 0.9))               # what comes next, with prediction intervals
>>> answer.save("meter")
>>> unroll.load("meter").forecast(horizon=48)

Judge your own forecasts at the same cutoffs by the same rule:

>>> rows = answer.forecasts.drop_duplicates(["unique_id", "ds", "cutoff"])
>>> unroll.judge(rows.assign(y_hat=my_forecasts(rows)), against=answer).sentence

Open a project and look at what was built in it:

>>> unroll.open(".").compare("waves/gru", "waves/rnn20").outcome
"""

import sys

if (
    sys.argv[:1] == ["-m"]
    and not sys.flags.safe_path
    and sys.path[0] != __file__[: -len("/unroll/__init__.py")]
):
    # With `python -m unroll`, a file in the user's folder could hide a module of the
    # standard library that has the same name.
    del sys.path[0]

from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.errors import UnrollError, UsageError
    from unroll.project import Project
    from unroll.series.answer import answer, propose, read
    from unroll.series.judge import judge
    from unroll.series.saved import load

__all__ = [
    "Project",
    "UnrollError",
    "UsageError",
    "answer",
    "judge",
    "load",
    "open",
    "propose",
    "read",
]

LIBRARY = {
    "Project": "unroll.project",
    "UnrollError": "pipeline.errors",
    "UsageError": "pipeline.errors",
    "answer": "unroll.series.answer",
    "judge": "unroll.series.judge",
    "load": "unroll.series.saved",
    "propose": "unroll.series.answer",
    "read": "unroll.series.answer",
}
"""Name of the library -> its module. The modules take a second to import."""


PACKAGES = ("pipeline", "stages")
"""Unroll's packages besides this one."""


def foreign_code() -> str:
    """Return a line on code that runs in place of Unroll's; "" if there is none."""
    code = Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin) if spec and spec.origin else code
        if not origin.resolve().is_relative_to(code / name):
            return (
                f"{origin} hides Unroll's own package {name}; rename it, or remove its "
                "folder from PYTHONPATH"
            )
    return ""


def __getattr__(name: str) -> Any:
    """Import a function of the library when it is first asked for."""
    if name not in LIBRARY:
        raise AttributeError(f"module 'unroll' has no attribute {name!r}")
    if foreign := foreign_code():
        raise ImportError(foreign)
    return getattr(import_module(LIBRARY[name]), name)


def __dir__() -> list[str]:
    """Return the names for `help` and for completion, also those not imported yet."""
    return sorted({*globals(), *LIBRARY})


def open(folder: str | PathLike[str] = ".") -> "Project":  # noqa: A001 - as in shelve.open
    """Return the project in a folder (see `unroll.Project`).

    >>> import unroll
    >>> unroll.open(".").compare("waves/gru", "waves/rnn20").outcome
    <Word.HELPS: 'helps'>
    """
    # not at the top: pandas takes half a second, which help texts do not need
    from unroll.project import Project

    return Project(Path(folder))
