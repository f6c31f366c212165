"""Files of the web: from a mirror or their official address, whole and checked, or one
line that says why not."""

import hashlib
import socket
from dataclasses import replace

import pytest

from pipeline.data import fetch
from pipeline.data.fetch import UnavailableError, is_address
from pipeline.errors import UnrollError

BODY = bytes(range(256)) * 2400
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def get(web, folder, context):
    """Fetch the file from the server, and give its bytes and where they were from."""
    official = web.url("imdb.npz")

    def get(mirror=None, *, url=official, sha256=SHA256):
        target = folder / "imdb.npz"
        origin = replace(context, mirror=mirror and str(mirror)).fetch(
            "imdb.npz", url, target, sha256=sha256
        )
        assert [file.name for file in folder.iterdir()] == ["imdb.npz"]
        body = target.read_bytes()
        target.unlink()
        return body, origin

    web.files["imdb.npz"] = BODY
    return get


@pytest.fixture
def refused(get, folder):
    """The one line that fetching gives, where nothing is left of the file."""

    def refused(*args, error=UnavailableError, **options):
        with pytest.raises(error) as caught:
            get(*args, **options)
        assert "\n" not in str(caught.value)
        assert list(folder.iterdir()) == []
        return str(caught.value)

    return refused


@pytest.fixture
def mirror(tmp_path):
    (tmp_path / "mirror" / "imdb").mkdir(parents=True)
    return tmp_path / "mirror"


def test_a_file_arrives_whole(get, web):
    assert get() == get(sha256=None) == (BODY, web.url("imdb.npz"))


def test_a_mirror_is_asked_first_and_what_it_lacks_comes_from_the_official_address(
    get, mirror, web, folder, context
):
    (mirror / "imdb" / "imdb.npz").write_bytes(BODY)
    assert get(mirror) == (BODY, str(mirror / "imdb" / "imdb.npz"))
    assert web.seen == []
    (mirror / "imdb" / "imdb.npz").unlink()
    assert get(mirror) == get(web.url("mirror")) == (BODY, web.url("imdb.npz"))
    web.files["mirror/a%20folder/imdb.npz"] = BODY
    context = replace(context, name="a folder", mirror=web.url("mirror/"))
    context.fetch("imdb.npz", web.url("imdb.npz"), folder / "imdb.npz", sha256=SHA256)
    assert web.seen == [
        "imdb.npz",
        "mirror/imdb/imdb.npz",
        "imdb.npz",
        "mirror/a%20folder/imdb.npz",
    ]


def test_a_server_is_asked_again_unless_it_refuses_for_good_and_given_up_in_the_end(
    get, refused, web, waits
):
    for code in (408, 429, 500, 503):
        web.script["imdb.npz"] = [web.status(code)]
        assert get()[0] == BODY
    assert (len(web.seen), waits) == (8, [1] * 4)
    web.script["imdb.npz"] = [web.status(503)] * 9
    assert (
        "imdb.npz (HTTP 503). To go on, set UNROLL_MIRROR to a folder or an https address that holds"
        in refused()
    )
    assert (len(web.seen), waits[4:]) == (13, [1, 2, 3, 4])
    for code in (403, 404, 410):
        web.script["imdb.npz"] = [web.status(code)]
        assert (
            f"imdb.npz cannot be had: {web.url('imdb.npz')} (HTTP {code})." in refused()
        )
    assert len(web.seen) == 16


def test_a_connection_that_breaks_off_stalls_or_is_refused_is_tried_again_and_then_named(
    get, refused, web, monkeypatch
):
    for sha256 in (SHA256, None):
        web.script["imdb.npz"] = [web.cuts(1000)] * 5
        assert "imdb.npz (the connection broke off). To go on" in refused(sha256=sha256)
        web.script["imdb.npz"] = [web.cuts(len(BODY) - 1)]
        assert get(sha256=sha256)[0] == BODY
    monkeypatch.setattr(fetch, "TIMEOUT", (5.0, 0.1))
    monkeypatch.setattr(fetch, "RETRIES", 0)
    web.script["imdb.npz"] = [web.cuts(1000, stall=0.3)]
    assert "imdb.npz (no answer in time). To go on" in refused()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/imdb.npz"
        assert f"{url} (Connection refused). To go on" in refused(url=url)


def test_a_wrong_hash_is_one_line_and_no_other_address_is_asked(refused, mirror, web):
    web.files["imdb.npz"] = BODY[::-1]
    assert (
        f"imdb.npz from {web.url('imdb.npz')} is not the file that was asked for"
        in refused(error=UnrollError)
    )
    web.seen.clear()
    (mirror / "imdb" / "imdb.npz").write_bytes(BODY[:-1])
    assert "; replace it there, or unset UNROLL_MIRROR" in refused(
        mirror, error=UnrollError
    )
    assert web.seen == []


def test_no_line_holds_a_password_and_addresses_are_https_or_on_this_machine(
    refused, web, monkeypatch
):
    valid = ("https://far.org/x", "http://localhost:8000/x", "http://127.0.0.1/x")
    other = (
        "http://far.org/x",
        "http://localhost.far.org/x",
        "https:///x",
        "file:///etc/passwd",
        "/a/folder",
    )
    assert [is_address(text) for text in (*valid, *other)] == [True] * 3 + [False] * 5
    lines = [refused("http://me:secret@example.invalid/mirror", error=UnrollError)]
    mirror = web.url("mirror").replace("://", "://me:secret@")
    monkeypatch.setattr(fetch, "is_address", lambda _: True)
    web.files = {"mirror/imdb/imdb.npz": BODY[::-1]}
    lines.append(refused(mirror, error=UnrollError))
    web.files.clear()
    lines.append(refused(mirror))
    parts = ("must be a folder that exists or an https", "is not the file", "HTTP 404")
    assert all(
        part in line and "secret" not in line
        for line, part in zip(lines, parts, strict=True)
    ), lines
