"""What people read in code changes no run; everything else does."""

import ast

import pytest

from pipeline.provenance.fingerprint import is_card, without_prose
from tests.support import REPOSITORY

CODE = '''
import numpy

LIMIT = "a # in a text"
TEXT = """a text

with a blank line"""

def mean(values):
    if values:
        return f"""{sum(values)}
# in a text {len(values)!r}"""
    return "ä", 1
'''
COMMENTED = '''"""A module."""

import numpy  # for numbers


# What is allowed.
LIMIT = "a # in a text"
"""The limit."""

TEXT = """a text

with a blank line"""


def mean(values):
    """Return the mean.

    ä: with two bytes.
    """; \\
    # of all
    if values:

        return f"""{sum(values)}
# in a text {len(values)!r}"""  # ä
    return "ä", 1  # "a text in a comment"
'''.replace('"""; \\\n', '"""\n')


def test_comments_docstrings_and_blank_lines_are_left_out():
    kept = without_prose(CODE)
    assert without_prose(COMMENTED) == kept
    assert kept == CODE.replace("\n\ndef", "\ndef").replace(
        "import numpy\n\n", "import numpy\n"
    ).strip("\n")


@pytest.mark.parametrize(
    "change",
    [
        ("# in a text", "# in another"),
        ("\n\nwith", "\nwith"),
        ("\n\nwith", "\n \nwith"),
        ("if values", "if not values"),
        ('return "ä"', 'return "a"'),
        ('"ä", 1', '("ä", 1)'),
        (", 1\n", ",  1\n"),
    ],
)
def test_everything_else_counts(change):
    assert without_prose(CODE.replace(*change)) != without_prose(CODE)


def test_a_models_card_is_left_out_with_its_words_and_its_builder_is_not():
    code = "MODELS = {'mine': build}\n"
    card = "def mine_title(model, training):\n    return 'mine'\n\n\n"
    card += "CARDS = {\n    'mine': ModelCard('network', title=mine_title),\n}\n"
    assert without_prose(code + card) == without_prose(code)
    assert without_prose(card.replace("CARDS", "MODELS")) != ""


def test_code_of_the_project_means_the_same_without_its_prose():
    """But for bodies that are docstrings alone, and for model cards."""
    for path in sorted((REPOSITORY / "pipeline").rglob("*.py"))[::4]:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        bodies = [getattr(node, "body", None) for node in ast.walk(tree)]
        if any(isinstance(body, list) and _only_prose(body) for body in bodies):
            continue
        kept = ast.parse(without_prose(text))
        tree.body = [part for part in tree.body if not is_card(part)]
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [part for part in body if not _only_prose([part])]
        assert ast.dump(kept) == ast.dump(tree), path


def _only_prose(body):
    return all(
        isinstance(part, ast.Expr)
        and isinstance(part.value, ast.Constant)
        and isinstance(part.value.value, str)
        for part in body
    )
