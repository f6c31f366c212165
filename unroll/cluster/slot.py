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
from pipeline.config.params import Params
from pipeline.errors import UnrollError
from pipeline.files import remove
from pipeline.workspace import Workspace
from unroll.cluster.carrier import Carrier, Made
from unroll.runner import cleanup, dvc_graph, processes
from unroll.runner.build import Local, Stage, environment, reason
from unroll.runner.dvc_graph import Dvc
from unroll.runner.scheduler import POLL


def serve(workspace: Workspace, tasks: BinaryIO, answers: BinaryIO) -> None:
    """Build what comes in: (stage, needs it has: stage -> what was made).

    Answers (made or None, why not, output, whether another machine may have more luck).
    """
    wanted = params.load(workspace.params)
    cleanup.prune(workspace, wanted)
    networks = any(one.model.family != "baselines" for one in wanted.experiments.values())
    processes.prepare(environment(), networks=networks)
    with dvc_graph.opened(workspace.root) as dvc:
        carrier = Carrier(dvc, patient=True)
        while select.select([tasks], [], []) and tasks.peek(1):  # type: ignore[attr-defined]  # a buffered reader
            stage, needs = pickle.load(tasks)
            elsewhere = True
            try:
                made, why, elsewhere = _built(workspace, dvc, carrier, stage, needs, tasks, wanted)
            except UnrollError as error:  # the remote, or DVC
                made, why = None, str(error)
            except OSError as error:  # such as a full disk: the head should know
                made, why = None, failures.explain(error) or str(error)
            log = workspace.log(stage)
            said = log.read_bytes() if log.exists() else b""
            pickle.dump((made and pickle.dumps(made), why, said, elsewhere), answers)
            answers.flush()


def _built(
    workspace: Workspace, dvc: Dvc, carrier: Carrier, name: str, needs: dict[str, Made], tasks: BinaryIO, wanted: Params
) -> tuple[Made | None, str, bool]:
    remove(workspace.log(name))
    for need, made in needs.items():
        carrier.take(need, made)
    stage = Stage(workspace, dvc, Local(workspace), name)
    while (status := stage.poll()) is None:
        if select.select([tasks], [], [], 0)[0]:  # the input has ended: nobody waits for it any more
            stage.send_signal(signal.SIGKILL)
            os._exit(1)
        time.sleep(POLL)
    if status:
        why = reason(workspace, name)
        return None, why, status < 0 or why.startswith(failures.MACHINE)
    sent, (verb, _, key) = carrier.send(name), name.partition("@")
    # The record of where and when a training was made is none of its outputs.
    if verb == "train" and (path := workspace.record(wanted.experiments[key].dataset, key)).exists():
        sent.files[path.relative_to(workspace.root).as_posix()] = path.read_bytes()
    return sent, "", False


def main() -> None:
    """Serve in the current folder until standard input ends."""
    numerics.settle()  # as `unroll` does, before NumPy is imported: without it last bits differ
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between answers
    serve(Workspace(Path.cwd()), tasks, answers)


if __name__ == "__main__":
    main()
