"""The evaluation of a data set that has to be built."""

from collections.abc import Iterable

from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.evaluation.schema import Evaluation
from pipeline.workspace import Workspace
from unroll.hints import built_by


def load(
    workspace: Workspace, dataset: str, experiments: Iterable[str] | None = None
) -> Evaluation:
    """Read the evaluation of a data set; `experiments` are as in `schema.load`.

    Raises:
        UnrollError: the data set is not built, or the file is damaged.
    """
    folder = workspace.evaluation(dataset)
    if not (folder / "evaluation.json").is_file():
        raise UnrollError(f"{dataset} is not built; {built_by(f'evaluate@{dataset}')}")
    return schema.load(folder, experiments)
