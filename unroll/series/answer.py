"""The answer for a user's own series: the scores of all models, whether recurrence
helps, and the forecast.

`read`, `propose` and `answer` are called in this order. `answer` alone does all three.
"""

import os
import secrets
import shutil
import sys
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from pipeline.errors import UsageError, printable
from pipeline.files import (
    write_json,
    write_parquet,
)
from pipeline.processes import Server
from pipeline.provenance import fingerprint
from pipeline.validation import validated
from unroll.series import fits, seal
from unroll.series.compared import compare
from unroll.series.fits import Say, Workers
from unroll.series.options import (
    OF_FITS,
    Arguments,
    Options,
    explained,
    is_title,
    takes,
)
from unroll.series.question import Proposal
from unroll.series.question import propose as propose_options
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import FileProfile, described
from unroll.series.reading.series_names import LONG_FORMAT
from unroll.series.row_options import CsvFormat
from unroll.series.saved import (
    SECONDS,
    TABLE,
    Answer,
    Findings,
    typed,
)
from unroll.series.user_data import (
    Data,
    is_table,
    keep,
    paths_of,
    plain_name,
    rows_of,
)


@takes(Options)
def read(data: Data, **options: Any) -> FileProfile:
    """Read the rows of a series, and find out how they are written and spaced.

    Args:
        data: a DataFrame, or a table of polars or pyarrow; the path of a CSV, Parquet or
            .xlsx file; or several files of one form. Several series are told apart by a column, such as unique_id.
        options: those of `answer`. What is left out is detected.

    Returns:
        The profile of the rows, for `propose` and `answer`.

    Raises:
        UsageError: an option is wrong, or something can be read in two ways; the text
            names the option that decides.
        UnrollError: the rows cannot be used; the text says why and what would help.
    """
    asked = validated(Options, options, "unroll.read")
    if is_table(data):
        return detect(rows_of(data, CsvFormat()), asked)
    return detect(paths_of(data), asked)


@takes(Options)
def propose(profile: FileProfile, **options: Any) -> Proposal:
    """Return the question that the rows are asked: target, horizon, lookback and more.

    Args:
        profile: the rows, as `read` returns them.
        options: those of `answer`, besides the ones that `read` got. What is left out is
            proposed; `Proposal.reasons` says why.

    Raises:
        UsageError: the target or another column does not exist, or rows and timesteps
            do not go together.
        UnrollError: no column can be forecast.
    """
    if not isinstance(profile, FileProfile):
        raise UsageError(
            f"the rows must be what unroll.read returns. Received: {profile!r:.60}"
        )
    every = {**profile.asked.given, **options}
    return propose_options(profile, validated(Options, every, "unroll.propose"))


@takes(Arguments)
def answer(
    data: Data | FileProfile,
    question: Proposal | None = None,
    *,
    say: Say | None = None,
    in_process: bool = False,
    **options: Any,
) -> Answer:
    """Compare models on a series at cutoffs of its past, and fit the best model.

    The same call goes on where it was stopped: fitted models lie in the user's cache
    folder.

    >>> answer = unroll.answer(frame, target="load", horizon=24)
    >>> print(answer.sentence)
    >>> answer.forecast(levels=0.9)

    The same in steps, to look at what is proposed before it is computed:

    >>> rows = unroll.read(frame)
    >>> question = unroll.propose(rows, target="load")
    >>> answer = unroll.answer(rows, question)

    Args:
        data: a DataFrame, or a table of polars or pyarrow; the path of a CSV, Parquet or
            .xlsx file; several files of one form; or what `read` returns. Several series
            are told apart by a column, such as unique_id.
        question: what `propose` returns; by default it is proposed by the options. With
            a question only options of the fits are left: models, without, networks,
            minutes, name and jobs.
        say: called with lines of progress; by default they go to standard error.
        in_process: whether models are fitted in this process, one after the other, and
            not in processes of their own. A debugger sees them then.
        options: see below. What is left out is proposed by the rows.

    Returns:
        An `Answer`: its `sentence`, its table of `models`, the `forecasts` from all
        cutoffs, `forecast()` for what comes next, and `save()`.

    Raises:
        UsageError: an argument is wrong; the text says what was expected and received.
        UnrollError: the rows cannot be used; the text says why and what would help.
    """
    asked = _asked(question, options)
    folder, lock = _scratch()
    say = say or _to_stderr
    try:
        # the server imports while the rows are read
        processes = nullcontext() if in_process else Server(fits.PRELOAD)
        with fits.kept() as kept, processes as server:
            profile = data
            if not isinstance(profile, FileProfile):
                profile = read(profile, **_options_of(asked))
                for line in described(profile):
                    say(line)
            files = keep(profile.file, folder)
            seal.require_plain(folder)  # now, not after all models are fitted
            proposal = question or propose(profile, **_options_of(asked))
            for line in proposal.guesses:
                say(line)
            jobs = asked.jobs or os.cpu_count() or 1
            workers = Workers(server, jobs, asked.minutes, say)
            name = _name(asked, profile)
            weights = folder / "weights"
            found = compare(name, profile, proposal, asked, weights, kept, workers)
        findings = Findings(
            name=name,
            files=files,
            asked=Options.model_validate(_options_of(asked)),
            code=fingerprint.package(),
            target=proposal.target,
            horizon=proposal.horizon,
            step=proposal.step,
            board=found.board,
            titles=found.titles,
            models_left_out=found.models_left_out,
            mostly_zero=found.mostly_zero,
            series_left_out={**found.series_left_out},
            integers=_integers(profile, name),
        )
        forecasts = typed(found.forecasts, findings.integers)
        found.forecaster.save(folder)
        write_parquet(folder / TABLE, forecasts)
        write_json(folder / SECONDS, {**found.seconds})
    except BaseException:
        _remove(folder, lock)
        raise
    # `by_model` makes further answers with these forecasts, which need the folder, too.
    weakref.finalize(forecasts, _remove, folder, lock)
    rows = replace(profile.file, form=found.forecaster.fitted.csv)
    return Answer(findings, forecasts, found.forecaster, folder, found.seconds, rows)


