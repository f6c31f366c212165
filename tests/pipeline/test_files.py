import os
import string
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipeline import files
from pipeline.errors import UnrollError
from pipeline.validation import Strict

ARRAYS = {"series": np.arange(6.0).reshape(2, 3), "rows": np.arange(3, dtype=np.int32)}


class StopError(Exception):
    pass


@pytest.fixture
def scratch(tmp_path):
    """Where folders are made; it is empty after the test."""
    yield tmp_path / ".unroll"
    assert list((tmp_path / ".unroll").iterdir()) == []


def content(folder):
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("there", [True, False])
def test_a_file_or_a_folder_is_replaced_whole_or_not_at_all(tmp_path, scratch, there):
    file = tmp_path / "new" / "file.txt"
    folder = tmp_path / "runs"
    old = {"file.txt": "old"} if there else {}
    if there:
        files.write_text(file, "old")
        files.write_text(folder / "file.txt", "old")

    def stop(path):
        files.write_text(path / "half.txt" if path.is_dir() else path, "half")
        raise StopError

    with pytest.raises(StopError), files.atomic_file(file) as temporary:
        stop(temporary)
    with pytest.raises(StopError), files.atomic_folder(folder, scratch) as temporary:
        stop(temporary)
    assert (content(file.parent), folder.exists()) == (old, there)
    files.write_text(file, "né\n")
    with files.atomic_folder(folder, scratch) as temporary:
        files.write_text(temporary / "other.txt", "new")
        assert [path.name for path in folder.glob("*")] == [*old]
    assert file.read_bytes() == b"n\xc3\xa9\n"
    assert (content(file.parent), content(folder)) == (
        {"file.txt": "né\n"},
        {"other.txt": "new"},
    )


@pytest.mark.parametrize(
    ("moves", "left"), [(0, "old.txt"), (1, "old.txt"), (2, "new.txt")]
)
def test_the_old_folder_or_the_new_one_is_there_whatever_ends_the_moves(
    tmp_path, scratch, monkeypatch, moves, left
):
    path = tmp_path / "waves"
    files.write_text(path / "old.txt", "")
    replace = Path.replace
    moved = []

    def interrupted(self, target):
        replace(self, target)
        moved.append(target)
        if len(moved) == moves:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with (
        pytest.raises((KeyboardInterrupt, FileNotFoundError)),
        files.atomic_folder(path, scratch) as temporary,
    ):
        (temporary / "new.txt").touch() if moves else temporary.rmdir()
    assert [*content(path)] == [left]


def test_links_are_replaced_and_what_they_lead_to_stays(tmp_path, scratch):
    files.write_text(tmp_path / "cache" / "kept.txt", "")
    for path, target in (
        (tmp_path / "link", "cache"),
        (tmp_path / "broken", "nothing"),
    ):
        path.symlink_to(tmp_path / target)
        with files.atomic_folder(path, scratch) as temporary:
            (temporary / "new.txt").touch()
        assert (path.is_symlink(), [*content(path)]) == (False, ["new.txt"])
    assert [*content(tmp_path / "cache")] == ["kept.txt"]


def test_the_same_data_give_the_same_bytes(tmp_path):
    """Golden bytes: another release of NumPy or Python that writes others would change
    every hash in dvc.lock."""
    data = {"b": 0.1 + 0.2, "a": [10**30, None, "né\u2028"]}
    files.write_json(tmp_path / "a.json", data)
    json = f'{{\n "b": 0.30000000000000004,\n "a": [\n  {10**30},\n  null,\n  "né\u2028"\n ]\n}}\n'
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == json
    assert [*files.read_json(tmp_path / "a.json").items()] == [*data.items()]
    if sys.version_info < (3, 11, 4):
        pytest.skip("zipfile wrote other headers: docs/reproducibility.md")
    files.write_npz(tmp_path / "a.npz", ARRAYS)
    assert (
        files.sha256(tmp_path / "a.npz")
        == "0af1d6d42678603a0a44d132e85d8b1bfd4d2021d381b213952a647b68a922ac"
    )


dtypes = (
    npst.floating_dtypes(sizes=(32, 64)) | npst.integer_dtypes() | npst.boolean_dtypes()
)
arrays = npst.arrays(
    dtypes, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
)


@given(
    st.dictionaries(
        st.text(string.ascii_lowercase + "_0", min_size=1, max_size=5),
        arrays,
        max_size=3,
    )
)
def test_arrays_come_back_as_they_were_whatever_their_order_in_memory(
    tmp_path_factory, given_arrays
):
    path = tmp_path_factory.getbasetemp() / "arrays.npz"
    for written in (
        given_arrays,
        {name: np.asfortranarray(array) for name, array in given_arrays.items()},
    ):
        files.write_npz(path, written)
        read = files.read_npz(path)
        assert list(read) == list(written)
        for name, array in written.items():
            assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
            assert read[name].tobytes() == array.tobytes()


def test_objects_are_neither_written_nor_read(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ValueError, match="Object arrays"):
        files.write_npz(path, {"a": np.array([{}], dtype=object)})
    assert list(tmp_path.iterdir()) == []
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(
        UnrollError,
        match=r"a\.npz is damaged \(Object arrays .*delete it and run `unroll repro`",
    ):
        files.read_npz(path)


def read_damaged(path, data):
    """What reading gives: the arrays, or None for an UnrollError of one line."""
    path.write_bytes(data)
    try:
        return files.read_npz(path)
    except UnrollError as error:
        return (
            None
            if "\n" not in str(error) and str(error).startswith(f"{path} is damaged (")
            else error
        )


@given(data=st.data())
def test_damage_to_arrays_never_changes_a_value_in_silence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    files.write_npz(path, ARRAYS)
    whole = path.read_bytes()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for content in (cut, b"PK", b"no archive", b"\x80\x04N.", b"\x93NUMPY\x01\x00"):
        assert read_damaged(path, content) is None, len(content)
    flipped = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        flipped[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(
            st.integers(0, 7)
        )
    read = read_damaged(path, bytes(flipped))
    # a date may be flipped, a member lost or renamed: no value is wrong
    for name in (read or {}).keys() & ARRAYS:
        np.testing.assert_array_equal(read[name], ARRAYS[name])


class Size(Strict):
    bytes: int


def test_json_that_holds_no_number_is_damaged_or_not_as_its_model_says_is_refused(
    tmp_path,
):
    path = tmp_path / "a.json"
    files.write_json(path, {"bytes": 3})
    for value in (float("nan"), float("inf"), np.float64("nan")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            files.write_json(path, {"a": value})
    assert files.read_checked(path, Size) == Size(bytes=3)
    assert list(tmp_path.iterdir()) == [path]
    for damaged in (
        b"",
        b"{",
        b'{"a": 1',
        b"\xff",
        b"[" * 100_000,
        b'{"bytes": NaN}',
        b'{"bytes": "3"}',
    ):
        path.write_bytes(damaged)
        with pytest.raises(
            UnrollError,
            match=r"a\.json is damaged \(.*\); delete it and run `unroll repro`",
        ):
            files.read_checked(path, Size)


def test_the_umask_is_respected(tmp_path, scratch):
    before = os.umask(0o002)
    try:
        files.write_text(tmp_path / "file", "text")
        with files.atomic_folder(tmp_path / "folder", scratch) as temporary:
            (temporary / "file").touch()
    finally:
        os.umask(before)
    for name, mode in (("file", 0o664), ("folder/file", 0o664), ("folder", 0o775)):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode
