"""The command `answer`, which makes an answer once and then reads it."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from pipeline.data.timestamps import duration
from pipeline.errors import (
    UnrollError,
    UsageError,
    one_line,
    printable,
)
from pipeline.locks import alone
from pipeline.provenance import fingerprint
from pipeline.validation import validated
from pipeline.workspace import Workspace
from unroll.answers.find_answer import folder_of
from unroll.answers.show_answer import warnings_as_lines
from unroll.series import FILE, answer_page, hierarchy, seal
from unroll.series.answer import answer as answer_series
from unroll.series.answer import propose, read
from unroll.series.options import MOST_TIMESTEPS, Options
from unroll.series.question import likely_target, usual_horizon
from unroll.series.reading.file_rows import column_named
from unroll.series.reading.profile import FileProfile, described
from unroll.series.saved import (
    Answer,
    Findings,
    findings_of,
    load,
    require_same_question,
)
from unroll.series.user_data import LONGEST_NAME, existing, made_name

LOCK = ".lock"
"""The file in an answer's folder that keeps another process out."""

OTHER_NAME = "pass --name with another name"
"""What helps if the folder of an answer is taken."""


def answer(
    workspace: Workspace,
    names: Sequence[str],
    options: Options,
    *,
    folder: Path | None = None,
    name: str | None = None,
    yes: bool = False,
    jobs: int,
    by: Sequence[str] = (),
) -> Answer:
    """Answer a series of files, or of an earlier answer, in a folder of its own.

    With the same files, options and code as before, the answer is only read; one that
    is damaged is made anew. Without any option, the earlier options are taken. A
    finished answer for another target, horizon or objective stays.

    Args:
        workspace: the folder that the command is about.
        names: paths of files, or the name of an answer.
        options: the user's options.
        folder: the folder of the answer; by default NAME in the workspace.
        name: the name of the series; by default that of the file.
        yes: whether target and horizon are taken as proposed, without a question.
        jobs: number of models that are fitted at a time.
        by: columns whose values will have sums of series; they are checked first.

    Raises:
        UsageError: a name or an option is wrong, or a folder holds something else.
        UnrollError: the rows cannot be used.
    """
    folder, name, files = _named(workspace, names, folder, name)
    before = _findings_before(folder, files)
    seal.require_plain(folder)  # nothing is written behind a link
    if before is not None and not options.given:
        options = before.asked
        yes = True
    if before is not None and _is_current(before, folder, files, options):
        _say(f"{folder.name}/ has this answer already, made here or sent by somebody.")
        try:
            return load(folder)
        except UnrollError as error:
            _say(f"{error}. It is answered anew now.")
    is_new = not folder.exists()
    busy = f"another process answers in {folder}; wait until it has ended"
    with alone(folder / LOCK, busy):
        try:
            profile = read(files, **options.given)
            for line in described(profile):
                _say(line)
            if by:
                hierarchy.groups(profile.file.cells, profile.series_id, by)
            asked = options if yes else ask_user(profile, options)
            question = propose(profile, **asked.given)
            if before is not None and _asked_for(before.asked) != _asked_for(asked):
                cure = f"{OTHER_NAME}, or delete the folder"
                rows = question.horizon * question.step
                require_same_question(
                    folder, before, question.target, rows, asked.objective, cure
                )
            made = answer_series(profile, question, name=name, jobs=jobs, say=_say)
            made.save(folder, replace_other=True)
        except UnrollError:
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        saved = replace(made, folder=folder)
        answer_page.write(saved)
    return saved


def _named(
    workspace: Workspace, names: Sequence[str], folder: Path | None, name: str | None
) -> tuple[Path, str, list[Path]]:
    """Return the folder of an answer, the name of its series, and its files.

    Arguments and errors are those of `answer`.
    """
    files = [Path(name) for name in names]
    known = None if files[0].is_file() else folder_of(names[0], workspace)
    if known is not None:
        if len(names) > 1:
            raise UsageError(
                f"{names[0]} is an answer, which has files of its own; leave out "
                f"{names[1]}, or name files alone"
            )
        with warnings_as_lines():
            files = [file.found(known) for file in findings_of(known).files]
    if known is not None and name is None:
        folder = folder or known
        name = known.resolve().name
    else:
        name = name_of(files, name)
    return folder or workspace.root / name, name, [*map(existing, files)]


