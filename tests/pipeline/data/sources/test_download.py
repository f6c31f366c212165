import hashlib
import os
import re
import socket
import time
from dataclasses import replace

import pytest
import requests

from pipeline.config import registry
from pipeline.errors import UnrollError, UsageError
from pipeline.data.sources import download
from pipeline.data.sources.download import UnavailableError, fetch
from pipeline.data.transfer import AbsentError, _after, _session, permitted

BODY = os.urandom(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
HTML = b"  <!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.fixture
def get(web, folder, context):
    """Fetch the file from the server with size and hash known, or as the keywords say."""

    def get(context=context, **known):
        known = {"size": len(BODY), "sha256": SHA256} | known
        return fetch("imdb.npz", web.url("imdb.npz"), folder / "imdb.npz", context, **known)

    web.files["imdb.npz"] = BODY
    return get


def parts(context):
    return [file for file in context.scratch.rglob("*") if file.is_file()]


def test_a_file_arrives_whole_with_progress_and_leaves_no_part(get, folder, context, reports, web):
    assert get() == web.url("imdb.npz")
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert parts(context) == []
    assert reports[0] == ("imdb.npz", 0, len(BODY))
    assert reports[-1] == ("imdb.npz", len(BODY), len(BODY))
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)


@pytest.mark.parametrize("sent", [1, 70_000, len(BODY) - 1])
def test_a_cut_connection_is_resumed_where_it_broke(get, folder, web, sent):
    web.script["imdb.npz"] = [web.cuts(sent)]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges() == [None, f"bytes={sent}-"]
    assert web.seen[1][1]["If-Range"] == '"one"'


def test_a_later_call_resumes_what_an_earlier_one_left(get, folder, context, web):
    web.script["imdb.npz"] = [web.cuts(1000)] + [web.status(500)] * 2
    with pytest.raises(UnavailableError, match=r"HTTP 500, in 3 tries"):
        get()
    assert [file.suffix for file in sorted(parts(context))] == [".part", ".validator"]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges()[-1] == "bytes=1000-"
    assert parts(context) == []


def test_an_interrupted_download_keeps_its_part_and_resumes(get, folder, context, web):
    def interrupt(*report):
        if report[1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(replace(context, progress=interrupt))
    (part,) = context.scratch.rglob("*.part")
    length = part.stat().st_size
    assert BODY.startswith(part.read_bytes())
    assert not (folder / "imdb.npz").exists()
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges()[1:] == ([f"bytes={length}-"] if length < len(BODY) else [])


def test_a_whole_part_is_not_fetched_again(get, context, web):
    web.script["imdb.npz"] = [web.cuts(5)] + [web.status(500)] * 2
    with pytest.raises(UnavailableError):
        get()
    (part,) = context.scratch.rglob("*.part")
    part.write_bytes(BODY)
    asked = len(web.seen)
    get()
    assert len(web.seen) == asked


def test_a_file_that_changed_between_two_answers_is_fetched_anew(get, folder, web):
    def change(handler):
        web.cuts(1000)(handler)
        web.files["imdb.npz"], web.etag = BODY[::-1], '"two"'

    web.script["imdb.npz"] = [change]
    get(sha256=hashlib.sha256(BODY[::-1]).hexdigest())
    assert (folder / "imdb.npz").read_bytes() == BODY[::-1]
    assert web.ranges() == [None, "bytes=1000-"]  # If-Range did not hold: the second answer was 200, whole


def test_two_versions_joined_by_a_careless_server_are_caught_by_the_hash_and_fetched_anew(get, folder, web):
    def change(handler):
        web.cuts(1000)(handler)
        web.files["imdb.npz"] = BODY[::-1]

    web.script["imdb.npz"] = [change]
    get(sha256=hashlib.sha256(BODY[::-1]).hexdigest())
    assert (folder / "imdb.npz").read_bytes() == BODY[::-1]
    assert web.ranges() == [None, "bytes=1000-", None]


def test_nothing_is_joined_without_a_hash_or_a_validator(get, folder, web):
    web.etag = 'W/"weak"'
    web.script["imdb.npz"] = [web.cuts(1000)]
    get(size=None, sha256=None)
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges() == [None, None]


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-299999/300000", "bytes 1000-299999/300001", "bytes 1000-200000/300000", "bytes */300000", "", "items 1"],
)
def test_a_206_with_another_range_is_not_trusted(get, folder, web, content_range):
    web.script["imdb.npz"] = [web.cuts(1000), web.says(206, BODY[1000:], Content_Range=content_range)]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges() == [None, "bytes=1000-", None]


