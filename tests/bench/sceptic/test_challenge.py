import json
from dataclasses import replace

import numpy as np
import pytest

from bench.sceptic.challenge import challenge, challenge_all, losses_of_run, searched
from bench.sceptic.search import CHOICES, START, Trial, near, search
from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, compared
from pipeline.errors import UnrollError
from pipeline.evaluation import answers_file, sceptic
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.sceptic import Search
from pipeline.report.results import load
from pipeline.report.sentences import answer_text
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from tests.support import fake_runs

PARAMS = """
sources: {waves: {kind: waves}, sine: {kind: sine}}
datasets:
  waves: {source: waves, preparation: {name: waves}}
  sine_windows: {source: sine, preparation: {name: sine_windows}}
experiments:
  waves:
    last_value: {seeds: 1, model: {family: baselines, name: last_value}, training: {method: none}}
    perceptron: {seeds: 3, model: {family: dense, name: mlp}, training: {method: by_hand}}
    node: {seeds: 3, model: {family: recurrent, name: simple_rnn}, training: {method: by_hand}}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """Waves with a network of three seeds that is better than a perceptron: noise that
    nothing predicts as well."""
    workspace = Workspace(tmp_path_factory.mktemp("sceptic"))
    workspace.params.write_text(PARAMS)
    workspace.claims.write_text("[]")
    fake_runs.fill(workspace)
    evaluate(workspace, "waves")
    return workspace


def shown(workspace):
    config = params.load(workspace.params)
    answers_file.write(workspace, config)
    (evaluated,) = load(workspace, config).built
    (answer,) = evaluated.answers
    return answer, answer_text(evaluated, answer).sentence


def test_a_search_on_noise_overturns_nothing_and_what_it_did_stands_beside_the_answer(
    workspace,
):
    told = []
    challenge_all(workspace, [], 1, 0, told.append)
    assert any(
        line.startswith("sine_windows is not") or "no validation split" in line
        for line in told
    )
    answer, sentence = shown(workspace)
    written = sceptic.load(workspace.sceptic("waves"))
    assert (
        f"; not overturned in {written.search.cpu_seconds} CPU s: against the best found -9"
        in sentence
    )
    assert written.search.validation == min(written.search.kinds.values()) > 0.1
    (held,) = written.challenges
    assert (held.outcome, held.challenged, held.overturned) == (
        answer.outcome,
        "yes",
        False,
    )
    assert {*held.fingerprints} == {answer.network, answer.opponent}
    before = workspace.sceptic("waves").read_bytes()
    challenge_all(workspace, ["waves"], 0, 0, told.append)
    assert workspace.sceptic("waves").read_bytes() == before, (
        "0 seconds compare what was searched last"
    )


def test_an_answer_is_overturned_by_what_validation_prefers_alone(workspace):
    every = params.load(workspace.params)
    search_facts = {
        "data": "",
        "seed": 0,
        "cpu_seconds": 1200,
        "models": 3,
        "seeds": 1,
        "kinds": {},
    }
    exact = np.zeros(300)
    answer = shown(workspace)[0]
    for validation, ending in (
        (0.0, f"; overturned in 1,200 CPU s by a sine perceptron: {Outcome.NO}"),
        (9.0, "; not overturned in 1,200 CPU s: against the best found +"),
    ):
        best = Search(
            **search_facts,
            best="sine perceptron, units 64",
            validation=validation,
            test=0.0,
        )
        challenge(workspace, every, "waves", best, exact, lambda _: None)
        assert ending in shown(workspace)[1]
    path = workspace.evaluation("waves") / "evaluation.json"
    before = path.read_text()
    data = json.loads(before)
    data["experiments"][answer.network]["fingerprint"] = "another"
    path.write_text(json.dumps(data))
    assert shown(workspace)[1].endswith("; a sceptic searched against an earlier build")
    with pytest.raises(
        UnrollError,
        match=r"is of another build; `unroll repro evaluate@waves` builds both",
    ):
        challenge(workspace, every, "waves", best, exact, lambda _: None)
    path.write_text(before)


def test_a_mean_of_seeds_is_held_against_a_mean_of_as_many(workspace):
    answer = shown(workspace)[0]
    data = dataset.load(workspace.prepared("waves"))
    run = run_folder.load(workspace.run("waves", answer.network))
    truth = compared(data.splits["test"])
    opposite = replace(
        run,
        predictions={
            f"{run.points[-1]}_test": np.stack([truth + 1, truth - 1, truth + 9])
        },
    )
    np.testing.assert_allclose(
        losses_of_run(data, opposite, "test", 1).mean(axis=1), [1, 1, 81], rtol=1e-5
    )
    np.testing.assert_allclose(losses_of_run(data, opposite, "test", 2), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "sine_windows",
            "has no validation split, so that no opponent is chosen for it",
        ),
        ("absent", "is not prepared; `unroll repro prepare@absent` builds it"),
    ],
)
def test_what_cannot_be_searched_is_a_line(workspace, name, reason):
    with pytest.raises(UnrollError, match=f"{name} {reason}"):
        searched(workspace, name, 1, 0, print)


def test_of_words_the_ones_that_tell_the_classes_apart_are_learnt():
    random = np.random.default_rng(0)
    texts = random.integers(1, 60, (400, 12))
    classes = np.arange(400) % 2
    texts[:, 3] = 60 + classes
    splits = {
        "train": Arrays(texts[:200], classes[:200]),
        "validation": Arrays(texts[200:300], classes[200:300]),
    }
    splits["test"] = Arrays(np.where(texts == 60, 61, texts)[300:], classes[300:])
    data = Dataset("words", "classify", "accuracy", splits, vocabulary=62)
    result, right = search(data, "", 1, 0, lambda _: None)
    assert (result.validation, result.test) == (0.0, 0.5), (
        "in the test one word stands for both"
    )
    assert right.mean() == 0.5
    assert "logistic regression by naive Bayes" in result.kinds


def test_a_trial_lies_near_one_of_the_best_and_within_its_bounds():
    random = np.random.default_rng(0)
    trials = [
        Trial(kind, dict(options), 1, [], error, 1.0)
        for error, (kind, options) in enumerate(START.items())
    ]
    drawn = [near(random, trials, CHOICES) for _ in range(400)]
    kinds = [kind for kind, _ in drawn]
    assert {*kinds} == {*START}
    assert kinds.count("Gaussian process") > 2 * kinds.count("boosting")
    for kind, options in drawn:
        assert options.keys() == START[kind].keys()
        for name, value in options.items():
            choices = CHOICES[name]
            assert (
                value in choices
                if isinstance(choices, list)
                else choices[0] <= value <= choices[1]
            )
            assert type(value) is type(START[kind][name])
    assert (
        len({options["rate"] for kind, options in drawn if kind == "tanh perceptron"})
        > 5
    )
