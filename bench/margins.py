"""How many answers there are of each kind by other margins of "no difference": `python -m bench.margins`."""

from collections import Counter
from pathlib import Path

from pipeline.config import params
from pipeline.evaluation import verdicts
from pipeline.report.results import load
from pipeline.workspace import Workspace

if __name__ == "__main__":
    workspace = Workspace(Path.cwd())
    for verdicts.MARGIN in (0.01, 0.02, 0.05, 0.1):
        built = load(workspace, params.load(workspace.params)).built
        counts = Counter(str(answer.outcome) for dataset in built for answer in dataset.answers)
        print(f"{verdicts.MARGIN:.0%}", *(f"{word} {count}" for word, count in counts.most_common()), sep="  ")
