"""The modules that every fit of a candidate imports; the server of `pipeline.processes` imports them once."""

from pipeline.processes import import_modules

import_modules(
    "pandas",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "sklearn.neural_network",
    "statsmodels.tsa.holtwinters",
    "statsmodels.tsa.seasonal",
    "series.fits",
)
