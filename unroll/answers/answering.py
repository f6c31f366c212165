"""The command `answer`, which makes an answer once and then reads it."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from pipeline.data.timestamps import duration
from pipeline.errors import (
    UnrollError,
    UsageError,
    one_line,
    printable,
)
from pipeline.files import read_checked, remove, write_json
from pipeline.locks import alone
from pipeline.provenance import fingerprint
from pipeline.validation import Strict, validated
from pipeline.workspace import Workspace
from series import FILE, page, seal
from series.answer import Answer, Choose, load, require_same_question
from series.answer import answer as answer_series
from series.options import MOST_TIMESTEPS, Options
from series.question import propose
from series.reading.files import column_named
from series.reading.profile import FileProfile
from series.source import LONGEST_NAME, RowsFile, existing, slug
from unroll.answers.find import folder_of
from unroll.answers.show import about, speaking_flags, with_flags

CACHE = ".cache"
"""The folder in an answer's folder that keeps finished parts."""

RECORD = f"{CACHE}/asked.json"
"""The file of the record, in the folder of an answer."""

OTHER_NAME = "pass --name with another name"
"""What helps if the folder of an answer is taken."""


class Asked(Strict):
    """The content of asked.json.

    Attributes:
        files: the files, as they were when they were read.
        options: the user's options.
        code: version and hash of the code.
        answered: whether the answer is finished; False while it is computed, and after
            a stop.
    """

    files: list[RowsFile]
    options: Options
    code: str
    answered: bool = True

    def paths(self, folder: Path) -> list[Path]:
        """Return the paths of the files; `RowsFile.found` says whether to read them."""
        return [file.place(folder) for file in self.files]


@speaking_flags()
def answer(
    workspace: Workspace,
    names: Sequence[str],
    options: Options,
    *,
    folder: Path | None = None,
    name: str | None = None,
    yes: bool = False,
    jobs: int,
) -> Answer:
    """Answer a series of files, or of an earlier answer.

    Args:
        workspace: the folder that the command is about.
        names: paths of files, or the name of an answer.
        options: the user's options.
        folder: the folder of the answer; by default NAME in the workspace.
        name: the name of the series; by default that of the file.
        yes: whether target and horizon are taken as proposed, without a question.
        jobs: number of models that are fitted at a time.

    Raises:
        UsageError: a name or an option is wrong, or a folder holds something else.
        UnrollError: the rows cannot be used.
    """
    files = [Path(name) for name in names]
    known = None if files[0].is_file() else folder_of(names[0], workspace)
    if known is not None and len(names) > 1:
        raise UsageError(
            f"{names[0]} is an answer, which has files of its own; leave out "
            f"{names[1]}, or name files alone"
        )
    if known is not None:
        files = [file.found(known) for file in _record_of(known).files]
    if known is not None and name is None:
        folder = folder or known
        name = known.resolve().name
    else:
        name = name_of(files, name)
    folder = folder or workspace.root / name
    return of_files(folder, name, files, options, yes=yes, jobs=jobs)


def name_of(files: Sequence[Path], name: str | None) -> str:
    """Return the name of a series, by default after its file or folder.

    Raises:
        UsageError: the name is too long, or has other characters than small letters,
            digits and _.
    """
    if name is None:
        path = files[0].resolve()
        name = slug(path.stem if len(files) == 1 else path.parent.name)
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}", name):
        raise UsageError(
            "pass --name with small letters, digits and _, a letter first, up to "
            f"{LONGEST_NAME}. Received: {name!r:.60}"
        )
    return name


def of_files(
    folder: Path,
    name: str,
    files: Sequence[Path],
    options: Options,
    *,
    yes: bool,
    jobs: int,
) -> Answer:
    """Answer a series in a folder of its own; see `answer`.

    With the same files, options and code as before, the answer is only read; one that
    is damaged is made anew. Without any option, the earlier options are taken. A
    finished answer for another target, horizon or objective stays.
    """
    before = _record_before(folder, files)
    seal.require_plain(folder)  # nothing is written behind a link
    if before is not None and not options.given:
        options = before.options
        yes = True
    now = _record_now(folder, files, options)
    if now == before:
        try:
            return load(folder)
        except UnrollError as error:
            _say(f"{error}. It is answered anew now.")
    is_new = not folder.exists()

    def choose(profile: FileProfile) -> Options:
        """Ask for what is open, and record the options for the next call."""
        nonlocal now
        if not yes and None in {options.target, options.horizon}:
            now = now.model_copy(update={"options": ask_user(profile, options)})
        if before is None or _asked_for(before.options) != _asked_for(now.options):
            _require_same_question(folder, profile, now.options)
        _write(folder, now.model_copy(update={"answered": False}))
        return now.options

    busy = f"another process answers in {folder}; wait until it has ended"
    with alone(folder / CACHE / "command.lock", busy):
        try:
            made = _made(folder, name, files, options, choose=choose, jobs=jobs)
        except UnrollError:
            if is_new:
                shutil.rmtree(folder, ignore_errors=True)
            # The next call without options must not repeat the options that failed.
            elif before is None:
                remove(folder / RECORD)
            else:
                _write(folder, before)
            raise
        _write(folder, now)
    return made


