"""dvc.lock as text: what is cut off, since DVC writes it in place, and the order of its entries."""

import itertools
import re
from collections.abc import Sequence
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


def order(path: Path, stages: Sequence[str]) -> None:
    """Put the entries in the order of `stages`, and take out those of others; DVC appends them as they come.

    As text: to parse the file of a hundred stages and write it again takes DVC two seconds.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if not text.startswith(HEAD):
        return
    starts = [*(name.start() for name in NAME.finditer(text)), len(text)]
    entries = {text[a:b].strip().partition(":")[0]: text[a:b] for a, b in itertools.pairwise(starts)}
    wanted = [entries[stage] for stage in stages if stage in entries]
    if wanted and wanted != list(entries.values()):
        write_text(path, HEAD + "".join(wanted))
