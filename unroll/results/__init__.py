"""Looking at what was built: answer, compare, list, show and track, and forecasting
from it.
"""
