"""The command `report --against`: what a commit changes in bytes, scores and verdicts, and what made it so."""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json
from pipeline.report import results
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.runner.display import Estimates
from unroll.verify import committed
from unroll.verify.causes import Causes
from unroll.verify.compare_builds import Build
from unroll.verify.isolated_build import variables_of
from unroll.verify.verdict import Verdict, lines
from unroll.workspaces.checkout import git

MOST = 8
"""Rows of a section, so that a report is one screen."""

GONE = "gone"


@dataclass(frozen=True)
class Section:
    """A part of the report: a table, or nothing but its title."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Change:
    """What lies between two states of a workspace.

    Attributes:
        sections: what to show, the most important first.
        flipped: verdicts that are others now.
        rebuilt: of a sample; None where none was asked for.
        unread: why the earlier verdicts are not known; empty where they are.
    """

    sections: list[Section]
    flipped: int
    rebuilt: Verdict | None = None
    unread: str = ""

    @property
    def holds(self) -> bool:
        """Whether no verdict flipped, and what was rebuilt is what is committed."""
        return not self.flipped and (self.rebuilt is None or self.rebuilt.holds)


def change(workspace: Workspace, ref: str, sample: int) -> Change:
    """Compare what is in a workspace with what was committed at `ref`.

    As many changed trainings as `sample` says are rebuilt from the last commit, the cheapest first.

    Raises:
        UsageError: git does not know `ref`.
        UnrollError: a file is damaged, or the sample cannot be built.
    """
    root = workspace.root
    with tempfile.TemporaryDirectory() as temporary:
        before = Workspace(Path(temporary))
        _extract(root, ref, before.root)
        # That files lie elsewhere, as a clone's outputs do, says nothing of a change.
        due = dvc_graph.read(root).due(absent=False)  # after `resolve`
        command, variables = [sys.executable, "-m", "unroll", "resolve"], variables_of(before.root)
        # By the earlier code, whose params may not be ours; if it fails, no causes are known.
        subprocess.run(command, check=False, cwd=before.root, env=variables, capture_output=True)
        causes = Causes(root, ref, _resolved(before.root), _resolved(root))
        old, new = Build(before, root), Build(workspace, root)
        both = [stage for stage in new.stages if stage in old.stages and stage != "resolve"]
        changed = [stage for stage in both if new.outputs(stage) != old.outputs(stage)]
        try:
            verdicts, unread = _verdicts(before), ""
        except UnrollError as error:
            verdicts, unread = {}, f"The verdicts before cannot be read by this code: {error}"
        flips = _flips(verdicts, _verdicts(workspace), causes.of)
        scores = _scores(before, workspace)
    seconds = Estimates(workspace.scratch / "seconds.json")
    trained = sorted((stage for stage in changed if stage.startswith("train@")), key=seconds.seconds)
    took = f": about {sum(map(seconds.seconds, due)):.0f} s" if due and seconds.known else ""
    since = [(stage, "; ".join(causes.of([stage]))) for stage in changed]
    sections = [
        Section(f"{_count(flips, 'verdict')} flipped", ("question or claim", "before", "now", "since"), flips),
        Section(f"{_count(scores, 'score')} changed", ("experiment", "before", "now"), scores),
        Section(f"{_count(changed, 'stage')} with other bytes", ("stage", "since"), since),
        Section(f"{_count(due, 'stage')} not built as the code is now{took}"),
    ]
    rebuilt = None
    if sample and trained:
        rebuilt = committed.verify(workspace, trained[:sample], 1, keep=False, quiet=True)
        sections.append(Section(f"Rebuilt: {', '.join(trained[:sample])}", ("",), [[line] for line in lines(rebuilt)]))
    return Change(sections, len(flips), rebuilt, unread)


def _count(of: Sequence[Any], word: str) -> str:
    return f"{len(of)} {word}{'s' * (len(of) != 1)}"


def _extract(root: Path, ref: str, folder: Path) -> None:
    """What is committed at `ref`, into a folder."""
    try:
        # A name that begins with a dash would be an option.
        commit = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    except UnrollError:
        raise UsageError(f"git knows no commit {ref} in {root}; a shallow clone has only the last one") from None
    packed = folder / "archive.tar"
    git(root, "archive", f"--output={packed}", commit)
    with tarfile.open(packed) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python before 3.11.4 knows no filter
        archive.extractall(folder)  # noqa: S202 - what git packed above


def _resolved(root: Path) -> dict[str, Any]:
    """Stage -> what it depends on besides data, as `resolve` has written it; nothing where it has not."""
    folder = root / "resolved"
    return {
        path.relative_to(folder).with_suffix("").as_posix().replace("/", "@"): read_json(path)
        for path in sorted(folder.rglob("*.json"))
    }


Verdicts = Mapping[str, tuple[str, int, list[str]]]
"""A question or claim in words -> the outcome, how many answers share its correction, the stages that it hangs on."""


def _verdicts(workspace: Workspace) -> Verdicts:
    """Raises UnrollError if an evaluation is damaged, or of another format."""
    wanted, said = params.load(workspace.params), dict[str, tuple[str, int, list[str]]]()
    found, own = results.load(workspace, wanted), results.load(workspace, wanted, own=True)
    shared = sum(each.comparison is not None for one in found.built for each in one.answers)
    for one in [*found.built, *own.built]:
        for each in one.answers:
            stages = [*(f"train@{name}" for name in (each.network, each.opponent) if name), f"evaluate@{one.name}"]
            said[f"{one.name}: {each.networks}"] = each.outcome, shared if each.comparison else 0, stages
    for verdict in found.verdicts:
        claim = verdict.claim
        stages = [f"train@{name}" for name in claim.experiments]
        said[f"{claim.document}: {claim.words} ({claim.experiment})"] = verdict.outcome, 0, stages
    return said


def _flips(before: Verdicts, now: Verdicts, causes: Callable[[Sequence[str]], list[str]]) -> list[Sequence[str]]:
    """What had a verdict and has another one, or none: both, and why: other models, changed stages, a correction."""
    found: list[Sequence[str]] = []
    for what, (old, few, stages) in before.items():
        new, many, of = now.get(what, (GONE, 0, stages))
        if new != old:
            others = "" if of == stages else _others(stages, of)
            then = f"; before, {few}" if few != many else ", of which others changed"
            shared = f"{many} answers share one correction{then}" if few and many else ""
            why = others or "; ".join(causes([*dict.fromkeys([*stages, *of])])) or shared or "not known"
            found.append((what, old, new, why))
    return found


def _others(before: Sequence[str], now: Sequence[str]) -> str:
    """Which models are compared now, and which were; the evaluation stands last in both."""
    new, old = (" against ".join(stage.partition("@")[2] for stage in of[:-1]) for of in (now, before))
    return f"{new}; before, {old}"


def _scores(before: Workspace, now: Workspace) -> list[tuple[str, str, str]]:
    old, new = (
        {path.stem: _score(read_json(path)) for path in sorted(each.root.glob("results/metrics/*/*.json"))}
        for each in (before, now)
    )
    return [(name, old[name], said) for name, said in new.items() if name in old and old[name] != said]


def _score(found: Mapping[str, float]) -> str:
    if "low" not in found or found["low"] == found["high"]:
        return f"{found['score']:.5g}"
    return f"{found['score']:.5g} ({found['low']:.5g} to {found['high']:.5g})"


def text(found: Change, *, markdown: bool) -> Iterator[str]:
    """The report, a line each: for a terminal, or for a pull request."""
    heading = found.unread or ("Nothing flipped." if found.holds else "Look at this.")
    yield f"## {heading}" if markdown else heading
    for section in found.sections:
        yield ""
        yield f"### {section.title}" if markdown else section.title
        rows = [*section.rows[:MOST]]
        if markdown and rows:
            yield ""
            yield f"| {' | '.join(section.columns)} |"
            yield f"| {' | '.join('---' for _ in section.columns)} |"
            yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
        elif rows:
            wide = [max(map(len, each)) for each in zip(*rows, strict=True)]
            yield from ("  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)).rstrip() for row in rows)
        if more := len(section.rows) - len(rows):
            yield f"{'' if markdown else '  '}and {more} more"
