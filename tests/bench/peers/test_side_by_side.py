from dataclasses import replace

from bench import __main__ as command
from bench.peers import side_by_side
from pipeline.files import read_json


class SameProcess(side_by_side.PeerProcess):
    """In this process, which has TensorFlow, a framework after the other."""

    def __init__(self, framework, _folder):
        self.framework = framework

    def ask(self, do, *arguments):
        return do(self.framework, *arguments)

    def close(self):
        """There is no process."""


def test_a_quick_round_compares_and_writes_a_page_and_leaves_what_is_committed(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(side_by_side, "PeerProcess", SameProcess)
    monkeypatch.setattr(side_by_side, "FRAMEWORKS", ("unroll", "documents"))
    monkeypatch.setattr(side_by_side, "QUICK", ("sine_dense",))
    short = replace(side_by_side.WORKLOADS["sine_dense"], epochs=1, evaluations=1)
    monkeypatch.setitem(side_by_side.WORKLOADS, "sine_dense", short)
    monkeypatch.setattr("sys.argv", ["bench", "peers", "--quick"])
    assert command.main() == 0
    assert capsys.readouterr().out == ".unroll/bench/performance.md\n"
    assert [path.name for path in tmp_path.iterdir()] == [".unroll"]
    found = read_json(tmp_path / ".unroll/bench/results.json")["peers"]
    assert [row["side"] for row in found["rows"]] == 2 * ["unroll", "documents"]
    for row in found["rows"]:
        assert row["ms"]["median"] > 0
        assert row["side"] != "unroll" or row["ratio"]["median"] == 1
    assert "\n| sine_dense | " in (tmp_path / ".unroll/bench/performance.md").read_text(
        encoding="utf-8"
    )
