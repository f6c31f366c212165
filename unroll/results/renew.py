"""The command `renew`: rows that came after the evaluation's end count for it, too."""

import numpy as np

from pipeline.config import params
from pipeline.data import row_files, row_table
from pipeline.data.series_options import CsvFormat
from pipeline.data.timestamps import shown
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.results.predict import own_files


def renew(workspace: Workspace, name: str) -> None:
    """Move `until` of a data set to the last row of its own file.

    Raises:
        UsageError: there is no such series.
        UnrollError: no row has come since.
    """
    from dvc.utils.hydra import apply_overrides

    wanted = params.load(workspace.params)
    wanted.forecast(name)
    options = wanted.dataset(name).preparation.options
    where, form = f"datasets.{name}.preparation", CsvFormat.model_validate(options["csv"])
    files = [row_files.RowFile(path, form, f"{where}.csv") for path in own_files(workspace, wanted, name)]
    stamps = row_table.read_files(files).timestamps
    before, last = np.datetime64(options["cleaning"]["until"]), stamps.max()
    count = int((stamps > before).sum())
    if not count:
        raise UnrollError(f"{name} has no row after {shown(before)}, so there is nothing to renew")
    apply_overrides(workspace.params, [f"{where}.cleaning.until='{last.astype('datetime64[s]')}'"])
    print(f"{name}: {count:,} rows more, until {shown(last)}. Next: unroll repro refit@{name}")
