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
def test_a_terminal_gets_one_line_with_the_figures_that_fit(
    clock, monkeypatch, columns, figures
):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = progress.Epochs("a_long_name", {"epochs": 3})
    clock.now += 3
    shown.epoch(5, 3, {})
    sys.stderr.truncate(0)
    sys.stderr.seek(0)
    for epoch in (1, 2, 3):
        clock.now += 1
        shown.epoch(
            0,
            epoch,
            {"train_loss": 1.0, "validation_loss": 2.0, "validation_accuracy": 0.5},
        )
    lines = [f"a_long_name  seed 0  epoch {done}/3{figures}" for done in (1, 2, 3)]
    assert sys.stderr.getvalue() == "".join(f"\r\x1b[2K{line}" for line in lines) + "\n"
