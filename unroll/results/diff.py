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

Difference = dict[str, Any]
"""`what` differs, and its values `a` and `b`; a side that has none lacks the key."""

NOT_COMPARED = ("experiment", "fingerprint")
"""Entries of run.json that are no result: what it is called, and what it was made of, which is compared apart."""

RECORDED = {"params": "params", "code": "modules", "data": "files"}
"""A part of a fingerprint -> the entry of a record that its hash was taken over."""

CAUSES = (*RECORDED, "environment")

SAID = {True: "same", False: "different", None: "not known"}

BUG = "Nothing that shapes a result differs, yet the outputs do. That should not be: see docs/reproducibility.md."
NO_RECORD = "Without a record of both, only the kind of a difference is known, and nothing of the machines."


@dataclass(frozen=True)
class Side:
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
        what, a and b.

    Raises:
        UsageError: there is no such run, or it is damaged: as with diff(1), 1 would say that the two differ.
    """
    try:
        folders = [_folder(workspace, name) for name in (first, second)]
        a, b = (_side(name, folder) for name, folder in zip((first, second), folders, strict=True))
        found = {part: _part(part, a, b) for part in RECORDED} | {"environment": _environment(a, b)}
        outputs = _differences(_contents(a), _contents(b))
    except UnrollError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    found["outputs"] = {"same": not outputs, "differences": outputs}
    same = all(part["same"] is not False for part in found.values())
    return {"same": same, "a": _about(a), "b": _about(b), **found}


def _folder(workspace: Workspace, name: str) -> Path:
    if (Path(name) / "run.json").is_file():
        return Path(name)
    experiments = params.load(workspace.params).experiments
    one_of(name, experiments, "a run (an experiment, or a folder that holds a run.json)")
    return workspace.run(experiments[name].dataset, name)


def _side(name: str, folder: Path) -> Side:
    run = read_checked(folder / "run.json", Summary)
    folder = folder.resolve()
    try:
        if folder.parents[1].name != "runs":
            raise UnrollError("no record: it lies outside of a workspace's runs, as a trial does")
        return Side(name, folder, run, record.read(Workspace(folder.parents[2]), folder.parent.name, folder.name))
    except UnrollError as error:
        return Side(name, folder, run, None, str(error))


def _about(side: Side) -> dict[str, Any]:
    parts = side.run.fingerprint
    about = {"name": side.name, "fingerprint": fingerprint.brief(parts) if parts else None}
    if side.record is None:
        return about | {"no_record": side.no_record}
    return about | side.record.model_dump(include={"commit", "dirty", "started", "ended"})


def _part(part: str, a: Side, b: Side) -> dict[str, Any]:
    """What the fingerprints say of one part, and the details if both sides have a record."""
    hashes = [side.run.fingerprint.get(part) for side in (a, b)]
    same = hashes[0] == hashes[1] if all(hashes) else None
    details = [_flat(getattr(side.record, RECORDED[part])) for side in (a, b) if side.record]
    return {"same": same, "differences": _differences(*details) if same is False and len(details) == 2 else []}


def _environment(a: Side, b: Side) -> dict[str, Any]:
    locks = [side.run.fingerprint.get("lock") for side in (a, b)]
    known = all(locks)
    found = _differences(*({".ci/locks/numerics.lock": lock} for lock in locks)) if known else []
    if a.record and b.record:
        found += _differences(_machine(a.record), _machine(b.record))
    same = not found if known and a.record and b.record else None
    return {"same": False if found else same, "differences": found}


def _machine(record: Record) -> dict[str, Any]:
    facts = record.model_dump(include={"python", "platform", "cpu", "cores"})
    facts |= {f"cpu {feature}": "yes" if feature in record.features else "no" for feature in FEATURES}
    return facts | record.packages | record.variables


def _contents(side: Side) -> dict[str, Any]:
    """Every entry of run.json that is a result, and the SHA-256 of every other file."""
    facts = {f"run.json: {key}": value for key, value in side.run.model_dump().items() if key not in NOT_COMPARED}
    paths = sorted(path for path in side.folder.rglob("*") if path.is_file() and path.name != "run.json")
    return facts | {path.relative_to(side.folder).as_posix(): sha256(path) for path in paths}


def _flat(section: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    sides = {"a": a, "b": b}
    return [
        {"what": key, **{side: values[key] for side, values in sides.items() if key in values}}
        for key in dict.fromkeys([*a, *b])
        if key not in a or key not in b or a[key] != b[key]
    ]


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What `diff` gave, as text."""
    for side in ("a", "b"):
        yield f"{side.upper()}  {found[side]['name']}"
        yield f"   {_made(found[side])}"
    for name in (*CAUSES, "outputs"):
        part = found[name]
        yield f"{name:<12} {SAID[part['same']]}"
        width = max((len(one["what"]) for one in part["differences"]), default=0)
        yield from (f"  {one['what']:<{width}}  {_change(one)}" for one in part["differences"])
    if not found["outputs"]["same"] and all(found[cause]["same"] for cause in CAUSES):
        yield BUG
    if "no_record" in found["a"] or "no_record" in found["b"]:
        yield NO_RECORD


def _made(about: Mapping[str, Any]) -> str:
    known = [f"fingerprint {about['fingerprint'] or 'not known'}"]
    if "no_record" in about:
        return ", ".join([*known, about["no_record"]])
    if about["commit"]:
        known.append(f"commit {about['commit'][:12]}{' with edits' if about['dirty'] else ''}")
    return ", ".join([*known, f"made at {about['ended']}"])


def _change(difference: Difference) -> str:
    a, b = (difference.get(side) for side in ("a", "b"))
    if any(HASH.fullmatch(str(value)) for value in (a, b)):
        return "changed" if a and b else f"only in {'A' if a else 'B'}"
    said = {side: shorten(text(value), 60, placeholder="...") for side, value in difference.items()}
    return f"{said.get('a', '(none)')} -> {said.get('b', '(none)')}"
