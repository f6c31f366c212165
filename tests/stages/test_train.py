import json
import shutil

from stages.train import train, trial


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_training_by_hand_gives_the_bytes_of_the_one_in_the_build(built, miniature):
    shutil.rmtree(miniature.root / "runs/waves/waves_node")
    folder = train(miniature.workspace, "waves_node")
    assert folder == miniature.workspace.run("waves", "waves_node")
    found = contents(folder)
    whole = {"history.csv", "predictions.npz", "run.json"}
    assert whole | {f"weights/seed_0_{point}.weights.h5" for point in ("best", "final")} == found.keys()
    assert found == contents(built.workspace.run("waves", "waves_node"))
    assert set(json.loads(found["run.json"])["fingerprint"]) == {"params", "data", "code", "lock"}
    assert not miniature.workspace.checkpoint("waves_node").exists()


def test_a_trial_leaves_the_run_and_its_records_alone(miniature):
    def all_else():
        return {name: found for name, found in contents(miniature.root).items() if not name.startswith(".unroll/")}

    before = all_else()
    folder = trial(miniature.workspace, "waves_node", epochs=1, seeds=[8])
    assert folder == miniature.workspace.trial("waves_node")
    facts = miniature.json(".unroll/trials/waves_node/run.json")
    assert (facts["seeds"], facts["epochs"]) == ([8], 1)
    assert all_else() == before
