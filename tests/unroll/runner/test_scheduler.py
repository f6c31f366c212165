import signal

import pytest

from unroll.runner import scheduler
from unroll.runner.scheduler import build

NEEDS = {"a": [], "b": [], "a2": ["a"], "b2": ["b"], "both": ["a2", "b2"]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(scheduler, "POLL", 0.001)
    monkeypatch.setattr(scheduler, "GRACE", 0.05)


class FakeStage:
    """A stage that ends with a status after some polls, or when it is told to."""

    def __init__(self, polls=1, status=0, heeds=True):
        self._left, self._heeds, self.status, self._end = polls, heeds, None, status

    def poll(self):
        self._left -= 1
        if self._left <= 0 and self.status is None:
            self.status = self._end
        return self.status

    def send_signal(self, number):
        if self._heeds or number == signal.SIGKILL:
            self.status = -number


def run(needs, jobs, seconds=lambda _name: 1.0, **stages):
    """What became of the stages, the order in which they ended, and how many ran at once at most."""
    ended, most = [], []

    def on_event(_result, running, stage):
        ended.extend([stage] * (stage is not None))
        most.append(len(running))

    result = build(list(needs), needs, lambda: jobs, lambda name: stages.get(name, FakeStage()), on_event, seconds)
    return result, ended, max(most)


def test_a_stage_starts_as_soon_as_all_that_it_needs_is_built():
    result, ended, most = run(NEEDS, 2, a=FakeStage(polls=5), b=FakeStage(polls=2))
    assert ended == ["b", "b2", "a", "a2", "both"]
    assert (set(result.built), result.failed, result.skipped) == (set(NEEDS), {}, [])
    assert most == 2, "no more than the jobs at once"


def test_an_interrupt_ends_every_running_stage_and_kills_those_that_do_not_heed_it():
    stages = {"a": FakeStage(polls=10**9), "b": FakeStage(polls=10**9, heeds=False)}

    def interrupt(_result, running, _ended):
        if len(running) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(list(NEEDS), NEEDS, lambda: 2, stages.__getitem__, interrupt)
    assert [stage.status for stage in stages.values()] == [-signal.SIGINT, -signal.SIGKILL]


def test_what_the_longest_chain_needs_starts_first_so_that_no_long_training_is_left_for_the_end():
    short = {f"short{n}": 10 for n in range(6)}
    durations = {**short, "raw": 1, "data": 1, "long": 25, "long2": 40}
    needs = dict.fromkeys(short, ()) | {"raw": (), "data": ["raw"], "long": ["data"], "long2": ()}
    assert run(needs, 1, durations.__getitem__)[1] == ["long2", "raw", "data", "long", *short]
