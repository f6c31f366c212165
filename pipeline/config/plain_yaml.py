"""YAML files as plain data: mappings, lists, text, numbers, true, false and null."""

import io
import re
from collections.abc import Mapping
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


def dumped(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML in block style, in the order given, without aliases."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 80
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _data: True
    stream = io.StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


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
