"""Commands that look at what was built, and forecast from it."""
