"""`python -m bench halving`: what its table says of two searches over the same trials."""

from dataclasses import replace

from bench import halving
from pipeline.training.tasks import Outcome
from unroll.tune.search import Attempt, Search, Training

SEARCH = Search(None, "waves/gru", None, {}, 3, "mse", 0.0, 1, None)


def attempt(trial, epochs, value):
    outcome = Outcome(value=value, ended="complete", epochs=epochs, cpu_seconds=epochs)
    return Attempt(Training(trial, {"training.epochs": epochs}), outcome, "complete")


def test_a_row_has_the_rank_of_the_chosen_trial_both_errors_and_their_cost():
    rounds = [attempt(trial, 1, 0.1 * trial) for trial in (1, 2, 3)]
    found = [*rounds, attempt(1, 8, 0.0505)]
    trained = [attempt(1, 8, 0.0505), attempt(2, 8, 0.05), attempt(3, 8, None)]
    row = halving.compared(SEARCH, found, trained)
    assert row == ["2 of 3", "0.050000", "+1.0 %", "24", "11"]


def test_with_one_round_all_trials_train_with_all_epochs(monkeypatch):
    wanted = replace(SEARCH, rounds=(1,))
    monkeypatch.setattr(Search, "epochs", 8)
    assert wanted._rounds() == {8: 3}
    assert SEARCH._rounds() == {1: 3, 2: 1, 4: 1, 8: 1}
