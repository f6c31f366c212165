"""Builds that are compared here were never built: their dvc.lock, metrics and cache are written by hand."""

import pytest

from pipeline.files import write_json
from pipeline.workspace import Workspace
from unroll.verify.compare import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME, WITHIN, Build, Verification, compare

GRAPH = {
    "source@waves": ("data/raw/waves", []),
    "train@node": ("runs/waves/node", ["source@waves"]),
    "train@linear": ("runs/waves/linear", ["source@waves"]),
    "evaluate@waves": ("results/metrics/waves", ["train@node", "train@linear"]),
    "source@sine": ("data/raw/sine", []),
    "train@dense": ("runs/sine/dense", ["source@sine"]),
    "evaluate@sine": ("results/metrics/sine", ["train@dense"]),
    "report": ("results/index.html", ["evaluate@waves", "evaluate@sine"]),
}
"""Stage -> what it makes, and what it needs."""
NEEDS = {stage: needs for stage, (_, needs) in GRAPH.items()}
METRICS = {"waves": {"linear": {"score": 0.5}, "node": {"score": 0.25}}, "sine": {"dense": {"score": 1.0, "low": None}}}
ALLOWED = {"waves": {"node": {"score": 0.01}}}


class HandmadeBuild(Build):
    """A build in a folder, as it would be if nothing had been changed."""

    def __init__(self, root):
        super().__init__(Workspace(root), root / "cache")
        for dataset, experiments in METRICS.items():
            for name in experiments:
                self.score(dataset, name)
        for stage, (path, _) in GRAPH.items():
            deps = [{"path": "pipeline/code.py", "md5": "1"}, {"path": "data/raw", "md5": "1"}]
            self.stages[stage] = {"deps": deps, "outs": [{"path": path, "md5": "1"}]}

    def score(self, dataset, experiment, **values):
        write_json(self.workspace.headline(dataset, experiment), METRICS[dataset][experiment] | values)

    def change(self, *stages, md5="2"):
        for stage in stages:
            self.stages[stage]["outs"][0]["md5"] = md5

    def lose(self, *stages):
        for stage in stages:
            del self.stages[stage]


@pytest.fixture
def builds(tmp_path):
    """What is committed, and what was rebuilt."""
    return HandmadeBuild(tmp_path / "committed"), HandmadeBuild(tmp_path / "rebuilt")


def outcome(builds, failures=None, allowed=ALLOWED):
    """Path of an output, or the stage of one that is not compared -> the output, if it is not the same."""
    outputs = compare(*builds, NEEDS, failures or {}, allowed)
    assert [output.stage for output in outputs] == list(NEEDS)
    return {output.path or output.stage: output for output in outputs if output.level != SAME}


WAVES = ("source@waves", "train@node", "train@linear", "evaluate@waves", "source@sine", "report")
SINE = ("source@sine", "train@dense", "evaluate@sine")
ALL_WITHIN = dict.fromkeys((GRAPH[stage][0] for stage in WAVES), WITHIN)
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
    builds, changed, scores, levels
):
    builds[1].change(*changed)
    for experiment, values in scores.items():
        builds[1].score("waves", experiment, **values)
    outputs = outcome(builds)
    assert {path: output.level for path, output in outputs.items()} == levels
    assert [output.holds for output in outputs.values()] == [level == WITHIN for level in levels.values()]
    assert DIFFERS not in levels.values() or outputs["results/metrics/waves"].deviations[0].within is False
    assert {output.level for output in outcome(builds, allowed=None).values()} <= {DIFFERS}


def test_the_files_of_a_folder_that_differ_are_named_where_the_cache_has_its_listing(builds):
    listings = {"ab.dir": {"weights": "1", "gone": "1"}, "cd.dir": {"weights": "2", "new": "1"}}
    for build, (name, files) in zip(builds, listings.items(), strict=True):
        build.change("train@node", md5=name)
        listing = [{"relpath": path, "md5": md5} for path, md5 in files.items()]
        write_json(build.cache / name[:2] / name[2:], listing)
    assert outcome(builds)["runs/waves/node"].files == ["gone", "new", "weights"]
    (builds[0].cache / "ab" / ".dir").unlink()
    assert outcome(builds)["runs/waves/node"].files is None


def test_what_was_not_built_says_why_and_what_is_not_in_the_committed_lock_is_not_compared(builds):
    committed, rebuilt = builds
    committed.lose(*SINE)
    rebuilt.change("report")
    not_compared = dict.fromkeys(SINE, NOT_COMPARED)
    levels = {path: output.level for path, output in outcome(builds).items()}
    assert levels == not_compared | {"results/index.html": WITHIN}, "all that both pages show is equal"
    rebuilt.lose("source@waves", "train@node", "train@linear", "evaluate@waves")
    outputs = outcome(builds, failures={"source@waves": "no network"})
    assert {path: (output.level, output.reason) for path, output in outputs.items() if path not in SINE} == {
        "data/raw/waves": (NOT_BUILT, "no network"),
        "runs/waves/node": (NOT_BUILT, "source@waves failed: no network"),
        "runs/waves/linear": (NOT_BUILT, "source@waves failed: no network"),
        "results/metrics/waves": (NOT_BUILT, "source@waves failed: no network"),
        "results/index.html": (DIFFERS, "evaluate@waves is not built, so there are no metrics to compare"),
    }
    rebuilt.lose("report")
    assert outcome(builds)["results/index.html"].reason == "the build ended before it"


def test_a_committed_file_that_was_changed_by_hand_and_other_inputs_are_told(builds):
    committed, rebuilt = builds
    committed.score("waves", "node", score=0.24)
    (output,) = outcome(builds).values()
    assert (output.path, output.level) == ("results/metrics/waves", DIFFERS)
    assert output.reason == "its files are not those that dvc.lock names"
    rebuilt.change("train@node")
    for dep in rebuilt.stages["train@node"]["deps"]:
        dep["md5"] = "2"
    assert outcome(builds)["runs/waves/node"].inputs == ["pipeline/code.py"], "what another stage made is none"


def test_a_line_for_each_output_that_does_not_have_the_same_bytes(builds, tmp_path):
    builds[1].change("train@node")
    builds[1].score("waves", "node", score=0.3, more=2.0)
    outputs = compare(*builds, NEEDS, {}, ALLOWED)
    training, _metrics, *sums = Verification(outputs, tmp_path).lines()
    assert training == (
        "train@node  runs/waves/node  differs: node score 0.3, not 0.25: off by 0.05, 5 times its tolerance of 0.01, "
        "node more only in the rebuilt metrics"
    )
    assert sums == ["2 of 8 outputs do not hold.", f"What was built: {tmp_path}"]
