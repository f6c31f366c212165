"""Two forecasters of the temperature 24 hours ahead: one with a recurrent state, one without.

Both read the same compact summary of (mostly) the last 24 hours of the window. Each is a
single network, fitted on the train rows alone; validation only chooses the epoch.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

Arrays = dict[str, np.ndarray]

HORIZON = 23  # the target lies at row r + HORIZON, the last input row at r - 1
RECURRENT_ROWS = 12
PRESSURE = 0
TEMPERATURE = 1
DEW_POINT = 3
HUMIDITY = 4
VAPOUR_DEFICIT = 7
WIND_SPEED = 11
GUST = 12
WIND_DIRECTION = 13
FIRST_CALENDAR = 14
TEMPERATURE_LAGS = tuple(range(2, 25))
PRESSURE_LAGS = (2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24)
MOISTURE_LAGS = (2, 4, 7, 10, 13, 16, 19, 22, 25)
SPANS = ((0, 3), (3, 6), (6, 12), (12, 18), (18, 24))
OTHER_HOURS = (2, 5, 8, 11, 14, 17, 20)  # extra targets: temperature at r + these
OTHER_COLUMNS = (
    PRESSURE,
    DEW_POINT,
    HUMIDITY,
    VAPOUR_DEFICIT,
)  # extra targets at r + HORIZON
EXTRA_WEIGHT = 2.0  # of all extra targets together, the main one having 1
BATCH = 256
PEAK_RATE = 2e-3


def fit_end(arrays: Arrays) -> int:
    """One past the last row which may be used to fit or scale anything."""
    return int(arrays["train_rows"].max()) + HORIZON + 1


def wind(series: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root of the wind speed, and that root times sine and cosine of the direction."""
    direction = series[:, WIND_DIRECTION].astype(float)
    low = direction[:end].min()
    high = direction[:end].max()
    angle = (direction - low) / (high - low) * 2 * np.pi
    speed = series[:, WIND_SPEED] - series[:end, WIND_SPEED].min()
    root = np.sqrt(np.maximum(speed, 0.0)).astype(float)
    return root, root * np.sin(angle), root * np.cos(angle)


def span_means(
    values: np.ndarray, rows: np.ndarray, spans: tuple[tuple[int, int], ...]
) -> list[np.ndarray]:
    """Means of `values` over the rows r - end ... r - start - 1, for each (start, end)."""
    total = np.concatenate([[0.0], np.cumsum(values.astype(float))])
    return [
        (total[rows - start] - total[rows - end]) / (end - start)
        for start, end in spans
    ]


