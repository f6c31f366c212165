"""Builds that are compared here were never built: their dvc.lock, metrics and cache are written by hand."""

import hashlib
import json
import shutil

import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.verify.compare_builds import (
    DIFFERS,
    NOT_BUILT,
    NOT_COMPARED,
    SAME,
    WITHIN,
    Build,
    compare,
    datasets,
    different_files,
)
from stages.verify.tolerances import Deviation, tolerances

NEEDS = {
    "source@waves": [],
    "source@sine": [],
    "prepare@waves": ["source@waves"],
    "prepare@sine": ["source@sine"],
    "train@node": ["prepare@waves"],
    "train@linear": ["prepare@waves"],
    "train@dense": ["prepare@sine"],
    "evaluate@waves": ["prepare@waves", "train@node", "train@linear"],
    "evaluate@sine": ["prepare@sine", "train@dense"],
    "report": ["evaluate@waves", "evaluate@sine"],
}
METRICS = {
    "waves": {"linear": {"parameters": 51, "test": 0.5}, "node": {"parameters": 3, "test": 0.25}},
    "sine": {"dense": {"parameters": 4, "test": 1.0}},
}
ALLOWED = {"waves": {"node": {"test": 0.01}}}
FILES = {"weights/final.h5": "w0", "run.json": "r0", "history.csv": "h0"}


