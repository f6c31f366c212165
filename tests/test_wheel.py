"""The wheel: unpacked, and run in an empty folder where nothing leads to the checkout."""

import subprocess
import sys
import zipfile

import pytest

from pipeline.provenance import fingerprint
from tests.conftest import Miniature
from tests.support import REPOSITORY

SEVERAL = """
import sys
from unroll.__main__ import keep_notes_private, numeric_settings
numeric_settings.set_environment(), keep_notes_private()
from unroll.commands.main import invoke
from unroll.commands.main import run
sys.exit(max([run(lambda: invoke(line.split())) for line in sys.argv[1:]]))
"""
"""Runs several commands in one process, which has to import what they need once."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the wheel is unpacked in, with what pip notes there."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"setup.py -q build -b {folder}/b egg_info -e {folder} bdist_wheel -b {folder}/c -d {folder}"
    subprocess.run(
        [sys.executable, "-W", "ignore", *build.split()], cwd=REPOSITORY, check=True
    )
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 5e6
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def unroll(installed, folder, *lines, status=0):
    """What command lines print, both streams; `status`: the worst of theirs."""
    environment = Miniature(folder).environment | {
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    start = (
        ["-c", SEVERAL, *lines] if lines[1:] else ["-m", "unroll", *lines[0].split()]
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(
        [sys.executable, *start], cwd=folder, env=environment, check=False, **streams
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def test_in_an_empty_folder_the_documents_are_shown_and_nothing_is_written(
    installed, tmp_path
):
    version = f"unroll {fingerprint.package()}\n"
    assert unroll(installed, tmp_path, "--version") == version
    shown = unroll(installed, tmp_path, "claims", "compare waves", "lab N")
    assert shown.count("\n003 ") > 10
    assert (
        "waves: the next value of noisy waves\nDoes recurrence help in tuned networks? "
        in shown
    )
    assert "last value: test MSE 0.0205" in shown
    wrong = unroll(installed, tmp_path, "repro", "compare wavse", status=2)
    assert wrong.count("\n") == 2
    assert "name that folder: unroll --root DIR ...\n" in wrong
    assert wrong.endswith("Did you mean waves? `unroll answer FILE` makes an answer\n")
    assert not [*tmp_path.iterdir()]


def test_in_an_empty_folder_a_file_is_answered(installed, tmp_path, request):
    if not request.config.getoption("--long"):
        pytest.skip("with --long only")
    rows = (
        f"2024-{1 + i // 28:02}-{1 + i % 28:02},{100 + 7 * (i % 7) + i * i % 5}"
        for i in range(200)
    )
    (tmp_path / "shop.csv").write_text("\n".join(["day,sales", *rows]) + "\n")
    shown = unroll(
        installed,
        tmp_path,
        "answer shop.csv --yes --no-networks",
        "predict shop --csv",
        "answer shop.csv",
    )
    assert shown.startswith("Reading shop.csv ...\n")
    assert {path.name for path in tmp_path.iterdir()} == {"shop.csv", "shop"}
    assert (tmp_path / "shop" / "index.html").is_file()


def lines_of(*command):
    done = subprocess.run(
        command, cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def test_a_source_distribution_holds_every_file_of_the_repository(tmp_path):
    build = f"setup.py -q egg_info -e {tmp_path} sdist -d {tmp_path}"
    lines_of(sys.executable, "-W", "ignore", *build.split())
    (archive,) = tmp_path.glob("*.tar.gz")
    packed = {name.partition("/")[2] for name in lines_of("tar", "tzf", archive)}
    assert {*lines_of("git", "ls-files")} <= packed, "MANIFEST.in lacks them"
