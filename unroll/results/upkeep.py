"""The commands `renew` and `remove`, of a series of one's own."""

import shutil
import sys
from contextlib import suppress

import numpy as np
import typer

from pipeline.config import params, plain_yaml
from pipeline.data import row_files, row_table
from pipeline.data.series_options import CsvFormat
from pipeline.data.timestamps import shown
from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_text
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.results.answer import ANSWERS
from unroll.results.predict import own_files

KINDS = ("prepared", "runs", "forecaster", "evaluation")
"""Folders of a workspace that hold what was built of a data set."""


def renew(workspace: Workspace, name: str) -> tuple[int, str]:
    """Let rows that came after the evaluation's end count for it: move `until` to the last row of the file.

    Returns:
        How many rows these are, and the time of the last one.

    Raises:
        UsageError: there is no such series.
        UnrollError: no row has come since.
    """
    config = params.load(workspace.params)
    config.forecast(name)
    options = config.dataset(name).preparation.options
    where, csv = f"datasets.{name}.preparation", CsvFormat.model_validate(options["csv"])
    files = [row_files.RowFile(path, csv, f"{where}.csv") for path in own_files(workspace, config, name)]
    stamps = row_table.read_files(files).timestamps
    before, last = np.datetime64(options["cleaning"]["until"]), stamps.max()
    count = int((stamps > before).sum())
    if not count:
        raise UnrollError(f"{name} has no row after {shown(before)}, so there is nothing to renew")
    place = ("datasets", name, "preparation", "cleaning", "until")
    write_text(workspace.params, plain_yaml.with_value(workspace.params, place, f"'{last.astype('datetime64[s]')}'"))
    return count, shown(last)


def remove(workspace: Workspace, name: str, *, yes: bool) -> None:
    """Take out a file of one's own (a key of `files`), its data sets and their experiments; the file itself stays.

    What MLflow has recorded stays, too, and so does what DVC's cache holds until `dvc gc`.

    Raises:
        UsageError: there is no such file, or nobody to ask.
        UnrollError: the answer is no.
    """
    config = params.load(workspace.params)
    one_of(name, config.files, "the file")
    datasets = [key for key, dataset in config.datasets.items() if dataset.source == name]
    experiments = [name for name, experiment in config.runs.items() if experiment.dataset in datasets]
    folders = [workspace.raw(name), *(getattr(workspace, kind)(dataset) for dataset in datasets for kind in KINDS)]
    folders += [workspace.root / kind / dataset for dataset in datasets for kind in ("records", ANSWERS)]
    folders = [folder for folder in folders if folder.exists()]
    print(f"params.yaml: {', '.join([name, *experiments])}", *(f"{folder}/" for folder in folders), sep="\n")
    if not (yes or sys.stdin.isatty()):
        raise UsageError("pass --yes to remove all this")
    if not yes and not typer.confirm("Remove all this?"):
        raise UnrollError("nothing was removed")
    entries = {"files": [name], "datasets": datasets, "experiments": datasets, "forecasts": datasets}
    write_text(workspace.params, plain_yaml.removed(workspace.params, entries, optional=("files", "forecasts")))
    for folder in folders:
        shutil.rmtree(folder)
    with suppress(OSError):  # others may have answers
        (workspace.root / ANSWERS).rmdir()
    for dataset in datasets:
        shutil.rmtree(workspace.root / "results" / "trials" / dataset, ignore_errors=True)
        workspace.metrics(dataset).unlink(missing_ok=True)
