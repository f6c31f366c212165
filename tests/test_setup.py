"""Set-up without a network: .ci/venv with made-up Pythons, the lock, the Makefile."""

import os
import re
import shutil
import subprocess
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
    "ls",
    "sed",
    "tr",
)

# What .ci/venv asks of a Python, answered as the test says.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) exit {unsupported} ;;
    *"import venv"*) exit {without_venv} ;;
    --version) echo "Python 3.12.9 of $0" ;;
    "-m venv"*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m pip"*"config list") cat pip.conf ;;
    "-m pip"*".ci/requirements.lock") cat ./fetched >.venv/bin/uv && chmod +x .venv/bin/uv ;;
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
    (root / ".ci/locks").mkdir(parents=True)
    for name in (
        ".ci/venv",
        ".ci/requirements.lock",
        ".ci/locks/requirements.lock",
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
        [clone / ".ci/venv"], check=False, cwd=clone.parent, **streams
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def assert_installed_by(tool, clone):
    locked, project = (
        line
        for line in (clone / "log").read_text().splitlines()
        if line.startswith(f"{tool} ")
    )
    assert "--require-hashes -r .ci/locks/requirements.lock" in locked
    assert {
        "--offline" if tool == "uv" else "--no-index",
        "--no-deps",
        "--no-build-isolation",
    } < {*project.split()}


def test_uv_is_fetched_or_found_on_path_and_installs_the_lock_with_its_hashes_then_the_project_offline(
    clone,
):
    assert re.search("Making .venv .*\nMade .venv in [0-9]+ s", set_up(clone))
    assert_installed_by("uv", clone)
    shutil.rmtree(clone / ".venv")
    (clone / "fetched").unlink()
    (clone / "log").unlink()
    add(clone.parent / "bin/uv", UV)
    set_up(clone)
    assert_installed_by("uv", clone)


@pytest.mark.parametrize("there_is_one", [True, False])
def test_where_uv_fails_or_there_is_none_pip_installs_and_what_uv_said_is_kept(
    clone, there_is_one
):
    add(clone / "fetched", UV, fails=2) if there_is_one else (
        clone / "fetched"
    ).unlink()
    output = set_up(clone)
    assert "pip does it in a few minutes" in output
    assert "uv found no network" not in output
    assert (
        "uv found no network" in (clone / ".venv/uv.log").read_text()
    ) == there_is_one
    assert_installed_by("pip", clone)


def test_an_environment_is_used_again_until_lock_project_folder_or_python_are_others(
    clone,
):
    add(clone.parent / "bin/python3", PYTHON, pip_fails=1)
    (clone / "fetched").unlink()
    assert "pip could not install .ci/locks/requirements.lock" in set_up(
        clone, status=1
    )
    add(clone.parent / "bin/python3", PYTHON)
    add(clone / "fetched", UV)
    assert "Making .venv" in set_up(clone), "an install that failed is done again"
    (clone / "log").unlink()
    assert not set_up(clone)
    assert not (clone / "log").exists()
    with (clone / "pyproject.toml").open("a") as file:
        file.write("# newer\n")
    assert not set_up(clone)
    assert [
        "--editable" in line for line in (clone / "log").read_text().splitlines()
    ] == [True]
    with (clone / ".ci/locks/requirements.lock").open("a") as file:
        file.write("# newer\n")
    (clone / ".venv/old").touch()
    assert "Making .venv" in set_up(clone)
    assert not (clone / ".venv/old").exists()
    (clone / ".venv/bin/python").unlink()
    assert "Making .venv" in set_up(clone)
    assert "Making .venv" in set_up(clone.rename(clone.with_name("moved")))


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ({"unsupported": 1}, "Python 3.11, 3.12 or 3.13 is needed"),
        (
            {"without_venv": 1},
            "python3 has no venv module; install it (Debian, Ubuntu: apt install python3-venv)",
        ),
    ],
)
def test_without_a_python_that_serves_there_is_one_line(clone, python, said):
    add(clone.parent / "bin/python3", PYTHON, **python)
    output = set_up(clone, status=1)
    assert output.count("\n") == 1
    assert said in output
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    "name",
    [".ci/locks/requirements.lock", ".ci/locks/docs.lock", ".ci/requirements.lock"],
)
def test_a_lock_names_no_host_and_no_path_and_hashes_everything(name):
    lock = (ROOT / name).read_text()
    assert not re.search(r"://|^-|@ ", lock, re.MULTILINE)
    pins = re.split(r"\n(?=\S)", lock.strip())
    assert all(re.match(r"[a-z0-9-]+==[^\s;]+", pin) for pin in pins)
    assert [pin.split("==")[0] for pin in pins if "--hash=sha256:" not in pin] == []


LOCKS = (".ci/locks/requirements.lock", ".ci/locks/cluster.lock", ".ci/locks/docs.lock")


def test_every_direct_dependency_is_locked_once_within_its_bounds():
    locks = "".join((ROOT / name).read_text() for name in LOCKS)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for requirement in map(Requirement, [*project["dependencies"], *chain(*extras)]):
        (version,) = re.findall(
            rf"^{canonicalize_name(requirement.name)}==(\S+)", locks, re.MULTILINE
        )
        assert version in requirement.specifier, requirement


def make(*arguments, **environment):
    base = {
        key: value
        for key, value in os.environ.items()
        if key not in {"UNROLL_MIRROR", "MAKEFLAGS", "MAKELEVEL"}
    }
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=base | environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize(
    "given", ["../a folder", "/data", "https://example.org/data", ""]
)
def test_a_relative_mirror_is_meant_from_the_repository(tmp_path, given):
    wrapper = tmp_path / "Makefile"
    meant = f"{ROOT}/{given}" if given.startswith("..") else given
    wrapper.write_text('include Makefile\nshow:\n\t@echo "$$UNROLL_MIRROR"\n')
    assert make("-f", str(wrapper), "show", UNROLL_MIRROR=given).strip() == meant
    assert make("-f", str(wrapper), "show", f"UNROLL_MIRROR={given}").strip() == meant


def test_uv_looks_for_packages_where_pip_would(clone):
    (clone / "pip.conf").write_text(
        ":env:.find-links='/wheels /more'\nglobal.extra-index-url='\\nfile:///one\\nfile:///two'\n"
        "global.find-links='/other'\nglobal.index-url='file:///first'\ninstall.cert='/ca.pem'\n"
    )
    set_up(clone)
    asked = [line.strip() for line in (clone / "where").read_text().splitlines()[:4]]
    assert asked == [
        "file:///first",
        "file:///one file:///two",
        "/wheels,/more",
        "/ca.pem",
    ]
