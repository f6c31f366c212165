import inspect
import subprocess
import sys
from typing import Annotated, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pipeline.config import registry
from pipeline import validation
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


def test_defaults_are_filled_in():
    assert registry.options(build, {"units": 3}, "model") == {"units": 3, **DEFAULTS}


def test_values_keep_their_type():
    hidden = [3, 4]
    found = registry.options(build, {"hidden": hidden, "units": 1, "dropout": 0}, "model")
    assert found["hidden"] == [3, 4]
    assert isinstance(found["hidden"], list)
    assert isinstance(found["dropout"], float)  # a whole number is a number: `dropout: 0` is fine
    assert hidden == [3, 4]


def test_the_section_itself_is_left_as_it_is():
    section = {"units": 3}
    registry.options(build, section, "model")
    assert section == {"units": 3}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "x.model.units is missing"),
        ({"unit": 3}, "x.model.unit is not known here. Valid: activation, dropout, hidden, sequences, units. Did"),
        ({"units": 3, "at": 1}, "x.model.at is not known here. Valid: activation, dropout, hidden, sequences, units."),
        ({"units": "3"}, "x.model.units must be a valid integer. Received: '3'"),
        ({"units": 3.0}, "x.model.units must be a valid integer. Received: 3.0"),
        ({"units": True}, "x.model.units must be a valid integer. Received: True"),
        ({"units": 0}, "x.model.units must be greater than or equal to 1. Received: 0"),
        ({"units": 1025}, "x.model.units must be less than or equal to 1024. Received: 1025"),
        ({"units": 1, "dropout": 1.0}, "x.model.dropout must be less than 1. Received: 1.0"),
        ({"units": 1, "dropout": float("nan")}, "x.model.dropout must be a finite number. Received: nan"),
        ({"units": 1, "hidden": [1, "a"]}, "x.model.hidden.1 must be a valid integer. Received: 'a'"),
        ({"units": 1, "hidden": {"a": 1}}, "x.model.hidden must be a valid list. Received: {'a': 1}"),
        ({"units": 1, "activation": "rulu"}, "x.model.activation must be 'tanh' or 'relu'. Received: 'rulu'"),
        ({"units": 1, "sequences": "yes"}, "x.model.sequences must be a valid boolean. Received: 'yes'"),
        ({"units": ["x" * 1000] * 1000}, "x.model.units must be a valid integer. Received: ['xxxx"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line_with_its_place_and_what_is_valid(section, said):
    with pytest.raises(UsageError) as caught:
        registry.options(build, section, "x.model")
    line = str(caught.value)
    assert line.startswith(f"params.yaml: {said}")
    assert "\n" not in line
    assert len(line) < 400


class File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    size: int
    url: str | None = None


def fetch(*, files: dict[str, File], share: float | list[int] = 1.0) -> None:
    """A source whose options are nested."""


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"files": {"a": {"size": 1, "ul": 2}}}, "x.files.a.ul is not known here. Valid: size, url. Did you mean url?"),
        ({"files": {"a.npz": {}}}, "x.files.a.npz.size is missing"),
        ({"files": {"a.npz": 1}}, "x.files.a.npz must be a mapping. Received: 1"),
        ({"files": {}, "share": "half"}, "x.share must be a valid number or must be a valid list. Received: 'half'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_nested_option_names_its_own_place(section, said):
    with pytest.raises(UsageError) as caught:
        registry.options(fetch, section, "x")
    assert str(caught.value) == f"params.yaml: {said}"


def test_a_function_without_keywords_takes_none():
    assert registry.options(lambda _job: None, {}, "x.training") == {}
    with pytest.raises(UsageError, match=r"params\.yaml: x\.training\.epochs is not known here\. Valid: \."):
        registry.options(lambda _job: None, {"epochs": 1}, "x.training")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(list(inspect.signature(build).parameters)) | st.text(max_size=3), values))
def test_whatever_the_section_it_is_every_keyword_or_one_line(section):
    try:
        assert list(registry.options(build, section, "x")) == ["units", *DEFAULTS]
    except UsageError as error:
        lines = str(error).splitlines()
        assert len(lines) == 1, lines


def test_one_of():
    assert validation.one_of("b", iter("abc"), "the letter") == "b"
    with pytest.raises(UsageError, match=r"^the letter must be one of: a, b\. Received: 'zz'\.$"):
        validation.one_of("zz", "ba", "the letter")
    with pytest.raises(UsageError, match=r"one of: gru, lstm\. Received: 'grru'\. Did you mean gru\?"):
        validation.one_of("grru", ["lstm", "gru"], "the model")
    with pytest.raises(UsageError, match=r"must be one of: \(none\)\."):
        validation.one_of("a", [], "the letter")


def test_the_text_stays_one_short_line_whatever_the_name():
    with pytest.raises(UsageError) as caught:
        validation.one_of("a\nb" * 1000, ["c"], "the letter")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 100


def test_modules_are_names():
    assert registry.modules("training") == ["by_hand", "compiled", "least_squares", "logistic_regression", "none"]
    with pytest.raises(
        UsageError, match=r"params\.yaml: x must be one of: baselines, .*Received: 'recurent'\. Did you mean recurrent"
    ):
        registry.module("models", "recurent", "params.yaml: x")


@pytest.mark.parametrize("name", ["..errors", "os", "none.py", "", "__init__"])
def test_nothing_outside_a_registry_can_be_named(name):
    with pytest.raises(UsageError, match="must be one of"):
        registry.module("training", name, "x")


def test_only_the_module_that_is_asked_for_is_imported():
    code = """
import sys
from pipeline import registry
registry.module("models", "baselines", "x"), registry.module("training", "none", "x")
registry.module("sources", "waves", "x"), registry.module("datasets", "waves", "x")
names = ["models", "training", "sources", "datasets"]
found = sorted(m for m in sys.modules if any(m.startswith(f"pipeline.{name}.") for name in names))
assert found == ["pipeline.data.preparations.waves", "pipeline.models.baselines", "pipeline.data.sources.waves",
                 "pipeline.training.methods.none"], found
heavy = {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "scipy", "requests"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)
