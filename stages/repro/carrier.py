"""Outputs of stages on their way between machines, through DVC's remote: nothing large goes through the scheduler."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError, one_line
from pipeline.files import atomic_file, remove
from stages.repro.dvc_graph import Dvc, entry

TRIES, PAUSE = 8, 15.0
"""How often a remote that has answered before is asked, and seconds between: what took hours to make waits minutes."""


@dataclass(frozen=True)
class Made:
    """What a stage has made, or a part of one, on its way to another machine; what DVC's cache holds is in the remote.

    Attributes:
        entry: its entry of dvc.lock; of a part `path` and `md5` of its file.
        files: path -> content, of what git keeps in place of DVC.
    """

    entry: dict[str, Any]
    files: dict[str, bytes]


class Carrier:
    """Sends outputs to the default remote, and takes from there what was made elsewhere.

    Args:
        dvc: the workspace that they lie in.
    """

    def __init__(self, dvc: Dvc) -> None:
        self._dvc, self._reached = dvc, False

    def require_remote(self) -> None:
        """Raises UnrollError if there is no default remote."""
        if not self._dvc.repo.config["core"].get("remote"):
            raise UnrollError(
                "a build on a cluster needs a DVC remote that head and workers reach, such as S3 or a shared folder; "
                "name it: dvc remote add --default store s3://BUCKET/PATH"
            )

    def send(self, name: str) -> Made:
        """Copy a stage's outputs to the default remote, for a `take` elsewhere.

        Raises:
            UnrollError: there is no remote, or it does not take them.
        """
        stage = self._dvc.stages[name]
        with self._dvc.locked():
            if not stage.outs_cached():
                stage.commit()
            self._transfer(self._dvc.repo.cloud.push, name, _objects(stage))
        kept = [Path(out.fspath) for out in stage.outs if not out.use_cache]
        files = [file for path in kept for file in (path, *path.rglob("*")) if file.is_file()]
        root = Path(self._dvc.repo.root_dir)
        return Made(entry(stage), {file.relative_to(root).as_posix(): file.read_bytes() for file in files})

    def send_part(self, path: Path) -> Made:
        """As `send`, for a file that is no stage's output."""
        from dvc.fs import localfs
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer

        cache = self._dvc.repo.cache.local
        with self._dvc.locked():
            staged, _, part = build(cache, str(path), localfs, "md5")
            transfer(staged, cache, {part.hash_info}, shallow=False)
            self._transfer(self._dvc.repo.cloud.push, path.name, {part.hash_info})
        return Made({"path": path.relative_to(self._dvc.repo.root_dir).as_posix(), "md5": part.hash_info.value}, {})

    def take(self, name: str, made: Made) -> None:
        """Put a stage's outputs, or the file of a part, made elsewhere, in their places.

        Raises:
            UnrollError: there is no remote, or it lacks some.
        """
        from dvc.stage.loader import StageLoader

        if "md5" in made.entry:
            self._take_part(made.entry["path"], made.entry["md5"])
            return
        if self._dvc.brought.get(name) == made.entry:
            return
        stage = self._dvc.stages[name]
        with self._dvc.locked():
            StageLoader.fill_from_lock(stage, made.entry)
            self._transfer(self._dvc.repo.cloud.pull, name, _objects(stage))
            stage.checkout(force=True)
        for out in stage.outs:
            if not out.use_cache:  # a folder may hold what the new one does not
                remove(Path(out.fspath))
        for path, content in made.files.items():
            (Path(self._dvc.repo.root_dir) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(self._dvc.repo.root_dir) / path).write_bytes(content)
        self._dvc.brought[name] = made.entry

    def _take_part(self, path: str, md5: str) -> None:
        from dvc_data.hashfile.hash_info import HashInfo

        with self._dvc.locked():
            self._transfer(self._dvc.repo.cloud.pull, Path(path).name, {HashInfo("md5", md5)})
            with atomic_file(Path(self._dvc.repo.root_dir) / path) as file:
                shutil.copyfile(self._dvc.repo.cache.local.oid_to_path(md5), file)

    def _transfer(self, move: Callable[[Any], Any], name: str, objects: set[Any]) -> None:
        """Push or pull what a stage, or a part of one, has in DVC's cache.

        Raises:
            UnrollError: the remote does not do it; if it did before, for some minutes.
        """
        if not objects:
            return
        for attempt in range(TRIES if self._reached else 1):
            if attempt:
                time.sleep(PAUSE)
            try:
                failed = len(move(objects).failed)
                why = f"{failed} files of {name} did not get through"
            except Exception as error:  # noqa: BLE001 - each kind of remote has its own
                failed, why = 1, one_line(str(error)) or type(error).__name__
            if not failed:
                self._reached = True
                return
        raise UnrollError(f"DVC's remote does not work ({why}); check its address, keys and room, then run this again")


def _objects(stage: Any) -> set[Any]:
    """What DVC's cache has of a stage's outputs."""
    return set().union(*stage.get_used_objs().values())
