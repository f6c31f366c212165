"""dvc.lock, cut off: DVC writes it in place, so a build that is killed at that moment leaves half of it."""

import re
from pathlib import Path

from pipeline.files import write_text

LOCK = "dvc.lock"

HEAD = "schema: '2.0'\nstages:\n"
"""What DVC writes above its entries."""

NAME = re.compile(r"(?m)^  ([\w@.-]+):\n")
"""How DVC writes the first line of an entry; the others are indented further."""


def mend(path: Path) -> bool:
    """Take the entry off in which the file breaks off, if it does; says so.

    DVC writes from front to back, so what stands before is whole: every line of it has an end, and none that ends with
    a colon is the last one.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="ignore")
    except FileNotFoundError:
        return False
    if text.endswith("\n") and not text.endswith(":\n"):
        return False
    names = list(NAME.finditer(text))
    if text.startswith(HEAD):
        write_text(path, text[: names[-1].start()] if len(names) > 1 else HEAD.rstrip("\n") + " {}\n")
    elif HEAD.startswith(text):
        path.unlink()
    else:
        return False
    return True
