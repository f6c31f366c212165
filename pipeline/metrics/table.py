"""All measures. A stage depends on those that it uses (`stages.resolve`), not on the whole table."""

from pipeline.metrics import accuracy, binary_crossentropy, brier, mae, mse, pairwise_mse

MEASURES = {each.MEASURE.name: each.MEASURE for each in (mse, mae, accuracy, brier, binary_crossentropy, pairwise_mse)}
