"""Builds that are compared here were never built: their dvc.lock, metrics and cache are written by hand."""

import copy

import pytest

from pipeline.files import write_json
from pipeline.workspace import Workspace
from unroll.verify.compare_builds import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME, WITHIN, Build, compare

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
    "evaluate@waves": "results/metrics/waves",
    "source@sine": "data/raw/sine",
    "train@dense": "runs/sine/dense",
    "evaluate@sine": "results/metrics/sine",
    "report": "results/index.html",
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


WAVES = ("source@waves", "train@node", "train@linear", "evaluate@waves", "source@sine", "report")
SINE = ["source@sine", "train@dense", "evaluate@sine"]
ALL_WITHIN = dict.fromkeys((OUTPUTS[stage] for stage in WAVES), WITHIN)
FAR = dict.fromkeys(("data/raw/waves", "runs/waves/node", "results/metrics/waves", "results/index.html"), DIFFERS)


@pytest.mark.parametrize(
    ("changed", "scores", "levels"),
    [
        ((), {}, {}),
        (["train@linear"], {}, {"runs/waves/linear": WITHIN}),
        (WAVES, {"node": {"score": 0.255}}, ALL_WITHIN),
        (WAVES, {"node": {"score": 0.3}}, ALL_WITHIN | FAR),  # a training answers for its own experiment alone
        (["evaluate@waves"], {"linear": {"score": 0.5 + 1e-12}}, {"results/metrics/waves": DIFFERS}),
        (["evaluate@waves"], {"linear": {"more": 1}}, {"results/metrics/waves": DIFFERS}),
        (["evaluate@waves"], {"linear": {"score": None}}, {"results/metrics/waves": DIFFERS}),
    ],
)
def test_the_metrics_that_depend_on_a_stage_say_whether_other_bytes_are_within_tolerance(
    committed, rebuilt, changed, scores, levels
):
    rebuilt.change(*changed)
    for experiment, values in scores.items():
        rebuilt.score("waves", experiment, **values)
    found = outcome(committed, rebuilt)
    assert {path: output.level for path, output in found.items()} == levels
    assert [output.holds for output in found.values()] == [level == WITHIN for level in levels.values()]
    assert DIFFERS not in levels.values() or found["results/metrics/waves"].deviations[0].within is False
    only_bytes = outcome(committed, rebuilt, allowed=None).values()
    assert {output.level for output in only_bytes} <= {DIFFERS}


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


def test_what_was_not_built_says_why(committed, rebuilt):
    rebuilt.lose("source@waves", "train@node", "train@linear", "evaluate@waves")
    rebuilt.change("report")
    found = outcome(committed, rebuilt, failures={"source@waves": "no network"})
    assert {path: (output.level, output.reason) for path, output in found.items()} == {
        "data/raw/waves": (NOT_BUILT, "no network"),
        "runs/waves/node": (NOT_BUILT, "source@waves failed: no network"),
        "runs/waves/linear": (NOT_BUILT, "source@waves failed: no network"),
        "results/metrics/waves": (NOT_BUILT, "source@waves failed: no network"),
        "results/index.html": (DIFFERS, "evaluate@waves is not built, so there are no metrics to compare"),
    }
    rebuilt.lose("report")
    assert outcome(committed, rebuilt)["results/index.html"].reason == "the build ended before it"


def test_what_is_not_in_the_committed_lock_is_not_compared(committed, rebuilt):
    committed.lose(*SINE)
    rebuilt.change("report")
    found = outcome(committed, rebuilt)
    assert {path: output.level for path, output in found.items()} == {
        **dict.fromkeys(SINE, NOT_COMPARED),
        "results/index.html": WITHIN,  # all that both pages show is equal
    }


def test_a_committed_file_that_was_changed_by_hand_and_other_inputs_are_told(committed, rebuilt):
    committed.score("waves", "node", score=0.24)
    (output,) = outcome(committed, rebuilt).values()
    assert (output.path, output.level) == ("results/metrics/waves", DIFFERS)
    assert output.reason == "its files are not those that dvc.lock names"
    rebuilt.change("train@node")
    for dep in rebuilt.stages["train@node"]["deps"]:
        dep["md5"] = "2"
    inputs = outcome(committed, rebuilt)["runs/waves/node"].inputs
    assert inputs == ["pipeline/code.py"], "what another stage made is none"
