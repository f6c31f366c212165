"""source.json: the list of the files in data/raw/SOURCE.

The stage `source` writes the list, and the stage `prepare` checks it.
"""

from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.errors import UnrollError
from pipeline.files import read_checked, sha256, write_json
from pipeline.validation import Strict

NAME = "source.json"

FileName = Annotated[str, pydantic.StringConstraints(pattern=r"^[^/\\\x00]+$")]
"""The name of a file in the folder of a source."""


class RawFile(Strict):
    """Size and hash of a file."""

    bytes: int
    sha256: str


class Manifest(Strict):
    """The content of source.json.

    Attributes:
        name: the name of the source.
        kind: the module of the source.
        stand_in: whether the data were generated in place of the real ones.
        files: name -> size and hash.
    """

    name: str
    kind: str
    stand_in: bool
    files: dict[FileName, RawFile]


def write(folder: Path, name: str, kind: str) -> None:
    """Write the manifest of a source's folder.

    Raises:
        UnrollError: a file has the manifest's name.
    """
    if (folder / NAME).exists():
        raise UnrollError(
            f"source {name}: {NAME} is a name that Unroll uses itself; rename that file"
        )
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in sorted(folder.iterdir())
    }
    write_json(
        folder / NAME,
        {"name": name, "kind": kind, "stand_in": kind == "stand_in", "files": files},
    )


def checked(folder: Path) -> Manifest:
    """Read a source's manifest, and compare every file with it.

    Hashes are compared, because a CSV file with a wrong digit can still be read.

    Raises:
        UnrollError: a file is missing or is not the one that was fetched.
    """
    again = f"run `unroll source {folder.name}` again"
    if not (folder / NAME).is_file():
        raise UnrollError(
            f"{folder / NAME} is missing; run `unroll source {folder.name}`"
        )
    manifest = read_checked(folder / NAME, Manifest)
    for name, file in manifest.files.items():
        if not (folder / name).is_file():
            raise UnrollError(f"{folder / name} is missing; {again}")
        if sha256(folder / name) != file.sha256:
            raise UnrollError(
                f"{folder / name} has another sha256 than {NAME} says, so it is "
                f"damaged; {again}"
            )
    return manifest
