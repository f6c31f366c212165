"""`python -m bench sceptic`: search data sets, and hold each answer against what was
best there.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.sceptic.search import search
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, compared
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, sceptic, schema
from pipeline.evaluation.intervals import as_errors
from pipeline.evaluation.sceptic import FAVOURS, Challenge, Sceptic, Search
from pipeline.evaluation.scores import blocks
from pipeline.evaluation.verdicts import decide
from pipeline.files import read_checked, read_npz, sha256, write_json, write_npz
from pipeline.metrics import losses
from pipeline.provenance.fingerprint import brief
from pipeline.training import run_folder
from pipeline.workspace import Workspace

Tell = Callable[[str], None]


def challenge_all(
    workspace: Workspace, names: Sequence[str], seconds: int, seed: int, tell: Tell
) -> None:
    """Search data sets, and write what that does to their answers; without names all
    that the documents ask about.

    Raises:
        UsageError: there is no such data set.
        UnrollError: one that is named cannot be searched or compared; of others a line
            is told.
    """
    every = params.load(workspace.params)
    for name in names:
        every.dataset(name)
    for name in names or every.datasets:
        try:
            challenge(
                workspace,
                every,
                name,
                *searched(workspace, name, seconds, seed, tell),
                tell,
            )
        except UnrollError as error:
            if names:
                raise
            tell(str(error))


def searched(
    workspace: Workspace, name: str, seconds: float, seed: int, tell: Tell
) -> tuple[Search, Array]:
    """Search a prepared data set, or with 0 seconds read what was searched last; it is
    kept in the scratch folder.

    Returns:
        What it came to, and what each test example (n,) adds to the best model's error.

    Raises:
        UnrollError: the data set is not prepared, nothing can be chosen on it, or it
            was not searched.
    """
    folder = workspace.prepared(name)
    kept = workspace.scratch / "sceptic" / name
    if not folder.is_dir():
        raise UnrollError(
            f"{name} is not prepared; `unroll repro prepare@{name}` builds it"
        )
    description = dataset.describe(folder)
    if "validation" not in description.splits:
        raise UnrollError(
            f"{name} has no validation split, so that no opponent is chosen for it"
        )
    data = sha256(folder / "arrays.npz")[:12]
    if seconds:
        result, of_test = search(
            dataset.load(folder, calendar=bool(description.calendar)),
            data,
            seconds,
            seed,
            tell,
        )
        write_npz(kept.with_suffix(".npz"), {"losses": of_test})
        write_json(kept.with_suffix(".json"), result.model_dump())
    elif not kept.with_suffix(".json").is_file():
        raise UnrollError(f"{name} was not searched yet; give --cpu-seconds")
    last = read_checked(kept.with_suffix(".json"), Search)
    if last.data != data:
        raise UnrollError(f"{name} was searched on other data; give --cpu-seconds")
    return last, read_npz(kept.with_suffix(".npz"))["losses"]


def challenge(
    workspace: Workspace,
    every: Params,
    name: str,
    search: Search,
    of_test: Array,
    tell: Tell,
) -> None:
    """Write results/sceptic/NAME.json: the search's best against the two models of each
    answer.

    Raises:
        UnrollError: the data set is not evaluated, or a run is not there or of another
            build.
    """
    folders = {key: workspace.evaluation(key) for key in every.datasets}
    built = {
        key: schema.load(folder)
        for key, folder in folders.items()
        if (folder / "evaluation.json").is_file()
    }
    if name not in built:
        raise UnrollError(
            f"{name} is not evaluated; `unroll repro evaluate@{name}` builds it"
        )
    evaluation = built[name]
    page = answers.decided(built)
    metric = evaluation.dataset.metric
    data = dataset.load(workspace.prepared(name))
    known = (
        blocks(data, "test"),
        answers.naive_error(evaluation),
        evaluation.dataset.days,
    )
    comparisons = [comparison for _, _, comparison in page if comparison]
    challenges = []
    for of_dataset, answer, compared_as in page:
        if of_dataset != name or compared_as is None or answer.opponent is None:
            continue
        fingerprints = sceptic.fingerprints(answer, evaluation)
        runs = [
            _load(workspace, every, name, *of_run) for of_run in fingerprints.items()
        ]
        of_network, of_opponent = (
            answers.pair(
                metric,
                losses_of_run(data, run, "test", search.seeds),
                of_test[None],
                *known,
            )
            for run in runs
        )
        # As on the page: one correction for all answers, in which the search's best
        # replaces the opponent.
        others = [
            comparison.pair
            for comparison in comparisons
            if comparison is not compared_as
        ]
        unfinished = compared_as.pair.unfinished[0], ""
        *_, network = decide([*others, replace(of_network, unfinished=unfinished)])
        (opponent,) = decide([of_opponent])
        challenged = answer.decided(network).outcome
        on_validation = float(
            losses_of_run(data, runs[-1], "validation", search.seeds).mean()
        )
        chosen = bool(search.validation < as_errors(metric, on_validation))
        overturned = chosen and FAVOURS.get(challenged, 0) < FAVOURS.get(
            answer.outcome, 0
        )
        challenges.append(
            Challenge(
                networks=answer.networks.value,
                fingerprints=fingerprints,
                outcome=answer.outcome.value,
                challenged=challenged.value,
                network=network.amount,
                opponent=opponent.amount,
                overturned=overturned,
            )
        )
        word = "overturned" if overturned else "not overturned"
        tell(
            f"{name}  {answer.networks}: {word}; {answer.outcome} on the page, {network}"
        )
    write_json(
        workspace.sceptic(name),
        Sceptic(search=search, challenges=challenges).model_dump(),
    )


def _load(
    workspace: Workspace, every: Params, name: str, experiment: str, fingerprint: str
) -> run_folder.Run:
    """The run of an experiment, if it has still that fingerprint."""
    run = run_folder.load_for(
        workspace.run(name, experiment), name, every.experiments[name][experiment].seeds
    )
    if brief(run.summary.fingerprint) != fingerprint:
        raise UnrollError(
            f"the run of {experiment} is of another build; `unroll repro evaluate@{name}` builds both"
        )
    return run


def losses_of_run(
    data: Dataset, run: run_folder.Run, split: str, together: int
) -> Array:
    """What each example of a split adds to the error of a run (seeds, n).

    A mean of seeds is held against the mean of as many of the run's: one row.
    """
    predictions = run.predictions[f"{run.points[-1]}_{split}"]
    if together > 1:
        predictions = predictions[:together].mean(axis=0, keepdims=True)
    return losses(data.metric, predictions, compared(data.splits[split]))
