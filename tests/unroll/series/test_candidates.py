"""Which models are tried, by what a file is like; each of them has options that its
builder takes."""

import numpy as np
import pandas as pd
import pytest

from unroll.series import candidates, training
from unroll.series.models.recipes import recipe
from unroll.series.options import Options
from unroll.series.question import propose
from unroll.series.reading.detect import detect


def profiled(folder, values, freq="h", **wanted):
    stamps = pd.date_range("2021-01-01", periods=len(values), freq=freq)
    pd.DataFrame(
        {"time": stamps, "load": values, "wind": np.arange(len(values)) % 7}
    ).to_csv(folder / "a.csv", index=False)
    profile = detect([folder / "a.csv"], Options(target="load"))
    return profile, propose(profile, Options(target="load", **wanted))


@pytest.fixture
def hourly(tmp_path):
    return profiled(tmp_path, 10 + np.arange(2000) % 29)


CASES = {
    "hours": (10 + np.arange(2000) % 29, "h", {}),
    "a week of hours is not seen twice": (10 + np.arange(800) % 29, "h", {}),
    "rows without a cycle": (np.arange(300) % 29, "7h", {}),
    "months, with a history": (5 + np.arange(140) % 29, "MS", {}),
    "a plan and holidays": (
        10 + np.arange(2000) % 29,
        "h",
        {"future": ["wind"], "holidays": "DE"},
    ),
}


def test_models_and_their_options_are_as_approved(tmp_path, file_regression):
    lines = []
    for case, (values, freq, wanted) in CASES.items():
        found = candidates.of_windows(*profiled(tmp_path, values, freq, **wanted), 182)
        lines += ["", case]
        for name, experiment in found.items():
            assert not recipe(name, experiment).network, "none needs TensorFlow"
            section = experiment.model_dump(exclude={"dataset"}, exclude_defaults=True)
            lines.append(f"{name}: {section}")
    file_regression.check("\n".join(lines))


def test_without_networks_the_others_are_the_same(hourly):
    every = candidates.of_windows(*hourly, 182)
    some = candidates.of_windows(*hourly, 182, networks=False)
    assert some == {
        name: model for name, model in every.items() if not training.is_network(model)
    }


def test_of_many_series_no_model_is_fitted_to_each_forecast(hourly):
    few = candidates.of_windows(*hourly, candidates.MOST_WINDOW_FITS)
    many = candidates.of_windows(*hourly, candidates.MOST_WINDOW_FITS + 1)
    assert {*few} - {*many} == {"ets", "ets_24", "ets_168", "mstl"}


@pytest.mark.parametrize(
    ("values", "intermittent", "objective"),
    [
        (np.where(np.arange(1000) % 3, 0, 5.5), True, "median"),
        (np.where(np.arange(1000) % 3, 5, 0), True, "mean"),
        (np.where(np.arange(1000) % 9, 5, 0), False, "mean"),
        (np.where(np.arange(1000) % 9, 5.5, 0), False, "median"),
        (np.where(np.arange(1000) % 3, 0, -5), False, "median"),
    ],
)
def test_demand_that_is_often_0_has_a_model_of_its_own_and_counts_their_mean(
    tmp_path, values, intermittent, objective
):
    values = np.append(values, values[::-1])
    profile, proposal = profiled(tmp_path, values, freq="D")
    found = candidates.of_windows(profile, proposal, 182)
    assert ("tsb" in found) == intermittent
    assert proposal.objective == objective


def test_a_network_may_be_trained_for_some_numbers_of_steps(hourly):
    """tests/unroll/series/test_training.py has fewer, on few windows."""
    gru = candidates.of_windows(*hourly, 182)["gru"]
    many = training.by_steps(gru, 5000)
    assert tuple(each.training.options["steps"] for each in many) == training.STEPS
