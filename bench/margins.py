"""How many answers there are of each kind by other margins of "no difference": `python
-m bench.margins`.
"""

from collections import Counter
from pathlib import Path

from pipeline.config import params
from pipeline.evaluation import answers, answers_file, verdicts
from pipeline.workspace import Workspace

if __name__ == "__main__":
    workspace = Workspace(Path.cwd())
    built = answers_file.evaluations(workspace, params.load(workspace.params))
    for verdicts.MARGIN in (0.01, 0.02, 0.05, 0.1):
        page = answers.front_page(built)
        counts = Counter(
            str(answer.outcome) for of_dataset in page.values() for answer in of_dataset
        )
        print(
            f"{verdicts.MARGIN:.0%}",
            *(f"{word} {count}" for word, count in counts.most_common()),
            sep="  ",
        )
