"""The command `diff`: which of params, code, data and environment made two runs differ, and in which files they do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_checked, sha256
from pipeline.provenance import fingerprint, record
from pipeline.provenance.machine import FEATURES
from pipeline.provenance.record import Record
from pipeline.training.run_folder import Summary
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.results.show import HASH, text

NO_RESULT = ("experiment", "fingerprint")
"""Entries of run.json that say what a run is called, and what it was made of."""

RECORDED = {"params": "params", "code": "modules", "data": "files"}
"""A part of a fingerprint -> the entry of a record that its hash was taken over."""

CAUSES = (*RECORDED, "environment")

WORDS = {True: "same", False: "different", None: "not known"}

BUG = "Nothing that shapes a result differs, yet the outputs do. That should not be: see docs/reproducibility.md."
NO_RECORD = "Without a record of both, only the kind of a difference is known, and nothing of the machines."


@dataclass(frozen=True)
class ComparedRun:
    """One of the two runs: run.json, whose fingerprint is empty for a trial, and where it was made, or why unknown."""

    name: str
    folder: Path
    run: Summary
    record: Record | None
    no_record: str = ""


def diff(workspace: Workspace, first: str, second: str) -> dict[str, Any]:
    """Compare two runs, each an experiment or the folder of a run of any workspace, and what they were made of.

    Returns:
        Plain data. `same` says whether anything differs. `a` and `b` say which runs these are. Each of `params`,
        `code`, `data`, `environment` and `outputs` has `same` (None: not known) and its `differences`, a list of
        what, a and b; a side without a value lacks its key.

    Raises:
        UsageError: there is no such run, or it is damaged: as with diff(1), 1 would say that the two differ.
    """
    try:
        a, b = (_load(workspace, name) for name in (first, second))
        parts = {part: _part(part, a, b) for part in RECORDED} | {"environment": _environment(a, b)}
        outputs = _differences(_contents(a), _contents(b))
    except UnrollError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    parts["outputs"] = {"same": not outputs, "differences": outputs}
    return {"same": all(part["same"] is not False for part in parts.values()), "a": _about(a), "b": _about(b), **parts}


def _load(workspace: Workspace, name: str) -> ComparedRun:
    folder = Path(name)
    if not (folder / "run.json").is_file():
        experiments = params.load(workspace.params).experiments
        one_of(name, experiments, "a run (an experiment, or a folder that holds a run.json)")
        folder = workspace.run(experiments[name].dataset, name)
    run = read_checked(folder / "run.json", Summary)
    folder = folder.resolve()
    if folder.parents[1].name != "runs":
        return ComparedRun(name, folder, run, None, "no record: it lies outside of a workspace's runs, as a trial does")
    try:
        return ComparedRun(
            name, folder, run, record.read(Workspace(folder.parents[2]), folder.parent.name, folder.name)
        )
    except UnrollError as error:
        return ComparedRun(name, folder, run, None, str(error))


def _about(side: ComparedRun) -> dict[str, Any]:
    made_of = side.run.fingerprint
    about = {"name": side.name, "fingerprint": fingerprint.brief(made_of) if made_of else None}
    if side.record is None:
        return about | {"no_record": side.no_record}
    return about | side.record.model_dump(include={"commit", "dirty", "started", "ended"})


def _part(part: str, a: ComparedRun, b: ComparedRun) -> dict[str, Any]:
    """What the fingerprints say of one part, and the details if both sides have a record."""
    hashes = [side.run.fingerprint.get(part) for side in (a, b)]
    same = hashes[0] == hashes[1] if all(hashes) else None
    details = [_flat(getattr(side.record, RECORDED[part])) for side in (a, b) if side.record]
    return {"same": same, "differences": _differences(*details) if same is False and len(details) == 2 else []}


def _environment(a: ComparedRun, b: ComparedRun) -> dict[str, Any]:
    locks = [{".ci/locks/numerics.lock": side.run.fingerprint.get("lock")} for side in (a, b)]
    known = all(lock for side in locks for lock in side.values())
    differences = _differences(*locks) if known else []
    if a.record and b.record:
        differences += _differences(_machine(a.record), _machine(b.record))
        return {"same": False if differences else known or None, "differences": differences}
    return {"same": False if differences else None, "differences": differences}


def _machine(made: Record) -> dict[str, Any]:
    facts = made.model_dump(include={"python", "platform", "cpu", "cores"})
    facts |= {f"cpu {feature}": "yes" if feature in made.features else "no" for feature in FEATURES}
    return facts | made.packages | made.variables


def _contents(side: ComparedRun) -> dict[str, Any]:
    """Every entry of run.json that is a result, and the SHA-256 of every other file."""
    facts = {f"run.json: {key}": value for key, value in side.run.model_dump().items() if key not in NO_RESULT}
    paths = sorted(path for path in side.folder.rglob("*") if path.is_file() and path.name != "run.json")
    return facts | {path.relative_to(side.folder).as_posix(): sha256(path) for path in paths}


def _flat(section: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"what": key, **{side: values[key] for side, values in (("a", a), ("b", b)) if key in values}}
        for key in dict.fromkeys([*a, *b])
        if key not in a or key not in b or a[key] != b[key]
    ]


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """What `diff` gave, as text."""
    for side in ("a", "b"):
        about = result[side]
        words = [f"fingerprint {about['fingerprint'] or 'not known'}"]
        if "no_record" in about:
            words.append(about["no_record"])
        else:
            commit = (
                f"commit {about['commit'][:12]}{' with edits' if about['dirty'] else ''}" if about["commit"] else ""
            )
            words += [*filter(None, [commit]), f"made at {about['ended']}"]
        yield f"{side.upper()}  {about['name']}"
        yield f"   {', '.join(words)}"
    for name in (*CAUSES, "outputs"):
        differences = result[name]["differences"]
        yield f"{name:<12} {WORDS[result[name]['same']]}"
        width = max((len(difference["what"]) for difference in differences), default=0)
        yield from (f"  {difference['what']:<{width}}  {_change(difference)}" for difference in differences)
    if not result["outputs"]["same"] and all(result[cause]["same"] for cause in CAUSES):
        yield BUG
    if "no_record" in result["a"] or "no_record" in result["b"]:
        yield NO_RECORD


def _change(difference: Mapping[str, Any]) -> str:
    a, b = (difference.get(side) for side in ("a", "b"))
    if any(HASH.fullmatch(str(value)) for value in (a, b)):
        return "changed" if a and b else f"only in {'A' if a else 'B'}"
    words = {side: shorten(text(value), 60, placeholder="...") for side, value in difference.items()}
    return f"{words.get('a', '(none)')} -> {words.get('b', '(none)')}"
