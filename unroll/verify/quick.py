"""`unroll verify --quick`: the miniature, built in two sets of circumstances, has to be the same bytes."""

import sys
from functools import partial

from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.verify.compare_builds import DIFFERS, Build, Output, compare
from unroll.verify.isolated_build import build_all, only
from unroll.verify.verdict import Verdict
from unroll.workspaces import checkout, miniature

FIRST, SECOND = "plain", "in an \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual place"
"""The folders of the two workspaces."""

CIRCUMSTANCES = {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8"}
"""Of the second build: another hash seed, a time zone of tomorrow, and a language with a decimal comma."""

UMASK = 0o077
"""Of the second build: nobody else may read what it writes."""


def quick(workspace: Workspace, jobs: int, *, keep: bool, quiet: bool) -> Verdict:
    """Build the miniature with the code as it is, then again in other circumstances, and compare every file.

    The second build has one job more, another folder, hash seed, time zone, language and umask. Arguments as in
    `committed.verify`.

    Raises:
        UnrollError: another `unroll verify` is at work here, or the miniature cannot be built.
        StoppedError: a build was stopped.
    """
    say = partial(print, file=sys.stderr if quiet else sys.stdout, flush=True)
    folder = workspace.root / checkout.FOLDER / "quick"
    with only(workspace):
        checkout.clear(folder)
        first, second = (miniature.make_workspace(workspace.root, folder / name) for name in (FIRST, SECOND))
        say(f"the miniature, an experiment of each kind on generated data, in {first.root}")
        build_all(first, jobs, quiet=quiet)
        named = ", ".join(f"{name}={value}" for name, value in CIRCUMSTANCES.items())
        say(f"again with --jobs {jobs + 1}, {named} and umask {UMASK:03o}, in {second.root}")
        build_all(second, jobs + 1, CIRCUMSTANCES, quiet=quiet, umask=UMASK)
        outputs = compare_bytes(first, second)
        keep = keep or not all(output.holds for output in outputs)
        if not keep:
            checkout.clear(folder)
    return Verdict(outputs, folder if keep else None)


def compare_bytes(first: Workspace, second: Workspace) -> list[Output]:
    """Compare two builds of the same graph, file by file: every output, and dvc.lock."""
    one, other = (Build(each, dvc_graph.cache(each.root)) for each in (first, second))
    outputs = compare(one, other, dvc_graph.read(first.root).needs, {}, None)
    if (first.root / dvc_graph.LOCK).read_bytes() != (second.root / dvc_graph.LOCK).read_bytes():
        outputs.append(Output("dvc", dvc_graph.LOCK, DIFFERS, reason="it has another text"))
    return outputs
