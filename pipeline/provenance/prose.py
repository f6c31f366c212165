"""Python code without its prose: what people read, and what says nothing but words."""

import ast
import io
import tokenize
from collections.abc import Iterator


def without_prose(source: str) -> str:
    """Return Python code without comments, docstrings, blank lines and model cards.

    A string that stands alone as a statement is a docstring, also below a constant. All
    other characters stay, so the result is the same for every version of Python that
    reads the code.

    Raises:
        SyntaxError: it is no Python.
    """
    lines = source.split("\n")
    cuts: dict[int, list[tuple[int, int]]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, begin = token.start
            cuts.setdefault(row, []).append((begin, len(lines[row - 1])))
    within = set[int]()  # rows that begin within a string
    tree = ast.parse(source)
    for row in _card_rows(tree):
        cuts.setdefault(row, []).append((0, len(lines[row - 1])))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            last_row = node.end_lineno or node.lineno
            for row in range(node.lineno, last_row + 1):
                line = lines[row - 1]
                begin = 0
                end = len(line)
                if row == node.lineno:
                    begin = _characters(line, node.col_offset)
                if row == last_row:
                    end = _characters(line, node.end_col_offset)
                cuts.setdefault(row, []).append((begin, end))
        elif isinstance(node, ast.Constant | ast.JoinedStr):
            within.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
    kept = []
    for row, line in enumerate(lines, 1):
        text = line
        for begin, end in sorted(cuts.get(row, []), reverse=True):
            text = text[:begin] + text[end:]
        if text.strip() or (row in within and row not in cuts):
            kept.append(text.rstrip() if row in cuts else text)
    return "\n".join(kept)


def _card_rows(tree: ast.Module) -> Iterator[int]:
    """Yield the rows of a module's model cards, counted from 1."""
    for statement in tree.body:
        if is_card(statement):
            yield from range(statement.lineno, (statement.end_lineno or 0) + 1)


def is_card(statement: ast.stmt) -> bool:
    """Return whether a statement defines model cards, or the words of a card."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name.endswith(("_title", "_card"))
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0]) == "CARDS"
    return False


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _characters(line: str, offset: int | None) -> int:
    """Return how many characters the first bytes of a line are, encoded as UTF-8."""
    return len(line.encode()[:offset].decode(errors="ignore"))
