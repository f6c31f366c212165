"""`unroll tune` on a few dozen waves: what is searched, kept and written, and never
looked at."""

import contextlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, distribution_to_json

from pipeline import workspace as workspaces
from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.data.examples import Arrays
from pipeline.errors import DivergedError, UnrollError, UsageError
from pipeline.metrics import MEASURES
from pipeline.processes import Here
from pipeline.provenance import places
from pipeline.provenance.fingerprint import Code
from pipeline.training.recipe import Recipe, recipe
from pipeline.training.tasks import Outcome
from pipeline.workspace import Workspace
from stages import pool
from stages import train as stage
from stages.perform import perform
from stages.prepare import prepare
from stages.source import source
from tests.support import REPOSITORY
from unroll.commands.main import invoke
from unroll.tune import tune as tuning
from unroll.tune.search import NOT_CONVERGED, Attempt, Search, Training
from unroll.tune.space import current_values, space, with_values

PARAMS = """\
sources:
  waves: {kind: waves, train: 40, validation: 20, test: 20}
  sine: {kind: sine, points: 60, test_points: 20}
datasets:
  waves:
    source: waves
    preparation: {name: waves}
    seeds: 2
    training: {method: by_hand, learning_rate: 0.0001, epochs: 5}
  sine:
    source: sine
    preparation: {name: sine_points, part: interpolation}
experiments:
  waves:
    node:  # three numbers
      seeds: [7]
      model: {family: recurrent, name: simple_rnn, units: 1, head: false}
      training: {method: by_hand}
    ridge:
      model: {family: baselines, name: linear, last: 8}
      training: {method: least_squares, ridge: 1000.0}
    last_value:
      model: {family: baselines, name: last_value}
      training: {method: none}
  sine:
    dense:
      model: {family: dense, name: mlp, hidden: [4]}
      training: {method: keras, optimizer: adam, loss: mse, epochs: 2, batch_size: 16}
"""
FAMILIES = PARAMS.replace("    ridge:\n", "    ridge:\n      trials: 4\n").replace(
    "by_hand}\n    ridge", "by_hand, learning_rate: 0.001}\n      trials: 3\n    ridge"
)
OVER = "learning_rate"


def make(root, text=PARAMS):
    workspace = Workspace(root)
    root.mkdir(exist_ok=True)
    workspace.params.write_text(text, encoding="utf-8")
    for name in ("waves", "sine"):
        source(workspace, name)
        prepare(workspace, name)
    return workspace


def change_test(workspace):
    """Put other numbers into the test split."""
    data = dataset.load(workspace.prepared("waves"))
    test = data.splits["test"]
    splits = data.splits | {"test": Arrays(1 - test.inputs, 5 + test.targets)}
    dataset.save(replace(data, splits=splits), workspace.prepared("waves"))


def tune(workspace, *arguments, train=perform):
    """Search in this process: child processes take a second to start."""

    def here(*_):
        return contextlib.nullcontext(Here())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "opened", here)
        patch.setattr(stage, "perform", train)
        in_children(workspace, *arguments)


def in_children(workspace, *arguments):
    invoke(["--root", str(workspace.root), "tune", *arguments])


def outcomes(workspace):
    """The trainings that have ended: name -> bytes."""
    return {
        path.parent.name: path.read_bytes()
        for path in (workspace.scratch / "finished").glob("*/outcome.json")
    }


