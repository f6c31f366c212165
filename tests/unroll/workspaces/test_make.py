from dvc.repo import Repo

from pipeline.config import params, plain_yaml
from pipeline.config.params import complete
from tests.support import REPOSITORY
from unroll import demo
from unroll.workspaces import make


def test_what_is_chosen_is_a_whole_graph_with_few_seeds_and_no_shorter_training(tmp_path):
    workspace = make.chosen(REPOSITORY, tmp_path)
    few, whole = (complete(plain_yaml.read(root / "params.yaml")) for root in (workspace.root, REPOSITORY))
    assert len(few["experiments"]) == sum(len(names.split()) for names in make.CHOSEN.values())
    assert {*few["datasets"]} == {*make.CHOSEN} == {*demo.QUESTIONS}
    assert {*few["sources"], *few["files"]} == {"sine", "waves", "sines", "jena_sample"}
    for name, section in few["experiments"].items():
        full = whole["experiments"][name]
        assert (section.get("seeds", 1), section["model"]) == (min(full.get("seeds", 1), 3), full["model"])
        assert section["training"] == full["training"]
    own = {"datasets": {**whole["datasets"], "meter": {"source": "meter"}}, "forecasts": {"meter": {}}}
    assert make.choose({**whole, **own})["forecasts"] == {}, "a series of one's own is not the demo's"
    assert workspace.claims.read_bytes() == (REPOSITORY / "claims.yaml").read_bytes()
    config = params.load(workspace.params)
    expected = {config.source_stage(name) for name in (*config.sources, *config.files)} | {"report", "resolve"}
    expected |= {f"train@{name}" for name in config.experiments}
    expected |= {f"{verb}@{name}" for verb in ("prepare", "evaluate") for name in config.datasets}
    with Repo(str(tmp_path)) as repo:
        assert {stage.name for stage in repo.index.stages} == expected
