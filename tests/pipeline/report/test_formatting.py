from pipeline.evaluation.answers import Change
from pipeline.evaluation.schema import Stat
from pipeline.report.formatting import (
    changed,
    fact,
    measured,
    published,
    signed,
    spread,
)


def test_a_mean_and_its_spread_have_the_same_decimals():
    texts = {
        (0.0112, 0.00031, "mse"): ("0.01120", "± 0.00031"),
        (8.97e-6, 1.24e-6, "mse"): ("8.97e-6", "± 1.2e-6"),
        (0.84456, 0.0123, "accuracy"): ("84.46 %", "± 1.23 %"),
        (2.3514, None, "mae_unit"): ("2.351 °C", ""),
        (51.0, None, "parameters"): ("51", ""),
        (197.0, 5.2, "horizon"): ("197.0", "± 5.2"),
        (0.0, 0.0, "mse"): ("0", "± 0"),
    }
    for (mean, std, metric), text in texts.items():
        stat = Stat(mean=mean, std=std, min=mean, max=mean, values=[mean])
        assert (measured(stat, metric, "°C"), spread(stat, metric)) == text


def test_values_are_in_the_form_of_their_metric():
    assert (published(0.85, "accuracy"), published(0.005, "accuracy")) == ("85 %", "0.5 %")
    assert published(2.35, "mae_unit", "°C") == "2.35 °C"
    assert [signed(value, "mse") for value in (-0.00086712, 0.1, 2.44e-5)] == ["-8.7e-4", "+0.1", "+2.4e-5"]
    assert signed(-0.0368, "accuracy") == "-3.68"
    change = Change(-0.0444, (-0.09951, 0.3))
    assert changed(change) == ("-4.4 %", "-10 to +30 %")
    assert fact([True, 1000, {"a": 0.5}]) == "yes, 1,000, a 0.5"
