import json

import pytest

from stages.verify.compare_builds import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME, WITHIN, Output
from stages.verify.tolerances import Deviation
from stages.verify.verdict import Verdict, as_data, lines, show

NEEDS = {
    "source@waves": [],
    "prepare@waves": ["source@waves"],
    "train@node": ["prepare@waves"],
    "evaluate@waves": ["train@node"],
    "report": ["evaluate@waves"],
    "own": [],
}
FAR = Deviation("waves", "node", "test", 0.25, 0.3, 0.01)
NEAR = Deviation("waves", "node", "validation", 0.25, 0.251, 0.01)
LEVELS = [
    Output("source@waves", "data/raw/waves", SAME, "1", "1"),
    Output("prepare@waves", "data/prepared/waves", WITHIN, "1", "2", None),
    Output("train@node", "runs/waves/node", DIFFERS, "1", "2", ["a", "b", "c", "d", "e"], ["code.py"], [NEAR, FAR]),
    Output("evaluate@waves", "metrics/waves", NOT_BUILT, "1", reason="no network"),
    Output("own", "", NOT_COMPARED, reason="the committed dvc.lock does not have it"),
]


def text(outputs, **options):
    return "\n".join(lines(Verdict(outputs, NEEDS, options.pop("kept", None), **options)))


def test_a_table_counts_the_outputs_of_each_data_set(capsys):
    show(Verdict(LEVELS, NEEDS, None))
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()[:3]]
    assert [[cell.strip() for cell in row if cell.strip()] for row in rows] == [
        [SAME, WITHIN, DIFFERS, NOT_BUILT],
        ["sources", "1", "0", "0", "0"],
        ["waves", "0", "1", "1", "1"],
    ]


def test_a_line_for_each_output_that_does_not_have_the_same_bytes(tmp_path):
    found = text(LEVELS, kept=tmp_path).splitlines()
    whole, far = (line.partition(": ")[2] for line in found[:2])
    assert whole == (
        "every metric is equal; in which files is not known, since DVC's cache does not have the committed ones"
    )
    assert far == (
        "node test 0.3, not 0.25: off by 0.05, 5 times its tolerance of 0.01, "
        "node validation 0.251, not 0.25: off by 0.001, 0.1 times its tolerance of 0.01; in a, b, c, d and 1 more"
    )
    assert [line.partition(": ")[0] for line in found[:2]] == [
        "prepare@waves  data/prepared/waves  within tolerance",
        "train@node  runs/waves/node  differs",
    ]
    assert found[2:] == [
        "evaluate@waves  metrics/waves  not built: no network",
        "since dvc.lock was committed, these have changed: code.py; `unroll repro`, then commit dvc.lock",
        "not compared, since the committed dvc.lock does not have them: own",
        "2 of 4 outputs do not hold.",
        f"What was built: {tmp_path}",
    ]


@pytest.mark.parametrize(
    ("level", "last"),
    [
        (SAME, "All 2 outputs have the same bytes."),
        (WITHIN, "All 2 outputs hold: 1 have the same bytes, the others are within tolerance."),
        (DIFFERS, "1 of 2 outputs do not hold."),
    ],
)
def test_the_sum(level, last):
    assert text([LEVELS[0], Output("report", "report/index.html", level, "1", "2", [])]).splitlines()[-1] == last


def test_a_metric_without_tolerance_and_one_of_one_build_only():
    deviations = [
        Deviation("waves", "node", "test", 1.0, 2.0, None),
        Deviation("waves", "node", "new", None, 2.0, None),
    ]
    found = text([Output("evaluate@waves", "metrics/waves", DIFFERS, "1", "2", [], [], deviations)])
    assert "node test 2, not 1: off by 1, no tolerance measured" in found
    assert "node new only in the rebuilt metrics" in found


def test_files_that_differ_although_no_output_does_do_not_hold():
    verdict = Verdict(LEVELS[:1], NEEDS, None, ["dvc.lock"])
    assert not verdict.holds
    assert "dvc.lock  differs" in "\n".join(lines(verdict))


def test_json_has_every_output_and_how_far_metrics_are_off(tmp_path):
    data = json.loads(json.dumps(as_data(Verdict(LEVELS, NEEDS, tmp_path))))
    assert (data["holds"], data["kept"], len(data["outputs"])) == (False, str(tmp_path), 5)
    assert data["counts"] == {SAME: 1, WITHIN: 1, DIFFERS: 1, NOT_BUILT: 1, NOT_COMPARED: 1}
    far = data["outputs"][2]["deviations"][1]
    assert (far["difference"], far["multiple"], far["within"]) == (pytest.approx(0.05), pytest.approx(5), False)
