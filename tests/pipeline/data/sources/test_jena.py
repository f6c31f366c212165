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

from pipeline.config import registry
from pipeline.data.download import UnavailableError
from pipeline.data.sources import jena, jena_2009_2010, jena_hourly
from pipeline.errors import UnrollError
from pipeline.files import write_table
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
    write_table(
        tmp_path / "thin.csv",
        jena_hourly.thin(jena.read(tmp_path / "official.csv", "here")),
    )
    return (tmp_path / "thin.csv").read_bytes()


def test_thinned_rows_are_the_extract_byte_for_byte(tmp_path):
    assert thin(ROWS, tmp_path) == HOURLY


def test_thinning_drops_and_cleans_nothing(tmp_path):
    """A repeated row stays, and so does the wind of a row without a reading."""
    calm = ROWS.splitlines()[1].split(",")
    calm[jena.COLUMNS.index("wv (m/s)")] = "-9999.00"
    text = "\n".join([HEADER, *[",".join(calm)] * 7])
    _, first, second = thin(text, tmp_path).splitlines()
    assert first == second
    assert first.split(b",")[jena.COLUMNS.index("wv (m/s)")] == b"-9999.0"


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
    monkeypatch.setattr(jena_hourly, "URL", official.url("")[:-1])
    monkeypatch.setattr(jena_hourly, "PARTS", parts)
    official.files = files
    return official


def test_every_sixth_row_is_joined_from_public_files(make, public):
    assert make(jena_hourly, {}) == HOURLY
    public.files["b.csv"] += b"more"
    with pytest.raises(UnrollError, match=r"^b\.csv from .* its sha256 is not "):
        make(jena_hourly, {})


def test_every_sixth_row_is_a_mirrors_before_all_else(
    make, public, tmp_path, monkeypatch
):
    monkeypatch.setattr(jena_hourly, "SHA256", hashlib.sha256(HOURLY).hexdigest())
    mirror = tmp_path / "mirror"
    (mirror / "jena").mkdir(parents=True)
    (mirror / "jena" / jena_hourly.FILE).write_bytes(HOURLY)
    assert make(jena_hourly, {}, mirror) == HOURLY
    assert public.seen == []


def test_every_sixth_row_is_thinned_where_only_the_official_file_is(make, public):
    public.files = {ZIP: zipped()}
    assert make(jena_hourly, {}) == HOURLY
    public.files = {}
    with pytest.raises(
        UnavailableError,
        match=rf"jena/{jena_hourly.FILE} is in no mirror, .*: {jena.FILE}\.zip cannot be",
    ):
        make(jena_hourly, {})


def test_two_years_are_a_mirrors_or_the_beginning_of_the_official_file(
    make, official, tmp_path, monkeypatch
):
    monkeypatch.setattr(jena_2009_2010, "SHA256", hashlib.sha256(BEGINNING).hexdigest())
    monkeypatch.setattr(jena_2009_2010, "ROWS", 10)
    mirror = tmp_path / "mirror"
    (mirror / "jena").mkdir(parents=True)
    official.files[ZIP] = zipped()
    assert make(jena_2009_2010, {}) == make(jena_2009_2010, {}, mirror) == BEGINNING
    monkeypatch.setattr(jena_2009_2010, "ROWS", 9)
    with pytest.raises(
        UnrollError, match="first 9 rows of .* do not have the known sha256"
    ):
        make(jena_2009_2010, {})
    monkeypatch.setattr(jena_2009_2010, "ROWS", 10)
    (mirror / "jena" / ZIP).write_bytes(official.files.pop(ZIP))
    assert make(jena_2009_2010, {}, mirror) == BEGINNING
    official.seen.clear()
    (mirror / "jena" / jena_2009_2010.FILE).write_bytes(BEGINNING)
    assert make(jena_2009_2010, {}, mirror) == BEGINNING
    assert official.seen == []
    with pytest.raises(
        UnavailableError,
        match=rf"jena/{jena_2009_2010.FILE} is in no mirror, .*: {jena.FILE}\.zip cannot",
    ):
        make(jena_2009_2010, {})


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


@pytest.mark.parametrize(
    ("file", "rows"),
    [("jena_2009_first_1000_rows.csv", 167), (jena_2009_2010.FILE, 17_788)],
)
def test_official_rows_give_the_extract_byte_for_byte(tmp_path, file, rows):
    official = MIRROR / file
    if not official.is_file():
        pytest.skip("no mirror")
    known = (MIRROR / jena_hourly.FILE).read_bytes().splitlines(keepends=True)
    made = thin(official.read_text(encoding="utf-8"), tmp_path)
    assert made == b"".join(known[: 1 + rows])
