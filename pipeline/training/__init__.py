"""Ways to fit a model. One module per method; each has `train(...)`."""