def calendar_features(
    series: np.ndarray, rows: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Season, and hour with its double, the double of the season and their products."""
    columns = series[rows - 1, FIRST_CALENDAR:].astype(float)
    hour_sin, hour_cos, season_sin, season_cos = columns.T
    season = [season_sin, season_cos]
    rest = [hour_sin, hour_cos, 2 * hour_sin * hour_cos, hour_cos**2 - hour_sin**2]
    rest += [2 * season_sin * season_cos, season_cos**2 - season_sin**2]
    rest += [hour_sin * season_sin, hour_sin * season_cos]
    rest += [hour_cos * season_sin, hour_cos * season_cos]
    return season, rest


def gust_features(series: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Means of the gusts, and their maximum over the last day and over the day before."""
    gust = series[:, GUST]
    daily_maximum = np.lib.stride_tricks.sliding_window_view(gust, 24).max(axis=1)
    means = span_means(gust, rows, ((0, 1), *SPANS))
    return [*means, daily_maximum[rows - 24], daily_maximum[rows - 48]]


def summary(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """Features of the windows that end before `rows`, standardised by the train rows."""
    series = arrays["train_series"]
    end = fit_end(arrays)

    def raw(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and the scale which each of them gets after standardising."""
        temperature = series[:, TEMPERATURE].astype(float)
        pressure = series[:, PRESSURE].astype(float)
        season, calendar = calendar_features(series, at)
        roughness = np.abs(np.diff(temperature, 2, prepend=[0.0, 0.0]))
        blocks = [(2.0, [temperature[at - 1]])]
        blocks += [
            (1.0, [temperature[at - k] - temperature[at - 1] for k in TEMPERATURE_LAGS])
        ]
        blocks += [(1.3, [pressure[at - 1]])]
        blocks += [(1.3, [pressure[at - k] - pressure[at - 1] for k in PRESSURE_LAGS])]
        blocks += [(1.0, [series[at - k, DEW_POINT] for k in (1, *MOISTURE_LAGS)])]
        blocks += [(1.2, [series[at - k, HUMIDITY] for k in (1, *MOISTURE_LAGS)])]
        for part in wind(series, end):
            blocks += [(1.0, [part[at - 1], *span_means(part, at, SPANS)])]
        blocks += [(1.0, gust_features(series, at))]
        blocks += [(1.0, span_means(roughness, at, ((0, 12), (12, 24))))]
        blocks += [(1.6, season), (1.0, calendar)]
        columns = [column for _, block in blocks for column in block]
        scales = [scale for scale, block in blocks for _ in block]
        return np.stack(columns, axis=1), np.array(scales)

    train, scale = raw(arrays["train_rows"])
    features, _ = raw(rows)
    standard = (features - train.mean(axis=0)) / train.std(axis=0)
    scaled: np.ndarray = (standard * scale).astype(np.float32)
    return scaled


def recent_rows(arrays: Arrays, rows: np.ndarray) -> np.ndarray:
    """The last rows of each window, oldest first: (examples, RECURRENT_ROWS, channels).

    Temperature and dew point are relative to the last temperature, pressure to the last one.
    """
    series = arrays["train_series"]
    calm, east, north = wind(series, fit_end(arrays))
    flow = calm[:, None] * np.stack([east, north], axis=1)
    measured = series[:, [TEMPERATURE, PRESSURE, DEW_POINT, HUMIDITY]]
    hour = series[:, FIRST_CALENDAR : FIRST_CALENDAR + 2]
    steps = np.column_stack([measured, calm, flow, east, north, hour])
    lags = np.arange(RECURRENT_ROWS, 0, -1)

    def raw(at: np.ndarray) -> np.ndarray:
        """Unscaled rows."""
        values = steps[at[:, None] - lags]
        last = steps[at - 1]
        values[:, :, 0] -= last[:, None, 0]
        values[:, :, 1] -= last[:, None, 1]
        values[:, :, 2] -= last[:, None, 0]
        return values

    train = raw(arrays["train_rows"])
    standard = (raw(rows) - train.mean(axis=(0, 1))) / train.std(axis=(0, 1))
    scaled: np.ndarray = standard.astype(np.float32)
    return scaled


def targets(series: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Changes since the last input row: the main target first, then the extra ones."""
    last = series[rows - 1]
    main = [series[rows + HORIZON, TEMPERATURE] - last[:, TEMPERATURE]]
    hours = [series[rows + h, TEMPERATURE] - last[:, TEMPERATURE] for h in OTHER_HOURS]
    columns = [series[rows + HORIZON, c] - last[:, c] for c in OTHER_COLUMNS]
    return np.stack(main + hours + columns, axis=1)


def head(values: keras.KerasTensor) -> keras.KerasTensor:
    """Two dense layers with dropout, then one output for each target."""
    for _ in range(2):
        values = layers.Dense(256, "gelu", kernel_initializer="he_normal")(values)
        values = layers.Dropout(0.5)(values)
    small = keras.initializers.RandomNormal(stddev=0.01)
    return layers.Dense(
        1 + len(OTHER_HOURS) + len(OTHER_COLUMNS), kernel_initializer=small
    )(values)


def weighted_error(
    truth: keras.KerasTensor, forecast: keras.KerasTensor
) -> keras.KerasTensor:
    """Absolute error of the main target plus the weighted mean of that of the extra ones."""
    error = keras.ops.abs(truth - forecast)
    extra = keras.ops.mean(error[:, 1:], axis=1)
    return error[:, 0] + EXTRA_WEIGHT * extra


def main_error(
    truth: keras.KerasTensor, forecast: keras.KerasTensor
) -> keras.KerasTensor:
    """Absolute error of the main target."""
    return keras.ops.abs(truth[:, 0] - forecast[:, 0])


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the least validation error."""

    def __init__(self) -> None:
        super().__init__()
        self.least = np.inf
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, _epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compares this epoch with the best one so far."""
        error = (logs or {})["val_main_error"]
        if error < self.least:
            self.least = error
            self.weights = self.model.get_weights()


def train_and_forecast(
    model: keras.Model,
    read: Callable[[np.ndarray], list[np.ndarray]],
    arrays: Arrays,
    epochs: int,
) -> dict[str, np.ndarray]:
    """Trains `model` on what `read` gives for the train rows; forecasts validation and test."""
    series = arrays["train_series"]
    train_rows = arrays["train_rows"]
    validation_rows = arrays["validation_rows"]
    warm_up = 200
    steps = epochs * len(train_rows) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.05 * PEAK_RATE,
        steps - warm_up,
        0.01,
        warmup_target=PEAK_RATE,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.5, clipnorm=1.0)
    model.compile(
        optimizer, loss=weighted_error, metrics=[main_error], jit_compile=False
    )
    validation = read(validation_rows)
    best = KeepBest()
    model.fit(
        read(train_rows),
        targets(series, train_rows),
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(validation, targets(series, validation_rows)),
        validation_batch_size=4096,
        callbacks=[best],
        verbose=0,
    )
    model.set_weights(best.weights)

    def forecast(rows: np.ndarray) -> np.ndarray:
        """Last temperature plus the predicted change."""
        change = model.predict(read(rows), batch_size=4096, verbose=0)[:, 0]
        values: np.ndarray = series[rows - 1, TEMPERATURE] + change
        return values

    return {
        "validation": forecast(validation_rows),
        "test": forecast(arrays["test_rows"]),
    }


def with_recurrence(arrays: Arrays, seed: int) -> dict[str, np.ndarray]:
    """A GRU over the last rows, started from the summary, whose last state joins the summary."""
    keras.utils.set_random_seed(seed)

    def read(rows: np.ndarray) -> list[np.ndarray]:
        """Rows for the recurrence, and the summary."""
        return [recent_rows(arrays, rows), summary(arrays, rows)]

    shapes = [values.shape[1:] for values in read(arrays["train_rows"][:1])]
    sequence, features = (keras.Input(shape) for shape in shapes)
    known = layers.Dropout(0.1)(features)
    start = layers.Dropout(0.2)(layers.Dense(96, "tanh")(known))
    steps = layers.SpatialDropout1D(0.2)(sequence)
    state = layers.GRU(96, unroll=True)(steps, initial_state=start)
    joined = layers.Concatenate()([layers.Dropout(0.5)(state), known])
    model = keras.Model([sequence, features], head(joined))
    return train_and_forecast(model, read, arrays, epochs=10)


def without(arrays: Arrays, seed: int) -> dict[str, np.ndarray]:
    """A dense network on the summary."""
    keras.utils.set_random_seed(seed)

    def read(rows: np.ndarray) -> list[np.ndarray]:
        """The summary alone."""
        return [summary(arrays, rows)]

    features = keras.Input(summary(arrays, arrays["train_rows"][:1]).shape[1:])
    model = keras.Model([features], head(layers.Dropout(0.1)(features)))
    return train_and_forecast(model, read, arrays, epochs=12)


SIDES = {"with recurrence": with_recurrence, "without": without}
