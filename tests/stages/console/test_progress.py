import io
import os
import sys
import types

import pytest

from stages.console import progress
from stages.console.progress import duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


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
    shown = progress.Epochs("rnn", {"epochs": 4}, (7, 9))
    clock.now += 10
    shown.epoch(7, 1, {"train_loss": 0.123456, "validation_mse": 1e-5})
    clock.now += 50
    shown.epoch(9, 2, {"train_loss": 2.0})
    assert capsys.readouterr().err == (
        "rnn  seed 7  epoch 1/4  train_loss 0.1235  validation_mse 1e-05  1 min 10 s left\n"
        "rnn  seed 9  epoch 2/4  train_loss 2  1 min 0 s left\n"
    )


def test_a_log_gets_a_line_every_two_seconds_and_the_last_epoch(clock, capsys):
    shown = progress.Epochs("rnn", {"epochs": 10}, (0,))
    for epoch in range(1, 11):
        clock.now += 0.5
        shown.epoch(0, epoch, {})
    epochs = [line.split()[4] for line in capsys.readouterr().err.splitlines()]
    assert epochs == ["4/10", "8/10", "10/10"]


def test_a_terminal_gets_one_line_that_fits(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "41")
    shown = progress.Epochs("a_long_name", {"epochs": 3}, (0,))
    for epoch in (1, 2, 3):
        clock.now += 1
        shown.epoch(0, epoch, {"train_loss": 1.0, "validation_loss": 2.0, "validation_accuracy": 0.5})
    drawn = sys.stderr.getvalue()
    assert drawn.count("\n") == 1
    assert drawn.endswith("\n")
    lines = drawn.rstrip("\n").split("\r\x1b[2K")[1:]
    assert lines == [f"a_long_name  seed 0  epoch {epoch}/3  {3 - epoch} s left" for epoch in (1, 2, 3)]


def test_80_columns_keep_the_time_left_and_what_figures_fit(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    shown = progress.Epochs("jena_hourly_gru_updates", {"epochs": 9}, (0,))
    clock.now += 60
    shown.epoch(0, 1, {"train_loss": 1.0, "validation_loss": 2.0, "validation_accuracy": 0.5})
    line = sys.stderr.getvalue().removeprefix("\r\x1b[2K")
    assert line == "jena_hourly_gru_updates  seed 0  epoch 1/9  train_loss 1  8 min 0 s left"
    progress.finish()


def test_the_line_of_a_replicate_that_ended_early_stays(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    shown = progress.Epochs("rnn", {"epochs": 5}, (7, 9))
    for seed, epochs in ((7, 2), (9, 3)):
        for epoch in range(1, epochs + 1):
            clock.now += 1
            shown.epoch(seed, epoch, {})
    progress.finish()
    progress.finish()
    stayed = [line.split("\x1b[2K")[-1] for line in sys.stderr.getvalue().rstrip("\n").split("\n")]
    assert [line.split("  ")[1:3] for line in stayed] == [["seed 7", "epoch 2/5"], ["seed 9", "epoch 3/5"]]


def test_a_terminal_is_not_drawn_on_for_every_fast_epoch(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    shown = progress.Epochs("rnn", {"epochs": 1000}, (0,))
    for epoch in range(1, 1001):
        clock.now += 0.001
        shown.epoch(0, epoch, {})
    assert sys.stderr.getvalue().count("\r") < 12


def test_a_method_without_epochs_shows_nothing(capsys):
    progress.Epochs("guess", {}, (0,))
    assert capsys.readouterr().err == ""


def test_a_training_that_goes_on_says_from_where_and_counts_only_what_is_left(clock, capsys):
    shown = progress.Epochs("rnn", {"epochs": 4}, (7, 9))
    shown.resumed({7: [{}] * 4, 9: [{}] * 2})
    clock.now += 10
    shown.epoch(9, 3, {})
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "rnn goes on after epoch 2 of seed 9, where it was interrupted",
        "rnn  seed 9  epoch 3/4    10 s left",
    ]


def test_a_download_is_plain_lines_where_the_output_is_no_terminal(clock, capsys):
    with progress.files() as shown:
        for seconds, done in ((0, 0), (1, 1_000_000), (3, 4_000_000), (1, 10_000_000)):
            clock.now += seconds
            shown("a.npz", done, 10_000_000)
    assert capsys.readouterr().err.splitlines() == ["a.npz  4.0 of 10.0 MB  6 s left", "a.npz  10.0 MB"]


def test_of_what_is_read_in_a_moment_a_log_says_nothing(clock, capsys):
    with progress.files(brief=True) as shown:
        shown("a.csv", 1_000_000, 1_000_000)
        shown("b.csv", 9_000_000, 10_000_000)  # a look at its beginning
        for seconds, done in ((0, 0), (1, 1_000_000), (3, 4_000_000)):
            clock.now += seconds
            shown("b.csv", done, 10_000_000)
    assert capsys.readouterr().err.splitlines() == ["b.csv  4.0 of 10.0 MB  6 s left"]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="a terminal is needed")
def test_a_download_is_a_bar_where_it_is_a_terminal(monkeypatch):
    main, side = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(side, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.files() as shown:
            shown("a.npz", 4_000_000, 10_000_000)
            shown("b.csv", 1_000_000, None)
        terminal.flush()
        seen = os.read(main, 100_000).decode()
    os.close(main)
    assert "a.npz" in seen
    assert "4.0/10.0 MB" in seen
    assert "b.csv" in seen
