"""Options of a series, given flat and sorted into the sections of params.yaml."""

from typing import Any

from unroll.series.row_options import Cleaning, CsvFormat, SeriesWindows

SECTIONS = {"csv": CsvFormat, "cleaning": Cleaning, "windows": SeriesWindows}


def sections(options: dict[str, Any]) -> dict[str, Any]:
    """As params.yaml has them: plain data, what belongs to no section at the top."""
    sorted_options: dict[str, Any] = {name: {} for name in SECTIONS}
    for option, value in options.items():
        section = next(
            (name for name, model in SECTIONS.items() if option in model.model_fields),
            None,
        )
        (sorted_options[section] if section else sorted_options)[option] = value
    return {name: value for name, value in sorted_options.items() if value != {}}


def typed(options: dict[str, Any]) -> dict[str, Any]:
    """As `prepare` takes them."""
    plain = sections(options)
    return plain | {
        name: model.model_validate(plain[name])
        for name, model in SECTIONS.items()
        if name in plain
    }
