"""Columns that are known beforehand for many series: promotions and a temperature."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnknownAheadError, UnrollError
from tests.support.answered import answered
from unroll.series.forecaster import OutsideRangeWarning

WEEKS = 128
HORIZON = 4

pytestmark = pytest.mark.filterwarnings("ignore:P5 is left out")


def shop(count=6):
    """Sales of products, which a promotion triples and heat raises, with the weeks to
    come; the last product is no longer sold."""
    random = np.random.default_rng(0)
    weeks = pd.date_range("2021-01-04", periods=WEEKS + HORIZON, freq="7D")
    heat = 10 + 10 * random.random(len(weeks))
    frames = []
    for number in range(count):
        promo = (random.random(len(weeks)) < 0.2).astype(float)
        sales = (10 + 5 * number) * (1 + 2 * promo) + heat
        sales += random.normal(0, 1, len(weeks))
        frames.append(
            pd.DataFrame(
                {
                    "product": f"P{number}",
                    "week": weeks,
                    "sales": sales,
                    "promo": promo,
                    "heat": heat,
                }
            )
        )
    frames[-1] = frames[-1][: WEEKS - 9]
    return pd.concat(frames, ignore_index=True)


def asked(frame, **options):
    return answered(
        frame, target="sales", horizon=HORIZON, models=["boosting"], **options
    )


@pytest.fixture(scope="module")
def rows():
    """The rows so far, and those to come."""
    frame = shop()
    later = frame["week"] >= frame["week"].max() - (HORIZON - 1) * pd.Timedelta("7D")
    return frame[~later], frame[later]


def error(answer):
    return answer.models.set_index("model").loc["boosting", "mae"]


def test_a_promotion_of_each_product_and_a_heat_of_all_lower_the_error(rows, tmp_path):
    past, plan = rows
    known = asked(past, future=["promo", "heat"])
    assert error(known) < 0.5 * error(asked(past))
    plan["week"] = plan["week"].astype(str)
    promotions = tmp_path / "promotions.csv"
    plan.drop(columns=["sales", "heat"]).to_csv(promotions, index=False)
    heat = tmp_path / "heat.csv"
    plan[["week", "heat"]].drop_duplicates().to_csv(heat, index=False)
    with pytest.warns(
        OutsideRangeWarning, match="P5 is left out: it was measured last"
    ):
        forecast = known.forecast(future=[promotions, heat], model="boosting")
    sold = forecast.merge(
        plan.assign(ds=pd.to_datetime(plan["week"])),
        left_on=["unique_id", "ds"],
        right_on=["product", "ds"],
    )
    assert len(sold) == 5 * HORIZON, "one product is no longer sold"
    assert np.corrcoef(sold["y_hat"], sold["sales"])[0, 1] > 0.95
    assert len(forecast) == 5 * HORIZON, "and is left out"
    with pytest.raises(
        UnknownAheadError, match="heat of P0 must be known .* for 2023-06-19; pass"
    ):
        known.forecast(future=promotions)
    sooner = plan[plan["week"] < plan["week"].max()]
    shorter = known.forecast(future=sooner, horizon=HORIZON - 1, model="boosting")
    whole = forecast.merge(shorter, on=["unique_id", "ds"])
    assert len(whole) == len(shorter) == 5 * (HORIZON - 1)
    assert np.allclose(whole["y_hat_x"], whole["y_hat_y"]), "trees see no later week"
    lacking = plan.drop(plan.index[6])
    with pytest.raises(
        UnknownAheadError, match="promo, heat of P1 must .* for 2023-07-03"
    ):
        known.forecast(future=lacking)
    for columns, lacks in ((["promo", "heat"], "week"), (["week", "sales"], "promo")):
        with pytest.raises(UnrollError, match=f"has no column '{lacks}', which must"):
            known.forecast(future=plan[columns])


def test_rows_to_come_in_the_same_file_are_a_plan_or_one_warning(rows):
    past, plan = rows
    every = pd.concat([past, plan.assign(sales=np.nan)])
    known = asked(every, future=["promo", "heat"])
    separate = known.forecast(past, future=plan)
    pd.testing.assert_frame_equal(known.forecast(), separate)
    plain = asked(every)
    with pytest.warns(
        OutsideRangeWarning, match="rows to come of 5 series, such as P0: 'sales' was"
    ) as told:
        plain.forecast()
    assert len(told) == 2  # P5 is left out
    with pytest.raises(UnrollError, match="is not used: no column of series is known"):
        plain.forecast(future=plan)


def test_a_promotion_multiplies_the_mean_of_each_product(rows):
    past, plan = rows
    answer = answered(
        past,
        target="sales",
        horizon=HORIZON,
        future=["promo", "heat"],
        objective="mean",
        models=["ridge", "boosting", "boosting_own"],
    )
    assert "last_value" not in answer.board.members, "it does not see the promotion"
    sold = plan.set_index(["product", "week"])
    for model in (None, "boosting"):
        forecast = answer.forecast(future=plan, model=model)
        found = forecast.set_index(["unique_id", "ds"])["y_hat"]
        assert found.min() >= 0
        sums = sold.assign(found=found).groupby("promo")[["sales", "found"]].sum()
        np.testing.assert_allclose(sums["found"], sums["sales"], rtol=0.2)


def test_a_plan_with_an_unknown_product_or_two_values_for_a_day_is_refused(rows):
    past, plan = rows
    known = asked(past, future=["promo", "heat"])
    other = plan.assign(product=plan["product"].replace("P1", "P1x"))
    with pytest.raises(
        UnrollError, match="product 'P1x' is no series of series; correct"
    ):
        known.forecast(future=other)
    again = plan.iloc[[5]].assign(promo=9.0)
    with pytest.raises(UnrollError, match="2023-06-26 of P1 comes twice, with other"):
        known.forecast(future=pd.concat([plan, again]))
    same = known.forecast(future=pd.concat([plan, plan.iloc[[5]]]))
    pd.testing.assert_frame_equal(same, known.forecast(future=plan))
