"""Downloaded files, given by the address of their folder and their hashes."""

from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.data.fetch import Context, is_address
from pipeline.errors import without_password


def _official(url: str) -> str:
    if not is_address(url):
        raise ValueError("must be an https address (http on this machine only)")
    if without_password(url) != url:
        raise ValueError(
            "must not hold a user's name or password: what params.yaml says is shown "
            "and recorded"
        )
    return url


Url = Annotated[str, pydantic.AfterValidator(_official)]
Sha256 = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[
    str,
    pydantic.StringConstraints(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100
    ),
]


def produce(
    folder: Path,
    context: Context,
    *,
    files: Annotated[dict[Name, Sha256 | None], pydantic.Field(min_length=1)],
    url: Url | None = None,
) -> None:
    """Fetch all files.

    Errors are as in `Context.fetch`.

    Args:
        folder: the folder to fill.
        context: the context of the source.
        files: name -> SHA-256; None if the hash is not known.
        url: the address of the folder that holds the files; None if only mirrors have
            them.
    """
    for name, sha256 in files.items():
        context.fetch(
            name,
            f"{url.rstrip('/')}/{name}" if url else None,
            folder / name,
            sha256=sha256,
        )
