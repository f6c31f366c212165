"""Builds on many machines: `scheduler.Executor` on a Dask cluster. Commands alone import it."""
