import pytest
from dvc.utils.serialize import dump_yaml

from unroll.runner import dvc_lock


def entry(name):
    outs = [{"path": f"runs/{name}", "md5": "1" * 32, "size": 7}]
    return {"cmd": f"unroll train {name}", "params": {"params.yaml": {"unit": "°C"}}, "outs": outs}


ENTRIES = {"train@a": entry("a"), "report": entry("b")}


@pytest.fixture
def path(tmp_path):
    dump_yaml(str(tmp_path / "dvc.lock"), {"schema": "2.0", "stages": ENTRIES})
    return tmp_path / "dvc.lock"


def test_entries_are_put_in_order_and_those_of_stages_that_are_gone_taken_out_as_dvc_would_write_it(path):
    dump_yaml(str(path), {"schema": "2.0", "stages": {**ENTRIES, "gone": entry("gone"), "source@x": entry("x")}})
    dvc_lock.order(path, ["source@x", "prepare@x", "report", "train@a"])
    ordered = path.read_bytes()
    dump_yaml(str(path), {"schema": "2.0", "stages": {"source@x": entry("x"), **dict(reversed(ENTRIES.items()))}})
    assert ordered == path.read_bytes()
    path.unlink()
    dvc_lock.order(path, ["report"])
    assert not path.exists()
