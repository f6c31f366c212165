"""No network, a server that stalls, cuts off, lies or refuses, a mirror that is wrong: what a source's fetch says."""

import hashlib
import socket
import threading

import pytest

from pipeline.data import download
from tests.faults.lab import on_page
from tests.support.web_server import reply, serving

BODY = bytes(range(256)) * 400
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.fixture
def web(lab, monkeypatch):
    """Serves the file of a source `far`, with seconds of patience where a user has minutes, and two tries of five."""
    monkeypatch.setattr(download, "TIMEOUT", (2, 0.5))
    monkeypatch.setattr(download, "RETRIES", 1)
    with serving() as server:
        server.files["far.bin"], server.over = BODY, threading.Event()
        known = {"far.bin": hashlib.sha256(BODY).hexdigest()}
        lab.change("sources.far", {"kind": "download", "url": server.address, "files": known})
        yield server
        server.over.set()


def stalls(web):
    def act(handler):
        reply(handler, 200, BODY[:1000], {"Content-Length": str(len(BODY))})
        web.over.wait()
        handler.close_connection = True

    return act


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (stalls, "(no answer in time)"),
        (lambda web: web.cuts(1000), "(the connection broke off)"),
        (lambda web: web.status(500), "(HTTP 500)"),
        (lambda web: web.status(429, Retry_After="9"), "(HTTP 429)"),
        (lambda web: web.status(404), "(HTTP 404)"),
        (lambda web: web.says(200, BODY[::-1]), "is not the file that was asked for: its sha256 is not"),
        (lambda web: web.says(200, HTML, Content_Type="text/html"), "is not the file that was asked for"),
    ],
    ids=["stalls", "cuts", "500", "429", "404", "other bytes", "a web page"],
)
def test_a_server_that_fails_twice(lab, web, answer, says):
    web.script["far.bin"] = [answer(web) for _ in range(2)]
    lab.refuses("source far", says)
    assert on_page(says)
    web.script.clear()
    lab.succeeds("source far")
    assert (lab.workspace.raw("far") / "far.bin").read_bytes() == BODY


def test_a_server_that_fails_once_is_tried_again(lab, web):
    web.script["far.bin"] = [web.cuts(1000)]
    lab.succeeds("source far")
    assert (lab.workspace.raw("far") / "far.bin").read_bytes() == BODY


@pytest.mark.usefixtures("web")
def test_no_network(lab):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        lab.change("sources.far.url", f"http://127.0.0.1:{free.getsockname()[1]}")
        lab.refuses("source far", "(Connection refused)")
    lab.change("sources.far.url", "https://unroll.invalid")
    lab.refuses("source far", "set UNROLL_MIRROR to a folder or an https address that holds far/far.bin")


def test_a_mirror(lab, web, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    monkeypatch.setenv("UNROLL_MIRROR", str(mirror))
    lab.refuses("source far", "UNROLL_MIRROR must be a folder that exists or an https address")
    (mirror / "far").mkdir(parents=True)
    (mirror / "far" / "far.bin").write_bytes(HTML)
    lab.refuses("source far", "replace it there, or unset UNROLL_MIRROR")
    (mirror / "far" / "far.bin").unlink()
    lab.succeeds("source far")  # from the official address
    web.script["far.bin"] = [web.status(404)]
    lab.refuses("source far", f"To go on, put it at {mirror}/far/far.bin")
    (mirror / "far" / "far.bin").write_bytes(BODY)
    lab.succeeds("source far")
    monkeypatch.setenv("UNROLL_MIRROR", "https://me:secret@unroll.invalid")
    assert "secret" not in lab.succeeds("source far").said  # tried, and then the official address
