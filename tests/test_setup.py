"""Set-up without a network: tools/venv with made-up Pythons, the lock, the Makefile."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
TOOLS = (
    "sh",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "date",
    "dirname",
    "mkdir",
    "rm",
    "pwd",
    "sed",
    "tr",
)

# What tools/venv asks of a Python, answered as the test says.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) exit {unsupported} ;;
    *"import venv"*) exit {without_venv} ;;
    --version) echo "Python 3.12.9 of $0" ;;
    "-m venv"*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m pip"*"config list") cat pip.conf ;;
    "-m pip"*"locks/uv.lock") cat ./fetched >.venv/bin/uv && chmod +x .venv/bin/uv ;;
    "-m pip"*) echo "pip $*" >>log; exit {pip_fails} ;;
esac
"""

# A uv that says what it was asked, and where it looks for packages.
UV = """#!/bin/sh
[ "$*" = --version ] && exit
echo "uv $*" >>log
echo "uv found no network" >&2
printf '%s\\n' "$UV_DEFAULT_INDEX" "$UV_INDEX" "$UV_FIND_LINKS" "$SSL_CERT_FILE" >>where
exit {fails}
"""


@pytest.fixture
def clone(tmp_path):
    root = tmp_path / "a clone"
    (root / "locks").mkdir(parents=True)
    (root / "tools").mkdir()
    for name in (
        "tools/venv",
        "locks/uv.lock",
        "locks/requirements.lock",
        "pyproject.toml",
    ):
        shutil.copy(ROOT / name, root / name)
    (root / "pip.conf").touch()
    (tmp_path / "bin").mkdir()
    for path in filter(None, map(shutil.which, TOOLS)):
        (tmp_path / "bin" / Path(path).name).symlink_to(path)
    add(root / "fetched", UV)
    add(tmp_path / "bin/python3", PYTHON)
    return root


def add(program, text, **exits):
    """Put a made-up Python or uv there, with exit codes other than 0 where the test
    says so."""
    program.write_text(
        text.format(
            **dict.fromkeys(("unsupported", "without_venv", "pip_fails", "fails"), 0)
            | exits
        )
    )
    program.chmod(0o755)


def set_up(clone, status=0):
    streams = {
        "env": {"PATH": str(clone.parent / "bin")},
        "capture_output": True,
        "text": True,
    }
    done = subprocess.run(
        [clone / "tools/venv"], check=False, cwd=clone.parent, **streams
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def log(clone):
    return (clone / "log").read_text()


def test_uv_installs_what_is_locked_where_pip_looks_for_packages(clone):
    (clone / "pip.conf").write_text(
        "global.index-url='file:///first'\nglobal.find-links='/other /more'\n"
    )
    assert re.search("Making .venv .*\nMade .venv in [0-9]+ s", set_up(clone))
    assert "uv pip install" in log(clone)
    assert "--require-hashes -r locks/requirements.lock" in log(clone)
    assert "--offline --no-deps --no-build-isolation" in log(clone)
    index, _, links, _ = (clone / "where").read_text().split("\n")[:4]
    assert (index, links) == ("file:///first", "/other,/more")


def test_where_uv_fails_pip_installs(clone):
    add(clone / "fetched", UV, fails=2)
    output = set_up(clone)
    assert "pip does it in a few minutes" in output
    assert "uv found no network" in (clone / ".venv/uv.log").read_text()
    assert "pip -m pip" in log(clone)


def test_an_environment_is_used_again_until_its_lock_or_its_folder_is_another(clone):
    set_up(clone)
    (clone / "log").unlink()
    assert not set_up(clone)
    assert not (clone / "log").exists()
    with (clone / "locks/requirements.lock").open("a") as file:
        file.write("# newer\n")
    assert "Making .venv" in set_up(clone)
    assert "Making .venv" in set_up(clone.rename(clone.with_name("moved")))


def test_without_a_python_that_serves_there_is_one_line(clone):
    add(clone.parent / "bin/python3", PYTHON, unsupported=1)
    output = set_up(clone, status=1)
    assert output.count("\n") == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in output


def test_a_folder_of_the_same_name_does_not_hide_the_package(tmp_path):
    """So has who calls the clone unroll, and works in the folder that holds it."""
    (tmp_path / "unroll").mkdir()
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }
    found = subprocess.run(
        [sys.executable, "-c", "import unroll; print(unroll.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.strip() == str(ROOT / "unroll" / "__init__.py")


@pytest.mark.parametrize(
    "name",
    ["locks/requirements.lock", "locks/docs.lock", "locks/uv.lock"],
)
def test_a_lock_names_no_host_and_no_path_and_hashes_everything(name):
    lock = (ROOT / name).read_text()
    assert not re.search(r"://|^-|@ ", lock, re.MULTILINE)
    pins = re.split(r"\n(?=\S)", lock.strip())
    assert all(re.match(r"[a-z0-9-]+==[^\s;]+", pin) for pin in pins)
    assert [pin.split("==")[0] for pin in pins if "--hash=sha256:" not in pin] == []


LOCKS = ("locks/requirements.lock", "locks/docs.lock")


def test_every_direct_dependency_is_locked_once_within_its_bounds():
    locks = "".join((ROOT / name).read_text() for name in LOCKS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for requirement in map(Requirement, [*project["dependencies"], *chain(*extras)]):
        (version,) = re.findall(
            rf"^{canonicalize_name(requirement.name)}==(\S+)", locks, re.MULTILINE
        )
        assert version in requirement.specifier, requirement


def test_a_relative_mirror_is_meant_from_the_repository(tmp_path):
    (tmp_path / "Makefile").write_text(
        'include Makefile\nshow:\n\t@echo "$$UNROLL_MIRROR"\n'
    )
    command = ["make", "--no-print-directory", "-f", str(tmp_path / "Makefile"), "show"]
    variables = os.environ | {"UNROLL_MIRROR": "../a folder", "MAKEFLAGS": ""}
    shown = subprocess.check_output(command, cwd=ROOT, env=variables, text=True)
    assert shown == f"{ROOT}/../a folder\n"


def test_every_action_of_others_is_pinned():
    workflows = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / ".github/workflows").iterdir()
    )
    # our own actions lie in the same commit
    actions = re.findall(r"uses: ([^.].+)", workflows)
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("name", ["demo_on_cluster", "picture", "recording"])
def test_a_script_of_make_finds_what_it_imports(name):
    loaded = runpy.run_path(str(ROOT / "tools" / f"{name}.py"), run_name="imported")
    assert callable(loaded["main"])
