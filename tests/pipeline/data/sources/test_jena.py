"""The official Jena file, and both extracts of it."""

import hashlib
import io
import os
import re
import runpy
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import named_modules
from pipeline.data.fetch import UnavailableError
from pipeline.data.sources import jena
from pipeline.errors import UnrollError
from tests.support import REPOSITORY

HERE = Path(__file__).parent
ROWS = (HERE / "jena_31_rows.csv").read_text(encoding="utf-8")
HEADER, BODY = ROWS.split("\n", 1)
QUOTED = (
    ",".join(f'"{column}"' for column in HEADER.split(","))
    + "\r\n"
    + BODY.replace("\n", "\r\n")
)
HOURLY = (HERE / "jena_hourly_6_rows.csv").read_bytes()
BEGINNING = "".join(ROWS.splitlines(keepends=True)[:11]).encode()
STRUCTURE = {
    "ROWS": 31,
    "BYTES": len(ROWS),
}
ZIP = f"{jena.FILE}.zip"
MIRROR = Path(os.environ.get("UNROLL_MIRROR", "")) / "jena"
HOURLY_FILE = jena.PARTS["hourly"][0]
YEARS_FILE = jena.PARTS["first_years"][0]
SAMPLE = "81d8a1c836065a383cddb9558da6dafb10b8183d186dec69aab1cca4a9ee879b"


