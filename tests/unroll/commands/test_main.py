import contextlib
import errno
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pipeline import failures
from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages import evaluate
from tests.support import REPOSITORY, fake_runs
from unroll.__main__ import keep_notes_private
from unroll.app import app
from unroll.commands.main import invoke
from unroll.exits import run
from unroll.results import listing

COMMANDS = typer.main.get_command(app).commands
HEAVY = {"tensorflow", "keras", "mlflow", "optuna", "pandas", "matplotlib", "sklearn", "scipy", "dvc"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    workspace = fake_runs.build(tmp_path_factory.mktemp("built"))
    evaluate.evaluate(workspace, "waves")
    return workspace


@pytest.fixture(autouse=True)
def outside_dvc(monkeypatch):
    for name in ("DVC_STAGE", "UNROLL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # tests go on after what ends a command


@pytest.fixture
def unroll(capsys, built):
    """Run a command line in the built workspace: exit code, standard output, standard error."""

    def call(*arguments):
        code = run(lambda: invoke(["--root", str(built.root), *arguments]))
        return code, *capsys.readouterr()

    return call


def failing(monkeypatch, error):
    """Make `unroll list` raise `error`."""

    def raise_it(*_):
        raise error

    monkeypatch.setattr(listing, "listing", raise_it)


@pytest.mark.parametrize(
    ("lines", "heavy", "shown"),
    [
        (["--help", "train --help", "list", "list --json"], HEAVY | {"numpy"}, "jena_gru_dropout"),
        (["show waves", "show waves_last_value", "compare", "compare --json"], HEAVY - {"scipy"}, "mean over seeds"),
    ],
)
def test_commands_that_only_look_start_without_heavy_imports(built, lines, heavy, shown):
    code = f"""
import shlex, sys
from unroll.commands.main import invoke
from unroll.exits import run
for line in {lines!r}:
    assert run(lambda: invoke(shlex.split(line))) == 0, line
assert not {heavy!r} & set(sys.modules), {heavy!r} & set(sys.modules)
"""
    command = [sys.executable, "-c", code]
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    folder = built.root if "compare" in lines else REPOSITORY
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout


def test_the_module_is_the_command():
    command = [sys.executable, "-m", "unroll"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "unroll [OPTIONS] COMMAND" in done.stdout


def test_one_who_stops_reading_is_no_error():
    command = f"{shlex.quote(sys.executable)} -m unroll list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class ReachedError(Exception):
    """A command has come to its work, which takes too long for a test, or needs what is not here."""


ELSEWHERE = {
    **{name: f"stages.{name}.{name}" for name in ("source", "prepare", "train", "resolve")},
    "train --epochs": "stages.train.trial",
    "repro": "unroll.runner.build.repro",
    "demo": "unroll.demo.demo",
    "verify": "unroll.verify.committed.verify",
    "verify --quick": "unroll.verify.quick.quick",
    "add": "unroll.add.add.add",
    "tune": "unroll.tune.tune.tune",
    "search": "unroll.tune.families.tune",
    "remove": "unroll.add.remove.remove",
    "renew": "unroll.results.renew.renew",
    "backtest": "stages.backtest.backtest",
    "refit": "stages.refit.refit",
    "predict": "unroll.results.predict.predict",
    "register": "unroll.results.register.register",
    "track": "unroll.results.track.track",
    "ui": "unroll.results.track.ui",
    "report --against": "unroll.verify.change.change",
    "lab": "unroll.lab.assignment.lab",
    "lab check": "unroll.lab.check.check",
    "cluster scheduler": "unroll.cluster.worker.schedule",
    "cluster worker": "unroll.cluster.worker.serve",
    "answer meter.csv": "unroll.answer.answer",
    "cluster certificates": "unroll.cluster.connection.make_certificates",
}
"""Commands whose work other tests do -> where it begins; every other example is run to its end."""


def examples():
    """Every example of a help text."""
    commands = {**COMMANDS, **{f"cluster {name}": one for name, one in COMMANDS["cluster"].commands.items()}}
    for name, command in commands.items():
        found = re.findall(r"`(?:\w+=\S+ )?unroll ([^`&]*)", command.help)
        assert found or "`make" in command.help or name == "cluster down", f"{name} has no example"
        yield from found


@pytest.fixture(scope="module")
def of_examples(tmp_path_factory):
    """The repository's params.yaml and claims.yaml, and made-up runs of what the examples name."""
    root = tmp_path_factory.mktemp("examples")
    for name in ("params.yaml", "claims.yaml"):
        shutil.copy(REPOSITORY / name, root / name)
    every = params.load(root / "params.yaml")
    workspace = fake_runs.fill(Workspace(root), without={*every.datasets} - {"waves", "imdb"})
    for name in ("waves", "imdb"):
        evaluate.evaluate(workspace, name)
    shutil.copytree(root / "runs", root / ".verify/rebuild/workspace/runs")
    (root / "program.py").touch()
    return root, {*every.sources, *every.datasets, *every.experiments}


@pytest.mark.parametrize("example", dict.fromkeys(examples()))
def test_every_example_of_a_help_text_runs(of_examples, monkeypatch, example):
    root, known = of_examples
    monkeypatch.chdir(root)
    words = shlex.split(example)
    words = words[2:] if words[0] == "--root" else words
    begins = [place for name, place in ELSEWHERE.items() if all(word in words for word in name.split())]
    if not begins:
        assert run(lambda: invoke(words)) in ({0, 1} if words[0] in {"diff", "doctor"} else {0})
        return

    def reached(*_, **__):
        raise ReachedError

    for place in begins:
        monkeypatch.setattr(place, reached)
    with pytest.raises(ReachedError):
        invoke(words)
    names = [word.rpartition("@")[2] for word in words[1:] if re.fullmatch(r"\w*@?[a-z]\w*_\w+", word)]
    assert {name for name in names if not name.startswith("meter")} <= known


def test_the_version(unroll):
    assert re.fullmatch(r"unroll \d+\.\d+\.\d+\n", unroll("--version")[1])


def test_a_shell_completes_names_and_targets(built):
    def proposed(*words):
        variables = {
            "_UNROLL_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        command = [sys.executable, "-m", "unroll"]
        variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
        return subprocess.run(command, cwd=built.root, env=variables, capture_output=True, text=True, check=True).stdout

    assert proposed("unroll", "train", "waves_n").split() == ["waves_node"]
    assert proposed("unroll", "repro", "evaluate@w").split() == ["evaluate@waves"]


def test_a_misspelt_command_lists_the_valid_ones(unroll):
    code, out, err = unroll("evalute", "waves")
    assert (code, out) == (2, "")
    assert err.startswith(
        "unroll: No such command 'evalute'. Did you mean 'evaluate'? Valid: add, answer, claims, cluster, compare, "
    )
    assert set(COMMANDS) <= set(re.split(r"[ ,.]+", err))
    assert len(err.splitlines()) == 1
    assert "Valid: add, answer, claims, cluster, " in unroll("xyz")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--jsn"], "No such option: --jsn (Possible options: --json). Valid: --help, --json. `unroll"),
        (["verify", "--measure"], "No such option: --measure"),
        (["verify", "--quick", "report"], "--quick builds the whole miniature; leave out report, or --quick"),
        (["train"], "Missing argument 'name'. `unroll train --help` says more"),
        (["train", "waves_node", "--epochs", "0"], "Invalid value for '--epochs': Input should be greater than"),
        (["train", "waves_nod"], "the experiment must be one of 13 names. Nearest: waves_node, waves_"),
        (["prepare", "wavs"], "the data set must be one of: imdb, jena, jena_hourly, sine_extrapolation, "),
        (["evaluate", "wavs"], "Did you mean waves?"),
        (["show", "wavs"], "the name must be one of 20 names. Nearest: waves, "),
        (["lab", "X"], "the part must be one of: D, N, R. Received: 'X'."),
    ],
)  # fmt: skip
def test_a_misspelling_is_one_line_and_exit_code_2(unroll, arguments, said):
    code, out, err = unroll(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("unroll: ")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", "waves"], "data/raw/waves/source.json is missing; `unroll repro source@waves` builds it"),
        (["evaluate", "jena"], "dataset.json is missing; `unroll repro prepare@jena` builds it"),
        (["compare", "jena"], "jena"),
    ],
)
def test_what_is_not_built_is_one_line_and_exit_code_1(unroll, arguments, said):
    code, out, err = unroll(*arguments)
    assert (code, out) == (1, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was finished is kept, the same command goes on from there"),
        (UnrollError("a\n  b"), 1, "a b"),
        (OSError(errno.ENOSPC, "No space"), 1, "the disk is full (while writing); free some room, then run it again"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 1,
         "/x/y: Permission denied; check that it is there and who may read and write it"),
        (MemoryError(), 1, "memory ran out; close other programs or make the data set smaller in params.yaml"),
    ],
)  # fmt: skip
def test_what_can_go_wrong_is_one_line(unroll, monkeypatch, error, code, line):
    failing(monkeypatch, error)
    assert unroll("list") == (code, "", f"unroll: {line}\n")


def test_a_mistake_in_the_code_keeps_its_traceback(unroll, monkeypatch):
    failing(monkeypatch, ZeroDivisionError("boom"))
    with pytest.raises(ZeroDivisionError, match="boom"):
        unroll("list")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (UnrollError("HERE/data is not in /home/me/mirror/jena"), "data is not in $UNROLL_MIRROR/jena"),
        (ZeroDivisionError("boom"), "a mistake in the code, ZeroDivisionError: boom"),
        (KeyboardInterrupt(), None),
    ],
)
def test_why_a_stage_of_dvc_failed_is_kept_without_a_path_of_this_machine_until_it_ends_well(
    unroll, monkeypatch, tmp_path, error, kept
):
    monkeypatch.setenv("DVC_STAGE", "train@waves_node")
    monkeypatch.setenv("UNROLL_MIRROR", "/home/me/mirror")
    monkeypatch.chdir(tmp_path)
    error.args = tuple(str(part).replace("HERE", str(tmp_path)) for part in error.args)
    with monkeypatch.context() as patch, contextlib.suppress(ZeroDivisionError):
        failing(patch, error)
        unroll("list")
    assert failures.read(Workspace(tmp_path)) == ({"train@waves_node": kept} if kept else {})
    assert unroll("list")[0] == 0
    assert failures.read(Workspace(tmp_path)) == {}
    failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(failures, "write_text", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    assert unroll("list")[0] == 1, "a full disk cannot hide itself"


@pytest.mark.parametrize("given", [None, "own/notes"])
def test_dvcs_notes_lie_where_the_user_alone_may_write(tmp_path, monkeypatch, given):
    from dvc.dirs import site_cache_dir

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / given) if given else "")
    keep_notes_private()
    assert site_cache_dir() == str(tmp_path / (given or "unroll/dvc"))
    assert stat.S_IMODE(Path(site_cache_dir()).stat().st_mode) == 0o700
