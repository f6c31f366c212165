import copy
from pathlib import Path

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml

from stages.repro import dvc_lock

ROOT = Path(__file__).parents[2]
ENTRY = {
    "cmd": "unroll train a",
    "deps": [{"path": "data", "hash": "md5", "md5": "0" * 32 + ".dir", "size": 5, "nfiles": 2}],
    "params": {
        "params.yaml": {
            "experiments.a": {
                "training": {"learning_rate": 1e-05, "note": "a: b # c", "none": None, "yes": "yes", "large": 1e22},
                "seeds": [0, 1],
                "hidden": [],
                "words": "word " * 40,
                "lines": "one\ntwo\n",
                "unit": "°C",
            }
        }
    },
    "outs": [{"path": "runs/a", "hash": "md5", "md5": "1" * 32, "size": 7}],
}


def as_dvc(path, entries):
    # Apart, or YAML would write the second as a reference to the first.
    dump_yaml(str(path), {"schema": "2.0", "stages": {name: copy.deepcopy(entry) for name, entry in entries.items()}})
    return path.read_bytes()


def test_the_bytes_are_those_of_dvc(tmp_path):
    expected = as_dvc(tmp_path / "expected", {"train@a": ENTRY, "b": ENTRY | {"cmd": "c"}})
    path = tmp_path / "dvc.lock"
    assert dvc_lock.put(path, "train@a", ENTRY)
    assert dvc_lock.put(path, "b", ENTRY | {"cmd": "c"})
    assert path.read_bytes() == expected


def test_a_stage_that_is_there_is_replaced_in_its_place(tmp_path):
    path = tmp_path / "dvc.lock"
    as_dvc(path, {"a": ENTRY, "b": ENTRY})
    assert dvc_lock.put(path, "a", ENTRY | {"cmd": "d"})
    assert path.read_bytes() == as_dvc(tmp_path / "expected", {"a": ENTRY | {"cmd": "d"}, "b": ENTRY})


def test_every_entry_of_the_committed_file_can_be_put_back(tmp_path):
    for name, entry in load_yaml(str(ROOT / "dvc.lock"))["stages"].items():
        assert dvc_lock.put(tmp_path / "dvc.lock", name, entry)
    assert (tmp_path / "dvc.lock").read_bytes() == (ROOT / "dvc.lock").read_bytes()


def test_entries_are_ordered_and_those_of_others_dropped(tmp_path):
    path = tmp_path / "dvc.lock"
    as_dvc(path, {"a": ENTRY, "b": ENTRY, "c": ENTRY})
    assert dvc_lock.order(path, ["c", "d", "a"])
    assert path.read_bytes() == as_dvc(tmp_path / "expected", {"c": ENTRY, "a": ENTRY})
    assert dvc_lock.order(path, [])
    assert path.read_bytes() == as_dvc(tmp_path / "expected", {})
    assert dvc_lock.read(path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "stages:\n  a:\n    cmd: b\n",
        "schema: '2.0'\nstages:\n  a: {cmd: b}\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: b\ndatasets: []\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: b\n# a comment\n  c:\n    cmd: d\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: b\n  a:\n    cmd: c\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: b",
        "schema: '2.0'\n",
    ],
)
def test_a_text_that_is_not_as_dvc_writes_it_is_left_to_dvc(tmp_path, text):
    path = tmp_path / "dvc.lock"
    path.write_text(text)
    assert not dvc_lock.put(path, "b", ENTRY)
    assert not dvc_lock.order(path, ["a"])
    assert path.read_text() == text


def test_a_name_that_yaml_would_quote_is_left_to_dvc(tmp_path):
    assert not dvc_lock.put(tmp_path / "dvc.lock", "null", ENTRY)
    assert not dvc_lock.put(tmp_path / "dvc.lock", "a b", ENTRY)
