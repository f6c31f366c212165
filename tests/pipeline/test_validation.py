"""Names that are one of many."""

from pipeline.validation import one_of


def test_a_valid_name_is_found_without_a_look_at_the_others():
    class Names(dict):
        def __iter__(self):
            raise AssertionError("params.yaml may have thousands")

    names = Names(gru=1, lstm=2)
    assert one_of("lstm", names, "the experiment") == "lstm"
