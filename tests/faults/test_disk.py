"""A disk that is full and one that may not be written, in the middle of every stage."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.disk import STAGES
from tests.faults.table import Row

PLACE = "disk"
REPOSITORY = Path(__file__).parents[2]
NAMESPACE = ["unshare", "--mount", "--map-root-user"]

KEPT, AGAIN = "what was there stays, nothing is half-written", "with room again, the same bytes"
FAULTS = {
    ("mounts", "full"): ("the disk is full, at any moment", (KEPT, AGAIN)),
    ("mounts", "read-only"): ("the disk may only be read", (KEPT,)),
    ("limits", "full"): ("files may not grow (`ulimit -f`)", (KEPT, AGAIN)),
    ("limits", "read-only"): ("the folders belong to someone else", (KEPT,)),
}
CASES = [(how, fault, command) for how, fault in FAULTS for command in STAGES]


def namespaces() -> bool:
    """Whether this user may mount something where only the user's own processes see it."""
    try:
        test = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
        return subprocess.run(test, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def found(baselines):
    """How -> command -> fault -> how it ended."""
    ended = {}
    for how, start in {"limits": [], **({"mounts": NAMESPACE} if namespaces() else {})}.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [*start, sys.executable, "-m", "tests.faults.disk", str(baselines.root), folder, how]
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ended[how] = json.loads(done.stdout)
    return ended


@pytest.mark.parametrize(("how", "fault", "command"), CASES)
def test_disk(found, how, fault, command, report):
    if how not in found:
        how = "limits"  # the same faults, as far as this system can have them
    words, after = FAULTS[how, fault]
    ended = found[how][command][fault]
    assert ended["code"] == 1
    report(PLACE, Row(words, f"unroll {command}", 1, ended["line"], after))


def test_the_page_has_these_rows_and_no_others(listed):
    assert listed(PLACE) == [(FAULTS[how, fault][0], f"`unroll {command}`") for how, fault, command in CASES]
