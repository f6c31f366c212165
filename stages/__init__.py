"""The stages that DVC runs, one module each, and their progress display.

A training goes from the command to the run folder like this:

1. The command `train` (`unroll.commands.building`), which DVC calls too, calls
   `train.train`.
2. `train` locks the data set. `train.tasks_of` makes a `Task` of each experiment in
   params.yaml: its section, and the fingerprint of data, code and options. Tasks whose
   run has this fingerprint are not trained again.
3. `pool` runs the tasks in child processes, `cluster` on the workers of Dask. Both call
   `perform.perform` for each.
4. `perform` loads the prepared data set. `pipeline.training.recipe` finds the builder of
   the model and the method, and `Recipe.job` joins them to the data. The method, in
   `pipeline.training.methods`, returns a `Trained`.
5. `run_folder.save` writes the run, and `provenance.record` its record, into
   .unroll/finished. `train.Finished` reads the run once, and logs it in MLflow
   (`pipeline.tracking.runs`).
6. When all tasks of the data set have ended, `tasks.take` puts them into
   runs/DATASET/EXPERIMENT and records/. The command prints the scores that `Finished`
   knows.
"""