answer.__doc__ = f"{answer.__doc__}\n    Options:\n{explained(Arguments)}\n"


def _asked(question: Proposal | None, options: Mapping[str, Any]) -> Arguments:
    """Return all options that the user gave, to `propose` and to `answer`.

    Raises:
        UsageError: an option is wrong, or belongs to the question that was proposed.
    """
    if question is None:
        return validated(Arguments, options, "unroll.answer")
    if not isinstance(question, Proposal):
        raise UsageError(
            f"question must be what unroll.propose returns. Received: {question!r:.60}"
        )
    late = [name for name in options if name not in OF_FITS]
    if late:
        raise UsageError(
            f"{late[0]} is part of the question; pass it to unroll.propose, or leave the "
            "question out"
        )
    every = {**question.asked.given, **options}
    return validated(Arguments, every, "unroll.answer")


def _options_of(asked: Arguments) -> dict[str, Any]:
    """Return the options that were given, without those of `answer` alone."""
    return asked.model_dump(exclude_defaults=True, exclude={"name", "jobs"})


def _scratch() -> tuple[Path, FileLock]:
    """Return a new temporary folder and its lock, which the system releases if this
    process is killed; and remove the folders of processes that were.
    """
    temporary = Path(tempfile.gettempdir())
    for left in temporary.glob("unroll-answer-*.lock"):
        lock = FileLock(left)
        with suppress(Timeout, OSError):  # in use; of another user
            lock.acquire(timeout=0)
            _remove(left.with_suffix(""), lock)
    folder = temporary / f"unroll-answer-{secrets.token_hex()}"
    # in whichever thread the answer ends
    lock = FileLock(folder.with_suffix(".lock"), thread_local=False)
    lock.acquire()
    folder.mkdir(mode=0o700)
    return folder, lock


def _remove(folder: Path, lock: FileLock) -> None:
    """Remove a folder, and the lock that this process holds."""
    shutil.rmtree(folder, ignore_errors=True)
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _name(asked: Arguments, profile: FileProfile) -> str:
    """Return the name of the series: as asked, as the long format says, or the file's."""
    if asked.name is not None:
        return asked.name
    if len(profile.series) == 1 and is_title(profile.series[0]):
        return profile.series[0]
    return plain_name(profile.file)


def _integers(profile: FileProfile, name: str) -> str:
    """Return the type of the series' names if they are integers in Parquet; else "".

    A single series may have another name.
    """
    if not profile.file.typed or not profile.series:
        return ""
    if profile.series_id is None and name != profile.series[0]:
        return ""
    cells = profile.file.cells
    for column in (profile.series_id, *LONG_FORMAT):
        if column in cells.columns:
            kind = cells[column].dtype
            return str(kind).lower() if pd.api.types.is_integer_dtype(kind) else ""
    return ""


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
