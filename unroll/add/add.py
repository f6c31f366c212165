"""The command `add`: look at a file, ask what is to be forecast, try it, and write it to params.yaml."""

import fnmatch
import os
import re
import shlex
import string
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os.path import commonprefix
from pathlib import Path
from typing import Any

import numpy as np
import typer

from pipeline import locks
from pipeline.config import params, plain_yaml, registry
from pipeline.data.dataset import Dataset
from pipeline.data.series import holidays_of
from pipeline.data.series_options import Windowing
from pipeline.data.timestamps import DAY, shown
from pipeline.errors import UnrollError, UnusableSeriesError, UsageError, one_line, printable
from pipeline.files import scratch_folder, write_text
from pipeline.validation import one_of, utf_8
from pipeline.workspace import Workspace
from series import backtest
from series.question import REFITS, Proposal, Wanted, entries, likely_target, propose
from series.reading.detect import detect
from series.reading.profile import FileProfile, Overrides
from stages import progress

LONGEST_NAME = 40
"""Characters, so that the experiments' names are not too long."""

MANY_LOST = 0.05
"""Windows lost, relative to the others, that are worth a line."""


def add(workspace: Workspace, files: Sequence[Path], wanted: Wanted, overrides: Overrides) -> str:
    """Add a series, of a file or several of one form and one folder, to params.yaml; the name of the data set.

    Raises:
        UsageError, UnrollError: nothing was written.
    """
    before = params.load(workspace.params)
    folder, pattern, section = _place(workspace, files)
    usual = files[0].stem if len(files) == 1 else folder.name
    name = _name(usual if wanted.name is None else wanted.name, before, given=wanted.name is not None)
    with progress.files() as shown:
        profile = detect([folder / file.name for file in files], replace(overrides, target=wanted.target), shown)
    print(*lines(profile), sep="\n", flush=True)
    if not _with_workspace(workspace.root, folder):
        print(f"git       does not keep {files[0].name}, so no clone can build it; copy it into this repository first")
    proposal = _ask(profile, wanted)
    if why := proposal.reasons.get("target"):
        print(f"guessed   target: {printable(proposal.target)}, {why}", flush=True)
    if wanted.future and profile.series_id:
        raise UsageError(
            f"--future is for one series; {files[0].name} has {len(profile.series)}, by {profile.series_id!r}"
        )
    for column in wanted.future:
        others = [other for other in profile.targets if other != proposal.target]
        one_of(column, others, "--future, a column of numbers besides the target")
    if wanted.holidays:
        holidays_of(wanted.holidays, np.array([profile.last]))
    tried = partial(_tried, workspace, name, section, pattern, folder, profile)
    busy = f"another `unroll add` writes {workspace.params}; wait until it has ended"
    with locks.alone(workspace.scratch / "params.lock", busy, patience=-1):
        _name(name, params.load(workspace.params), given=True)  # another may have taken it meanwhile
        try:
            text, experiments, prepared = tried(proposal)
        except UnusableSeriesError as error:
            if error.every:
                raise UnrollError(f"{files[0].name}: none of the series can be used ({error.why}); add rows") from None
            print(printable(f"left out  {len(error.reasons)} of {len(profile.series)} series: {error.why}"), flush=True)
            text, experiments, prepared = tried(replace(proposal, leave_out=[*error.reasons]))
        write_text(workspace.params, text)
    count = len(backtest.windows(prepared))
    lost = prepared.facts.get("windows lost to gaps", 0)
    if lost > MANY_LOST * count:
        print(f"lost      {lost:,} of {lost + count:,} windows, over gaps in the rows")
    size = f" of {proposal.step} rows" if proposal.step > 1 else ""
    print(
        f"\n{name}: {count:,} windows of {proposal.lookback} timesteps{size} for the next {proposal.horizon}.\n"
        f"Written to params.yaml: {', '.join(experiments)}."
    )
    return name


