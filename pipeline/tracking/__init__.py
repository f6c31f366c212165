"""MLflow as a view of what DVC built: each run is logged once from its folder, at the
end of its training or later.

Nothing here shapes a result, and no failure of MLflow stops a training. Only this
package imports mlflow.
"""

NOT_RECORDED = "not recorded in MLflow"
"""The words by which the log of a training says that its run is not in MLflow."""
