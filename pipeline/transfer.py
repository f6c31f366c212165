"""One file by https: resumed where the connection broke, tried again, never taken for whole when it is not."""

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from requests import Response, Session

CHUNK = 256 * 1024
LIMIT = 2 * 1024**3
"""The most bytes that are taken where a file's size is not known."""

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, its bytes so far, and its bytes in all or None where that is not known."""


class AbsentError(Exception):
    """An address does not give the file. The text says why."""


class WrongError(Exception):
    """An address gives something else than the file. The text says what."""


class BrokenError(Exception):
    """A try failed, another may not. `after`: the seconds that the server asks to wait."""

    def __init__(self, text: str, after: float = 0.0) -> None:
        self.after = after
        super().__init__(text)


@dataclass(frozen=True)
class Patience:
    """How long a download may take before it is given up. Times in seconds.

    Attributes:
        connect, read: the wait for a connection, and for the next bytes.
        stall, floor: the time in which at least `floor` bytes must arrive.
        attempts: the tries that may fail one after another, each with less than `floor` gained.
        pause, longest: the first wait between two tries, which then doubles, and the longest wait.
    """

    connect: float = 10.0
    read: float = 30.0
    stall: float = 60.0
    floor: int = 64 * 1024
    attempts: int = 5
    pause: float = 1.0
    longest: float = 60.0


@dataclass(frozen=True)
class Transfer:
    """A file that is being fetched.

    Attributes:
        name: for the progress report.
        url: where it is.
        part: what has arrived; its validator (ETag or date) lies beside it.
        size: its bytes where they are known.
        hashed: whether the caller checks a hash, so that two answers may be joined without a validator.
        progress: told of every chunk.
        patience: the limits in time.
    """

    name: str
    url: str
    part: Path
    size: int | None
    hashed: bool
    progress: Progress
    patience: Patience = field(default_factory=Patience)

    @property
    def validator(self) -> Path:
        """Where the ETag or date of what has arrived is kept."""
        return self.part.with_suffix(".validator")

    @property
    def length(self) -> int:
        """Bytes that have arrived."""
        return self.part.stat().st_size if self.part.exists() else 0

    def drop(self) -> None:
        """Forget what has arrived."""
        self.part.unlink(missing_ok=True)
        self.validator.unlink(missing_ok=True)


def permitted(url: str, before: str) -> bool:
    """Whether `url` may be fetched when `before` sent us there: https, or http if both lie on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
        if parts.scheme == "http" and before.startswith("http:"):
            return parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:  # no address at all
        return False
    return parts.scheme == "https" and bool(parts.hostname) and url.isprintable()


def complete(transfer: Transfer) -> bool:
    """Add to the part until it is whole.

    Returns:
        Whether it holds bytes of more than one answer, which may be of two versions of the file.

    Raises:
        AbsentError: the address does not give the file, after the tries that patience allows.
        WrongError: what it gives is a web page, or of another size.
    """
    transfer.part.parent.mkdir(parents=True, exist_ok=True)
    if transfer.size is not None and transfer.length > transfer.size:
        transfer.drop()
    failures, joined = 0, transfer.length > 0
    with _session() as session:
        while transfer.size is None or transfer.length != transfer.size:
            before = transfer.length
            try:
                _attempt(session, transfer)
                break
            except BrokenError as error:
                joined = joined or transfer.length > 0
                failures = 1 if transfer.length - before >= transfer.patience.floor else failures + 1
                if failures >= transfer.patience.attempts:
                    raise AbsentError(f"{error}, in {failures} tries") from None
                doubled = transfer.patience.pause * 2 ** (failures - 1)
                time.sleep(min(max(error.after, doubled), transfer.patience.longest))
    return joined


def _session() -> "Session":
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: "Response") -> str | None:
            target = super().get_redirect_target(resp)
            if target is not None and not permitted(there := urljoin(resp.url, target), resp.url):
                raise AbsentError(f"it sends us to {urlsplit(there).netloc} without https")
            return target

    return Session()


def _attempt(session: "Session", transfer: Transfer) -> None:
    """One request, and all that it gives."""
    import requests
    import urllib3

    headers, limits = _resume(transfer), (transfer.patience.connect, transfer.patience.read)
    try:
        with session.get(transfer.url, headers=headers, stream=True, timeout=limits) as response:
            offset = _accept(response, transfer, asked="Range" in headers)
            _receive(response, transfer, offset)
    except (requests.TooManyRedirects, ValueError) as error:
        raise AbsentError(str(error)) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise BrokenError(_reason(error)) from None


def _resume(transfer: Transfer) -> dict[str, str]:
    """The headers that ask for the bytes that are missing, if it is safe to join them to those that are here."""
    headers = {"Accept-Encoding": "identity"}
    if not transfer.length:
        return headers
    validator = transfer.validator.read_text(encoding="latin-1") if transfer.validator.exists() else ""
    if not validator and not transfer.hashed:
        transfer.drop()
        return headers
    return headers | {"Range": f"bytes={transfer.length}-"} | ({"If-Range": validator} if validator else {})


def _accept(response: "Response", transfer: Transfer, *, asked: bool) -> int:
    """Judge an answer's head. Returns the place of its first byte in the file."""
    status = response.status_code
    if status == 206 and asked:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
        first, last, whole = map(int, match.groups()) if match else (-1, -1, -1)
        if first == transfer.length and last + 1 == whole == (transfer.size or whole):
            return first
    if status in {206, 416}:
        transfer.drop()
        raise BrokenError("it answered with other bytes than were asked for")
    if status in {408, 425, 429} or status >= 500:
        raise BrokenError(f"HTTP {status}", _after(response.headers.get("Retry-After", "")))
    if status != 200:
        raise AbsentError(f"HTTP {status}")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise WrongError("it is a web page, perhaps of a login or a proxy")
    etag = response.headers.get("ETag", "")
    validator = response.headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag
    transfer.drop()
    transfer.validator.write_text(validator, encoding="latin-1")
    return 0


def _receive(response: "Response", transfer: Transfer, offset: int) -> None:
    announced = response.headers.get("Content-Length", "")
    total = offset + int(announced) if announced.isdecimal() else transfer.size
    if transfer.size is not None and total != transfer.size:
        transfer.drop()
        raise WrongError(f"it has {total:,} bytes, not {transfer.size:,}")
    most = transfer.size or LIMIT
    transfer.progress(transfer.name, offset, total)
    done, since, marked = offset, time.monotonic(), offset
    with transfer.part.open("ab") as file:
        while chunk := response.raw.read1(CHUNK):
            if done == 0 and chunk.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
                transfer.drop()
                raise WrongError("it is a web page, perhaps of a login or a proxy")
            file.write(chunk)
            done += len(chunk)
            if done > most:
                transfer.drop()
                raise WrongError(f"it has more than {most:,} bytes")
            transfer.progress(transfer.name, done, total)
            if (now := time.monotonic()) - since > transfer.patience.stall:
                if done - marked < transfer.patience.floor:
                    raise BrokenError(f"it stalled at {done:,} bytes")
                since, marked = now, done
    if total is not None and done < total:
        raise BrokenError(f"it broke off at {done:,} of {total:,} bytes")


def _after(text: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date; 0 if neither."""
    try:
        return float(text) if text.isdecimal() else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _reason(error: BaseException) -> str:
    """The few words of an operating system for what `requests` says in many."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return "the connection broke off"
