"""DVC's part of a build: which stages are due, what DVC's cache has of them, and what it is told when they end.

DVC runs one stage after the other. Here it says what to run and keeps the results, in one process for the whole build;
the commands run side by side (`scheduler`, `processes`).
"""

import contextlib
import errno
import itertools
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import atomic_file, write_text
from pipeline.locks import alive
from pipeline.workspace import Workspace
from stages.progress import CLEAR
from stages.resolve import resolve
from unroll.runner.scheduler import Graph

LOCK = "dvc.lock"

LOCK_HEAD = "schema: '2.0'\nstages:\n"
"""What DVC writes above the entries of dvc.lock."""

ENTRY = re.compile(r"(?m)^  ([\w@.-]+):\n")
"""How DVC writes the first line of an entry; the others are indented further."""

ROOM = 16 * 1024**2
"""Bytes that must be free: on a full disk DVC tries for ever to write its notes, deaf to Ctrl-C."""

HOLD, PAUSE = 1.5, 0.7
"""Seconds of holding DVC's lock after which it is left free, and how long: others ask each half second, for three."""


class BusyError(UnrollError):
    """Another DVC is at work on the files of a stage, which has to be tried again."""


class Dvc:
    """A DVC workspace, while it is open (`opened`). The stage `resolve` is brought up to date when it is opened.

    Attributes:
        repo: the workspace, as a class of DVC's own.
        stages: name -> a stage, as a class of DVC's own; of all but `resolve`.
        graph: what was up to date when it was opened.
        remote_entries: stage that was built on another machine -> its entry of dvc.lock there.
        restored: stages whose outputs DVC's cache had.
    """

    def __init__(self, repo: Any) -> None:
        from dvc.exceptions import DvcException
        from dvc.repo.reproduce import get_active_graph, plan_repro

        self.repo = repo
        self.require_room()
        self.remote_entries: dict[str, dict[str, Any]] = {}
        self.restored: set[str] = set()
        self._built: list[Any] = []
        self._waiting: set[str] = set()  # stages of which the user was told that they wait for another DVC
        self._inputs: dict[str, set[tuple[Path, int]]] = {}  # of each stage as it began
        self._locked_seconds = 0.0
        self._ran_before = Path(repo.stage_cache.cache_dir).is_dir()
        try:
            graph = get_active_graph(repo.index.graph)  # this takes longer than others wait for the lock
        except DvcException:
            with self.locked():  # then nobody has half-written dvc.lock
                graph = get_active_graph(repo.index.graph)
        self.stages = {stage.addressing: stage for stage in plan_repro(graph)}
        self._order = list(self.stages)
        self._resolve()
        # `repo.status` would read all files of DVC's a second time, and hold its lock all the while.
        status = {name: self._status(stage) for name, stage in self.stages.items() if _in_lock(stage)}
        needs: dict[str, Sequence[str]] = {
            name: [need.addressing for need in graph.successors(stage) if need.addressing in self.stages]
            for name, stage in self.stages.items()
        }
        changed = frozenset(name for name in self.stages if status.get(name, True))
        self.graph = Graph(needs, changed, frozenset(name for name in changed if _absent(status.get(name, {}))))

    def begin(self, name: str, *, force: bool = False) -> str:
        """Make room for a stage's outputs; the command that makes them, "" if DVC's cache had them (and not `force`).

        Called again, it says the same.

        Raises:
            BusyError: another DVC is at work on the stage or what it needs.
            UnrollError: DVC refuses.
        """
        from dvc.exceptions import DvcException
        from dvc.stage.cache import RunCacheNotFoundError
        from dvc_data.hashfile.hash_info import HashInfo

        stage = self.stages[name]
        self.remote_entries.pop(name, None)
        self.restored.discard(name)
        with self.locked(name, wait=False):
            stage.remove_outs()
            # To look for what was never kept takes DVC a tenth of a second.
            if not force and (self._ran_before or _in_lock(stage)):
                try:
                    self.repo.stage_cache.restore(stage)
                except DvcException as error:
                    # It has hashed the dependencies: dvc.lock's outputs would count as made of them the next time.
                    for out in stage.outs:
                        out.hash_info = HashInfo()
                    if not isinstance(error, RunCacheNotFoundError):
                        raise
                else:
                    self._keep(stage)
                    self.restored.add(name)
                    return ""
            self._inputs[name] = self._input_files(name)
        return str(stage.cmd)

    def finish(self, name: str, status: int = 0) -> bool:
        """Take the outputs of a stage into DVC's cache, if it has ended well; errors as in `begin`, or one is missing.

        False: another DVC has written anew what it needs, with the same bytes perhaps, so it may have read half of it.
        """
        with self.locked(name, wait=False):
            undisturbed = self._inputs[name] == self._input_files(name)
            if undisturbed and status == 0:
                self._keep(self.stages[name])
        return undisturbed

    def close(self) -> None:
        """Write what was built to dvc.lock, in the order of a sequential build, without stages that are gone.

        Once, since DVC parses and writes all of it each time. After a kill, its cache of runs has what was not written.
        """
        from dvc.dvcfile import Lockfile

        lock = Path(self.repo.root_dir) / LOCK
        with self.locked():
            if self._built:
                with atomic_file(lock) as new:  # DVC would write it in place, and a kill then cut it off
                    if lock.exists():
                        shutil.copyfile(lock, new)
                    Lockfile(self.repo, str(new)).dump_stages(self._built)
            _order_entries(lock, self._order)

    def _resolve(self) -> None:
        """Bring up to date what tells DVC what stages depend on, before it is asked which have changed."""
        if (stage := self.stages.get("resolve")) and self._status(stage):
            with self.locked("resolve"):
                resolve(Workspace(Path(self.repo.root_dir)))
                self._keep(stage)
        self.stages.pop("resolve", None)

    def _status(self, stage: Any) -> dict[str, Any]:
        """What DVC says against a stage: also that another one is at work on it."""
        with contextlib.suppress(BusyError), self.locked():
            return dict(stage.status())
        return {stage.addressing: ["busy"]}

    def require_room(self) -> None:
        """Raises OSError if DVC could not write its notes."""
        for folder in (self.repo.root_dir, self.repo.site_cache_dir):
            if shutil.disk_usage(folder).free < ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)

    def _keep(self, stage: Any) -> None:
        # As `dvc repro` does: what git keeps, but for metrics and plots, is in no cache of runs.
        in_git = any(not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot))
        stage.save(run_cache=False)
        remote_entry = self.remote_entries.get(stage.addressing)
        if remote_entry and remote_entry != entry(stage):
            raise UnrollError("what it depends on was edited here while it was built elsewhere; run this again")
        if not in_git:
            self.repo.stage_cache.save(stage)
        stage.commit()
        self._built.append(stage)

    @contextlib.contextmanager
    def locked(self, name: str = "", *, wait: bool = True) -> Iterator[None]:
        """Hold DVC's lock, and a stage's as a plain `dvc repro` does; another DVC in the workspace is waited for.

        Raises:
            BusyError: another one holds the stage's, and is not to be waited for.
            UnrollError: DVC does not do what is asked in the block.
        """
        from dvc.lock import LockError
        from dvc.rwlock import rwlock

        repo = self.repo
        entries = Path(repo.tmp_dir) / "rwlock"
        with _explained(), contextlib.ExitStack() as locks:
            self.require_room()
            while True:
                if self._locked_seconds > HOLD:
                    time.sleep(PAUSE)
                    self._locked_seconds = 0.0
                try:
                    repo.lock.lock()
                    locks.callback(self._unlock, time.monotonic())
                    if entries.exists() and not entries.read_bytes().endswith(b"}"):
                        entries.unlink()  # cut off by a kill; DVC would refuse everything from then on
                    if name:
                        stage = self.stages[name]
                        reads, writes = ([file.fs_path for file in files] for files in (stage.deps, stage.outs))
                        hardlink = repo.config["core"].get("hardlink_lock", False)
                        # The command is DVC's own word for this process: within, it lets itself in again.
                        locks.enter_context(rwlock(repo.tmp_dir, repo.fs, " ".join(sys.argv), reads, writes, hardlink))
                    break
                except LockError as error:
                    others = dict.fromkeys(re.findall(r"\(PID (\d+)\)", str(error)))
                    if others and not any(alive(int(number), time.time()) for number in others):
                        entries.unlink()  # DVC waits for zombies, which in a container may stay for good
                    locks.close()
                    if name not in self._waiting:
                        who = f" (process {', '.join(others)})" if others else ""
                        start = f"{CLEAR if sys.stderr.isatty() else ''}{name or 'this'}"
                        print(f"{start} waits for another `dvc`{who}", file=sys.stderr, flush=True)
                        self._waiting.add(name)
                    self._ran_before = True  # the other one may have, by now
                    if others and not wait:
                        raise
                    time.sleep(PAUSE)
            self._waiting.discard(name)
            yield

    def _unlock(self, since: float) -> None:
        self.repo.lock.unlock()
        self._locked_seconds += time.monotonic() - since

    def _input_files(self, name: str) -> set[tuple[Path, int]]:
        """The files of the stages that a stage needs, and when each was written."""
        roots = [Path(out.fspath) for need in self.graph.needs[name] for out in self.stages[need].outs]
        files = [path for root in roots for path in (root, *root.rglob("*")) if path.is_file()]
        return {(path, path.stat().st_mtime_ns) for path in files}


