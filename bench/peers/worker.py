"""One framework in a process of its own: `python -m bench.peers.worker`, driven by one line of JSON after the other.

`{"do": "import", "framework": NAME}`, `{"do": "load", "framework": NAME, "root": DIR, "workload": NAME}`, then
`{"do": "evaluate"}` or `{"do": "train", "seed": 0}`, which starts again from the first weights; so does
`{"do": "learn", "seed": 0, "steps": 3}`, whose loss is that of the first steps. The answer is one line too: what was
measured, or `{"error": ...}`.
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from bench.peers import frameworks, workloads
from bench.peers.frameworks import Framework


def main() -> None:
    """Answer requests until standard input ends."""
    one_core()
    # Libraries may print: what they say goes to standard error, answers alone to standard output.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    framework: Framework | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer: dict[str, Any] = {}
            if request["do"] == "import":
                frameworks.make(request["framework"])
            elif request["do"] == "load":
                framework = None
                gc.collect()
                task = workloads.load(Path(request["root"]), request["workload"])
                framework = frameworks.make(request["framework"])(task)
            else:
                answer = measure(framework, request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller names the framework and goes on or stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def measure(framework: Framework | None, request: dict[str, Any]) -> dict[str, Any]:
    """One round."""
    if framework is None:
        raise ValueError("nothing is loaded")
    if request["do"] == "evaluate":
        seconds, loss = framework.evaluate()
        return {"seconds": seconds, "loss": loss}
    framework.reset(request["seed"])
    return {"seconds": framework.train()} if request["do"] == "train" else {"loss": framework.learn(request["steps"])}


def one_core() -> None:
    """Stay on one core, where the system knows how: some libraries start threads whatever they are told."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
