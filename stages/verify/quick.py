"""`unroll verify --quick`: the miniature, built in two sets of circumstances, has to be the same bytes."""

import os
import subprocess
import sys
from functools import partial

from pipeline.workspace import Workspace
from stages.repro import dvc_graph
from stages.repro.dvc_lock import LOCK
from stages.verify.compare_builds import Build, compare, different_files
from stages.verify.isolated_build import build_all, only
from stages.verify.verdict import Verdict
from stages.workspaces import checkout, miniature

FIRST, SECOND = "plain", "in an \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual place"
"""The folders of the two workspaces."""

UMASK = 0o077
"""Of the second build: nobody else may read what it writes."""


def quick(workspace: Workspace, jobs: int, *, keep: bool, quiet: bool) -> Verdict:
    """Build the miniature with the code as it is, then again in other circumstances, and compare every file.

    The second build has one job more, another folder, hash seed, time zone, language and umask.

    Args:
        workspace: whose code is tried; the two workspaces are in its folder `.verify`.
        jobs: how many stages of the first build run side by side.
        keep: whether both workspaces stay; they do where something differs.
        quiet: whether standard output is for data, and everything else goes to standard error.

    Raises:
        UnrollError: another `unroll verify` is at work here, or the miniature cannot be built.
        StoppedError: a build was stopped.
    """
    say = partial(print, file=sys.stderr if quiet else sys.stdout, flush=True)
    folder = workspace.root / checkout.FOLDER / "quick"
    with only(workspace):
        checkout.clear(folder)
        first, second = (miniature.make_workspace(workspace.root, folder / name) for name in (FIRST, SECOND))
        say(f"the miniature, {len(miniature.EXPERIMENTS)} experiments on generated data, in {first.root}")
        build_all(first, jobs, quiet=quiet)
        changed = circumstances()
        named = ", ".join(f"{name}={value}" for name, value in changed.items())
        say(f"again with --jobs {jobs + 1}, {named} and umask {UMASK:03o}, in {second.root}")
        build_all(second, jobs + 1, changed, quiet=quiet, umask=UMASK)
        verdict = _compare(first, second)
        if verdict.holds and not keep:
            checkout.clear(folder)
            return verdict
    return Verdict(verdict.outputs, verdict.needs, folder, verdict.others)


def circumstances() -> dict[str, str]:
    """Variables that may change no byte: another hash seed, time zone and language."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    return {"PYTHONHASHSEED": seed, "TZ": "Pacific/Kiritimati", "LC_ALL": _language()}


def _language() -> str:
    """A language of this machine with a decimal comma if there is one, else another one, else C."""
    try:
        names = _locale("-a", language="C").split()
    except OSError:
        return "C"
    names = [name for name in names if name.lower().endswith(("utf8", "utf-8"))]
    comma = (name for name in names if _locale("decimal_point", language=name).strip() == ",")
    return next(comma, next((name for name in names if name != os.environ.get("LC_ALL")), "C"))


def _locale(argument: str, *, language: str) -> str:
    done = subprocess.run(
        ["locale", argument],  # noqa: S607  wherever it is
        env=os.environ | {"LC_ALL": language},
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    return done.stdout


def _compare(first: Workspace, second: Workspace) -> Verdict:
    one, other = Build(first, dvc_graph.cache(first.root)), Build(second, dvc_graph.cache(second.root))
    needs = dvc_graph.read(first.root).needs
    paths = [LOCK, *(path for stage in needs for path in one.outputs(stage))]
    return Verdict(compare(one, other, needs, {}, {}), needs, None, different_files(first.root, second.root, paths))
