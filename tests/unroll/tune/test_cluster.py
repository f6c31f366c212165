"""`unroll tune --on`: trials on workers of a cluster, all of it on this machine."""

import optuna
import pytest

from pipeline.config import params
from tests.conftest import Miniature
from tests.support import REPOSITORY
from tests.support.cluster import Cluster, set_remote
from tests.support.ending import still_there
from unroll.workspaces.miniature import make_workspace

pytest.importorskip("distributed", reason="the extra for clusters is not installed: .ci/venv cluster")


def test_trials_go_on_without_a_worker_that_is_killed(tmp_path):
    make_workspace(REPOSITORY, tmp_path / "head")
    set_remote(tmp_path / "head", tmp_path / "store")
    head = Miniature(tmp_path / "head")

    def only_a_node(data):
        """A trial of it takes a second or two."""
        data["sources"] = {"waves": data["sources"]["waves"]}
        data["datasets"] = {"waves": data["datasets"]["waves"]}
        data["experiments"] = {"waves_node": data["experiments"]["waves_node"]}
        data["experiments"]["waves_node"]["training"]["epochs"] = 100

    head.change(only_a_node)
    head.dvc("repro", "prepare@waves")
    (head.workspace.scratch / "tuning").mkdir(parents=True)
    database = optuna.storages.RDBStorage(f"sqlite:///{head.workspace.scratch}/tuning/waves_node.db")

    def states():
        return [trial.state.name for study in optuna.get_all_study_names(database)
                for trial in optuna.load_study(study_name=study, storage=database).get_trials()]  # fmt: skip

    cluster = Cluster(tmp_path, head.root)
    try:
        cluster.work("a")
        cluster.work("b")
        over = "--over", "learning_rate=0.0001:0.1"
        cluster.start("head", "tune", "waves_node", "--trials", "12", *over, "--on", cluster.address)
        cluster.says("head", "trial 1 of 12 on ")
        first, other = "ab" if "trial 1 of 12 on a" in cluster.said("head") else "ba"
        cluster.until(lambda: states().count("RUNNING") == 2)  # it has got another one
        assert still_there(cluster.kill(first)) == []
        assert cluster.processes["head"].wait() == 0, cluster.said("head")
    finally:
        cluster.close()
    said = cluster.said("head")
    assert f"worker {first} is gone" in said
    assert f"trial 12 of 12 on {other}" in said
    assert "Written to params.yaml: waves_node_tuned" in said
    assert "Warning" not in said
    assert "waves_node_tuned" in params.load(head.workspace.params).experiments
    found = states()
    assert len(found) == 12
    assert {*found} == {"COMPLETE", "PRUNED"}, "given up by what the others came to"
