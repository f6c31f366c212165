"""Zip files: those that Unroll fetches, and those that people hand each other."""

import contextlib
import io
import os
import pickle
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import files
from pipeline.data.preparations import imdb
from pipeline.data.sources import jena
from pipeline.files import sha256, write_json
from tests.hostile.one_line import line, result_or_line

ROW = "01.01.2009 00:10:00," + ",".join("1.0" for _ in jena.COLUMNS[1:]) + "\n"
BODY = (",".join(jena.COLUMNS) + "\n" + ROW).encode()
MIB = 1024**2


def member(name=jena.FILE, method=zipfile.ZIP_DEFLATED, mode=0o644):
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    info.external_attr = (stat.S_IFREG | mode) << 16
    return info


def zipped(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, body in members:
            archive.writestr(info, body)
    return buffer.getvalue()


@pytest.fixture
def unpack(tmp_path):
    """Unpack bytes as the official zip; nothing may be written but the one file in its own folder."""
    inner = tmp_path / "a" / "b" / "raw"
    inner.mkdir(parents=True)

    def unpack(body):
        archive = tmp_path / "archive"
        archive.write_bytes(body)
        said = result_or_line(jena.unpack, archive, inner / jena.FILE, "the mirror", lambda *_: None)
        there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if not path.is_dir()}
        assert there <= {"archive", f"a/b/raw/{jena.FILE}"}
        return said

    return unpack


