import json
import shutil

from pipeline.workspace import Workspace
from stages.resolve import resolve
from tests.support import REPOSITORY


def resolved(workspace):
    folder = resolve(workspace)
    return {path.relative_to(folder).as_posix(): json.loads(path.read_text("utf-8")) for path in folder.rglob("*.json")}


def test_the_page_depends_on_the_paragraphs_that_it_shows_and_on_no_figure_beside_them(tmp_path):
    workspace = Workspace(tmp_path)
    shutil.copyfile(REPOSITORY / "params.yaml", workspace.params)
    before = resolved(workspace)
    workspace.paragraphs.parent.mkdir()
    for figures, words in (("+2 %", "Why."), ("+3 %", "Why."), ("+3 %", "Why not.")):
        workspace.paragraphs.write_text(f"## W\n\n{figures}\n<!-- end of waves -->\n\n{words}\n", encoding="utf-8")
        after = resolved(workspace)
        assert {name for name in after if after[name] != before[name]} == {"report.json"}
        assert after["report.json"]["params"]["paragraphs"] == {"waves": words}
