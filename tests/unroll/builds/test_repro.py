"""`unroll repro`: what fails, what is refused, what is stopped or killed, and another
DVC at the same time."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial

import psutil
import pytest
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from filelock import FileLock
from ruamel.yaml import YAML

from pipeline.config import params, plain_yaml
from pipeline.files import write_text
from tests.conftest import Miniature
from tests.support import REPOSITORY, content, ended_by, start_unroll
from unroll.builds import repro
from unroll.builds.demo import with_documents
from unroll.commands.main import invoke, run
from unroll.results import compare

CSV = {"file": "meter.csv", "stamp": "time", "target": "load"}
LAST_VALUE = {
    "model": {"family": "baselines", "name": "last_value"},
    "training": {"method": "none"},
}
SECTIONS = {
    "sources": {
        "meter": {"kind": "download", "files": {"meter.csv": None}},
        "waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30},
    },
    "datasets": {
        "meter": {"source": "meter", "preparation": {"name": "series", "csv": CSV}}
    },
    "experiments": {"meter": {"last_value": LAST_VALUE}},
}
OLD = (
    "runs/old/linear/run.json",
    "results/evaluations/old/evaluation.json",
    "results/metrics/old/linear.json",
)
"""Files of a data set that params.yaml no longer names."""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A workspace of two sources, one of which cannot be had."""
    workspace = with_documents(REPOSITORY, tmp_path / "small", SECTIONS)
    (workspace.root / "claims.yaml").write_text("[]\n")
    (tmp_path / "mirror/meter").mkdir(parents=True)
    for name, value in Miniature(workspace.root).environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path / "mirror"))
    return workspace


def unroll(workspace, *arguments):
    """The exit code of a command that runs in this process."""
    return run(lambda: invoke(["--root", str(workspace.root), *arguments]))


def test_a_failure_stops_no_other_stage_and_is_named_until_it_is_mended(
    small, tmp_path, capfd
):
    for name in (*OLD, "runs/.gitignore"):
        write_text(small.root / name, "")
    assert unroll(small, "repro") == 255
    output = capfd.readouterr().out
    *_, page, last = output.splitlines()
    assert "Next" not in output, "nothing new was evaluated"
    assert page.startswith("The page: ")
    assert last.startswith("FAILED source@meter: meter.csv cannot be had")
    assert (small.raw("waves") / "source.json").exists()
    assert "meter.csv cannot be had" in small.report.read_text(encoding="utf-8")
    assert [name for name in OLD if (small.root / name).exists()] == []
    assert [path.name for path in (small.root / "runs").iterdir()] == [".gitignore"]

    assert unroll(small, "repro", "source@waves") == 0
    assert "FAILED" not in capfd.readouterr().out, "the target does not need the meter"
    assert "meter.csv cannot be had" in small.report.read_text(encoding="utf-8")
    (tmp_path / "mirror/meter/meter.csv").write_text("time,load\n")
    assert unroll(small, "repro", "source@meter") == 0
    assert "FAILED" not in capfd.readouterr().out
    assert "meter.csv cannot be had" not in small.report.read_text(encoding="utf-8")


def test_mistakes_and_a_second_build_are_refused_in_one_line(small, capfd):
    def refused(words, *arguments):
        assert unroll(small, "repro", *arguments) in {1, 2}
        output, line = capfd.readouterr()
        assert (output, line.count("\n"), words in line) == ("", 1, True), line

    refused("the target must be one of: evaluate@meter, prepare@meter, ", "evaluate")
    refused("Did you mean meter?", "evaluate@met")
    root = f"unroll --root {os.path.relpath(small.root)}"
    refused(f"meter is a data set; run `{root} repro evaluate@meter`", "meter")
    refused(f"run `{root} train meter last_value`", "meter/last_value")
    with FileLock(small.scratch / "repro.lock"):
        refused("another `unroll repro` is building in")
    small.params.write_text("datasets: {waves: {sauce: waves}}\n")
    refused("params.yaml: datasets.waves")
    assert not (small.root / "dvc.lock").exists()


def test_a_build_ends_with_the_command_that_shows_what_is_new(
    evaluated, monkeypatch, capsys
):
    def touching(*names):
        monkeypatch.setattr(repro, "repro", lambda *_, **__: 0)
        times = [{}, dict.fromkeys(names, 1)]
        monkeypatch.setattr(compare, "evaluation_times", lambda _: times.pop(0))

    root = os.path.relpath(evaluated.root)
    for names, shown in ((["waves"], "waves"), (["sine_windows", "imdb"], "NAME")):
        touching(*names)
        assert unroll(evaluated, "repro") == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == f"Next: `unroll --root {root} compare {shown}` shows all models."
    touching()
    assert unroll(evaluated, "repro") == 0
    assert "Next" not in capsys.readouterr().out


def test_what_a_kill_leaves_of_dvcs_files_is_one_that_dvc_reads_or_is_removed(
    built, small, capsys
):
    lock = small.root / "dvc.lock"
    text = (built.root / "dvc.lock").read_bytes()
    for length in range(0, 1000, 5):
        lock.write_bytes(text[:length])
        repro.mend(small.root)
        if lock.exists():
            COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(lock))
    lock.write_bytes(text)
    repro.mend(small.root)
    assert lock.read_bytes() == text
    assert "dvc.lock is damaged; it is written anew" in capsys.readouterr().out

    notes = small.root / ".dvc/tmp/rwlock"
    notes.parent.mkdir()
    # as which one may end in a container that is killed
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    for number, stays in ((os.getpid(), True), (zombie.pid, False)):
        notes.write_text(
            json.dumps(
                {
                    "write": {"runs/waves": {"pid": number, "cmd": "dvc repro"}},
                    "read": {},
                }
            )
        )
        repro.mend(small.root)
        assert notes.exists() == stays
    notes.write_bytes(b'{"write": {"ru')
    repro.mend(small.root)
    assert not notes.exists()
    zombie.wait()


