import pytest

from bench import results
from pipeline.errors import UnrollError


def test_a_part_takes_the_place_of_its_old_self(found):
    about = {"machine": found["machine"], "date": "2026-11-21", "seconds": 5, "steps": 2}
    new = results.merge(found, "roofline", {"sgemm_peak_gflops": 60.0, "copy_gbytes": 1.0}, about)
    assert len(new["rows"]) == len(found["rows"])
    assert new["roofline"]["sgemm_peak_gflops"] == 60.0
    old_share, new_share = found["rows"][0]["share_of_peak"], new["rows"][0]["share_of_peak"]
    assert new_share == pytest.approx(2 * old_share, rel=1e-3)
    assert new["parts"]["peers"] == found["parts"]["peers"]
    assert new["parts"]["roofline"]["date"] == "2026-11-21"
    costs = results.merge(new, "costs", {"stages": 3}, about)
    assert costs["costs"] == {"stages": 3}
    assert costs["rows"] == new["rows"]


def test_parts_of_two_machines_are_not_mixed(found):
    other = found["machine"] | {"kind": "Another CPU"}
    with pytest.raises(UnrollError, match="of another machine \\(Some CPU; this is Another CPU\\)"):
        results.require_same_machine(found, "scaling", other)
    results.require_same_machine(found, "scaling", found["machine"])
    results.require_same_machine({}, "scaling", other)


def test_this_machine_is_described_without_its_name(found):
    machine = results.machine()
    assert machine["versions"]["tensorflow"]
    assert set(machine) == set(found["machine"])
