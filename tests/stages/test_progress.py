import io
import sys
import types
from pathlib import Path

import pytest

from pipeline.processes import Ended
from pipeline.training.tasks import Task
from stages import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


def test_a_log_gets_a_line_every_two_seconds(clock, capsys):
    shown = progress.Epochs("rnn", {"epochs": 4})
    for seconds, seed, epoch in ((10, 7, 1), (1.9, 7, 2), (28.1, 7, 4), (15, 9, 2)):
        clock.now += seconds
        shown.epoch(seed, epoch, {"train_loss": 0.123456})
    assert capsys.readouterr().err == (
        "rnn  seed 7  epoch 1/4  train_loss 0.1235\n"
        "rnn  seed 7  epoch 4/4  train_loss 0.1235\n"
        "rnn  seed 9  epoch 2/4  train_loss 0.1235\n"
    )


def test_a_training_that_goes_on_says_from_where(clock, capsys):
    shown = progress.Epochs("rnn", {"epochs": 4})
    shown.resumed({7: [{}] * 4, 9: [{}] * 2})
    clock.now += 10
    shown.epoch(9, 3, {})
    lines = [
        "rnn goes on after epoch 2 of seed 9, where it was interrupted",
        "rnn  seed 9  epoch 3/4",
    ]
    assert capsys.readouterr().err.splitlines() == lines


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("columns", "figures"), [(41, ""), (70, "  train_loss 1  validation_loss 2")]
)
def test_a_terminal_gets_one_line_with_the_figures_that_fit_and_at_last_all_of_them(
    clock, monkeypatch, columns, figures
):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = progress.Epochs("a_long_name", {"epochs": 3})
    losses = {"train_loss": 1.0, "validation_loss": 2.0, "validation_accuracy": 0.5}
    for epoch in (1, 2, 3):
        clock.now += 1
        shown.epoch(0, epoch, losses)
    _, *lines, last = sys.stderr.getvalue().split(progress.CLEAR)
    assert lines == [f"a_long_name  seed 0  epoch {done}/3{figures}" for done in (1, 2)]
    assert max(map(len, last.splitlines())) < columns
    words = "a_long_name seed 0 epoch 3/3 train_loss 1 validation_loss 2 validation_accuracy 0.5"
    assert last.split() == words.split()
    assert last.endswith("0.5\n")


def test_a_terminal_of_80_columns_shows_the_reason_of_a_failure(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    task = Task("a_long_name", types.SimpleNamespace(dataset="weather_720"), {})
    reason = "its loss is not finite in epoch 2; a lower learning rate may help it"
    display = progress.Tasks(1)
    display.expect(task, 1.0)
    display.ended(Ended(task, Path(), 1.0, 1.0, reason))
    words = " ".join(sys.stderr.getvalue().split())
    assert words.endswith(f"1/1 weather_720/a_long_name FAILED: {reason}")