def md5(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Made:
    """A build in a folder, as it would be if nothing had been changed; `write` after a change."""

    def __init__(self, root):
        self.root = root
        self.metrics = json.loads(json.dumps(METRICS))
        self.files = dict(FILES)
        self.content = dict.fromkeys(NEEDS, "the same")
        self.code = "code"
        self.seed = 0
        self.missing = set()
        self.listed = True

    def write(self):
        stages = {stage: self.entry(stage) for stage in NEEDS if stage not in self.missing}
        self.root.mkdir(exist_ok=True)
        plain_yaml.write({"schema": "2.0", "stages": stages}, self.root / "dvc.lock")
        return Build(Workspace(self.root), self.root / "cache")

    def entry(self, stage):
        verb, _, name = stage.partition("@")
        path = {"source": "data/raw/", "prepare": "data/prepared/", "train": "runs/waves/"}.get(verb, f"{verb}/") + name
        deps = [{"path": "pipeline/code.py", "md5": md5(self.code)}, {"path": "data/raw", "md5": md5(str(self.seed))}]
        values = {"params.yaml": {f"seeds.{name}": self.seed}}
        outs = [{"path": path, "md5": md5(self.content[stage])}]
        if verb == "evaluate":
            (self.root / "metrics" / name).mkdir(parents=True, exist_ok=True)
            texts = {f"{experiment}.json": json.dumps(found) for experiment, found in self.metrics[name].items()}
            for file, text in texts.items():
                (self.root / "metrics" / name / file).write_text(text)
            listing = json.dumps([{"md5": md5(text), "relpath": file} for file, text in sorted(texts.items())])
            outs.append({"path": f"metrics/{name}", "md5": md5(listing) + ".dir"})
        if stage == "train@node":
            listing = json.dumps([{"relpath": path, "md5": md5(text)} for path, text in self.files.items()])
            outs[0]["md5"] = md5(listing) + ".dir"
            if self.listed:
                folder = self.root / "cache" / md5(listing)[:2]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{md5(listing)[2:]}.dir").write_text(listing)
        return {"cmd": f"unroll {verb} {name}", "deps": deps, "params": values, "outs": outs}


@pytest.fixture
def committed(tmp_path):
    return Made(tmp_path / "committed")


@pytest.fixture
def rebuilt(tmp_path):
    return Made(tmp_path / "rebuilt")


def outcome(committed, rebuilt, needs=NEEDS, failures=None, allowed=ALLOWED):
    """Path of an output, or the stage of one that is not compared -> the output."""
    found = compare(committed.write(), rebuilt.write(), needs, failures or {}, allowed)
    return {output.path or output.stage: output for output in found}


def test_the_same_bytes_everywhere(committed, rebuilt):
    found = outcome(committed, rebuilt)
    assert {output.level for output in found.values()} == {SAME}
    each = [stage for stage in NEEDS for _ in range(1 + stage.startswith("evaluate@"))]
    assert [output.stage for output in found.values()] == each
    assert all(output.committed == output.rebuilt and output.holds for output in found.values())


def test_other_bytes_with_the_same_metrics_are_within_tolerance_and_name_their_files(committed, rebuilt):
    rebuilt.files |= {"weights/final.h5": "w1", "extra.csv": "e"}
    del rebuilt.files["run.json"]
    output = outcome(committed, rebuilt)["runs/waves/node"]
    assert (output.level, output.holds) == (WITHIN, True)
    assert output.files == ["extra.csv", "run.json", "weights/final.h5"]
    assert output.deviations == []


def test_which_files_differ_is_not_known_where_the_committed_listing_is_not_in_the_cache(committed, rebuilt):
    rebuilt.files["run.json"] = "r1"
    committed.listed = False
    assert outcome(committed, rebuilt)["runs/waves/node"].files is None


def test_a_metric_within_its_tolerance(committed, rebuilt):
    rebuilt.metrics["waves"]["node"]["test"] += 0.005
    rebuilt.files["run.json"] = "r1"
    found = outcome(committed, rebuilt)
    assert [path for path, output in found.items() if output.level == WITHIN] == [
        "runs/waves/node",
        "metrics/waves",
    ]
    (deviation,) = found["metrics/waves"].deviations
    assert (deviation.experiment, deviation.metric, deviation.tolerance) == ("node", "test", 0.01)
    assert deviation.difference == pytest.approx(0.005)
    assert deviation.multiple == pytest.approx(0.5)


def test_a_metric_out_of_its_tolerance_says_by_how_much(committed, rebuilt):
    rebuilt.metrics["waves"]["node"]["test"] += 0.05
    rebuilt.content |= {"source@waves": "other", "train@linear": "other", "report": "other", "source@sine": "other"}
    rebuilt.files["run.json"] = "r1"
    found = outcome(committed, rebuilt)
    levels = {path: output.level for path, output in found.items() if output.level != SAME}
    assert levels == {
        "data/raw/waves": DIFFERS,
        "data/raw/sine": WITHIN,
        "runs/waves/node": DIFFERS,
        "runs/waves/linear": WITHIN,
        "metrics/waves": DIFFERS,
        "report/": DIFFERS,
    }, "a training answers for its own experiment, everything else for all that depends on it"
    assert found["report/"].deviations[0].multiple == pytest.approx(5)


@pytest.mark.parametrize("change", [{"test": 0.5 + 1e-12}, {"more": 1}])
def test_a_metric_without_a_tolerance_must_be_equal(committed, rebuilt, change):
    rebuilt.metrics["waves"]["linear"] |= change
    output = outcome(committed, rebuilt)["metrics/waves"]
    assert output.level == DIFFERS
    assert [(one.metric, one.tolerance, one.within) for one in output.deviations] == [(*change, None, False)]


def test_a_metric_that_is_gone_differs(committed, rebuilt):
    del rebuilt.metrics["waves"]["node"]["test"]
    output = outcome(committed, rebuilt)["metrics/waves"]
    assert (output.level, output.deviations[0].difference) == (DIFFERS, None)


def test_metrics_may_be_nested(committed, rebuilt):
    committed.metrics["sine"]["dense"] = {"final": {"test": {"mae": 1.0, "mse": None}}}
    rebuilt.metrics["sine"]["dense"] = {"final": {"test": {"mae": 1.5, "mse": None}}}
    found = outcome(committed, rebuilt, allowed={"sine": {"dense": {"final.test.mae": 1.0}}})
    assert found["metrics/sine"].level == WITHIN


def test_what_was_not_built_says_why(committed, rebuilt):
    rebuilt.missing = {"source@waves", "prepare@waves", "train@node", "train@linear", "evaluate@waves"}
    rebuilt.content["report"] = "other"
    found = outcome(committed, rebuilt, failures={"source@waves": "no network"})
    assert found["data/raw/waves"].reason == "no network"
    assert found["metrics/waves"].reason == "source@waves failed: no network"
    assert {path for path, output in found.items() if output.level == NOT_BUILT} == {
        "data/raw/waves",
        "data/prepared/waves",
        "runs/waves/node",
        "runs/waves/linear",
        "evaluate/waves",
        "metrics/waves",
    }
    assert (found["report/"].level, found["report/"].reason) == (
        DIFFERS,
        "evaluate@waves is not built, so there are no metrics to compare",
    )
    assert found["data/raw/sine"].level == SAME


def test_a_build_that_ended_early(committed, rebuilt):
    rebuilt.missing = {"report"}
    assert outcome(committed, rebuilt)["report/"].reason == "the build ended before it"


def test_what_is_not_in_the_committed_lock_is_not_compared(committed, rebuilt):
    committed.missing = {"source@sine", "prepare@sine", "train@dense", "evaluate@sine"}
    rebuilt.content["report"] = "it has one data set more"
    found = outcome(committed, rebuilt)
    left = [path for path, output in found.items() if output.level == NOT_COMPARED]
    assert left == ["source@sine", "prepare@sine", "train@dense", "evaluate@sine"]
    assert found["report/"].level == WITHIN, "all that both pages show is equal"
    assert all(output.holds for output in found.values())


def test_without_metrics_other_bytes_differ(committed, rebuilt):
    rebuilt.content["train@linear"] = "other"
    needs = {stage: NEEDS[stage] for stage in ("source@waves", "prepare@waves", "train@linear")}
    output = outcome(committed, rebuilt, needs)["runs/waves/linear"]
    assert (output.level, output.reason) == (DIFFERS, "no metric depends on it")


def test_metrics_that_are_not_committed_decide_nothing(committed, rebuilt):
    rebuilt.content["train@linear"] = "other"
    builds = committed.write(), rebuilt.write()
    shutil.rmtree(committed.root / "metrics/waves")
    (output,) = [one for one in compare(*builds, NEEDS, {}, {}) if one.level != SAME]
    assert (output.level, output.reason) == (
        DIFFERS,
        "metrics/waves is not committed, so there is nothing to compare",
    )


def test_a_committed_file_that_was_changed_by_hand_is_told(committed, rebuilt):
    builds = committed.write(), rebuilt.write()
    file = committed.root / "metrics/waves/node.json"
    file.write_text(file.read_text().replace("0.25", "0.24"))
    (output,) = [one for one in compare(*builds, NEEDS, {}, ALLOWED) if one.level != SAME]
    assert (output.path, output.level) == ("metrics/waves", DIFFERS)
    assert "not what the committed dvc.lock names" in output.reason


def test_an_output_of_one_build_only(committed, rebuilt):
    rebuilt.content["report"] = "other"
    builds = committed.write(), rebuilt.write()
    rebuilt_entry = builds[1].stages["report"]
    rebuilt_entry["outs"] = [{"path": "report/new", "md5": "0" * 32}]
    found = {output.path: output for output in compare(*builds, NEEDS, {}, {}) if output.stage == "report"}
    assert {path: output.level for path, output in found.items()} == {"report/": DIFFERS, "report/new": DIFFERS}
    assert found["report/new"].committed is None


def test_other_inputs_are_named_but_not_those_that_another_stage_made(committed, rebuilt):
    rebuilt.code, rebuilt.seed, rebuilt.content["train@node"] = "edited", 1, "other"
    rebuilt.files["run.json"] = "r1"
    assert outcome(committed, rebuilt)["runs/waves/node"].inputs == ["pipeline/code.py", "params.yaml: seeds.node"]


def test_no_lock_at_all_is_nothing_built(committed, tmp_path):
    nothing = Build(Workspace(tmp_path), tmp_path)
    assert {output.level for output in compare(committed.write(), nothing, NEEDS, {}, {})} == {NOT_BUILT}


def test_a_damaged_lock_is_one_line(committed, rebuilt):
    builds = committed.write(), rebuilt.write()
    (rebuilt.root / "dvc.lock").write_text("stages: [")
    with pytest.raises(UnrollError, match=r"dvc\.lock"):
        compare(*builds, NEEDS, {}, {})


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("source@waves", ["waves"]),
        ("train@dense", ["sine"]),
        ("evaluate@waves", ["waves"]),
        ("report", ["waves", "sine"]),
    ],
)
def test_the_data_sets_of_a_stage(stage, expected):
    assert datasets(stage, NEEDS) == expected


