"""MLflow as a view of what DVC built: live while a stage runs, or replayed later from the runs on disk.

Nothing here shapes a result, and no failure of MLflow stops a training. Only this package imports mlflow.
"""
