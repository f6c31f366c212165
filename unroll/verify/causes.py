"""Why a stage differs from what it was: params, lines of code, packages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any

from unroll.workspaces.checkout import git

WIDE = 120
"""Characters of an option that changed."""

LOCK = ".ci/locks/numerics.lock"


class Causes:
    """What made stages differ since commit `ref`; `before`, `now`: stage -> what it depends on (`stages.resolve`)."""

    def __init__(self, root: Path, ref: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        self._root, self._ref, self._before, self._now = root, ref, before, now
        self._lines = cache(self._first_line)

    def of(self, stages: Sequence[str]) -> list[str]:
        """Of some stages and those before them, each cause once, at most three."""
        found = dict.fromkeys(cause for stage in stages for each in self._chain(stage) for cause in self._causes(each))
        return [*found][:3]

    def _chain(self, stage: str) -> Iterator[str]:
        """The stage, the preparation of its data, their source."""
        yield stage
        verb, _, name = stage.partition("@")
        section = self._now.get(stage, {}).get("params", {})
        if verb in {"train", "evaluate"}:
            dataset = section["dataset"] if verb == "train" and section else name
            yield from self._chain(f"prepare@{dataset}")
        elif verb == "prepare" and section:
            yield f"source@{section['source']}"

    def _causes(self, stage: str) -> Iterator[str]:
        if stage not in self._before:
            return
        if stage not in self._now:
            yield f"{stage} is no stage any more"
            return
        before, now = self._before[stage], self._now[stage]
        for key, (old, new) in _unlike(before["params"], now["params"]):
            yield shorten(f"{stage.partition('@')[2]}.{key}: {old} -> {new}", WIDE, placeholder=" ...")
        for module, _ in _unlike(before["modules"], now["modules"]):
            yield self._lines(module)
        if before["lock"] != now["lock"]:
            yield self._lines(LOCK)

    def _path(self, module: str) -> str:
        """Of a module, of a file beside one (`pipeline.report/page.css`), or of the lock."""
        package, _, name = module.rpartition("/")
        paths = (module, f"{package.replace('.', '/')}/{name}", f"{module.replace('.', '/')}.py")
        found = (path for path in paths if (self._root / path).is_file())
        return next(found, f"{module.replace('.', '/')}/__init__.py")

    def _first_line(self, module: str) -> str:
        """The first line that a change of a module has, with its file and number, and the commit's subject."""
        path = self._path(module)
        number, text = "", ""
        plain = ("--unified=0", "--no-color", "--no-ext-diff")
        for line in git(self._root, "diff", *plain, self._ref, "--", path).splitlines():
            if line.startswith("@@"):
                number = line.split("+")[1].split(" ")[0].split(",")[0]
            elif number and line[:1] in "+-" and line[1:].strip():
                text = line
                if line.startswith("+"):
                    break
        commits = git(self._root, "log", "--format=%h %s", f"{self._ref}..HEAD", "--", path).splitlines()
        return f"{path}:{number} {' '.join(text.split())}{f' ({commits[0]})' if commits else ' (not committed)'}"


def _unlike(before: Any, now: Any, above: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Paths at which two sections differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _unlike(before.get(key), now.get(key), f"{above}.{key}".removeprefix("."))
    elif before != now:
        yield above, (json.dumps(before), json.dumps(now))
