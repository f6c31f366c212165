import os

from bench import REPOSITORY, newcomer, process_cost


def test_each_is_run_three_times_without_anything_of_this_environment(monkeypatch):
    lines = []

    def run(command, folder, variables):
        """Runs nothing; each takes a second more than the one before."""
        (folder / "clone").mkdir(exist_ok=True)
        lines.append(" ".join(command))
        assert not [name for name in variables if name.startswith(("UNROLL_", "MAKE"))]
        return {"seconds": float(len(lines))}

    monkeypatch.setenv("UNROLL_MIRROR", "somewhere")
    monkeypatch.setattr(process_cost, "run", run)
    found = newcomer.measure(quick=False, say=lambda _: None)["waits"]
    assert [*found] == [*newcomer.GOALS, "make test"]
    assert found["set-up, cold"]["seconds"] == {"min": 2, "median": 3, "max": 4}  # the first is `git clone`
    assert (found["set-up, warm"]["goal"], found["make test"]["goal"]) == (10, None)
    assert lines.count(".venv/bin/unroll --root .demo compare") == 1 + newcomer.RUNS
    own = {"PATH": f"{REPOSITORY}/.venv/bin{os.pathsep}/usr/bin", "PYTHONPATH": ".", "PYTHON": "python3.13"}
    assert newcomer.environment(own) == {"PATH": "/usr/bin", "PYTHON": "python3.13"}
