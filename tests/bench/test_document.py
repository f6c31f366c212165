"""results.json and the page that is made of it."""

import itertools
import re

import pytest

from bench import __main__ as command
from bench import document, results
from bench.works import SIDES
from pipeline.errors import UnrollError
from pipeline.files import read_json, write_json

MACHINE = {
    "kind": "Some CPU",
    "cores": 2,
    "memory_gib": 23.4,
    "system": "Linux x86_64",
    "instructions": "AVX2",
    "python": "3.11.7",
    "versions": {"keras": "3.15.1"},
}


def spread(middle):
    return {"min": round(0.9 * middle, 4), "median": middle, "max": round(1.1 * middle, 4)}


def row(work, phase, side, ms, **more):
    ratio = spread(round(ms / 12.5, 4))
    extra = {"flops": 4_520_000_000, "traffic": None} if side == "unroll" else {"flops": None, "traffic": None}
    extra |= {"threads": 1, "warm_up_seconds": 3.2, "loss": {}}
    return {"work": work, "phase": phase, "side": side, "ms_per_step": spread(ms), "ratio": ratio} | extra | more


@pytest.fixture
def found():
    rows = [
        row(work, phase, side, 12.5 + 17.0 * place)
        for work in ("jena_lstm", "sine_dense")
        for phase in ("train", "evaluate")
        for place, side in enumerate(SIDES)
    ]
    check = {when: {"difference": 1.2e-8, "tolerance": 5e-05} for when in ("before", "train", "after")}
    facts = {
        "experiment": "jena_lstm",
        "stand_in": True,
        "batch": 128,
        "steps": 10,
        "evaluated": 1536,
        "rounds": 5,
        "checks": {"unroll": check, "jax": check},
    }
    peers = {
        "rows": rows,
        "absent": [{"work": "sine_dense", "side": "jax", "reason": "no such thing"}],
        "works": {"jena_lstm": facts},
    }
    about = {"machine": MACHINE, "date": "2026-11-20", "seconds": 61, "steps": 7}
    merged = results.merge({}, "peers", peers, about)
    limit = {"sgemm_peak_gflops": 120.0, "copy_gbytes": 20.5, "library": "openblas", "sizes": {"512": 120.0}}
    return results.merge(merged, "limit", limit, about)


def numbers(data):
    if isinstance(data, dict):
        return {n for key, value in data.items() for n in numbers(key) | numbers(value)}
    if isinstance(data, list):
        return {n for value in data for n in numbers(value)}
    if isinstance(data, str):
        return {float(n) for n in re.findall(r"\d+(?:\.\d+)?", data)}
    return {float(data)} if isinstance(data, int | float) and not isinstance(data, bool) else set()


def test_every_number_of_the_tables_is_from_the_results(found, tmp_path):
    document.write(found, tmp_path)
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    known = numbers(found) | {document.FASTEST, *document.OF_DOCUMENTS.values()}
    known |= {r["flops"] / 1e6 for r in found["rows"] if r["flops"]}
    known |= {100 * r["share_of_peak"] for r in found["rows"] if "share_of_peak" in r}
    lines = [line for line in text.splitlines() if line.startswith(("| jena", "| sine"))]
    shown = {float(n) for line in lines for n in re.findall(r"\d+(?:\.\d+)?(?:e[-+]\d+)?", line.replace(",", ""))}
    assert len(lines) == 4 + 4 + 4 + 2 + 1
    for number in shown:
        assert any(abs(number - one) <= 0.006 * abs(one) for one in known), number


def test_the_fastest_peer_is_bold_and_goals_are_judged(found, tmp_path):
    document.write(found, tmp_path)
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    train = next(line for line in text.splitlines() if line.startswith("| jena_lstm | train | **"))
    assert "| **2.36 (2.12 to 2.6)** | 3.72" in train
    # 4.52 GFLOP in 12.5 ms are more than 120 GFLOP/s.
    assert "2x fastest: met; 4x documents: 2.36x, met by 301% of peak" in train
    slow = next(line for line in text.splitlines() if line.startswith("| sine_dense | train | **"))
    assert "20x documents: 2.36x, met by 301% of peak" in slow
    for one in found["rows"]:
        one.pop("share_of_peak", None)
    document.write(found, tmp_path)
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "20x documents: **not met**, 2.36x" in text
    assert "sine_dense, jax is absent: no such thing" in text