def test_a_206_that_was_not_asked_for_is_not_trusted(get, folder, web):
    web.script["imdb.npz"] = [web.says(206, BODY[5:], Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY


def test_an_unsatisfiable_range_starts_over(get, folder, web):
    web.script["imdb.npz"] = [web.cuts(1000), web.status(416)]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY


def test_a_part_that_is_longer_than_the_file_starts_over(get, folder, context, web):
    web.script["imdb.npz"] = [web.cuts(5)] + [web.status(500)] * 2
    with pytest.raises(UnavailableError):
        get()
    (part,) = context.scratch.rglob("*.part")
    part.write_bytes(BODY + b"more")
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY


def test_a_stalled_connection_is_given_up_and_resumed(get, folder, context, web):
    web.script["imdb.npz"] = [web.cuts(1000, stall=1.0)]
    get(replace(context, patience=replace(context.patience, read=0.4, attempts=9)))
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges() == [None, "bytes=1000-"]


def test_a_connection_that_only_drips_is_given_up(get, context, web):
    web.script["imdb.npz"] = [web.cuts(3000, drip=10)] * 3
    context = replace(context, patience=replace(context.patience, stall=0.2))
    with pytest.raises(UnavailableError, match=r"it stalled at \d+ bytes, in 3 tries"):
        get(context, size=None, sha256=None)


def test_tries_with_progress_do_not_use_up_the_patience(get, folder, web):
    def next_piece(handler):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        code = 206 if start else 200
        content_range = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"} if start else {}
        web.says(code, BODY[start : start + 40_000], Content_Length=str(len(BODY) - start), **content_range)(handler)
        handler.close_connection = True

    web.script["imdb.npz"] = [next_piece] * 8
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert len(web.seen) == 8


@pytest.mark.parametrize("known", [{}, {"sha256": None}])
def test_a_body_of_another_length_is_refused_at_once(get, folder, context, web, known):
    web.files["imdb.npz"] = BODY[:-1]
    with pytest.raises(UnrollError, match=r"it has 299,999 bytes, not 300,000; try again later, or set UNROLL_MIRROR"):
        get(**known)
    assert len(web.seen) == 1
    assert list(folder.iterdir()) == parts(context) == []


def test_a_body_shorter_than_its_known_size_without_a_length_is_resumed(get, folder, web):
    def short(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY[:1000])
        handler.close_connection = True

    web.script["imdb.npz"] = [short]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.ranges() == [None, "bytes=1000-"]


def test_a_body_longer_than_its_known_size_is_refused(get, folder, context, web):
    def long(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY + b"more")
        handler.close_connection = True

    web.script["imdb.npz"] = [long]
    with pytest.raises(UnrollError, match=r"it has more than 300,000 bytes"):
        get()
    assert list(folder.iterdir()) == parts(context) == []


def test_a_wrong_hash_is_one_line_and_nothing_stays(get, folder, context, web):
    web.files["imdb.npz"] = BODY[:-1] + b"?"
    with pytest.raises(UnrollError) as error:
        get()
    assert "\n" not in str(error.value)
    assert f"imdb.npz from {web.url('imdb.npz')} is not the file that was asked for" in str(error.value)
    assert f"not {SHA256}" in str(error.value)
    assert list(folder.iterdir()) == parts(context) == []


def test_a_missing_file_is_not_asked_for_again(get, web):
    web.files.clear()
    with pytest.raises(UnavailableError) as error:
        get()
    assert str(error.value) == (
        f"imdb.npz cannot be had: {web.url('imdb.npz')} (HTTP 404). "
        "To go on, set UNROLL_MIRROR to a folder or an https address that holds imdb/imdb.npz"
    )
    assert len(web.seen) == 1


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(get, folder, web, code):
    web.script["imdb.npz"] = [web.status(code, Retry_After="0")] * 2
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert len(web.seen) == 3


def test_the_wait_that_a_server_asks_for_is_kept_within_reason(get, web, context, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    web.script["imdb.npz"] = [web.status(429, Retry_After="7"), web.status(503, Retry_After="100000")]
    get(replace(context, patience=replace(context.patience, longest=60.0)))
    assert waits == [7.0, 60.0]


def test_waits_double(get, web, context, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    web.script["imdb.npz"] = [web.status(500)] * 5
    with pytest.raises(UnavailableError, match="HTTP 500, in 5 tries"):
        get(replace(context, patience=replace(context.patience, attempts=5, pause=1.0, longest=60.0)))
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_retry_after_is_seconds_or_a_date():
    assert _after("7") == 7.0
    assert _after("Mon, 01 Jan 2001 00:00:00 GMT") < 0
    assert _after("") == _after("soon") == _after("-") == 0.0


@pytest.mark.parametrize("type_", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_with_status_200_is_no_file(get, folder, context, web, type_):
    web.script["imdb.npz"] = [web.says(200, HTML, Content_Type=type_)]
    with pytest.raises(UnrollError, match=r"it is a web page, perhaps of a login or a proxy"):
        get(size=None, sha256=None)
    assert list(folder.iterdir()) == parts(context) == []


def test_a_redirect_on_this_machine_is_followed(get, folder, web):
    web.files["elsewhere"] = BODY
    web.script["imdb.npz"] = [web.status(302, Location="/elsewhere")]
    get()
    assert (folder / "imdb.npz").read_bytes() == BODY


def test_a_redirect_to_another_machine_without_https_is_refused(get, web):
    web.script["imdb.npz"] = [web.status(302, Location="http://example.invalid/imdb.npz")]
    with pytest.raises(UnavailableError, match=r"it sends us to example\.invalid without https"):
        get()


def test_a_redirect_from_https_to_http_is_refused_even_to_this_machine():
    response = requests.Response()
    response.status_code, response.url = 302, "https://example.invalid/imdb.npz"
    with _session() as session:
        response.headers["Location"] = "http://127.0.0.1/imdb.npz"
        with pytest.raises(AbsentError, match=r"127\.0\.0\.1 without https"):
            session.get_redirect_target(response)
        response.headers["Location"] = "https://example.invalid/other"
        assert session.get_redirect_target(response) == "https://example.invalid/other"


def test_a_circle_of_redirects_is_given_up(get, web):
    web.script["imdb.npz"] = [web.status(302, Location="/imdb.npz")] * 40
    with pytest.raises(UnavailableError, match=r"30 redirects"):
        get()


def test_an_unreachable_port_names_what_was_tried(folder, context):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/imdb.npz"
        with pytest.raises(UnavailableError) as error:
            fetch("imdb.npz", url, folder / "imdb.npz", context)
    assert f"{url} (Connection refused, in 3 tries)" in str(error.value)
    assert list(folder.iterdir()) == []


def test_a_mirror_folder_is_asked_first(get, folder, context, web, tmp_path, reports):
    mirror = tmp_path / "mirror"
    (mirror / "imdb").mkdir(parents=True)
    (mirror / "imdb" / "imdb.npz").write_bytes(BODY)
    assert get(replace(context, mirror=str(mirror))) == str(mirror / "imdb" / "imdb.npz")
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert web.seen == []
    assert reports == [("imdb.npz", len(BODY), len(BODY))]


def test_a_file_that_the_mirror_folder_lacks_comes_from_its_address(get, folder, context, tmp_path):
    (tmp_path / "mirror").mkdir()
    get(replace(context, mirror=str(tmp_path / "mirror")))
    assert (folder / "imdb.npz").read_bytes() == BODY


def test_a_damaged_file_in_the_mirror_is_named(get, folder, context, web, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "imdb").mkdir(parents=True)
    (mirror / "imdb" / "imdb.npz").write_bytes(BODY[:-1])
    with pytest.raises(UnrollError) as error:
        get(replace(context, mirror=str(mirror)))
    assert str(error.value) == (
        f"imdb.npz from {mirror}/imdb/imdb.npz is not the file that was asked for: it has 299,999 bytes, not 300,000; "
        "replace it there, or unset UNROLL_MIRROR"
    )
    assert web.seen == []
    assert list(folder.iterdir()) == []


def test_a_mirror_folder_that_is_not_there_is_a_mistake(get, context, tmp_path):
    with pytest.raises(
        UnrollError, match=r"UNROLL_MIRROR must be a folder that exists, or unset\. Received: .*nowhere"
    ):
        get(replace(context, mirror=str(tmp_path / "nowhere")))


def test_a_mirror_address_is_asked_first(get, folder, context, web):
    web.files["mirror/a folder/imdb.npz".replace(" ", "%20")] = web.files.pop("imdb.npz")
    get(replace(context, mirror=web.url("mirror/")), folder="a folder")
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert [path for path, _ in web.seen] == ["mirror/a%20folder/imdb.npz"]


def test_a_file_that_the_mirror_address_lacks_comes_from_its_own(get, folder, context, web):
    get(replace(context, mirror=web.url("mirror")))
    assert (folder / "imdb.npz").read_bytes() == BODY
    assert [path for path, _ in web.seen] == ["mirror/imdb/imdb.npz", "imdb.npz"]


def test_a_damaged_file_at_the_mirror_address_is_named_without_its_password(get, context, web):
    web.files["mirror/imdb/imdb.npz"] = BODY[::-1]
    mirror = web.url("mirror").replace("://", "://me:secret@")
    with pytest.raises(
        UnrollError, match=rf"imdb.npz from {re.escape(web.url('mirror'))}/imdb/imdb.npz is not"
    ) as error:
        get(replace(context, mirror=mirror))
    assert "replace it there, or unset UNROLL_MIRROR" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_mirror_address_without_https_is_refused(get, context):
    with pytest.raises(UnrollError, match=r"UNROLL_MIRROR must be a folder or an https address") as error:
        get(replace(context, mirror="http://me:secret@example.invalid/mirror"))
    assert "secret" not in str(error.value)


def test_a_file_without_an_official_address_says_so(folder, context, tmp_path):
    (tmp_path / "mirror").mkdir()
    for mirror, tried, advice in (
        (None, "", r"set UNROLL_MIRROR to a folder or an https address that holds imdb/weather\.csv"),
        (str(tmp_path / "mirror"), r".*weather\.csv \(not there\); ", r"put it at .*mirror/imdb/weather\.csv"),
    ):
        with pytest.raises(UnavailableError, match=f"had: {tried}it has no official address. To go on, {advice}$"):
            fetch("weather.csv", None, folder / "weather.csv", replace(context, mirror=mirror))


def test_produce_fetches_every_file(folder, context, web):
    web.files |= {"a": b"first", "b": b"second"}
    section = {"files": {name: {"url": web.url(name), "bytes": len(body)} for name, body in web.files.items()}}
    download.produce(folder, context, **registry.options(download.produce, section, "sources.imdb"))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == web.files


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ({"url": "http://example.invalid/a", "bytes": 1}, r"sources\.x\.files\.a\.url must be an https address"),
        ({"url": "ftp://example.invalid/a", "bytes": 1}, r"must be an https address"),
        ({"url": "https:///a", "bytes": 1}, r"must be an https address"),
        ({"url": None, "bytes": 0}, r"sources\.x\.files\.a\.bytes "),
        ({"url": None, "bytes": 1, "sha256": "ABC"}, r"sources\.x\.files\.a\.sha256 "),
        ({"url": None, "bytes": 1, "md5": "a"}, r"sources\.x\.files\.a\.md5 "),
        ({"bytes": 1}, r"sources\.x\.files\.a\.url is missing"),
    ],
)
def test_a_wrong_section_is_a_usage_error(file, text):
    with pytest.raises(UsageError, match=text):
        registry.options(download.produce, {"files": {"a": file}}, "sources.x")


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".hidden", "a\nb"])
def test_a_file_name_is_no_path(name):
    with pytest.raises(UsageError):
        registry.options(download.produce, {"files": {name: {"url": None, "bytes": 1}}}, "sources.x")


@pytest.mark.parametrize(
    ("url", "before", "allowed"),
    [
        ("https://a.invalid/x", "https://b.invalid", True),
        ("https://a.invalid/x", "http://127.0.0.1", True),
        ("http://[::1]/x", "http://127.0.0.1", True),
        ("http://localhost:8000/x", "http://localhost", True),
        ("http://127.0.0.1/x", "https://b.invalid", False),
        ("http://localhost.a.invalid/x", "http://localhost", False),
        ("http://10.0.0.1/x", "http://127.0.0.1", False),
        ("file:///etc/passwd", "https://b.invalid", False),
    ],
)
def test_permitted(url, before, allowed):
    assert permitted(url, before) is allowed
