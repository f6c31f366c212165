"""`unroll tune` on a few dozen waves: what is searched, kept and written, and never
looked at."""

import contextlib
import io
import json
import re
from dataclasses import replace

import optuna
import pandas as pd
import pytest
from optuna.distributions import distribution_to_json
from sqlalchemy import URL

from pipeline import workspace as workspaces
from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.data.examples import Arrays
from pipeline.errors import UnrollError, UsageError
from pipeline.metrics import MEASURES
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from tests.support import REPOSITORY
from unroll.commands.main import invoke
from unroll.tune import study
from unroll.tune import tune as tuning
from unroll.tune.space import contains, current_values, space, with_values
from unroll.tune.study import Attempt, Search
from unroll.tune.tune import NOT_CONVERGED, may_gain

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
OVER = "learning_rate=0.00001:0.01"


def make(root, text=PARAMS):
    workspace = Workspace(root)
    root.mkdir(exist_ok=True)
    workspace.params.write_text(text, encoding="utf-8")
    for name in ("waves", "sine"):
        source(workspace, name)
        prepare(workspace, name)
    return workspace


def tune(workspace, *arguments):
    invoke(["--root", str(workspace.root), "tune", *arguments])


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


def load_study(workspace, name="waves/node"):
    file = workspace.scratch / "tuning" / f"{name}.db"
    storage = URL.create("sqlite", database=str(file)).render_as_string()
    return optuna.load_study(study_name=None, storage=storage)


