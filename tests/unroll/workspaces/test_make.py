from dvc.repo import Repo

from pipeline.config import params
from tests.support import REPOSITORY
from unroll import repro
from unroll.workspaces import make


def test_what_is_chosen_is_a_whole_graph_with_few_seeds_and_no_shorter_training(
    tmp_path,
):
    workspace = make.chosen(REPOSITORY, tmp_path)
    few, whole = (
        params.load(root / "params.yaml") for root in (workspace.root, REPOSITORY)
    )
    assert {
        name: " ".join(experiments) for name, experiments in few.experiments.items()
    } == make.CHOSEN
    assert {*few.sources} == {"sine", "waves", "sines", "jena_sample"}
    for name, experiment in few.runs.items():
        seeds = whole.runs[name].seeds[:1]
        assert experiment == whole.runs[name].model_copy(update={"seeds": seeds})
    assert workspace.claims.read_bytes() == (REPOSITORY / "claims.yaml").read_bytes()
    with Repo(str(tmp_path)) as repo:
        assert {stage.name for stage in repo.index.stages} == {*repro.stages(few)}


def test_the_code_is_copied_anew_as_dvc_cannot_commit_what_lies_behind_a_link(tmp_path):
    (tmp_path / "pipeline").symlink_to(REPOSITORY / "pipeline")
    make.chosen(REPOSITORY, tmp_path)
    for name in make.PACKAGES:
        assert not (tmp_path / name).is_symlink()
    left = tmp_path / "pipeline/left.py"
    left.touch()
    (tmp_path / "stages/report.py").unlink()
    make.chosen(REPOSITORY, tmp_path)
    assert not left.exists()
    assert (tmp_path / "stages/report.py").exists()
