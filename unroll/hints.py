"""Commands that a message tells the user to type next."""

import os
import shlex

from pipeline.workspace import Workspace


def program(workspace: Workspace) -> str:
    """Return how `unroll` is typed here for a workspace in any folder."""
    folder = os.path.relpath(workspace.root)
    return "unroll" if folder == "." else f"unroll --root {shlex.quote(folder)}"


def built_by(stage: str) -> str:
    """Return a clause with the command that builds a stage and all that it needs."""
    return f"`unroll repro {stage}` builds it"