def _made(
    folder: Path,
    name: str,
    files: Sequence[Path],
    options: Options,
    *,
    choose: Choose,
    jobs: int,
) -> Answer:
    """Make and save an answer; print its progress."""
    made = answer_series(
        files,
        **options.given,
        name=name,
        jobs=jobs,
        cache=folder / CACHE,
        say=_say,
        choose=choose,
    )
    made.save(folder, replace_other=True)  # `of_files` has asked
    saved = load(folder)
    page.write(saved)
    return saved


def _asked_for(options: Options) -> tuple[str | int | None, ...]:
    """Return what an answer is for, as the user asked; new rows may move a proposal."""
    return options.target, options.horizon, options.objective


def _require_same_question(
    folder: Path, profile: FileProfile, options: Options
) -> None:
    """Raise UsageError if a folder holds an answer for another target, horizon or
    objective.
    """
    if not (folder / FILE).is_file():
        return
    proposal = propose(profile, options)
    cure = f"{OTHER_NAME}, or delete the folder"
    rows = proposal.horizon * proposal.step
    require_same_question(folder, proposal.target, rows, options.objective, cure)


def _say(line: str) -> None:
    print(printable(with_flags(line)), flush=True)


def _write(folder: Path, record: Asked) -> None:
    write_json(folder / RECORD, record.model_dump())


def _record_now(folder: Path, files: Sequence[Path], options: Options) -> Asked:
    """Return the record that an answer in `folder` would have now.

    Raises:
        UsageError: a file is not there.
    """
    return Asked(
        files=[RowsFile.of(existing(file), folder) for file in files],
        options=options,
        code=fingerprint.package(),
    )


def _record_before(folder: Path, files: Sequence[Path]) -> Asked | None:
    """Return the record of the answer in a folder; None if there is no record.

    Raises:
        UsageError: the folder holds something else, or the answer for other files.
    """
    if (folder / RECORD).is_file():
        asked = _record_of(folder)
        paths = asked.paths(folder)
        if not {file.resolve() for file in files} & {path.resolve() for path in paths}:
            names = ", ".join(os.path.relpath(path) for path in paths)
            raise UsageError(f"{folder} holds the answer for {names}; {OTHER_NAME}")
        return asked
    is_ours = (folder / FILE).is_file()  # an answer without its cache
    # A call that was killed before it recorded its options has left the cache alone.
    others = folder.is_dir() and {path.name for path in folder.iterdir()} - {CACHE}
    if folder.is_file() or (others and not is_ours):
        raise UsageError(f"{folder} exists and is no answer of Unroll's; {OTHER_NAME}")
    return None


def facts_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is known about the answer in a folder, as `unroll show` prints it.

    The files and options are those of the record, which an answer that was sent may lack.
    """
    answer = load(folder)
    known = about(answer)
    known["horizon"] = answer.rows_ahead
    known["models"] = [row["model"] for row in known["models"]]
    if (folder / RECORD).is_file():
        asked = _record_of(folder)
        known["files"] = [file.path for file in asked.files]
        known["options"] = asked.options.given
    return {"answer": known}


def _record_of(folder: Path) -> Asked:
    """Read asked.json.

    Raises:
        UnrollError: it is missing or damaged, or the folder holds a link.
    """
    seal.require_plain(folder)
    if not (folder / RECORD).is_file():
        raise UnrollError(
            f"{folder}/{CACHE} is missing; `unroll answer FILE` makes it again"
        )
    cure = f"remove {folder / CACHE}, and `unroll answer FILE` makes it again"
    return read_checked(folder / RECORD, Asked, cure)


def ask_user(profile: FileProfile, options: Options) -> Options:
    """Return the options with a target and a horizon.

    If they were not given, the user is asked. The target of a file with one column of
    numbers stays open; the library takes the column, and says so.

    Raises:
        UsageError: an option is wrong, or there is no terminal to ask at.
    """
    proposal = propose(profile, options)
    target = options.target
    horizon = options.horizon
    rows = proposal.horizon * proposal.step
    asks = target is None and len(profile.targets) > 1
    if (asks or horizon is None) and not sys.stdin.isatty():
        flags = f"--target {shlex.quote(proposal.target)} --horizon {rows}"
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
            default=proposal.target,
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
