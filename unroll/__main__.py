"""The entry point `unroll`."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from unroll import foreign_code

if foreign := foreign_code():
    sys.exit(f"unroll: {foreign}")

from pipeline import numeric_settings


def main() -> None:
    """Run the command line of this process and end with its exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started this
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    # While modules are imported, Ctrl-C ends the process without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    own_packages_first()
    if {"train", "tune"} & {*sys.argv}:
        numeric_settings.restart_with_settings()
    numeric_settings.set_environment()  # before NumPy is imported
    keep_notes_private()
    if "DVC_STAGE" in os.environ:  # a stage is of no use once DVC is gone
        from pipeline.processes import end_with_parent

        end_with_parent()
    from unroll.commands import main as commands

    sys.exit(commands.status())


def keep_notes_private() -> None:
    """Let DVC keep its notes on files in a folder where only the user may write.

    By default DVC takes a folder of all users. If the user's folder cannot be written,
    `unroll.builds.repro` takes a folder in the workspace.
    """
    from platformdirs import user_cache_path  # after `own_packages_first`

    own = os.environ.pop("DVC_SITE_CACHE_DIR", "")
    with suppress(OSError, RuntimeError):  # no home, or no right to write there
        notes = Path(own or user_cache_path("unroll").expanduser() / "dvc")
        # made here, since DVC would let all users write there
        notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(notes, os.W_OK):
            os.environ["DVC_SITE_CACHE_DIR"] = str(notes)


def own_packages_first() -> None:
    """Put the folders of PYTHONPATH last, so that Unroll's packages come first."""
    others = numeric_settings.foreign_paths()
    sys.path[:] = [*(path for path in sys.path if path not in others), *others]


if __name__ == "__main__":
    main()