def _order_entries(lock: Path, stages: Sequence[str]) -> None:
    """Put the entries of dvc.lock in the order of `stages`, and take out those of others; DVC appends as they come.

    As text: to parse the file of a hundred stages and write it again takes DVC two seconds.
    """
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    if not text.startswith(LOCK_HEAD):
        return
    starts = [*(match.start() for match in ENTRY.finditer(text)), len(text)]
    entries = {text[start:end].strip().partition(":")[0]: text[start:end] for start, end in itertools.pairwise(starts)}
    ordered = [entries[stage] for stage in stages if stage in entries]
    if ordered and ordered != list(entries.values()):
        write_text(lock, LOCK_HEAD + "".join(ordered))


def _in_lock(stage: Any) -> bool:
    """Whether dvc.lock has its outputs. If not, DVC would look at all files that it depends on, to say the same."""
    return all(out.hash_info for out in stage.outs)


def _absent(status: dict[str, Any]) -> bool:
    """Whether all that DVC says against a stage is that files are not there; not of one that it has no entry of."""
    changes = [change for side in status.values() for change in side]
    if not all(isinstance(change, dict) for change in changes):
        return False
    states = {state for change in changes for files in change.values() for state in files.values()}
    return bool(states) and states <= {"deleted", "not in cache"}