def test_files_are_compared_by_their_bytes(tmp_path):
    for root, text in (("one", "a"), ("other", "b")):
        (tmp_path / root / "runs/inner").mkdir(parents=True)
        (tmp_path / root / "runs/inner/same").write_text("same")
        (tmp_path / root / "runs/file").write_text(text)
        (tmp_path / root / "dvc.lock").write_text("same")
        (tmp_path / root / "elsewhere").write_text(text)
    (tmp_path / "one/runs/only").touch()
    assert different_files(tmp_path / "one", tmp_path / "other", ["runs", "dvc.lock"]) == ["runs/file", "runs/only"]


def test_tolerances_are_read_without_their_header(tmp_path):
    file = tmp_path / "tolerances.json"
    assert tolerances(file) == {}
    file.write_text(json.dumps({"conditions": ["plain"], "tolerances": ALLOWED}))
    assert tolerances(file) == ALLOWED
    for damaged in ("{}", "[]", '{"tolerances": 1}'):
        file.write_text(damaged)
        with pytest.raises(UnrollError, match="BENCH=tolerances"):
            tolerances(file)


def test_a_tolerance_of_zero_allows_nothing():
    deviation = Deviation("waves", "node", "test", 1.0, 1.5, 0.0)
    assert (deviation.within, deviation.multiple, deviation.difference) == (False, None, 0.5)
