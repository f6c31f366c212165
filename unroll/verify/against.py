"""The command `report --against`: which outputs, scores and verdicts changed since a commit, and what caused it."""

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

from pipeline.config import extensions, params
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_checked, read_json
from pipeline.provenance.machine import NUMERICS
from pipeline.report import results
from pipeline.validation import Numbers
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.runner.display import Estimates
from unroll.verify.compare import Build, Verification
from unroll.verify.verify import variables_of, verify
from unroll.workspaces.checkout import git

MAX_ROWS = 8
"""Rows of a section, so that a report fits on one screen."""

MAX_WIDTH = 120
"""Characters of a line about an option that changed."""

Verdicts = dict[str, tuple[str, list[str]]]
"""A question or claim in words -> the outcome, and the stages that it depends on, the evaluation last."""


@dataclass(frozen=True)
class ReportSection:
    """A part of the report: a title, with or without a table."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    def lines(self, *, markdown: bool) -> Iterator[str]:
        """The title and the first rows, for a terminal or for a pull request."""
        yield f"### {self.title}" if markdown else self.title
        rows = [*self.rows[:MAX_ROWS]]
        if markdown and rows:
            yield ""
            for cells in (self.columns, ["---"] * len(self.columns), *rows):
                yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        elif rows:
            widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
            for row in rows:
                yield "  " + "  ".join(f"{c:<{width}}" for c, width in zip(row, widths, strict=True)).rstrip()
        if more := len(self.rows) - len(rows):
            yield f"{'' if markdown else '  '}and {more} more"


@dataclass(frozen=True)
class ChangeReport:
    """The differences between two states of a workspace.

    Attributes:
        sections: the most important first.
        flipped: how many verdicts changed.
        rebuilt: the verification of a sample of trainings; None without a sample.
        unreadable: why the earlier verdicts cannot be read; else empty.
    """

    sections: list[ReportSection]
    flipped: int
    rebuilt: Verification | None = None
    unreadable: str = ""

    @property
    def holds(self) -> bool:
        """Whether no verdict changed, and the sample's rebuild equals what is committed."""
        return not self.flipped and (self.rebuilt is None or self.rebuilt.holds)

    def lines(self, *, markdown: bool) -> Iterator[str]:
        """The report, for a terminal or for a pull request."""
        heading = self.unreadable or ("Nothing flipped." if self.holds else "Look at this.")
        yield f"## {heading}" if markdown else heading
        for section in self.sections:
            yield ""
            yield from section.lines(markdown=markdown)


def report_against(workspace: Workspace, ref: str, sample: int) -> ChangeReport:
    """Compare a workspace with what was committed at `ref`.

    Of the changed trainings, the `sample` cheapest ones are rebuilt from the last commit.

    Raises:
        UsageError: git does not know `ref`.
        UnrollError: a file is damaged, or the sample cannot be built.
    """
    root = workspace.root
    with tempfile.TemporaryDirectory() as temporary:
        before = Workspace(Path(temporary))
        _extract(root, ref, before.root)
        # Outputs that are only absent, as all are in a clone, are no change. This also writes resolved/ of now.
        due = dvc_graph.read(root).due(absent=False)
        command, variables = [sys.executable, "-P", "-m", "unroll", "resolve"], variables_of(before.root)
        # By the earlier code, since today's may not read the earlier params.yaml; if it fails, causes stay unknown.
        subprocess.run(command, check=False, cwd=before.root, env=variables, capture_output=True)
        causes = Causes(root, ref, _resolved(before.root), _resolved(root))
        old, new = Build(before, root), Build(workspace, root)
        stages = [stage for stage in new.stages if stage in old.stages and stage != "resolve"]
        changed = [stage for stage in stages if new.outputs(stage) != old.outputs(stage)]
        try:
            verdicts, unreadable = _verdicts(before), ""
        except UnrollError as error:
            verdicts, unreadable = {}, f"The verdicts before cannot be read by this code: {error}"
        flips = _flips(verdicts, _verdicts(workspace), causes.of)
        old_scores, new_scores = _scores(before), _scores(workspace)
    scores = [(name, old_scores[name], now) for name, now in new_scores.items() if old_scores.get(name, now) != now]
    estimates = Estimates(workspace.scratch / "seconds.json")
    duration = f": about {sum(map(estimates.seconds, due)):.0f} s" if due and estimates.known else ""
    stage_causes = [(stage, "; ".join(causes.of([stage]))) for stage in changed]
    sections = [
        ReportSection(f"{_count(flips, 'verdict')} flipped", ("question or claim", "before", "now", "since"), flips),
        ReportSection(f"{_count(scores, 'score')} changed", ("experiment", "before", "now"), scores),
        ReportSection(f"{_count(changed, 'stage')} with other bytes", ("stage", "since"), stage_causes),
        ReportSection(f"{_count(due, 'stage')} not built as the code is now{duration}"),
    ]
    rebuilt = None
    trained = sorted((stage for stage in changed if stage.startswith("train@")), key=estimates.seconds)[:sample]
    if trained:
        rebuilt = verify(workspace, trained, 1, keep=False)
        sections.append(ReportSection(f"Rebuilt: {', '.join(trained)}", ("",), [[line] for line in rebuilt.lines()]))
    return ChangeReport(sections, len(flips), rebuilt, unreadable)


def _count(things: Sequence[Any], word: str) -> str:
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"


