"""Seeds in one process and in several, on a command that costs nothing."""

import threading

from bench.costs import seeds
from bench.repository import REPOSITORY
from pipeline.config import params, plain_yaml
from pipeline.workspace import Workspace


def test_each_experiment_is_there_with_all_seeds_and_with_each_by_itself(tmp_path):
    plain_yaml.write(seeds.only(plain_yaml.read(REPOSITORY / "params.yaml"), 2), tmp_path / "params.yaml")
    found = params.load(tmp_path / "params.yaml")
    assert len(found.experiments) == 3 * len(seeds.EXPERIMENTS)
    for name in seeds.EXPERIMENTS:
        assert [found.experiments[one].seeds for one in (name, f"{name}_0", f"{name}_1")] == [[0, 1], [0], [1]]


def test_as_many_run_at_once_as_there_are_cores_and_their_costs_add_up(monkeypatch):
    together = threading.Barrier(2, timeout=10)

    def unroll(_workspace, _verb, _name):
        together.wait()
        return {"seconds": 1.0, "cpu": 2.0}

    monkeypatch.setattr(seeds, "unroll", unroll)
    assert seeds.side_by_side(Workspace(REPOSITORY), ["a", "b", "c", "d"], 2)["cpu"] == 8.0
