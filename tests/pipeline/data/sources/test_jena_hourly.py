import hashlib
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import tables
from pipeline.config import registry
from pipeline.data.download import UnavailableError
from pipeline.data.sources import jena, jena_hourly
from pipeline.errors import UnrollError

HERE = Path(__file__).parent
OFFICIAL = (HERE / "jena_31_rows.csv").read_text(encoding="utf-8")
EXTRACT = (HERE / "jena_hourly_6_rows.csv").read_bytes()
MIRROR = Path(os.environ.get("UNROLL_MIRROR", "")) / "jena"
FIRST = MIRROR / "jena_2009_first_1000_rows.csv"


def thin(text, tmp_path):
    """The bytes of a thinned file."""
    (tmp_path / "official.csv").write_text(text, encoding="utf-8")
    tables.write(tmp_path / "thin.csv", jena_hourly.thin(jena.read(tmp_path / "official.csv", "here")))
    return (tmp_path / "thin.csv").read_bytes()


def test_official_rows_give_the_extract_byte_for_byte(tmp_path):
    assert thin(OFFICIAL, tmp_path) == EXTRACT


@pytest.mark.skipif(not FIRST.is_file(), reason="the first 1,000 official rows are in no mirror (UNROLL_MIRROR)")
def test_a_thousand_official_rows_give_the_extract_byte_for_byte(tmp_path):
    known = (MIRROR / jena_hourly.FILE).read_bytes().splitlines(keepends=True)
    assert thin(FIRST.read_text(encoding="utf-8"), tmp_path) == b"".join(known[: 1 + 167])


def test_rows_whose_stamp_was_there_before_are_dropped_first(tmp_path):
    lines = OFFICIAL.splitlines(keepends=True)
    repeated = "".join(lines[:12] + lines[6:12] + lines[12:20] + lines[2:3] + lines[20:])
    assert thin(repeated, tmp_path) == EXTRACT


def test_a_wind_sentinel_becomes_no_wind_and_numbers_are_written_in_short(tmp_path):
    lines = OFFICIAL.splitlines()
    fields = lines[1].split(",")
    fields[jena.COLUMNS.index("wv (m/s)")] = "-9999.00"
    fields[jena.COLUMNS.index("p (mbar)")] = "996.520"
    found = thin("\n".join([lines[0], ",".join(fields)]), tmp_path)
    assert found.splitlines()[1] == b"01.01.2009 00:10:00,996.52,-8.02,-8.9,93.3,3.33,0.0"


@pytest.fixture
def get(web, folder, context):
    def get(context=context, **section):
        section = {
            "url": web.url("jena.zip"),
            "rows": 6,
            "sha256": hashlib.sha256(EXTRACT).hexdigest(),
            "official": {"rows": 31, "last": "01.01.2009 05:10:00", "csv_bytes": len(OFFICIAL)},
        } | section
        options = registry.options(jena_hourly.produce, section, "sources.jena_hourly")
        jena_hourly.produce(folder, context, **options)
        assert [file.name for file in folder.iterdir()] == [jena_hourly.FILE]
        return (folder / jena_hourly.FILE).read_bytes()

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(jena.FILE, OFFICIAL)
    web.files["jena.zip"] = buffer.getvalue()
    return get


@pytest.fixture
def mirror(tmp_path):
    (tmp_path / "mirror" / "jena").mkdir(parents=True)
    return tmp_path / "mirror"


def test_the_extract_of_a_mirror_is_taken(get, context, web, mirror):
    (mirror / "jena" / jena_hourly.FILE).write_bytes(EXTRACT)
    assert get(replace(context, mirror=str(mirror))) == EXTRACT
    assert web.seen == []


def test_a_damaged_extract_is_named_and_not_replaced(get, context, mirror):
    (mirror / "jena" / jena_hourly.FILE).write_bytes(EXTRACT[:-1])
    with pytest.raises(
        UnrollError, match=rf"{jena_hourly.FILE} from {mirror}/jena/.* its sha256 is not .*; replace it there"
    ):
        get(replace(context, mirror=str(mirror)))


@pytest.mark.parametrize("with_mirror", [False, True])
def test_without_an_extract_the_official_file_is_fetched_and_thinned(get, context, mirror, with_mirror):
    assert get(replace(context, mirror=str(mirror) if with_mirror else None)) == EXTRACT


def test_the_zip_of_a_mirror_is_thinned_too(get, context, web, mirror):
    (mirror / "jena" / f"{jena.FILE}.zip").write_bytes(web.files.pop("jena.zip"))
    assert get(replace(context, mirror=str(mirror))) == EXTRACT


def test_another_number_of_hourly_rows_is_an_error(get):
    with pytest.raises(UnrollError, match=r"the official file gives 6 hourly rows, not 7"):
        get(rows=7)


def test_when_neither_can_be_had_both_are_named(get, web):
    web.files.clear()
    with pytest.raises(
        UnavailableError, match=rf"jena/{jena_hourly.FILE} is in no mirror, .*: {jena.FILE}\.zip cannot be"
    ):
        get()


def test_another_structure_of_the_official_file_is_an_error(get):
    with pytest.raises(UnrollError, match=r"another copy of the data: rows 31, not 420551"):
        get(official={})
