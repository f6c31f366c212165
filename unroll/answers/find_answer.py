"""The folder of the answer that a name on the command line means."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.config import params
from pipeline.errors import UsageError, one_line
from pipeline.validation import nearest
from pipeline.workspace import Workspace
from unroll.series import FILE
from unroll.terminal import DOCUMENT


def find(
    name: str, workspace: Workspace, documents: Workspace | None = None
) -> Path | None:
    """Find the folder of an answer: NAME/ or a path.

    Args:
        name: as the user typed it.
        workspace: the workspace in which answers are looked for.
        documents: the workspace whose params.yaml names data sets; by default the same.

    Returns:
        The folder; None if `name` is a data set or an experiment of params.yaml.

    Raises:
        UsageError: nothing has this name; the text names a similar name.
    """
    folder = folder_of(name, workspace)
    if folder is not None:
        return folder
    answer, _, model = name.rpartition("/")
    if answer and folder_of(answer, workspace) is not None:
        raise UsageError(
            f"{name} is a model of the answer {answer}, not an answer; "
            f"`unroll compare {answer}` shows all models, and `unroll compare "
            f"{answer}/{model} {answer}/OTHER` compares two"
        )
    others: list[str] = []
    file = (documents or workspace).params
    if file.is_file():
        config = params.load_all(file)
        others = [*config.datasets, *config.runs]
    if name in others:
        return None
    close = nearest(name.rstrip("/"), [*answers(workspace), *others])
    file_of_name = workspace.root / f"{name}.csv"
    hint = "`unroll answer FILE` makes an answer"
    if file_of_name.is_file():
        hint = f"`unroll answer {file_of_name.name}` makes an answer"
    elif close:
        hint = f"Did you mean {close}? {hint}"
    elif DOCUMENT.fullmatch(name):
        hint = f"`unroll claims {name}` is about a document"
    raise UsageError(
        one_line(f"{name!r} is no answer here, nor in params.yaml. {hint}")
    )


def refuse_answer(name: str, workspace: Workspace, advice: str) -> None:
    """Raise UsageError if a name is an answer, or a model of an answer, with advice."""
    answer = name.partition("/")[0]
    if folder_of(answer, workspace) is not None:
        raise UsageError(
            one_line(f"{answer} is the answer for a series of yours; {advice}")
        )


def require(name: str, workspace: Workspace) -> Path:
    """Return the folder of an answer.

    Raises:
        UsageError: no answer has this name.
    """
    folder = find(name, workspace)
    if folder is None:
        raise UsageError(
            f"{name} is a name of params.yaml, and a forecast needs an answer; "
            "`unroll answer FILE` makes one"
        )
    return folder


def folder_of(name: str, workspace: Workspace) -> Path | None:
    """Return the folder of an answer; None if there is none of this name."""
    folder = workspace.root / name
    return folder if (folder / FILE).is_file() else None


def pair(names: Sequence[str], workspace: Workspace) -> tuple[Path, str, str] | None:
    """Return the folder of an answer and two of its models.

    The names are such as meter/gru and meter/ridge. None means that they are not.

    Raises:
        UsageError: the models are of two answers.
    """
    if len(names) != 2:
        return None
    head, _, model = names[0].rpartition("/")
    other_head, _, other = names[1].rpartition("/")
    folder = folder_of(head, workspace) if head else None
    if folder is None or not other_head:
        return None
    if head == other_head:
        return folder, model, other
    if folder_of(other_head, workspace) is None:
        return None
    raise UsageError(
        "models of two answers are not compared; "
        f"`unroll compare {head} {other_head}` compares the two forecasts"
    )


def split(
    names: Sequence[str], workspace: Workspace, documents: Workspace
) -> tuple[list[Path], list[str]]:
    """Return the folders of the answers among some names, and the other names.

    Without names, the folders of all answers here are returned.

    Raises:
        UsageError: a name is neither an answer nor in the documents' params.yaml.
    """
    if not names:
        return [*answers(workspace).values()], []
    found = {name: find(name, workspace, documents) for name in names}
    folders = [folder for folder in found.values() if folder is not None]
    return folders, [name for name in names if found[name] is None]


def answers(workspace: Workspace) -> dict[str, Path]:
    """Return name -> folder of all answers here, in alphabetical order."""
    return {
        path.parent.name: path.parent
        for path in sorted(workspace.root.glob(f"*/{FILE}"))
    }
