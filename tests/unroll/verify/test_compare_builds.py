"""Builds that are compared here were never built: their dvc.lock, metrics and cache are written by hand."""

import copy
import json

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.files import write_json
from pipeline.workspace import Workspace
from unroll.verify.compare_builds import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME, WITHIN, Build, compare, datasets
from unroll.verify.tolerances import tolerances

NEEDS = {
    "source@waves": [],
    "train@node": ["source@waves"],
    "train@linear": ["source@waves"],
    "evaluate@waves": ["train@node", "train@linear"],
    "source@sine": [],
    "train@dense": ["source@sine"],
    "evaluate@sine": ["train@dense"],
    "report": ["evaluate@waves", "evaluate@sine"],
}
OUTPUTS = {
    "source@waves": "data/raw/waves",
    "train@node": "runs/waves/node",
    "train@linear": "runs/waves/linear",
    "evaluate@waves": "metrics/waves",
    "source@sine": "data/raw/sine",
    "train@dense": "runs/sine/dense",
    "evaluate@sine": "metrics/sine",
    "report": "report/index.html",
}
METRICS = {"waves": {"linear": {"score": 0.5}, "node": {"score": 0.25}}, "sine": {"dense": {"score": 1.0, "low": None}}}
ALLOWED = {"waves": {"node": {"score": 0.01}}}


class Made(Build):
    """A build in a folder, as it would be if nothing had been changed."""

    def __init__(self, root):
        super().__init__(Workspace(root), root / "cache")
        for dataset, experiments in METRICS.items():
            for name in experiments:
                self.score(dataset, name)
        deps = [{"path": "pipeline/code.py", "md5": "1"}, {"path": "data/raw", "md5": "1"}]
        entry = {"deps": deps}
        outs = {stage: [{"path": path, "md5": "1"}] for stage, path in OUTPUTS.items()}
        self.stages.update({stage: copy.deepcopy(entry) | {"outs": out} for stage, out in outs.items()})

    def score(self, dataset, experiment, **values):
        write_json(self.workspace.headline(dataset, experiment), METRICS[dataset][experiment] | values)

    def change(self, *stages, md5="2"):
        for stage in stages:
            self.stages[stage]["outs"][0]["md5"] = md5

    def lose(self, *stages):
        for stage in stages:
            del self.stages[stage]


@pytest.fixture
def committed(tmp_path):
    return Made(tmp_path / "committed")


@pytest.fixture
def rebuilt(tmp_path):
    return Made(tmp_path / "rebuilt")


def outcome(committed, rebuilt, needs=NEEDS, failures=None, allowed=ALLOWED):
    """Path of an output, or the stage of one that is not compared -> the output, if it is not the same."""
    found = compare(committed, rebuilt, needs, failures or {}, allowed)
    assert [output.stage for output in found] == list(needs)
    return {output.path or output.stage: output for output in found if output.level != SAME}


def test_the_same_bytes_everywhere(committed, rebuilt):
    assert outcome(committed, rebuilt) == {}


def test_other_bytes_with_the_same_metrics_are_within_tolerance_unless_only_bytes_hold(committed, rebuilt):
    rebuilt.change("train@linear")
    assert [(output.level, output.holds) for output in outcome(committed, rebuilt).values()] == [(WITHIN, True)]
    assert [output.level for output in outcome(committed, rebuilt, allowed=None).values()] == [DIFFERS]


def test_the_files_of_a_folder_that_differ_are_named_where_the_cache_has_its_listing(committed, rebuilt):
    listings = {
        "ab.dir": {"weights": "1", "gone": "1"},
        "cd.dir": {"weights": "2", "new": "1"},
    }
    for build, (name, files) in zip((committed, rebuilt), listings.items(), strict=True):
        build.change("train@node", md5=name)
        listing = [{"relpath": path, "md5": md5} for path, md5 in files.items()]
        write_json(build.cache / name[:2] / name[2:], listing)
    assert outcome(committed, rebuilt)["runs/waves/node"].files == ["gone", "new", "weights"]
    (committed.cache / "ab" / ".dir").unlink()
    assert outcome(committed, rebuilt)["runs/waves/node"].files is None


def test_a_training_answers_for_its_own_experiment_and_all_else_for_all_that_depends_on_it(committed, rebuilt):
    rebuilt.change("source@waves", "train@node", "train@linear", "evaluate@waves", "source@sine", "report")
    rebuilt.score("waves", "node", score=0.255)
    assert {output.level for output in outcome(committed, rebuilt).values()} == {WITHIN}
    rebuilt.score("waves", "node", score=0.3)
    found = outcome(committed, rebuilt)
    assert {path: output.level for path, output in found.items()} == {
        "data/raw/waves": DIFFERS,
        "runs/waves/node": DIFFERS,
        "runs/waves/linear": WITHIN,
        "metrics/waves": DIFFERS,
        "data/raw/sine": WITHIN,
        "report/index.html": DIFFERS,
    }
    (deviation,) = found["report/index.html"].deviations
    assert (deviation.difference, deviation.tolerance) == (pytest.approx(0.05), 0.01)


