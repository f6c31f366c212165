import io
import sys
import types

import pytest

from stages import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of so many columns: each line that was drawn, and those that stayed."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

        @property
        def drawn(self):
            return [part.rstrip("\n") for part in self.getvalue().split("\r\x1b[2K")[1:]]

        @property
        def stayed(self):
            return [text.split("\x1b[2K")[-1] for text in self.getvalue().split("\n")[:-1]]

    def make(columns):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("COLUMNS", str(columns))
        return sys.stderr

    return make


def test_a_log_gets_a_line_every_two_seconds_with_the_time_left_over_all_seeds_and_the_last_epoch(clock, capsys):
    shown = progress.Epochs("rnn", {"epochs": 4}, (7, 9))
    clock.now += 10
    shown.epoch(7, 1, {"train_loss": 0.123456, "validation_mse": 1e-5})
    clock.now += 1.9
    shown.epoch(7, 2, {})
    clock.now += 48.1
    shown.epoch(9, 2, {"train_loss": 2.0})
    shown.epoch(9, 4, {})
    assert capsys.readouterr().err == (
        "rnn  seed 7  epoch 1/4  train_loss 0.1235  validation_mse 1e-05  1 min 10 s left\n"
        "rnn  seed 9  epoch 2/4  train_loss 2  40 s left\n"
        "rnn  seed 9  epoch 4/4  0 s left\n"
    )


def test_a_training_that_goes_on_says_from_where_and_counts_only_what_is_left(clock, capsys):
    shown = progress.Epochs("rnn", {"epochs": 4}, (7, 9))
    shown.resumed({7: [{}] * 4, 9: [{}] * 2})
    clock.now += 10
    shown.epoch(9, 3, {})
    said = "rnn goes on after epoch 2 of seed 9, where it was interrupted\nrnn  seed 9  epoch 3/4  10 s left\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("columns", "figures"), [(41, ""), (80, "train_loss 1  validation_loss 2  ")])
def test_a_terminal_gets_one_line_that_keeps_the_time_left_and_what_figures_fit(clock, terminal, columns, figures):
    seen, shown = terminal(columns), progress.Epochs("a_long_name", {"epochs": 3}, (0,))
    for epoch in (1, 2, 3):
        clock.now += 1
        shown.epoch(0, epoch, {"train_loss": 1.0, "validation_loss": 2.0, "validation_accuracy": 0.5})
    assert seen.drawn == [f"a_long_name  seed 0  epoch {done}/3  {figures}{3 - done} s left" for done in (1, 2, 3)]
    assert seen.stayed == seen.drawn[-1:]
