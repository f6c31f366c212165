import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import registry
from pipeline.data.download import UnavailableError
from pipeline.data.sources import jena, jena_2009_2010
from pipeline.errors import UnrollError

OFFICIAL = (Path(__file__).parent / "jena_31_rows.csv").read_bytes()
BEGINNING = b"".join(OFFICIAL.splitlines(keepends=True)[:11])


@pytest.fixture
def get(web, folder, context):
    def get(context=context, **section):
        section = {
            "url": web.url("jena.zip"),
            "rows": 10,
            "sha256": hashlib.sha256(BEGINNING).hexdigest(),
            "official": {"rows": 31, "last": "01.01.2009 05:10:00", "csv_bytes": len(OFFICIAL)},
        } | section
        options = registry.options(jena_2009_2010.produce, section, "sources.jena_2009_2010")
        jena_2009_2010.produce(folder, context, **options)
        assert [file.name for file in folder.iterdir()] == [jena_2009_2010.FILE]
        return (folder / jena_2009_2010.FILE).read_bytes()

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(jena.FILE, OFFICIAL)
    web.files["jena.zip"] = buffer.getvalue()
    return get


def test_a_mirror_is_asked_for_that_path_alone(get, context, web, tmp_path):
    (tmp_path / "mirror/jena").mkdir(parents=True)
    (tmp_path / "mirror/jena/jena_2009_2010.csv").write_bytes(BEGINNING)
    assert get(replace(context, mirror=str(tmp_path / "mirror"))) == BEGINNING
    assert web.seen == []


def test_without_a_mirror_it_is_the_beginning_of_the_official_file(get):
    assert get() == BEGINNING


def test_another_beginning_is_an_error(get):
    with pytest.raises(UnrollError, match="the first 9 rows of the official file are others than those known"):
        get(rows=9)


def test_when_neither_can_be_had_both_are_named(get, web):
    web.files.clear()
    with pytest.raises(
        UnavailableError, match=rf"jena/jena_2009_2010.csv is in no mirror, .*: {jena.FILE}\.zip cannot"
    ):
        get()