def _tried(
    workspace: Workspace,
    name: str,
    section: Mapping[str, str],
    pattern: str,
    folder: Path,
    profile: FileProfile,
    proposal: Proposal,
) -> tuple[str, list[str], Dataset]:
    """The text of params.yaml, the experiments, and the data set as it will be prepared: none is written that fails.

    Raises:
        UnrollError: it cannot be prepared or has too few windows; the text says what would help.
        UnusableSeriesError: some of several series cannot be used.
    """
    sections, comments = entries(name, section, pattern, profile, proposal)
    text = plain_yaml.added(workspace.params, sections, comments)
    with scratch_folder(workspace.scratch, "add") as scratch:
        write_text(scratch / workspace.params.name, text)
        after = params.parse(plain_yaml.read(scratch / workspace.params.name), params.templates(workspace.params))
    windows = Windowing(**sections["datasets"][name]["preparation"]["windows"])
    least = backtest.rows_needed(windows, proposal.day, REFITS)
    try:
        with progress.files() as shown:
            prepared: Dataset = registry.preparation(after, name)(name, folder, shown)
        backtest.folds(prepared, after.forecast(name))
    except UnusableSeriesError as error:
        if why := profile.reasons.get("series_id"):
            told = f"its series are told apart by {profile.series_id!r}; {why}"
            raise UnrollError(f"{folder / pattern}: {error.why}; {told}") from None
        raise
    except ValueError as error:
        raise UnrollError(f"{error}; pass other values of --horizon, --lookback or --step") from None
    except UnrollError as error:
        smallest, again = replace(proposal, horizon=1, lookback=1), partial(_tried, workspace, name, section, pattern)
        why = str(error).replace(f"; see datasets.{name}.preparation", "").removesuffix("; add rows")
        if proposal != smallest and _works(partial(again, folder, profile), smallest):
            cure = "pass a smaller --horizon or --lookback"
        elif profile.length < least:
            cure = f"the file has {profile.length:,} rows, and about {least:,} are needed; add rows"
        else:
            cure = "no smaller --horizon or --lookback helps: give other rows, or pass another --target"
        raise type(error)(f"{why}; {cure}") from None
    return text, [f"{name}/{model}" for model in sections["experiments"][name]], prepared


def _works(attempt: Callable[[Proposal], Any], proposal: Proposal) -> bool:
    """Whether an entry for this could be built."""
    try:
        attempt(proposal)
    except UnrollError:
        return False
    return True


def _place(workspace: Workspace, files: Sequence[Path]) -> tuple[Path, str, dict[str, str]]:
    """The folder of the files, their name or pattern, and the entry that says where they lie."""
    for file in files:
        if file.is_dir():
            raise UsageError(f"{file} is a folder; name the files in it")
        if not file.is_file():
            raise UsageError(f"{file} {'is no file that holds data' if os.path.lexists(file) else 'is not there'}")
    folder = files[0].parent.resolve()
    if len(files) == 1:
        return folder, files[0].name, {"path": _relative(workspace, folder / files[0].name)}
    names = sorted({file.name for file in files})
    start, end = map(commonprefix, (names, [name[::-1] for name in names]))
    pattern = f"{start.rstrip(string.digits)}*{end[::-1].lstrip(string.digits)}"  # next decade's files, too
    if any(file.parent.resolve() != folder for file in files) or workspace.root.is_relative_to(folder):
        raise UsageError("files of one series must lie in one folder, below the one of params.yaml or beside it")
    if others := [p.name for p in folder.iterdir() if fnmatch.fnmatchcase(p.name, pattern) and p.name not in names]:
        raise UsageError(f"{folder} has other files that match {pattern}, such as {others[0]}; move them away")
    return folder, pattern, {"path": _relative(workspace, folder), "pattern": pattern}


def _relative(workspace: Workspace, path: Path) -> str:
    near = path.is_relative_to(workspace.root.parent)  # so that both can be moved together
    text = Path(os.path.relpath(path, workspace.root)).as_posix() if near else str(path)
    return utf_8(text)


def _with_workspace(root: Path, folder: Path) -> bool:
    """Whether a folder is in the workspace's git repository, if that is in one."""
    repository = next((parent for parent in [root, *root.parents] if (parent / ".git").exists()), None)
    return repository is None or folder.is_relative_to(repository)


def _name(text: str, before: params.Params, *, given: bool) -> str:
    name = text if given else re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:LONGEST_NAME].strip("_")
    if not name and not given:
        raise UsageError(f"the file's name, {text!r:.60}, has no letter from a to z; pass --name with one that has")
    reserved = r"con|prn|aux|nul|(com|lpt)\d|params|claims|dvc"  # by Windows, and the project's own files
    if not re.fullmatch(rf"(?!({reserved})$)[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}", name):
        letters = f"small letters, digits and _, a letter first, up to {LONGEST_NAME}"
        others = "and none that Windows or this project has for files of its own, such as con and params"
        raise UsageError(f"--name must be {letters}, {others}. Received: {name!r:.60}")
    taken = [*before.sources, *before.datasets]
    if name in taken:
        cure = f", or unroll remove {name}" if name in before.files else ""
        raise UsageError(f"params.yaml has {name} already; pass --name with another{cure}")
    return name


