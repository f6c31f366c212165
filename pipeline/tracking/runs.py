"""The MLflow runs of experiments: one writer, used while an experiment trains and
afterwards, for what is on disk.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.config.params import Experiment, own_name
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.evaluation.schema import Evaluation
from pipeline.provenance import fingerprint
from pipeline.provenance import record as records
from pipeline.provenance.record import Record
from pipeline.tracking import network, payload, store
from pipeline.tracking.payload import Points
from pipeline.tracking.store import Store, StoreError
from pipeline.training import run_folder
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run


class Writer:
    """The runs of one experiment, each made when it is first asked for: a parent, and a
    child for each seed.

    MLflow compares runs by the metric that they got first. So children have the curves
    of a training, and the parent has no metric before its scores (`_score`).

    Args:
        opened: the store.
        workspace: its data set must be prepared.
        name: the experiment, within its data set.
        experiment: as in params.yaml.
        live: whether it trains in this process now; else times and machine are those of
            its record, if there is one.
    """

    def __init__(
        self,
        opened: Store,
        workspace: Workspace,
        name: str,
        experiment: Experiment,
        *,
        live: bool,
    ) -> None:
        self.store = opened
        self.workspace = workspace
        self.name = name
        self.experiment = experiment
        self.data = dataset.describe(workspace.prepared(experiment.dataset))
        self.group = opened.experiment(self.data)
        self._live = live
        self._record = None if live else _record(workspace, experiment.dataset, name)
        variant = store.dvc_experiment()
        made_in = records.environment(workspace) if live else self._record
        self.label = name
        if self.data.stand_in:
            self.label += payload.MARK
        if variant:
            self.label += f" [{variant}]"
        self.tags = payload.tags(name, experiment, self.data) | (
            payload.origin(made_in) if made_in else {}
        )
        self.tags |= {"recorded": "live" if live else "replay", "place": opened.place}
        if variant:
            self.tags["dvc_experiment"] = variant
        self._ids: dict[int | None, str] = {}
        self._logged: dict[int, int] = {}  # seed -> its last epoch that is logged

    def run(self, seed: int | None = None) -> str:
        """The id of a replicate's run, or of the parent."""
        if seed not in self._ids:
            tags = self.tags | {"level": "experiment"}
            label = self.label
            own = dict[str, str]()
            if seed is not None:
                label = f"{label} seed {seed}"
                own = {"seed": str(seed)}
                tags |= own | {"level": "replicate", "mlflow.parentRunId": self.run()}
            began = _milliseconds(self._record.started) if self._record else None
            # Known before it is complete, so that whatever fails from here on, somebody
            # can end it.
            run = self.store.client.create_run(
                self.group, start_time=began, tags=tags, run_name=label
            )
            self._ids[seed] = str(run.info.run_id)
            self.store.log(
                self._ids[seed],
                params=payload.options(self.name, self.experiment) | own,
            )
        return self._ids[seed]

    def epochs(self, seed: int, points: Points) -> None:
        """Log those epochs of a replicate that are not logged yet."""
        logged = self._logged.get(seed, 0)
        new = [
            (epoch, payload.per_epoch(values))
            for epoch, values in points
            if epoch > logged
        ]
        if new:
            self.store.log(self.run(seed), new)
            self._logged[seed] = new[-1][0]

    def complete(self) -> str:
        """Add what the training left in its folder and end the runs: FINISHED with a
        fingerprint, all is there.

        Returns:
            The id of the parent.

        Raises:
            UnrollError: the run is damaged, or params.yaml describes another one by
                now; the runs are FAILED.
        """
        workspace = self.workspace
        name = self.name
        log = self.store.log
        folder = workspace.run(self.experiment.dataset, name)
        try:
            run = run_folder.load(folder)
            mark = fingerprint.folder(folder)
            made_of = run.summary.fingerprint
            if made_of["params"] != fingerprint.params(self.experiment):
                whole_name = f"{self.experiment.dataset}/{name}"
                raise UnrollError(
                    f"params.yaml says otherwise of {whole_name} by now; `unroll repro` trains it anew"
                )
            network.log(
                self.store.client,
                self.group,
                self.run(),
                workspace,
                self.experiment,
                run,
            )
            tags = {"fingerprint": mark, "brief": fingerprint.brief(made_of)}
            for seed, values in payload.summary(run.summary).items():
                self.epochs(seed, _points(run.history[run.history["seed"] == seed]))
                log(self.run(seed), [(0, values)], tags)
            for file in ("run.json", "history.csv"):
                self.store.client.log_artifact(self.run(), str(folder / file))
            if any((folder / "weights").iterdir()):
                self.store.client.log_artifacts(
                    self.run(), str(folder / "weights"), "weights"
                )
            log(self.run(), tags=tags | {"current": "true"})
            self.end("FINISHED")
        except BaseException:
            # else it would be said to be running for good
            with contextlib.suppress(Exception):
                self.end("FAILED")
            raise
        return self.run()

    def end(self, status: str) -> None:
        """End every run; one that was found on disk took no time, unless it is known
        when it was made.
        """
        client = self.store.client
        for run_id in reversed(self._ids.values()):
            ended = None if self._live else client.get_run(run_id).info.start_time
            client.set_terminated(
                run_id,
                status,
                _milliseconds(self._record.ended) if self._record else ended,
            )


