"""network*.json: trained recurrent networks, small enough to run in the page, and test
examples to run them on.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.config.model_card import card
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows, of_every_column
from pipeline.errors import UnrollError
from pipeline.evaluation import verdicts
from pipeline.evaluation.schema import Evaluation
from pipeline.evaluation.scores import rows_of_week
from pipeline.training.keras_models import SUFFIX
from pipeline.training.run_folder import Run
from pipeline.validation import Strict

PLAIN = {"units", "layers", "widths", "dropout", "recurrent_dropout", "embedding"}
"""The options of a model that the page's script can compute: Keras' layers and a head.
"""

LAYERS = 2
"""Most recurrent layers of a playable network."""

EXAMPLES = 3
"""Number of test examples in network.json."""

WORDS = 40
"""Most words of a text among the examples: each word's vector is kept as well."""

RARE = "…"
"""The sign that is shown for a rare word."""

SEEDS = 5
"""Most seeds whose weights are kept."""

BYTES = 120_000
"""Most bytes of weights and inputs in base64, of all networks of a data set together. The
first seed is kept at any size."""

ORDER = {"embedding": 0, "dense": 2}
"""Kind of layer -> its rank among the arrays; recurrent layers have rank 1."""


class PlayableNetwork(Strict):
    """The contents of a network*.json.

    Attributes:
        cell: the kind of the recurrent layers: simple_rnn, lstm or gru.
        each_step: whether the network has an output at each timestep, not only at the
            last one.
        classify: whether the output goes through a sigmoid.
        column: the index of the input column that is predicted.
        words: the word of each row of the embedding; empty if inputs are values.
        shapes: the shapes of the weight arrays: the embedding if there is one; kernel,
            recurrent kernel and bias of each layer; kernel and bias of the head.
        weights: for each seed, all arrays as float32 (little-endian) in base64.
        examples: the titles of the test examples: when the input ends, or a number.
        inputs: for each example, float32 (timesteps, features) in base64; for a text,
            the row of the embedding at each timestep.
        truth: for each example, its targets.
        predicted: for each example and seed, the predictions of the Keras model.
        nodes: for each seed, the three weights of document 003's node; empty if the
            data set has no such experiment.
    """

    experiment: str
    preparation: str
    cell: str
    each_step: bool
    classify: bool
    column: int
    words: list[str]
    shapes: list[list[int]]
    seeds: list[int]
    weights: list[str]
    examples: list[str]
    inputs: list[str]
    truth: list[list[float]]
    predicted: list[list[list[float]]]
    nodes: list[list[float]]


def networks(
    dataset: Dataset,
    preparation: str,
    runs: Mapping[str, Run],
    experiments: Mapping[str, Experiment],
    evaluation: Evaluation,
    folder: Path,
) -> dict[str, PlayableNetwork]:
    """Return the best of a data set's plain, untuned recurrent networks as
    "network.json".

    Where networks keep their gradients by timestep, return these side by side, so that
    a reader sees what each forgets: LSTM lstm as "network_lstm.json". The result is
    empty if the page's script can compute none of the networks.

    Args:
        dataset: the data set.
        preparation: the name of its preparation.
        runs: experiment -> its run.
        experiments: the experiments of params.yaml.
        evaluation: the scores of the runs.
        folder: the folder of the runs.

    Raises:
        UnrollError: a file of weights is damaged.
    """
    if not _has_past(dataset, evaluation.dataset.layout):
        return {}
    plain = [key for key in evaluation.experiments if _is_plain(experiments.get(key))]
    files = {
        f"network_{key}.json": key
        for key in plain
        if "gradients" in runs[key].predictions
    }
    best = verdicts.strongest(evaluation, plain)
    if best and not files:
        files["network.json"] = best
    # Document 003's node has three weights. Those with other rates are left out.
    of_three = [
        runs[key]
        for key, entry in evaluation.experiments.items()
        if entry.recurrent and entry.parameters == 3
    ]
    nodes = [
        _short(_flat(arrays))
        for run in of_three[:1]
        for arrays in _weights(folder, run)
    ]
    found = {}
    for file, name in files.items():
        weights = _weights(folder, runs[name])
        if weights:
            cell = experiments[name].model.name
            found[file] = _network(
                dataset,
                preparation,
                runs[name],
                cell,
                weights,
                nodes,
                BYTES // len(files),
            )
    return found


