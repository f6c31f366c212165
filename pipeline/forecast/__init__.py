"""From a trained experiment on a series to forecasts of what nobody has measured yet."""
