"""DVC's graph: which stages there are, what each needs, which are not up to date, and their order in dvc.lock."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UnrollError
from pipeline.registry import one_of
from stages import lock

LOCK = "dvc.lock"

DAMAGED = (
    f"{LOCK} is damaged; restore it (`git checkout {LOCK}`) or delete it, then run this again: "
    "what lies in DVC's cache is not trained anew"
)


@dataclass(frozen=True)
class Graph:
    """What DVC knows before a build.

    Attributes:
        needs: every stage -> the stages whose outputs it reads. In the order of a sequential build, so what
            a stage needs comes before it.
        changed: the stages that are not up to date, whatever becomes of those that they need.
    """

    needs: dict[str, Sequence[str]]
    changed: frozenset[str]

    def within(self, targets: Sequence[str]) -> "Graph":
        """The targets and all that they need, directly or not.

        Raises:
            UsageError: a target is no stage; the text lists the stages.
        """
        wanted: set[str] = {one_of(target, self.needs, "the target") for target in targets}
        for stage, needs in reversed(self.needs.items()):
            if stage in wanted:
                wanted.update(needs)
        return Graph({stage: needs for stage, needs in self.needs.items() if stage in wanted}, self.changed)

    def due(self) -> list[str]:
        """The changed stages and those that need one of them, directly or not, in the order of the graph."""
        due: dict[str, None] = {}
        for stage, needs in self.needs.items():
            if stage in self.changed or any(need in due for need in needs):
                due[stage] = None
        return list(due)


@contextlib.contextmanager
def _repo(root: Path) -> Iterator[Any]:
    from dvc.dirs import site_cache_dir
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.utils.serialize import ParseError
    from dvc.utils.strictyaml import YAMLValidationError

    if os.fsencode(root) != str(root).encode(errors="replace"):
        raise UnrollError(f"DVC cannot work in a folder whose name is not UTF-8; rename {root}")
    try:
        # DVC names stages as seen from the current folder.
        with contextlib.chdir(root), Repo(str(root)) as repo:
            yield repo
    except (ParseError, YAMLValidationError) as error:
        raise UnrollError(DAMAGED if Path(error.path).name == LOCK else f"DVC: {error}") from None
    except NotImplementedError:  # it names a kind of hash that does not exist
        raise UnrollError(DAMAGED) from None
    except sqlite3.Error as error:
        raise UnrollError(
            f"DVC's notes on the files that it has seen cannot be used ({error}); make room on the disk, or delete "
            f"{site_cache_dir()}/repo, which DVC fills anew, then run this again"
        ) from None
    except LockError as error:
        # With a stage that runs DVC names its process; else it guesses, in colours.
        said = " ".join(str(error).split())
        if "blocked by" in said:
            raise UnrollError(f"DVC: {said}") from None
        raise UnrollError(f"another `dvc` is at work in {root}; wait until it has ended") from None
    except DvcException as error:
        raise UnrollError(f"DVC: {' '.join(str(error).split())}") from None


def read(root: Path) -> Graph:
    """The graph of the workspace at `root` and what is not up to date; nothing is run.

    Raises:
        UnrollError: there is no DVC workspace, dvc.yaml does not parse, or another DVC is at work in it.
    """
    with _repo(root) as repo:
        from dvc.repo.reproduce import get_active_graph, plan_repro

        graph = get_active_graph(repo.index.graph)
        order = plan_repro(graph)
        needs: dict[str, Sequence[str]] = {
            stage.addressing: [need.addressing for need in graph.successors(stage)] for stage in order
        }
        return Graph(needs, frozenset(repo.status()))


def order_lock(root: Path, stages: Iterable[str]) -> None:
    """Put the stages of dvc.lock in the order of `stages`, and drop those that are no longer among them.

    Stages that were built side by side are written as they finish; after this, the bytes are those of a
    sequential build.

    Raises:
        UnrollError: another DVC is at work in the workspace.
    """
    path = root / LOCK
    if not path.exists():
        return
    with _repo(root) as repo:
        from dvc.utils.serialize import load_yaml, modify_yaml

        stages = list(stages)
        with repo.lock:
            if lock.order(path, stages):
                return
            found = list(load_yaml(str(path)).get("stages", {}))
            wanted = [stage for stage in stages if stage in set(found)]
            if found != wanted:
                with modify_yaml(str(path)) as text:
                    text["stages"] = {stage: text["stages"][stage] for stage in wanted}
