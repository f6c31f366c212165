"""A library for a user's own time series.

It reads the rows, compares models on the past, and forecasts. `import unroll` offers
the library:

    # A DataFrame, a CSV file or a Parquet file. Does recurrence help?
    answer = unroll.answer(frame, target="load", horizon=24)
    answer.sentence
    # A row for each model.
    answer.models
    # unique_id, ds, cutoff, model, y, y_hat
    answer.forecasts
    # The forecast, with prediction intervals.
    answer.forecast(levels=(0.5, 0.8, 0.9))
    answer.save("meter")
    unroll.load("meter")
    # What level, past values, known columns and calendar add to a forecast.
    answer.why("ridge")
    # A table of the user's own, on the same cutoffs.
    unroll.judge(table, against=answer)

A series goes through the modules in this order:

1. `source` takes the user's data, and `reading` profiles the files.
2. `question` proposes the options that a user leaves out (target, horizon, lookback).
   It cuts the rows into windows.
3. `backtest` spreads cutoffs over the later half of the rows. `candidates` lists the
   models, and `fits` fits each in a process of its own, with `training`.
4. `leaderboard` chooses models on the earlier half of the cutoffs, and `comparison`
   compares two of them on the later half. `combination` is the weighted median of
   several models, `intervals` has the prediction intervals, and `sentence` the words.
5. `forecaster` is the best model, fitted to all rows. `spec` describes the forecaster,
   and `rows` turns new rows into its inputs.
   `contributions` says why it forecasts what it does.
6. `windowed` does this for series that are cut into windows, `short` for those that are
   too short. `answer` does all of it in one call. `judge` compares a table of the user's own.
   `table`, `plot` and `page` show an answer to people.

The library is built on `pipeline`, which has the models and their training. It knows
nothing of DVC, MLflow, params.yaml or a terminal.
"""

FILE = "answer.json"
"""The file that marks the folder of an answer."""
