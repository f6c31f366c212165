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

CAUSES = ("params", "code", "data", "environment")

LOCK = ".ci/locks/numerics.lock"

WORDS = {True: "same", False: "different", None: "not known"}

BUG = "Nothing that shapes a result differs, yet the outputs do. That should not be: see docs/reproducibility.md."
NO_RECORD = "Without a record of both, only the kind of a difference is known, and nothing of the machines."


@dataclass(frozen=True)
class ComparedRun:
    """One of the two runs.

    Attributes:
        about: its name, fingerprint and where it was made, or why that is not known.
        hashes: its fingerprint, part by part; empty for a trial.
        made_of: of each of `CAUSES` what its record says, path -> value; empty without a record.
        outputs: every entry of run.json that is a result, and the SHA-256 of every other file.
    """

    about: dict[str, Any]
    hashes: dict[str, str]
    made_of: dict[str, dict[str, Any]]
    outputs: dict[str, Any]


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
    except UnrollError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    parts = {cause: _compare(cause, a, b) for cause in CAUSES}
    outputs = _differences(a.outputs, b.outputs)
    parts["outputs"] = {"same": not outputs, "differences": outputs}
    return {"same": all(part["same"] is not False for part in parts.values()), "a": a.about, "b": b.about, **parts}


def _load(workspace: Workspace, name: str) -> ComparedRun:
    folder = Path(name)
    if not (folder / "run.json").is_file():
        experiments = params.load(workspace.params).experiments
        one_of(name, experiments, "a run (an experiment, or a folder that holds a run.json)")
        folder = workspace.run(experiments[name].dataset, name)
    run, folder = read_checked(folder / "run.json", Summary), folder.resolve()
    results = {key: value for key, value in run.model_dump().items() if key not in {"experiment", "fingerprint"}}
    outputs = {f"run.json: {key}": value for key, value in results.items()}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"):
        outputs[path.relative_to(folder).as_posix()] = sha256(path)
    about = {"name": name, "fingerprint": fingerprint.brief(run.fingerprint) if run.fingerprint else None}
    try:
        if folder.parents[1].name != "runs":
            raise UnrollError("no record: it lies outside of a workspace's runs, as a trial does")
        made = record.read(Workspace(folder.parents[2]), folder.parent.name, folder.name)
    except UnrollError as error:
        return ComparedRun(about | {"no_record": str(error)}, run.fingerprint, {}, outputs)
    about |= made.model_dump(include={"commit", "dirty", "started", "ended"})
    made_of = {"params": _flat(made.params), "code": made.modules, "data": made.files, "environment": _machine(made)}
    return ComparedRun(about, run.fingerprint, made_of, outputs)


def _machine(made: Record) -> dict[str, Any]:
    facts = made.model_dump(include={"python", "platform", "cpu", "cores"})
    facts |= {f"cpu {feature}": "yes" if feature in made.features else "no" for feature in FEATURES}
    return facts | made.packages | made.variables


def _flat(section: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat


def _compare(cause: str, a: ComparedRun, b: ComparedRun) -> dict[str, Any]:
    """What the fingerprints say of one part, and the details if both sides have a record."""
    hashes = [side.hashes.get("lock" if cause == "environment" else cause) for side in (a, b)]
    same = hashes[0] == hashes[1] if all(hashes) else None
    details = _differences(a.made_of[cause], b.made_of[cause]) if a.made_of and b.made_of else []
    if cause != "environment":
        return {"same": same, "differences": details if same is False else []}
    if same is False:
        details = [{"what": LOCK, "a": hashes[0], "b": hashes[1]}, *details]
    known = same is not None and a.made_of and b.made_of
    return {"same": False if details else True if known else None, "differences": details}


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
