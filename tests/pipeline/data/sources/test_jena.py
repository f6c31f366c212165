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

from pipeline import tables
from pipeline.config import registry
from pipeline.data.download import UnavailableError
from pipeline.data.sources import jena, jena_2009_2010, jena_hourly
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
    "ENDS": ("01.01.2009 00:10:00", "01.01.2009 05:10:00"),
    "BYTES": len(ROWS),
}
ZIP = f"{jena.FILE}.zip"
MIRROR = Path(os.environ.get("UNROLL_MIRROR", "")) / "jena"
FIRST = MIRROR / "jena_2009_first_1000_rows.csv"
SAMPLE = "81d8a1c836065a383cddb9558da6dafb10b8183d186dec69aab1cca4a9ee879b"


def zipped(text=ROWS, name=jena.FILE, more=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in [(name, text), *more]:
            archive.writestr(member, body)
    return buffer.getvalue()


@pytest.fixture
def make(folder, context):
    """What a source makes of what the server, or a mirror, holds."""

    def make(source, section, mirror=None):
        options = registry.options(source.produce, section, "sources.x")
        source.produce(
            folder, replace(context, mirror=mirror and str(mirror)), **options
        )
        assert [file.name for file in folder.iterdir()] == [source.FILE]
        assert [file for file in context.scratch.rglob("*") if file.is_file()] == []
        return (folder / source.FILE).read_bytes()

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
        return make(jena, {})

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


def test_another_structure_is_one_clear_line(get, web):
    without_a_column = re.sub(r"(?m)^((?:[^,]*,){2})[^,]*,", r"\1", ROWS)
    for text, why in (
        (without_a_column, r"Received: \['Date Time', 'p \(mbar\)', 'Tpot"),
        ("", "No columns to parse from file; the file is damaged, get it again"),
        (ROWS.replace("996.52", "warm", 1), "float: 'warm'; the"),
        (
            ROWS.replace("996.52", "996.520", 1),
            rf"{len(ROWS) + 1}\), not \(.*{len(ROWS)}\); get the",
        ),
    ):
        with pytest.raises(
            UnrollError,
            match=rf"^{jena.FILE} from {re.escape(web.url(ZIP))}[^\n]*{why}",
        ):
            get(zipped(text))


def thin(text, tmp_path):
    """The bytes of a thinned file."""
    (tmp_path / "official.csv").write_text(text, encoding="utf-8")
    tables.write(
        tmp_path / "thin.csv",
        jena_hourly.thin(jena.read(tmp_path / "official.csv", "here")),
    )
    return (tmp_path / "thin.csv").read_bytes()


def test_thinned_rows_are_the_extract_byte_for_byte(tmp_path):
    assert thin(ROWS, tmp_path) == HOURLY
    lines = ROWS.splitlines(keepends=True)
    repeated = "".join(
        lines[:12] + lines[6:12] + lines[12:20] + lines[2:3] + lines[20:]
    )
    assert thin(repeated, tmp_path) == HOURLY, (
        "rows whose timestamp was there before are dropped first"
    )
    calm = lines[1].strip().split(",")
    calm[jena.COLUMNS.index("wv (m/s)")], calm[jena.COLUMNS.index("p (mbar)")] = (
        "-9999.00",
        "996.520",
    )
    row = thin(f"{HEADER}\n{','.join(calm)}", tmp_path).splitlines()[1]
    assert row == b"01.01.2009 00:10:00,996.52,-8.02,-8.9,93.3,3.33,0.0", (
        "a sentinel is no wind; numbers are short"
    )


@pytest.mark.parametrize(
    ("source", "body", "rows"),
    [(jena_hourly, HOURLY, 6), (jena_2009_2010, BEGINNING, 10)],
    ids=["hourly", "two years"],
)
def test_an_extract_is_a_mirrors_or_made_of_the_official_file_and_checked(
    make, official, tmp_path, monkeypatch, source, body, rows
):
    monkeypatch.setattr(source, "SHA256", hashlib.sha256(body).hexdigest())
    monkeypatch.setattr(source, "ROWS", rows)
    mirror = tmp_path / "mirror"
    (mirror / "jena").mkdir(parents=True)
    official.files[ZIP] = zipped()
    assert make(source, {}) == make(source, {}, mirror) == body
    monkeypatch.setattr(source, "ROWS", 9)
    with pytest.raises(
        UnrollError,
        match="gives 6 hourly rows, not 9|first 9 rows of .* do not have the known sha256",
    ):
        make(source, {})
    monkeypatch.setattr(source, "ROWS", rows)
    (mirror / "jena" / ZIP).write_bytes(official.files.pop(ZIP))
    assert make(source, {}, mirror) == body
    official.seen.clear()
    (mirror / "jena" / source.FILE).write_bytes(body)
    assert make(source, {}, mirror) == body
    assert official.seen == []
    with pytest.raises(
        UnavailableError,
        match=rf"jena/{source.FILE} is in no mirror, .*: {jena.FILE}\.zip cannot be",
    ):
        make(source, {})


def test_the_sample_is_every_sixth_row_of_the_official_file(tmp_path):
    committed = REPOSITORY / "data/sample/jena_hourly.csv"
    assert hashlib.sha256(committed.read_bytes()).hexdigest() == SAMPLE
    official = MIRROR / jena_2009_2010.FILE
    if not official.is_file():
        pytest.skip("no mirror")
    runpy.run_path(str(committed.with_name("make.py")))["make"](
        official, tmp_path / "sample.csv"
    )
    assert (tmp_path / "sample.csv").read_bytes() == committed.read_bytes()


@pytest.mark.skipif(
    not FIRST.is_file(),
    reason="the first 1,000 official rows are in no mirror (UNROLL_MIRROR)",
)
def test_a_thousand_official_rows_give_the_extract_byte_for_byte(tmp_path):
    known = (MIRROR / jena_hourly.FILE).read_bytes().splitlines(keepends=True)
    assert thin(FIRST.read_text(encoding="utf-8"), tmp_path) == b"".join(
        known[: 1 + 167]
    )
