"""Run a command and print what it cost, as JSON: `python -I -S bench/costs/meter.py COMMAND`. See `process_cost`."""

import json
import os
import resource
import subprocess
import sys
import time

MEBI = 2**20 if sys.platform == "darwin" else 2**10
"""What `ru_maxrss` counts in a MiB: bytes on macOS, else KiB."""


def main(command: list[str]) -> int:
    """Run the command, its output on standard error; print its costs as JSON and end with its status."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(
            36, 1, 0, 0, 0
        )  # PR_SET_CHILD_SUBREAPER: a fork server outlives its parent, and is ours
    start = time.perf_counter()
    status = subprocess.run(command, check=False, stdout=sys.stderr).returncode
    seconds = time.perf_counter() - start
    try:
        while True:
            os.wait()
    except ChildProcessError:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / MEBI}))
    return abs(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