def _points(curves: "pd.DataFrame") -> list[tuple[int, Mapping[str, float]]]:
    """The columns of a history by epoch, the mean where an epoch occurs more than once."""
    means = curves.drop(columns="seed").groupby("epoch").mean()
    return [*zip(map(int, means.index), means.to_dict("records"), strict=True)]


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _record(workspace: Workspace, about: str, name: str) -> Record | None:
    """Where and when the run on disk was made; None where nobody knows."""
    with contextlib.suppress(UnrollError):
        return records.read(workspace, about, name)
    return None


def replay(
    workspace: Workspace, experiments: Mapping[str, Experiment], *, new: bool = True
) -> Iterator[tuple[str, str]]:
    """Record the runs on disk of some experiments in MLflow, once, and end the runs of
    trainings that were killed.

    `experiments` are by their whole names, such as waves/gru. Yields each with what was
    done: as `record` says, "not built", or "skipped: " and the reason. Without `new`,
    what is not there is left to later. Raises UnrollError if the store cannot be used,
    or an evaluation is damaged.
    """
    built = {
        name: experiment.dataset
        for name, experiment in experiments.items()
        if (workspace.root / "runs" / name / "run.json").exists()
    }
    evaluations = {
        dataset: evaluation(workspace, dataset) for dataset in {*built.values()}
    }
    opened = (
        store.connect(workspace)
        if built or store.database(workspace).exists()
        else None
    )
    if opened is not None:
        with store.guard(opened.uri):
            end_abandoned(opened, workspace)
    for name, experiment in experiments.items():
        action = "not built"
        if opened is not None and name in built:
            try:
                with store.hold(store.experiment_lock(workspace, name), 0):
                    evaluated = evaluations[experiment.dataset]
                    action = record(
                        opened,
                        workspace,
                        own_name(name),
                        experiment,
                        evaluated,
                        new=new,
                    )
            except StoreError:
                raise
            except UnrollError as error:
                action = f"skipped: {error}"
        yield name, action


def evaluation(workspace: Workspace, about: str) -> Evaluation | None:
    """A data set's evaluation, if it is there. Raises UnrollError if it is damaged."""
    folder = workspace.evaluation(about)
    return schema.load(folder) if (folder / "evaluation.json").exists() else None


def record(
    opened: Store,
    workspace: Workspace,
    name: str,
    experiment: Experiment,
    evaluated: Evaluation | None = None,
    *,
    writer: Writer | None = None,
    new: bool = True,
) -> str:
    """Bring MLflow to what is on disk of one experiment, whose lock is held, and to the
    evaluation of its data set.

    The runs are those that were started while it trained, with all its epochs
    (`writer`), or those that have the fingerprint of what is on disk, or new ones. Says
    "recorded", "updated" (newly the current run, or its evaluation has changed),
    "present" or "not there". Raises StoreError if the store cannot be used, another
    UnrollError if the run is damaged or params.yaml describes another one by now.
    """
    mark = fingerprint.folder(workspace.run(experiment.dataset, name))
    with store.guard(opened.uri):
        group = opened.experiment(
            dataset.describe(workspace.prepared(experiment.dataset))
        )
        parent = None if writer else recorded(opened, group, name, mark)
        action = "present" if parent else "recorded"
        if parent is None:
            if not new:
                return "not there"
            writer = writer or Writer(opened, workspace, name, experiment, live=False)
            parent = opened.client.get_run(writer.complete())
        changed = _make_current(opened, group, name, parent)
        if evaluated is not None:
            changed |= _score(opened, workspace, parent, evaluated)
    return "updated" if changed and action == "present" else action


def recorded(opened: Store, group: str, name: str, mark: str) -> "Run | None":
    """The parent that holds all of the run of an experiment with this fingerprint."""
    complete = (
        run for run in _parents(opened, group, name) if run.info.status == "FINISHED"
    )
    return next(
        (run for run in complete if run.data.tags.get("fingerprint") == mark), None
    )


