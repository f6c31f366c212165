"""`python -m bench`: parts, where they write, and one clear line for a mistake."""

import pytest

from bench import __main__ as command
from bench.peers import roofline
from pipeline.files import read_json, write_json


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Run it for a repository in a folder of its own."""
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(roofline, "SIZES", (64,))
    monkeypatch.setattr(roofline, "COPIED", 2**20)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["bench", *arguments])
        return command.main()

    return run


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["speed"], 2, "Valid: cluster, conditions, costs, newcomer, page, peers, roofline, sampling-error,"),
        (["--quick", "peers"], 2, "--quick stands behind the part"),
        (["page"], 1, "bench/results.json is missing; run `make bench`"),
    ],
)
def test_a_mistake_is_one_line(bench, arguments, status, said, capsys):
    assert bench(*arguments) == status
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_the_page_is_written_again_from_the_results_alone(bench, capsys, tmp_path, found):
    write_json(tmp_path / "bench/results.json", found)
    assert bench("page") == 0
    assert capsys.readouterr().out.split() == ["docs/performance.md", "docs/performance.svg"]
    assert (tmp_path / "docs/performance.md").is_file()


def test_a_quick_run_leaves_what_is_committed_and_the_next_one_knows_how_long_it_takes(bench, capsys, tmp_path):
    assert bench("roofline", "--quick") == 0
    assert read_json(tmp_path / ".unroll/bench/results.json")["roofline"]["sgemm_peak_gflops"] > 0
    assert not (tmp_path / "bench").exists()
    said = capsys.readouterr()
    assert said.out == ".unroll/bench/performance.md\n"
    assert "left)" not in said.err
    assert bench("roofline", "--quick") == 0
    assert "left)" in capsys.readouterr().err
