"""Names in params.yaml and what they stand for, modules of one's own among them."""

import re
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.config import named_modules, params
from pipeline.config.named_modules import MODELS
from pipeline.config.params import Params
from pipeline.errors import UsageError
from pipeline.files import write_text
from pipeline.provenance.fingerprint import CODE, Code
from pipeline.training.recipe import recipe

MODEL = """
from pipeline.config.model_card import ModelCard
from pipeline.models.baselines import Baseline

def first(problem, *, times: int = 2):
    return Baseline(lambda inputs: times * inputs[:, 0, problem.target])

MODELS = {"first": first}

CARDS = {"first": ModelCard(kind="naive", gives="predictions", title="TITLE")}
"""
PARAMS = """
sources: {waves: {kind: waves}}
datasets: {waves: {source: waves, preparation: {name: waves}}}
experiments:
  waves: {first: {model: {family: mine, name: first, times: TIMES}, training: {method: none}}}
"""


@pytest.fixture
def load(tmp_path):
    """Loads a project with a model of its own, whose text and option are given;
    afterwards nobody finds it."""

    def call(times="3", model=MODEL, file="models/mine.py"):
        write_text(tmp_path / "params.yaml", PARAMS.replace("TIMES", times))
        write_text(tmp_path / "unroll_extensions" / file, model)
        return recipe(
            "first", params.load(tmp_path / "params.yaml").experiment("waves/first")
        )

    yield call
    named_modules.use(CODE)


def test_a_model_is_found_checked_and_part_of_the_fingerprint_like_ours(load):
    assert load().build.keywords == {"times": 3}
    before = Code(CODE).made_of({}, ["pipeline.models.mine"])["modules"]
    assert {"pipeline.models.mine", "pipeline.models.baselines"} <= before.keys()
    load(model=f"{MODEL}\nEDITED = True\n")
    after = Code(CODE).made_of({}, ["pipeline.models.mine"])["modules"]
    assert [name for name in before if before[name] != after[name]] == [
        "pipeline.models.mine"
    ]
    with pytest.raises(
        UsageError,
        match=r"^params\.yaml: experiments\.waves\.first\.model\.times must be a valid int",
    ):
        load("often")


def test_another_project_does_not_find_it(load, tmp_path_factory):
    load()
    assert named_modules.module(MODELS, "mine", "x").MODELS.keys() == {"first"}
    named_modules.use(tmp_path_factory.mktemp("other"))
    with pytest.raises(
        UsageError, match=r"^params\.yaml: x must be one of: baselines, dense"
    ):
        named_modules.module(MODELS, "mine", "x")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "models/mine.py",
            "x = (",
            r"models/mine\.py cannot be imported: SyntaxError: '\(' was never closed",
        ),
        (
            "models/mine.py",
            "import nowhere",
            r"models/mine\.py cannot be imported: ModuleNotFoundError: No module",
        ),
        (
            "models/mine.py",
            "",
            r"models/mine\.py must define `MODELS`, as Unroll's own modules of this kind do",
        ),
    ],
)
def test_what_is_wrong_with_it_is_one_line(load, file, text, message):
    with pytest.raises(UsageError, match=f"^unroll_extensions/{message}"):
        load(model=text, file=file)


def test_it_must_not_have_a_name_of_ours(load, tmp_path):
    load()
    write_text(tmp_path / "unroll_extensions/models/recurrent.py", MODEL)
    message = r"models/recurrent\.py: Unroll has this name, too; give yours another one"
    with pytest.raises(UsageError, match=f"^unroll_extensions/{message}"):
        named_modules.module(MODELS, "recurrent", "x")


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
    options = named_modules.options(
        build, {"hidden": [3, 4], "units": 1, "dropout": 0}, "model"
    )
    assert options == {
        "units": 1,
        "dropout": 0.0,
        "hidden": [3, 4],
        "activation": "tanh",
    }
    # a whole number is a number: `dropout: 0` is fine
    assert isinstance(options["dropout"], float)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({}, "units is missing"),
        (
            {"unit": 3},
            "unit is not known here. Valid: activation, dropout, hidden, units. Did you mean uni",
        ),
        ({"units": "3"}, "units must be a valid integer. Received: '3'"),
        (
            {"units": 1, "dropout": float("nan")},
            "dropout must be a finite number. Received: nan",
        ),
        (
            {"units": 1, "hidden": [1, "a"]},
            "hidden.1 must be a valid integer. Received: 'a'",
        ),
        (
            {"units": 1, "activation": "rulu"},
            "activation must be 'tanh' or 'relu'. Received: 'rulu'",
        ),
    ],
)
def test_a_wrong_option_is_one_line_with_its_place_and_what_is_valid(section, line):
    with pytest.raises(
        UsageError, match=rf"^params.yaml: x\.model\.{re.escape(line)}.*$"
    ):
        named_modules.options(build, section, "x.model")


def test_the_modules_of_a_package_are_the_names():
    assert {"baselines", "dense", "recurrent"} <= {
        *named_modules.modules(named_modules.MODELS)
    }
    with pytest.raises(
        UsageError,
        match=r"^params.yaml: x must be .*'recurent'\. Did you mean recurrent\?",
    ):
        named_modules.module(named_modules.MODELS, "recurent", "x")
    with pytest.raises(UsageError, match="must be one of"):
        named_modules.module(named_modules.METHODS, "..errors", "x")
    config = Params.model_validate(
        {"sources": {"b": {"kind": "sin"}}, "datasets": {}, "experiments": {}}
    )
    with pytest.raises(
        UsageError, match=r"params\.yaml: sources\.b\.kind must be one of: .*sine"
    ):
        config.producer("b")


@pytest.mark.parametrize("package", named_modules.REQUIRED)
def test_each_name_that_is_listed_as_valid_is_one(package):
    """A module beside them that is none would be offered, and end in a traceback."""
    for name in named_modules.modules(package):
        module = named_modules.module(package, name, "here")
        assert all(hasattr(module, word) for word in named_modules.REQUIRED[package]), (
            name
        )
