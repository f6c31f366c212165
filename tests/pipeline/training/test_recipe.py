import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.models import baselines
from pipeline.config.params import Experiment
from pipeline.training.recipe import recipe
from pipeline.training.methods import least_squares

SECTION = {
    "dataset": "waves",
    "seeds": [0],
    "model": {"family": "baselines", "name": "linear", "last": 3},
    "training": {"method": "least_squares"},
}


def experiment(**changes):
    return Experiment.model_validate(SECTION | changes)


def test_names_become_functions_and_options_are_filled_in():
    found = recipe("guess", experiment())
    assert found.build is baselines.linear
    assert found.model == {"last": 3, "intercept": True}
    assert found.train is least_squares.train
    assert found.training.keys() >= {"ridge"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"family": "baseline", "name": "linear"}}, "model.family must be one of: baselines, dense"),
        ({"model": {"family": "baselines", "name": "liner"}}, "model.name must be one of: bag_of_words, constant"),
        ({"model": {"family": "baselines", "name": "linear", "lst": 1}}, "model.lst is not known here. Valid:"),
        ({"model": {"family": "baselines", "name": "linear", "last": 0}}, "model.last must be greater than or equal"),
        ({"training": {"method": "least_square"}}, "training.method must be one of: by_hand, compiled, least_squares"),
        ({"training": {"method": "least_squares", "epochs": 1}}, "training.epochs is not known here. Valid: ridge"),
        ({"training": {"method": "none"}}, "training.method: none is for models of the kind predictions or network"),
        (
            {"model": {"family": "dense", "name": "mlp"}},
            "training.method: least_squares is for models of the kind features. Received: mlp, of the kind network",
        ),
        ({"training": {"method": "compiled"}}, "training.method: compiled is for models of the kind network. Rec"),
    ],
)  # fmt: skip
def test_a_wrong_name_or_option_is_named_with_its_place(changes, said):
    with pytest.raises(UsageError) as caught:
        recipe("guess", experiment(**changes))
    assert str(caught.value).startswith(f"params.yaml: experiments.guess.{said}")


def test_every_experiment_of_the_four_documents_has_a_recipe():
    every = params.load(Path(__file__).parents[2] / "params.yaml")
    for name, section in every.experiments.items():
        found = recipe(name, section)
        assert section.model.options.items() <= found.model.items()
        assert section.training.options.items() <= found.training.items()


def test_no_recipe_needs_tensorflow():
    code = """
import sys
from pathlib import Path
from pipeline import params
from pipeline.training.recipe import recipe
for name, section in params.load(Path("params.yaml")).experiments.items():
    recipe(name, section)
heavy = {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
