"""`unroll`, which writes down what a build's own process does for each stage. Nothing else gets its turn meanwhile.

`python -m bench.cluster.head FILE repro --on ADDRESS`
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import numerics
from stages.repro import build

spent: dict[str, dict[str, float]] = {}
"""Stage -> `begin` and `land`: seconds for starting it, and for taking what it made."""


class Stage(build.Stage):
    """With an account."""

    def __init__(self, *settings: Any, **options: Any) -> None:
        started = time.perf_counter()
        super().__init__(*settings, **options)
        spent[self._name] = {"begin": time.perf_counter() - started, "land": 0.0}

    def poll(self) -> int | None:
        """See `scheduler.Running`."""
        started = time.perf_counter()
        status = super().poll()
        if status is not None:
            spent[self._name]["land"] = time.perf_counter() - started
        return status


def main(accounts: Path, arguments: Sequence[str]) -> int:
    """Run `unroll`; its exit status."""
    numerics.settle()
    from stages.commands import main as commands

    build.Stage = Stage  # type: ignore[misc]  # the build looks it up there
    sys.argv = ["unroll", *arguments]
    try:
        return commands.status()
    finally:
        accounts.write_text(json.dumps(spent))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
