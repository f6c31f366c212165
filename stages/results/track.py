"""`unroll track`: record in MLflow every run on disk that is not there yet."""

from pipeline.config import params
from pipeline.tracking.replay import replay
from pipeline.workspace import Workspace


def track(workspace: Workspace) -> list[tuple[str, str]]:
    """Replay the runs on disk into MLflow, with a progress bar on a terminal.

    Returns:
        (experiment, action); see `pipeline.tracking.replay.replay`.

    Raises:
        UnrollError: the store is damaged, locked, or cannot be reached.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    wanted = params.load(workspace.params)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("MLflow", total=None)
        return replay(
            workspace, wanted, lambda name, done, total: bar.update(task, description=name, completed=done, total=total)
        )
