import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.config import registry
from pipeline.config.params import Params
from pipeline.errors import UsageError


def build(
    _problem: object,
    *,
    units: Annotated[int, Field(ge=1, le=1024)],
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    hidden: list[int] | None = None,
    activation: Literal["tanh", "relu"] = "tanh",
) -> None:
    """A builder such as those of `pipeline.models`."""


def test_a_functions_keywords_are_a_sections_options_defaults_filled_in():
    options = registry.options(build, {"hidden": [3, 4], "units": 1, "dropout": 0}, "model")
    assert options == {"units": 1, "dropout": 0.0, "hidden": [3, 4], "activation": "tanh"}
    assert isinstance(options["dropout"], float)  # a whole number is a number: `dropout: 0` is fine


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({}, "units is missing"),
        ({"unit": 3}, "unit is not known here. Valid: activation, dropout, hidden, units. Did you mean uni"),
        ({"units": "3"}, "units must be a valid integer. Received: '3'"),
        ({"units": 0}, "units must be greater than or equal to 1. Received: 0"),
        ({"units": 1, "dropout": float("nan")}, "dropout must be a finite number. Received: nan"),
        ({"units": 1, "hidden": [1, "a"]}, "hidden.1 must be a valid integer. Received: 'a'"),
        ({"units": 1, "activation": "rulu"}, "activation must be 'tanh' or 'relu'. Received: 'rulu'"),
    ],
)
def test_a_wrong_option_is_one_line_with_its_place_and_what_is_valid(section, line):
    with pytest.raises(UsageError, match=rf"^params.yaml: x\.model\.{re.escape(line)}.*$"):
        registry.options(build, section, "x.model")


def test_the_modules_of_a_package_are_the_names():
    assert {"baselines", "dense", "recurrent"} <= {*registry.modules(registry.MODELS)}
    with pytest.raises(UsageError, match=r"^params.yaml: x must be .*'recurent'\. Did you mean recurrent\?"):
        registry.module(registry.MODELS, "recurent", "x")
    with pytest.raises(UsageError, match="must be one of"):
        registry.module(registry.METHODS, "..errors", "x")
    params = Params.model_validate({"sources": {"b": {"kind": "sin"}}, "datasets": {}, "experiments": {}})
    with pytest.raises(UsageError, match=r"params\.yaml: sources\.b\.kind must be one of: .*sine"):
        registry.source(params, "b")
