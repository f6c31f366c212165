import signal
import subprocess
import time

import pytest

from stages.repro import scheduler
from stages.repro.scheduler import build

NEEDS = {"a": [], "b": [], "a2": ["a"], "b2": ["b"], "both": ["a2", "b2"]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(scheduler, "GRACE", 0.5)


def start_shell(commands, folder):
    def start(stage):
        return subprocess.Popen(["/bin/sh", "-c", commands.get(stage, ":")], cwd=folder, start_new_session=True)

    return start


def nothing(*_):
    pass


def test_a_stage_starts_after_all_that_it_needs(tmp_path):
    commands = {
        stage: f"[ -n '{needs}' ] && for n in {needs}; do [ -e $n ] || exit 3; done; sleep 0.1; touch {stage}"
        for stage, needs in ((stage, " ".join(needs)) for stage, needs in NEEDS.items())
    }
    commands |= {"a": "sleep 0.1; touch a", "b": "sleep 0.1; touch b"}
    outcome = build(list(NEEDS), NEEDS, 2, start_shell(commands, tmp_path), nothing)
    assert outcome.failed == {}
    assert outcome.skipped == []
    assert set(outcome.built) == set(NEEDS)


def test_no_more_than_jobs_run_at_once(tmp_path):
    most = 0

    def on_event(_outcome, running, _ended):
        nonlocal most
        most = max(most, len(running))

    stages = {str(number): [] for number in range(6)}
    build(list(stages), stages, 3, start_shell(dict.fromkeys(stages, "sleep 0.1"), tmp_path), on_event)
    assert most == 3


def test_one_job_runs_stages_in_the_order_given(tmp_path):
    ended = []
    commands = {"a": "sleep 0.2"}
    start = start_shell(commands, tmp_path)
    build(list(NEEDS), NEEDS, 1, start, lambda _outcome, _running, stage: ended.append(stage) if stage else None)
    assert ended == list(NEEDS)


def test_a_failure_stops_only_what_needs_it(tmp_path):
    outcome = build(list(NEEDS), NEEDS, 2, start_shell({"a": "exit 7"}, tmp_path), nothing)
    assert outcome.failed == {"a": 7}
    assert outcome.skipped == ["a2", "both"]
    assert set(outcome.built) == {"b", "b2"}


def test_what_is_not_due_counts_as_built(tmp_path):
    assert set(build(["both"], NEEDS, 1, start_shell({}, tmp_path), nothing).built) == {"both"}


def wait_for(path):
    while not path.exists() or not path.read_text().strip():
        time.sleep(0.01)


def test_stopping_ends_what_a_stage_runs_and_lets_the_stage_itself_finish(tmp_path):
    # The command itself tells its number: only then does it surely ignore Ctrl-C, as a shell's background processes do.
    command = "trap 'exit 9' INT; sh -c 'echo $$ > pid; exec sleep 60' & wait $!; echo $? > seen"
    process = start_shell({"a": command}, tmp_path)("a")
    wait_for(tmp_path / "pid")
    scheduler.stop([process])
    assert process.returncode == 0
    # So this one ends when it is killed.
    assert (tmp_path / "seen").read_text().strip() == str(128 + signal.SIGKILL)


def test_a_stage_that_does_not_end_is_killed(tmp_path):
    process = start_shell({"a": "trap '' INT; echo 1 > pid; while :; do sleep 0.05; done"}, tmp_path)("a")
    wait_for(tmp_path / "pid")
    scheduler.stop([process])
    assert process.returncode == -signal.SIGKILL


def test_an_interrupt_stops_every_running_stage(tmp_path):
    processes = []
    start = start_shell(dict.fromkeys(NEEDS, "sleep 60; exit 4"), tmp_path)

    def remember(stage):
        processes.append(start(stage))
        return processes[-1]

    def interrupt(_outcome, running, _ended):
        if len(running) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(list(NEEDS), NEEDS, 2, remember, interrupt)
    assert [process.returncode for process in processes] == [4, 4]
