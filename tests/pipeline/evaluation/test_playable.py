import base64
import dataclasses

import h5py
import numpy as np
import pytest

from pipeline.config import params
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows
from pipeline.errors import UnrollError
from pipeline.evaluation import playable, schema
from pipeline.report import page
from pipeline.report.built_results import load
from pipeline.training import run_folder
from tests.pipeline.evaluation.scored import small

OPTIONS = {"family": "recurrent", "name": "simple_rnn", "embedding": 2, "units": 1}
WEIGHTS = {
    "embedding/vars/0": np.arange(198).reshape(99, 2),
    "simple_rnn/cell/vars/0": np.array([[1], [2]]),
    "simple_rnn/cell/vars/1": np.array([[3]]),
    "simple_rnn/cell/vars/2": np.array([4]),
    "dense/vars/0": np.array([[5]]),
    "dense/vars/1": np.array([6]),
}


@pytest.fixture
def of_imdb(evaluated, tmp_path):
    """A function of the model's options: the network of imdb/rnn, whose second seed has
    other weights."""
    data = datasets.load(evaluated.prepared("imdb"))
    data = dataclasses.replace(
        data, words=np.array(["", *map(str, range(1, 98)), playable.RARE])
    )
    every = params.load(evaluated.params)
    (tmp_path / "imdb" / "rnn" / "weights").mkdir(parents=True)
    for seed in (0, 1):
        with h5py.File(
            tmp_path / "imdb" / "rnn" / "weights" / f"seed_{seed}_best.weights.h5", "w"
        ) as file:
            for name, array in WEIGHTS.items():
                file[f"layers/{name}"] = np.float32(array + 1000 * seed)

    def build(*, file="network.json", gradients=False, nodes=(), **options):
        experiments = every.experiments_of("imdb")
        model = params.Model.model_validate(OPTIONS | options)
        experiments["rnn"] = experiments["rnn"].model_copy(update={"model": model})
        runs = {key: run_folder.load(evaluated.run("imdb", key)) for key in experiments}
        evaluation = schema.load(evaluated.evaluation("imdb"))
        for key in nodes:
            runs[key] = runs["rnn"]
            entry = evaluation.experiments["rnn"].model_copy(update={"parameters": 3})
            evaluation.experiments[key] = entry
        if gradients:
            runs["rnn"].predictions["gradients"] = np.ones((2, 5))
        return (
            playable.networks(
                data, "imdb", runs, experiments, evaluation, tmp_path / "imdb"
            ).get(file),
            data,
            runs,
        )

    return build


def numbers(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_it_holds_the_weights_by_layer_the_vectors_of_its_words_and_what_keras_said(
    of_imdb,
):
    network, data, runs = of_imdb()
    rows = [data.words.tolist().index(word) for word in network.words]
    assert playable.RARE in network.words
    assert network.shapes == [[len(rows), 2], [2, 1], [1, 1], [1], [1, 1], [1]]
    assert network.nodes == [], "no network has three weights"
    for seed, text in enumerate(network.weights):
        expected = (
            np.concatenate([WEIGHTS["embedding/vars/0"][rows].ravel(), np.arange(1, 7)])
            + 1000 * seed
        )
        np.testing.assert_array_equal(numbers(text), expected)
    for k, index in enumerate((25, 50, 74)):
        assert [rows[int(row)] for row in numbers(network.inputs[k])] == data.splits[
            "test"
        ].inputs[index].tolist()
        predicted = runs["rnn"].predictions["best_test"][:, index]
        assert np.ravel(network.predicted[k]) == pytest.approx(predicted, rel=1e-8)
        assert network.truth[k] == [data.splits["test"].targets[index]]


def test_one_that_the_script_does_not_know_is_not_played(of_imdb):
    others = {
        "name": "min_gru",
        "layers": 3,
        "direction": "backward",
        "activation": "relu",
        "head": False,
    }
    assert [of_imdb(**{option: value})[0] for option, value in others.items()] == [
        None
    ] * 5


@pytest.mark.parametrize(
    ("hours", "step", "titles"),
    [
        (1, 2, ["up to 2020-01-03 12:00", "up to 2020-01-05 06:00"]),
        (24, 1, ["up to 2020-03-02", "up to 2020-04-13"]),
    ],
)
def test_examples_of_a_series_are_called_by_the_end_of_their_inputs(
    hours, step, titles
):
    windows = Windows(np.zeros((200, 1)), np.arange(20, 190), 20, step, 0, 0)
    stamps = np.datetime64("2020-01-01", "s") + 3600 * hours * np.arange(200)
    splits = {"train": windows, "test": windows}
    data = Dataset("x", "forecast", "mae", splits, period=24 // hours, stamps=stamps)
    assert playable._examples(data)[1][:2] == titles


@pytest.mark.parametrize(
    ("lengths", "chosen"),
    [([41, 40, 39, 42, 38, 45, 1, 40], [2, 4, 6]), ([90, 41, 41, 50, 41], [1, 2, 4])],
)
def test_examples_of_texts_are_short_ones_or_the_shortest(lengths, chosen):
    """An input is filled up with 0."""
    words = np.arange(90) < np.array(lengths)[:, None]
    texts = Arrays(words.astype(np.int16), np.zeros(len(lengths), np.float32))
    known = np.array(["", "a"])
    data = Dataset("x", "classify", "accuracy", {"test": texts}, words=known)
    found, titles = playable._examples(data)
    assert found.tolist() == chosen
    assert titles == [f"test example {index}" for index in chosen]


def test_points_have_no_past_to_be_shown_and_windows_have():
    assert playable._has_past(small(targets=np.ones((4, 2))), "examples")
    assert not playable._has_past(small(), "points")


def test_damaged_weights_are_one_line(of_imdb, tmp_path):
    (tmp_path / "imdb" / "rnn" / "weights" / "seed_1_best.weights.h5").write_bytes(
        b"no"
    )
    with pytest.raises(
        UnrollError,
        match=r"seed_1_best.weights.h5 is damaged .*; run `unroll train imdb rnn`",
    ):
        of_imdb()


def test_a_page_has_one_of_each_preparation_with_its_first_seeds(
    evaluated, of_imdb, tmp_path, monkeypatch
):
    network = of_imdb()[0]
    (imdb,) = (
        each
        for each in load(evaluated, params.load(evaluated.params)).built
        if each.name == "imdb"
    )
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "network.json").write_text(
        network.model_dump_json(), encoding="utf-8"
    )
    built = [
        dataclasses.replace(imdb, name=name, folder=tmp_path) for name in ("a", "b")
    ]
    assert page.playable(built) == {"a": [network]}
    monkeypatch.setattr(page, "SEEDS", 1)
    assert page.playable(built)["a"][0].weights == network.weights[:1]
    # With several networks, a second data set of a preparation has them, too.
    (tmp_path / "tables" / "network_rnn.json").write_text(
        network.model_dump_json(), encoding="utf-8"
    )
    assert {name: len(own) for name, own in page.playable(built).items()} == {
        "a": 2,
        "b": 2,
    }


def test_networks_that_keep_their_gradients_are_all_played(of_imdb):
    assert of_imdb(gradients=True)[0] is None
    network = of_imdb(gradients=True, file="network_rnn.json")[0]
    assert network == of_imdb()[0]


def test_the_nodes_are_those_of_the_first_experiment_with_three_weights(of_imdb):
    network = of_imdb(nodes=["rnn", "node_slow"])[0]
    assert len(network.nodes) == len(network.seeds) == 2, "one for each seed"
