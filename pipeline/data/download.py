"""Files of the web, fetched by pooch: from a mirror first, else from their official
address, checked before use.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.errors import UnrollError, without_password
from pipeline.files import sha256 as hash_of

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, its bytes so far, and its bytes in all or None where that
is not known."""

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""

RETRIES = 4
"""Times that a broken connection, a busy server or a wrong hash is tried again, after
1, 2, 3 and 4 seconds."""

CHUNK = 256 * 1024


class UnavailableError(UnrollError):
    """A file is neither in the mirror nor at its official address."""


class AbsentError(Exception):
    """An address does not give the file. The text says why."""


def is_address(text: str) -> bool:
    """Whether a text is the address of something on the web: https, or http on this
    machine.
    """
    return bool(re.match(r"(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s/]", text))


def fetch(
    name: str,
    url: str | None,
    destination: Path,
    *,
    path: str,
    mirror: str | None,
    progress: Progress,
    sha256: str | None = None,
) -> str:
    """Put a file at `destination`, whole and checked, or raise.

    Args:
        name: the file's name, for the progress report.
        url: its official address; None where it has none.
        destination: where to put it.
        path: where it lies in a mirror, such as "imdb/imdb.npz".
        mirror: a folder or base address that is asked first; None where there is none.
        progress: told as the file grows.
        sha256: its hash, where it is known.

    Returns:
        Where it was found, for an error text.

    Raises:
        UnavailableError: no address gives the file.
        UnrollError: what came is not the file, or the mirror is neither a folder nor an
            https address.
    """
    failures: list[str] = []
    for address, advice in _addresses(mirror, path, url):
        shown = without_password(str(address))
        try:
            if isinstance(address, Path):
                _copy(address, destination, sha256, progress)
            else:
                _download(name, address, destination, sha256, progress)
        except AbsentError as absent:
            failures.append(f"{shown} ({absent})")
        except ValueError:  # the hash differs, here and in pooch
            raise UnrollError(
                f"{name} from {shown} is not the file that was asked for: its sha256 is not {sha256}; {advice}"
            ) from None
        else:
            return shown
    if url is None:
        failures.append("it has no official address")
    advice = f"put it at {mirror}/{path}"
    if not mirror or "://" in mirror:
        advice = f"set UNROLL_MIRROR to a folder or an https address that holds {path}"
    raise UnavailableError(
        f"{name} cannot be had: {'; '.join(failures)}. To go on, {advice}"
    )


def _addresses(
    mirror: str | None, path: str, url: str | None
) -> Iterator[tuple[Path | str, str]]:
    """Where to look, in order, each with what to do if it holds something else."""
    if mirror:
        advice = "replace it there, or unset UNROLL_MIRROR"
        if is_address(mirror):
            yield f"{mirror.rstrip('/')}/{quote(path)}", advice
        elif Path(mirror).is_dir():
            yield Path(mirror) / path, advice
        else:
            shown = without_password(mirror)
            raise UnrollError(
                f"UNROLL_MIRROR must be a folder that exists or an https address. Received: {shown}"
            )
    if url is not None:
        yield (
            url,
            f"try again later, or set UNROLL_MIRROR to a folder that holds {path}",
        )


def _copy(
    source: Path, destination: Path, sha256: str | None, progress: Progress
) -> None:
    if not source.is_file():
        raise AbsentError("not there")
    try:
        shutil.copyfile(source, destination)
    except OSError as error:
        raise UnrollError(
            f"{source} cannot be copied: {error.strerror}; check permissions and free space"
        ) from None
    size = destination.stat().st_size
    progress(source.name, size, size)
    if sha256 is not None and hash_of(destination) != sha256:
        destination.unlink()
        raise ValueError("another hash")


def _download(
    name: str, url: str, destination: Path, sha256: str | None, progress: Progress
) -> None:
    """Fetch by pooch, which writes beside `destination`, checks the hash, and only then
    moves the file there.
    """
    import pooch
    import requests

    class Downloader(pooch.HTTPDownloader):  # type: ignore[misc]  # it has no types
        """Does not try again what a server refuses for good."""

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().__call__(*arguments, **options)
            except requests.HTTPError as error:
                status = error.response.status_code if error.response is not None else 0
                if status in {408, 425, 429} or status >= 500:
                    raise
                raise AbsentError(f"HTTP {status}") from None

    pooch.get_logger().setLevel("WARNING")
    bar = Bar(name, progress)
    headers = {"Accept-Encoding": "identity"}
    downloader = Downloader(
        progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT, headers=headers
    )
    files = pooch.create(
        destination.parent,
        "",
        registry={destination.name: sha256},
        urls={destination.name: url},
    )
    files.retry_if_failed = RETRIES
    try:
        files.fetch(destination.name, downloader=downloader)
    except requests.RequestException as error:
        raise AbsentError(_reason(error)) from None


class Bar:
    """A progress bar as pooch wants one: it is given `total`, then told of each chunk."""

    def __init__(self, name: str, progress: Progress) -> None:
        self.total = 0
        self._name = name
        self._progress = progress
        self._done = 0

    def update(self, size: int) -> None:
        """Count a chunk, which may be smaller than `size`."""
        self._done += size
        self._progress(
            self._name, min(self._done, self.total or self._done), self.total or None
        )

    def reset(self) -> None:
        """Start from zero, as the next try does."""
        self._done = 0

    close = reset


def _reason(error: BaseException) -> str:
    """The few words of an operating system for what `requests` says in many."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    response = getattr(error, "response", None)
    return (
        "the connection broke off"
        if response is None
        else f"HTTP {response.status_code}"
    )
