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
  waves_first: {dataset: waves, model: {family: mine, name: first, times: TIMES}, training: {method: none}}
"""


@pytest.fixture
def project(tmp_path):
    """A project with a model of its own; afterwards nobody finds it."""
    write_text(tmp_path / "params.yaml", PARAMS.replace("TIMES", "3"))
    write_text(tmp_path / "unroll_extensions/models/mine.py", MODEL)
    yield tmp_path
    extensions.use(CODE)


def test_a_model_is_found_checked_and_part_of_the_fingerprint_like_ours(project):
    config = params.load(project / "params.yaml")
    chosen = recipe("waves_first", config.experiments["waves_first"])
    assert chosen.build.keywords == {"times": 3}
    before = Code(CODE).made_of({}, ["pipeline.models.mine"])["modules"]
    assert {"pipeline.models.mine", "pipeline.models.baselines"} <= before.keys()
    write_text(project / "unroll_extensions/models/mine.py", f"{MODEL}\nEDITED = True\n")
    after = Code(CODE).made_of({}, ["pipeline.models.mine"])["modules"]
    assert [name for name in before if before[name] != after[name]] == ["pipeline.models.mine"]
    write_text(project / "params.yaml", PARAMS.replace("TIMES", "often"))
    wrong = params.load(project / "params.yaml").experiments["waves_first"]
    with pytest.raises(UsageError, match=r"^params\.yaml: experiments\.waves_first\.model\.times must be a valid int"):
        recipe("waves_first", wrong)


def test_another_project_does_not_find_it(project, tmp_path_factory):
    params.load(project / "params.yaml")
    assert registry.module(MODELS, "mine", "x").MODELS.keys() == {"first"}
    other = tmp_path_factory.mktemp("other")
    write_text(other / "params.yaml", PARAMS)
    params.load(other / "params.yaml")
    with pytest.raises(UsageError, match=r"^params\.yaml: x must be one of: baselines"):
        registry.module(MODELS, "mine", "x")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("models/mine.py", "x = (", r"models/mine\.py cannot be imported: SyntaxError: '\(' was never closed"),
        ("models/mine.py", "import nowhere", r"models/mine\.py cannot be imported: ModuleNotFoundError: No module"),
        ("models/mine.py", "", r"models/mine\.py must define `MODELS`, as Unroll's own modules of this kind do"),
        ("models/recurrent.py", MODEL, r"models/recurrent\.py: Unroll has this name, too; give yours another one"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(project, file, text, message):
    write_text(project / "unroll_extensions" / file, text)
    params.load(project / "params.yaml")
    with pytest.raises(UsageError, match=f"^unroll_extensions/{message}"):
        registry.module(MODELS, "mine", "x")
