"""Run a command and print what it cost, as JSON: `python -I -S bench/meter.py COMMAND`. Used by `bench.metering`."""

import json
import os
import subprocess
import sys
import time

MEBI = 2**20 if sys.platform == "darwin" else 2**10
"""What `ru_maxrss` counts in a MiB: bytes on macOS, else KiB."""


def main(command: list[str]) -> int:
    """Run the command, its output on standard error; print its costs as JSON and end with its status."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr)
    # Its own figures; those of RUSAGE_CHILDREN are the highest of all children so far.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"seconds": time.perf_counter() - start, "cpu": cpu, "peak": usage.ru_maxrss / MEBI}))
    return abs(process.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