def _network(
    dataset: Dataset,
    preparation: str,
    run: Run,
    cell: str,
    weights: list[list[Array]],
    nodes: list[list[float]],
    limit: int,
) -> PlayableNetwork:
    """Return a run's network, with the weights of as many seeds as lie in a limit of
    bytes.
    """
    test = dataset.splits["test"]
    chosen, labels = _examples(dataset)
    inputs, targets = test.take(chosen)
    words: list[str] = []
    if dataset.words is not None:
        rows = np.unique(np.append(inputs, np.flatnonzero(dataset.words == RARE)))
        words = dataset.words[rows].tolist()
        inputs = np.searchsorted(rows, inputs)
        weights = [[embedding[rows], *others] for embedding, *others in weights]
    packed_inputs = [_base64(values) for values in inputs]
    packed = [_base64(_flat(arrays)) for arrays in weights]
    room = limit - sum(map(len, packed_inputs))
    packed = packed[: max(1, room // len(packed[0]))]
    # (seeds, examples, ...)
    predictions = run.predictions[f"{run.points[-1]}_test"][: len(packed), chosen]
    return PlayableNetwork(
        experiment=run.summary.experiment,
        preparation=preparation,
        cell=cell,
        each_step=dataset.each_step,
        classify=dataset.kind == "classify",
        column=getattr(test, "target", 0),
        words=words,
        shapes=[list(array.shape) for array in weights[0]],
        seeds=run.summary.seeds[: len(packed)],
        weights=packed,
        examples=labels,
        inputs=packed_inputs,
        truth=[_short(values) for values in targets],
        predicted=[
            [_short(values) for values in of_seeds]
            for of_seeds in predictions.swapaxes(0, 1)
        ],
        nodes=nodes,
    )


def _has_past(dataset: Dataset, layout: str) -> bool:
    """Return whether an input is timesteps that the page can show."""
    test = dataset.splits["test"]
    if layout == "points" or of_every_column(test):
        return False
    if dataset.vocabulary:
        return dataset.words is not None
    return len(dataset.input_shape) > 1 or test.targets.ndim == 1


def _is_plain(experiment: Experiment | None) -> bool:
    """Return whether the page's script computes what the experiment's network does."""
    if experiment is None or not card(experiment.model).playable:
        return False
    changed = (
        "trials",
        "calendar",
        "features",
        "standardise",
        "in_unit",
        "rows",
        "residual",
    )
    options = experiment.model.options
    layers = max(options.get("layers", 1), len(options.get("widths", ())))
    if any(getattr(experiment, name) for name in changed) or layers > LAYERS:
        return False
    return set(options) <= PLAIN


def _weights(folder: Path, run: Run) -> list[list[Array]]:
    """Read the arrays of each seed's Keras model, in the order of its layers.

    Seeds without a file of weights are left out.
    """
    weights = folder / run.summary.experiment / "weights"
    paths = [
        weights / f"seed_{seed}_{run.points[-1]}{SUFFIX}"
        for seed in run.summary.seeds[:SEEDS]
    ]
    return [_arrays(path) for path in paths if path.exists()]


def _arrays(path: Path) -> list[Array]:
    import h5py

    # Keras names a layer by its kind and numbers layers of the same kind.
    found = list[str]()
    try:
        with h5py.File(path) as file:
            file["layers"].visit(found.append)
            arrays = [name for name in found if "/vars/" in name and name[-1].isdigit()]
            names = [name for name in arrays if "seed_generator" not in name]
            names.sort(key=lambda name: (ORDER.get(name.split("/")[0], 1), name))
            return [file["layers"][name][()] for name in names]
    except (OSError, KeyError) as error:
        run = path.parents[1]
        again = f"run `unroll train {run.parent.name} {run.name}`"
        raise UnrollError(f"{path} is damaged ({error!s:.100}); {again}") from None


def _examples(dataset: Dataset) -> tuple[Array, list[str]]:
    """Return evenly spaced test examples (m,) and their titles; of texts, short ones."""
    test = dataset.splits["test"]
    lengths = np.zeros(len(test))
    if dataset.words is not None and not isinstance(test, Windows):
        lengths = (test.inputs != 0).sum(axis=1)
    among = np.flatnonzero(lengths <= max(WORDS, lengths.min()))
    places = np.linspace(0, len(among) - 1, EXAMPLES + 2).round().astype(int)
    chosen = among[places[1:-1]]
    if isinstance(test, Windows) and dataset.stamps is not None:
        unit = "D" if (rows_of_week(dataset) or 0) <= 7 else "m"
        ends = dataset.stamps[test.rows[chosen] - test.step].astype(
            f"datetime64[{unit}]"
        )
        return chosen, [f"up to {end}".replace("T", " ") for end in ends]
    return chosen, [f"test example {index:,}" for index in chosen]


def _flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([*map(np.ravel, arrays)])


def _base64(array: Array) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def _short(values: Array) -> list[float]:
    return [float(f"{value:.9g}") for value in np.ravel(values)]
