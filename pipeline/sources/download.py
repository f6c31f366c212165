"""Files of the web: from a mirror first, else from their official address, verified before use."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import pydantic

from pipeline.errors import UnrollError, without_password
from pipeline.sources import Context
from pipeline.storage import sha256 as hash_of
from pipeline.transfer import AbsentError, Transfer, WrongError, complete, permitted


class UnavailableError(UnrollError):
    """A file is neither in the mirror nor at its official address."""


def _official(url: str) -> str:
    if not permitted(url, url):
        raise ValueError("must be an https address (http on this machine only)")
    if without_password(url) != url:
        raise ValueError("must not hold a user's name or password: what params.yaml says is shown and recorded")
    return url


Url = Annotated[str, pydantic.AfterValidator(_official)]
Sha256 = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, pydantic.Field(ge=1)]
Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]


class File(pydantic.BaseModel):
    """What is known of a file: its official address, or null where it has none; its bytes; its hash."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Url | None
    bytes: Size
    sha256: Sha256 | None = None


def produce(
    folder: Path, context: Context, *, files: Annotated[dict[Name, File], pydantic.Field(min_length=1)]
) -> None:
    """Fetch every file into `folder`. Errors as in `fetch`."""
    for name, file in files.items():
        fetch(name, file.url, folder / name, context, size=file.bytes, sha256=file.sha256)


def fetch(
    name: str,
    url: str | None,
    destination: Path,
    context: Context,
    *,
    folder: str = "",
    size: int | None = None,
    sha256: str | None = None,
) -> str:
    """Put a file at `destination`, whole and verified, or raise.

    The mirror is asked first, for `folder/name`; a file that it does not hold is fetched from `url`.

    Args:
        name: the file's name.
        url: its official address, or None.
        destination: where to put it, on the file system of `context.scratch`.
        context: the mirror, the place of half-fetched files, and who is told of progress.
        folder: its folder in the mirror; the source's name if empty.
        size: its bytes, where they are known.
        sha256: its hash, where it is known.

    Returns:
        Where it was found, for an error text.

    Raises:
        UnavailableError: no address gives the file.
        UnrollError: what came is not the file, or the mirror is neither a folder nor an https address.
    """
    place = f"{folder or context.name}/{name}"
    tried: list[str] = []
    for address, advice in _addresses(context.mirror, place, url):
        shown = without_password(str(address))
        try:
            if isinstance(address, Path):
                _copy(address, destination)
                context.progress(name, destination.stat().st_size, size)
                _verify(destination, size, sha256)
            else:
                _download(name, address, destination, context, size, sha256)
        except AbsentError as absent:
            tried.append(without_password(f"{address} ({absent})"))
        except WrongError as wrong:
            destination.unlink(missing_ok=True)
            raise UnrollError(f"{name} from {shown} is not the file that was asked for: {wrong}; {advice}") from None
        else:
            return shown
    if url is None:
        tried.append("it has no official address")
    advice = f"put it at {context.mirror}/{place}"
    if not context.mirror or "://" in context.mirror:
        advice = f"set UNROLL_MIRROR to a folder or an https address that holds {place}"
    raise UnavailableError(f"{name} cannot be had: {'; '.join(tried)}. To go on, {advice}")


def _addresses(mirror: str | None, place: str, url: str | None) -> Iterator[tuple[Path | str, str]]:
    """Where to look, in order, each with what to do if it holds something else."""
    if mirror:
        shown = without_password(mirror)
        advice = "replace it there, or unset UNROLL_MIRROR"
        if "://" in mirror:
            address = f"{mirror.rstrip('/')}/{quote(place)}"
            if not permitted(address, address):
                raise UnrollError(f"UNROLL_MIRROR must be a folder or an https address. Received: {shown}")
            yield address, advice
        elif Path(mirror).is_dir():
            yield Path(mirror) / place, advice
        else:
            raise UnrollError(f"UNROLL_MIRROR must be a folder that exists, or unset. Received: {shown}")
    if url is not None:
        yield url, f"try again later, or set UNROLL_MIRROR to a folder that holds {place}"


def _copy(source: Path, destination: Path) -> None:
    if not source.is_file():
        raise AbsentError("not there")
    try:
        shutil.copyfile(source, destination)
    except OSError as error:
        raise UnrollError(f"{source} cannot be copied: {error.strerror}; check permissions and free space") from None


def _verify(path: Path, size: int | None, sha256: str | None) -> None:
    """Raise WrongError if the file at `path` is not of this size and hash."""
    found = path.stat().st_size
    if size is not None and found != size:
        raise WrongError(f"it has {found:,} bytes, not {size:,}")
    if sha256 is not None and (digest := hash_of(path)) != sha256:
        raise WrongError(f"its sha256 is {digest}, not {sha256}")


def _download(name: str, url: str, destination: Path, context: Context, size: int | None, sha256: str | None) -> None:
    key = hashlib.sha256(f"{url} {sha256}".encode()).hexdigest()[:16]
    transfer = Transfer(
        name=name,
        url=url,
        part=context.scratch / "downloads" / f"{context.name}-{key}.part",
        size=size,
        hashed=sha256 is not None,
        progress=context.progress,
        patience=context.patience,
    )
    while True:
        joined = complete(transfer)
        try:
            _verify(transfer.part, size, sha256)
        except WrongError:
            transfer.drop()
            if not joined:
                raise
            continue  # two versions of the file may have been joined: once more, from its first byte
        transfer.part.replace(destination)
        transfer.drop()
        return
