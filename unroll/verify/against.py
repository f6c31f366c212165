"""The command `report --against`: what a commit changes in bytes, scores and verdicts, and what made it so."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json
from pipeline.report import results
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.runner.display import Estimates
from unroll.verify.compare import Build, Verification
from unroll.verify.verify import variables_of, verify
from unroll.workspaces.checkout import git

MOST = 8
"""Rows of a section, so that a report is one screen."""

WIDE = 120
"""Characters of an option that changed."""

NUMERICS = ".ci/locks/numerics.lock"

Verdicts = dict[str, tuple[str, list[str]]]
"""A question or claim in words -> the outcome, and the stages that it hangs on."""


@dataclass(frozen=True)
class ReportSection:
    """A part of the report: a table, or nothing but its title."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    def lines(self, *, markdown: bool) -> Iterator[str]:
        """It with its first rows, for a terminal or for a pull request."""
        yield f"### {self.title}" if markdown else self.title
        rows = [*self.rows[:MOST]]
        if markdown and rows:
            yield ""
            for cells in (self.columns, ["---"] * len(self.columns), *rows):
                yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        elif rows:
            wide = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
            yield from ("  " + "  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)).rstrip() for row in rows)
        if more := len(self.rows) - len(rows):
            yield f"{'' if markdown else '  '}and {more} more"


@dataclass(frozen=True)
class ChangeReport:
    """What lies between two states of a workspace.

    Attributes:
        sections: what to show, the most important first.
        flipped: verdicts that are others now.
        rebuilt: of a sample; None where none was asked for.
        unread: why the earlier verdicts are not known; empty where they are.
    """

    sections: list[ReportSection]
    flipped: int
    rebuilt: Verification | None = None
    unread: str = ""

    @property
    def holds(self) -> bool:
        """Whether no verdict flipped, and what was rebuilt is what is committed."""
        return not self.flipped and (self.rebuilt is None or self.rebuilt.holds)

    def lines(self, *, markdown: bool) -> Iterator[str]:
        """The report, for a terminal or for a pull request."""
        heading = self.unread or ("Nothing flipped." if self.holds else "Look at this.")
        yield f"## {heading}" if markdown else heading
        for section in self.sections:
            yield ""
            yield from section.lines(markdown=markdown)


def report_against(workspace: Workspace, ref: str, sample: int) -> ChangeReport:
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
        then, now = _scores(before), _scores(workspace)
    scores = [(name, then[name], score) for name, score in now.items() if then.get(name, score) != score]
    seconds = Estimates(workspace.scratch / "seconds.json")
    took = f": about {sum(map(seconds.seconds, due)):.0f} s" if due and seconds.known else ""
    since = [(stage, "; ".join(causes.of([stage]))) for stage in changed]
    sections = [
        ReportSection(f"{_count(flips, 'verdict')} flipped", ("question or claim", "before", "now", "since"), flips),
        ReportSection(f"{_count(scores, 'score')} changed", ("experiment", "before", "now"), scores),
        ReportSection(f"{_count(changed, 'stage')} with other bytes", ("stage", "since"), since),
        ReportSection(f"{_count(due, 'stage')} not built as the code is now{took}"),
    ]
    rebuilt = None
    trained = sorted((stage for stage in changed if stage.startswith("train@")), key=seconds.seconds)[:sample]
    if trained:
        rebuilt = verify(workspace, trained, 1, keep=False, quiet=True)
        sections.append(ReportSection(f"Rebuilt: {', '.join(trained)}", ("",), [[line] for line in rebuilt.lines()]))
    return ChangeReport(sections, len(flips), rebuilt, unread)


def _count(things: Sequence[Any], word: str) -> str:
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"


def _extract(root: Path, ref: str, folder: Path) -> None:
    """What is committed at `ref`, into a folder."""
    try:
        # A name that begins with a dash would be an option.
        commit = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    except UnrollError:
        raise UsageError(f"git knows no commit {ref} in {root}; a shallow clone has only the last one") from None
    git(root, "archive", f"--output={folder / 'archive.zip'}", commit)
    shutil.unpack_archive(folder / "archive.zip", folder)


def _resolved(root: Path) -> dict[str, Any]:
    """Stage -> what it depends on besides data, as `resolve` has written it; nothing where it has not."""
    folder = root / "resolved"
    return {
        path.relative_to(folder).with_suffix("").as_posix().replace("/", "@"): read_json(path)
        for path in sorted(folder.rglob("*.json"))
    }


def _scores(workspace: Workspace) -> dict[str, str]:
    """Experiment -> its score, with its interval."""
    scores = {}
    for path in sorted(workspace.root.glob("results/metrics/*/*.json")):
        metrics = read_json(path)
        low, high = metrics.get("low"), metrics.get("high")
        interval = "" if low == high else f" ({low:.5g} to {high:.5g})"
        scores[path.stem] = f"{metrics['score']:.5g}{interval}"
    return scores


def _verdicts(workspace: Workspace) -> Verdicts:
    """Raises UnrollError if an evaluation is damaged, or of another format."""
    every = params.load(workspace.params)
    documents, own = results.load(workspace, every), results.load(workspace, every, own=True)
    verdicts: Verdicts = {}
    for dataset in [*documents.built, *own.built]:
        for answer in dataset.answers:
            trained = [f"train@{name}" for name in (answer.network, answer.opponent) if name]
            stages = [*trained, f"evaluate@{dataset.name}"]
            verdicts[f"{dataset.name}: {answer.networks}"] = answer.outcome, stages
    for verdict in documents.verdicts:
        claim = verdict.claim
        stages = [f"train@{name}" for name in claim.experiments]
        verdicts[f"{claim.document}: {claim.words} ({claim.experiment})"] = verdict.outcome, stages
    return verdicts


def _flips(before: Verdicts, now: Verdicts, causes: Callable[[Sequence[str]], list[str]]) -> list[Sequence[str]]:
    """What had a verdict and has another one, or none: both, and why: other models, or changed stages."""
    flips: list[Sequence[str]] = []
    for what, (old, stages) in before.items():
        new, after = now.get(what, ("gone", stages))
        if new == old:
            continue
        if after != stages:  # other models are compared; the evaluation stands last in both
            models = [" against ".join(stage.partition("@")[2] for stage in listed[:-1]) for listed in (after, stages)]
            why = f"{models[0]}; before, {models[1]}"
        else:
            why = "; ".join(causes(stages)) or "not known, or another answer that is corrected with it"
        flips.append((what, old, new, why))
    return flips


class Causes:
    """Why stages differ from what they were at commit `ref`: params, lines of code, packages.

    `before`, `now`: stage -> what it depends on (`stages.resolve`).
    """

    def __init__(self, root: Path, ref: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        self._root, self._ref, self._before, self._now = root, ref, before, now
        self._line = cache(self._first_line)

    def of(self, stages: Sequence[str]) -> list[str]:
        """Of some stages and those before them, each cause once, at most three."""
        chains = (needed for stage in stages for needed in self._chain(stage))
        return [*dict.fromkeys(cause for stage in chains for cause in self._causes(stage))][:3]

    def _chain(self, stage: str) -> Iterator[str]:
        """The stage, the preparation of its data, their source."""
        yield stage
        verb, _, name = stage.partition("@")
        section = self._now.get(stage, {}).get("params", {})
        if verb in {"train", "evaluate"}:
            dataset = section["dataset"] if verb == "train" and section else name
            yield from self._chain(f"prepare@{dataset}")
        elif verb == "prepare" and section:
            yield f"source@{section['source']}"

    def _causes(self, stage: str) -> Iterator[str]:
        if stage not in self._before:
            return
        if stage not in self._now:
            yield f"{stage} is no stage any more"
            return
        before, now = self._before[stage], self._now[stage]
        for key, (old, new) in _unlike(before["params"], now["params"]):
            yield shorten(f"{stage.partition('@')[2]}.{key}: {old} -> {new}", WIDE, placeholder=" ...")
        for module, _ in _unlike(before["modules"], now["modules"]):
            yield self._line(module)
        if before["lock"] != now["lock"]:
            yield self._line(NUMERICS)

    def _first_line(self, module: str) -> str:
        """The first line that a change of a module, of a file beside one (`pipeline.report/page.css`) or of the lock
        has, with its file and number, and the commit's subject.
        """
        package, _, name = module.rpartition("/")
        folder = module.replace(".", "/")
        paths = (module, f"{package.replace('.', '/')}/{name}", f"{folder}.py")
        path = next((path for path in paths if (self._root / path).is_file()), f"{folder}/__init__.py")
        number, text = "", ""
        plain = ("--unified=0", "--no-color", "--no-ext-diff")
        for line in git(self._root, "diff", *plain, self._ref, "--", path).splitlines():
            if line.startswith("@@"):
                number = line.split("+")[1].split(" ")[0].split(",")[0]
            elif number and line[:1] in "+-" and line[1:].strip():
                text = line
                if line.startswith("+"):
                    break
        commits = git(self._root, "log", "--format=%h %s", f"{self._ref}..HEAD", "--", path).splitlines()
        return f"{path}:{number} {' '.join(text.split())}{f' ({commits[0]})' if commits else ' (not committed)'}"


def _unlike(before: Any, now: Any, above: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Paths at which two sections differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _unlike(before.get(key), now.get(key), f"{above}.{key}".removeprefix("."))
    elif before != now:
        yield above, (json.dumps(before), json.dumps(now))
