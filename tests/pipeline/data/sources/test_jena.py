import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import registry
from pipeline.data.download import UnavailableError
from pipeline.data.sources import jena
from pipeline.errors import UnrollError, UsageError

ROWS = (Path(__file__).parent / "jena_31_rows.csv").read_text(encoding="utf-8")
ZIP = f"{jena.FILE}.zip"


def zipped(text=ROWS, name=jena.FILE, more=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in [(name, text), *more]:
            archive.writestr(member, body)
    return buffer.getvalue()


@pytest.fixture
def get(web, folder, context):
    """Fetch from the server what `body` holds, expecting the 31 rows or what the keywords say."""

    def get(body=None, context=context, **structure):
        if body is not None:
            web.files[ZIP] = body
        expected = {"rows": 31, "last": "01.01.2009 05:10:00", "csv_bytes": len(ROWS), "url": web.url(ZIP)}
        section = expected | structure
        jena.produce(folder, context, **registry.options(jena.produce, section, "sources.jena"))
        return (folder / jena.FILE).read_bytes()

    return get


def test_the_official_file_is_the_default():
    options = registry.options(jena.produce, {}, "sources.jena")
    assert options == {
        "url": "https://storage.googleapis.com/tensorflow/tf-keras-datasets/jena_climate_2009_2016.csv.zip",
        "rows": 420_551,
        "first": "01.01.2009 00:10:00",
        "last": "01.01.2017 00:00:00",
        "csv_bytes": 43_164_220,
    }


def test_the_zip_is_fetched_unpacked_and_checked(get, folder, context):
    assert get(zipped()) == ROWS.encode()
    assert [file.name for file in folder.iterdir()] == [jena.FILE]
    assert [file for file in context.scratch.rglob("*") if file.is_file()] == []


def test_a_mirror_may_hold_the_zip(get, context, tmp_path):
    (tmp_path / "jena").mkdir()
    (tmp_path / "jena" / ZIP).write_bytes(zipped())
    assert get(context=replace(context, name="other", mirror=str(tmp_path))) == ROWS.encode()


def test_the_folder_that_a_mac_adds_and_a_quoted_header_are_no_fault(get):
    header, body = ROWS.split("\n", 1)
    quoted = ",".join(f'"{column}"' for column in header.split(",")) + "\n" + body
    found = get(zipped(quoted, more=[(f"__MACOSX/._{jena.FILE}", "x")]), csv_bytes=len(quoted))
    assert found == quoted.encode()


def test_windows_line_ends_are_read(get):
    text = ROWS.replace("\n", "\r\n")
    assert get(zipped(text), csv_bytes=len(text)) == text.encode()


def test_a_zip_without_the_file_is_refused(get):
    with pytest.raises(UnrollError, match=rf"must hold {jena.FILE}; get it again, or name a mirror"):
        get(zipped(name="other.csv"))


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_zip_is_refused(get, web, keep):
    body = zipped()
    with pytest.raises(UnrollError) as error:
        get(body[: int(keep * len(body)) if keep < 1 else keep])
    text = str(error.value)
    assert text.startswith(f"{web.url(ZIP)} is damaged or cut off (")
    assert text.endswith("get it again, or name a mirror with a sound one (UNROLL_MIRROR)")
    assert "\n" not in text


def test_a_zip_with_a_flipped_bit_is_refused(get):
    body = bytearray(zipped())
    body[len(body) // 2] ^= 1
    with pytest.raises(UnrollError, match="is damaged or cut off"):
        get(bytes(body))


def test_what_cannot_be_had_is_named(get, web):
    with pytest.raises(UnavailableError, match=rf"^{ZIP} cannot be had: {re.escape(web.url(ZIP))} \(HTTP 404\)\. To"):
        get()


CASES = {
    "missing column": (
        lambda text: re.sub(r"(?m)^((?:[^,]*,){2})[^,]*,", r"\1", text),
        r"column 'T \(degC\)' is missing\. Received: \['Date Time', 'p \(mbar\)', 'Tpot \(K\)'",
    ),
    "columns in another order": (
        lambda text: re.sub(r"(?m)^([^,]*),([^,]*),([^,]*),", r"\1,\3,\2,", text),
        r"the columns are not 15 in their order",
    ),
    "one more column": (lambda text: re.sub(r"(?m)$", ",x", text.rstrip("\n")), r"are not 15 in their order"),
    "no header": (lambda text: text.split("\n", 1)[1], r"column 'Date Time' is missing"),
    "nothing": (lambda _: "", r"No columns to parse from file; the file is damaged, get it again"),
    "a row fewer": (lambda text: text.rsplit("\n", 2)[0] + "\n", r"is another copy of the data: rows 30, not 31; get"),
    "no rows": (lambda text: text.split("\n", 1)[0] + "\n", r"another copy of the data: rows 0, not 31"),
    "a row cut off": (lambda text: text[:-40], r"line 32: fewer than 15 values; the file is damaged"),
    "a cell that is no number": (
        lambda text: text.replace("996.52", "warm", 1),
        r"float: 'warm'; the",
    ),
    "an unreadable stamp": (
        lambda text: text.replace("01.01.2009 01:00:00", "01/01/2009 01:00"),
        r"line 7: the stamp cannot be read\. Received: '01/01/2009 01:00'; the file is damaged, get it again",
    ),
    "a stamp that is no date": (
        lambda text: text.replace("01.01.2009 01:00", "31.02.2009 01:00"),
        r"line 7: the stamp",
    ),
    "another first stamp": (
        lambda text: text.replace("01.01.2009 00:10:00", "01.01.2009 00:11:00"),
        r"first stamp 01\.01\.2009 00:11:00, not 01\.01\.2009 00:10:00",
    ),
    "another last stamp": (
        lambda text: text.replace("01.01.2009 05:10:00", "01.01.2009 05:11:00"),
        r"last stamp 01\.01\.2009 05:11:00, not 01\.01\.2009 05:10:00",
    ),
    "other bytes": (
        lambda text: text.replace("996.52", "996.520", 1),
        rf"bytes {len(ROWS) + 1}, not {len(ROWS)}; get the",
    ),
    "no text": (lambda _: b"\xff\x00\xfe" * 100, r"column 'Date Time' is missing"),
}


@pytest.mark.parametrize("case", CASES)
def test_another_structure_is_one_clear_line(get, web, case):
    damage, text = CASES[case]
    with pytest.raises(UnrollError, match=text) as error:
        get(zipped(damage(ROWS)))
    assert str(error.value).startswith(f"{jena.FILE} from {web.url(ZIP)}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("section", [{"url": "http://example.invalid/x.zip"}, {"rows": 0}, {"first": "2009-01-01"}])
def test_a_wrong_option_is_named(section):
    with pytest.raises(UsageError, match=rf"sources\.jena\.{next(iter(section))}"):
        registry.options(jena.produce, section, "sources.jena")
