from tests.pipeline.tracking.conftest import alone

__all__ = ["alone"]
