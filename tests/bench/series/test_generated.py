import pandas as pd
import pytest

from bench.series import generated


@pytest.mark.parametrize("form", generated.FORMS.values(), ids=generated.FORMS)
def test_a_generated_file_has_its_rows_and_its_target_to_the_end(form, tmp_path):
    form.write(tmp_path / "file.csv", 800)
    frame = pd.read_csv(tmp_path / "file.csv", **form.writes)
    assert frame.shape == (800, len(form.stamps) + len(form.periods))
    assert frame[next(iter(form.periods))].tail(200).notna().all()