@contextlib.contextmanager
def memory_below(limit):
    """The block may hold at most `limit` bytes at once. NumPy's arrays are counted too."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def test_an_honest_zip_is_unpacked(unpack):
    assert unpack(zipped((member(), BODY))) is None


@pytest.mark.parametrize(
    "name",
    [
        f"../{jena.FILE}",
        f"../../../{jena.FILE}",
        f"/tmp/{jena.FILE}",  # noqa: S108 - never written
        f"C:\\{jena.FILE}",
        f"..\\{jena.FILE}",
        f"a/{jena.FILE}",
        f"./{jena.FILE}",
        f"{jena.FILE}/",
        f"{jena.FILE} ",
        jena.FILE.upper(),
        "",
        "../__MACOSX/x",
        "\x1b[31m\n\u202e",
        "x" * 60_000,
    ],
)
def test_a_member_of_another_name_is_refused(unpack, name):
    assert f"must hold {jena.FILE} and nothing else" in unpack(zipped((member(name), BODY)))


def test_two_members_of_one_name_are_refused(unpack):
    with pytest.warns(UserWarning, match="Duplicate name"):
        body = zipped((member(), BODY), (member(), b"other"))
    assert "and nothing else" in unpack(body)


def test_what_lies_in_the_folder_that_a_mac_adds_is_not_unpacked(unpack):
    assert unpack(zipped((member(), BODY), (member("__MACOSX/../../../evil"), b"evil"))) is None


def test_a_link_becomes_a_file_that_holds_its_target(unpack, tmp_path):
    link = member()
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert unpack(zipped((link, b"/etc/passwd"))) is None
    file = tmp_path / "a" / "b" / "raw" / jena.FILE
    assert not file.is_symlink()
    assert "column 'Date Time' is missing" in line(jena.check, file, jena.OFFICIAL, "the mirror")


def test_an_encrypted_member_is_refused(unpack):
    body = bytearray(zipped((member(), BODY)))
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        body[body.index(header) + flags] |= 1
    assert "is encrypted" in unpack(bytes(body))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_deflate_is_unpacked(unpack, method):
    """The first bytes of LZMA may ask for a dictionary of four gigabytes."""
    assert "another method than deflate" in unpack(zipped((member(method=method), BODY)))


@pytest.mark.parametrize("said", [1, 100, 4 * MIB, jena.LIMIT, jena.LIMIT + 1, 2**32 - 2])
def test_no_more_is_unpacked_of_a_bomb_than_it_says_and_no_more_is_said_than_the_limit(unpack, said, tmp_path):
    bomb = zipped((member(), bytes(4 * MIB)))
    assert len(bomb) < 10_000
    with memory_below(4 * MIB):
        done = unpack(bomb.replace(struct.pack("<I", 4 * MIB), struct.pack("<I", said)))
    file = tmp_path / "a" / "b" / "raw" / jena.FILE
    if said > jena.LIMIT:
        assert "unpacks to more than 268,435,456 bytes" in done
        assert not file.exists()
    else:
        assert (done is None) == (said >= 4 * MIB)
        assert file.stat().st_size <= said


def test_a_zip_in_a_zip_stays_packed(unpack, tmp_path):
    assert unpack(zipped((member(), zipped((member(), bytes(MIB)))))) is None
    assert (tmp_path / "a" / "b" / "raw" / jena.FILE).stat().st_size < 10_000


def test_an_archive_that_is_too_large_is_not_opened(unpack, monkeypatch):
    monkeypatch.setattr(jena, "LIMIT", 1000)
    assert "has more than 1,000 bytes" in unpack(b"PK" + bytes(1000))


damage = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "grow"]), st.integers(0, 2000), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=4,
)


def damaged(body, changes):
    """The bytes, changed mostly near the end, where a zip keeps its directory."""
    body = bytearray(body)
    for how, place, some in changes:
        start = len(body) - 1 - place % max(1, len(body))
        if how == "set":
            body[start : start + len(some)] = some
        elif how == "cut":
            del body[start : start + len(some)]
        else:
            body[start:start] = some
    return bytes(body)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(changes=damage, method=st.sampled_from([0, 8, 12]), size=st.integers(0, 50))
def test_whatever_the_damage_a_zip_is_unpacked_or_one_line(tmp_path_factory, changes, method, size):
    folder = tmp_path_factory.getbasetemp()
    archive = folder / "damaged.zip"
    archive.write_bytes(damaged(zipped((member(method=method), b"a,b\n" * size)), changes))
    result_or_line(jena.unpack, archive, folder / "unpacked", "the mirror", lambda *_: None)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(changes=damage, size=st.integers(0, 50))
def test_whatever_the_damage_arrays_are_read_or_one_line(tmp_path_factory, changes, size):
    archive, whole = tmp_path_factory.getbasetemp() / "damaged.npz", io.BytesIO()
    np.savez(whole, a=np.arange(float(size)), b=np.array(["x", "yz"]))
    archive.write_bytes(damaged(whole.getvalue(), changes))
    result_or_line(files.read_npz, archive)


def npy(shape, dtype="<f8", body=b"", order=False):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": shape, "fortran_order": order, "descr": dtype})
    return buffer.getvalue() + body


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "array",
    [
        npy((10**12,)),
        npy((10**6, 10**6, 10**6)),
        npy((2**62,)),
        npy((2**200,)),
        npy((1,), "<U1000000000"),
        npy((-1, -8), body=bytes(64)),
        npy((True,), body=bytes(8)),
        npy((10**9,), "|O", body=pickle.dumps(1)),
        b"\x93NUMPY\3\0" + struct.pack("<I", 2**32 - 1),
        b"\x93NUMPY\1\0" + struct.pack("<H", 60_000) + b"(" * 60_000,
    ],
)
def test_an_array_of_terabytes_takes_none(tmp_path, array, method):
    path = tmp_path / "a.npz"
    path.write_bytes(zipped((member("a.npy", method), array)))
    with memory_below(8 * MIB):
        assert "a.npz is damaged" in line(files.read_npz, path)


@pytest.mark.parametrize(
    "array",
    [npy((10**9,), "|V0"), npy((0, 10**18)), b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"9**" * 3000],
)
def test_a_header_that_says_much_of_nothing_costs_nothing(tmp_path, array):
    path = tmp_path / "a.npz"
    path.write_bytes(zipped((member("a.npy", zipfile.ZIP_STORED), array)))
    with memory_below(8 * MIB):
        result_or_line(files.read_npz, path)


def test_arrays_that_unpack_to_more_than_the_file_are_not_unpacked(tmp_path):
    path, size = tmp_path / "a.npz", 16 * MIB
    path.write_bytes(zipped((member("a.npy"), npy((size,), "|u1", bytes(size)))))
    with memory_below(8 * MIB):
        assert "a.npz is damaged (it unpacks to more than it holds)" in line(files.read_npz, path)


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def trapped(path):
    array = np.empty(2, object)
    array[:] = [Trap(path), [1]]
    return array


def test_a_pickle_among_our_own_arrays_is_not_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", a=trapped(tmp_path / "sprung"))
    assert "a.npz is damaged (Object arrays cannot be loaded" in line(files.read_npz, tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("known", ["another", "none", "its own"])
def test_no_pickle_of_the_one_pickled_file_runs_anything(tmp_path, known):
    """Before its hash is known it isn't opened; after, what isn't a list of numbers isn't unpickled."""
    raw = tmp_path / "imdb"
    raw.mkdir()
    names = ("x_train", "x_test", "y_train", "y_test")
    np.savez(raw / "imdb.npz", **dict.fromkeys(names, trapped(tmp_path / "sprung")))
    digest = {"another": "0" * 64, "none": None, "its own": sha256(raw / "imdb.npz")}[known]
    write_json(raw / "source.json", {"files": {"imdb.npz": {"sha256": digest}}})
    said = line(imdb.prepare, "imdb", raw, words=40, length=12, validation=0.2)
    assert ("it asks for posix.mkdir" if known == "its own" else "so it is not opened") in said
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "text",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(tR.",
        b"c__main__\nx\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02cnumpy\ndtype\n(U\x02O8tR}b.",
        b"cnumpy\nndarray\n(I1000000000000\ntR.",
        b"(" * 100_000 + b".",
        b"",
        b".",
        b"N.",
        b"\x80\xff.",
        b"]" + b"\x94" * 1000,
    ],
)
def test_pickles_by_hand_give_one_line(tmp_path, text):
    raw = tmp_path / "imdb"
    raw.mkdir()
    array = npy((1,), "|O", text)
    names = ("x_train", "y_train", "x_test", "y_test")
    (raw / "imdb.npz").write_bytes(zipped(*((member(f"{name}.npy"), array) for name in names)))
    write_json(raw / "source.json", {"files": {"imdb.npz": {"sha256": sha256(raw / "imdb.npz")}}})
    line(imdb.prepare, "imdb", raw, words=40, length=12, validation=0.2)
