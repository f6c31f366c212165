"""`python -m bench rebuild`: the costs of a build, from its records."""

from bench import rebuild
from pipeline.provenance.record import Record
from pipeline.workspace import Workspace


def record(cpu_seconds):
    return Record.model_construct(
        started="2026-11-28T12:00:00+00:00",
        ended="2026-11-28T12:01:30+00:00",
        cpu_seconds=cpu_seconds,
    )


def test_cpu_seconds_are_given_where_each_record_has_them():
    costs = rebuild.costs([record(80.0), record(70.5)])
    assert costs == {"experiments": 2, "seconds": 180.0, "cpu": 150.5}
    assert rebuild.costs([record(80.0), record(None)])["cpu"] is None


def test_a_search_costs_what_its_trainings_took(tmp_path):
    folder = tmp_path / "results/trials/waves"
    folder.mkdir(parents=True)
    (folder / "gru.csv").write_text("trial,cpu_seconds\n1,2.5\n2,4.0\n")
    (folder / "older.csv").write_text("trial\n1\n")
    assert rebuild.searches(Workspace(tmp_path)) == {"waves": {"gru": 6.5}}
