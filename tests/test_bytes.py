"""The files of the built miniature hold nothing that another time, machine or folder would change."""

import csv
import json
import re
import sys
import zipfile

import pytest

from pipeline.files import EPOCH

OUTPUTS = ("data", "runs", "evaluations", "metrics", "report")


@pytest.fixture(scope="module")
def files(built):
    """Every file of the miniature's outputs by its ending, such as ".json"."""
    found = {}
    for name in OUTPUTS:
        for path in sorted((built.root / name).rglob("*")):
            if path.is_file():
                found.setdefault(path.suffix, []).append(path)
    assert found.keys() == {".json", ".csv", ".npz", ".h5", ".html"}, "a new kind of file needs a test here"
    return found


def test_no_file_names_a_folder_of_this_machine(built, files):
    foreign = [str(built.root), sys.prefix]
    for path in [*(path for paths in files.values() for path in paths), built.root / "dvc.lock"]:
        text = path.read_bytes()
        assert not [word for word in foreign if word.encode() in text], path


def test_json_is_written_in_one_way(files):
    for path in files[".json"]:
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n", path


def test_csv_has_line_feeds_and_the_shortest_floats(files):
    for path in files[".csv"]:
        text = path.read_bytes()
        assert text.endswith(b"\n"), path
        assert b"\r" not in text, path
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [
            cell for cell in cells if re.fullmatch(r"-?\d+\.\d+|.*\de-?\d+", cell) and repr(float(cell)) != cell
        ] == []


def test_zip_members_have_no_date_and_are_not_compressed(files):
    for path in files[".npz"]:
        with zipfile.ZipFile(path) as archive:
            # How deflate packs differs between releases of zlib.
            found = {(m.date_time, m.compress_type, m.comment, m.create_system) for m in archive.infolist()}
        assert found == {(EPOCH, zipfile.ZIP_STORED, b"", 3)}, path


def test_weights_have_no_time(files, tmp_path):
    import h5py

    def times(path):
        found = []
        with h5py.File(path) as file:
            file.visititems(lambda _name, item: found.append(h5py.h5g.get_objinfo(item.id).mtime))
        return found

    with h5py.File(tmp_path / "dated.h5", "w") as file:
        file.create_dataset("a", data=[1.0], track_times=True)
    assert any(times(tmp_path / "dated.h5")), "that there is a time would be seen"
    for path in files[".h5"]:
        assert times(path), path
        assert not any(times(path)), path


def test_the_page_has_no_picture_but_svg_without_metadata(files):
    (page,) = files[".html"]
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text
    for trace in ("<metadata", "matplotlib", "data:image", "<img", "<?xml", "dc:date"):
        assert trace not in text, trace
