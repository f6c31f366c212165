"""Looking at what was built: compare, list, show, diff and track, and forecasting from it."""
