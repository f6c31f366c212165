import pytest

from bench.cluster import simulate
from bench.cluster.simulate import Overhead

NEEDS = {"prepare@a": [], "train@long": ["prepare@a"], "train@short": ["prepare@a"], "evaluate@a": ["train@long"]}
SECONDS = {"prepare@a": 10.0, "train@long": 1000.0, "train@short": 400.0, "evaluate@a": 20.0}


def test_copies_side_by_side_have_their_own_needs():
    needs, seconds = simulate.replicated(NEEDS, SECONDS, 12)
    assert len(needs) == len(seconds) == 12
    assert needs["evaluate@a_2"] == ["train@long_2"]
    assert simulate.replicated(NEEDS, SECONDS, 0)[1] == {f"{stage}_0": took for stage, took in SECONDS.items()}


@pytest.mark.parametrize(("slots", "expected"), [(1, 1430), (2, 1030), (64, 1030)])
def test_the_bound_is_the_longest_chain_or_all_work_shared_out(slots, expected):
    assert simulate.bound(NEEDS, SECONDS, slots) == expected


def test_a_build_in_virtual_time_takes_the_seconds_of_its_stages_and_what_each_costs_besides(tmp_path):
    for slots in (1, 2):
        least = simulate.bound(NEEDS, SECONDS, slots)
        found = simulate.build(NEEDS, SECONDS, slots, Overhead(), tmp_path)
        assert least <= found["seconds"] < least + 2
        assert found["loop"] < 2
        one = simulate.build(NEEDS, SECONDS, slots, Overhead(begin=1, land=2, slot=30), tmp_path)
        on_the_way = {1: 4, 2: 3}[slots]
        assert least + 33 * on_the_way <= one["seconds"] < least + 33 * on_the_way + 4


def test_the_plan_is_timed(tmp_path):
    assert 0 < simulate.planned(*simulate.replicated(NEEDS, SECONDS, 1000), tmp_path) < 5
