import pytest

from pipeline.errors import UnrollError, UsageError
from stages.evaluate import evaluate
from stages.report import report
from tests.support import fake_runs


def test_it_writes_one_page_with_what_is_there_and_names_what_is_wrong(tmp_path):
    workspace = fake_runs.build(tmp_path, without=("sine_extrapolation", "sine_windows", "imdb", "jena_hourly", "jena"))
    evaluate(workspace, "waves")
    assert report(workspace) == workspace.report
    assert [each.name for each in workspace.report.parent.iterdir()] == ["index.html"]
    text = workspace.report.read_text(encoding="utf-8")
    assert '<section id="waves">' in text
    assert '<section id="imdb">' not in text
    assert "<b>imdb</b>" in text
    claim = '- {document: "003", words: w, experiment: waves_node, metric: best.test.mze, value: "1", width: 2}\n'
    workspace.claims.write_text(claim, encoding="utf-8")
    with pytest.raises(UsageError, match=r"waves_node has no metric best\.test\.mze: 'mze' is not one of mse, mae"):
        report(workspace)
    (workspace.evaluation("waves") / "evaluation.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"waves/evaluation\.json is damaged \(dataset is missing\)"):
        report(workspace)
    assert workspace.report.read_text(encoding="utf-8") == text
