import sys

import pytest

from unroll.runner import display
from unroll.runner.display import Display
from unroll.runner.eta import Estimates
from unroll.runner.scheduler import Outcome

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def estimates(tmp_path):
    return Estimates(tmp_path / "seconds.json")


def test_time_left_is_from_stages_of_the_same_kind_and_shared_by_jobs(capsys, estimates):
    due = ["train@a", "train@b", "train@c", "evaluate@d", "report"]
    display = Display(due, lambda: 2, estimates, str)
    display.show(Outcome(built={"train@a": 10.0}), ["train@b"], "train@a")
    # Two trains of 10 s, two kinds not seen yet that count as 1 s: 22 s on two jobs.
    assert capsys.readouterr().out == "      1/5  train@a  10 s  (roughly 11 s left)\n"


def test_what_a_failure_leaves_out_is_counted_and_no_longer_waited_for(capsys, clock, estimates):
    display = Display(["source@a", "prepare@a", "train@a"], lambda: 1, estimates, lambda stage: f"{stage} is far")
    outcome = Outcome(failed={"source@a": 1}, skipped=["prepare@a", "train@a"])
    display.show(outcome, [], "source@a")
    clock[0] += 75
    display.close([outcome], 7)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "      3/3  source@a  FAILED: source@a is far"
    assert last == "Built 0 of 7 stages in 1 min 15 s; 1 failed: source@a; 2 that need what failed were left out."


def test_a_stage_that_comes_from_the_cache_says_so_and_teaches_nothing(capsys, estimates):
    estimates.learn("train@a", 50.0)
    Display(["train@a"], lambda: 2, estimates, str, restored={"train@a"}).show(
        Outcome(built={"train@a": 0.1}), [], "train@a"
    )
    assert capsys.readouterr().out == "      1/1  train@a  from DVC's cache\n"
    assert estimates.seconds("train@a") == 50.0


def test_nothing_to_do_is_said(capsys, estimates):
    Display([], lambda: 2, estimates, str).close([Outcome()], 7)
    assert capsys.readouterr().out == "Everything is up to date: 7 stages.\n"


def test_a_terminal_shows_what_runs_and_since_when(capsys, clock, estimates, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    display = Display(["train@a", "train@b"], lambda: 2, estimates, str)
    display.show(Outcome(), ["train@a"], None)
    clock[0] += 61
    display.show(Outcome(), ["train@a", "train@b"], None)
    assert "train@a 1 min 1 s, train@b 0 s" in capsys.readouterr().out


def test_time_left_grows_less_while_stages_run(capsys, clock, estimates):
    estimates.learn("train@b", 50.0)
    display = Display(["train@a", "train@b"], lambda: 2, estimates, str)
    display.show(Outcome(), ["train@a", "train@b"], None)
    clock[0] += 20
    display.show(Outcome(built={"train@a": 20.0}), ["train@b"], "train@a")
    assert "(about 30 s left)" in capsys.readouterr().out
