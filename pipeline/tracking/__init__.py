"""Logging of runs in MLflow.

Each run is logged once from its folder, at the end of its training or later. This
package changes no result, and no failure of MLflow stops a training. No other package
imports mlflow.
"""
