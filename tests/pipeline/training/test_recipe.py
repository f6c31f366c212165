import subprocess
import sys

import pytest

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data.problem import problem
from pipeline.errors import UsageError
from pipeline.models import baselines
from pipeline.training.job import Job
from pipeline.training.methods import least_squares
from pipeline.training.recipe import recipe
from tests.support import REPOSITORY

SECTION = {
    "dataset": "waves",
    "seeds": [0],
    "model": {"family": "baselines", "name": "linear", "last": 3},
    "training": {"method": "least_squares"},
}


RNN = {"family": "recurrent", "name": "gru"}


def experiment(**changes):
    return Experiment.model_validate(SECTION | changes)


def test_names_become_functions_and_options_are_filled_in():
    found = recipe("guess", experiment())
    assert (found.build.function, found.build.options) == (baselines.linear, {"last": 3, "intercept": True})
    assert found.method.function is least_squares.train
    assert found.method.options.keys() == {"ridge"}
    assert not found.network
    assert recipe("guess", experiment(model=RNN, training={"method": "none"})).network


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"family": "baseline", "name": "linear"}}, "model.family must be one of: baselines, dense"),
        ({"model": {"family": "baselines", "name": "liner"}}, "model.name must be one of: bag_of_words, constant"),
        ({"model": {"family": "baselines", "name": "linear", "lst": 1}}, "model.lst is not known here. Valid:"),
        ({"model": {"family": "baselines", "name": "linear", "last": 0}}, "model.last must be greater than or equal"),
        ({"training": {"method": "least_square"}}, "training.method must be one of: boosting, by_hand, gradient_"),
        ({"training": {"method": "least_squares", "epochs": 1}}, "training.epochs is not known here. Valid: ridge"),
        ({"training": {"method": "none"}}, "training.method: none is for models of the kind predictions or network"),
        (
            {"model": {"family": "dense", "name": "mlp"}},
            "training.method: least_squares is for models of the kind features. Received: mlp, of the kind network",
        ),
        ({"training": {"method": "gradient_descent"}}, "training.method: gradient_descent is for models of the kind n"),
    ],
)  # fmt: skip
def test_a_wrong_name_or_option_is_named_with_its_place(changes, said):
    with pytest.raises(UsageError) as caught:
        recipe("guess", experiment(**changes))
    assert str(caught.value).startswith(f"params.yaml: experiments.guess.{said}")


def test_an_option_that_does_not_fit_the_data_set_is_a_mistake_in_params(squares):
    found = recipe("guess", experiment(model=SECTION["model"] | {"last": 4}))
    said = r"^params\.yaml: experiments\.guess: `last` must be at most 3 timesteps\. Received: 4$"
    with pytest.raises(UsageError, match=said):
        found.train(Job("guess", squares, lambda: found.build(problem(squares)), (0,)))


def test_every_experiment_of_the_four_documents_has_a_recipe():
    every = params.load(REPOSITORY / "params.yaml")
    for name, section in every.experiments.items():
        found = recipe(name, section)
        assert section.model.options.items() <= found.build.options.items()
        assert section.training.options.items() <= found.method.options.items()


def test_no_recipe_needs_tensorflow():
    code = """
import sys
from pathlib import Path
from pipeline.config import params
from pipeline.training.recipe import recipe
for name, section in params.load(Path("params.yaml")).experiments.items():
    recipe(name, section)
heavy = {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