def test_the_same_results_give_the_same_bytes(found, tmp_path):
    first = [path.read_bytes() for path in document.write(found, tmp_path / "1")]
    assert first == [path.read_bytes() for path in document.write(found, tmp_path / "2")]
    assert len(first) == 2
    assert first[1].startswith(b"<svg")


def test_tables_are_whole(found, tmp_path):
    document.write(found, tmp_path)
    lines = (tmp_path / "performance.md").read_text(encoding="utf-8").splitlines()
    for above, line in itertools.pairwise(lines):
        if line.startswith("|"):
            assert not above.strip() or above.count("|") == line.count("|"), line
        if line.startswith("| jena"):
            assert above.startswith("|"), line


def test_a_part_takes_the_place_of_its_old_self(found):
    about = {"machine": MACHINE, "date": "2026-11-21", "seconds": 5, "steps": 2}
    new = results.merge(found, "limit", {"sgemm_peak_gflops": 60.0, "copy_gbytes": 1.0}, about)
    assert len(new["rows"]) == len(found["rows"])
    assert new["sgemm_peak_gflops"] == 60.0
    old_share, new_share = found["rows"][0]["share_of_peak"], new["rows"][0]["share_of_peak"]
    assert new_share == pytest.approx(2 * old_share, rel=1e-3)
    assert new["parts"]["peers"] == found["parts"]["peers"]
    assert new["parts"]["limit"]["date"] == "2026-11-21"
    costs = results.merge(new, "costs", {"stages": 3}, about)
    assert costs["costs"] == {"stages": 3}
    assert costs["rows"] == new["rows"]


def test_parts_of_two_machines_are_not_mixed(found):
    other = MACHINE | {"kind": "Another CPU"}
    with pytest.raises(UnrollError, match="of another machine \\(Some CPU; this is Another CPU\\)"):
        results.require_same_machine(found, "scaling", other)
    results.require_same_machine(found, "scaling", MACHINE)
    results.require_same_machine({}, "scaling", other)


def test_this_machine_is_described_without_its_name():
    machine = results.machine()
    assert machine["versions"]["tensorflow"]
    assert set(machine) == set(MACHINE)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    return command.main()


def test_an_unknown_part_lists_the_valid_ones(monkeypatch, capsys):
    assert run(monkeypatch, "speed") == 2
    said = capsys.readouterr().err
    assert "the part must be one of: costs, document, limit, peers, scaling. Received: 'speed'" in said
    assert said.count("\n") == 1


def test_a_page_without_results_says_what_to_run(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(results, "COMMITTED", tmp_path / "bench")
    assert run(monkeypatch, "document") == 1
    assert "bench/results.json is missing; run `make bench`" in capsys.readouterr().err


def test_the_page_is_written_again_from_the_results_alone(monkeypatch, capsys, tmp_path, found):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(results, "COMMITTED", tmp_path / "bench")
    write_json(tmp_path / "bench/results.json", found)
    assert run(monkeypatch, "document") == 0
    assert capsys.readouterr().out.split() == ["docs/performance.md", "docs/performance.svg"]
    assert (tmp_path / "docs/performance.md").is_file()


def test_a_quick_run_leaves_what_is_committed(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(results, "COMMITTED", tmp_path / "bench")
    assert run(monkeypatch, "limit", "--quick") == 0
    assert read_json(tmp_path / ".unroll/bench/results.json")["sgemm_peak_gflops"] > 0
    assert not (tmp_path / "bench").exists()
    said = capsys.readouterr()
    assert said.out == ".unroll/bench/performance.md\n"
    assert "left)" not in said.err
