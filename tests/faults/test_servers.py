"""A server that stalls, cuts off, lies or refuses, while a source is fetched from it by `unroll source`."""

import functools
import hashlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.data.sources import Context
from pipeline.data.transfer import Patience
from tests.faults.table import Row
from tests.support.web_server import Web, reply, serving

PLACE = "servers"
BODY = bytes(range(256)) * 400
PATIENCE = Patience(read=2, attempts=2, pause=0.01, longest=0.02)
"""Seconds where a user has minutes, and two tries in place of five."""

KEPT, NOTHING = "what had arrived is kept, the next call asks for the rest", "nothing is kept"


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("UNROLL_MIRROR", raising=False)
    monkeypatch.setattr("stages.source.Context", functools.partial(Context, patience=PATIENCE))
    with serving() as server:
        server.files["far.csv"] = BODY
        server.over = threading.Event()
        yield server
        server.over.set()


def stalls(web: Web):
    """The first 1000 bytes, then silence until the test is over."""

    def act(handler):
        reply(handler, 200, b"", {"Content-Length": str(len(BODY)), "ETag": web.etag})
        handler.wfile.write(BODY[:1000])
        web.over.wait()
        handler.close_connection = True

    return act


def announces(length: int, sent: int):
    """A length that is not true; it closes the connection after so many bytes."""

    def act(handler):
        reply(handler, 200, (BODY + BODY)[:sent], {"Content-Length": str(length)})
        handler.close_connection = True

    return act


def without_length(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(BODY + BODY)
    handler.close_connection = True


@dataclass(frozen=True)
class Case:
    """What the server does to each of the two tries, words of the line, and what is left of the file."""

    fault: str
    answer: Callable[[Web], Callable]
    says: str
    after: str = NOTHING


HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"
CASES = [
    Case("the server stalls after 1,000 bytes", stalls, "no answer in time, in 2 tries", KEPT),
    Case(
        "it cuts the connection after 1,000 bytes",
        lambda web: web.cuts(1000),
        "the connection broke off, in 2 tries",
        KEPT,
    ),
    Case("it announces more bytes than the file has", lambda _: announces(len(BODY) + 9, len(BODY)), "bytes, not"),
    Case("it announces fewer bytes than the file has", lambda _: announces(1000, 1000), "it has 1,000 bytes, not"),
    Case("it announces no length, and sends too much", lambda _: without_length, "it has more than"),
    Case("it sends other bytes of the right length", lambda web: web.says(200, BODY[::-1]), "its sha256 is"),
    Case("it answers 500", lambda web: web.status(500), "HTTP 500, in 2 tries"),
    Case("it answers 404", lambda web: web.status(404), "HTTP 404)"),
    Case("it answers 429 and asks to wait", lambda web: web.status(429, Retry_After="9"), "HTTP 429, in 2 tries"),
    Case(
        "it redirects to http",
        lambda web: web.status(302, Location="http://example.invalid/far.csv"),
        "it sends us to example.invalid without https",
    ),
    Case(
        "it serves a web page with status 200",
        lambda web: web.says(200, HTML, Content_Type="text/html"),
        "it is a web page, perhaps of a login or a proxy",
    ),
    Case(
        "it serves a web page as a file of the right length",
        lambda web: web.says(200, HTML + BODY[len(HTML) :], Content_Type="application/octet-stream"),
        "it is a web page, perhaps of a login or a proxy",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_servers(case, web, lab, report):
    ask(lab, web.url("far.csv"))
    whole = lab.outputs()
    web.script["far.csv"] = [case.answer(web) for _ in range(PATIENCE.attempts)]
    ended = lab.run("source far")
    assert ended.code == 1
    assert case.says in ended.line
    assert lab.outputs() == whole
    part = sum(path.stat().st_size for path in lab.workspace.scratch.glob("downloads/*.part"))
    assert (part > 0) == (case.after is KEPT)

    web.script.clear()
    before = len(web.seen)
    assert lab.run("source far").code == 0
    assert (lab.workspace.raw("far") / "far.csv").read_bytes() == BODY
    assert web.ranges()[before:] == [f"bytes={part}-" if part else None]
    assert not list(lab.workspace.scratch.glob("downloads/*"))
    report(PLACE, Row(case.fault, "unroll source far", ended.code, ended.line, (case.after,)))


ONCE, NOBODY = "it cuts the connection once", "nobody listens at the address"


def test_a_fault_that_passes_is_not_seen(web, lab, report):
    ask(lab, web.url("far.csv"))
    web.script["far.csv"] = [web.cuts(1000)]
    ended = lab.run("source far")
    assert (lab.workspace.raw("far") / "far.csv").read_bytes() == BODY
    assert web.ranges() == [None, "bytes=1000-"]
    after = ("the second try asks for the rest",)
    report(PLACE, Row(ONCE, "unroll source far", ended.code, "", after))


@pytest.mark.usefixtures("web")
def test_nobody_listens(lab, report):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ask(lab, f"http://127.0.0.1:{free.getsockname()[1]}/far.csv")
        whole = lab.outputs()
        ended = lab.run("source far")
    assert ended.code == 1
    assert "Connection refused, in 2 tries" in ended.line
    assert lab.outputs() == whole
    report(PLACE, Row(NOBODY, "unroll source far", ended.code, ended.line, (NOTHING,)))


def test_the_page_has_these_rows_and_no_others(listed):
    faults = [*(case.fault for case in CASES), ONCE, NOBODY]
    assert listed(PLACE) == [(fault, "`unroll source far`") for fault in faults]


def ask(lab, url: str) -> None:
    """Add the source `far` to params.yaml."""
    plain = plain_yaml.read(lab.root / "params.yaml")
    known = {"url": url, "bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
    plain["sources"]["far"] = {"kind": "download", "files": {"far.csv": known}}
    plain_yaml.write(plain, lab.root / "params.yaml")
