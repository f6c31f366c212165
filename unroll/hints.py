"""What a message tells the user to type next."""

import os
import shlex

from pipeline.workspace import Workspace


def program(workspace: Workspace) -> str:
    """How `unroll` is typed here for a workspace, which may be another folder."""
    folder = os.path.relpath(workspace.root)
    return "unroll" if folder == "." else f"unroll --root {shlex.quote(folder)}"


def built_by(stage: str) -> str:
    """The command that builds a stage with all that it needs and no more."""
    return f"`unroll repro {stage}` builds it"
