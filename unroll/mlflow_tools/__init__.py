"""MLflow's model registry: forecasters as versions of a registered model, and how they
are served.
"""
