"""The command `remove`: a series out of params.yaml, and all that was built of it."""

import shutil
import sys

import typer

from pipeline.config import params, plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_text
from pipeline.validation import one_of
from pipeline.workspace import Workspace


def remove(workspace: Workspace, name: str, *, yes: bool) -> None:
    """Take out a file of one's own (a key of `files`), its data sets and their experiments; the file itself stays.

    What MLflow has recorded stays, too, and so does what DVC's cache holds until `dvc gc`.

    Raises:
        UsageError: there is no such file, or nobody to ask.
        UnrollError: the answer is no.
    """
    wanted = params.load(workspace.params)
    one_of(name, wanted.files, "the file")
    datasets = [key for key, one in wanted.datasets.items() if one.source == name]
    experiments = [key for dataset in datasets for key in wanted.experiments_of(dataset)]
    gone = {"files": [name], "datasets": datasets, "experiments": experiments, "forecasts": datasets}
    kinds = ("prepared", "runs", "forecaster", "evaluation", "metrics", "records")
    folders = [workspace.raw(name), *(getattr(workspace, kind)(dataset) for dataset in datasets for kind in kinds)]
    folders = [folder for folder in folders if folder.exists()]
    print(f"params.yaml: {', '.join([name, *experiments])}", *(f"{folder}/" for folder in folders), sep="\n")
    if not (yes or sys.stdin.isatty()):
        raise UsageError("pass --yes to remove all this")
    if not yes and not typer.confirm("Remove all this?"):
        raise UnrollError("nothing was removed")
    write_text(workspace.params, plain_yaml.removed(workspace.params, gone, optional=("files", "forecasts")))
    for folder in folders:
        shutil.rmtree(folder)
    for experiment in experiments:
        workspace.trials(experiment).unlink(missing_ok=True)
