"""The command line `unroll`, the tools around the pipeline, and the interface in Python: `unroll.open(".")`."""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and sys.path[0] != __file__[: -len("/unroll/__init__.py")]:
    # By `python -m unroll` a file of the user's that is called as a module of the standard library would stand for it.
    del sys.path[0]

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unroll.project import Project


def open(folder: str | PathLike[str] = ".") -> "Project":  # noqa: A001 - as in shelve.open
    """The project in a folder: what `unroll.project.Project` documents.

    >>> import unroll
    >>> unroll.open(".").compare("waves/gru", "waves/rnn20").outcome
    'better'
    """
    from pathlib import Path

    from unroll.project import Project  # pandas takes half a second, which no help text needs

    return Project(Path(folder))
