"""source.json: which files lie in data/raw/SOURCE, written by the stage `source` and
checked by `prepare`.
"""

from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.files import read_checked, sha256, write_json
from pipeline.validation import Strict

NAME = "source.json"


class RawFile(Strict):
    """Size and hash of a file."""

    bytes: int
    sha256: str


class Manifest(Strict):
    """The content of source.json.

    Attributes:
        name: of the source.
        kind: its module.
        stand_in: whether the data were generated in place of the real ones.
        files: name -> what it is known by.
    """

    name: str
    kind: str
    stand_in: bool
    files: dict[str, RawFile]


def write(folder: Path, name: str, kind: str) -> None:
    """Describe the files of a source's folder.

    Raises:
        UnrollError: one of them has the manifest's name.
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
    """Read a source's manifest and compare every file with it: a CSV file with another
    digit in it reads well.

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
