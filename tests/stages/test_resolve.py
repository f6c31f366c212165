import subprocess
import sys

import pytest

from pipeline.config import params, plain_yaml
from pipeline.errors import UsageError
from pipeline.files import read_json
from pipeline.workspace import Workspace
from stages.resolve import resolve
from tests.support import REPOSITORY

SECTIONS = {
    "sources": {"mine": {"kind": "sine"}},
    "datasets": {"mine": {"source": "mine", "preparation": {"name": "sine_points"}}},
    "experiments": {
        "dense": {
            "dataset": "mine",
            "model": {"family": "dense", "name": "mlp"},
            "training": {"method": "gradient_descent", "loss": "mae", "epochs": 1},
        }
    },
}


@pytest.fixture
def workspace(tmp_path):
    for name in ("pipeline", "stages", "unroll", "locks"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    plain_yaml.write(SECTIONS, tmp_path / "params.yaml")
    return Workspace(tmp_path)


def test_every_stage_of_the_repository_has_a_file_and_no_library_that_trains_is_imported(workspace):
    workspace.params.write_bytes((REPOSITORY / "params.yaml").read_bytes())
    code = "import sys; from unroll.commands.main import invoke; invoke(sys.argv[1:])\n"
    code += "print(*({'tensorflow', 'keras', 'pandas', 'mlflow', 'sklearn'} & {*sys.modules}))"
    command = [sys.executable, "-c", code, "--root", str(workspace.root), "resolve"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout
    assert output == f"{workspace.root / 'resolved'}\n\n"
    every = params.load(workspace.params)
    wanted = {"report"} | {f"source/{name}" for name in every.sources} | {f"train/{name}" for name in every.experiments}
    wanted |= {f"{verb}/{name}" for verb in ("prepare", "evaluate") for name in every.datasets}
    folder = workspace.root / "resolved"
    assert {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.json")} == wanted


def test_a_stage_has_its_options_the_code_that_its_command_imports_and_the_lock(workspace):
    found = read_json(resolve(workspace) / "train/dense.json")
    assert found["params"] == params.load(workspace.params).experiment("dense").model_dump()
    assert {"stages.train", "pipeline.models.dense", "pipeline.training.methods.gradient_descent"} < {*found["modules"]}
    assert not {"pipeline.models.recurrent", "pipeline.tracking.live", "pipeline.report.page"} & {*found["modules"]}
    measures = [name for name in found["modules"] if name.startswith("pipeline.metrics.m")]
    assert measures == ["pipeline.metrics.mae", "pipeline.metrics.measure", "pipeline.metrics.mse"]
    assert found["lock"] == read_json(workspace.root / "resolved/report.json")["lock"]


def test_what_is_gone_from_params_is_gone(workspace):
    assert (resolve(workspace) / "train/dense.json").exists()
    plain_yaml.write(SECTIONS | {"experiments": {}}, workspace.params)
    assert not (resolve(workspace) / "train").exists()


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("sources", "mine", "kind"), "sin", r"sources\.mine\.kind must be one of: .*Did you mean sine\?"),
        (("datasets", "mine", "preparation", "name"), "wave", r"preparation\.name must be .*Did you mean waves\?"),
        (("experiments", "dense", "model", "family"), "dens", r"dense\.model\.family must be .*Did you mean dense\?"),
        (("experiments", "dense", "training", "method"), "hand", r"dense\.training\.method must be one of: .*'hand'"),
        (("experiments", "dense", "training", "loss"), "mae2", r"dense\.training\.loss must be .*Did you mean mae\?"),
        (("experiments", "dense", "training", "loss"), ["mae"], r"dense\.training\.loss must be .*Received: \['mae'\]"),
    ],
)
def test_a_name_without_a_module_is_one_line_and_what_was_written_stays(workspace, place, value, said):
    before = (resolve(workspace) / "train/dense.json").read_bytes()
    data = inner = plain_yaml.read(workspace.params)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    plain_yaml.write(data, workspace.params)
    with pytest.raises(UsageError, match=rf"^params\.yaml: .*{said}"):
        resolve(workspace)
    assert (workspace.root / "resolved/train/dense.json").read_bytes() == before
