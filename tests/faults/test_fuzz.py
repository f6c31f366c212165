"""Random cuts and flipped bits, hundreds in every file that a stage reads: one line, or a result of the right form."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data import dataset as datasets
from pipeline.config import params
from pipeline.evaluation import plot_data
from pipeline.errors import UnrollError
from pipeline.evaluation.scores import evaluate, load_run
from pipeline.report import results
from pipeline.workspace import Workspace
from stages.evaluate import evaluate as evaluate_stage
from stages.prepare import prepare
from tests.support import fake_runs

NAMES = ("sine_extrapolation", "sine_windows", "imdb")
OTHERS = ("waves", "jena_hourly", "jena")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """Data sets of three layouts with networks, whose runs have a history, and their evaluations."""
    root = tmp_path_factory.mktemp("fuzz")
    workspace = fake_runs.build(root, without=OTHERS)
    for name in NAMES:
        evaluate_stage(workspace, name)
    return workspace


def load(workspace, name, _wanted) -> str:
    return repr(datasets.load(workspace.prepared(name)).facts)


def score(workspace, name, wanted) -> str:
    dataset = datasets.load(workspace.prepared(name))
    experiments = wanted.experiments_of(name).items()
    runs = [load_run(workspace.run(name, key), name, key, one.seeds, baseline=False) for key, one in experiments]
    evaluation = evaluate(dataset, runs)
    found = [evaluation, plot_data.compact(evaluation), plot_data.history(runs), plot_data.predictions(dataset, runs)]
    return json.dumps([*found, plot_data.rollouts(dataset, runs) if dataset.rollout else []])


def show(workspace, name, wanted) -> str:
    return repr(results._evaluated(workspace, wanted, name))


READERS = {
    "prepared": (load, "data/prepared/*/*"),
    "runs": (score, "runs/*/*/*.*"),
    "evaluations": (show, "evaluations/*/*"),
}
CHECKED = {".npz"}
"""Files with checksums: what is read of them is what was written."""


def damage(data, whole: bytes) -> bytes:
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.integers(0, 3)) == 0:
        return whole[:place]
    return whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :]


@pytest.mark.parametrize("reader", READERS)
def test_damage_is_one_line_or_harmless(workspace, reader):
    read, pattern = READERS[reader]
    wanted = params.load(workspace.params)
    whole = {path: path.read_bytes() for path in sorted(workspace.root.glob(pattern))}
    before = {name: read(workspace, name, wanted) for name in NAMES}

    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def check(data):
        path = data.draw(st.sampled_from(list(whole)))
        name = next(name for name in NAMES if name in path.parts)
        path.write_bytes(damage(data, whole[path]))
        try:
            found = read(workspace, name, wanted)
            assert path.suffix not in CHECKED or found == before[name]
        except UnrollError as error:
            assert "\n" not in str(error)  # noqa: PT017 - or there is none
        finally:
            path.write_bytes(whole[path])

    check()


def test_a_raw_file_that_was_damaged_is_never_prepared(baselines, tmp_path):
    shutil.copytree(baselines.root, tmp_path / "lab")
    workspace = Workspace(tmp_path / "lab")
    files = sorted(path for path in (workspace.root / "data" / "raw").glob("*/*") if path.suffix != ".json")
    before = prepared(workspace)

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def check(data):
        path = data.draw(st.sampled_from([file for file in files if "interpolation" not in file.name]))
        whole = path.read_bytes()
        path.write_bytes(damage(data, whole))
        with pytest.raises(UnrollError, match=f"{path.name} has another sha256"):
            prepare(workspace, path.parent.name)
        path.write_bytes(whole)

    check()
    assert prepared(workspace) == before


def prepared(workspace) -> list[bytes]:
    return [path.read_bytes() for path in sorted((workspace.root / "data" / "prepared").glob("*/*"))]
