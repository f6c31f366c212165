import pytest

from pipeline.data.sources import local
from pipeline.errors import UnrollError


def test_a_file_is_copied_under_its_name(folder, context):
    (context.root / "mine.csv").write_bytes(b"stamp,value\n")
    local.produce(folder, context, path="mine.csv")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"mine.csv": b"stamp,value\n"}


@pytest.mark.parametrize(("path", "what"), [("nowhere.csv", "is not there"), (".", "is a folder")])
def test_a_file_that_is_not_there_is_one_line(folder, context, path, what):
    with pytest.raises(UnrollError, match=rf"^params\.yaml: files\.imdb\.path: .*{what}; put the file there or"):
        local.produce(folder, context, path=path)


def test_files_of_a_folder_are_those_that_the_pattern_matches(folder, context):
    (context.root / "station").mkdir()
    for name in ("2020.csv", "2019.csv", "notes.txt"):
        (context.root / "station" / name).write_bytes(name.encode())
    local.produce(folder, context, path="station", pattern="*.csv")
    assert sorted(file.name for file in folder.iterdir()) == ["2019.csv", "2020.csv"]
    with pytest.raises(UnrollError, match=r"files\.imdb\.pattern: .* no file that matches '\*\.dat'; put one there$"):
        local.produce(folder, context, path="station", pattern="*.dat")
    (context.root / "station" / "\udcff.csv").touch()
    with pytest.raises(UnrollError, match="this name is not UTF-8; rename it"):
        local.produce(folder, context, path="station", pattern="*.csv")
