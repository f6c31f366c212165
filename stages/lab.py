"""Document 003's assignment, in the form that its specification asks for: N, D or R."""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pipeline import networks, params, registry
from pipeline.dataset import Dataset
from pipeline.metrics import mse
from pipeline.params import Params
from pipeline.problem import problem
from pipeline.recipe import recipe
from pipeline.run import Job
from pipeline.sources import Context
from pipeline.storage import Workspace

PARTS = {"N": "waves_last_value", "D": "waves_perceptron", "R": "waves_node"}
"""The letter of the assignment -> the experiment that answers it."""


def lab(
    workspace: Workspace,
    part: str,
    *,
    epochs: int = 10,
    rate: float | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Generate the waves, train, and say the test set's mean squared error after every epoch.

    Args:
        workspace: params.yaml gives the waves, the models and the learning rates.
        part: N (naive: the last value), D (dense: a perceptron) or R (one recurrent node); small letters too.
        epochs: passes over the train set.
        rate: learning rate; None for that of params.yaml.
        seed: of the first weights. The data are always those of params.yaml.
        say: given each line.

    Raises:
        UsageError: another letter, or the experiment behind it was removed from params.yaml.
    """
    name = PARTS[registry.one_of(part.upper(), PARTS, "the part")]
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    dataset = _waves(every, experiment.dataset)
    say(f"{len(dataset.splits['train']):,} series to train on, {len(dataset.splits['test']):,} to test on")
    if part.upper() == "N":
        found = recipe(name, experiment)
        job = Job(name, dataset, partial(found.build, problem(dataset), **found.model), (seed,))
        predictions = found.train(job, **found.training).replicates[0].predictions["final_test"]
        say(f"last value: test MSE {mse(predictions, dataset.splits['test'].targets):.6f}")
        return
    options = experiment.training.model_dump() | {"epochs": epochs} | ({} if rate is None else {"learning_rate": rate})
    found = recipe(name, experiment.model_copy(update={"training": type(experiment.training).model_validate(options)}))
    networks.start()

    def on_epoch(_seed: int, epoch: int, values: Mapping[str, float]) -> None:
        say(f"epoch {epoch}: test MSE {values['test_mse']:.6f}")

    build = partial(found.build, problem(dataset), **found.model)
    found.train(Job(name, dataset, build, (seed,), on_epoch), **found.training)


def _waves(every: Params, name: str) -> Dataset:
    """The data set, made in a folder that is thrown away."""
    section = every.dataset(name)
    source = every.source(section.source)
    produce = registry.module("sources", source.kind, f"params.yaml: sources.{section.source}.kind").produce
    where = f"datasets.{name}.preparation"
    prepare = registry.module("datasets", section.preparation.name, f"params.yaml: {where}.name").prepare
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        context = Context(section.source, folder, folder, None, lambda _file, _bytes, _total: None)
        produce(folder, context, **registry.options(produce, source.options, f"sources.{section.source}"))
        dataset: Dataset = prepare(name, folder, **registry.options(prepare, section.preparation.options, where))
    return dataset
