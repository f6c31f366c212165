"""Where the CPU time of a build goes, told from outside: Python runs this file at its start, if it is on its path.

Each process keeps an account, phase -> CPU seconds, where an inner phase's seconds are not the outer one's too. When it
ends it writes `$UNROLL_BENCH_ACCOUNTS/PID.json`. Functions of the pipeline are wrapped when their module is imported;
what they compute stays as it is. A stage that the fork server forks starts an account of its own.
"""

import _thread
import atexit
import functools
import json
import os
import sys
import time
from importlib.machinery import SourceFileLoader

FOLDER = os.environ.get("UNROLL_BENCH_ACCOUNTS", "")

LIBRARIES = {"tensorflow": "import TensorFlow", "keras": "import TensorFlow", "mlflow": "import MLflow", "dvc": "DVC"}
OTHERS = "other imports"
IMPORTS = {*LIBRARIES.values(), OTHERS}

COUNTED = ("epoch", "predict")
"""Phases whose calls are kept one by one: the first ones compile, the others do not."""

WRAPPED = {
    **{f"stages.{verb}": {verb: "stage"} for verb in ("source", "prepare", "train", "evaluate", "report")},
    **{
        f"pipeline.training.methods.{method}": {"train": "train"}
        for method in ("by_hand", "least_squares", "logistic_regression", "none")
    },
    "pipeline.training.methods.gradient_descent": {"train": "compile"},
    "pipeline.training.program": {
        "Program.epoch": "epoch",
        "Program.predict": "predict",
        "Program.predict_one": "evaluate",
    },
    "pipeline.evaluation.scores": {"evaluate": "evaluate"},
    "pipeline.tracking.live": {
        **{f"Record.{name}": "MLflow" for name in ("__init__", "epoch", "finish", "close")},
        "scored": "MLflow",
    },
}
"""Module -> function -> phase. What stays with `compile` is building networks, tracing and compiling; with `stage`,
reading and writing."""


class Account:
    """What this process spends its time on."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start with nothing, as a new or forked process does."""
        self.process, self.thread = os.getpid(), _thread.get_ident()
        self.since = time.process_time()
        self.spent = {"outside": self.since}
        self.phases: list[str] = []
        self.calls: list[list[object]] = []
        self.stage = ""

    def switch(self) -> None:
        """Book the time since the last switch."""
        now = time.process_time()
        phase = self.phases[-1] if self.phases else "outside"
        self.spent[phase] = self.spent.get(phase, 0.0) + now - self.since
        self.since = now

    def write(self) -> None:
        """Book what is left, and write all down: the process ends."""
        self.switch()
        found = {"dvc": "dvc" in sys.modules, "stage": self.stage, "spent": self.spent, "calls": self.calls}
        with open(f"{FOLDER}/{self.process}.json", "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes time
            json.dump(found | {"peak": _peak()}, file)


def _peak() -> float:
    """The highest resident memory so far, in MiB. Linux' own figure does not count what a parent had."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes time
            return next(int(line.split()[1]) / 2**10 for line in file if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _within(phase: str, function, name: str = ""):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - of any kind
    """The function, its time booked as `phase`."""

    @functools.wraps(function)
    def booked(*arguments, **keywords):  # type: ignore[no-untyped-def] # noqa: ANN002, ANN003, ANN202
        process = ACCOUNT.process
        if _thread.get_ident() != ACCOUNT.thread:
            return function(*arguments, **keywords)
        ACCOUNT.switch()
        ACCOUNT.phases.append(phase)
        if phase == "stage":
            ACCOUNT.stage = " ".join([name, *arguments[1:2]])
        before = ACCOUNT.spent.get(phase, 0.0)
        try:
            return function(*arguments, **keywords)
        finally:
            if process == ACCOUNT.process:
                ACCOUNT.switch()
                ACCOUNT.phases.pop()
                if phase in COUNTED:
                    ACCOUNT.calls.append([phase, *_size(arguments[1]), ACCOUNT.spent[phase] - before])

    return booked


def _size(argument: object) -> tuple[str, int]:
    """What tells one compiled program from another, and how much work it is: steps of an epoch, examples of a split."""
    return str(getattr(argument, "shape", id(argument))), len(argument)  # type: ignore[arg-type]


def _execute(loader: SourceFileLoader, module) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - a module
    """Run a module's code as its phase, then wrap what is to be wrapped in it."""
    name = module.__name__
    now = ACCOUNT.phases[-1] if ACCOUNT.phases else ""
    phase = LIBRARIES.get(name.partition(".")[0], OTHERS)
    # A library's own dependencies are that library's cost.
    same = phase == now or (now in IMPORTS and phase == OTHERS)
    (EXECUTE if same else _within(phase, EXECUTE))(loader, module)
    for path, inner in WRAPPED.get(name, {}).items():
        holder, _, function = path.rpartition(".")
        owner = getattr(module, holder) if holder else module
        setattr(owner, function, _within(inner, getattr(owner, function), function))


def _leave(status: int) -> None:
    """End at once, as forked processes do, but with the account written."""
    ACCOUNT.write()
    EXIT(status)


if FOLDER:
    ACCOUNT = Account()
    EXECUTE, EXIT = SourceFileLoader.exec_module, os._exit
    os._exit = _leave  # type: ignore[assignment]
    SourceFileLoader.exec_module = _execute  # type: ignore[method-assign, assignment]
    os.register_at_fork(after_in_child=ACCOUNT.begin)
    atexit.register(ACCOUNT.write)
