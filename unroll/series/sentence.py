"""The answer in words: how good the forecast is, and whether recurrence helps."""

import math
from collections.abc import Mapping, Sequence

from pipeline.evaluation.intervals import FEWEST_BLOCKS
from pipeline.evaluation.verdict_rule import BAND, Word
from pipeline.report.formatting import in_words
from unroll.series.combination import ENSEMBLE
from unroll.series.leaderboard import DAYS_OF_YEAR, Board, in_months
from unroll.series.options import argument
from unroll.series.pairwise import (
    FEWEST_SERIES,
    SEASON,
    ModelComparison,
)

PERCENT = f"{100 * BAND:.0f} %"
"""The largest difference that does not matter, as text."""

LARGE = 1.0
"""The change from which an error is written as a multiple."""

MOST_BIAS = 0.05
"""The largest bias of a sum that is not told."""

UNTOLD = 100.0
"""The largest ratio of two errors that is written as a number."""

ZERO = "zero"
"""The model that always forecasts 0, a candidate for intermittent demand."""

UNCERTAIN = "That is too uncertain to say more"
"""What is said of an interval that crosses an edge of the band."""

VERDICTS = {
    Word.HELPS: "Yes, recurrence helps",
    Word.HURTS: "No, recurrence hurts here",
    Word.SAME: "Recurrence makes no difference that matters",
    Word.OPEN: "It is open whether recurrence helps",
}
"""A verdict -> the beginning of the sentence."""


def sentence(board: Board, titles: Mapping[str, str]) -> str:
    """Return the answer: how good the forecast is, and then whether recurrence helps.

    Args:
        board: the scores of all models.
        titles: name -> title of each model; the combination needs no title.
    """
    start = "The forecast of the mean" if board.objective == "mean" else "The forecast"
    by = title(board, titles, board.champion)
    bias = _bias(board.models[board.champion].bias)
    if board.unbeaten:
        return f"{start} is by {by}, {_unbeaten(board, titles, bias)}"
    answer = _recurrence(board, titles)
    compared = board.with_naive.get(board.champion)
    if compared is None:
        return f"{start} is by {by}{bias}. {answer}"
    naive = title(board, titles, str(board.naive))
    if "naive" in board.ahead:
        naive = f"the chosen naive model, {naive},"
    error = f"{amount(compared.change)} {naive} over {span(board)}"
    if compared.low is not None:
        error += interval(compared)
    elif compared.blocks > 1:
        error += f" (less in {_ahead(board, compared)})"
    return f"{start}, by {by}, had {error}{bias}. {answer}"


def _bias(bias: float | None) -> str:
    """Return in words how far a sum of forecasts was off; "" if that is little."""
    if bias is None or abs(bias) <= MOST_BIAS:
        return ""
    direction = "below" if bias < 0 else "above"
    return f"; its sum was {_percent(bias)} % {direction} the truth's"


def title(board: Board, titles: Mapping[str, str], name: str) -> str:
    """Return a model in words, such as "the weighted median of six models"."""
    if name != ENSEMBLE:
        return titles.get(name, name)
    if board.shares:
        *first, last = [titles[member] for member in board.members]
        return f"the mean of {', '.join(first)} and {last}"
    count = in_words(len(board.members))
    return f"the weighted {board.objective} of {count} models"


def _recurrence(board: Board, titles: Mapping[str, str]) -> str:
    """Return whether recurrence helps; the model that forecasts was named before."""
    compared = board.comparison
    if compared is None and board.untrained:
        return (
            "Whether recurrence helps cannot be said: the rows are too few to train a "
            "network."
        )
    if compared is None:
        return "Recurrence was not tried."
    network = f"the {_best(board, 'network')} recurrent network"
    if board.network != board.champion:
        network += f", {title(board, titles, str(board.network))},"
    opponent = f"the {_best(board, 'opponent')} model without recurrence"
    if board.opponent != board.champion:
        opponent += f", {title(board, titles, board.opponent)}"
    if compared.low is None or compared.high is None:
        ahead = so_far(board, compared, network, opponent)
        return f"{VERDICTS[Word.OPEN]}: {ahead}. {_lacking(board, compared)}."
    if board.champion not in board.with_naive:
        network = f"over {span(board)} {network}"
    change = f"{amount(compared.change)} {opponent}{interval(compared)}"
    text = f"{_verdict(compared)}: {network} had {change}."
    if compared.word == Word.SAME and compared.low * compared.high > 0:
        text += f" That is hardly chance, but less than {PERCENT} does not matter."
    if compared.word == Word.OPEN:
        return f"{text} {UNCERTAIN}: {_lacking(board, compared)}."
    return text


