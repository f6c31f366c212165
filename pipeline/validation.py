"""What is valid and what was received, in one line: for names, options and whole files."""

import reprlib
import typing
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar

import pydantic

from pipeline.errors import UsageError, one_line, without_password

LISTED = 12
"""Of more names than these a message shows only the one that is spelt most alike."""

Model = TypeVar("Model", bound=pydantic.BaseModel)


class Strict(pydantic.BaseModel):
    """A mapping whose keys are all known and whose values have exactly the types that
    are named.
    """

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class Metrics(
    pydantic.RootModel[
        dict[str, Annotated[dict[str, float], pydantic.Field(min_length=1)]]
    ]
):
    """What results/metrics/DATASET.json holds: experiment -> name of a metric -> its
    value, a finite number.
    """

    model_config = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


def utf_8(name: str) -> str:
    """Return the name of a file if files of UTF-8, such as params.yaml, can hold it.
    Raises UsageError if not.
    """
    if name.encode(errors="ignore").decode() != name:
        raise UsageError(f"{name}: this name is not UTF-8; rename it")
    return name


def one_of(name: str, valid: Iterable[str], what: str) -> str:
    """Return `name` if it is one of `valid`.

    Raises:
        UsageError: it is not; the text lists the valid names, of many only the nearest.
    """
    valid = sorted(set(valid))
    if name in valid:
        return name
    received = f"Received: {reprlib.repr(name)}.{_hint(name, valid)}"
    among = (
        f"one of: {', '.join(valid) or '(none)'}"
        if len(valid) <= LISTED
        else f"one of {len(valid)} names"
    )
    raise UsageError(one_line(f"{what} must be {among}. {received}"))


def checked(model: type[Model], data: Any, where: str = "") -> Model:
    """Plain data as `model` describes it; `where` is their place, such as
    "experiments.waves.node.model".

    Raises:
        ValueError: they are not; one line says the place, what is valid there, and what
            was received.
    """
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise ValueError(_explained(error, model, data, where)) from None


def validated(model: type[Model], data: Any, file: str, where: str = "") -> Model:
    """As `checked`, for what the user wrote in a file. Raises UsageError, which names
    the file first.
    """
    try:
        return checked(model, data, where)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from None


def _explained(
    error: pydantic.ValidationError,
    model: type[pydantic.BaseModel],
    data: Any,
    where: str,
) -> str:
    """An unknown key goes first: what else is wrong is often what was meant by it."""
    problems = error.errors(include_url=False)
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    location = _present(first["loc"], data)
    path = (
        ".".join(f"{key!s:.80}" for key in ([where, *location] if where else location))
        or "the whole"
    )
    if first["type"] == "missing":
        return f"{path + '.' if location or where else ''}{first['loc'][-1]!s:.80} is missing"
    if first["type"] == "extra_forbidden":
        known = _keys(model, location[:-1])
        return one_line(
            f"{path} is not known here. Valid: {', '.join(known)}.{_hint(location[-1], known)}"
        )
    if "[key]" in first["loc"]:
        path += " (the name)"
    alternatives = (
        _must(problem)
        for problem in problems
        if _present(problem["loc"], data) == location
    )
    received = _Received().repr(first["input"])
    return one_line(
        f"{path} {' or '.join(dict.fromkeys(alternatives))}. Received: {received}"
    )


class _Received(reprlib.Repr):
    """Shortens what was received; a text that loses its middle no longer shows which
    part is a password.
    """

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(without_password(x), level)


def _present(location: Sequence[int | str], data: Any) -> list[int | str]:
    """As much of a location as leads to something in the data; what follows names a
    part of the schema.
    """
    present: list[int | str] = []
    for key in location:
        in_list = isinstance(data, list) and isinstance(key, int) and key < len(data)
        if not in_list and not (isinstance(data, Mapping) and key in data):
            break
        present.append(key)
        data = data[key]
    return present


def _keys(model: Any, location: Sequence[int | str]) -> list[str]:
    """The keys that the schema has at a location."""
    for key in location:
        if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
            model = model.model_fields[str(key)].annotation
        else:  # dict[str, Model] or list[Model]
            model = typing.get_args(model)[-1]
        if isinstance(model, UnionType):  # Model | None
            model = typing.get_args(model)[0]
    return sorted(model.model_fields)


def _must(problem: Any) -> str:
    """What a value must be, in the words of the one who writes it: `must be greater
    than 0`.
    """
    kind = problem["type"]
    text = str(problem["msg"])
    if kind in {"model_type", "dict_type", "mapping_type", "model_attributes_type"}:
        return "must be a mapping"
    if kind == "too_short":
        return f"must hold at least {problem['ctx']['min_length']}"
    words = {
        "Input should ": "must ",
        "Value error, ": "",
        "String should ": "must ",
        "Keys should ": "must ",
    }
    for start, instead in words.items():
        if text.startswith(start):
            return instead + text.removeprefix(start)
    return f"is wrong: {text}"


def _hint(name: object, valid: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(str(name), valid, n=1)
    return f" Did you mean {close[0]}?" if close else ""
