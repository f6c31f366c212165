"""docs/lecturers.md: where a document says what, the experiment that rebuilds it, and the command that shows it."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from pipeline.evaluation.claims import Claim
from pipeline.report.claims_table import DOCUMENTS

PLACES = {
    "000": {
        "4.397|networks interpolate well$": "Previously",
        "0.9014|extrapolate": "Extrapolation with a dense network",
        "0.5763": "The first RNN",
        "0.5098|more SimpleRNN": "More SimpleRNN layers",
        "0.6449": "A dense layer before them",
        "0.5191|LSTM layers are": "LSTM layers",
        "0.5434|GRU": "GRU layers",
        "window": "Time series training",
    },
    "001": {
        "an LSTM converges": "4. LSTM Cell",
        "GRU": "4. GRU Cell",
        "review": "6.1 IMDB Example",
        "parameters|of them|output": "6.1 IMDB Example, Model.summary()",
        "14 quantities,|24 hours": "6.2 Temperature Forecasting",
        "420,551": "6.2 Get the Data",
        "ten days": "6.2 Prepare the Data",
        "dropout": "6.2 Build the Model",
    },
    "002": {
        "322,080|its output": "What's SimpleRNN?",
        "328,320|deeper|more layers": "How do you increase the representational power of a network?",
        "SimpleRNN": "How do you train a RNN?",
        "^LSTM": "What's the LSTM Layer?",
        "98,559|24 hours|five days$": "What's the GRU Layer?, the data",
        "": "What's the GRU Layer?",
    },
    "003": {
        "50th": "Naive Guessing",
        "^(the )?perceptron|hidden": "DNN",
        "^one recurrent node, two|much smaller": "The Simplest RNN",
        "node": "Testing",
        "": "Testing, the closing question",
    },
}
"""Document -> words of a claim -> the slide or heading it stands under; of several, the first."""

HEAD = """# For lecturers

Where each document says what, the experiment that rebuilds it, and the command that shows it. `unroll claims` has all
verdicts. `unroll lab check program.py` says in one sentence what is wrong with a student's program of document 003; it
runs that program, with your rights. Made from claims.yaml; a test compares.
"""


def place(claim: Claim) -> str:
    """The slide or heading under which a claim stands in its document."""
    return next(where for words, where in PLACES[claim.document].items() if re.search(words, claim.words))


def page(claims: Sequence[Claim]) -> str:
    """The page, in Markdown."""
    return "\n".join([HEAD, *_lines([claim for claim in claims if claim.document in PLACES])])


def _lines(claims: Sequence[Claim]) -> Iterator[str]:
    for document, of_it in groupby(claims, lambda claim: claim.document):
        yield from (f"## {document} {DOCUMENTS[document]}", "", "| where | claim | command |", "| --- | --- | --- |")
        order = list(PLACES[document].values())
        for claim in sorted(of_it, key=lambda one: order.index(place(one))):
            command = f"compare {claim.experiment} {claim.against}" if claim.against else f"show {claim.experiment}"
            yield f"| {place(claim)} | {claim.words} | `unroll {command}` |"
        yield ""
