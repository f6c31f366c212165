import itertools
from xml.etree import ElementTree as ET

import pytest

from bench import page as performance
from bench import results
from bench.cluster import page
from bench.cluster.machines import Built
from bench.cluster.measure import besides
from tests.bench.conftest import ABOUT


@pytest.fixture
def result():
    graphs = [
        {"stages": 200, "slots": [2, 64], "bound": [5000.0, 900.0], "seconds": [5100.0, 950.0]},
        {"stages": 1000, "slots": [64], "bound": [2000.0], "seconds": [2400.0]},
    ]
    graphs = [one | {"read": 2.5, "planned": 0.01, "loop": [0.5] * len(one["slots"])} for one in graphs]
    overhead = {"median": 1.25, "mean": 1.5, "max": 3.0, "first": 9.5, "begin": 0.05, "land": 0.25}
    builds = {"1": {"local": 100.0, "cluster": 130.0, "ratio": 1.3}}
    found = {"graph": "the miniature", "stages": 20, "builds": builds, "same_lock": True, "overhead": overhead}
    return found | {"simulated": {"recorded": 0, "graphs": graphs}}


def test_the_section_says_what_was_measured_and_judges_it_by_the_goals(result):
    text = page.section(result)
    assert "| 1 | 130.0 | 100.0 | 1.30 |" in text
    assert "`dvc.lock` held the same bytes" in text
    assert "takes 1.25 s longer" in text
    assert "| 200 | 64 | 900 | 950 | 1.06 | reached | 0.5 |" in text
    assert "| 1,000 | 64 | 2,000 | 2,400 | 1.20 | **not reached** | 0.5 |" in text
    assert "in 2.5 s of CPU" in text
    assert "| 200 | 2 | 5,000 | 5,100 | 1.02 |  | 0.5 |" in text
    for above, line in itertools.pairwise(text.splitlines()):
        assert len(line) <= 120
        if line.startswith("|"):
            assert not above.strip() or above.count("|") == line.count("|")


def test_the_page_has_the_section_and_its_plot_if_it_was_measured(result, found, tmp_path):
    written = performance.write(results.merge(found, "cluster", result, ABOUT), tmp_path)
    assert tmp_path / "performance-cluster.svg" in written
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "![performance-cluster.svg](performance-cluster.svg)" in text
    svg = (tmp_path / "performance-cluster.svg").read_text(encoding="utf-8")
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    assert "1,000 stages" in svg
    performance.write(found, tmp_path)
    assert "On many machines" not in (tmp_path / "performance.md").read_text(encoding="utf-8")


def test_overhead_leaves_out_what_the_head_runs_and_the_first_stage_of_the_slot():
    local = Built(1.0, {"source@a": 1.0, "prepare@a": 1.0, "train@a": 2.0, "train@b": 2.0, "report": 1.0}, {})
    spent = {stage: {"begin": 0.25, "land": 0.5} for stage in local.stages}
    there = local.stages | {"source@a": 90.0, "prepare@a": 9.0, "train@a": 3.0, "train@b": 5.0, "report": 90.0}
    found = besides(local, Built(2.0, there, spent))
    assert found == {"median": 2.0, "mean": 2.0, "max": 3.0, "first": 8.0, "begin": 0.25, "land": 0.5}
