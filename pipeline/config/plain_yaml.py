"""YAML files as plain data: mappings, lists, text, numbers, true, false and null."""

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import regular, write_text


def read(path: Path) -> Any:
    """The data of a YAML file.

    Raises:
        UsageError: the file is no plain YAML; the text names the place.
        UnrollError: the file is missing or cannot be read.
    """
    try:
        data = YAML(typ="safe").load(_text(path))
        problem = next(_not_plain(data, []), None)
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = re.sub(" with value .*", "", one_line(str(error.problem)))
        raise UsageError(
            f"{path.name}{line} is not plain YAML: {problem:.200}"
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path.name} is not plain YAML: {one_line(str(error)):.200}"
        ) from None
    if problem:
        raise UsageError(f"{path.name}: {problem}")
    return data


def write(data: Mapping[str, Any], path: Path) -> None:
    """Write plain data as YAML that `read` gives back, in the order given, atomically.

    Block style, and what occurs twice is written twice: DVC leaves such a file as it is
    when `dvc exp run -S` changes a value of it, but for the line with the value.
    """
    write_text(path, text(data))


def text(data: Mapping[str, Any], *, flow: bool = False) -> str:
    """Return plain data as YAML, in the order given; with `flow` the innermost lists
    and mappings stand on a line each.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None if flow else False
    yaml.width = 10_000 if flow else 80
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _data: True
    stream = io.StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


Place = tuple[str, ...]
"""Keys, from a section on."""


def added(
    path: Path, entries: Mapping[str, Mapping[str, Any]], comments: Mapping[Place, str]
) -> str:
    """The text of a YAML file with further entries at the end of its sections; every
    other byte stays.

    The entries are in DVC's style, so that DVC leaves them as they are, too.

    Args:
        path: the file, valid.
        entries: section -> name -> plain data. A section that is not there follows the
            first one.
        comments: keys from the section on -> what stands above that key.

    Raises:
        UsageError: a section is written in braces.
    """
    text = _text(path)
    lines = [
        line if line.endswith("\n") else f"{line}\n"
        for line in text.splitlines(keepends=True)
    ]
    root = YAML().compose(text)
    sections = {key.value: (key, value) for key, value in root.value}
    first = root.value[0][0].start_mark.line
    starts = {name: key.start_mark.line for name, (key, _) in sections.items()}
    # From the last one in the file to the first, so that lines above stay where they
    # are.
    for section, named in sorted(
        entries.items(),
        key=lambda entry: starts.get(entry[0], first + 0.5),
        reverse=True,
    ):
        block = _block(section, named, comments)
        if section not in sections:
            _, value = root.value[0]
            block = ["\n", *block]
            at = _last_line(value) + 1
        else:
            key, value = sections[section]
            at = max(key.end_mark.line, _last_line(value)) + 1
            if value.value and value.flow_style:
                raise UsageError(
                    f"{path.name}: write {section} in lines, not in braces, so that entries can be added"
                )
            if not value.value:
                lines[key.start_mark.line] = f"{section}:\n"
            block = [
                line for line in block if not line.startswith((f"{section}:", "#"))
            ]
        lines[at:at] = block
    return "".join(lines)


def with_experiment(
    path: Path, dataset: str, name: str, entry: Mapping[str, Any], comment: str
) -> str:
    """The text of params.yaml with an experiment behind the others of its data set, in
    DVC's style; all else stays.
    """
    lines = _text(path).splitlines(keepends=True)
    _, experiments = _node(path, "experiments", dataset)
    comments: dict[Place, str] = (
        {("experiments", dataset, name): comment} if comment else {}
    )
    end = _last_line(experiments) + 1
    lines[end:end] = _block("experiments", {dataset: {name: entry}}, comments)[2:]
    return "".join(lines)


def replaced(path: Path, dataset: str, name: str, entry: Mapping[str, Any]) -> str:
    """The text of params.yaml with other plain data for an experiment, in DVC's style;
    all else stays.
    """
    lines = _text(path).splitlines(keepends=True)
    key, value = _node(path, "experiments", dataset, name)
    lines[key.start_mark.line : _last_line(value) + 1] = _block(
        "experiments", {dataset: {name: entry}}, {}
    )[2:]
    return "".join(lines)


def _node(path: Path, *keys: str) -> tuple[Any, Any]:
    """The key and the value to which keys lead in a YAML file that has them."""
    key = None
    value = YAML().compose(_text(path))
    for wanted in keys:
        key, value = next(each for each in value.value if each[0].value == wanted)
    return key, value


def removed(
    path: Path, entries: Mapping[str, Sequence[str]], optional: Sequence[str] = ()
) -> str:
    """The text of a YAML file without some entries of its sections, nor the comments
    right above them.

    Args:
        path: the file, valid.
        entries: section -> names.
        optional: sections that go, as `added` put them, with their last entry.
    """
    text = _text(path)
    lines = text.splitlines(keepends=True)
    for section, value in reversed(YAML().compose(text).value):
        gone = entries.get(section.value, ())
        for key, entry in reversed(value.value if gone else []):
            first = key.start_mark.line
            if key.value in gone:
                while lines[first - 1].startswith("  ") and lines[
                    first - 1
                ].lstrip().startswith("#"):
                    first -= 1
                del lines[first : _last_line(entry) + 1]
        if gone and all(key.value in gone for key, _ in value.value):
            first = section.start_mark.line
            lines[first] = f"{section.value}: {{}}\n"
            if section.value in optional:
                above = first - (lines[first - 1].startswith("#"))
                del lines[above - (not lines[above - 1].strip()) : first + 1]
    return "".join(lines)


def _block(
    section: str, named: Mapping[str, Any], comments: Mapping[Place, str]
) -> list[str]:
    """A section as DVC writes it."""

    def commented(data: Any, keys: Place) -> Any:
        if not isinstance(data, Mapping):
            return data
        mapping = CommentedMap(
            {key: commented(value, (*keys, key)) for key, value in data.items()}
        )
        if (
            keys[-1] in BRACES
            and 2 * len(keys) + len(f"{keys[-1]}: {dict(data)}".replace("'", ""))
            < WIDTH
        ):
            mapping.fa.set_flow_style()
        for key in data:
            if (*keys, key) in comments:
                mapping.yaml_set_comment_before_after_key(
                    key, comments[*keys, key], indent=2 * len(keys)
                )
        return mapping

    text = io.StringIO()
    if (section,) in comments:
        text.write(f"# {comments[section,]}\n")
    YAML().dump({section: commented(named, (section,))}, text)
    return text.getvalue().splitlines(keepends=True)


BRACES = ("model", "training")
"""Keys whose mapping stands in braces where it fits on a line of `WIDTH` columns, at
which DVC breaks lines."""

WIDTH = 80


def _last_line(node: Any) -> int:
    """The line, counted from 0, on which the last value in a node ends."""
    if isinstance(node.value, str) or not node.value or node.flow_style:
        return int(node.end_mark.line)
    last = node.value[-1]
    # `key:`, ended by the next
    if isinstance(last, tuple) and last[1].value == "" and last[1].style is None:
        last = last[0]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _text(path: Path) -> str:
    try:
        return regular(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UnrollError(
            f"{path} is missing; run this in the folder that holds it, or name that folder: unroll --root DIR ...; or "
            "make one: `unroll new FOLDER` for your own series, `unroll new --documents FOLDER` with the four documents"
        ) from None
    except OSError as error:
        raise UnrollError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path.name} must be UTF-8; byte {error.start} is not"
        ) from None


def _not_plain(data: Any, place: list[str]) -> Iterator[str]:
    """Where the data holds something that JSON cannot hold, and what to do about it."""
    where = ".".join(place) or "the whole"
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                yield f"{where}: the key {key!r:.80} must be text; put it in quotes"
            yield from _not_plain(value, [*place, str(key)])
    elif isinstance(data, list):
        for index, value in enumerate(data, 1):
            yield from _not_plain(value, [*place, f"item {index}"])
    elif isinstance(data, float) and not math.isfinite(data):
        yield f"{where} must be a finite number. Received: {data}"
    elif data is not None and not isinstance(data, str | int | float):
        yield f"{where} must be text or a number, but YAML reads {type(data).__name__}; put it in quotes"
