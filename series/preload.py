"""The modules that every fit of a candidate imports; the server of `pipeline.processes`
imports them once.
"""

from pipeline.processes import import_modules

import_modules(
    "pandas",
    "pyarrow.parquet",
    "sklearn.ensemble",
    "pipeline.models.residual",
    "pipeline.training.methods.backpropagation",
    "statsmodels.tsa.holtwinters",
    "statsmodels.tsa.seasonal",
    "series.fits",
)
