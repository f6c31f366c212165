"""What DVC is spared must not change what it says."""

import pytest
from dvc.repo import Repo
from dvc.utils import serialize

from pipeline.workspace import Workspace
from stages.repro import dvc_graph
from stages.workspaces.scaled import CONFIG

NAMES = ("a", "b", "c")

DVC_YAML = "stages:\n" + "".join(
    f"  {name}:\n    cmd: echo {name} > {name}\n    params:\n      - experiments.{name}\n    outs:\n      - {name}\n"
    for name in NAMES
)

PARAMS = "sources: {}\ndatasets: {}\nexperiments:\n"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    root = tmp_path / "workspace"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(CONFIG)
    (root / "dvc.yaml").write_text(DVC_YAML)
    write(root, 1, 2, 3)
    with dvc_graph.opened(root) as dvc:
        for name in NAMES:
            dvc.begin(name)
            (root / name).write_text(name)
            dvc.finish(name)
        dvc.close()
    return Workspace(root)


def write(root, *values):
    entries = zip(NAMES, values, strict=True)
    lines = [f"  {name}: {{model: [{value}, x.y], rate: {value}.5}}\n" for name, value in entries]
    (root / "params.yaml").write_text(PARAMS + "".join(lines))


def test_params_are_parsed_once_and_an_edit_is_seen(workspace, monkeypatch):
    parsed, plain = [], serialize.load_path
    monkeypatch.setattr(serialize, "load_path", lambda *given: parsed.append(given) or plain(*given))
    with dvc_graph.opened(workspace.root) as dvc:
        assert (dvc.graph.changed, len(parsed)) == (set(), 2), "once to read dvc.yaml, once for all stages"
        write(workspace.root, 1, 2, 4)
        with dvc.locked():
            statuses = {name: stage.status() for name, stage in dvc.stages.items()}
        assert len(parsed) == 3
    monkeypatch.chdir(workspace.root)  # DVC names stages as seen from here
    with Repo() as repo:
        assert {name: status for one in statuses.values() for name, status in one.items()} == repo.status() != {}
    assert statuses["c"] == {"c": [{"changed deps": {"params.yaml": {"experiments.c": "modified"}}}]}


def test_params_that_are_gone_are_said_to_be(workspace):
    (workspace.root / "params.yaml").write_text(PARAMS + "  a: {model: [1, x.y], rate: 1.5}\n  b: 1\n")
    with dvc_graph.opened(workspace.root) as dvc:
        assert dvc.graph.changed == {"b", "c"}
        with dvc.locked():
            found = {name: dvc.stages[name].status()[name][0]["changed deps"]["params.yaml"] for name in ("b", "c")}
        assert found == {"b": {"experiments.b": "modified"}, "c": {"experiments.c": "deleted"}}
