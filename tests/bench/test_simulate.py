import pytest

from bench import simulate
from bench.simulate import Overhead

NEEDS = {"prepare@a": [], "train@long": ["prepare@a"], "train@short": ["prepare@a"], "evaluate@a": ["train@long"]}
SECONDS = {"prepare@a": 10.0, "train@long": 1000.0, "train@short": 400.0, "evaluate@a": 20.0}


@pytest.mark.parametrize(("slots", "least", "on_the_way"), [(1, 1430, 4), (2, 1030, 3)])
def test_a_build_in_virtual_time_takes_the_seconds_of_its_stages_and_what_each_costs_besides(slots, least, on_the_way):
    assert simulate.bound(NEEDS, SECONDS, slots) == least
    found = simulate.build(NEEDS, SECONDS, slots, Overhead())
    assert least <= found["seconds"] < least + 2
    one = simulate.build(NEEDS, SECONDS, slots, Overhead(begin=1, land=2, slot=30))
    assert least + 33 * on_the_way <= one["seconds"] < least + 33 * on_the_way + 4


def test_copies_side_by_side_have_their_own_needs_and_a_stage_that_was_never_built_takes_the_mean_of_its_kind():
    needs, seconds = simulate.replicated(NEEDS, SECONDS, 12)
    assert len(needs) == len(seconds) == 12
    assert needs["evaluate@a_2"] == ["train@long_2"]
    assert simulate.mean_of_kind("train@other", SECONDS) == 700
