"""The entry point `unroll`."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from pipeline import numerics


def main() -> None:
    """Run the command line of this process and end with its exit status."""
    if {"train", "tune", "search"} & {*sys.argv}:
        numerics.start_with()
    numerics.settle()  # before NumPy is imported
    keep_notes_private()
    from unroll.commands import main as commands

    sys.exit(commands.status())


def keep_notes_private() -> None:
    """Let DVC keep its notes on files where the user alone may write; by itself it takes one for all users."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with suppress(OSError, RuntimeError):  # no home, or none that can be written: DVC says so, where it is needed
        notes = Path(os.environ.get("DVC_SITE_CACHE_DIR") or Path(cache).expanduser() / "unroll" / "dvc")
        os.environ["DVC_SITE_CACHE_DIR"] = str(notes)
        notes.mkdir(mode=0o700, parents=True, exist_ok=True)  # DVC would make it writable for all


if __name__ == "__main__":
    main()