def _parents(opened: Store, group: str, name: str) -> list["Run"]:
    return opened.search(
        f"tags.level = 'experiment' and tags.experiment = '{name}'", group
    )


def _make_current(opened: Store, group: str, name: str, chosen: "Run") -> bool:
    """Tag one parent as the run that is on disk, and no other of its kind; says whether
    anything changed.

    An experiment of DVC is a kind of its own: it stands beside the run that it started
    from, and replaces none.
    """
    changed = False
    for run in _parents(opened, group, name):
        current = str(run.info.run_id == chosen.info.run_id).lower()
        if (
            _variant(run) == _variant(chosen)
            and run.data.tags.get("current", "false") != current
        ):
            opened.client.set_tag(run.info.run_id, "current", current)
            changed = True
    return changed


def _variant(run: "Run") -> str:
    """The experiment of DVC that a run belongs to; empty for an ordinary build."""
    return str(run.data.tags.get("dvc_experiment", ""))


def _score(
    opened: Store, workspace: Workspace, parent: "Run", evaluated: Evaluation
) -> bool:
    """Bring the metrics of the parent that is on disk, and of its children, to the
    evaluation of its data set.

    The parent's are those that `dvc metrics` has; after them, the first time, means
    over the seeds of all else. Says whether anything changed.
    """
    name = parent.data.tags["experiment"]
    entry = evaluated.experiments.get(name)
    # not evaluated since it was trained
    if entry is None or entry.fingerprint != parent.data.tags["brief"]:
        return False
    changed = _update(opened, parent, schema.metrics(evaluated).get(name, {}))
    if "parameters" not in parent.data.metrics:
        opened.log(parent.info.run_id, _means(workspace, evaluated.dataset.name, name))
        changed = True
    if changed:
        by_seed = schema.metrics_of_seeds(entry, evaluated.dataset.metric)
        children = f"tags.level = 'replicate' and tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
        for child in opened.search(children, parent.info.experiment_id):
            _update(opened, child, by_seed.get(int(child.data.tags["seed"]), {}))
    return changed


def _means(
    workspace: Workspace, about: str, name: str
) -> list[tuple[int, Mapping[str, float]]]:
    """What a training comes to, and its curves by epoch: means over the seeds."""
    run = run_folder.load(workspace.run(about, name))
    by_seed = payload.summary(run.summary)
    overall = {
        key: fmean(of_seed[key] for of_seed in by_seed.values())
        for key in by_seed[run.summary.seeds[0]]
    }
    record = _record(workspace, about, name)
    if record:
        overall["seconds"] = (
            _milliseconds(record.ended) - _milliseconds(record.started)
        ) / 1000
    curves = [
        (epoch, payload.per_epoch(values)) for epoch, values in _points(run.history)
    ]
    return [(0, overall), *curves]


def _update(opened: Store, run: "Run", metrics: Mapping[str, float]) -> bool:
    """Log the metrics that a run does not have with these values; says whether there
    were any.
    """
    changed = {
        name: value
        for name, value in metrics.items()
        if run.data.metrics.get(name) != value
    }
    opened.log(run.info.run_id, [(0, changed)])
    return bool(changed)


def describe(
    opened: Store, workspace: Workspace, answers: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Say in the description of each data set's MLflow experiment what is answered.

    Args:
        opened: the store.
        workspace: whose data sets are described.
        answers: data set -> a line for each answer.

    Returns:
        What each of these MLflow experiments is called -> where MLflow's page shows its
        runs by score.
    """
    addresses = {}
    with store.guard(opened.uri):
        for path in sorted(workspace.prepared("").glob("*/dataset.json")):
            data = dataset.describe(path.parent)
            group = opened.client.get_experiment_by_name(payload.title(data))
            if group is None:
                continue
            lines = () if data.stand_in else answers.get(data.name, ())
            for key, value in payload.experiment_tags(
                group.experiment_id, data, lines
            ).items():
                opened.client.set_experiment_tag(group.experiment_id, key, value)
            addresses[group.name] = payload.address(group.experiment_id)
    return addresses


def end_abandoned(opened: Store, workspace: Workspace) -> None:
    """End what processes of this workspace left running: they were killed, or the store
    was away when they ended.
    """
    for run in opened.search(
        f"attributes.status = 'RUNNING' and tags.place = '{opened.place}'"
    ):
        name = f"{run.data.tags['dataset']}/{run.data.tags['experiment']}"
        lock = store.experiment_lock(workspace, name, _variant(run))
        # a training that is at work holds it
        with (
            contextlib.suppress(UnrollError),
            store.hold(lock, 0),
        ):
            opened.client.set_terminated(run.info.run_id, "KILLED")
