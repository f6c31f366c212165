"""Trainings on many machines: `head.run` sends them to a Dask cluster. Commands alone
import it.
"""
