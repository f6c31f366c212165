"""A GRU beside n-grams on film reviews, and the n-grams alone.

The searched GRUs of `imdb` replace the n-grams. This one reads the words, too, and adds to
the score that logistic regression gives to the review's n-grams. So it can only win by what
n-grams do not say, such as the order of distant words.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from pipeline.data import examples
from pipeline.data.problem import Problem
from pipeline.models.baselines import ngrams
from pipeline.training.methods.logistic_regression import naive_bayes_weights

Arrays = dict[str, np.ndarray]
SPLITS = ("train", "validation", "test")
PREDICTED = SPLITS[1:]
FEWEST_REVIEWS = 2
PENALTY = 0.15  # scikit-learn's C: the inverse weight of the squared coefficients
FOLDS = 5
EMBEDDING = 32
UNITS = 32
BATCH = 128
EPOCHS = 4
RATE = 2e-3


def ngram_features(arrays: Arrays) -> dict[str, Any]:
    """The n-grams of each split's reviews, as sparse 0/1 matrices (reviews, n-grams)."""
    shape = arrays["train_inputs"].shape[1:]
    problem = Problem(shape, classify=True, vocabulary=len(arrays["words"]))
    model: Any = ngrams(problem, reviews=FEWEST_REVIEWS)
    learnt = model.learn(
        examples.Arrays(arrays["train_inputs"], arrays["train_targets"])
    )
    return {
        split: model.features(arrays[f"{split}_inputs"], learnt) for split in SPLITS
    }


def regression(known: Any, classes: np.ndarray) -> Callable[[Any], np.ndarray]:
    """Fit to n-grams and classes; return what gives other reviews' log odds.

    Each n-gram is multiplied by its weight in naive Bayes.
    """
    weights = naive_bayes_weights(known, classes)
    model = LogisticRegression(C=PENALTY, max_iter=1000)
    model.fit(known.multiply(weights).tocsr(), classes)
    return lambda asked: model.decision_function(asked.multiply(weights).tocsr())


def ngram_scores(arrays: Arrays) -> Arrays:
    """The log odds that the n-grams of each review give, for each split: (reviews,).

    Those of a train review come from a regression that has not seen it (five folds).
    Otherwise the GRU would trust scores that have learnt their answers by heart.
    """
    features = ngram_features(arrays)
    known, classes = features["train"], arrays["train_targets"]
    unseen = np.empty(len(classes))
    for fitted, held_out in KFold(FOLDS, shuffle=True, random_state=0).split(classes):
        odds = regression(known[fitted], classes[fitted])
        unseen[held_out] = odds(known[held_out])
    odds = regression(known, classes)
    return {"train": unseen, **{split: odds(features[split]) for split in PREDICTED}}


def with_recurrence(arrays: Arrays, seed: int) -> Arrays:
    """A GRU whose pooled states correct the n-grams' log odds."""
    scores = ngram_scores(arrays)
    keras.utils.set_random_seed(seed)
    words = keras.Input(arrays["train_inputs"].shape[1:], dtype="int32")
    odds = keras.Input((1,))
    vocabulary = len(arrays["words"])
    vectors = layers.Embedding(vocabulary, EMBEDDING, mask_zero=True)(words)
    vectors = layers.SpatialDropout1D(0.3)(vectors)
    gru = layers.GRU(UNITS, return_sequences=True, return_state=True)
    states, last = gru(vectors)
    mean = layers.GlobalAveragePooling1D()(states)
    correction = layers.Dense(1)(
        layers.Dropout(0.5)(layers.Concatenate()([mean, last]))
    )
    scale = layers.Dense(1, kernel_initializer="ones")(odds)
    model = keras.Model([words, odds], layers.Add()([scale, correction]))
    model.compile(
        keras.optimizers.Adam(RATE),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],
        jit_compile=True,
    )
    best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=EPOCHS, restore_best_weights=True
    )
    inputs = {split: [arrays[f"{split}_inputs"], scores[split]] for split in SPLITS}
    model.fit(
        inputs["train"],
        arrays["train_targets"],
        batch_size=BATCH,
        epochs=EPOCHS,
        validation_data=(inputs["validation"], arrays["validation_targets"]),
        callbacks=[best],
        verbose=0,
    )
    return {
        split: expit(model.predict(inputs[split], verbose=0)[:, 0])
        for split in PREDICTED
    }


def without(arrays: Arrays, _seed: int) -> Arrays:
    """The n-grams alone, which no seed changes."""
    features = ngram_features(arrays)
    odds = regression(features["train"], arrays["train_targets"])
    return {split: expit(odds(features[split])) for split in PREDICTED}


SIDES = {"with recurrence": with_recurrence, "without": without}
