import contextlib
import io
import re
import shutil

import numpy as np
import pytest

from pipeline.config import plain_yaml
from pipeline.data.sources.waves import generate
from pipeline.errors import UsageError
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.lab.assignment import lab

SIZES = "400 series to train on, 200 to test on (`unroll compare` tests on 200)"


@pytest.fixture
def workspace(tmp_path):
    """The repository's own experiments on a few waves."""
    data = plain_yaml.read(REPOSITORY / "params.yaml")
    data["sources"]["waves"] |= {"train": 400, "validation": 10, "test": 200}
    plain_yaml.write(data, tmp_path / "params.yaml")
    for name in ("templates.yaml", "claims.yaml"):
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    return Workspace(tmp_path)


def printed_by(workspace, part, **options):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        lab(workspace, part, **options)
    return printed.getvalue().splitlines()


@pytest.mark.parametrize("letter", ["N", "n"])
def test_n_is_the_error_of_the_last_value_and_leaves_nothing_behind(workspace, letter):
    test = generate(np.random.default_rng(np.random.SeedSequence(0).spawn(3)[2]), 200)
    error = np.mean((test[:, -1] - test[:, -2]) ** 2)
    assert printed_by(workspace, letter) == [
        SIZES,
        f"last value: test MSE {error:.6f}",
        "document 003: the 50th value as the guess, MSE close to 0.02",
    ]
    assert sorted(path.name for path in workspace.root.iterdir()) == [
        "claims.yaml",
        "params.yaml",
        "templates.yaml",
    ]


def test_n_of_all_the_waves_is_what_document_003_says():
    sizes, line, _ = printed_by(Workspace(REPOSITORY), "N")
    assert sizes == (
        "7,000 series to train on, 2,000 to test on (`unroll compare` tests on 6,000)"
    )
    value = float(line.rpartition(" ")[2])
    # mean and deviation over 200 other seeds
    assert value == pytest.approx(0.0206, abs=3 * 0.00055)


@pytest.mark.parametrize(("part", "epochs"), [("D", 3), ("R", 4)])
def test_d_and_r_print_a_falling_error_per_epoch(workspace, part, epochs):
    sizes, rate, *lines, published = printed_by(workspace, part, epochs=epochs)
    assert published.startswith("document 003: ")
    assert sizes == SIZES
    assert (
        rate
        == {
            "D": "learning rate 0.1, first weights from seed 0",
            "R": "learning rate 0.01, first weights from seed 0",
        }[part]
    )
    if part == "R":
        assert re.fullmatch(
            r"weight of the input \S+, weight of the step before \S+, bias \S+",
            lines.pop(),
        )
    assert [line.partition(":")[0] for line in lines] == [
        f"epoch {epoch}" for epoch in range(1, epochs + 1)
    ]
    errors = [float(line.rpartition("test MSE ")[2]) for line in lines]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


@pytest.mark.parametrize("rate", [0.0, np.inf, np.nan])
def test_a_rate_that_cannot_be_is_refused(workspace, rate):
    with pytest.raises(UsageError, match="learning_rate must be "):
        printed_by(workspace, "R", epochs=1, rate=rate)
