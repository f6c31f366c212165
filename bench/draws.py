"""How far a test set's error moves when document 003's waves are drawn again: `python bench/draws.py [--draws 200]`.

The document draws its own 2,000 test series, so a published error carries the luck of that draw. This scores the
trained models of `runs/waves` (their first seed, by the best epoch) on many draws, and prints mean and standard
deviation.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from pipeline.metrics import mse  # noqa: E402 - found only now, where the project is not installed
from pipeline.data.sources.waves import generate  # noqa: E402
from pipeline.training.methods.by_hand import node, perceptron  # noqa: E402

SERIES = 2000
FORWARD = {"waves_perceptron": perceptron, "waves_hidden10": perceptron, "waves_node": node, "waves_node_slow": node}


def main() -> int:
    """Score every model on every draw and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="of 2,000 series (200)")
    draws = parser.parse_args().draws
    weights = {name: read(REPOSITORY / "runs/waves" / name / "weights/seed_0_best.weights.h5") for name in FORWARD}
    scores: dict[str, list[float]] = {"waves_last_value": [], **{name: [] for name in FORWARD}}
    for seed in range(draws):
        waves = generate(np.random.default_rng(seed), SERIES)
        inputs, targets = waves[:, :-1, None], waves[:, -1]
        scores["waves_last_value"].append(mse(inputs[:, -1, 0], targets))
        for name, forward in FORWARD.items():
            scores[name].append(mse(forward(weights[name], inputs), targets))
    print(f"test MSE over {draws} draws of {SERIES:,} series")
    for name, values in scores.items():
        print(f"{name:18} mean {np.mean(values):.5f}  standard deviation {np.std(values, ddof=1):.5f}")
    return 0


def read(path: Path) -> list[np.ndarray]:
    """The arrays of a `.weights.h5` file, layer by layer, in Keras' order."""
    import h5py

    found: list[np.ndarray] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


if __name__ == "__main__":
    sys.exit(main())
