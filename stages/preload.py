"""Imports what every training needs, in the server that forks trainings: importing
costs more than most of them.
"""

import sys

from pipeline.processes import import_modules

import_modules(
    "filelock",
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "sqlalchemy.dialects.sqlite",
    "mlflow.store.tracking.sqlalchemy_store",
    "stages.perform",
    "stages.pool",
)
# What SQLAlchemy does once.
sys.modules["sqlalchemy.orm"].configure_mappers()
