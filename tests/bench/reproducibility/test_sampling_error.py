import numpy as np

from bench.reproducibility import sampling_error
from pipeline.training import keras_models
from pipeline.workspace import Workspace


def test_every_model_is_scored_on_every_draw(tmp_path, monkeypatch, capsys):
    """A perceptron and a node whose weights are all 0 predict 0: their error is the mean square of the targets."""
    import keras

    monkeypatch.setattr(sampling_error, "SERIES", 50)
    workspace = Workspace(tmp_path)
    for name in sampling_error.FORWARD:
        layer = keras.layers.SimpleRNN(1) if "node" in name else keras.layers.Dense(1, "tanh")
        model = keras.Sequential([keras.Input((50, 1) if "node" in name else (50,)), layer])
        zeros = [np.zeros_like(number) for number in keras_models.values(model)]
        keras_models.save_weights(model, zeros, workspace.run("waves", name) / "weights" / "seed_0_best")
    scores = sampling_error.measure(workspace, 3)
    draws = [sampling_error.generate(np.random.default_rng(seed), 50) for seed in range(3)]
    np.testing.assert_allclose(scores["waves_node"], [np.mean(waves[:, -1] ** 2) for waves in draws])
    assert scores["waves_perceptron"] == scores["waves_node_slow"]
    assert scores["waves_last_value"] == [np.mean((waves[:, -2] - waves[:, -1]) ** 2) for waves in draws]
    sampling_error.show(scores)
    assert "over 3 draws of 50 series" in capsys.readouterr().out
