"""Downloads by pooch, checked before use: from a mirror, else from the official
address.
"""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.errors import UnrollError, without_password
from pipeline.files import sha256 as hash_of

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""

RETRIES = 4
"""Number of new tries after a broken connection, a busy server or a wrong hash. The
pause before each try is one second longer than the pause before."""


class UnavailableError(UnrollError):
    """A file is neither in the mirror nor at its official address."""


class AbsentError(Exception):
    """An address does not give the file. The text says why."""


def is_address(text: str) -> bool:
    """Return whether a text is an https address, or http on this machine."""
    return bool(re.match(r"(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s/]", text))


@dataclass(frozen=True)
class Context:
    """Everything that a source may use besides its options.

    Attributes:
        name: the source's name in params.yaml.
        root: the workspace's folder.
        scratch: a folder for unfinished files.
        mirror: a folder or base address to try first, or None.
    """

    name: str
    root: Path
    scratch: Path
    mirror: str | None

    def fetch(
        self,
        name: str,
        url: str | None,
        destination: Path,
        *,
        folder: str = "",
        sha256: str | None = None,
    ) -> str:
        """Put a file at `destination`, whole and checked, or raise.

        Args:
            name: the file's name.
            url: its official address; None if it has none.
            destination: the path to write.
            folder: its folder in a mirror; by default the folder with the source's
                name.
            sha256: its hash; None if it is not known.

        Returns:
            The address where the file was found, for error texts.

        Raises:
            UnavailableError: no address gives the file.
            UnrollError: the file has another hash, or the mirror is neither a folder
                nor an https address.
        """
        path = f"{folder or self.name}/{name}"
        addresses = [] if self.mirror is None else [_in_mirror(self.mirror, path)]
        if url is not None:
            addresses.append(url)
        failures = []
        for address in addresses:
            shown = without_password(str(address))
            try:
                if isinstance(address, Path):
                    _copy(address, destination, sha256)
                else:
                    _download(address, destination, sha256)
            except AbsentError as absent:
                failures.append(f"{shown} ({absent})")
            except ValueError:  # the hash differs, here and in pooch
                advice = f"set UNROLL_MIRROR to a folder that holds {path}"
                if address != url:
                    advice = "replace it there, or unset UNROLL_MIRROR"
                raise UnrollError(
                    f"{name} from {shown} is not the file that was asked for: "
                    f"its sha256 is not {sha256}; {advice}"
                ) from None
            else:
                return shown
        if url is None:
            failures.append("it has no official address")
        advice = f"put it at {self.mirror}/{path}"
        if not self.mirror or "://" in self.mirror:
            advice = (
                f"set UNROLL_MIRROR to a folder or an https address that holds {path}"
            )
        raise UnavailableError(
            f"{name} cannot be had: {'; '.join(failures)}. To go on, {advice}"
        )


def _in_mirror(mirror: str, path: str) -> Path | str:
    if is_address(mirror):
        return f"{mirror.rstrip('/')}/{quote(path)}"
    if Path(mirror).is_dir():
        return Path(mirror) / path
    raise UnrollError(
        "UNROLL_MIRROR must be a folder that exists or an https address. "
        f"Received: {without_password(mirror)}"
    )


def _copy(source: Path, destination: Path, sha256: str | None) -> None:
    if not source.is_file():
        raise AbsentError("not there")
    shutil.copyfile(source, destination)
    if sha256 is not None and hash_of(destination) != sha256:
        destination.unlink()
        raise ValueError("another hash")


def _download(url: str, destination: Path, sha256: str | None) -> None:
    """Download a file by pooch.

    pooch writes beside `destination` and checks the hash before it moves the file.
    """
    import pooch
    import requests

    class Downloader(pooch.HTTPDownloader):  # type: ignore[misc]  # it has no types
        """A downloader that does not retry what a server refuses for good."""

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            try:
                return super().__call__(*arguments, **options)
            except requests.HTTPError as error:
                status = _status(error)
                if status in {408, 425, 429} or status >= 500:
                    raise
                raise AbsentError(f"HTTP {status}") from None

    pooch.get_logger().setLevel("WARNING")
    downloader = Downloader(
        progressbar=sys.stderr.isatty(),
        timeout=TIMEOUT,
        headers={"Accept-Encoding": "identity"},
    )
    name = destination.name
    files = pooch.create(
        destination.parent, "", registry={name: sha256}, urls={name: url}
    )
    files.retry_if_failed = RETRIES
    try:
        files.fetch(name, downloader=downloader)
    except requests.HTTPError as error:
        raise AbsentError(f"HTTP {_status(error)}") from None
    except requests.RequestException as error:
        raise AbsentError(_reason(error)) from None


def _status(error: Any) -> int:
    """Return the HTTP status in an error of `requests`."""
    return int(error.response.status_code)


def _reason(error: BaseException) -> str:
    """Return a short reason for an error of `requests`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return "the connection broke off"