def _extract(root: Path, ref: str, folder: Path) -> None:
    """Extract the files that are committed at `ref` into a folder."""
    git(root, "rev-parse", "--git-dir")  # what fails here says why itself
    try:
        # A name that begins with a dash would be an option.
        commit = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    except UnrollError:
        raise UsageError(f"git knows no commit {ref} in {root}; a shallow clone has only the last one") from None
    git(root, "archive", f"--output={folder / 'archive.zip'}", commit)
    shutil.unpack_archive(folder / "archive.zip", folder)


def _resolved(root: Path) -> dict[str, Any]:
    """Stage -> what it depends on besides data, as the stage `resolve` wrote it; empty if it did not."""
    folder = root / "resolved"
    return {
        path.relative_to(folder).with_suffix("").as_posix().replace("/", "@"): read_json(path)
        for path in sorted(folder.rglob("*.json"))
    }


def _scores(workspace: Workspace) -> dict[str, str]:
    """Experiment -> its score with its interval, as text."""
    scores = {}
    for path in sorted(workspace.root.glob("results/metrics/*/*.json")):
        metrics = read_checked(path, Numbers).root
        score, low, high = (metrics.get(name) for name in ("score", "low", "high"))
        interval = "" if low is None or high is None or low == high else f" ({low:.5g} to {high:.5g})"
        scores[path.stem] = "" if score is None else f"{score:.5g}{interval}"
    return scores


def _verdicts(workspace: Workspace) -> Verdicts:
    """The verdicts of all built data sets. Raises UnrollError if an evaluation is damaged or of another format."""
    config = params.load(workspace.params)
    documents, own = results.load(workspace, config), results.load(workspace, config, own=True)
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
    """Rows for the verdicts that changed or are gone: question or claim, before, now, and why."""
    flips: list[Sequence[str]] = []
    for question, (old, earlier) in before.items():
        new, stages = now.get(question, ("gone", earlier))
        if new == old:
            continue
        if stages != earlier:  # other models are compared
            models = [" against ".join(stage.partition("@")[2] for stage in group[:-1]) for group in (stages, earlier)]
            why = f"{models[0]}; before, {models[1]}"
        else:
            why = "; ".join(causes(stages)) or "not known, or another answer that is corrected with it"
        flips.append((question, old, new, why))
    return flips


class Causes:
    """Why stages changed since commit `ref`: params, lines of code, packages.

    `before` and `now` are stage -> what it depends on, as `_resolved` reads it.
    """

    def __init__(self, root: Path, ref: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        self._root, self._ref, self._before, self._now = root, ref, before, now
        self._line = cache(self._first_line)

    def of(self, stages: Sequence[str]) -> list[str]:
        """The causes for these stages and those that they need: each once, the first three, to fit on a line."""
        chain = (ancestor for stage in stages for ancestor in self._with_ancestors(stage))
        return [*dict.fromkeys(cause for stage in chain for cause in self._causes(stage))][:3]

    def _with_ancestors(self, stage: str) -> Iterator[str]:
        """The stage, then the preparation of its data set, then their source."""
        yield stage
        verb, _, name = stage.partition("@")
        section = self._now.get(stage, {}).get("params", {})
        if verb in {"train", "evaluate"}:
            dataset = section["dataset"] if verb == "train" and section else name
            yield from self._with_ancestors(f"prepare@{dataset}")
        elif verb == "prepare" and section:
            yield f"source@{section['source']}"

    def _causes(self, stage: str) -> Iterator[str]:
        if stage not in self._before:
            return
        if stage not in self._now:
            yield f"{stage} is no stage any more"
            return
        before, now = self._before[stage], self._now[stage]
        for key, (old, new) in _changes(before["params"], now["params"]):
            yield shorten(f"{stage.partition('@')[2]}.{key}: {old} -> {new}", MAX_WIDTH, placeholder=" ...")
        for module, _ in _changes(before["modules"], now["modules"]):
            yield self._line(module)
        if before["lock"] != now["lock"]:
            yield self._line(NUMERICS)

    def _first_line(self, module: str) -> str:
        """The first line that changed in a module, a file beside one (`pipeline.report/page.css`) or the lock."""
        package, _, name = module.rpartition("/")
        folder = module.replace(".", "/")
        paths = (module, f"{package.replace('.', '/')}/{name}", f"{folder}.py", extensions.path(module))
        path = next((path for path in paths if (self._root / path).is_file()), f"{folder}/__init__.py")
        number, text = "", ""
        options = ("--unified=0", "--no-color", "--no-ext-diff")
        for line in git(self._root, "diff", *options, self._ref, "--", path).splitlines():
            if line.startswith("@@"):
                number = line.split("+")[1].split(" ")[0].split(",")[0]
            elif number and line[:1] in "+-" and line[1:].strip():
                text = line
                if line.startswith("+"):
                    break
        commits = git(self._root, "log", "--format=%h %s", f"{self._ref}..HEAD", "--", path).splitlines()
        return f"{path}:{number} {' '.join(text.split())}{f' ({commits[0]})' if commits else ' (not committed)'}"


def _changes(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    """Paths ("model.units") at which two sections differ, with both values as JSON."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _changes(before.get(key), now.get(key), f"{path}.{key}".removeprefix("."))
    elif before != now:
        yield path, (json.dumps(before), json.dumps(now))