def paste(workspace, printed):
    """Add the entry that a search printed to params.yaml, and return its text."""
    entry = "".join(
        f"{line}\n" for line in printed.splitlines() if line.startswith("    ")
    )
    text = workspace.params.read_text(encoding="utf-8")
    name = entry.split("\n")[1].strip(" :")
    if f"    {name}:" in text:  # it takes the place of the present one
        before, _, rest = text.partition(f"    {name}:")
        after = re.split(r"(?m)^(?= {0,4}\w)", rest, maxsplit=1)[1]
        text = before + after
    text = text.replace("  sine:\n    dense:", f"{entry}  sine:\n    dense:")
    workspace.params.write_text(text, encoding="utf-8")
    return entry


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A search that was stopped after five trainings and went on, and its entry."""
    workspace = make(tmp_path_factory.mktemp("tuned"))
    left = iter(range(5))

    def five(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        perform(*arguments)

    with pytest.raises(KeyboardInterrupt):
        tune(workspace, "waves/node", "--trials", "8", "--over", OVER, train=five)
    assert len(outcomes(workspace)) == 5
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        tune(workspace, "waves/node", "--trials", "8", "--over", OVER)
    assert workspace.params.read_text(encoding="utf-8") == PARAMS
    paste(workspace, printed.getvalue())
    return workspace


def test_over_names_options_also_those_that_are_off(monkeypatch):
    runs = params.load(REPOSITORY / "params.yaml").runs
    searched = space("waves/gru", runs["waves/gru"], (50, 1), ["optimizer", "residual"])
    assert searched["residual"].choices == (False, True)
    assert "sgd" in searched["training.optimizer"].choices
    asked = []
    monkeypatch.setattr(tuning, "tune", lambda *_, over, **__: asked.extend(over))
    over = ["--over", "units,schedule", "--over", "dropout"]
    invoke(["--root", str(REPOSITORY), "tune", "waves/gru", *over])
    assert asked == ["units", "schedule", "dropout"]


def test_an_option_that_the_trials_have_and_params_yaml_lacks_is_named():
    mlp = params.load(REPOSITORY / "params.yaml").experiment("waves/tuned_mlp")
    with pytest.raises(
        UsageError, match=r"have model.hidden.9, and params.yaml does n"
    ):
        current_values("waves/tuned_mlp", mlp, ["model.hidden.9"])


def test_a_search_whose_data_have_changed_meanwhile_is_not_kept(tmp_path):
    workspace = make(tmp_path)
    config = params.load(workspace.params)
    code = Code(places.CODE)
    search = tuning.search_of(workspace, config, "waves/node", code, 2, [OVER])
    training = search.progress()[1][0]
    outcome = Outcome(value=1.0, ended="complete", cpu_seconds=1.0)
    attempts = [Attempt(training, outcome, "complete")]
    search.require_unchanged(attempts)
    change_test(workspace)
    with pytest.raises(UnrollError, match="has changed since this search began"):
        search.require_unchanged(attempts)


@pytest.fixture(scope="module")
def other_test(tmp_path_factory):
    """The same in one go, with other numbers in the test split."""
    workspace = make(tmp_path_factory.mktemp("other"))
    change_test(workspace)
    tune(workspace, "waves/node", "--trials", "8", "--over", OVER)
    return workspace


def contains(tried, value):
    """Whether a distribution includes a value."""
    if isinstance(tried, CategoricalDistribution):
        return value in tried.choices
    return value is not None and tried.low <= value <= tried.high


def test_both_ends_of_every_range_and_the_value_between_are_valid():
    searched = {}
    for name, experiment in params.load(REPOSITORY / "params.yaml").runs.items():
        try:
            searched[name] = space(name, experiment, (240, 14))
        except UsageError as error:
            assert "no option with a known range" in str(error)  # noqa: PT017 - the rest of them is tried
            continue
        now = current_values(name, experiment, searched[name])
        assert all(
            contains(tried, now[path]) for path, tried in searched[name].items()
        ), name
        for end in (0, -1):
            ends = {
                path: getattr(t, "choices", None) or (t.low, t.high)
                for path, t in searched[name].items()
            }
            values = {path: both[end] for path, both in ends.items()}
            recipe(
                params.own_name(name),
                type(experiment).model_validate(
                    with_values(experiment.model_dump(), values)
                ),
            )
    common = {
        f"training.{option}"
        for option in ("learning_rate", "schedule", "weight_decay", "batch_size")
    }
    assert set(searched["waves/gru"]) == common | {
        "model.units",
        "model.layers",
        "model.dropout",
    }
    assert set(searched["waves/dense"]) == common | {
        "model.hidden.1",
        "model.activation",
        "model.dropout",
        "model.input_dropout",
    }
    assert set(searched["waves/node"]) == {"training.learning_rate"}
    assert len(searched) > 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["waves/last_value"], "waves/last_value has no option with a known range"),
        (["sine/dense"], "sine has no validation split to choose by, and nothing is chosen on test"),
        (["waves/node", "--over", "learning_rat"], "Did you mean learning_rate?"),
        (["waves/node", "--over", "epochs"], "--over epochs: a search chooses the epochs itself"),
        (["waves/node", "--over", "patience"], "--over patience: neither the model's card nor"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line_and_changes_nothing(tuned, arguments, message):
    def files():
        return tuned.params.read_bytes(), outcomes(tuned)

    before = files()
    with pytest.raises(UsageError) as caught:
        tune(tuned, *arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files() == before


def test_the_entry_of_the_winner_can_be_pasted(tuned):
    text = tuned.params.read_text(encoding="utf-8")
    table = table_of(tuned, "node")
    how = f"{len(table)} trainings: MSE on validation 0."
    assert f"    # By `unroll tune waves/node`, {how}" in text
    best = table["options"][table["validation_mse"].idxmin()]
    experiment = params.load(tuned.params).experiment("waves/node_tuned")
    rate = experiment.training.options["learning_rate"]
    assert rate == best["training.learning_rate"] != 0.0001
    assert experiment.seeds == [7], "those of the experiment beside it"
    entry = plain_yaml.read(tuned.params)["experiments"]["waves"]["node_tuned"]
    assert entry["training"] == {
        "method": "by_hand",
        "learning_rate": rate,
        "epochs": best["training.epochs"],
    }
    assert table["options"][0]["training.learning_rate"] == 0.0001, "as it is"
    whole = [each for each in table["options"] if each["training.epochs"] == 5]
    assert 0.0001 in [each["training.learning_rate"] for each in whole], "in full, too"


def test_a_stopped_search_goes_on_as_if_it_had_not_been_and_no_number_of_test_counts(
    tuned, other_test
):
    first, second = (
        table_of(workspace, "node").drop(columns="cpu_seconds")
        for workspace in (tuned, other_test)
    )
    pd.testing.assert_frame_equal(first, second)


def test_searches_share_child_processes_and_one_that_is_killed_is_trained_again(
    tmp_path, capsys
):
    text = PARAMS.replace(
        "    ridge:", "    again:\n      like: waves/ridge\n    ridge:"
    )
    workspace = make(tmp_path / "a?b%20c#d {e} %", text)
    command = ["waves/ridge", "waves/again", "--trials", "2", "--jobs", "2"]
    with (
        workspaces.alone(workspace.scratch / "tuning/waves/ridge.lock", ""),
        pytest.raises(UnrollError, match="another process searches waves/ridge"),
    ):
        in_children(workspace, *command)
    assert len(outcomes(workspace)) == 2, "the other one was searched"
    in_children(workspace, *command)
    assert len(outcomes(workspace)) == 4
    assert len(table_of(workspace, "ridge")) == len(table_of(workspace, "again")) == 2
    assert [path.name for path in tmp_path.iterdir()] == [workspace.root.name]
    assert "waves/ridge: the search took" in capsys.readouterr().out


def test_a_training_that_fails_ends_its_search_alone_and_what_ended_is_kept(tmp_path):
    def killed(workspace, task):
        if task.name == "node-1-2":
            raise UnrollError("the system killed it")
        perform(workspace, task)

    workspace = make(tmp_path, FAMILIES)
    with pytest.raises(UnrollError, match="waves/node: the system killed it; the"):
        tune(workspace, "waves", train=killed)
    assert workspace.trials("waves", "ridge").exists()
    assert not workspace.trials("waves", "node").exists()
    trained = []

    def note(*arguments):
        trained.append(arguments[1].name)
        perform(*arguments)

    tune(workspace, "waves/node", train=note)
    assert trained[0] == "node-1-2", "the two others were kept"


def test_no_two_searches_draw_the_same_options():
    seeds = set()
    count = 0
    for name, experiment in params.load(REPOSITORY / "params.yaml").runs.items():
        if experiment.trials and experiment.share == 1:
            for number in (1, 2, 3):
                seeds.add(search_of(name, experiment, number=number).seed)
                count += 1
    assert len(seeds) == count > 100


def test_searches_of_one_model_share_no_seed():
    """Else two that end at the same options would be one draw, and count as two."""
    runs = params.load(REPOSITORY / "params.yaml").runs
    seeds = {}
    for name, experiment in runs.items():
        # Entries with other numbers of trials were searched before this rule.
        if experiment.trials == tuning.USUAL:
            first = experiment.repeats or params.own_name(name)
            seeds.setdefault((experiment.dataset, first), []).extend(experiment.seeds)
    assert len(seeds) > 3
    assert all(len(set(each)) == len(each) for each in seeds.values())


def search_of(name, experiment, trials=12, number=1, floor=0.0, **searched):
    """A search whose trainings are not performed."""
    return Search(None, name, experiment, searched, trials, "mse", floor, number, None)


def table_of(workspace, name):
    table = pd.read_csv(workspace.trials("waves", name))
    return table.assign(options=[json.loads(text) for text in table["options"]])


def test_an_experiment_with_trials_is_searched_once_from_its_own_options_and_drawn_ones(
    tmp_path, capsys
):
    workspace = make(tmp_path, FAMILIES)
    capsys.readouterr()
    tune(workspace, "waves/ridge")
    table = table_of(workspace, "ridge")
    assert len(table) == 4
    own = {"model.last": 8, "training.ridge": 1000.0}
    first, *drawn = table["options"]
    assert first == own, "so a search tries the options of its template"
    assert own not in drawn
    assert max(each["model.last"] for each in drawn) <= 50, "of the input"
    numbers = [number for each in drawn for number in each.values()]
    assert numbers == [float(f"{number:.2g}") for number in numbers]
    best = table["options"][table["validation_mse"].idxmin()]
    first = paste(workspace, capsys.readouterr().out)
    ridge = params.load(workspace.params).experiment("waves/ridge")
    assert ridge.trials == 4
    assert (ridge.model.options["last"], ridge.training.options["ridge"]) == tuple(
        best.values()
    )
    tune(workspace, "waves/ridge")
    assert "already" in capsys.readouterr().out, "what was tried is not tried again"
    workspace.params.write_text(FAMILIES, encoding="utf-8")
    tune(workspace, "waves/ridge")
    assert paste(workspace, capsys.readouterr().out) == first
    with pytest.raises(UsageError, match="Did you mean waves/ridge"):
        tune(workspace, "waves/rigde")
    workspace.params.write_text(PARAMS, encoding="utf-8")
    with pytest.raises(UnrollError, match="no experiment of waves has `trials`"):
        tune(workspace, "waves")


def test_the_best_is_trained_longer_while_that_pays_and_what_still_gains_is_marked(
    tmp_path, capsys
):
    workspace = make(tmp_path, FAMILIES)
    tune(workspace, "waves/node")
    table = table_of(workspace, "node")
    assert list(table["epochs"]) == [5, 5, 5, 10, 20, 40, 80]
    assert list(table["trial"][:3]) == [1, 2, 3]
    best = table["trial"][table["validation_mse"][:3].idxmin()]
    assert list(table["trial"][3:]) == [best] * 4, "the best of three, and on"
    assert list(table["ended"]) == [
        *["complete"] * 3,
        *["longer"] * 3,
        "longer, not converged",
    ]
    printed = capsys.readouterr().out
    assert "The error still fell with the most epochs" in printed
    paste(workspace, printed)
    node = params.load(workspace.params).experiment("waves/node")
    assert node.training.options["epochs"] == 80
    assert not node.converged
    file = workspace.trials("waves", "node")
    trained = file.read_bytes()
    file.unlink()
    workspace.params.write_text(FAMILIES, encoding="utf-8")
    # a search that was killed has all that was trained
    tune(workspace, "waves/node", train=None)
    assert file.read_bytes() == trained


def test_the_order_in_which_trainings_end_does_not_matter_and_the_best_go_on():
    experiment = params.load(REPOSITORY / "params.yaml").experiment("waves/gru")
    searched = space("waves/gru", experiment, (50, 1))
    search = search_of("waves/gru", experiment, 7, **searched)
    known = {}
    search = replace(search)
    object.__setattr__(search, "outcome", lambda each: known.get(key(each)))

    def key(training):
        return training.trial, training.epochs

    sizes = []
    while wanted := search.progress()[1]:
        sizes.append([key(training) for training in wanted])
        for training in reversed(wanted):
            known[key(training)] = Outcome(
                value=1 / (training.trial + training.epochs / 1e6),
                ended="complete",
                epochs=training.epochs,
                best_epoch=training.epochs if training.epochs == 400 else 1,
                cpu_seconds=1.0,
            )
    assert sizes == [[(trial, 400) for trial in range(1, 8)], [(7, 800)]]
    attempts = search.progress()[0]
    patience = [each.training.options["training.patience"] for each in attempts[6:]]
    assert patience == [20, 40]
    more = search_of("waves/gru", experiment, 9, **searched)
    assert more.drawn[:7] == search.drawn
    kept = [
        options[place] == value
        for options in more.drawn[1:]
        for place, value in more.own_values.items()
    ]
    assert 0.5 < np.mean(kept) < 0.9, "each option is drawn in three of ten trials"


@pytest.mark.parametrize(
    ("errors", "best_epoch", "trained", "cosine", "floor", "goes_on"),
    [
        ([1.0], 100, 100, False, 0, True),
        ([1.0], 90, 100, False, 0, False),
        ([1.0], 60, 90, True, 0, False),  # patience ended it
        ([1.0], 60, 100, True, 0, True),
        ([1.0, 0.976], 100, 100, True, 0, False),
        ([1.0, 0.974], 60, 100, True, 0, True),
        ([1.0, 0.976], 100, 100, False, 0, True),  # the first doubling beyond
        ([1.0, 0.976], 200, 200, False, 0, False),
        ([1.0, 0.976], 100, 100, True, 0.9, True),
        ([1.0, 0.998], 100, 100, True, 0.9, False),
        ([1.0, None], None, None, True, 0, False),
    ],
)
def test_more_epochs_may_gain_where_the_best_is_late_and_the_last_doubling_paid(
    errors, best_epoch, trained, cosine, floor, goes_on
):
    experiment = params.load(REPOSITORY / "params.yaml").experiment("waves/gru")
    schedule = {"training.schedule": "cosine" if cosine else "constant"}
    epochs = 200 if trained == 200 else 100
    experiment = experiment.trial(100, None)
    training = Training(1, schedule | {"training.epochs": epochs})

    def attempts(values):
        about = {"epochs": trained, "best_epoch": best_epoch, "cpu_seconds": 1.0}
        for value in values:
            outcome = Outcome(value=value, ended="complete", **about)
            yield Attempt(training, outcome, "complete")

    search = search_of("waves/gru", experiment, floor=floor)
    assert search.may_gain([*attempts(errors)]) == goes_on
    if not floor:
        accuracies = [None if error is None else 1 - error for error in errors]
        accurate = replace(search, metric="accuracy")
        assert accurate.may_gain([*attempts(accuracies)]) == goes_on


def test_options_that_do_not_fit_and_losses_that_diverge_are_trials_that_lose(
    tmp_path, monkeypatch
):
    def diverge(recipe, job):
        raise DivergedError("waves", recipe.name, 0, 1, len(job.seeds))

    def fail(*arguments):
        task = arguments[1]
        if task.name == "node-1-2":
            with monkeypatch.context() as patch:
                patch.setattr(Recipe, "train", diverge)
                perform(*arguments)
            return
        if task.name == "node-1-3":
            task.experiment.training.__pydantic_extra__["epochs"] = 0
        perform(*arguments)

    workspace = make(tmp_path, FAMILIES)
    tune(workspace, "waves/node", train=fail)
    table = table_of(workspace, "node")
    assert list(table["ended"][:2]) == ["complete", "diverged"]
    assert "training.epochs must be greater than or equal to 1" in table["ended"][2]
    assert set(table["trial"][3:]) == {1}, "only what completed goes on"
    workspace.trials("waves", "node").unlink()
    monkeypatch.setattr(Recipe, "train", diverge)
    with pytest.raises(UnrollError, match=r"none of 3 trials was completed \(diverged"):
        tune(workspace, "waves/node", "--search", "2")


def test_every_network_is_searched_alike_and_what_is_off_or_beyond_its_range_stays():
    every = params.load(REPOSITORY / "params.yaml").runs
    searched = {
        name: space(name, e, (240, 14 if "jena" in name else 1))
        for name, e in every.items()
        if e.trials
    }
    networks = [
        searched[f"shapes_seq2seq/tuned_{family}"]
        for family in ("mlp", "tcn", "lstm", "gru")
    ]
    common = (
        "training.learning_rate",
        "training.schedule",
        "training.weight_decay",
        "training.batch_size",
    )
    for option in (*common, "model.dropout"):
        assert len({distribution_to_json(space[option]) for space in networks}) == 1
    assert searched["waves/tuned_mlp"]["model.activation"].choices == (
        "relu",
        "tanh",
        "sine",
        "gelu",
    )
    assert "residual" in searched["waves/tuned_boosting"]
    assert "mirrored" in searched["waves/tuned_tcn"]
    assert "mirrored" not in searched["shapes_seq2vec/tuned_tcn"], "no symmetry there"
    extremes = ("rows.extremes", "features.extremes", "model.extremes")
    for place in (*extremes, "training.extra_targets"):
        with_place = [name for name, space in searched.items() if place in space]
        assert with_place
        assert all("jena" in name for name in with_place), "several columns"
    without = space("x/gru", every["jena_hourly/gru"], (120, 14))
    assert "training.extra_targets" not in without, "windows as they are"
    assert searched["shapes_seq2vec/tuned_readout"]["model.layers"].high == 3
    assert "model.embedding" in searched["imdb/tuned_gru"]
    assert "model.last" not in searched["waves/tuned_mlp"]
    assert (
        space("x/kernels", every["jena_hourly_exact/tuned_kernel_ridge"], (30, 14))[
            "model.last"
        ].high
        == 30
    )


def test_the_best_of_each_committed_search_is_what_params_yaml_has():
    families = {
        name: e
        for name, e in params.load(REPOSITORY / "params.yaml").runs.items()
        if e.trials
    }
    files = {
        f"{path.parent.name}/{path.stem}": path
        for path in (REPOSITORY / "results/trials").glob("*/*.csv")
    }
    assert files.keys() <= families.keys(), (
        "give these entries of params.yaml `trials`, or delete the files"
    )
    for name, path in files.items():
        table = pd.read_csv(path)
        assert table["trial"].nunique() >= families[name].trials
        assert families[name].converged == (NOT_CONVERGED not in set(table["ended"]))
        (measure,) = [column for column in table if column.startswith("validation_")]
        higher = MEASURES[measure.removeprefix("validation_")].higher
        best = json.loads(
            table["options"][
                table[measure].idxmax() if higher else table[measure].idxmin()
            ]
        )
        assert current_values(name, families[name], best) == best, name
