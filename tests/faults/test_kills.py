"""A command that is killed at random moments, and given again, ends with the bytes of one that never was."""

import contextlib
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from stages.repro import server
from tests.faults.desk import open_desk, outputs, scratch, statuses
from tests.faults.killing import DEADLINE, at_work, ended, kill, until
from tests.faults.table import Row
from tests.support.web_server import Web

pytestmark = pytest.mark.skipif(not server.possible(), reason="processes are found by their folder in /proc")

PLACE = "kills"


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        command: a command line of `unroll`.
        kills: how many have to hit it while it runs.
        built: the stages that it needs.
        goes_on: where it goes on, for the page.
        kept: says of a workspace whether a killed command has left something to go on from.
        resumed: says of what was printed, and of what a server was asked for, whether a command went on from there.
    """

    command: str
    kills: int
    built: tuple[str, ...]
    goes_on: str
    kept: Callable[[Path], bool] = lambda _root: True
    resumed: Callable[[str, Web], bool] = lambda _said, _web: True


def some(pattern):
    """Whether a workspace has a file of this pattern with something in it."""

    def there(root):
        with contextlib.suppress(FileNotFoundError):  # it has just been put in its place
            return any(path.stat().st_size for path in root.glob(pattern))
        return False

    return there


GOES_ON = re.compile(r"goes on after epoch \d+ of seed \d+, where it was interrupted")
SHORTER = re.compile(r"Built [1-5] of 6 stages")
BUILT = ("source waves", "prepare waves", "train linear", "train last_value")
CASES = [
    Case(
        "source far",
        5,
        (),
        "the bytes that had arrived",
        some(".unroll/downloads/*.part"),
        lambda _said, web: any(web.ranges()),
    ),
    Case("prepare waves", 4, BUILT[:1], "the start"),
    Case("evaluate waves", 4, BUILT, "the start"),
    *(
        Case(
            f"train {name}",
            kills,
            ("source waves", "prepare trained"),
            "the last checkpoint",
            some(".unroll/checkpoints/*.npz"),
            lambda said, _web: bool(GOES_ON.search(said)),
        )
        for name, kills in (("node", 5), ("gru", 2))
    ),
    Case(
        "repro --jobs 2",
        3,
        (),
        "the stages that were not built yet",
        some("dvc.lock"),
        lambda said, _web: bool(SHORTER.search(said)),
    ),
]


def test_there_are_as_many_kills_as_were_promised():
    assert sum(case.kills for case in CASES) >= 20


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command.replace(" ", "_"))
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(case, desk, report):
    whole = desk.copy(case)
    process, started = desk.start(whole, case), time.monotonic()
    assert ended(process) == 0, desk.said(whole)
    length = time.monotonic() - started
    draw = random.Random(case.command)  # noqa: S311
    kills, resumed, rounds = 0, False, 0
    while kills < case.kills or not resumed:
        root, rounds = desk.copy(case), rounds + 1
        assert rounds < 20, "hardly a kill comes in time, or after anything was kept"
        for _ in range(max(case.kills - kills, 1)):
            process = desk.start(root, case)
            if draw.random() < 0.6:  # more often than not there is something to go on from
                until(process, DEADLINE, partial(case.kept, root))
                until(process, draw.uniform(0, length / 2))
            else:
                until(process, draw.uniform(0, length))
            kill(root, process.pid, whole=draw.random() < 0.7)
            if ended(process) == 0:  # too late: it had come to its end
                break
            assert process.returncode == -signal.SIGKILL, desk.said(root)
            kills += 1
        else:
            assert ended(desk.start(root, case)) == 0, desk.said(root)
        resumed |= case.resumed(desk.said(root), desk.web)
        assert outputs(root) == outputs(whole)
        assert scratch(root) == scratch(whole)
        assert [path for path in root.rglob("*.tmp") if not path.is_relative_to(root / ".dvc")] == []
        assert ended(desk.track(root)) == 0, desk.said(root)
        assert statuses(root) <= {"FINISHED", "KILLED"}
        assert at_work(root) == []
    what = f"it is killed at a random moment, {case.kills} times"
    report(PLACE, Row(what, f"unroll {case.command}", 0, "", (f"it goes on from {case.goes_on}", "the same bytes")))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with open_desk(tmp_path_factory.mktemp("kills")) as desk:
        yield desk
