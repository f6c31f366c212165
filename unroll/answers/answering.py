"""The command `answer`: asks the library, keeps what it made, and says it at once next
time.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UnknownAheadError, UnrollError, UsageError, printable
from pipeline.workspace import Workspace
from series.answer import SECONDS, Answer, load
from series.answer import answer as answer_series
from series.options import Options
from series.source import LONGEST_NAME, slug
from unroll.answers import asked, asking, entries, pages
from unroll.answers.entries import Entry
from unroll.answers.find import folder_of
from unroll.repro import repro, require_built


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
    """Answer a series: of files, or one that was answered before or stands in
    params.yaml.

    Args:
        workspace: the folder that the command is about.
        names: paths of files, or one name.
        options: what is asked.
        folder: of the answer; by default NAME in the workspace.
        name: of the series; by default that of the file.
        yes: whether what is open is proposed, not asked.
        jobs: models that are fitted at a time.

    Raises:
        UsageError: a name or an option is wrong, or a folder holds something else.
        UnrollError: the rows cannot be used.
    """
    series = entries.load(workspace)
    if names[0] in series:
        if options.given:
            where = f"{entries.SECTION}.{names[0]}"
            raise UsageError(
                f"params.yaml says what is asked of {names[0]}; edit {where} there"
            )
        return of_entry(workspace, names[0], series[names[0]], jobs=jobs)
    files = [Path(name) for name in names]
    known = folder_of(names[0], workspace)
    if known is not None and not files[0].is_file():
        files = asked.read(known).paths(known)
        return of_files(known, known.resolve().name, files, options, yes=yes, jobs=jobs)
    name = name_of(files, name)
    return of_files(
        folder or workspace.root / name, name, files, options, yes=yes, jobs=jobs
    )


def name_of(files: Sequence[Path], name: str | None) -> str:
    """Return the name of a series: as given, else that of its file, or of the folder of
    several.

    Raises:
        UsageError: the name has other characters than small letters, digits and _.
    """
    if name is None:
        path = files[0].resolve()
        text = path.stem if len(files) == 1 else path.parent.name
        name = slug(text)
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}", name):
        letters = f"small letters, digits and _, a letter first, up to {LONGEST_NAME}"
        raise UsageError(f"pass --name with {letters}. Received: {name!r:.60}")
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
    """Answer a series in a folder of its own; arguments and errors as of `answer`.

    With the same files, options and code as before, the answer is only read. Without
    any option, the options are those of before.
    """
    before = asked.before(folder, files)
    if before is not None and not options.given:
        options = before.options
        yes = True
    now = asked.now(folder, files, options)
    if now == before:
        return load(folder)
    if not yes and None in {options.target, options.horizon}:
        options = asking.settled(asking.look(files, options), options, yes=False)
        now = now.model_copy(update={"options": options})
    is_new = not folder.exists()
    asked.write(folder, now.model_copy(update={"answered": False}))
    try:
        made = _made(
            folder, name, files, options, cache=folder / asked.CACHE, jobs=jobs
        )
    except UnrollError:
        if is_new:
            shutil.rmtree(folder)
        raise
    asked.write(folder, now)
    return made


def of_entry(workspace: Workspace, name: str, entry: Entry, *, jobs: int) -> Answer:
    """Answer a series of params.yaml into answers/NAME: as a stage of DVC here, else by
    DVC.

    What is written has the same bytes each time, unless there is a time budget.

    Raises:
        UnrollError: the rows cannot be used.
    """
    folder = entries.folder(workspace, name)
    if "DVC_STAGE" not in os.environ:
        os.environ["UNROLL_JOBS"] = str(jobs)
        status = repro(workspace, [f"answer@{name}"], quiet=True)
        require_built(workspace, status, name)
        return load(folder)
    files = entries.files(workspace, entry)
    options = Options.model_validate(entry.model_dump(exclude={"file"}))
    cache = entries.cache(workspace, name)
    return _made(folder, name, files, options, cache=cache, jobs=jobs, seconds=False)


def _made(
    folder: Path,
    name: str,
    files: Sequence[Path],
    options: Options,
    *,
    cache: Path,
    jobs: int,
    seconds: bool = True,
) -> Answer:
    """Let the library answer, and write all files of the answer into its folder."""
    made = answer_series(
        files, **options.given, name=name, jobs=jobs, cache=cache, say=_say
    )
    made.save(folder)
    if not seconds:
        (folder / SECONDS).unlink(missing_ok=True)
    saved = load(folder)
    with contextlib.suppress(UnknownAheadError):  # the answer stands without a forecast
        pages.write(saved)
    return saved


def _say(line: str) -> None:
    print(printable(line), flush=True)
