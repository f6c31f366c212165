"""A workspace that was built, commands in it without a process of their own, and what must hold after a fault."""

import contextlib
import hashlib
import io
import re
from pathlib import Path
from typing import NamedTuple

from tests.conftest import Miniature
from unroll import exits
from unroll.commands import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


class Ended(NamedTuple):
    """How a command ended: its exit code, its last line on standard error, and all that it said."""

    code: int
    line: str
    said: str


class Lab(Miniature):
    """The workspace, and what a test asks of it."""

    def run(self, command: str) -> Ended:
        """One `unroll` command line; a traceback is raised. Paths are as seen from the workspace."""
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            code = exits.run(lambda: main.invoke(["--root", str(self.root), *command.split()]))
        text = errors.getvalue().replace(f"{self.root}/", "").replace(str(self.root), ".")
        return Ended(code, (text.strip().splitlines() or [""])[-1], said.getvalue() + text)

    def succeeds(self, *commands: str) -> Ended:
        """How the last one ended."""
        for command in commands:
            ended = self.run(command)
            assert ended.code == 0, f"{command}: {ended.line}"
        return ended

    def refuses(self, command: str, words: str) -> None:
        """It ends with 1 and one line with these words, and changes nothing."""
        before = self.outputs()
        ended = self.run(command)
        assert words in ended.line, ended.line
        assert (ended.code, ended.line.startswith("unroll: ")) == (1, True), ended.line
        assert self.outputs() == before
        assert self.unfinished() == []

    def outputs(self) -> dict[str, str]:
        """File -> hash, of every output of a stage."""
        folders = ("data", "runs", "results")
        files = [path for name in folders for path in sorted((self.root / name).rglob("[!.]*")) if path.is_file()]
        return {str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def unfinished(self) -> list[Path]:
        return [path for path in self.root.rglob(".*.tmp") if ".dvc" not in path.parts]


def on_page(words: str) -> bool:
    """Whether docs/reliability.md says these words, however its lines are broken."""
    return " ".join(words.split()) in re.sub(r"\s+", " ", PAGE)
