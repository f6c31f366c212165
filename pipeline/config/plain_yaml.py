"""YAML files as plain data: mappings, lists, text, numbers, true, false and null."""

import io
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import write_text

LARGEST = 8 * 1024**2
"""The bytes of a file. Ten thousand experiments take a quarter of it."""


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
        raise UsageError(f"{path.name}{line} is not plain YAML: {problem:.200}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} is not plain YAML: {one_line(str(error)):.200}") from None
    if problem:
        raise UsageError(f"{path.name}: {problem}")
    return data


def write(data: Mapping[str, Any], path: Path) -> None:
    """Write plain data as YAML that `read` gives back, in the order given, atomically.

    Block style, and what occurs twice is written twice: DVC leaves such a file as it is when `dvc exp run -S` changes a
    value of it, but for the line with the value.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _data: True
    text = io.StringIO()
    yaml.dump(dict(data), text)
    write_text(path, text.getvalue())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path.name} must have at most {LARGEST:,} bytes. Received: {path.stat().st_size:,}")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UnrollError(
            f"{path} is missing; run this in the folder that holds it, or name that folder: unroll --root DIR ..."
        ) from None
    except OSError as error:
        raise UnrollError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} must be UTF-8; byte {error.start} is not") from None


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
