"""A source that cannot be fetched; tests/pipeline/data/test_download.py has every way in which a server may fail."""

import hashlib
import socket

import pytest

from pipeline.data import download
from tests.faults.lab import on_page
from tests.support.web_server import serving

BODY = bytes(range(256)) * 400


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda web: web.cuts(1000, stall=0.7), "(no answer in time)"),
        (lambda web: web.cuts(1000), "(the connection broke off)"),
        (lambda web: web.status(404), "(HTTP 404)"),
        (lambda web: web.says(200, BODY[::-1]), "is not the file that was asked for: its sha256 is not"),
        (None, "(Connection refused)"),
    ],
    ids=["stalls", "cuts", "404", "other bytes", "nobody listens"],
)
def test_a_source_that_cannot_be_fetched_is_one_line_and_then_goes_on(lab, monkeypatch, answer, says):
    monkeypatch.setattr(download, "TIMEOUT", (2, 0.5))
    monkeypatch.setattr(download, "RETRIES", 1)
    with serving() as web, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = web.address if answer else f"http://127.0.0.1:{silent.getsockname()[1]}"
        known = {"far.bin": hashlib.sha256(BODY).hexdigest()}
        lab.change("sources.far", {"kind": "download", "url": address, "files": known})
        web.files["far.bin"] = BODY
        web.script["far.bin"] = [answer(web) for _ in range(2)] if answer else []
        lab.refuses("source far", says)
        assert on_page(says)
        lab.change("sources.far.url", web.address)
        web.script.clear()
        lab.succeeds("source far")
    assert (lab.workspace.raw("far") / "far.bin").read_bytes() == BODY
