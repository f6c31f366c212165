import pandas as pd
import pytest

from bench.series import generated


@pytest.mark.parametrize("form", generated.FORMS, ids=lambda form: form.name)
def test_a_generated_file_has_its_rows_and_its_target_to_the_end(form, tmp_path):
    path = form.write(tmp_path, 800)
    frame = pd.read_csv(path, sep=form.delimiter, decimal=form.decimal)
    assert len(frame) == 800
    assert frame[form.target].tail(200).notna().all()


def test_the_large_file_has_five_columns_besides_the_timestamp():
    assert generated.minutes(10).shape == (10, 6)