def _verdict(compared: ModelComparison) -> str:
    """Return the beginning of the sentence: the verdict, or the direction alone."""
    low = compared.low
    high = compared.high
    if compared.word == Word.OPEN and low is not None and high is not None:
        if low > 0:
            return f"Recurrence has more error, perhaps by less than {PERCENT}"
        if high < 0:
            return f"Recurrence has less error, perhaps by less than {PERCENT}"
    return VERDICTS[compared.word]


def why_open(compared: ModelComparison) -> str:
    """Return a space and a sentence on an interval that decides nothing; else ""."""
    if compared.word != Word.OPEN or compared.low is None:
        return ""
    return f" {UNCERTAIN}."


def _unbeaten(board: Board, titles: Mapping[str, str], bias: str) -> str:
    """Return what is said of a naive model that forecasts since nothing beats it."""
    roles = {
        board.rival: f"the {_best(board, 'rival')} other model without recurrence",
        board.network: f"the {_best(board, 'network')} recurrent network",
    }
    clauses = []
    for name, role in roles.items():
        compared = board.with_naive.get(str(name))
        if compared is not None:
            error = f"{amount(compared.change)} it{interval(compared)}"
            clauses.append(f"{role}, {title(board, titles, str(name))}, had {error}.")
    known = all(compared.low is not None for compared in board.with_naive.values())
    leads = any(compared.change < 0 for compared in board.with_naive.values())
    surely = "surely " if leads or "naive" in board.ahead else ""
    so_far = "" if known else " so far"
    answer = (
        f"which nothing {surely}beats{so_far}{bias}: over {span(board)} {clauses[0]}"
    )
    if len(clauses) > 1:
        return f"{answer} Nor does recurrence {surely}beat it: {clauses[1]}"
    return answer if board.network else f"{answer} {_recurrence(board, titles)}"


def _best(board: Board, role: str) -> str:
    """Return "best", or "chosen" if another model of the same kind has less error."""
    return "chosen" if role in board.ahead else "best"


def hint(
    board: Board, titles: Mapping[str, str], mostly_zero: int | None = None
) -> str:
    """Return sentences that explain the answer; empty if there is nothing to explain.

    They say why the first model of the table does not forecast, and what a median of 0
    means.

    Args:
        board: the scores of all models.
        titles: name -> title of each model; the combination needs no title.
        mostly_zero: the number of series whose median is 0; None if it is not known.
    """
    texts = []
    roles = ["network", "rival" if board.unbeaten else "opponent", "naive"]
    leads = dict[str, None]()  # in the order of the sentence
    for role in roles:
        if role in board.ahead:
            best, chosen = (title(board, titles, name) for name in board.ahead[role])
            leads[f"{best} has less error than {chosen}"] = None
    if leads:
        why = (
            ", since models were chosen on the earlier half of the cutoffs, and the "
            "table shows the later half."
        )
        if board.block_days is None:
            why = "; a single model is preferred only with a lead of a third."
        texts.append(f"In the table {', and '.join(leads)}{why}")
    if ZERO in board.models:
        texts.append(
            f"{_zeros(len(board.deviations), mostly_zero)} To keep something in stock, "
            "look at the weighted quantile loss and at the upper ends of the intervals."
        )
    return " ".join(texts)


def of_known(columns: Sequence[str]) -> str:
    """Return a sentence on errors with columns known beforehand; "" without any."""
    if not columns:
        return ""
    return (
        f"The errors hold for the file's own values of {' and '.join(columns)}; if these "
        "were measured, and you will have forecasts of them, your errors will be larger."
    )


def _zeros(count: int, mostly_zero: int | None) -> str:
    """Return a sentence on the values 0 of `count` series."""
    if not mostly_zero:
        return "Many values are 0."
    start = "Most values are 0"
    if count > 1:
        start = f"In {mostly_zero:,} of {count:,} series most values are 0"
    return (
        f"{start}, so their median is 0, which the mean absolute error rewards; "
        f"{argument('objective', 'mean')} forecasts sums."
    )