def trials(workspace, name="waves/node"):
    return load_study(workspace, name).get_trials()


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A study that was stopped after three trials and went on to eight, and its entry."""
    workspace = make(tmp_path_factory.mktemp("tuned"))
    tune(workspace, "waves/node", "--trials", "3", "--over", OVER)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        tune(workspace, "waves/node", "--trials", "8", "--over", OVER)
    assert workspace.params.read_text(encoding="utf-8") == PARAMS
    paste(workspace, printed.getvalue())
    return workspace


@pytest.fixture(scope="module")
def other_test(tmp_path_factory):
    """The same in one go, with other numbers in the test split."""
    workspace = make(tmp_path_factory.mktemp("other"))
    data = dataset.load(workspace.prepared("waves"))
    test = data.splits["test"]
    splits = data.splits | {"test": Arrays(1 - test.inputs, 5 + test.targets)}
    dataset.save(replace(data, splits=splits), workspace.prepared("waves"))
    tune(workspace, "waves/node", "--trials", "8", "--over", OVER)
    return workspace


def test_both_ends_of_every_range_and_the_value_between_are_valid():
    searched = {}
    for name, experiment in params.load(REPOSITORY / "params.yaml").runs.items():
        try:
            searched[name] = space(name, experiment, 240)
        except UsageError as error:
            assert "no number with a known range" in str(error)  # noqa: PT017 - the rest of them is tried
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
    }
    assert set(searched["waves/node"]) == {"training.learning_rate"}
    assert len(searched) > 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["waves/last_value"], "waves/last_value has no number with a known range; pass --over OPTION=LOW:HIGH"),
        (["sine/dense"], "sine has no validation split to choose by, and nothing is chosen on test"),
        (["waves/node", "--over", "learning_rat"], "Did you mean learning_rate?"),
        (["waves/node", "--over", "learning_rate=1:99"], "rate=1:99: each value must be less than or equal to 10"),
        (["waves/node", "--over", "units=9:2"], "units=9:2: a range is LOW:HIGH, such as 1:100"),
        (["waves/node", "--over", "units=a:9"], "units=a:9: each value must be a valid integer"),
        (["waves/node", "--over", "patience"], "patience: give a range, as in --over patience=1:100; it is None now"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line_and_changes_nothing(tuned, arguments, message):
    def files():
        kept = (tuned.scratch / "tuning" / "waves").glob("*.db")
        return {path: path.read_bytes() for path in [tuned.params, *kept]}

    before = files()
    with pytest.raises(UsageError) as caught:
        tune(tuned, *arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files() == before


def test_the_entry_of_the_winner_can_be_pasted(tuned):
    text = tuned.params.read_text(encoding="utf-8")
    assert (
        "    # By `unroll tune waves/node`, 14 trainings: MSE on validation 0." in text
    )
    table = table_of(tuned, "node")
    best = table["options"][table["validation_mse"].idxmin()]
    experiment = params.load(tuned.params).experiment("waves/node_tuned")
    rate = experiment.training.options["learning_rate"]
    assert rate == best["training.learning_rate"] != 0.0001
    assert experiment.seeds == [0, 1]  # the data set's
    entry = plain_yaml.read(tuned.params)["experiments"]["waves"]["node_tuned"]
    assert entry["training"] == {
        "method": "by_hand",
        "learning_rate": rate,
        "epochs": best["training.epochs"],
    }
    assert trials(tuned)[0].params == {"training.learning_rate": 0.0001}, (
        "the experiment as it is"
    )


def test_a_stopped_study_goes_on_as_if_it_had_not_been_and_no_number_of_test_counts(
    tuned, other_test
):
    each = [
        [(t.params, t.value, t.state) for t in trials(workspace)]
        for workspace in (tuned, other_test)
    ]
    assert each[0] == each[1]
    assert len(each[0]) == 8
    files = [workspace.trials("waves", "node") for workspace in (tuned, other_test)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_trials_of_a_killed_search_are_trained_by_the_next_one(tmp_path):
    workspace = make(tmp_path)
    tune(workspace, "waves/ridge", "--trials", "2")
    first = trials(workspace, "waves/ridge")[0]
    lost = load_study(workspace, "waves/ridge").ask(first.distributions)
    with (
        workspaces.alone(workspace.scratch / "tuning/waves/ridge.lock", ""),
        pytest.raises(UnrollError, match="another process searches waves/ridge"),
    ):
        tune(workspace, "waves/ridge", "--trials", "3")
    tune(workspace, "waves/ridge", "--trials", "3")
    every = trials(workspace, "waves/ridge")
    states = [trial.state.name for trial in every]
    assert states == ["COMPLETE"] * 2 + ["FAIL", "COMPLETE"]
    assert every[3].params == lost.params


def test_a_trial_that_is_interrupted_is_begun_anew(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    workspace = make(tmp_path / "a?b%20c#d {e} %")
    with monkeypatch.context() as patch:
        patch.setattr(study, "train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tune(workspace, "waves/ridge", "--trials", "2")
    tune(workspace, "waves/ridge", "--trials", "1")
    first, again = trials(workspace, "waves/ridge")
    assert (first.state.name, again.state.name) == ("FAIL", "COMPLETE")
    assert [path.name for path in tmp_path.iterdir()] == [workspace.root.name]
    assert again.params == first.params == {"model.last": 8, "training.ridge": 1000.0}


def test_no_two_searches_draw_the_same_options():
    seeds = set()
    count = 0
    for name, experiment in params.load(REPOSITORY / "params.yaml").runs.items():
        if experiment.trials and experiment.share == 1:
            for number in (1, 2, 3):
                search = Search(name, experiment, None, {}, 12, number)
                seeds |= {search.seed(trial) for trial in range(12)}
                count += 12
    assert len(seeds) == count > 1500


def test_a_damaged_study_is_one_line_and_other_ranges_have_another_one(
    tmp_path, capsys
):
    workspace = make(tmp_path)
    tune(workspace, "waves/ridge", "--trials", "1")
    assert "has the best options of waves/ridge already" in capsys.readouterr().out
    tune(workspace, "waves/ridge", "--trials", "1", "--over", "ridge=1:2000")
    storage = f"sqlite:///{workspace.scratch / 'tuning' / 'waves' / 'ridge'}.db"
    assert len(optuna.get_all_study_names(storage)) == 2
    (workspace.scratch / "tuning" / "waves" / "ridge.db").write_bytes(
        b"no database at all" * 99
    )
    with pytest.raises(
        UnrollError,
        match=r"ridge.db cannot be used \(file is not a database\); move it away",
    ):
        tune(workspace, "waves/ridge", "--trials", "2")


def table_of(workspace, name):
    table = pd.read_csv(workspace.trials("waves", name))
    return table.assign(options=[json.loads(text) for text in table["options"]])


def test_an_experiment_with_trials_is_searched_once_from_drawn_options_alone(
    tmp_path, capsys
):
    workspace = make(tmp_path, FAMILIES)
    capsys.readouterr()
    tune(workspace, "waves/ridge")
    table = table_of(workspace, "ridge")
    assert len(table) == 4
    own = {"model.last": 8, "training.ridge": 1000.0}
    assert own not in [*table["options"]], "all are drawn, so searches are independent"
    assert max(each["model.last"] for each in table["options"]) <= 50, "of the input"
    numbers = [number for each in table["options"] for number in each.values()]
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
    tmp_path, capsys, monkeypatch
):
    workspace = make(tmp_path, FAMILIES)
    tune(workspace, "waves/node")
    table = table_of(workspace, "node")
    assert list(table["ended"][:3]) == ["complete"] * 3
    assert list(table["epochs"][:3]) == [5] * 3
    longer = table[3:].sort_values(["epochs", "trial"])
    assert list(longer["epochs"]) == [10, 10, 10, 20, 40, 80]
    assert list(longer["trial"][:3]) == [1, 2, 3], "each of three trials is promoted"
    best_of_longer = longer["trial"][longer["validation_mse"][:3].idxmin()]
    assert list(longer["trial"][3:]) == [best_of_longer] * 3
    assert list(longer["ended"]) == ["longer"] * 5 + ["longer, not converged"]
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
    monkeypatch.setattr(tuning, "train", None)
    tune(workspace, "waves/node")
    assert file.read_bytes() == trained


@pytest.mark.parametrize(
    ("errors", "best_epoch", "trained", "cosine", "goes_on"),
    [
        ([1.0], 100, 100, False, True),
        ([1.0], 90, 100, False, False),
        ([1.0], 60, 90, True, False),  # patience ended it
        ([1.0], 60, 100, True, True),
        ([1.0, 0.981], 100, 100, True, False),
        ([1.0, 0.979], 100, 100, False, True),
        ([1.0, None], None, None, True, False),
    ],
)
def test_more_epochs_may_gain_where_the_best_is_late_and_the_last_doubling_paid(
    errors, best_epoch, trained, cosine, goes_on
):
    attempts = [Attempt(error, "complete", trained, best_epoch, {}) for error in errors]
    training = {"schedule": "cosine" if cosine else "constant"}
    assert may_gain(attempts, 100, training, higher=False) == goes_on
    accuracies = [
        replace(a, value=None if a.value is None else 1 - a.value) for a in attempts
    ]
    assert may_gain(accuracies, 100, training, higher=True) == goes_on


def test_only_trials_that_come_to_an_end_count_up_to_twice_as_many(
    tmp_path, monkeypatch
):
    workspace = make(tmp_path, FAMILIES)
    ended = iter([1.0, None, 0.5, None, 0.2, *[None] * 99])
    monkeypatch.setattr(
        study,
        "train",
        lambda *_: Attempt(
            value := next(ended),
            "complete" if value else "diverged",
            None,
            None,
            {},
        ),
    )
    tune(workspace, "waves/ridge")
    assert (
        list(table_of(workspace, "ridge")["ended"])
        == ["complete", "diverged"] * 2 + ["complete"] + ["diverged"] * 3
    )


def test_a_data_set_has_each_experiment_with_trials_searched_and_one_fault_stops_no_other(
    tmp_path, capsys, monkeypatch
):
    def train(search, *_):
        if search.name == "waves/node":
            raise UnrollError("no memory")
        return Attempt(1.0, "complete", None, None, {})

    workspace = make(tmp_path, FAMILIES)
    monkeypatch.setattr(study, "train", train)
    with pytest.raises(UnrollError, match="no memory"):
        tune(workspace, "waves")
    assert "waves/node: no memory" in capsys.readouterr().out
    assert workspace.trials("waves", "ridge").exists()
    assert not workspace.trials("waves", "node").exists()


def test_every_network_is_searched_alike_and_what_is_off_or_beyond_its_range_stays():
    every = params.load(REPOSITORY / "params.yaml").runs
    searched = {name: space(name, e, 240) for name, e in every.items() if e.trials}
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
    )
    assert "model.embedding" in searched["imdb/tuned_gru"]
    assert "model.last" not in searched["waves/tuned_mlp"]
    assert (
        space("x/kernels", every["jena_hourly_exact/tuned_kernel_ridge"], 30)[
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
    assert files.keys() <= families.keys()
    for name, path in files.items():
        table = pd.read_csv(path)
        assert (table["ended"] == "complete").sum() == families[name].trials
        assert families[name].converged == (NOT_CONVERGED not in set(table["ended"]))
        (measure,) = [column for column in table if column.startswith("validation_")]
        higher = MEASURES[measure.removeprefix("validation_")].higher
        best = json.loads(
            table["options"][
                table[measure].idxmax() if higher else table[measure].idxmin()
            ]
        )
        assert current_values(name, families[name], best) == best, name