def runs_below(process, pattern):
    """Whether the words and loaded libraries of a process's child, or of one of its
    children, have a pattern."""
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            libraries = [library.path for library in child.memory_maps()]
            if re.search(pattern, " ".join([*child.cmdline(), *libraries])):
                return True
    return False


def test_one_that_is_stopped_or_killed_leaves_no_process_and_the_next_one_goes_on(
    miniature,
):
    lock = (miniature.root / "dvc.lock").read_bytes()
    runs = content(miniature.workspace.runs("waves"))
    params = miniature.workspace.params.read_bytes()
    longer = plain_yaml.read(miniature.workspace.params)
    longer["experiments"]["waves"]["node"]["training"]["epochs"] = 100_000
    scores = miniature.workspace.evaluation("waves") / "scores.csv"
    evaluation = FileLock(miniature.workspace.scratch / "evaluate-waves.lock")
    for number, stage in (
        (signal.SIGKILL, "train"),
        (signal.SIGINT, "train"),
        (signal.SIGKILL, "evaluate"),
        (signal.SIGTERM, "evaluate"),
    ):
        if stage == "train":  # in the pool, before DVC runs the stage
            plain_yaml.write(longer, miniature.workspace.params)
        else:
            miniature.workspace.params.write_bytes(params)
            scores.write_text("damaged\n")
            evaluation.acquire()
        # One that does not heed Ctrl-C was started in the background of a script.
        handler = "default_int_handler" if number == signal.SIGINT else "SIG_IGN"
        # Without SHELL, DVC runs a stage by /bin/sh, which may wait for it as a process
        # of its own.
        variables = {
            name: value
            for name, value in miniature.environment.items()
            if name != "SHELL"
        }
        build = start_unroll(miniature.root, "repro", handler=handler, env=variables)
        # With this library loaded, a process has asked to end with its parent.
        word = "serve" if stage == "train" else "evaluate waves"
        pattern = f"{word}.*multiarray"
        output = ended_by(number, build, partial(runs_below, build, pattern))
        evaluation.release()
        if number != signal.SIGKILL:
            assert build.returncode == 130
            assert output.splitlines()[-1].startswith(
                "unroll: stopped; what was finished is kept, the same command"
            )
    miniature.workspace.params.write_bytes(params)
    miniature.unroll("repro")
    assert (miniature.root / "dvc.lock").read_bytes() == lock
    assert content(miniature.workspace.runs("waves")) == runs


def test_another_dvc_that_is_at_the_same_stage_goes_first(miniature):
    folder = miniature.workspace.evaluation("waves")
    target = "evaluate@waves"
    whole = content(folder)
    lock = plain_yaml.read(miniature.root / "dvc.lock")
    for first, second in (("unroll", "dvc"), ("dvc", "unroll")):
        (folder / "scores.csv").write_text("damaged\n")
        command = [sys.executable, "-m", first, "repro", target]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with FileLock(miniature.workspace.scratch / "evaluate-waves.lock"):
            process = subprocess.Popen(
                command, cwd=miniature.root, env=miniature.environment, **streams
            )
            while "> exec unroll evaluate" not in (line := process.stdout.readline()):
                assert line
            refused = miniature.run(
                sys.executable, "-m", second, "repro", target, status=255
            )
        assert "is busy, it is being blocked by" in refused
        if second == "unroll":
            said = [line for line in refused.splitlines() if line.startswith("DVC: ")]
            assert len(said) == 1
            assert "is busy, it is being blocked by: (PID " in said[0]
        rest, _ = process.communicate()
        assert process.returncode == 0, rest
        assert content(folder) == whole
    assert plain_yaml.read(miniature.root / "dvc.lock") == lock


def test_ctrl_c_ends_a_bare_dvc_repro_at_the_stage_that_runs(miniature):
    """A terminal sends SIGINT to DVC and to the stage."""
    folders = [miniature.workspace.evaluation(name) for name in ("waves", "jena")]
    for folder in folders:
        (folder / "scores.csv").write_text("damaged\n")
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from dvc.cli import main; main(['repro'])"
    with (
        FileLock(miniature.workspace.scratch / "evaluate-waves.lock"),
        FileLock(miniature.workspace.scratch / "evaluate-jena.lock"),
    ):
        build = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=miniature.root,
            env=miniature.environment,
            start_new_session=True,
            **streams,
        )
        ready = partial(runs_below, build, "evaluate .*multiarray")
        output = ended_by(signal.SIGINT, build, ready, os.killpg)
    assert "unroll: stopped; what was finished is kept" in output
    assert re.findall("exited with (.*)", output) == ["130"]
    assert output.count("> exec unroll evaluate") == 1
    assert not (folders[0] / "evaluation.json").exists(), "nothing is half-written"


def test_a_target_needs_the_stages_before_it():
    config = params.load(REPOSITORY / "params.yaml")
    assert repro.needed_by(config, ["evaluate@weather_96", "prepare@waves"]) == {
        *("source@weather", "prepare@weather_96", "train@weather_96"),
        *("evaluate@weather_96", "source@waves", "prepare@waves"),
    }
    assert repro.needed_by(config, ["file@jena_sample"]) == {"file@jena_sample"}
    assert repro.needed_by(config, []) == {*repro.stages(config)}
