"""Checks of names, options and whole files.

Each error says in one line what is valid and what was received.
"""

import difflib
import re
import reprlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic_core import PydanticCustomError

from pipeline.errors import UsageError, one_line, without_password

LISTED = 12
"""Most names that a message lists. If there are more, it shows only the nearest one."""

Model = TypeVar("Model", bound=pydantic.BaseModel)


class Strict(pydantic.BaseModel):
    """A mapping with known keys only, whose values have exactly the declared types."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        """Raise for an unknown key before all other errors, which often follow from it."""
        if isinstance(data, Mapping) and cls.model_config["extra"] == "forbid":
            for key in data:
                if key not in cls.model_fields:
                    valid = sorted(cls.model_fields)
                    text = f"is not known here. Valid: {', '.join(valid)}."
                    text += _hint(key, valid)
                    about = {"key": key, "text": text}
                    raise PydanticCustomError("unknown_key", "{key} {text}", about)
        return data


Timestamp = Annotated[
    str,
    pydantic.StringConstraints(
        pattern=r"^\d{4}-\d\d-\d\d([T ]\d\d(:\d\d){1,2}([.]\d+)?)?$"
    ),
    pydantic.AfterValidator(lambda text: datetime.fromisoformat(text) and text),
]
"""A timestamp as text, by ISO 8601, without a time zone."""

MOST_PROBLEMS = 1_000
"""The most problems of data that are looked at."""


class Metrics(
    pydantic.RootModel[Annotated[dict[str, float], pydantic.Field(min_length=1)]]
):
    """The content of results/metrics/DATASET/EXPERIMENT.json: name of a metric -> its
    value, a finite number.
    """

    model_config = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


def utf_8(name: str) -> str:
    """Return the name of a file.

    Raises UsageError if the name is not UTF-8, so that params.yaml cannot hold it.
    """
    if name.encode(errors="ignore").decode() != name:
        raise UsageError(f"{name}: this name is not UTF-8; rename it")
    return name


def one_of(name: str, valid: Collection[str], what: str, *, most: int = LISTED) -> str:
    """Return `name` if it is one of `valid`.

    Raises:
        UsageError: it is not. The text lists the valid names. Of more than `most` it
            shows only the nearest one.
    """
    if name in valid:
        return name
    names = sorted({*valid})
    among = f"one of {len(names)} names"
    if len(names) <= most:
        among = f"one of: {', '.join(names) or '(none)'}"
    hint = f"{reprlib.repr(name)}.{_hint(name, names)}"
    raise UsageError(one_line(f"{what} must be {among}. Received: {hint}"))


def checked(model: type[Model], data: Any, where: str = "") -> Model:
    """Return plain data as an instance of `model`.

    Args:
        model: the pydantic model that describes the data.
        data: the data.
        where: the place of the data, such as "experiments.waves.node.model".

    Raises:
        ValueError: the data do not fit the model. One line names the place, what is
            valid there, and what was received.
    """
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise ValueError(one_line(_explained(error, data, where))) from None


def validated(model: type[Model], data: Any, file: str, where: str = "") -> Model:
    """Return what the user wrote in a file, as `checked` does.

    Raises UsageError, whose text begins with the file's name.
    """
    try:
        return checked(model, data, where)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from None


def _explained(error: pydantic.ValidationError, data: Any, where: str) -> str:
    """Return what is wrong with the data, as "PLACE must be ... Received: VALUE".

    Of several problems an unknown key is told first: a misspelt key often causes the
    others.
    """
    if error.error_count() > MOST_PROBLEMS:  # a list of them would take gigabytes
        return f"{where or 'the whole'} has {error.error_count():,} mistakes"
    problems = error.errors(include_url=False)
    unknown = [problem for problem in problems if problem["type"] == "unknown_key"]
    first = [*unknown, *problems][0]
    location = _present(first["loc"], data)
    path = ".".join(f"{key!s:.80}" for key in [where, *location] if key != "")
    before = f"{path}." if path else ""
    if first["type"] == "missing":
        return f"{before}{first['loc'][-1]!s:.80} is missing"
    if first["type"] == "unknown_key":
        return f"{before}{first['ctx']['key']!s:.80} {first['ctx']['text']}"
    # A value that may have one of several types has a problem for each type.
    alternatives = [
        _must(problem)
        for problem in problems
        if _present(problem["loc"], data) == location
    ]
    must = " or ".join(dict.fromkeys(alternatives))
    of_name = " (the name)" if "[key]" in first["loc"] else ""
    # Remove passwords before the text is cut: a cut address may hide its "@".
    received = without_password(repr(first["input"]))
    return f"{path or 'the whole'}{of_name} {must}. Received: {received:.200}"


def _present(location: Sequence[int | str], data: Any) -> list[int | str]:
    """Return the beginning of a location that exists in the data.

    The rest of the location names a part of the schema.
    """
    present: list[int | str] = []
    for key in location:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            break
        present.append(key)
    return present


def _must(problem: Any) -> str:
    """Return what a value must be, for example "must be greater than 0"."""
    if problem["type"] in {"model_type", "dict_type", "mapping_type"}:
        return "must be a mapping"
    text = str(problem["msg"]).removeprefix("Value error, ")
    return re.sub(r"^\w+ should ", "must ", text)


def nearest(name: str, valid: Collection[str]) -> str:
    """Return the names that a wrong name may stand for, for "Did you mean ...?".

    These are the full names of an experiment that was named without its data set, at
    most three, or the most similar name. The text is empty if there is none.
    """
    full = [each for each in valid if each.endswith(f"/{name}")]
    return " or ".join(full[:3] or difflib.get_close_matches(name, valid, n=1))


def _hint(name: object, valid: Sequence[str]) -> str:
    close = nearest(str(name), valid)
    return f" Did you mean {close}?" if close else ""
