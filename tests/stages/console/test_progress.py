import io
import sys

import pytest

from stages.console import progress
from stages.console.progress import duration


class Clock:
    """A clock that only the test moves, and how wide the terminal is."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (61, "1 min 1 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 0 min"),
        (3660, "1 h 1 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_line_has_seed_epoch_figures_and_time_left_over_all_seeds(clock, capsys):
    on_epoch = progress.Epochs("rnn", {"epochs": 4}, (7, 9))
    clock.now += 10
    on_epoch(7, 1, {"train_loss": 0.123456, "validation_mse": 1e-5})
    clock.now += 50
    on_epoch(9, 2, {"train_loss": 2.0})
    assert capsys.readouterr().err == (
        "rnn  seed 7  epoch 1/4  train_loss 0.1235  validation_mse 1e-05  1 min 10 s left\n"
        "rnn  seed 9  epoch 2/4  train_loss 2  20 s left\n"
    )


def test_a_log_gets_a_line_every_two_seconds_and_the_last_epoch(clock, capsys):
    on_epoch = progress.Epochs("rnn", {"epochs": 10}, (0,))
    for epoch in range(1, 11):
        clock.now += 0.5
        on_epoch(0, epoch, {})
    shown = [line.split()[4] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["4/10", "8/10", "10/10"]


def test_a_terminal_gets_one_line_that_fits(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    on_epoch = progress.Epochs("a_long_name", {"epochs": 3}, (0,))
    for epoch in (1, 2, 3):
        clock.now += 1
        on_epoch(0, epoch, {"train_loss": 1.0, "validation_loss": 2.0, "validation_accuracy": 0.5})
    drawn = sys.stderr.getvalue()
    assert drawn.count("\n") == 1
    assert drawn.endswith("\n")
    lines = drawn.rstrip("\n").split("\r\x1b[2K")[1:]
    assert len(lines) == 3
    assert {len(line) for line in lines} == {39}


def test_a_terminal_is_not_drawn_on_for_every_fast_epoch(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    on_epoch = progress.Epochs("rnn", {"epochs": 1000}, (0,))
    for epoch in range(1, 1001):
        clock.now += 0.001
        on_epoch(0, epoch, {})
    assert sys.stderr.getvalue().count("\r") < 12


def test_a_method_without_epochs_shows_nothing(capsys):
    progress.Epochs("guess", {}, (0,))
    assert capsys.readouterr().err == ""
