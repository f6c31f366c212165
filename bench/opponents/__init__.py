"""Two opponents who saw the arrays of a data set alone, and none of our models.

Each built the best network with recurrence and the best model without it that it found in
forty minutes of CPU, chosen on validation (docs/decisions/opponents.md).

- A module with the name of a data set is one opponent's own code. `SIDES` has a
  function for each side. It trains one model with a seed, and returns forecasts.
- `imdb` is our own: a GRU beside the n-grams, where our searched GRUs replace them.
- `table` trains both sides with three seeds, and shows their errors beside ours.
"""
