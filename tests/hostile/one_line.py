"""What an attack may come to: a result, or one line that steers no terminal."""

from stages.console.exits import explain


def result_or_line(function, *arguments, **options):
    """What `function` returns, or the line that a user sees in its place. What else is raised is a hole."""
    try:
        return function(*arguments, **options)
    except Exception as error:
        said = explain(error)
        if said is None:
            raise
        text, code = said
        assert code in {1, 2}
        return text


def line(function, *arguments, **options):
    """The line that a user sees."""
    said = result_or_line(function, *arguments, **options)
    assert isinstance(said, str)
    return said
