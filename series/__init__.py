"""A library for a time series of one's own: it reads the rows, judges models on the
past, and forecasts.

`import unroll` offers it:

    answer = unroll.answer(frame, target="load", horizon=24)   # a DataFrame, a CSV or a
    Parquet file
    answer.sentence                                            # does recurrence help?
    answer.models                                              # a row for each model
    answer.forecasts                                           # unique_id, ds, cutoff, model, y, y_hat
    answer.forecast(levels=(0.5, 0.8, 0.9))                    # what comes next, with prediction intervals
    answer.save("meter")
    unroll.load("meter")
    unroll.judge(table, against=answer)                        # a table of your own on the same cutoffs

The way of a series through the modules:

1. `source` takes what a user gives, and `reading` finds out how the rows are written.
2. `question` proposes what is not said (target, horizon, lookback), and cuts the rows
into windows.
3. `backtest` spreads cutoffs over the later half of the rows. `candidates` lists the
   models, and `fits` fits each in a process of its own, with `training`.
4. `leaderboard` chooses on the earlier half of the cutoffs, and compares on the later
   half. `combination` is the weighted median of several models, `intervals` the
   prediction intervals. `sentence` says what came out.
5. `forecaster` is the best model, fitted to all rows; `spec` describes it, and `rows`
   turns new rows into its inputs.
6. `answer` is all of this in one call; `judge` compares a table of the user's own.
   `table`, `plot` and `page` show an answer to people.

The library is built on `pipeline`, which has the models and their training. It knows
nothing of DVC, MLflow, params.yaml or a terminal.
"""

FILE = "answer.json"
"""The file by which the folder of an answer is known."""
