"""MLflow as a view of what DVC built: written while a stage runs, or later from the
runs on disk.

Nothing here shapes a result, and no failure of MLflow stops a training. Only this
package imports mlflow.
"""
