"""Modules of one's own beside params.yaml, in unroll_extensions/."""

import pytest

from pipeline.config import extensions, params, registry
from pipeline.config.registry import MODELS
from pipeline.errors import UsageError
from pipeline.files import write_text
from pipeline.provenance.fingerprint import CODE, Code
from pipeline.training.recipe import recipe

MODEL = """
from pipeline.models.baselines import Baseline

def first(problem, *, times: int = 2):
    return Baseline(lambda inputs: times * inputs[:, 0, problem.target])

MODELS, KINDS = {"first": first}, {"first": "predictions"}
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
    extensions.use(CODE)


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
    assert registry.module(MODELS, "mine", "x").MODELS.keys() == {"first"}
    extensions.use(tmp_path_factory.mktemp("other"))
    with pytest.raises(
        UsageError, match=r"^params\.yaml: x must be one of: attention, baselines"
    ):
        registry.module(MODELS, "mine", "x")


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
        (
            "models/recurrent.py",
            MODEL,
            r"models/recurrent\.py: Unroll has this name, too; give yours another one",
        ),
    ],
)
def test_what_is_wrong_with_it_is_one_line(load, file, text, message):
    with pytest.raises(UsageError, match=f"^unroll_extensions/{message}"):
        load(model=text, file=file)
