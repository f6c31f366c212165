"""A slot of a worker: a copy of the head's code in which one stage at a time is built, as `unroll repro` builds it.

Run as a process of its own in that copy, so that the code is the head's. Tasks come through standard input, answers go
to standard output. When the input ends, as it does if the worker is killed, the slot ends, and its stage with it.
"""

import os
import pickle
import select
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

from pipeline import failures, numerics
from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.files import remove
from pipeline.workspace import Workspace
from unroll.cluster.carrier import Carrier
from unroll.runner import dvc_graph, processes
from unroll.runner.build import LocalExecutor, Stage, environment, prune, reason
from unroll.runner.scheduler import POLL


def serve(workspace: Workspace, tasks: BinaryIO, answers: BinaryIO) -> None:
    """Build what comes in: (stage, the stages that it needs -> their outputs).

    Answers (outputs or None, why not, log, whether another machine may have more luck).
    """
    config = params.load(workspace.params)
    prune(workspace, config)
    networks = any(experiment.model.family != "baselines" for experiment in config.experiments.values())
    processes.prepare(environment(), networks=networks)
    with dvc_graph.opened(workspace.root) as dvc:
        carrier, executor = Carrier(dvc, patient=True), LocalExecutor(workspace)
        while select.select([tasks], [], []) and tasks.peek(1):  # type: ignore[attr-defined]  # a buffered reader
            name, needs = pickle.load(tasks)
            (verb, _, key), log = name.partition("@"), workspace.log(name)
            outputs, why, elsewhere = None, "", True
            try:
                remove(log)
                for need, its_outputs in needs.items():
                    carrier.take(need, its_outputs)
                status = _run(Stage(workspace, dvc, executor, name), tasks)
                if status:
                    why = reason(workspace, name)
                    elsewhere = status < 0 or why.startswith(failures.MACHINE)
                else:
                    outputs = carrier.send(name)
            except (UnrollError, OSError) as error:  # the remote, DVC, or such as a full disk: the head should know
                why = failures.explain(error) or str(error)
            # The record of where and when a training was made is none of its outputs.
            if (
                outputs
                and verb == "train"
                and (path := workspace.record(config.experiments[key].dataset, key)).exists()
            ):
                outputs.files[path.relative_to(workspace.root).as_posix()] = path.read_bytes()
            printed = log.read_bytes() if log.exists() else b""
            pickle.dump((outputs and pickle.dumps(outputs), why, printed, elsewhere), answers)
            answers.flush()


def _run(stage: Stage, tasks: BinaryIO) -> int:
    """The exit status of a stage, unless nobody waits for it any more: the input has ended."""
    while (status := stage.poll()) is None:
        if select.select([tasks], [], [], 0)[0]:
            stage.send_signal(signal.SIGKILL)
            os._exit(1)
        time.sleep(POLL)
    return status


def main() -> None:
    """Serve in the current folder until standard input ends."""
    numerics.settle()  # as `unroll` does, before NumPy is imported: without it last bits differ
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between answers
    serve(Workspace(Path.cwd()), tasks, answers)


if __name__ == "__main__":
    main()
