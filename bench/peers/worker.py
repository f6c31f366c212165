"""One framework in a process of its own: `python -m bench.peers.worker`, driven by one line of JSON after the other.

`{"do": "start", "framework": NAME, "root": DIR, "workload": NAME}` builds a model and goes through a first round.
`{"do": "round"}` is one more. `{"do": "learn", "seed": 0, "steps": 3}` starts again from the first weights and gives
the mean loss of the first steps. The answer is one line too: what was measured, or `{"error": ...}`.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.peers import frameworks, workloads
from bench.peers.frameworks import Framework


class Session:
    """What the process holds from one request to the next."""

    framework: Framework

    def answer(self, request: dict[str, Any]) -> dict[str, float]:
        """Do what is asked."""
        if request["do"] == "start":
            self.__dict__.clear()  # the last one's memory
            gc.collect()
            task = workloads.load(Path(request["root"]), request["workload"])
            make = frameworks.make(request["framework"])
            began = time.perf_counter()
            self.framework = make(task)
            before = self.framework.evaluate()[1]
            self.framework.train()
            return {"before": before, "warm_up": time.perf_counter() - began}
        if request["do"] == "learn":
            self.framework.reset(request["seed"])
            return {"loss": self.framework.learn(request["steps"])}
        self.framework.reset(0)
        return {"train": self.framework.train(), "evaluate": self.framework.evaluate()[0]}


def main() -> None:
    """Answer requests until standard input ends."""
    if hasattr(os, "sched_setaffinity"):  # one core: some libraries start threads whatever they are told
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # Libraries may print: what they say goes to standard error, answers alone to standard output.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    session = Session()
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            answer = session.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller names the framework and stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