def lines(profile: FileProfile) -> Iterator[str]:
    """What was profile, in words."""
    form = profile.form
    if profile.text:
        marks = {"\t": "tabs", " ": "white space"}.get(form.delimiter, repr(form.delimiter))
        words = [form.encoding, f"columns divided by {marks}", f"decimals by {form.decimal!r}"]
        words += [f"thousands by {form.thousands!r}"] * bool(form.thousands) + ["no header"] * bool(form.names)
        words += ["a row of units"] * bool(form.units_rows)
        words += [f"{form.skip} lines before the header"] * bool(form.skip)
        yield f"text      {', '.join(words)}"
    zone = f", clock of {form.time_zone}" if form.time_zone else ""
    yield f"stamps    {' and '.join(map(printable, form.stamp))}, as {form.stamp_format}{zone}"
    months = profile.freq * 1000 // DAY
    stride = f"{profile.freq:,} seconds apart"
    if profile.calendar == "business":
        stride = "business days"
    elif isinstance(profile.calendar, str):
        _, _, day = profile.calendar.partition(", ")
        stride = ("months" if months == 1 else f"{months} months apart") + (f", {day}" if day else "")
    utc = " (UTC)" if form.time_zone else ""
    yield f"rows      {profile.rows:,}, {shown(profile.first)} to {shown(profile.last)}{utc}, {stride}"
    if isinstance(profile.calendar, dict):
        hours = "; ".join(f"{day} {times}" for day, times in profile.calendar.items())
        outside = f"; {profile.outside:,} rows outside are left out" if profile.outside else ""
        yield f"hours     {hours}, and no others{outside}"
    if profile.series_id:
        names = printable(", ".join(profile.series))
        yield f"series    {len(profile.series)}, by {printable(profile.series_id):.60}: {names:.80}"
    elif profile.repeated or profile.unsorted:
        order = [f"{profile.repeated:,} repeated stamps"] * bool(profile.repeated)
        yield f"order     {', '.join(order + ['rows not in the order of time'] * profile.unsorted)}"
    if profile.gaps:
        longest = max(profile.gaps)
        yield f"gaps      {profile.gaps.total():,}, the longest of {longest:,} row{'s' * (longest > 1)}"
    if profile.missing:
        cells = ", ".join(f"{printable(word) or 'nothing'} {count:,} times" for word, count in profile.missing.items())
        yield f"no value  {cells}"
    for name, column in profile.columns.items():
        if name == profile.series_id:
            continue
        why, sparse = profile.useless(name), profile.columns[name].sparse
        what = (
            f"left out: {why}"
            if why
            else f"from {column.ends[0]:g} to {column.ends[1]:g}"
            if column.numeric
            else "words"
        )
        what += f", {sparse}: left out unless it is the target" * bool(sparse and not why)
        yield f"column    {printable(name):.60}: {what}" + (f", in {column.unit}" if column.unit else "")
    for name, odd in profile.odd.items():
        cure = (
            f"--missing {odd:g}" if profile.alone(name, odd) else "empty such cells, since other columns hold it, too"
        )
        yield f"odd       {printable(name):.60}: {odd:g} lies far from all others; no value? then {cure}"
    for option, why in profile.reasons.items():
        yield f"guessed   {option}: {why}"


def _ask(profile: FileProfile, wanted: Wanted) -> Proposal:
    """What to forecast: as given, else asked, else as proposed."""
    targets, target, open_to_ask = profile.targets, wanted.target, not wanted.yes and sys.stdin.isatty()
    if not targets:
        why = ", ".join(f"{name!r}: {profile.useless(name) or 'words'}" for name in profile.columns)
        raise UnrollError(one_line(f"no column holds numbers to forecast ({why:.300})"))
    if target is None and open_to_ask and len(targets) > 1:
        target = typer.prompt(f"What is to be forecast? ({', '.join(targets)})", default=likely_target(profile)[0])
    if target is not None and target not in targets:
        known = target in profile.columns
        why = f" {target!r} is {profile.useless(target) or 'no column of numbers'}." if known else ""
        raise UsageError(one_line(f"--target must be one of: {', '.join(targets)}.{why} Received: {target!r}"))
    proposal = propose(profile, replace(wanted, target=target))
    sure = target is not None or len(targets) == 1
    if wanted.yes or (sure and None not in (wanted.horizon, wanted.lookback)):
        return proposal
    if not open_to_ask:
        values = {} if sure else {"target": shlex.quote(proposal.target)}
        values |= {"horizon": str(proposal.horizon), "lookback": str(proposal.lookback)}
        lacking = " ".join(f"--{key} {value}" for key, value in values.items() if getattr(wanted, key) is None)
        raise UsageError(one_line(f"pass {lacking} or other values, or --yes to take these"))
    horizon = wanted.horizon or typer.prompt("How many timesteps ahead?", default=proposal.horizon, type=int)
    lookback = wanted.lookback or typer.prompt("From how many back?", default=proposal.lookback, type=int)
    if horizon < 1 or lookback < 1:
        raise UsageError("timesteps ahead and back must be 1 or more")
    chosen = replace(proposal, horizon=horizon, lookback=lookback)
    reasons = {key: why for key, why in proposal.reasons.items() if getattr(chosen, key) == getattr(proposal, key)}
    return replace(chosen, reasons=reasons)
