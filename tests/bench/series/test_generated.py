import pandas as pd
import pytest

from bench.series import generated


@pytest.mark.parametrize("form", generated.FORMS, ids=lambda form: form.name)
def test_a_generated_file_has_its_rows_and_its_target_to_the_end(form, tmp_path):
    path = form.write(tmp_path, 800)
    frame = pd.read_csv(path, sep=form.delimiter, decimal=form.decimal)
    assert frame.shape == (800, len(form.stamps) + len(form.periods))
    assert frame[form.target].tail(200).notna().all()
