"""Commands that messages tell the user to type next."""

import os
import shlex

from pipeline.workspace import Workspace


def program(workspace: Workspace) -> str:
    """Return the command `unroll` for a workspace, as typed in the current folder."""
    folder = os.path.relpath(workspace.root)
    return "unroll" if folder == "." else f"unroll --root {shlex.quote(folder)}"


def built_by(stage: str) -> str:
    """Return a clause with the command that builds a stage and what it depends on."""
    return f"`unroll repro {stage}` builds it"
