from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.config import registry
from pipeline.errors import UsageError


def build(
    _problem: object,
    *,
    units: Annotated[int, Field(ge=1, le=1024)],
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    hidden: list[int] | None = None,
    activation: Literal["tanh", "relu"] = "tanh",
    sequences: bool = False,
) -> None:
    """A builder such as those of `pipeline.models`."""


DEFAULTS = {"dropout": 0.0, "hidden": None, "activation": "tanh", "sequences": False}


def test_a_functions_keywords_are_a_sections_options_defaults_filled_in():
    section = {"units": 3}
    assert registry.options(build, section, "model") == {"units": 3, **DEFAULTS}
    assert section == {"units": 3}
    found = registry.options(build, {"hidden": [3, 4], "units": 1, "dropout": 0}, "model")
    assert found["hidden"] == [3, 4]
    assert isinstance(found["dropout"], float)  # a whole number is a number: `dropout: 0` is fine


def test_the_modules_of_a_package_are_the_names():
    assert {"baselines", "dense", "recurrent"} <= {*registry.modules(registry.MODELS)}
    with pytest.raises(UsageError, match=r"^params.yaml: x must be .*'recurent'\. Did you mean recurrent\?"):
        registry.module(registry.MODELS, "recurent", "x")
    with pytest.raises(UsageError, match="must be one of"):
        registry.module(registry.METHODS, "..errors", "x")
