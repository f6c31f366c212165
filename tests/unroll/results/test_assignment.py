import numpy as np
import pytest

from pipeline.config import plain_yaml
from pipeline.data.sources.waves import generate
from pipeline.errors import UsageError
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.results.assignment import lab


@pytest.fixture
def workspace(tmp_path):
    """The repository's own experiments on a few waves."""
    data = plain_yaml.read(REPOSITORY / "params.yaml")
    data["sources"]["waves"] |= {"train": 400, "validation": 10, "test": 200}
    plain_yaml.write(data, tmp_path / "params.yaml")
    return Workspace(tmp_path)


def said(workspace, part, **options):
    found = []
    lab(workspace, part, say=found.append, **options)
    return found


def errors(found):
    """The test errors, one per epoch."""
    assert found[0] == "400 series to train on, 200 to test on"
    assert [line.partition(":")[0] for line in found[1:]] == [f"epoch {epoch}" for epoch in range(1, len(found))]
    return [float(line.rpartition("test MSE ")[2]) for line in found[1:]]


@pytest.mark.parametrize("letter", ["N", "n"])
def test_n_is_the_error_of_the_last_value(workspace, letter):
    found = said(workspace, letter)
    test = generate(np.random.default_rng(np.random.SeedSequence(0).spawn(3)[2]), 200)
    expected = np.mean((test[:, -1] - test[:, -2]) ** 2)
    assert found == ["400 series to train on, 200 to test on", f"last value: test MSE {expected:.6f}"]


def test_n_of_all_the_waves_is_what_document_003_says():
    value = float(said(Workspace(REPOSITORY), "N")[1].rpartition(" ")[2])
    assert value == pytest.approx(0.0206, abs=3 * 0.00055)  # mean and deviation over 200 other seeds


@pytest.mark.parametrize(("part", "epochs"), [("D", 3), ("R", 4)])
def test_d_and_r_print_a_falling_error_per_epoch(workspace, part, epochs):
    found = errors(said(workspace, part, epochs=epochs))
    assert len(found) == epochs
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.9 * found[0]


def test_the_rate_and_the_seed_count_and_the_data_do_not_change(workspace):
    first, *others = (said(workspace, "D", epochs=1, **changed) for changed in ({}, {"rate": 0.01}, {"seed": 1}))
    assert all(other != first for other in others)
    assert all(other[0] == first[0] for other in others)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_cannot_be(workspace, rate):
    with pytest.raises(UsageError, match=r"waves_node\.training\.learning_rate must be "):
        said(workspace, "R", epochs=1, rate=rate)


def test_nothing_is_left_behind(workspace):
    said(workspace, "N")
    assert [path.name for path in workspace.root.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("part", ["X", "", "ND"])
def test_another_letter(workspace, part):
    with pytest.raises(UsageError, match=r"the part must be one of: D, N, R\. Received: "):
        said(workspace, part)


def test_an_experiment_that_was_removed(workspace):
    data = plain_yaml.read(workspace.params)
    del data["experiments"]["waves_node"]
    plain_yaml.write(data, workspace.params)
    with pytest.raises(UsageError, match=r"the experiment must be one of .* Received: 'waves_node'"):
        said(workspace, "R")
