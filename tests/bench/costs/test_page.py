import json
import re

import pytest

from bench.costs import measure, page
from bench.costs.cpu_accounts import PHASES


@pytest.fixture
def result():
    def phases(scale):
        return {phase: scale * (place + 1.25) for place, phase in enumerate(PHASES)}

    def build(scale):
        return {"seconds": 60.5 * scale, "cpu": 70.25 * scale, "phases": phases(scale)}

    found = {
        "stages": 23,
        "builds": {command: build(scale) for command, scale in zip(measure.BUILDS, (3, 2, 1.5), strict=True)},
        "same_lock": True,
        "no_op": {command: {"seconds": 2.5, "cpu": 1.75} for command in measure.BUILDS},
        "memory": {
            "prepare": {"stage": "prepare jena", "peak": 395.4},
            "train, none": {"stage": "train a", "peak": 81.0},
        },
        "full": {
            "datasets": ["imdb"],
            "experiments": 8,
            "stages": 12,
            "phases": phases(40),
            "evidence": {
                "seeds": {"20": 8, "5": 12},
                "cpu": 14640.0,
                "longest": ["train imdb_lstm", 2460.0],
                "minutes": [244.0, 123.0, 61.5],
                "networks": {"imdb_lstm": [450.25, 434.5], "sine_dense": [9.25, 2.5]},
            },
        },
        "seeds": {
            "imdb_lstm": {
                "epochs": 3,
                "seeds": 4,
                "cores": 2,
                "one": {"seconds": 12.0, "cpu": 12.5},
                "together": {"seconds": 18.0, "cpu": 19.0},
                "apart": {"seconds": 26.0, "cpu": 51.0},
            }
        },
        "checked": {"imdb_lstm": {"demo": 0.0301, "real": 0.0312}},
    }
    return json.loads(json.dumps(found))


def test_every_figure_of_the_section_is_in_the_result(result):
    text = page.section(result)
    known = {"23", "8", "12", "2", "1", "2.5", "1.8", "1.75", "395", "81", "30.10", "31.20"}
    known |= {"20", "5", "244", "123", "62", "41", "150", "450.2", "434.5", "9.2", "4"}
    known |= {"12.0", "2.0", "18.0", "19.0", "26.0", "51.0"}
    for cost in result["builds"].values():
        known |= {f"{cost['seconds']:.1f}", f"{cost['cpu']:.1f}", f"{181.5 / cost['seconds']:.2f}"}
    for phases in [*(cost["phases"] for cost in result["builds"].values()), result["full"]["phases"]]:
        groups = [[phase] for phase in PHASES] + [list(PHASES[2:])]
        for group in groups:
            seconds = sum(phases[phase] for phase in group)
            known |= {f"{seconds:.1f}", f"{100 * seconds / sum(phases.values()):.1f}"}
    figures = re.findall(r"\d+(?:\.\d+)?", text)
    assert len(figures) > 90
    assert set(figures) <= known


def test_a_lock_that_differs_is_said_aloud_and_what_was_not_measured_is_left_out(result):
    assert "held the same bytes" in page.section(result)
    text = page.section(result | {"same_lock": False, "checked": {}})
    assert "held NOT the same bytes" in text
    assert "to check that" not in text


def test_a_rebuild_with_the_seeds_of_the_evidence_is_estimated(result):
    lines = page.section(result).splitlines()
    text = " ".join(lines)
    assert "(20 seeds of 8 networks, 5 seeds of 12 networks) takes 244 minutes of CPU" in text
    assert "**123 minutes on two idle cores**" in text
    assert "| `imdb_lstm` | 12.0 | 2.0 | 18.0 | 19.0 | 26.0 | 51.0 |" in lines


def test_the_plot_is_in_light_and_dark_and_the_same_each_time(result):
    assert page.plot(result) == page.plot(result)
    assert "prefers-color-scheme: dark" in page.plot(result)
