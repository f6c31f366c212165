"""Raw data -> a supervised problem. A module here is a `preparation.name` of
params.yaml, with a `METRIC`.

Its function `prepare(name, raw, *, ...)` takes the data set's name and the folder of
its source; what is keyword-only are its options.
"""
