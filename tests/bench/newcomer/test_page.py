from bench.newcomer import page


def test_every_row_stands_beside_its_goal_and_the_load():
    def row(middle, goal):
        return {"seconds": {"min": 0.5 * middle, "median": middle, "max": 2 * middle}, "goal": goal, "load": [0.2, 1.5]}

    lines = page.section({"set-up, warm": row(8, 10.0), "unroll list": row(0.4, 0.3), "make test": row(900, None)})
    assert "| set-up, warm | 4 | 8 | 16 | 10 | reached | 1.5 |" in lines
    assert "| unroll list | 0.2 | 0.4 | 0.8 | 0.3 | **not reached** | 1.5 |" in lines
    assert "| make test | 450 | 900 | 1800 |  | no goal | 1.5 |" in lines