def _lacking(board: Board, compared: ModelComparison) -> str:
    """Return what would decide an open question, without a full stop."""
    if compared.low is not None:
        if compared.more is None:
            return "even twice the rows may not decide it"
        much = "twice" if compared.more == 2 else f"{compared.more:.2g} times"
        return f"about {much} the rows may decide it"
    if board.block_days is None:
        return f"A verdict takes {needed_for_interval(board)}, and this file has fewer"
    if board.days < SEASON:
        needed = SEASON / board.days
        blocks = f"{needed_for_interval(board)}, which is about a year of rows"
    else:
        needed = FEWEST_BLOCKS / compared.blocks
        blocks = needed_for_interval(board)
    text = f"A verdict takes {blocks}"
    if needed > 2:
        return f"{text}; this file has too few"
    times = math.ceil(10 * needed) / 10
    return f"{text}, so about {times:.2g} times the rows of this file"


def needed_for_interval(board: Board) -> str:
    """Return what an interval takes, where there is none: "12 weeks to compare on"."""
    if board.block_days is None:
        return f"{FEWEST_SERIES} series"
    if board.days < SEASON:
        return f"{SEASON // 7} weeks to compare on"
    return f"{in_words(FEWEST_BLOCKS)} {board.block_name} to compare on"


def span(board: Board) -> str:
    """Return what models are compared on, such as "the last 24 weeks of 20 series"."""
    if board.block_days is None:
        count = len(board.deviations)
        return f"{count:,} series" if count > 1 else "the last rows"
    weeks = int(board.days // 7)
    days = max(1, round(board.days))
    if board.days >= 2 * DAYS_OF_YEAR:
        text = f"the last {board.days / DAYS_OF_YEAR:.2g} years"
    elif board.monthly:
        text = f"the last {in_months(board.days).removeprefix('a ')}"
    elif weeks >= 2:
        text = f"the last {weeks} weeks"
    else:
        text = f"the last {days} day{'s' if days > 1 else ''}"
    count = len(board.deviations)
    return text if count == 1 else f"{text} of {count:,} series"


def so_far(board: Board, compared: ModelComparison, model: str, other: str) -> str:
    """Return in words who was ahead, such as "in 3 of 4 weeks ...".

    It stands in place of an interval.

    Args:
        board: the scores of all models.
        compared: the comparison of the two models.
        model: the model in words.
        other: the other model in words.
    """
    if compared.blocks == 1:
        return f"over {span(board)} {model} had {amount(compared.change)} {other}"
    return f"in {_ahead(board, compared)} {model} had less error than {other}"


def _ahead(board: Board, compared: ModelComparison) -> str:
    """Return in how many blocks a model had less error, such as "3 of 4 weeks"."""
    return f"{compared.ahead or 'none'} of {compared.blocks} {board.block_name}"


def amount(change: float) -> str:
    """Return a change in words, such as "8 % less error than"."""
    ratio = 1 + change
    if ratio > UNTOLD:
        return f"more than {UNTOLD:.0f} times the error of"
    if ratio < 1 / UNTOLD:
        return "less than a hundredth of the error of"
    if change >= LARGE:
        return f"{_times(change)} times the error of"
    if _percent(change) == _percent(0.0):
        return "the same error as"
    direction = "less" if change < 0 else "more"
    return f"{_percent(change)} % {direction} error than"


def interval(compared: ModelComparison) -> str:
    """Return a space and the interval of a change in words, in brackets."""
    low = compared.low
    high = compared.high
    if low is None or high is None:
        return ""
    if 1 + high > UNTOLD or 1 + low < 1 / UNTOLD:
        is_open = compared.word == Word.OPEN
        return " (it varies too much for an interval)" if is_open else ""
    if compared.change >= LARGE:
        ends = f"{_times(low)} to {_times(high)} times"
    elif low < 0 < high:
        ends = f"{_percent(low)} % less to {_percent(high)} % more"
    elif compared.change < 0:
        ends = f"{_percent(low)} to {_percent(high)} % less"
    else:
        ends = f"{_percent(low)} to {_percent(high)} % more"
    return f" (95 % interval: {ends})"


def _percent(change: float) -> str:
    """Return the size of a change in percent, with a decimal if it is below 10."""
    percent = 100 * abs(change)
    return f"{percent:.1f}" if percent < 9.95 else f"{percent:.0f}"


def _times(change: float) -> str:
    return f"{float(f'{1 + change:.2g}'):g}"
