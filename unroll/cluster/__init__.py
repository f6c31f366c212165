"""Builds on many machines: `scheduler.Executor` on a Dask cluster. Commands and `tune` alone import it."""
