"""Logging of runs in MLflow.

Each run is logged once from its folder, at the end of its training or later. This
package changes no result, and no failure of MLflow stops a training. No other package
imports mlflow.
"""

ON_WORKER = "UNROLL_WORKER"
"""The variable that is set on a worker, whose runs the machine that builds logs."""