def zipped(text=ROWS, name=jena.FILE, more=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in [(name, text), *more]:
            archive.writestr(member, body)
    return buffer.getvalue()


@pytest.fixture
def make(folder, context):
    """What the source makes of what the server, or a mirror, holds."""

    def make(part="all", mirror=None):
        options = named_modules.options(jena.produce, {"part": part}, "sources.x")
        jena.produce(folder, replace(context, mirror=mirror and str(mirror)), **options)
        (file,) = folder.iterdir()
        assert file.name == jena.PARTS.get(part, [jena.FILE])[0]
        assert [file for file in context.scratch.rglob("*") if file.is_file()] == []
        return file.read_bytes()

    return make


@pytest.fixture
def official(web, monkeypatch):
    """The server, where the official file has 31 rows."""
    monkeypatch.setattr(jena, "URL", web.url(ZIP))
    for name, value in STRUCTURE.items():
        monkeypatch.setattr(jena, name, value)
    return web


@pytest.fixture
def get(make, official):
    """The file out of a zip `body` on the server."""

    def get(body=None):
        official.files = {} if body is None else {ZIP: body}
        return make()

    return get


def test_the_zip_is_fetched_unpacked_and_checked(get, monkeypatch):
    """A Mac's folder may lie beside the file, with a quoted header and Windows' line
    ends."""
    for text, more in ((ROWS, ()), (QUOTED, [(f"__MACOSX/._{jena.FILE}", "x")])):
        monkeypatch.setattr(jena, "BYTES", len(text))
        assert get(zipped(text, more=more)) == text.encode()


def test_a_zip_that_is_damaged_or_lacks_the_file_is_one_line(get, web):
    whole = zipped()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    for body in (b"", whole[: len(whole) // 2], whole[:-9], bytes(flipped)):
        with pytest.raises(
            UnrollError,
            match=r"is damaged or cut off \(.*get it again, or name a mirror with a sound",
        ):
            get(body)
    with pytest.raises(
        UnrollError, match=rf"must hold {jena.FILE}; get it again, or name a mirror"
    ):
        get(zipped(name="other.csv"))
    with pytest.raises(
        UnavailableError,
        match=rf"^{ZIP} cannot be had: {re.escape(web.url(ZIP))} \(HTTP 404\)\. To",
    ):
        get()


def test_another_size_is_one_clear_line(get, web):
    without_a_column = re.sub(r"(?m)^((?:[^,]*,){2})[^,]*,", r"\1", ROWS)
    for text in (without_a_column, "", ROWS.replace("996.52", "996.520", 1)):
        why = rf"it has {len(text):,} bytes, not {len(ROWS):,}; get the"
        with pytest.raises(
            UnrollError,
            match=rf"^{jena.FILE} from {re.escape(web.url(ZIP))}[^\n]*{why}",
        ):
            get(zipped(text))


def known(name, body):
    return name, hashlib.sha256(body).hexdigest()


@pytest.fixture
def public(official, monkeypatch):
    """The server, where the public files hold six numbered rows."""
    header, *rows = HOURLY.splitlines(keepends=True)
    numbered = [b"%d,%s" % (6 * row, line) for row, line in enumerate(rows)]
    files = {
        f"{name}.csv": b"," + header + b"".join(own)
        for name, own in (
            ("a", numbered[:3]),
            ("b", numbered[3:4]),
            ("c", numbered[4:]),
        )
    }
    parts = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    monkeypatch.setattr(jena, "HANDBOOK", official.url("")[:-1])
    monkeypatch.setattr(jena, "HANDBOOK_FILES", parts)
    official.files = files
    return official


def test_every_sixth_row_is_joined_from_public_files(make, public):
    assert make("hourly") == HOURLY
    public.files["b.csv"] += b"more"
    with pytest.raises(UnrollError, match=r"^b\.csv from .* its sha256 is not "):
        make("hourly")


def test_every_sixth_row_is_a_mirrors_before_all_else(
    make, public, tmp_path, monkeypatch
):
    monkeypatch.setitem(jena.PARTS, "hourly", known(HOURLY_FILE, HOURLY))
    mirror = tmp_path / "mirror"
    (mirror / "jena").mkdir(parents=True)
    (mirror / "jena" / HOURLY_FILE).write_bytes(HOURLY)
    assert make("hourly", mirror) == HOURLY
    assert public.seen == []


def test_every_sixth_row_is_thinned_where_only_the_official_file_is(
    make, public, monkeypatch
):
    """Nothing is cleaned: the wind of a row without a reading stays."""
    public.files = {ZIP: zipped()}
    assert make("hourly") == HOURLY
    calm = ROWS.replace("1.03,1.75,152.3", "-9999.00,1.75,152.3", 1)
    monkeypatch.setattr(jena, "BYTES", len(calm))
    public.files = {ZIP: zipped(calm)}
    assert make("hourly") == HOURLY.replace(
        b"1.03,1.75,152.3", b"-9999.0,1.75,152.3", 1
    )
    public.files = {}
    with pytest.raises(
        UnavailableError,
        match=rf"jena/{HOURLY_FILE} is in no mirror, .*: {jena.FILE}\.zip cannot be",
    ):
        make("hourly")


def test_two_years_are_a_mirrors_or_the_beginning_of_the_official_file(
    make, official, tmp_path, monkeypatch
):
    monkeypatch.setitem(jena.PARTS, "first_years", known(YEARS_FILE, BEGINNING))
    monkeypatch.setattr(jena, "FIRST_ROWS", 10)
    mirror = tmp_path / "mirror"
    (mirror / "jena").mkdir(parents=True)
    official.files[ZIP] = zipped()
    assert make("first_years") == make("first_years", mirror) == BEGINNING
    monkeypatch.setattr(jena, "FIRST_ROWS", 9)
    with pytest.raises(
        UnrollError, match="first 9 rows of .* do not have the known sha256"
    ):
        make("first_years")
    monkeypatch.setattr(jena, "FIRST_ROWS", 10)
    (mirror / "jena" / ZIP).write_bytes(official.files.pop(ZIP))
    assert make("first_years", mirror) == BEGINNING
    official.seen.clear()
    (mirror / "jena" / YEARS_FILE).write_bytes(BEGINNING)
    assert make("first_years", mirror) == BEGINNING
    assert official.seen == []
    with pytest.raises(
        UnavailableError,
        match=rf"jena/{YEARS_FILE} is in no mirror, .*: {jena.FILE}\.zip cannot",
    ):
        make("first_years")


def test_the_sample_is_every_sixth_row_of_the_official_file(tmp_path):
    committed = REPOSITORY / "data/sample/jena_hourly.csv"
    assert hashlib.sha256(committed.read_bytes()).hexdigest() == SAMPLE
    official = MIRROR / YEARS_FILE
    if not official.is_file():
        pytest.skip("no mirror")
    runpy.run_path(str(committed.with_name("make.py")))["make"](
        official, tmp_path / "sample.csv"
    )
    assert (tmp_path / "sample.csv").read_bytes() == committed.read_bytes()
