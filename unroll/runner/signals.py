"""Ctrl-C and requests to end, while stages run."""

import contextlib
import signal
import threading
from collections.abc import Iterator


def terminable() -> contextlib.AbstractContextManager[None]:
    """Treat a request to end like Ctrl-C, so that no stage is left running."""
    return _handled({signal.SIGTERM: signal.default_int_handler})


def ignore_signals(*numbers: int) -> contextlib.AbstractContextManager[None]:
    """Do not listen to these signals; if none is named, neither to Ctrl-C nor to requests to end."""
    return _handled(dict.fromkeys(numbers or (signal.SIGINT, signal.SIGTERM), signal.SIG_IGN))


@contextlib.contextmanager
def _handled(handlers: dict) -> Iterator[None]:  # type: ignore[type-arg]  # signal's own types are private
    if threading.current_thread() is not threading.main_thread():  # only the main thread may
        yield
        return
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
