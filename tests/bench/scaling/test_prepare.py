from bench.repository import OFFICIAL_ROWS, REPOSITORY
from bench.scaling import prepare
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace


def test_a_stand_in_keeps_each_splits_share_of_the_rows_however_often_it_is_made():
    plain = plain_yaml.read(REPOSITORY / "params.yaml")
    for rows in (OFFICIAL_ROWS // 4, OFFICIAL_ROWS):
        small = prepare.stand_in(plain, rows)
        assert small["sources"]["jena"]["rows"] == rows
        for name in prepare.DATASETS:
            found, whole = small["datasets"][name]["preparation"], plain["datasets"][name]["preparation"]
            assert found["train"] == whole["train"] * rows // OFFICIAL_ROWS


def test_a_generated_file_is_prepared_and_measured(tmp_path):
    workspace = Workspace(tmp_path)
    plain_yaml.write(prepare.stand_in(plain_yaml.read(REPOSITORY / "params.yaml"), 20_000), workspace.params)
    for command in (("source", "jena"), ("prepare", "jena_exact")):
        cost = prepare.measure(tmp_path, *command)
        assert cost["seconds"] > 0
        assert 20 < cost["peak"] < 1024
    assert (workspace.prepared("jena_exact") / "dataset.json").is_file()
