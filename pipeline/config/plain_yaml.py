"""YAML files as plain data: mappings, lists, text, numbers, true, false and null."""

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import write_text


def read(path: Path) -> Any:
    """Return the data of a YAML file.

    Raises:
        UsageError: the file is no plain YAML; the text names the line.
        UnrollError: the file is missing or cannot be read.
    """
    try:
        return YAML(typ="safe").load(_text(path))
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


def write(data: Mapping[str, Any], path: Path) -> None:
    """Write plain data as YAML that `read` gives back, in the order given, atomically.

    `dvc exp run -S` changes a line of such a file and leaves the others as they are.
    """
    write_text(path, dumped(data))


def dumped(data: Mapping[str, Any], *, flow: bool = False) -> str:
    """Return plain data as YAML, in the order given, without aliases.

    With `flow` each innermost list and mapping stands on one line. Otherwise everything
    is in block style.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None if flow else False
    yaml.width = 10_000 if flow else 80
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _data: True
    stream = io.StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


def with_entry(
    path: Path, keys: Sequence[str], entry: Mapping[str, Any], comment: str = ""
) -> str:
    """Return the text of a YAML file with an entry replaced or added.

    A new entry stands after the last entry of its section. All other lines stay.

    Args:
        path: a valid YAML file.
        keys: the place of the entry, such as ["experiments", "waves", "gru"]. A missing
            section is added at the end of the file.
        entry: the new entry, as plain data.
        comment: a comment above the entry.

    Raises:
        UsageError: the section of the entry is written in braces.
    """
    text = _text(path)
    lines = text.removesuffix("\n").splitlines()
    found = _nodes(text, keys)
    for key, value in found[: len(keys) - 1]:
        if value.value and value.flow_style:
            raise UsageError(
                f"{path.name}: write {key.value} in lines, not in braces, "
                "so that entries can be changed"
            )
    block = dumped({keys[-1]: entry})
    if comment:
        block = f"# {comment}\n{block}"
    new = textwrap.indent(block, "  " * (len(keys) - 1)).splitlines()
    if not found:
        lines += ["", f"{keys[0]}:", *new]
    else:
        key, value = found[-1]
        first = key.start_mark.line
        end = max(first, _last_line(value)) + 1
        if len(found) < len(keys):
            if not value.value:  # {} or nothing
                lines[first] = f"{' ' * key.start_mark.column}{key.value}:"
            first = end
        lines[first:end] = new
    return "\n".join(lines) + "\n"


def _nodes(text: str, keys: Sequence[str]) -> list[tuple[Any, Any]]:
    """Return the key and value node at each of the keys, up to the first missing key."""
    value = YAML().compose(text)
    found = []
    for wanted in keys:
        pairs = [pair for pair in value.value if pair[0].value == wanted]
        if not pairs:
            break
        found += pairs
        value = pairs[0][1]
    return found


def _last_line(node: Any) -> int:
    """Return the line, counted from 0, on which the last value in a node ends."""
    if isinstance(node.value, str) or not node.value or node.flow_style:
        return int(node.end_mark.line)
    last = node.value[-1]
    if isinstance(last, tuple):
        key, last = last
        if last.value == "" and last.style is None:  # `key:`, ended by the next key
            last = key
    return _last_line(last)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UnrollError(
            f"{path} is missing; run this in the folder that holds it, or name that "
            "folder: unroll --root DIR ..."
        ) from None
    except OSError as error:
        raise UnrollError(
            f"{path} cannot be read: {error.strerror}; check who may read it"
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path.name} must be UTF-8; byte {error.start} is not; save it as UTF-8"
        ) from None
