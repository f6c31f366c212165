import shutil
from pathlib import Path

import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.repro import dvc_graph
from stages.workspaces.demo import COPIED, demo, make_workspace

ROOT = Path(__file__).parents[2]


def baseline(dataset):
    return {
        "dataset": dataset,
        "seeds": [0, 1],
        "model": {"family": "baselines", "name": "last_value"},
        "training": {"method": "none"},
    }


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with a generated source, and one whose download gets a stand-in."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/records.db")
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path / "nothing-here"))
    root = tmp_path / "repository"
    (root / ".dvc/plots").mkdir(parents=True)
    for name in COPIED:
        shutil.copyfile(ROOT / name, root / name)
    for name in ("pipeline", "stages"):
        (root / name).symlink_to(ROOT / name)
    real = plain_yaml.read(ROOT / "params.yaml")
    data = {
        "sources": {name: real["sources"][name] for name in ("waves", "weather")},
        "datasets": {name: real["datasets"][name] for name in ("waves", "weather")},
        "experiments": {"waves_last_value": baseline("waves"), "weather_last_value": baseline("weather")},
    }
    plain_yaml.write(data, root / "params.yaml")
    (root / "claims.yaml").write_text("[]\n")
    return root


def test_the_demo_builds_everything_offline_and_shows_tables_and_page(root, capsys):
    assert demo(Workspace(root), 2) == 0
    output = capsys.readouterr().out
    page = root / ".demo/report/index.html"
    assert str(page) in output
    assert "waves_last_value" in output
    assert "weather_last_value" in output
    assert "no results" in output
    assert "stand-in" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [".demo", ".dvc", ".dvcignore", "claims.yaml", "dvc.yaml", "numerics.lock", "params.yaml", "pipeline", "stages"]
    ), "nothing is left outside the demo's workspace"
    assert not (root.parent / "records.db").exists()
    assert (root / ".demo/mlflow.db").exists()

    assert demo(Workspace(root), 2) == 0
    assert "Everything is up to date" in capsys.readouterr().out


def test_the_whole_graph_is_in_the_demo(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name in (*COPIED, "pipeline", "stages"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    workspace = make_workspace(tmp_path, tmp_path / ".demo")
    whole = params.load(ROOT / "params.yaml")
    found = dvc_graph.read(workspace.root)
    expected = {f"source@{name}" for name in whole.sources} | {f"train@{name}" for name in whole.experiments}
    expected |= {f"{verb}@{name}" for verb in ("prepare", "evaluate") for name in whole.datasets} | {"report"}
    assert found.needs.keys() == expected
    assert found.changed == expected
