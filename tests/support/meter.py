"""The made-up readings of a meter."""

import numpy as np


def hourly_load(hours, random):
    """Readings (hours,) of each hour: a daily cycle with noise around 50."""
    daily = 10 * np.sin(np.arange(hours) * np.pi / 12)
    return 50 + daily + random.normal(size=hours)
