"""Successive halving beside full trainings: does a search end with the same trial?

Searches are run twice over the same drawn trials: once in rounds, as `unroll tune` does,
and once with all epochs for each trial. Both then train on (docs/decisions/search.md).
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.provenance import places
from pipeline.provenance.fingerprint import Code
from pipeline.workspace import Workspace
from stages.train import performed
from unroll import terminal
from unroll.tune.search import Attempt, Search
from unroll.tune.tune import search_of

SEARCHES = (
    "shapes_seq2vec/tuned_mlp",
    "shapes_seq2vec/tuned_gru",
    "shapes_vec2seq/tuned_mlp",
    "shapes_vec2seq/tuned_lstm",
)
"""The searches that are run twice, of two questions."""


def show(workspace: Workspace) -> None:
    """Run both searches of each experiment, and print how they end as a table.

    Raises:
        UnrollError: a data set is not prepared, or a training failed.
    """
    config = params.load(workspace.params)
    code = Code(places.CODE)
    rows = []
    for name in SEARCHES:
        in_rounds = search_of(workspace, config, name, code)
        found = _trained(workspace, in_rounds)
        trained = _trained(workspace, replace(in_rounds, rounds=(1,)))
        rows.append([name, *compared(in_rounds, found, trained)])
    headings = [
        "search",
        "rank of its trial",
        "error, all epochs",
        "in rounds",
        "CPU s, all epochs",
        "CPU s, in rounds",
    ]
    terminal.show_table(
        headings,
        rows,
        numeric=headings[1:],
        caption="The rank is that of the trial that the rounds chose, among all trials "
        "with all epochs. Errors are those on validation, after training on.",
    )


def compared(
    search: Search, found: Sequence[Attempt], trained: Sequence[Attempt]
) -> list[str]:
    """Return the texts of a row: how the rounds ended beside the full trainings.

    Args:
        search: the search, whose error counts.
        found: the attempts of the rounds.
        trained: the attempts with all epochs, those of the trials first.
    """
    chosen = min(found, key=search.error)
    best = min(trained, key=search.error)
    ranked = sorted(trained[: search.trials], key=search.error)
    numbers = [each.training.trial for each in ranked]
    change = search.error(chosen) / search.error(best) - 1
    return [
        f"{numbers.index(chosen.training.trial) + 1} of {search.trials}",
        f"{search.error(best):.6f}",
        f"{100 * change:+.1f} %",
        f"{_seconds(trained):,.0f}",
        f"{_seconds(found):,.0f}",
    ]


def _trained(workspace: Workspace, search: Search) -> list[Attempt]:
    """Train what a search wants; return its attempts, those of the first round first.

    Raises:
        UnrollError: a training failed.
    """
    while True:
        attempts, missing = search.progress()
        if not missing:
            return attempts
        tasks = {search.task(each): float(each.epochs or 1) for each in missing}
        results = performed(workspace, tasks, os.cpu_count() or 1)
        with contextlib.closing(results):
            for result in results:
                if result.error:
                    raise UnrollError(f"{search.name}: {result.error}")


def _seconds(attempts: Sequence[Attempt]) -> float:
    return sum(each.outcome.cpu_seconds for each in attempts)
