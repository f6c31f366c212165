"""Fetch or generate the raw data of a source into data/raw/SOURCE."""

import contextlib
import sys
import time
from collections.abc import Iterator
from os import environ
from pathlib import Path

from pipeline import params, registry
from pipeline.errors import UnrollError
from pipeline.sources import Context
from pipeline.storage import Workspace, atomic_folder, sha256, write_json
from pipeline.transfer import Progress
from stages import alone
from stages.progress import QUIET, duration

FACTS = "source.json"
MEGA = 1e6


def source(workspace: Workspace, name: str) -> Path:
    """Fill data/raw/NAME, whole or not at all; a file that was half fetched is resumed by the next call.

    The environment's UNROLL_MIRROR names a folder or base address that is asked before official addresses.

    Args:
        workspace: where params.yaml is.
        name: the source.

    Returns:
        The folder that was written: the files and source.json, which has their bytes and hashes.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: a file cannot be had or is damaged, or another process is at the same source.
    """
    section = params.load(workspace.params).source(name)
    produce = registry.module("sources", section.kind, f"params.yaml: sources.{name}.kind").produce
    options = registry.options(produce, section.options, f"sources.{name}")
    folder = workspace.raw(name)
    try:
        # Two processes must not add to one half-fetched file.
        with (
            alone.at(workspace, "source", name),
            _on_screen() as progress,
            atomic_folder(folder, workspace.scratch) as temporary,
        ):
            mirror = environ.get("UNROLL_MIRROR") or None
            produce(temporary, Context(name, workspace.root, workspace.scratch, mirror, progress), **options)
            _describe(temporary, name, section.kind)
    except OSError as error:
        raise UnrollError(
            f"source {name}: {error.strerror or error} ({error.filename or folder}); check permissions and free space"
        ) from None
    return folder


def _describe(folder: Path, name: str, kind: str) -> None:
    if (folder / FACTS).exists():
        raise UnrollError(f"source {name}: {FACTS} is a name that Unroll uses itself; rename that file")
    facts = {file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in sorted(folder.iterdir())}
    write_json(folder / FACTS, {"name": name, "kind": kind, "stand_in": kind == "stand_in", "files": facts})


@contextlib.contextmanager
def _on_screen() -> Iterator[Progress]:
    """A bar per file with bytes, speed and time left; plain lines where the output is not a terminal."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done, total=total)

        yield progress


def _plain() -> Progress:
    started: dict[str, tuple[float, int]] = {}
    shown: dict[str, float] = {}

    def progress(file: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        since, before = started.setdefault(file, (now, done))
        if now - shown.setdefault(file, now) < QUIET and done != total:
            return
        shown[file] = now
        line = f"{file}  {done / MEGA:.1f} MB"
        if total and before < done < total:
            left = duration((now - since) / (done - before) * (total - done))
            line = f"{file}  {done / MEGA:.1f} of {total / MEGA:.1f} MB  {left} left"
        print(line, file=sys.stderr, flush=True)

    return progress
