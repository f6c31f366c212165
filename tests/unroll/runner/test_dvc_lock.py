import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import dump_yaml, load_yaml

from unroll.runner import dvc_lock


def entry(name):
    outs = [{"path": f"runs/{name}", "md5": "1" * 32, "size": 7}]
    return {"cmd": f"unroll train {name}", "params": {"params.yaml": {"unit": "°C"}}, "outs": outs}


ENTRIES = {"train@a": entry("a"), "report": entry("b")}


@pytest.fixture
def path(tmp_path):
    dump_yaml(str(tmp_path / "dvc.lock"), {"schema": "2.0", "stages": ENTRIES})
    return tmp_path / "dvc.lock"


def test_wherever_the_file_is_cut_off_dvc_can_read_what_is_left(path):
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        mended = dvc_lock.mend(path)
        assert mended or whole[:size].endswith(b"\n"), size
        if path.exists():
            left = COMPILED_LOCKFILE_SCHEMA(load_yaml(str(path))).get("stages", {})
            assert list(ENTRIES)[: len(left)] == list(left)
            if len(left) == 2:
                assert left["train@a"] == ENTRIES["train@a"]


def test_a_whole_file_and_one_that_dvc_did_not_write_are_left_alone(path):
    for text in (path.read_text(encoding="utf-8"), "<<<<<<< HEAD\nschema: '2.0'"):
        path.write_text(text, encoding="utf-8")
        assert not dvc_lock.mend(path)
        assert path.read_text(encoding="utf-8") == text


def test_entries_are_put_in_order_and_those_of_stages_that_are_gone_taken_out_as_dvc_would_write_it(path):
    dump_yaml(str(path), {"schema": "2.0", "stages": {**ENTRIES, "gone": entry("gone"), "source@x": entry("x")}})
    dvc_lock.order(path, ["source@x", "prepare@x", "report", "train@a"])
    ordered = path.read_bytes()
    dump_yaml(str(path), {"schema": "2.0", "stages": {"source@x": entry("x"), **dict(reversed(ENTRIES.items()))}})
    assert ordered == path.read_bytes()
    path.unlink()
    dvc_lock.order(path, ["report"])
    assert not path.exists()
