"""A script that runs DVC and keeps its warnings and errors in a file, too.

DVC prints them between what stages print. Only some of them are of a stage that says
itself why it failed.
"""

import logging
import sys
from pathlib import Path

END = "\0"
"""What stands behind each warning in the file. A warning has several lines."""


class Notes(logging.Handler):
    """Appends each warning or error to a file."""

    def __init__(self, file: Path) -> None:
        super().__init__(logging.WARNING)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Append the message, and that of its exception, as DVC prints them."""
        parts = [record.getMessage()]
        if record.exc_info:
            parts.append(str(record.exc_info[1]))
        text = " - ".join(part for part in parts if part)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{text}{END}")


def run(file: Path, arguments: list[str]) -> int:
    """Run DVC with some arguments; return its exit status."""
    from dvc.cli import main

    logging.getLogger("dvc").addHandler(Notes(file))
    # DVC notes for other processes what it runs as.
    sys.argv = ["dvc", *arguments]
    return int(main(arguments))


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