def entry(stage: Any) -> dict[str, Any]:
    """A stage's entry of dvc.lock."""
    from dvc.stage.serialize import to_single_stage_lockfile

    # Not DVC's own classes: it is compared, and goes to other machines.
    copy: dict[str, Any] = json.loads(json.dumps(to_single_stage_lockfile(stage)))
    return copy


@contextlib.contextmanager
def opened(root: Path) -> Iterator[Dvc]:
    """Open the DVC workspace at `root`; nothing is run.

    Raises:
        UnrollError: there is none, or dvc.yaml does not parse.
    """
    if os.fsencode(root) != str(root).encode(errors="replace"):
        raise UnrollError(f"DVC cannot work in a folder whose name is not UTF-8; rename {root}")
    # DVC names stages as seen from the current folder.
    with contextlib.chdir(root), contextlib.ExitStack() as stack:
        with _explained():
            dvc = Dvc(stack.enter_context(_repo(root)))
        yield dvc


def read(root: Path) -> Graph:
    """The graph of the workspace at `root`. Errors as in `opened`."""
    with opened(root) as dvc:
        return dvc.graph


def cache(root: Path) -> Path:
    """Where DVC keeps contents in a workspace."""
    with _repo(root) as repo:
        return Path(repo.cache.local.path)


def _repo(root: Path) -> Any:
    """The workspace, as a class of DVC's own; with its notes in there, where the user has no folder for them."""
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)  # not before the import, which sets another one
    if not os.environ.get("DVC_SITE_CACHE_DIR"):
        notes = Workspace(root).scratch / "dvc"
        notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["DVC_SITE_CACHE_DIR"] = str(notes)
        if not Path(os.environ.get("HOME", "/")).is_dir():  # else DVC asks for its settings in there
            os.environ.setdefault("DVC_GLOBAL_CONFIG_DIR", str(notes))
    return Repo(str(root))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """DVC's errors as one line each."""
    from dvc.dirs import site_cache_dir
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.utils.serialize import ParseError
    from dvc.utils.strictyaml import YAMLValidationError

    try:
        yield
    except (ParseError, YAMLValidationError) as error:
        if Path(error.path).name != LOCK:
            raise UnrollError(f"DVC: {error}") from None
        raise UnrollError(
            f"{LOCK} is damaged; restore it (`git checkout {LOCK}`) or delete it, then run this again: "
            "what lies in DVC's cache is not trained anew"
        ) from None
    except sqlite3.Error as error:
        raise UnrollError(
            f"DVC's notes on the files that it has seen cannot be used ({error}); make room on the disk, or delete "
            f"{site_cache_dir()}/repo, which DVC fills anew, then run this again"
        ) from None
    except LockError as error:
        raise BusyError(f"DVC: {one_line(str(error))}") from None
    except DvcException as error:
        raise UnrollError(f"DVC: {one_line(str(error))}") from None
