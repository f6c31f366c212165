"""Registry of model families: a module here is a `model.family` of params.yaml, with `MODELS`, name -> builder.

A builder takes a `Problem` and keyword-only options, which are its schema in params.yaml.
"""
