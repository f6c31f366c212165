"""Commands that messages tell the user to type next."""

import os
import re
import shlex

from pipeline.config import params
from pipeline.workspace import Workspace

BUILD = "UNROLL_BUILD"
"""The environment variable that `unroll repro` sets for the stages. They then print no
next command; `unroll repro` prints one at its end."""


DOCUMENT = re.compile(r"\d{3}")
"""The number of a document, such as 002."""


def program(workspace: Workspace) -> str:
    """Return the command `unroll` for a workspace, as typed in the current folder."""
    folder = os.path.relpath(workspace.root)
    return "unroll" if folder == "." else f"unroll --root {shlex.quote(folder)}"


def built_by(workspace: Workspace, stage: str) -> str:
    """Return a clause with the command that builds a stage and what it depends on."""
    data_set = stage.partition("@")[2]
    if data_set in params.official(workspace.params).get("datasets", {}):
        return f"`{program(workspace)} official` builds it"
    return f"`{program(workspace)} repro {stage}` builds it"
