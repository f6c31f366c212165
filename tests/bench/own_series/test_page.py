from bench.own_series import page


def test_what_was_measured_stands_in_three_tables():
    found = {
        "forecasts": {
            "meter": {"form": "hourly", "rows": 4320, "experiments": 9, "add": 1.2, "repro": 150.0, "predict": 2.8}
        },
        "served": [
            {
                "experiment": "meter_ridge",
                "seeds": 1,
                "rows": 48,
                "at_once": 4,
                "requests": 400,
                "median": 13.2,
                "p95": 20.1,
                "per_second": 70.4,
            }
        ],
        "large": {
            "rows": 10_000_000,
            "megabytes": 355.1,
            "commands": {"prepare minutes": {"seconds": 30.04, "cpu": 24.5, "peak": 1700.2}},
        },
    }
    lines = page.section(found).splitlines()
    assert "| meter: hourly | 4,320 | 9 | 1.2 | 150 | 2.8 | 2.6 |" in lines
    assert "| `meter_ridge` | 1 | 4 | 400 | 13.2 | 20.1 | 70.4 |" in lines
    assert "| `unroll prepare minutes` | 30.0 | 24.5 | 1,700 |" in lines
    assert "A generated file of 10,000,000 rows and three columns, 355 MB:" in lines