@pytest.mark.parametrize("change", [{"score": 0.5 + 1e-12}, {"more": 1}, {"score": None}])
def test_a_metric_without_a_tolerance_must_be_equal_and_there(committed, rebuilt, change):
    rebuilt.score("waves", "linear", **change)
    rebuilt.change("evaluate@waves")
    (output,) = outcome(committed, rebuilt).values()
    assert output.level == DIFFERS
    assert [(one.metric, one.tolerance, one.within) for one in output.deviations] == [(*change, None, False)]


def test_a_tolerance_of_zero_allows_nothing(committed, rebuilt):
    rebuilt.score("waves", "linear", score=0.6)
    rebuilt.change("evaluate@waves")
    assert outcome(committed, rebuilt, allowed={"waves": {"linear": {"score": 0.0}}})["metrics/waves"].level == DIFFERS


def test_what_was_not_built_says_why(committed, rebuilt):
    rebuilt.lose("source@waves", "train@node", "train@linear", "evaluate@waves")
    rebuilt.change("report")
    found = outcome(committed, rebuilt, failures={"source@waves": "no network"})
    assert {path: (output.level, output.reason) for path, output in found.items()} == {
        "data/raw/waves": (NOT_BUILT, "no network"),
        "runs/waves/node": (NOT_BUILT, "source@waves failed: no network"),
        "runs/waves/linear": (NOT_BUILT, "source@waves failed: no network"),
        "metrics/waves": (NOT_BUILT, "source@waves failed: no network"),
        "report/index.html": (DIFFERS, "evaluate@waves is not built, so there are no metrics to compare"),
    }
    rebuilt.lose("report")
    assert outcome(committed, rebuilt)["report/index.html"].reason == "the build ended before it"


def test_what_is_not_in_the_committed_lock_is_not_compared(committed, rebuilt):
    new = ["source@sine", "train@dense", "evaluate@sine"]
    committed.lose(*new)
    rebuilt.change("report")
    found = outcome(committed, rebuilt)
    assert [path for path, output in found.items() if output.level == NOT_COMPARED] == new
    assert found["report/index.html"].level == WITHIN, "all that both pages show is equal"
    assert all(output.holds for output in found.values())


def test_without_metrics_other_bytes_differ(committed, rebuilt):
    rebuilt.change("train@linear")
    needs = {stage: NEEDS[stage] for stage in ("source@waves", "train@linear")}
    assert outcome(committed, rebuilt, needs)["runs/waves/linear"].reason == "no metric depends on it"
    committed.workspace.metrics("waves").rename(committed.workspace.root / "elsewhere")
    (output,) = outcome(committed, rebuilt).values()
    assert (output.level, output.reason) == (DIFFERS, "metrics/waves is not committed, so there is nothing to compare")


def test_a_committed_file_that_was_changed_by_hand_is_told(committed, rebuilt):
    committed.score("waves", "node", score=0.24)
    (output,) = outcome(committed, rebuilt).values()
    assert (output.path, output.level) == ("metrics/waves", DIFFERS)
    assert output.reason == "its files are not those that dvc.lock names"


def test_an_output_of_one_build_only(committed, rebuilt):
    rebuilt.stages["report"]["outs"] = [{"path": "report/new", "md5": "2"}]
    found = {output.path: output for output in compare(committed, rebuilt, NEEDS, {}, {}) if output.stage == "report"}
    assert {path: output.level for path, output in found.items()} == {
        "report/index.html": DIFFERS,
        "report/new": DIFFERS,
    }


def test_other_inputs_are_named_but_not_those_that_another_stage_made(committed, rebuilt):
    rebuilt.change("train@node")
    for dep in rebuilt.stages["train@node"]["deps"]:
        dep["md5"] = "2"
    assert outcome(committed, rebuilt)["runs/waves/node"].inputs == ["pipeline/code.py"]


def test_dvc_lock_is_read_once_and_no_lock_is_nothing_built(committed, tmp_path):
    empty = Build(Workspace(tmp_path), tmp_path)
    assert {output.level for output in compare(committed, empty, NEEDS, {}, {})} == {NOT_BUILT}
    plain_yaml.write({"schema": "2.0", "stages": committed.stages}, tmp_path / "dvc.lock")
    assert Build(Workspace(tmp_path), tmp_path).outputs("report") == {"report/index.html": "1"}
    (tmp_path / "dvc.lock").write_text("stages: [")
    with pytest.raises(UnrollError, match=r"dvc\.lock"):
        compare(committed, Build(Workspace(tmp_path), tmp_path), NEEDS, {}, {})


def test_the_data_sets_of_a_stage():
    found = {stage: datasets(stage, NEEDS) for stage in ("source@waves", "train@dense", "evaluate@waves", "report")}
    assert list(found.values()) == [["waves"], ["sine"], ["waves"], ["waves", "sine"]]


def test_tolerances_are_read_without_their_header(tmp_path):
    file = tmp_path / "tolerances.json"
    assert tolerances(file) == {}
    file.write_text(json.dumps({"conditions": ["plain"], "tolerances": ALLOWED}))
    assert tolerances(file) == ALLOWED
    for damaged in ("{}", "[]", '{"tolerances": 1}'):
        file.write_text(damaged)
        with pytest.raises(UnrollError, match="BENCH=tolerances"):
            tolerances(file)
