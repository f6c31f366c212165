"""Training methods. Each module is a `training.method` of params.yaml.

A module has the function `train(job, ...)`.
Its `TRAINS` names the kinds of model that it accepts: "network" (a Keras model),
"features" or "predictions" (the two kinds of baseline, see
`ModelCard.gives`). A module whose baselines may have a base has `RESIDUAL`.
"""
