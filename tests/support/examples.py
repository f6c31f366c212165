"""The example in a docstring, run as a test."""

import doctest


def run_example(function, project):
    """What the example of a `Project`'s method prints is what its docstring says."""
    (test,) = doctest.DocTestFinder(recurse=False).find(
        function, globs={"project": project}
    )
    report = []
    assert doctest.DocTestRunner().run(test, out=report.append).failed == 0, "".join(
        report
    )
    assert test.examples
