"""`python -m bench sceptic`: search data sets, and hold each answer against what was best there."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.sceptic.search import search
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.data.examples import Array, compared
from pipeline.errors import UnrollError
from pipeline.evaluation import answers, sceptic, schema
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.intervals import as_errors
from pipeline.evaluation.sceptic import FAVOURS, Challenge, Sceptic, Search
from pipeline.evaluation.schema import Evaluation
from pipeline.evaluation.scores import blocks
from pipeline.evaluation.verdicts import Pair, decide
from pipeline.files import read_checked, read_npz, sha256, write_json, write_npz
from pipeline.metrics import losses
from pipeline.provenance.fingerprint import brief
from pipeline.training import run_folder
from pipeline.workspace import Workspace

Tell = Callable[[str], None]


def challenge_all(workspace: Workspace, names: Sequence[str], seconds: int, seed: int, tell: Tell) -> None:
    """Search data sets, and write what that does to their answers; without names all that the documents ask about.

    Raises:
        UsageError: there is no such data set.
        UnrollError: one that is named cannot be searched or compared; of others a line is told.
    """
    every = params.load(workspace.params)
    for name in names:
        every.dataset(name)
    for name in names or [name for name in every.datasets if name not in every.forecasts]:
        try:
            challenge(workspace, every, name, *searched(workspace, name, seconds, seed, tell), tell)
        except UnrollError as error:
            if names:
                raise
            tell(str(error))


def searched(workspace: Workspace, name: str, seconds: float, seed: int, tell: Tell) -> tuple[Search, Array]:
    """Search a prepared data set, or with 0 seconds read what was searched last; it is kept in the scratch folder.

    Returns:
        What it came to, and what each test example (n,) adds to the best model's error.

    Raises:
        UnrollError: the data set is not prepared, nothing can be chosen on it, or it was not searched.
    """
    folder, kept = workspace.prepared(name), workspace.scratch / "sceptic" / name
    if not folder.is_dir():
        raise UnrollError(f"{name} is not prepared; `unroll repro prepare@{name}` builds it")
    description = dataset.describe(folder)
    if "validation" not in description.splits:
        raise UnrollError(f"{name} has no validation split, so that no opponent is chosen for it")
    data = sha256(folder / "arrays.npz")[:12]
    if seconds:
        result, of_test = search(dataset.load(folder, calendar=bool(description.calendar)), data, seconds, seed, tell)
        write_npz(kept.with_suffix(".npz"), {"losses": of_test})
        write_json(kept.with_suffix(".json"), result.model_dump())
    elif not kept.with_suffix(".json").is_file():
        raise UnrollError(f"{name} was not searched yet; give --cpu-seconds")
    last = read_checked(kept.with_suffix(".json"), Search)
    if last.data != data:
        raise UnrollError(f"{name} was searched on other data; give --cpu-seconds")
    return last, read_npz(kept.with_suffix(".npz"))["losses"]


def challenge(workspace: Workspace, every: Params, name: str, search: Search, of_test: Array, tell: Tell) -> None:
    """Write results/sceptic/NAME.json: the search's best against the two models of each answer.

    Raises:
        UnrollError: the data set is not evaluated, or a run is not there or of another build.
    """
    folders = {key: workspace.evaluation(key) for key in every.datasets if key not in every.forecasts}
    built = {key: schema.load(folder) for key, folder in folders.items() if (folder / "evaluation.json").is_file()}
    if name not in built:
        raise UnrollError(f"{name} is not evaluated; `unroll repro evaluate@{name}` builds it")
    page, evaluation = answers.front_page(built), built[name]
    challenges = []
    for answer in page[name]:
        if answer.comparison is None:
            continue
        others = [other.comparison for of in page.values() for other in of if other is not answer]
        pairs = [other.pair for other in others if other]
        challenges.append(_challenged(workspace, every, evaluation, answer, search, of_test, pairs))
        word = "overturned" if challenges[-1].overturned else "not overturned"
        tell(f"{name}  {answer.networks}: {word}; {answer.outcome} on the page, {challenges[-1].network}")
    write_json(workspace.sceptic(name), Sceptic(search=search, challenges=challenges).model_dump())


def _challenged(
    workspace: Workspace,
    every: Params,
    evaluation: Evaluation,
    answer: Answer,
    search: Search,
    of_test: Array,
    others: Sequence[Pair],
) -> Challenge:
    """As on the page: one correction for all answers, in which the search's best replaces the opponent."""
    name, metric, fingerprints = (
        evaluation.dataset.name,
        evaluation.dataset.metric,
        sceptic.fingerprints(answer, evaluation),
    )
    data = dataset.load(workspace.prepared(name))
    against = []
    for experiment, fingerprint in fingerprints.items():
        run = run_folder.load_for(workspace.run(name, experiment), name, every.experiments[experiment].seeds)
        if brief(run.summary.fingerprint) != fingerprint:
            raise UnrollError(
                f"the run of {experiment} is of another build; `unroll repro evaluate@{name}` builds both"
            )
        of_run = losses(metric, run.predictions[f"{run.points[-1]}_test"], compared(data.splits["test"]))
        known = answers.naive_error(evaluation), evaluation.dataset.days
        against.append(answers.pair(metric, of_run, of_test[None], blocks(data, "test"), *known))
    unfinished = answer.comparison.pair.unfinished[0] if answer.comparison else ""
    *_, network = decide([*others, replace(against[0], unfinished=(unfinished, ""))])
    opponent, challenged = decide([against[1]])[0], answer.decided(network).outcome
    chosen = search.validation < as_errors(
        metric, evaluation.experiments[str(answer.opponent)].chosen["validation"][metric].mean
    )
    return Challenge(
        networks=answer.networks.value,
        fingerprints=fingerprints,
        outcome=answer.outcome.value,
        challenged=challenged.value,
        network=str(network),
        opponent=str(opponent),
        overturned=chosen and FAVOURS.get(challenged, 0) < FAVOURS.get(answer.outcome, 0),
    )
