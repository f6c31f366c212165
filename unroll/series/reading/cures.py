"""Options that may read a file that is refused, of which those are named that do."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pipeline.errors import UnrollError, UsageError
from unroll.series.options import Options, argument


class Cure(NamedTuple):
    """An option, its value, and when it is right, such as "if rows are planned"."""

    option: str
    value: Any
    when: str = ""


class CurableError(UsageError):
    """A refusal of rows that some options may read.

    Attributes:
        what: what is wrong.
        cures: the options.
        otherwise: what else the user may do.
    """

    def __init__(self, what: str, cures: Sequence[Cure], otherwise: str) -> None:
        named = " or ".join(
            f"{argument(cure.option, cure.value)} {cure.when}".rstrip()
            for cure in cures
        )
        passed = f", or pass {named}" if cures else ""
        super().__init__(f"{what}; {otherwise}{passed}")
        self.what = what
        self.cures = cures
        self.otherwise = otherwise

    def that_help(
        self, options: Options, read: Callable[[Options], object]
    ) -> "CurableError":
        """Return the refusal with those cures alone with which rows are read.

        Args:
            options: the user's options.
            read: reads the rows by other options; raises UnrollError if it refuses.
        """
        helping = [cure for cure in self.cures if _reads(options, cure, read)]
        return CurableError(self.what, helping, self.otherwise)


def _reads(options: Options, cure: Cure, read: Callable[[Options], object]) -> bool:
    given = getattr(options, cure.option)
    value = [*given, cure.value] if isinstance(given, list) else cure.value
    try:
        read(options.model_copy(update={cure.option: value}))
    except CurableError as other:  # a question of its own may come next
        return cure.option not in {one.option for one in other.cures}
    except UnrollError:
        return False
    return True
