"""The command line `unroll`."""

import os
import sys
from collections.abc import Sequence

import typer

from unroll.app import app
from unroll.commands import building, dvc_stages, results, series_commands
from unroll.exits import run

REGISTERED = (series_commands, building, dvc_stages, results)
"""Modules whose commands register with the app when they are imported."""

COMPLETION = "_UNROLL_COMPLETE"
"""The environment variable by which the shell asks Typer how a word can end."""


def invoke(arguments: Sequence[str]) -> None:
    """Run one command line, such as `["train", "waves", "node"]`; raise its errors."""
    command = typer.main.get_command(app)
    with command.make_context("unroll", list(arguments)) as context:
        command.invoke(context)


def status() -> int:
    """Run the command line of this process, `sys.argv`; return the exit status."""
    if COMPLETION in os.environ:
        app(prog_name="unroll")
    return run(lambda: invoke(sys.argv[1:] or ["--help"]))
