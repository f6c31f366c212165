"""How a command ends: an exit code, and one line on what went wrong and what to do."""

import codecs
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import typer
from typer.exceptions import TyperException

from pipeline.errors import (
    StoppedError,
    UsageError,
    one_line,
    printable,
    without_password,
)
from pipeline.workspace import Workspace
from stages.progress import CLEAR

STOPPED = 130
"""The exit code after Ctrl-C, as shells have it."""

LONGEST_LINE = 4000
"""Characters of an error, at most."""


def run(command: Callable[[], object]) -> int:
    """The exit code of `command`, whose errors become one line each on standard error.

    Under DVC the line is also kept for the page and for `unroll repro`. A mistake in
    the code keeps its traceback.
    """
    code = 0
    # DVC and batch systems ask a process to end by SIGTERM.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Paths are printed as they are; characters that the terminal lacks, as escapes.
        utf_8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(
            errors="surrogateescape" if utf_8 else "backslashreplace"
        )
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
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, (KeyboardInterrupt, StoppedError)):
            # a second Ctrl-C would end this process without its code
            for number in (
                signal.SIGINT,
                signal.SIGTERM,
            ):
                signal.signal(number, signal.SIG_IGN)
        if isinstance(error, StoppedError):
            return STOPPED
        explained = _explain(error)
        if explained is None:
            _record(
                printable(f"a mistake in the code, {type(error).__name__}: {error}")
            )
            raise
        text, code = explained
        line = printable(without_password(one_line(text)))[:LONGEST_LINE]
        # On a terminal a bar may stand in this line.
        print(f"{CLEAR if sys.stderr.isatty() else ''}unroll: {line}", file=sys.stderr)
        if code != STOPPED:
            _record(line)
    return code


def _explain(error: BaseException) -> tuple[str, int] | None:
    """What to tell the user, and the exit code; None for a mistake in the code, which
    keeps its traceback.
    """
    match error:
        case TyperException():
            return _misuse(error), error.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return (
                "stopped; what was finished is kept, the same command goes on from there",
                STOPPED,
            )
    # not before: its imports are a third of the time of `--help`
    from pipeline import (
        failures,
    )

    text = failures.explain(error)
    return None if text is None else (text, 2 if isinstance(error, UsageError) else 1)


def _misuse(error: TyperException) -> str:
    """Typer's own text, and where to read on."""
    text = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return text
    return f"{text}{'' if text.endswith('?') else '.'} `{context.command_path} --help` says more"


def _record(line: str) -> None:
    """Keep why a stage of DVC failed; empty: forget it.

    No path of this machine is kept: the page, which shows the line, is committed.
    """
    stage = os.environ.get("DVC_STAGE")
    workspace = Workspace(Path.cwd())
    if not stage:
        return
    from pipeline import failures

    line = line.replace(f"{workspace.root}/", "")
    mirror = os.environ.get("UNROLL_MIRROR")
    line = line.replace(mirror, "$UNROLL_MIRROR") if mirror else line
    with contextlib.suppress(OSError):  # the disk may be what failed
        if line:
            failures.record(workspace, stage, line)
        else:
            failures.clear(workspace, stage)
