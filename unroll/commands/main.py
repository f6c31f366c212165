"""The command line `unroll`: it runs a command, and ends with an exit status.

An error becomes one line that says what went wrong.
"""

import codecs
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from typer.exceptions import TyperException

from pipeline.errors import (
    STOPPED,
    StoppedError,
    UsageError,
    explain,
    one_line,
    printable,
    without_password,
)
from pipeline.workspace import Workspace
from stages.progress import CLEAR
from unroll.commands import building, own_series, results
from unroll.commands.app import app
from unroll.series.options import naming_flags

REGISTERED = (own_series, building, results)
"""Modules whose commands register with the app when they are imported."""

COMPLETION = "_UNROLL_COMPLETE"
"""The environment variable by which the shell asks Typer how a word can end."""

STOPPED_CODE = 130
"""The exit code after Ctrl-C, as shells have it."""

LONGEST_LINE = 4000
"""The most characters of an error."""


def invoke(arguments: Sequence[str]) -> None:
    """Run one command line, such as `["train", "waves", "node"]`; raise its errors."""
    command = typer.main.get_command(app)
    with naming_flags(), command.make_context("unroll", list(arguments)) as context:
        command.invoke(context)


def status() -> int:
    """Run the command line of this process, `sys.argv`; return the exit status."""
    if COMPLETION in os.environ:
        app(prog_name="unroll")
    return run(lambda: invoke(sys.argv[1:] or ["--help"]))


def run(command: Callable[[], object]) -> int:
    """Run a command and return its exit code. An error becomes a line on stderr.

    Under DVC the line is also kept for the page and for `unroll repro`. A mistake in
    Unroll's code keeps its traceback.
    """
    code = 0
    signals = []

    def interrupt(number: int, _frame: object) -> None:
        signals.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # of `unroll.__main__`
        signal.signal(signal.SIGINT, interrupt)
    # DVC and batch systems ask a process to end by SIGTERM.
    signal.signal(signal.SIGTERM, interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Paths are printed unchanged. Characters that the terminal lacks become escapes.
        utf_8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        errors = "surrogateescape" if utf_8 else "backslashreplace"
        sys.stdout.reconfigure(errors=errors)
    try:
        try:
            command()
        except typer.Exit as stop:
            code = int(stop.exit_code)
        sys.stdout.flush()
        if code == 0:
            _record("")
    except BrokenPipeError:  # nobody reads on, as in `unroll list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except StoppedError:
        _ignore_signals()
        return STOPPED_CODE
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except Exception as error:
        if signals:  # pydantic, for one, makes an error of its own of KeyboardInterrupt
            return _stopped()
        text, code = _explain(error)
        if text is None:
            _record(
                printable(f"a mistake in the code, {type(error).__name__}: {error}")
            )
            raise
        line = printable(without_password(one_line(text)))[:LONGEST_LINE]
        _print_line(line)
        _record(line)
    return code


def _stopped() -> int:
    _ignore_signals()
    _print_line(STOPPED)
    return STOPPED_CODE


def _ignore_signals() -> None:
    """Ignore a second Ctrl-C, so that this process returns its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _print_line(line: str) -> None:
    # On a terminal this line may show a progress bar.
    clear = CLEAR if sys.stderr.isatty() else ""
    print(f"{clear}unroll: {line}", file=sys.stderr)


def _explain(error: Exception) -> tuple[str | None, int]:
    """Return the message for the user, and the exit code.

    The message is None for a mistake in Unroll's code.
    """
    if isinstance(error, TyperException):
        text = error.format_message().rstrip(".").replace("Value error, ", "")
        text = text.replace("Input should be", "must be")
        context = getattr(error, "ctx", None)
        if context is not None:
            mark = "" if text.endswith("?") else "."
            text = f"{text}{mark} `{context.command_path} --help` says more"
        return text, error.exit_code
    return explain(error), 2 if isinstance(error, UsageError) else 1


def _record(line: str) -> None:
    """Keep why the stage of this process failed. An empty line clears the reason.

    Paths of this machine are removed, since the page with the reason is committed.
    """
    stage = os.environ.get("DVC_STAGE")
    if not stage:
        return
    workspace = Workspace(Path.cwd())
    line = line.replace(f"{workspace.root}/", "")
    mirror = os.environ.get("UNROLL_MIRROR")
    if mirror:
        line = line.replace(mirror, "$UNROLL_MIRROR")
    with contextlib.suppress(OSError):  # the disk may be full
        workspace.note_failure(stage, line)
