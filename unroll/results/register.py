"""`unroll register`: a forecaster into MLflow's model registry, ready to be served."""

from collections.abc import Iterator

from pipeline.config import params
from pipeline.errors import without_password
from pipeline.forecast.forecaster import Forecaster
from pipeline.tracking import model_registry
from pipeline.tracking.model_registry import ALIAS, Registered
from pipeline.workspace import Workspace
from unroll.results import predict


def register(workspace: Workspace, name: str) -> tuple[Registered, Forecaster]:
    """Register a data set's best experiment, or the one that is named.

    Raises:
        UsageError: there is no such name, or it is no series with stamps.
        UnrollError: something is not built, or MLflow's store cannot be used.
    """
    wanted = params.load(workspace.params)
    forecaster, _ = predict.best(workspace, wanted, name)
    return model_registry.register(workspace, forecaster), forecaster


def lines(found: Registered, forecaster: Forecaster) -> Iterator[str]:
    """What was registered, what changed, and how to serve it."""
    spec = forecaster.spec
    seeds = f", the mean of {spec.seeds} seeds" if spec.seeds > 1 else ""
    there = "" if found.new else ", registered before"
    yield f"{found.name}, version {found.version}: {spec.name}{seeds}{there}"
    if found.before not in {None, found.version}:
        yield f"{ALIAS} was version {found.before} and is now version {found.version}"
    yield f"It takes the last {spec.reach:,} rows and answers on this machine, once served:"
    address = f"MLFLOW_TRACKING_URI={without_password(found.uri)}"
    yield f'  {address} mlflow models serve -m "models:/{found.name}@{ALIAS}" --env-manager local --port 5001'
