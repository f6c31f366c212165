from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import UnrollError
from pipeline.files import read_json, read_npz, write_json
from pipeline.training import run_folder
from pipeline.training.job import Job, Replicate, Trained

LAYERS = [{"name": "gru_1", "type": "GRU", "output": [None, 2], "parameters": 30}]


@pytest.fixture
def job(sine_windows):
    return Job("gru", sine_windows, lambda: None, (3, 5))


@pytest.fixture
def folder(job, tmp_path):
    """A run of two seeds with two epochs each."""
    lines = [{"train_loss": 0.1 + 0.2}, {"train_loss": 1e-300}]
    replicates = [
        Replicate(
            seed,
            lines,
            None,
            {"final_test": np.full(7, seed, np.float32)},
            {"final": seed},
        )
        for seed in (3, 5)
    ]
    folder = tmp_path / "gru"
    folder.mkdir()
    save = lambda weights, path: path.write_text(str(weights))  # noqa: E731
    run_folder.save(
        Trained(replicates, 30, save, LAYERS, "mse"), job, folder, {"params": "f"}
    )
    return folder


def test_a_run_is_written_whole_and_read_as_it_was_written(folder):
    lines = "{0},1,0.30000000000000004\n{0},2,1e-300\n"
    assert (
        folder / "history.csv"
    ).read_text() == f"seed,epoch,train_loss\n{lines.format(3)}{lines.format(5)}"
    weights = {path.name: path.read_text() for path in (folder / "weights").iterdir()}
    assert weights == {"seed_3_final": "3", "seed_5_final": "5"}
    assert list(read_npz(folder / "predictions.npz")) == ["seeds", "final_test"]

    run = run_folder.load_for(folder, "sine_windows", [3, 5])
    assert (run.summary.parameters, run.summary.epochs, run.summary.fingerprint) == (
        30,
        2,
        {"params": "f"},
    )
    assert [layer.model_dump() for layer in run.summary.layers] == LAYERS
    assert run.history["train_loss"].tolist() == [0.1 + 0.2, 1e-300] * 2
    assert {name: values.tolist() for name, values in run.predictions.items()} == {
        "final_test": [[3] * 7, [5] * 7]
    }
    assert run.points == ["final"]


def test_a_run_has_what_there_was_of_validation_and_patience(job, tmp_path):
    line = {"train_loss": 1.0, "validation_loss": 2.0, "validation_mse": 2.0}
    scored = replace(job, dataset=replace(job.dataset, scored=("validation",)))
    replicates = [
        Replicate(3, [line] * 4, 2, {}, {}),
        Replicate(5, [line] * 2, 1, {}, {}),
    ]
    run_folder.save(Trained(replicates, 1, None), scored, tmp_path, {})
    run = run_folder.load(tmp_path)
    assert (run.summary.best_epochs, run.points) == ([2, 1], ["final", "best"])
    assert (run.summary.epochs, run.summary.ended, run.summary.last) == (
        4,
        [4, 2],
        [4, 2],
    )
    assert list(run.history.columns) == ["seed", "epoch", *line]


def edited(**values):
    return lambda folder: write_json(
        folder / "run.json", read_json(folder / "run.json") | values
    )


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: (folder / "history.csv").unlink(), r"history\.csv is missing"),
        (edited(seeds=[]), "seeds"),
    ],
)
def test_damage_is_one_line_with_the_command_that_helps(folder, damage, why):
    damage(folder)
    line = rf"^the run of \S+/gru is damaged: [^\n]*{why}[^\n]*; run `unroll train \S+ gru`$"
    with pytest.raises(UnrollError, match=line):
        run_folder.load(folder)


def test_what_is_not_trained_or_of_another_section_says_so(folder, tmp_path):
    line = (
        r"lstm is not trained \(there is no .*run\.json\); run `unroll train \S+ lstm`"
    )
    with pytest.raises(UnrollError, match=line):
        run_folder.load(tmp_path / "lstm")
    for dataset, seeds in (("waves", [3, 5]), ("sine_windows", [3])):
        message = rf"the run of {dataset}/gru is of sine_windows/gru with seeds \[3, 5\], but params\.yaml says seeds"
        with pytest.raises(UnrollError, match=message):
            run_folder.load_for(folder, dataset, seeds)
