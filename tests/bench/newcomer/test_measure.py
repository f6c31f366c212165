import os

import pytest

from bench import process_cost
from bench.newcomer import measure
from bench.repository import REPOSITORY

NO_SET_UP = {"set-up, warm", "make demo", *(f"unroll {command}" for command in measure.LIGHT)}


@pytest.fixture
def ran(monkeypatch):
    """The commands that are measured, none of which runs: each takes a second more than the one before."""
    lines = []

    def run(command, folder, variables):
        if command[0] == "git":
            (folder / "clone").mkdir()
        else:
            lines.append((" ".join(command), variables))
        return {"seconds": float(len(lines)), "cpu": 0.0, "peak": 0.0}

    monkeypatch.setattr(process_cost, "run", run)
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (0.254, 0.0, 0.0))
    return lines


def test_a_trial_has_one_run_of_what_is_quick_from_the_caches_that_are_there(ran):
    found = measure.measure(quick=True, on_step=lambda _: None)
    assert set(found) == NO_SET_UP
    assert found["set-up, warm"] == {"seconds": {"min": 1, "median": 1, "max": 1}, "goal": 10, "load": [0.25]}
    assert all(variables.get("UV_CACHE_DIR") == os.environ.get("UV_CACHE_DIR") for _, variables in ran)


def test_each_is_run_three_times_and_what_only_looks_once_before(ran):
    steps = []
    found = measure.measure(quick=False, on_step=steps.append)
    assert set(found) == {*NO_SET_UP, "set-up, cold", "make test"}
    assert found["set-up, cold"]["seconds"] == {"min": 1, "median": 2, "max": 3}
    assert len(found["make test"]["load"]) == 3
    assert found["make test"]["goal"] is None
    lines = [line for line, _ in ran]
    assert lines.count(".venv/bin/unroll --root .demo compare") == 4
    assert len(steps) == len(lines) - len(measure.LIGHT)
    assert all(variables["UV_CACHE_DIR"].endswith("cache/uv") for _, variables in ran)


def test_a_newcomer_has_nothing_of_this_environment():
    own = {"PATH": f"{REPOSITORY}/.venv/bin{os.pathsep}/usr/bin", "MAKELEVEL": "1", "PYTHONPATH": ".", "HOME": "/home"}
    assert measure.environment(own | {"PYTHON": "python3.13"}) == {
        "PATH": "/usr/bin",
        "HOME": "/home",
        "PYTHON": "python3.13",
    }
