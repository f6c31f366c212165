"""Calls in child processes: how they end, what they have of their caller, and what is
left when they are stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from pipeline import processes
from pipeline.processes import Children
from tests.support import REPOSITORY, last_output, still_there


def run(calls, jobs, preload="pipeline.errors", **options):
    with (
        processes.Server([preload]) as server,
        Children(server=server, jobs=jobs, **options) as work,
    ):
        for each in calls:
            work.submit(*each)
        yield from work.ended()


@pytest.fixture
def call(tmp_path):
    """A call that runs code."""
    return lambda name, code: (
        name, tmp_path / "logs" / f"{name}.txt", exec, textwrap.dedent(code)
    )  # fmt: skip


def servers():
    """The servers of this process, which may have other children."""
    return [
        process
        for process in psutil.Process().children()
        if "processes.serve" in " ".join(process.cmdline())
    ]


SLEEP = "import time; print('asleep', flush=True); time.sleep(60)"

ENDS = {
    "well": ("print('seen')", ""),
    "mistaken": (
        "1 / 0",
        "a mistake in the code, ZeroDivisionError: division by zero; the traceback is in ",
    ),
    "refused": (
        "import pipeline.errors; raise pipeline.errors.UnrollError('too few rows')",
        "too few rows",
    ),
    "killed": (
        "import os; os.kill(os.getpid(), 9)",
        "the system killed it, as it does where memory runs out, or it crashed; ",
    ),
    "silent": (
        "import os; os._exit(3)",
        "the system killed it, as it does where memory runs out, or it crashed; ",
    ),
}


@pytest.mark.parametrize("forks", [True, False])
def test_each_call_has_a_process_and_a_log_and_says_how_it_ended(
    forks, call, monkeypatch
):
    monkeypatch.setattr(processes, "FORKS", forks)
    variables = dict(os.environ)
    calls = [call(name, code) for name, (code, _) in ENDS.items()]
    ended = {one.key: one for one in run(calls, 2)}
    assert ended.keys() == ENDS.keys()
    for name, (_, error) in ENDS.items():
        assert ended[name].error.startswith(error)
        assert (ended[name].cpu_seconds > 0) == (name not in ("killed", "silent"))
    assert ended["well"].error == ""
    assert ended["well"].log.read_text() == "seen\n"
    assert "ZeroDivisionError" in ended["mistaken"].log.read_text()
    assert os.environ == variables
    assert servers() == []


def test_calls_start_in_their_order_as_many_as_there_are_jobs(call):
    shown = []
    calls = [call(name, "import time; time.sleep(0.1)") for name in "abcd"]
    for _ in run(calls, 2, on_tick=lambda running: shown.append([*running])):
        pass
    assert shown[0] == ["a", "b"]
    assert {name for names in shown for name in names} == set("abcd")
    assert max(len(names) for names in shown) == 2


def test_one_server_serves_several_runs(call):
    with processes.Server(["pipeline.errors"]) as server:
        deadline = time.monotonic() + 0.1
        with Children(server=server, jobs=1, deadline=deadline) as work:
            work.submit(*call("a", SLEEP))
            assert list(work.ended()) == []
        # Not before a run: a process that has just started has no command line yet.
        first = servers()
        assert len(first) == 1
        with Children(server=server, jobs=1) as work:
            work.submit(*call("b", ""))
            (ended,) = work.ended()
        assert ended.error == ""
        assert servers() == first
        # A worker that has sent its result may still be ending.
        _, alive = psutil.wait_procs(first[0].children(), timeout=30)
        assert alive == []
    assert servers() == []


def test_a_call_has_one_thread_no_input_and_the_settings_of_unroll(call, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # as a notebook may have set it
    code = "import os, sys; print(os.environ['OMP_NUM_THREADS'], os.environ['TF_ENABLE_ONEDNN_OPTS'], sys.stdin.read())"
    (ended,) = run([call("a", code)], 1)
    assert ended.log.read_text().split() == ["1", "0"]


def test_what_the_caller_has_imported_or_runs_is_left_alone(tmp_path):
    """The caller is a script without a guard, beside a file that is named like a module
    of the standard library, with a fork server of its own."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit('not this one')")
    code = f"""
        import os, sys
        from multiprocessing import forkserver
        from pathlib import Path
        sys.path.append({str(REPOSITORY)!r})
        print("once")
        forkserver.set_forkserver_preload([])
        forkserver.ensure_running()
        from pipeline.processes import Children, Server
        log = Path("a.txt")
        with (
            Server(["pipeline.errors"]) as server,
            Children(server=server, jobs=1) as work,
        ):
            work.submit("a", log, exec, "import colorsys; print('called')")
            (ended,) = work.ended()
        print(ended.error, log.read_text())
        os.kill(forkserver._forkserver._forkserver_pid, 0)
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(code))
    command = [sys.executable, "script.py"]
    output = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert output == ["once", "called"]


def test_a_server_that_is_killed_takes_its_calls_along_and_another_one_starts(call):
    killed = []

    def kill_the_first(_running):
        if not killed:
            killed.extend(servers())
            killed[0].kill()

    first, second = run(
        [call("a", "import time; time.sleep(60)"), call("b", "")],
        1,
        on_tick=kill_the_first,
    )
    assert first.error.startswith("the system killed it")
    assert second.error == ""


def test_a_preload_that_cannot_be_imported_costs_time_only(call):
    (ended,) = run([call("a", "")], 1, preload="pipeline.nothing")
    assert ended.error == ""


def test_at_the_deadline_what_has_not_ended_is_stopped(call):
    family = []

    def watch(_running):
        (server,) = servers()
        family.extend([server, *server.children()])

    calls = [
        call("slow", SLEEP),
        call("quick", ""),
        call("late", SLEEP),
        call("never", SLEEP),
    ]
    ended = run(calls, 2, on_tick=watch, deadline=time.monotonic() + 3)
    assert [one.key for one in ended] == ["quick"]
    assert not calls[3][1].exists()
    assert still_there(family, seconds=1) == []


def test_one_that_is_stopped_may_end_by_itself_for_some_time(call):
    code = """
        import time
        try:
            print("asleep", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("woken")
    """
    sleeping = call("a", code)
    stubborn = call(
        "b",
        SLEEP.replace(
            "import",
            "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import",
        ),
    )
    calls = [sleeping, stubborn, call("c", "")]
    with contextlib.closing(run(calls, 3, grace=1.0)) as ended:
        assert next(ended).key == "c"
        logs = [sleeping[1], stubborn[1]]
        while not all(log.exists() and log.read_text() for log in logs):
            time.sleep(0.01)
    assert sleeping[1].read_text() == "asleep\nwoken\n"
    assert servers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("slow", ["call", "preload"])
def test_no_process_outlives_its_caller(slow, number, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, time; pathlib.Path('a.txt').touch(); time.sleep(60)"
    )
    code = f"""
        import signal, sys
        from pathlib import Path
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path[:0] = [{str(REPOSITORY)!r}, {str(tmp_path)!r}]
        from pipeline.processes import Children, Server
        preload = {"slow" if slow == "preload" else "pipeline.errors"!r}
        with Server([preload]) as server, Children(server=server, jobs=1) as work:
            work.submit("a", Path("a.txt"), exec, {SLEEP!r})
            list(work.ended())
    """
    caller = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (tmp_path / "a.txt").exists():
        assert caller.poll() is None, caller.communicate()
        time.sleep(0.01)
    family = psutil.Process(caller.pid).children(recursive=True)
    assert len(family) == (1 if slow == "preload" else 2)
    started = time.monotonic()
    caller.send_signal(number)
    last_output(caller, family)
    assert time.monotonic() - started < 5
