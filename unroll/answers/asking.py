"""What is left open about a question is asked of the user."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from pipeline.errors import UsageError, one_line, printable
from pipeline.validation import validated
from series.options import Options
from series.question import Wanted, propose
from series.reading.detect import detect
from series.reading.profile import FileProfile


def look(files: Sequence[Path], options: Options) -> FileProfile:
    """Find out what files are like. Raises UnrollError if they cannot be used."""
    return detect(files, options)


def settled(profile: FileProfile, options: Options, *, yes: bool) -> Options:
    """Return the options with a target and a horizon.

    They are as given; else as the user says or, with `yes`, as proposed.

    Raises:
        UsageError: an option is wrong, or something is open and nobody can be asked.
    """
    proposal = propose(profile, Wanted.of(options))
    target = options.target
    horizon = options.horizon
    if len(profile.targets) == 1 or yes:
        target = proposal.target
    if yes:
        horizon = proposal.horizon
    if None in {target, horizon} and not sys.stdin.isatty():
        flags = f"--target {shlex.quote(proposal.target)} --horizon {proposal.horizon}"
        raise UsageError(
            one_line(f"pass {flags} or other values, or --yes to take these")
        )
    if target is None:
        question = f"What is to be forecast? ({', '.join(profile.targets)})"
        target = typer.prompt(printable(question), default=proposal.target)
    if horizon is None:
        horizon = typer.prompt(
            "How many timesteps ahead?", default=proposal.horizon, type=int
        )
    given = {**options.given, "target": target, "horizon": horizon}
    return validated(Options, given, "the options")
