"""dvc.lock as text: the order of its entries."""

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