def name_of(files: Sequence[Path], name: str | None) -> str:
    """Return the name of a series, by default after its file or folder.

    Raises:
        UsageError: the name is too long, or has other characters than small letters,
            digits and _.
    """
    if name is None:
        path = files[0].resolve()
        name = made_name(path.stem if len(files) == 1 else path.parent.name)
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}", name):
        raise UsageError(
            "pass --name with small letters, digits and _, a letter first, up to "
            f"{LONGEST_NAME}. Received: {name!r:.60}"
        )
    return name


def _asked_for(options: Options) -> tuple[str | int | None, ...]:
    """Return what an answer is for, as the user asked; new rows may move a proposal."""
    return options.target, options.horizon, options.objective


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _is_current(
    before: Findings, folder: Path, files: Sequence[Path], options: Options
) -> bool:
    """Return whether an answer was made of the same files, options and code."""
    made_of = (before.asked, before.code, len(before.files))
    pairs = zip(before.files, files, strict=False)
    return made_of == (options, fingerprint.package(), len(files)) and all(
        known.added(file, folder) == 0 for known, file in pairs
    )


def _findings_before(folder: Path, files: Sequence[Path]) -> Findings | None:
    """Return what the answer in a folder says; None if there is none, or it is damaged.

    Raises:
        UsageError: the folder holds something else, or the answer for other files.
    """
    if (folder / FILE).is_file():
        try:
            before = findings_of(folder)
        except UnrollError as error:
            _say(f"{error}. It is answered anew now.")
            return None
        inside = folder.resolve()
        places = [file.place(inside) for file in before.files]
        copies = [inside / file.kept for file in before.files]
        if not {*files} & {*places, *copies}:
            names = ", ".join(os.path.relpath(place) for place in places)
            raise UsageError(f"{folder} holds the answer for {names}; {OTHER_NAME}")
        return before
    # A call that was killed before it saved its answer has left the lock alone.
    others = folder.is_dir() and {path.name for path in folder.iterdir()} - {LOCK}
    if folder.is_file() or others:
        raise UsageError(f"{folder} exists and is no answer of Unroll's; {OTHER_NAME}")
    return None


def ask_user(profile: FileProfile, options: Options) -> Options:
    """Return the options with a target and a horizon.

    If they were not given, the user is asked. The target of a file with one column of
    numbers stays open; the library takes the column, and says so.

    Raises:
        UsageError: an option is wrong, or there is no terminal to ask at.
    """
    target = options.target
    horizon = options.horizon
    if not profile.targets:
        return options  # what is proposed then says why
    usual, _ = likely_target(profile)
    step = options.step or 1
    timesteps, _ = usual_horizon(profile, step)
    rows = timesteps * step
    asks = target is None and len(profile.targets) > 1
    if (asks or horizon is None) and not sys.stdin.isatty():
        flags = f"--target {shlex.quote(target or usual)} --horizon {rows}"
        raise UsageError(
            one_line(
                "there is no terminal to ask for target and horizon; "
                f"pass {flags} or other values, or --yes to take these"
            )
        )
    if asks:
        question = f"What is to be forecast? ({', '.join(profile.targets)})"
        target = typer.prompt(
            printable(question),
            default=usual,
            value_proc=lambda text: _one_of(text, profile.targets),
        )
    if horizon is None:
        question = "How many rows ahead?"
        if not isinstance(profile.calendar, str):
            question = f"{question} (a row is {duration(profile.freq)})"
        horizon = typer.prompt(question, default=rows, value_proc=_count)
    return validated(
        Options, {**options.given, "target": target, "horizon": horizon}, "the options"
    )


def _one_of(text: str, columns: Sequence[str]) -> str:
    """Return the column that a reply means. The user is asked again if there is none."""
    name = column_named(text, columns)
    if name not in columns:
        raise typer.BadParameter(
            printable(f"{text!r} is none of the columns {', '.join(columns)}")
        )
    return name


def _count(text: object) -> int:
    """Return the number that a reply means. The user is asked again if it is none."""
    reply = str(text).strip()
    if not reply.isdecimal() or not 1 <= int(reply) <= MOST_TIMESTEPS:
        raise typer.BadParameter(
            printable(f"{reply!r} is no whole number from 1 to {MOST_TIMESTEPS:,}")
        )
    return int(reply)
