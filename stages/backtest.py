"""The stage `backtest`: every model of a series from rolling origins, and the champion."""

from pipeline import locks
from pipeline.config import params
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder, write_json, write_npz
from pipeline.forecast import rolling
from pipeline.forecast.backtest import Backtest, judged
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.progress import line


def backtest(workspace: Workspace, name: str) -> Backtest:
    """Write backtests/NAME: backtest.json, and forecasts.npz with `truth` and each model's, (origins, steps) each.

    Raises:
        UsageError: NAME is no key of `forecasts` in params.yaml.
        UnrollError: a run is missing, or there are too few windows.
    """
    wanted = params.load(workspace.params)
    section, candidates = wanted.forecast(name), wanted.candidates(name)
    with locks.stage(workspace, "backtest", name):
        prepared = workspace.prepared(name)
        seen = {calendar: dataset.load(prepared, calendar=calendar) for calendar in (False, True)}
        found, runs = rolling.folds(seen[False], section.origins, section.refits), {}
        for key in wanted.experiments_of(name):
            runs[key] = run_folder.load_for(workspace.run(name, key), name, candidates[key].seeds)
        forecasts = {}
        for key in rolling.entrants(seen[False], candidates, runs):
            best = runs[key].summary.best_epochs if key in runs else None
            # One seed says enough of a network; three would take most of the time.
            experiment = rolling.settled(candidates[key], best).model_copy(update={"seeds": candidates[key].seeds[:1]})
            parts = []
            for place, fold in enumerate(found, 1):
                line(f"{name}: {key}, fit {place} of {len(found)}", last=place == len(found))
                parts.append(rolling.forecast(key, experiment, seen[experiment.calendar], fold))
            forecasts[key] = parts
        if not forecasts:
            raise UnrollError(f"{name} has no model to forecast with; add one to params.yaml")
        networks = {key for key, run in runs.items() if run.summary.layers}
        made, arrays = judged(seen[False], found, forecasts, candidates, networks)
        with atomic_folder(workspace.backtest(name), workspace.scratch) as folder:
            write_json(folder / "backtest.json", made.model_dump())
            write_npz(folder / "forecasts.npz", arrays)
    return made
