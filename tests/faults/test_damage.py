"""A file that a stage reads is cut short or has one bit flipped: one line, nothing is written, and a way out."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.table import Row

PLACE = "damage"


def cut(data: bytes) -> bytes:
    return data[: 2 * len(data) // 3]


def flip(at: bytes | int) -> Callable[[bytes], bytes]:
    """Flip the lowest bit of the first byte of a text, or of the byte at a place."""

    def change(data: bytes) -> bytes:
        place = data.index(at) if isinstance(at, bytes) else at
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return change


@dataclass(frozen=True)
class Case:
    """A file, what is done to it, the command that reads it, words of its line, and the commands that mend it."""

    file: str
    damage: Callable[[bytes], bytes]
    command: str
    says: str
    mend: str

    @property
    def fault(self) -> str:
        return f"`{self.file}` {'is cut short' if self.damage is cut else 'has one bit flipped'}"


WAVES, SINE, RUN = "data/raw/waves/waves.npz", "data/raw/sine/extrapolation_test.csv", "runs/waves/waves_linear"
CASES = [
    Case(WAVES, cut, "prepare waves", "another sha256", "source waves"),
    Case(WAVES, flip(3000), "prepare waves", "another sha256", "source waves"),
    Case(SINE, cut, "prepare sine", "another sha256", "source sine"),
    Case(SINE, flip(100), "prepare sine", "another sha256", "source sine"),
    Case("data/raw/waves/source.json", cut, "prepare waves", "source.json is damaged", "source waves"),
    Case("data/raw/waves/source.json", flip(b"stand_in"), "prepare waves", "stand_in is missing", "source waves"),
    Case("data/prepared/waves/arrays.npz", cut, "train waves_linear", "arrays.npz is damaged", "prepare waves"),
    Case("data/prepared/waves/arrays.npz", flip(3000), "train waves_linear", "Bad CRC-32", "prepare waves"),
    Case("data/prepared/waves/dataset.json", cut, "train waves_linear", "dataset.json is damaged", "prepare waves"),
    Case("data/prepared/waves/dataset.json", flip(b"mse"), "evaluate waves", "metric must be 'mse'", "prepare waves"),
    Case(f"{RUN}/run.json", cut, "evaluate waves", "the run of waves_linear is damaged", "train waves_linear"),
    Case(f"{RUN}/run.json", flip(b"epochs"), "evaluate waves", "run.json.epochs is missing", "train waves_linear"),
    Case(f"{RUN}/history.csv", cut, "evaluate waves", "its last line has no end", "train waves_linear"),
    Case(f"{RUN}/predictions.npz", cut, "evaluate waves", "predictions.npz is damaged", "train waves_linear"),
    Case(f"{RUN}/predictions.npz", flip(1200), "evaluate waves", "Bad CRC-32", "train waves_linear"),
    Case("evaluations/sine/evaluation.json", cut, "report", "evaluation.json is damaged", "evaluate sine"),
    Case("evaluations/sine/evaluation.json", flip(b"metric"), "compare", "is not known here", "evaluate sine"),
    Case("evaluations/sine/history.csv", cut, "compare", "its last line has no end", "evaluate sine"),
    Case("evaluations/sine/predictions.csv", cut, "compare", "its last line has no end", "evaluate sine"),
    Case("evaluations/sine/rollout.csv", flip(b"truth"), "compare", "has the columns", "evaluate sine"),
    Case("metrics/waves.json", cut, "show waves_linear", "waves.json is damaged", "evaluate waves"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}-{case.damage.__name__}")
def test_damage(case, lab, report):
    whole = lab.outputs()
    path = lab.root / case.file
    path.write_bytes(case.damage(path.read_bytes()))
    damaged = lab.outputs()
    assert damaged != whole

    ended = lab.run(case.command)
    assert ended.code == 1
    assert case.says in ended.line
    assert lab.outputs() == damaged
    assert lab.unfinished() == []

    for command in (case.mend, case.command):
        assert lab.run(command).code == 0
    assert lab.outputs() == whole
    after = "nothing is written", f"`unroll {case.mend}` makes the same bytes anew"
    report(PLACE, Row(case.fault, f"unroll {case.command}", ended.code, ended.line, after))


def test_the_page_has_these_rows_and_no_others(listed):
    assert listed(PLACE) == [(case.fault, f"`unroll {case.command}`") for case in CASES]
