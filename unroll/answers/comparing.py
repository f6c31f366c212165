"""Two models of an answer, compared."""

from dataclasses import replace
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.validation import one_of
from series.answer import load
from series.judge import Judgement, judge


def between(folder: Path, model: str, other: str) -> Judgement:
    """Judge a model of an answer against another one, by the rule of the answer.

    Raises:
        UsageError: the answer has no such model.
    """
    answer = load(folder)
    for name in (model, other):
        one_of(name, answer.board.models, f"the model of {answer.name}")
    # `judge` compares with the champion.
    board = answer.board.model_copy(update={"champion": other})
    against = replace(answer, about=answer.about.model_copy(update={"board": board}))
    judgement = judge(answer.forecasts[answer.forecasts["model"] == model], against)
    if not isinstance(judgement, Judgement):
        raise UnrollError(f"{model} has no forecasts")
    return judgement
