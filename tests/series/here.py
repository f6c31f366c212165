"""Models that are fitted in this process."""

import math
import time

from pipeline import processes
from pipeline.errors import explain


def run_here(calls, _jobs, _server, *, deadline=math.inf):
    """`processes.run` without a process."""
    for call in calls:
        if time.monotonic() >= deadline:
            return
        started = time.process_time()
        error = ""
        mistake = False
        try:
            call.function(*call.arguments)
        except Exception as raised:  # noqa: BLE001 - as a process does
            error = explain(raised) or f"a mistake in the code: {raised}"
            mistake = explain(raised) is None
            call.log.write_text("Traceback")
        seconds = time.process_time() - started
        yield processes.Ended(call, seconds, seconds, error, mistake)
