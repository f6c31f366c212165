"""Waiting for processes to end."""

import time

from pipeline.locks import alive


def still_there(processes, seconds=60):
    """Those that do not end within so many seconds; a container may keep a dead one's number, as a zombie."""
    limit = time.monotonic() + seconds
    while running := [process for process in processes if alive(process.pid, process.create_time())]:
        if time.monotonic() > limit:
            return running
        time.sleep(0.02)
    return []
