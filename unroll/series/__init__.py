"""A library for a user's own time series.

It reads the rows, compares models on the past, and forecasts. `import unroll` offers
the library:

    # A DataFrame, a CSV file or a Parquet file. Does recurrence help?
    answer = unroll.answer(frame, target="load", horizon=24)
    # The same in steps.
    rows = unroll.read(frame)
    question = unroll.propose(rows, target="load", horizon=24)
    answer = unroll.answer(rows, question)
    answer.sentence
    # A row for each model.
    answer.models
    # unique_id, ds, cutoff, model, y, y_hat
    answer.forecasts
    # The forecast, with prediction intervals.
    answer.forecast(levels=(0.5, 0.8, 0.9))
    # What to order, and sums of families and of all.
    answer.forecast(service_level=95, by="family")
    answer.save("meter")
    unroll.load("meter")
    # What level, past values, known columns and calendar add to a forecast.
    answer.why("ridge")
    # A table of the user's own, on the same cutoffs.
    unroll.judge(table, against=answer)

`answer` has the calls. A series goes through the modules in this order:

1. `read`: `user_data` takes the user's data, and `reading` profiles the files.
2. `propose`: `question` proposes the options that a user leaves out (target, horizon,
   lookback).
3. `answer`: `compared` goes through the next steps.
   `preparation` cuts the rows into windows, or takes each series as a whole.
   `candidates` lists the models that suit them.
   `backtest` lays the cutoffs, and `fits` fits each model in a process of its own, with
   `training`.
   `leaderboard` chooses models, and `pairwise` compares two of them. `combination`
   weighs several models, `prediction_intervals` has the intervals, and `sentence` the
   words.
4. `forecaster` has the best models, fitted to all rows. `spec` describes them, and
   `rows` turns new rows into their inputs.
   `contributions` says why they forecast what they do.
   `hierarchy` has the sums of forecasts.
5. `judge` compares a table of the user's own. `text_tables`, `plot`, `answer_page` and
   `workbook` show an answer to people.

The library is built on `pipeline`, which has the models and their training. It knows
nothing of DVC, MLflow, params.yaml or a terminal.
"""

FILE = "answer.json"
"""The file that marks the folder of an answer."""
