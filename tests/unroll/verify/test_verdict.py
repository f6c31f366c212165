from unroll.verify.compare_builds import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME, WITHIN, Deviation, Output
from unroll.verify.verdict import Verdict, lines

FAR = Deviation("waves", "node", "score", 0.25, 0.3, 0.01)
NEAR = Deviation("waves", "node", "low", 0.25, 0.251, 0.01)
UNKNOWN = Deviation("waves", "node", "high", 1.0, 2.0, None)
NEW = Deviation("waves", "node", "new", None, 2.0, None)
LEVELS = [
    Output("source@waves", "data/raw/waves", SAME),
    Output("prepare@waves", "data/prepared/waves", WITHIN, files=None),
    Output("train@node", "runs/waves/node", DIFFERS, ["a", "b", "c", "d", "e"], ["code.py"], [NEAR, FAR]),
    Output("evaluate@waves", "results/metrics/waves", DIFFERS, deviations=[UNKNOWN, NEW]),
    Output("report", "results/index.html", NOT_BUILT, reason="no network"),
    Output("own", "", NOT_COMPARED, reason="the committed dvc.lock does not have it"),
]


def test_a_line_for_each_output_that_does_not_have_the_same_bytes(tmp_path):
    assert list(lines(Verdict(LEVELS, tmp_path))) == [
        (
            "prepare@waves  data/prepared/waves  within tolerance: every metric is equal; in which files is not known, "
            "since DVC's cache does not have the committed ones"
        ),
        (
            "train@node  runs/waves/node  differs: "
            "node score 0.3, not 0.25: off by 0.05, 5 times its tolerance of 0.01, "
            "node low 0.251, not 0.25: off by 0.001, 0.1 times its tolerance of 0.01; in a, b, c, d and 1 more"
        ),
        (
            "evaluate@waves  results/metrics/waves  differs: node high 2, not 1: off by 1, no tolerance measured, "
            "node new only in the rebuilt metrics"
        ),
        "report  results/index.html  not built: no network",
        "since dvc.lock was committed, these have changed: code.py; `unroll repro`, then commit dvc.lock",
        "not compared, since the committed dvc.lock does not have them: own",
        "3 of 5 outputs do not hold.",
        f"What was built: {tmp_path}",
    ]
