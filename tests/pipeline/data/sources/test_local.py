import pytest

from pipeline.data.sources import local
from pipeline.errors import UnrollError


def test_a_file_is_copied_under_its_name(folder, context):
    (context.root / "mine.csv").write_bytes(b"stamp,value\n")
    local.produce(folder, context, path="mine.csv")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"mine.csv": b"stamp,value\n"}


@pytest.mark.parametrize(("path", "what"), [("nowhere.csv", "is not there"), (".", "is a folder")])
def test_a_file_that_is_not_there_is_one_line(folder, context, path, what):
    with pytest.raises(UnrollError, match=rf"^params\.yaml: sources\.imdb\.path: .*{what}; put the file there or"):
        local.produce(folder, context, path=path)
