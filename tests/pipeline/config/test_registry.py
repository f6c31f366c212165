import re
import subprocess
import sys
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
    sequences: bool = False,
) -> None:
    """A builder such as those of `pipeline.models`."""


DEFAULTS = {"dropout": 0.0, "hidden": None, "activation": "tanh", "sequences": False}


def test_a_functions_keywords_are_a_sections_options_defaults_filled_in():
    section = {"units": 3}
    assert registry.options(build, section, "model") == {"units": 3, **DEFAULTS}
    assert section == {"units": 3}
    options = registry.options(build, {"hidden": [3, 4], "units": 1, "dropout": 0}, "model")
    assert options["hidden"] == [3, 4]
    assert isinstance(options["dropout"], float)  # a whole number is a number: `dropout: 0` is fine


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "units is missing"),
        ({"unit": 3}, "unit is not known here. Valid: activation, dropout, hidden, sequences, units. Did you mean uni"),
        ({"units": "3"}, "units must be a valid integer. Received: '3'"),
        ({"units": 0}, "units must be greater than or equal to 1. Received: 0"),
        ({"units": 1, "dropout": float("nan")}, "dropout must be a finite number. Received: nan"),
        ({"units": 1, "hidden": [1, "a"]}, "hidden.1 must be a valid integer. Received: 'a'"),
        ({"units": 1, "activation": "rulu"}, "activation must be 'tanh' or 'relu'. Received: 'rulu'"),
    ],
)
def test_a_wrong_option_is_one_line_with_its_place_and_what_is_valid(section, said):
    with pytest.raises(UsageError, match=rf"^params.yaml: x\.model\.{re.escape(said)}.*$"):
        registry.options(build, section, "x.model")


def test_the_modules_of_a_package_are_the_names():
    assert {"baselines", "dense", "recurrent"} <= {*registry.modules(registry.MODELS)}
    with pytest.raises(UsageError, match=r"^params.yaml: x must be .*'recurent'\. Did you mean recurrent\?"):
        registry.module(registry.MODELS, "recurent", "x")
    with pytest.raises(UsageError, match="must be one of"):
        registry.module(registry.METHODS, "..errors", "x")


def test_a_wrong_kind_of_source_is_named_with_its_place():
    params = Params.model_validate({"sources": {"b": {"kind": "sin"}}, "datasets": {}, "experiments": {}})
    with pytest.raises(UsageError, match=r"params\.yaml: sources\.b\.kind must be one of: .*sine"):
        registry.source(params, "b")


def test_only_the_module_that_is_asked_for_is_imported():
    code = """
import sys
from pipeline.config import registry
names = {registry.MODELS: "baselines", registry.METHODS: "none", registry.SOURCES: "waves",
         registry.PREPARATIONS: "waves"}
for package, name in names.items():
    registry.module(package, name, "x")
loaded = {m for m in sys.modules if m.rpartition(".")[0] in names}
assert loaded == {f"{package}.{name}" for package, name in names.items()}, loaded
heavy = {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "scipy", "requests"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)
