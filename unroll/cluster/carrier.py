"""Outputs of stages on their way between machines, through DVC's remote: nothing large goes through the scheduler."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import remove
from unroll.runner.display import say
from unroll.runner.dvc_graph import Dvc, entry

TRIES, PAUSE = 8, 15.0
"""How often a remote is asked, and seconds between: what took hours to make waits minutes."""


@dataclass(frozen=True)
class StageOutputs:
    """What a stage has made, on its way to another machine; what DVC's cache holds is in the remote.

    Attributes:
        entry: the stage's entry of dvc.lock.
        files: path -> content, of what git keeps in place of DVC.
    """

    entry: dict[str, Any]
    files: dict[str, bytes]


class Carrier:
    """Sends outputs to the default remote, and takes from there what was made elsewhere.

    A transfer may take longer than a plain `dvc` waits for DVC's lock, so it happens outside of it.
    If not `patient`, it waits for a remote only once that has answered: it may be misspelt.
    """

    def __init__(self, dvc: Dvc, *, patient: bool = False) -> None:
        self._dvc, self._patient = dvc, patient

    def send(self, name: str) -> StageOutputs:
        """Copy a stage's outputs to the default remote, for a `take` elsewhere.

        Raises:
            UnrollError: there is no remote, or it does not take them.
        """
        stage = self._dvc.stages[name]
        with self._dvc.locked(name):
            if not stage.outs_cached():
                stage.commit()
        self._try(name, lambda: len(self._dvc.repo.cloud.push(_objects(stage)).failed))
        in_git = [Path(out.fspath) for out in stage.outs if not out.use_cache]
        files = [file for path in in_git for file in (path, *path.rglob("*")) if file.is_file()]
        root = Path(self._dvc.repo.root_dir)
        return StageOutputs(entry(stage), {file.relative_to(root).as_posix(): file.read_bytes() for file in files})

    def take(self, name: str, outputs: StageOutputs) -> None:
        """Put a stage's outputs, made elsewhere, in their places.

        Raises:
            UnrollError: there is no remote, or it lacks some.
        """
        from dvc.stage.loader import StageLoader

        if self._dvc.remote_entries.get(name) == outputs.entry:
            return
        stage, repo = self._dvc.stages[name], self._dvc.repo

        def pull(objects: set[Any]) -> int:
            repo.cloud.pull(objects)
            return sum(not repo.cache.local.exists(content.value) for content in objects)

        StageLoader.fill_from_lock(stage, outputs.entry)
        lists = {out.hash_info for out in stage.outs if out.use_cache}
        self._try(name, lambda: pull(lists) or pull(_objects(stage)))  # DVC hides why a folder's list does not come
        with self._dvc.locked(name):
            stage.checkout(force=True)
        for out in stage.outs:
            if not out.use_cache:  # a folder may hold what the new one does not
                remove(Path(out.fspath))
        for relative, content in outputs.files.items():
            path = Path(repo.root_dir) / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._dvc.remote_entries[name] = outputs.entry

    def _try(self, name: str, move: Callable[[], int]) -> None:
        """Push or pull what a stage has in DVC's cache; `move` returns how many files did not get through.

        Raises:
            UnrollError: the remote does not do it, for some minutes if this carrier is patient.
        """
        why = ""
        for attempt in range(TRIES if self._patient else 1):
            if attempt == 1:
                say(f"DVC's remote is away ({why}); it is asked again for {TRIES * PAUSE / 60:.0f} minutes")
            if attempt:
                time.sleep(PAUSE)
            try:
                failed = move()
                why = f"{failed} files of {name} did not get through"
                if failed:  # DVC takes a remote that is gone for an empty one
                    remote = self._dvc.repo.cloud.get_remote()
                    remote.fs.ls(remote.path)
            except Exception as error:  # noqa: BLE001 - each kind of remote has its own
                failed, why = 1, one_line(str(error)) or type(error).__name__
            if not failed:
                self._patient = True
                if attempt:
                    say("DVC's remote is back")
                return
            self._dvc.require_room()  # a full disk here is not the remote's fault
        raise UnrollError(f"DVC's remote does not work ({why}); check its address, keys and room, then run this again")


def _objects(stage: Any) -> set[Any]:
    """What DVC's cache has of a stage's outputs."""
    return set().union(*stage.get_used_objs().values())
