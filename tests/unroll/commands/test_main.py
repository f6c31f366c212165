import contextlib
import errno
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pipeline import numeric_settings, workspace
from pipeline.config import params
from pipeline.errors import STOPPED, UnrollError
from pipeline.files import write_text
from pipeline.workspace import Workspace
from stages import evaluate
from tests.support import REPOSITORY, fake_runs
from unroll.__main__ import keep_notes_private
from unroll.builds import repro
from unroll.commands.app import HEADINGS, app
from unroll.commands.main import invoke, run
from unroll.results import show

COMMANDS = typer.main.get_command(app).commands
HEAVY = {
    "tensorflow",
    "keras",
    "mlflow",
    "optuna",
    "pandas",
    "matplotlib",
    "sklearn",
    "scipy",
    "dvc",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    workspace = fake_runs.build(tmp_path_factory.mktemp("built"))
    evaluate.evaluate(workspace, "waves")
    return workspace


@pytest.fixture(autouse=True)
def outside_dvc(monkeypatch):
    for name in ("DVC_STAGE", "UNROLL_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    # tests go on after what ends a command
    monkeypatch.setattr("signal.signal", lambda *_: None)


@pytest.fixture
def unroll(capsys, built):
    """Run a command line in the built workspace: exit code, standard output, standard
    error."""

    def call(*arguments):
        code = run(lambda: invoke(["--root", str(built.root), *arguments]))
        return code, *capsys.readouterr()

    return call


def failing(monkeypatch, error):
    """Make `unroll list` raise `error`."""

    def raise_it(*_):
        raise error

    monkeypatch.setattr(show, "listing", raise_it)


def output(built, *command, **variables):
    """What a process that ends well and complains of nothing prints, started in the
    built workspace."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
    done = subprocess.run(
        command,
        cwd=built.root,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_commands_that_only_look_start_without_heavy_imports(built):
    code = f"""
import shlex, sys
from unroll.commands.main import invoke
from unroll.commands.main import run
def look(lines, heavy):
    for line in lines:
        assert run(lambda: invoke(shlex.split(line))) == 0, line
    assert not heavy & set(sys.modules), heavy & set(sys.modules)
look(["--help", "train --help", "list --json"], {HEAVY | {"numpy", "rich"}!r})
look(["list"], {HEAVY | {"numpy"}!r})
look(["show waves", "show waves/last_value", "compare", "compare --json"], {HEAVY - {"scipy"}!r})
"""
    printed = output(built, sys.executable, "-c", code)
    assert "jena/gru" in printed
    assert "mean over seeds" in printed


def test_the_shell_is_told_how_commands_and_data_sets_end(built, tmp_path):
    endings = {
        "unroll eval": "evaluate",
        "unroll train wa": "waves",
        f"unroll --root {tmp_path} compare wa": "",
    }
    for words, expected in endings.items():
        asked = {
            "_UNROLL_COMPLETE": "complete_bash",
            "COMP_WORDS": words.replace(" ", "\n"),
            "COMP_CWORD": str(words.count(" ")),
        }
        assert (
            output(built, sys.executable, "-m", "unroll", **asked).strip() == expected
        )


def test_one_who_stops_reading_is_no_error(built):
    output(
        built,
        "bash",
        "-c",
        f"{shlex.quote(sys.executable)} -m unroll list | true; exit ${{PIPESTATUS[0]}}",
    )


def test_a_closed_output_is_no_error(built):
    command = f"{shlex.quote(sys.executable)} -m unroll list >&- 2>&-"
    output(built, "bash", "-c", command)


@pytest.mark.parametrize("name", ["pipeline/__init__.py", "stages.py"])
def test_code_in_place_of_ours_is_named_and_not_run(built, tmp_path, name):
    write_text(tmp_path / name, "raise RuntimeError")
    variables = os.environ | {"PYTHONPATH": str(tmp_path)}
    line = f"{tmp_path / name} hides Unroll's own package {name.partition('/')[0].partition('.')[0]}; "
    for command in (["-m", "unroll"], ["-c", "import unroll; unroll.answer"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=built.root,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert line in done.stderr.splitlines()[-1]


def test_packages_that_pythonpath_names_do_not_count_in_place_of_ours(
    built, tmp_path, monkeypatch
):
    for name in ("pandas", "numpy", "random"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{REPOSITORY}")
    assert numeric_settings.foreign_paths() == [str(tmp_path)]
    assert numeric_settings.python_path() == {"PYTHONPATH": str(REPOSITORY)}
    variables = {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    assert (
        "does recurrence"
        in output(built, sys.executable, "-m", "unroll", "compare", **variables).lower()
    )


def test_a_port_that_is_taken_is_named_before_anything_is_recorded(
    unroll, built, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        line = f"unroll: port {port} of this machine cannot be used: Address already in use; pass another --port\n"
        assert unroll("ui", "--port", str(port)) == (1, "", line)
    assert not (built.root / "mlflow.db").exists()


LOOK = {"claims", "compare", "list", "show"}
"""Commands whose examples are run to their end; what the others do is for the tests of
that."""


def examples():
    """Every example of a help text."""
    for name, command in COMMANDS.items():
        lines = re.findall(r"`(?:\w+=\S+ )?unroll ([^`&]*)", command.help)
        assert lines, f"{name} has no example"
        yield from lines


@pytest.fixture(scope="module")
def of_examples(tmp_path_factory):
    """The repository's params.yaml and claims.yaml, and made-up runs of what the
    examples name."""
    root = tmp_path_factory.mktemp("examples")
    for name in ("params.yaml", "official.yaml", "templates.yaml", "claims.yaml"):
        shutil.copy(REPOSITORY / name, root / name)
    config = params.load_all(root / "params.yaml")
    workspace = fake_runs.fill(
        Workspace(root), without={*config.datasets} - {"waves", "imdb"}
    )
    for name in ("waves", "imdb"):
        evaluate.evaluate(workspace, name)
    (root / "program.py").touch()
    (root / "homework").mkdir()
    own_names = map(params.own_name, config.runs)
    return root, {*config.sources, *config.datasets, *config.runs, *own_names}


@pytest.mark.parametrize("example", dict.fromkeys(examples()))
def test_every_example_of_a_help_text_can_be_typed_and_names_what_there_is(
    of_examples, monkeypatch, example
):
    root, known = of_examples
    monkeypatch.chdir(root)
    words = shlex.split(example)
    words = words[2:] if words[0] == "--root" else words
    # tests/unroll/answers/test_commands.py compares such an answer
    if words[0] in LOOK and "meter" not in example:
        assert run(lambda: invoke(words)) == 0
    COMMANDS[words[0]].make_context(words[0], words[1:])
    names = [
        word.rpartition("@")[2]
        for word in words[1:]
        if re.fullmatch(r"\w*@?[a-z]\w*[_/]\w+", word)
    ]
    assert {name for name in names if not name.startswith("meter")} <= known


def test_the_version_and_the_headings_of_help(unroll):
    assert re.fullmatch(r"unroll \d+\.\d+\.\d+ [0-9a-f]{12}\n", unroll("--version")[1])
    headings = re.findall(r"^(\S.*):$", unroll("--help")[1], re.MULTILINE)
    assert headings == [*HEADINGS, "Options"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["evalute", "x"],
            2,
            "No such command 'evalute'. Did you mean 'evaluate'? `unroll --help` says more",
        ),
        (
            ["list", "--jsn"],
            2,
            "No such option: --jsn (Possible options: --json). `unroll list --help` says",
        ),
        (["train"], 2, "Missing argument 'name'. `unroll train --help` says more"),
        (
            ["train", "waves", "--epochs", "1"],
            2,
            "--epochs and --seed are for one experiment; name it behind the data",
        ),
        (
            ["train", "waves", "waves_node", "--epochs", "0"],
            2,
            "Invalid value for '--epochs': must be greater than",
        ),
        (
            ["train", "waves", "nod", "--epochs", "1"],
            2,
            "the experiment of waves must be one of",
        ),
        (
            ["prepare", "wavs"],
            2,
            "the data set must be one of: imdb, jena, jena_hourly, sine_extrapolation, ",
        ),
        (
            ["show", "wavs"],
            2,
            "the name must be one of 20 names. Received: 'wavs'. Did you mean waves?",
        ),
        (
            ["compare", "003"],
            2,
            "'003' is no answer here, nor in params.yaml. `unroll claims 003` is about a",
        ),
        (
            ["lab", "X"],
            2,
            "the part must be N (naive guess), D (dense, a perceptron), R (one",
        ),
        (
            ["prepare", "waves"],
            1,
            "data/raw/waves/source.json is missing; run `unroll source waves`",
        ),
        (  # though the data set is not prepared
            ["train", "jena", "gruu"],
            2,
            "the experiment of jena must be one of",
        ),
        (
            ["train", "jena", "gru"],
            1,
            "data/prepared/jena is missing; `unroll --root ROOT repro prepare@jena` builds it",
        ),
        (
            ["evaluate", "jena"],
            1,
            "data/prepared/jena is missing; `unroll --root ROOT repro evaluate@jena` builds it",
        ),
        (
            ["compare", "jena/gru"],
            1,
            "jena/gru is not built; `unroll --root ROOT repro evaluate@jena` builds it",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(
    unroll, built, arguments, code, words
):
    status, printed, errors = unroll(*arguments)
    assert (status, printed) == (code, "")
    (line,) = errors.splitlines()
    assert line.startswith("unroll: ")
    root = os.path.relpath(built.root)
    assert words.replace("ROOT", root) in line


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was finished is kept, the same command goes on from there"),
        (UnrollError("a\n  b"), 1, "a b"),
        (OSError(errno.ENOSPC, "No space"), 1, "the disk is full (while writing); free some room, then run it again"),
        (shutil.Error([("a/x", "b/x", "[Errno 28] No space left on device: 'b/x'")]), 1,
         "b/x cannot be written ([Errno 28] No space left on device); check the disk, then go on"),
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
    ("error", "reason"),
    [
        (
            UnrollError("HERE/data is not in /home/me/mirror/jena"),
            "data is not in $UNROLL_MIRROR/jena",
        ),
        (ZeroDivisionError("boom"), "a mistake in the code, ZeroDivisionError: boom"),
        (KeyboardInterrupt(), None),
    ],
)
def test_why_a_stage_of_dvc_failed_is_kept_without_a_path_of_this_machine_until_it_ends_well(
    unroll, monkeypatch, tmp_path, error, reason
):
    monkeypatch.setenv("DVC_STAGE", "train@waves")
    monkeypatch.setenv("UNROLL_MIRROR", "/home/me/mirror")
    monkeypatch.chdir(tmp_path)
    error.args = tuple(str(part).replace("HERE", str(tmp_path)) for part in error.args)
    with monkeypatch.context() as patch, contextlib.suppress(ZeroDivisionError):
        failing(patch, error)
        unroll("list")
    assert Workspace(tmp_path).failures() == ({"train@waves": reason} if reason else {})
    assert unroll("list")[0] == 0
    assert Workspace(tmp_path).failures() == {}
    failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(
        workspace,
        "write_text",
        lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")),
    )
    assert unroll("list")[0] == 1, "a full disk cannot hide itself"


@pytest.mark.parametrize("given", [None, "own/notes"])
def test_dvcs_notes_lie_where_the_user_alone_may_write(tmp_path, monkeypatch, given):
    from dvc.dirs import site_cache_dir

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / given) if given else "")
    keep_notes_private()
    assert site_cache_dir() == str(tmp_path / (given or "unroll/dvc"))
    assert stat.S_IMODE(Path(site_cache_dir()).stat().st_mode) == 0o700


@pytest.mark.parametrize("home", ["/dev/null", None])
def test_without_a_home_dvcs_notes_lie_in_the_workspace(tmp_path, monkeypatch, home):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", home or str(tmp_path))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", "" if home else "/dev/null/notes")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", "")
    monkeypatch.delenv("DVC_GLOBAL_CONFIG_DIR")
    keep_notes_private()
    notes = tmp_path / ".unroll" / "dvc"
    variables = repro.environment(Workspace(tmp_path))
    assert variables["DVC_SITE_CACHE_DIR"] == str(notes)
    assert variables.get("DVC_GLOBAL_CONFIG_DIR") == (str(notes) if home else None)
    assert stat.S_IMODE(notes.stat().st_mode) == 0o700


def test_ctrl_c_during_the_first_imports_ends_a_command_without_a_traceback():
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from unroll.__main__ import main
class Interrupting:
    def find_spec(self, name, *_):
        if name == "unroll.commands":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_that_a_library_turns_into_its_own_error_still_ends_in_one_line(
    number,
):
    code = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as `unroll.__main__` leaves it
from unroll.commands import main
def command():
    try:
        os.kill(os.getpid(), signal.{number})
    except KeyboardInterrupt as error:
        raise RuntimeError("no serializer") from error
sys.exit(main.run(command))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == f"unroll: {STOPPED}\n"
    assert done.returncode == 130
