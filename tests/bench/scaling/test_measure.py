from bench.scaling import measure


def test_every_size_is_compiled_once_and_timed_in_rounds():
    epoch, said = measure.epoch(examples=128, timesteps=2, width=1), []
    found = measure.timed("units", {1: epoch, 2: epoch, 3: epoch}, 2, said.append)
    assert found["values"] == [1, 2, 3]
    assert all(0 < cost["min"] <= cost["median"] <= cost["max"] for cost in found["seconds"])
    assert set(found["exponent"]) == {"estimate", "low", "high"}
    assert said[2:5] == ["units: compile 3", "units: 1, round 1 of 2", "units: 2, round 1 of 2"]
