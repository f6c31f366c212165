"""The form of a stamp is read off the column's first rows."""

import pandas as pd
import pytest

from pipeline.data.sniff import times


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["Jan 07, 2019", "Dec 31, 2019"], "%b %d, %Y"),
        (["January 7, 2019"], "%B %d, %Y"),
        (["7 March 2019"], "%d %B %Y"),
        (["Jan-05", "Dec-21"], "%b-%y"),
        (["January 2005"], "%B %Y"),
        (["07-Jan-2019"], "%d-%b-%Y"),
    ],
)
def test_a_form_is_seen(cells, form):
    assert times.find(pd.DataFrame({"when": cells}), []) == (["when"], [form])


def test_words_with_numbers_are_no_stamps():
    assert times.find(pd.DataFrame({"unit": ["Unit 12, 2019", "March hare 7"]}), [])[1] == []
    assert not any(times.formats(word, digits=False) for word in ("Unit 12", "Store 3", "Mary-7", "mar 7, 1", "A12"))
