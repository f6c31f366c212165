"""dvc.lock as text: an entry is put into it and entries are ordered without parsing it.

DVC parses and writes the whole file, in pure Python, whenever a stage has ended. The bytes are the same.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.storage import write_text

HEAD = "schema: '2.0'\nstages:\n"
"""What DVC writes above its entries."""

NAME = re.compile(r"(?m)^  ([\w@.-]+):\n")
"""How DVC writes the first line of an entry; the others are indented further."""


def read(path: Path) -> dict[str, str] | None:
    """Stage -> the text of its entry, in the order of the file; None if the text is not as DVC writes it.

    A file that is not there has no entries.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    if text == HEAD.rstrip("\n") + " {}\n":
        return {}
    names = list(NAME.finditer(text))
    if not names or text[: names[0].start()] != HEAD:
        return None
    ends = [*(name.start() for name in names[1:]), len(text)]
    entries = {name[1]: text[name.start() : end] for name, end in zip(names, ends, strict=True)}
    whole = len(entries) == len(names) and all(_is_entry(entry) for entry in entries.values())
    return entries if whole else None


def write(path: Path, entries: Mapping[str, str]) -> None:
    """Write what `read` has read, changed; whole or not at all."""
    write_text(path, HEAD + "".join(entries.values()) if entries else HEAD.rstrip("\n") + " {}\n")


def mend(path: Path) -> bool:
    """Take the entry off in which the file breaks off, if it does; says so.

    DVC writes it in place and from front to back, so if it is killed the rest is whole: every line of it has an end.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="ignore")
    except FileNotFoundError:
        return False
    if text.endswith("\n"):
        return False
    names = list(NAME.finditer(text))
    if names and text.startswith(HEAD):
        write_text(path, text[: names[-1].start()] if len(names) > 1 else HEAD.rstrip("\n") + " {}\n")
    elif HEAD.startswith(text):
        path.unlink()
    else:
        return False
    return True


def order(path: Path, stages: Iterable[str]) -> bool:
    """Put the entries in the order of `stages`, and drop those of others; says whether the text allowed it."""
    entries = read(path)
    if entries is None:
        return False
    wanted = {stage: entries[stage] for stage in stages if stage in entries}
    if list(wanted) != list(entries):
        write(path, wanted)
    return True


def put(path: Path, name: str, entry: Any) -> bool:
    """Write what DVC knows of a stage that it has built; says whether the texts allowed it.

    Args:
        path: of dvc.lock.
        name: the stage.
        entry: plain data, as DVC would write it.
    """
    from dvc.utils.serialize import dumps_yaml

    text = dumps_yaml({"stages": {name: entry}}).removeprefix("stages:\n")
    entries = read(path)
    found = NAME.match(text)
    if entries is None or not found or found[1] != name or not _is_entry(text):
        return False
    if entries.get(name) != text:
        write(path, {**entries, name: text})
    return True


def quick(stage: str | None) -> None:
    """Let DVC, in this process, spend less on files: the bytes that it writes stay the same.

    It writes dvc.lock by `put`, where the text allows it; reads of it only the entry of the stage that it builds;
    and parses a text that has not changed, such as params.yaml, once instead of four times.

    Args:
        stage: the only one that this process builds, None if it may be several.
    """
    from dvc.dvcfile import Lockfile
    from dvc.stage import serialize
    from dvc.utils.serialize import _yaml

    load, dump, parse = Lockfile._load_yaml, Lockfile.dump_stages, _yaml.parse_yaml  # noqa: SLF001
    parsed: dict[str, Any] = {}

    def load_one(lock: Any, **options: Any) -> tuple[Any, str]:
        entries = read(Path(lock.path))
        if entries is None or stage is None or options:
            return load(lock, **options)  # type: ignore[no-any-return]
        text = HEAD + entries[stage] if stage in entries else ""
        return parse(text, lock.path), text

    def dump_stages(lock: Any, stages: list[Any], **options: Any) -> None:
        for one in stages:
            if not put(Path(lock.path), one.name, serialize.to_lockfile(one, **options)[one.name]):
                dump(lock, [one], **options)

    def parse_once(text: str, path: str, typ: str = "safe") -> Any:
        if typ != "safe":
            return parse(text, path, typ)
        if text not in parsed:
            parsed[text] = parse(text, path)
        return copy.deepcopy(parsed[text])

    Lockfile._load_yaml, Lockfile.dump_stages, _yaml.parse_yaml = load_one, dump_stages, parse_once  # noqa: SLF001


def _is_entry(text: str) -> bool:
    lines = text.splitlines()
    return text.endswith("\n") and all(line.startswith("    ") for line in lines[1:])
