"""What `unroll repro` builds has the bytes that plain `dvc repro` builds, in any circumstances."""

import shutil
import sys

from stages.repro.dvc_graph import cache
from stages.verify import quick
from stages.verify.compare_builds import SAME, Build, compare, different_files

TARGETS = {"evaluate@jena": [], "train@jena_gru": [], "prepare@imdb": []}


def test_dvc_repro_elsewhere_builds_the_same_bytes_and_writes_the_same_entries(built, miniature):
    shutil.rmtree(miniature.root / ".dvc/cache")
    (miniature.root / "dvc.lock").unlink()
    circumstances = [f"{name}={value}" for name, value in quick.circumstances().items()]
    dvc = f"umask {quick.UMASK:03o}; exec {sys.executable} -m dvc repro -q evaluate@jena prepare@imdb"
    miniature.run("env", *circumstances, "sh", "-c", dvc)
    one, other = (Build(each.workspace, cache(each.root)) for each in (built, miniature))
    stages = dict.fromkeys(other.stages, ())
    assert len(stages) == 7
    assert {output.level for output in compare(one, other, stages, {}, {})} == {SAME}
    assert {stage: one.stages[stage] for stage in stages} == other.stages
    outputs = [path for stage in stages for path in one.outputs(stage)]
    assert different_files(built.root, miniature.root, outputs) == []
    assert (miniature.root / "runs/jena/jena_gru").stat().st_mode & 0o077 == 0, "they were built anew"
